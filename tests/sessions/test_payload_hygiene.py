"""No id, key or payload in what we log or raise, at any level, through a table of faults.

Beaker's own warning about a failed load names the id (beaker/session.py:246): it is not ours.
"""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import beaker_dynamodb
from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import DynamoDBBackendError
from tests.exchange import Body, Fault
from tests.faults.fault_kinds import (
    BRACES,
    EMPTY,
    HTML,
    FlipBit,
    Hang,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    Rewrite,
    Truncate,
    aws_error,
)
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.revisions import make_rev
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out, put, put_while, use_clock

SECRET = "correct-horse-battery-staple"
KEY = base64.b64encode(b"k" * 32).decode()
ID = "5e55101d" * 4
pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@dataclass
class Ear:
    """Collects all log lines, warnings and errors."""

    caplog: pytest.LogCaptureFixture
    heard: list[str] = field(default_factory=list)

    def attempt(self, site: Site, user: Browser, view: Any) -> None:
        """Make a request, and collect the texts of its error and of all causes."""
        try:
            site.visit(user.also(), view)
        except DynamoDBBackendError as error:
            self.heard.append("".join(traceback.format_exception(error)))
            self.heard += [text for one in _chain(error) for text in _texts(one)]

    def everything(self) -> str:
        """Return all collected texts, and the log."""
        ours = [r for r in self.caplog.records if r.name.startswith("beaker_dynamodb")]
        lines = [f"{r.getMessage()} {r.msg} {r.args!r} {r.exc_text} {r.exc_info}" for r in ours]
        return "\n".join([*self.heard, *lines])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes and its contexts; none of them may be a foreigner's."""
    if error is None:
        return
    yield error
    for other in {error.__cause__, error.__context__} - {None}:
        yield from _chain(other)


def _texts(error: BaseException) -> Iterator[str]:
    assert isinstance(error, DynamoDBBackendError), f"{type(error)} is chained to one of ours"
    yield f"{error} {error!r} {error.args!r}"
    # Conflict.theirs is what it is for; it is in no text.
    kept = {name: value for name, value in vars(error).items() if name != "theirs"}
    yield repr(kept)


@pytest.fixture
def ear(caplog: pytest.LogCaptureFixture) -> Ear:
    """Listen at every level of our loggers, and at the meter."""
    caplog.set_level(logging.DEBUG, logger="beaker_dynamodb")
    listening = Ear(caplog)
    beaker_dynamodb.observe(lambda event: listening.heard.append(repr(event)))
    return listening


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Return a site with unencrypted sessions, so that a leak can be found."""
    return Site.create(dynamodb_local, table_name, compress=False, data_serializer="json")


def clean(text: str, *, site: Site, user: Browser) -> None:
    """Assert that neither the id, nor the secret, nor the row's bytes are in the text."""
    stored = (site.row(user) or {}).get("data", {}).get("B", b"")[16:40]
    for leak in (ID, SECRET, "sess:", KEY, repr(stored)[2:-1] or ID):
        assert leak not in text


def other_item(reply: Body) -> Body:
    """Have the reply hold another user's item."""
    if "Item" in reply:
        reply["Item"]["id"] = {"S": f"sess:{SECRET}"}
    return reply


FAULTS: dict[str, Fault] = {
    "throttled": aws_error("ThrottlingException", Item={"data": {"S": SECRET}}),
    "down": aws_error("InternalServerError", status=500),
    "a gateway's page": aws_error("<html>", status=502),
    "no access": aws_error("AccessDeniedException"),
    "expired credentials": aws_error("ExpiredTokenException"),
    "refused": aws_error("ValidationException", Item={"data": {"S": SECRET}}),
    "no table": aws_error("ResourceNotFoundException"),
    "another key schema": aws_error(
        "ValidationException", message="The provided key element does not match the schema"
    ),
    "a conflict of transactions": aws_error("TransactionConflictException"),
    "a refusal without an item": aws_error("ConditionalCheckFailedException"),
    "html": HTML,
    "empty": EMPTY,
    "braces": BRACES,
    "lost": LoseRequest(),
    "reply lost": LoseReply(),
    "hangs": Hang(applied=True),
    "reset": ResetMidReply(),
    "truncated": Truncate(crc=False, honest=True),
    "a flipped bit": FlipBit(crc=True),
    "another item": Rewrite(other_item),
}


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "DeleteItem"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_no_fault_writes_an_id_or_a_payload_into_a_log_or_an_error(
    site: Site,
    ear: Ear,
    operation: str,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    """The secret, the id and the row's bytes are in no log record, error or chained error."""
    use_clock(monkeypatch, clock)
    user = Browser(f"beaker.session.id={ID}")
    site.visit(user, put(word=SECRET))

    with FaultProxy(site.url) as proxy:
        proxy.next(fault, operation=operation, times=None)
        behind = site.behind(proxy, max_attempts=1, read_timeout=0.1, create_table=False)
        strict = behind.with_(session_class=StrictSession)
        ear.attempt(behind, user, contents)
        ear.attempt(strict, user, put(more=SECRET))
        ear.attempt(behind, user, put(more=SECRET[::-1]))
        ear.attempt(strict, user, log_out)

    assert ear.heard
    clean(ear.everything(), site=site, user=user)


def _plant(**attributes: object) -> Callable[[Site, Browser], None]:
    return lambda site, user: site.plant(user, **attributes)


ROWS: dict[str, Callable[[Site, Browser], None]] = {
    "of a newer format": _plant(data={"B": b"\x02S\x00\x00" + SECRET.encode()}),
    "with a wrong checksum": _plant(data={"B": b"\x01S\x00\x00aaaa" + SECRET.encode()}),
    "cut short": _plant(data={"B": SECRET[:5].encode()}),
    "data of another type": _plant(data={"S": SECRET}),
    "no data": _plant(data=None),
    "no rev": _plant(rev=None),
    "an expiry that is a text": _plant(expires={"S": SECRET}),
    "promoted attributes of other types": _plant(userId={"L": [{"S": SECRET}]}),
}


@pytest.mark.parametrize("options", [{}, {"encryption_keys": KEY}], ids=["plain", "encrypted"])
@pytest.mark.parametrize("plant", ROWS.values(), ids=[*ROWS])
def test_no_broken_row_is_quoted(
    site: Site, ear: Ear, plant: Callable[[Site, Browser], None], options: dict[str, object]
) -> None:
    """At load, and as theirs in a conflict."""
    site = site.with_(special_keys="userId", **options)
    user = Browser(f"beaker.session.id={ID}")
    site.visit(user, put(word=SECRET))

    def overtake() -> None:
        site.plant(user, rev={"B": make_rev("other.token")})
        plant(site, user)

    ear.attempt(site, user, put_while(overtake, more=1))
    ear.attempt(site, user, contents)

    clean(ear.everything(), site=site, user=user)


def test_a_row_under_an_unknown_key_and_a_row_in_clear_are_not_quoted(site: Site, ear: Ear) -> None:
    """The refusals name the key's id and the step that was skipped, and neither key nor text."""
    user = Browser(f"beaker.session.id={ID}")
    site.visit(user, put(word=SECRET))
    ear.attempt(site.with_(encryption_keys=KEY), user, contents)
    site.visit(user, log_out)
    user = Browser(f"beaker.session.id={ID}")
    site.with_(encryption_keys=KEY).visit(user, put(word=SECRET))
    ear.attempt(site.with_(encryption_keys=base64.b64encode(b"x" * 32).decode()), user, contents)

    assert "UnknownFormat" in ear.everything()
    clean(ear.everything(), site=site, user=user)


def test_what_cannot_be_saved_is_not_quoted(site: Site, ear: Ear) -> None:
    """A value too large, a special key missing or unfit, a clash, an opaque text."""
    user = Browser(f"beaker.session.id={ID}")
    site.visit(user, put(word=SECRET))
    ear.attempt(site.with_(max_value_size=20), user, put(more=SECRET))
    ear.attempt(site.with_(special_keys="word:N"), user, put(more=SECRET))
    strict = site.with_(special_keys="gone", require_special_keys=True)
    ear.attempt(strict, user, put(other=SECRET))
    raising = site.with_(on_conflict="raise")
    ear.attempt(raising, user, put_while(lambda: site.visit(user.also(), put(a=SECRET)), b=SECRET))
    opaque = site.with_(envelope="none")
    ear.attempt(opaque, user, put_while(lambda: site.visit(user.also(), put(a=1)), b=SECRET))
    ear.attempt(site, Browser("beaker.session.id="), put(word=SECRET))

    text = ear.everything()
    for name in ("ItemTooLarge", "OptionError", "Conflict", "'word'", "replaced", "empty id"):
        assert name in text
    clean(text, site=site, user=user)


def test_the_reprs_of_our_values_hide_ids_and_payloads(site: Site) -> None:
    """Error trackers show the local variables of each frame."""
    from beaker_dynamodb.manager import DynamoDBNamespaceManager

    user = Browser(f"beaker.session.id={ID}")
    site.visit(user, put(word=SECRET))
    options = {"table": site.table, "client": site.raw, "encryption_keys": ""}
    manager = DynamoDBNamespaceManager(ID, digest_filenames=False, **options)
    manager["session"]
    store = manager.session_store
    shown = f"{store.key!r} {store.stored!r} {store.rows!r}"

    assert ID not in shown
    assert SECRET not in shown
    assert base64.b64encode(SECRET.encode()).decode()[:-4] not in shown
