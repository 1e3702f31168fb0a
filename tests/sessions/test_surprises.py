"""Unexpected faults in a request: an error, and never a lost session."""

from __future__ import annotations

import os
from typing import Any

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager, OptionError, Unavailable
from beaker_dynamodb.dynamodb.rows import Rows
from tests.faults.fault_kinds import aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.sessions import apps, overlap, requests
from tests.sessions.views import contents, use_clock

THROTTLED = aws_error("ProvisionedThroughputExceededException")


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
@pytest.mark.parametrize("kind", [KeyError, TypeError, ValueError, RuntimeError])
def test_a_mistake_of_ours_logs_nobody_out(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Beaker takes the first three for "no such session"; no error shows an id."""
    site = overlap.Site.create(dynamodb_local, table_name)
    user = site.begin_session(cart=1)
    cookie = user.cookie

    def mistaken(*_args: object, **_options: object) -> None:
        raise kind("4111 1111 1111 1111")

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "read", mistaken)
        with pytest.raises(Unavailable) as caught:
            site.visit(user, contents)

    assert kind.__name__ in str(caught.value)
    chain: list[BaseException] = [caught.value]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    assert {type(one) for one in chain} == {Unavailable}
    assert "4111" not in "".join(map(str, chain))
    assert user.cookie == cookie
    assert site.read_session(user) == {"cart": 1}


def test_a_session_that_timed_out_is_over_though_its_row_cannot_be_deleted(
    proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The page continues with a new session, and the old row expires."""
    use_clock(monkeypatch, clock)
    options = {"max_attempts": 1, "timeout": 600, "invalidate_corrupt": False}
    site = requests.Site(proxy.url, table_name, **options)
    ann = requests.Browser(site)
    ann.write(user="ann")
    old = ann.cookie
    clock.step(601)
    proxy.next(THROTTLED, times=None, operation="DeleteItem")

    assert ann.read() == {}

    ann.write(user="ann again")
    proxy.clear()
    assert ann.read() == {"user": "ann again"}
    assert requests.Browser(site, old).read() == {}


def test_a_text_that_is_no_valid_unicode_comes_back_as_it_was(
    dynamodb_local: str, table_name: str
) -> None:
    """It has half of a surrogate pair, as a serializer may return it; also beside another save."""
    first, second = (apps.manager(dynamodb_local, table_name, "a") for _ in range(2))
    first["session"] = "\ud800"
    assert second["session"] == "\ud800"
    first["session"] = "\ud800 first"
    second["session"] = "\ud800 second"

    assert apps.manager(dynamodb_local, table_name, "a")["session"] == "\ud800 second"


def test_a_large_change_is_kept_while_the_id_rotates(dynamodb_local: str, table_name: str) -> None:
    """Another tab writes more than one row holds into the old session: it comes along, whole."""
    site = requests.Site(dynamodb_local, table_name)
    ann = requests.Browser(site)
    ann.write(user="ann")
    rotating, noise = ann.begin(), os.urandom(500_000)
    rotating.session["seen"] = 1
    requests.Browser(site, ann.cookie).write(noise=noise)
    rotating.session.regenerate_id()
    ann.end(rotating)

    assert ann.read() == {"user": "ann", "seen": 1, "noise": noise}
    assert sum("#" not in each for each in site.rows()) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"timeout": "soon"}, "Beaker's option 'timeout' is 'soon'; expected"),
        ({"client": object()}, "option 'client' yields 'object', not a client"),
        ({"client": lambda: "client"}, "option 'client' yields 'str', not a client"),
    ],
    ids=["timeout", "client", "factory"],
)
def test_a_wrong_use_of_the_manager_is_an_option_error(given: dict[str, Any], told: str) -> None:
    """The message names the option or key, and the given value."""
    with pytest.raises(OptionError, match=told):
        DynamoDBNamespaceManager("a", digest_filenames=True, **given)["session"]
