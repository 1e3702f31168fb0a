"""What happens to a user when a row or a clock is odd: cases 20 to 24.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import base64
import os

import pytest

from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.errors import AccessRefused, UnknownFormat
from tests.faults.fault_kinds import aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.revisions import make_token, replace_token
from tests.sessions.overlap import Site
from tests.sessions.views import View, contents, log_out, put, put_while, record_saves, use_clock

HOUR, YEAR = 3600, 365 * 86400


KEY = base64.b64encode(b"k" * 32).decode()


pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["an hour slow", "an hour fast"])
def test_20_users_keep_their_changes_if_the_clock_of_a_server_is_wrong(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock, skew: int
) -> None:
    """Case 20: both servers find the session, merge it, and can log it out."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=3 * HOUR)
    user = site.begin_session(cart=1)

    def on_the_other_server() -> None:
        clock.step(skew)
        site.visit(user.also(), put(coupon="x"))
        clock.step(-skew)

    site.visit(user, put_while(on_the_other_server, seen=9))
    assert site.read_session(user) == {"cart": 1, "coupon": "x", "seen": 9}

    def log_out_there() -> None:
        clock.step(skew)
        site.visit(user.also(), log_out)
        clock.step(-skew)

    site.visit(user, put_while(log_out_there, seen=10))
    assert site.rows() == []


def test_20_a_user_stays_logged_in_when_aws_refuses_our_clock(
    site: Site, proxy: FaultProxy
) -> None:
    """Case 20, InvalidSignature: AccessRefused, and the next request is served."""
    user = site.begin_session(user="ann")
    behind = site.behind(proxy)
    proxy.next(aws_error("InvalidSignatureException"), times=None)

    with pytest.raises(AccessRefused):
        behind.visit(user, contents)

    proxy.clear()
    assert behind.visit(user, contents).said == {"user": "ann"}


def test_21_a_save_ends_although_the_clock_steps_back(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Case 21: the save is limited by the monotonic clock. Creation locks have their own test."""
    user = site.begin_session(cart=1)
    tokens = iter(range(1000))

    def token() -> bytes:
        name = next(tokens)
        clock.step(-HOUR)
        clock.advance(1)
        rev = (site.row(user) or {})["rev"]["B"]
        site.plant(user, rev={"B": replace_token(rev, f"r{name}")})
        return make_token(f"t{name}")

    use_clock(monkeypatch, clock, token=token)

    with pytest.raises(Exception, match="another request has changed"):
        site.visit(user, put(cart=2))

    assert next(tokens) < 10


def test_22_a_session_that_ttl_deletes_during_a_request_is_not_stored_again(site: Site) -> None:
    """Case 22: it is deleted between load and save. B/ tests expired rows that TTL has left."""
    user, saves = site.begin_session(user="ann"), record_saves()

    def delete_by_ttl() -> None:
        site.raw.delete_item(TableName=site.table, Key={"id": {"S": f"sess:{user.id}"}})

    site.visit(user, put_while(delete_by_ttl, cart=1))

    assert site.rows() == []
    assert saves == [Saved("replace", "dropped")]


NOW = int(Clock()())


EXPIRIES: dict[str, tuple[object, bool]] = {
    "missing": (None, True),
    "in the future": ({"N": str(NOW + HOUR)}, True),
    "a fraction": ({"N": f"{NOW + HOUR}.25"}, True),
    "milliseconds": ({"N": str(NOW * 1000)}, True),
    "of 38 digits": ({"N": "9" * 38}, True),
    "this very second": ({"N": str(NOW)}, False),
    "zero": ({"N": "0"}, False),
    "negative": ({"N": "-5"}, False),
    "six years past": ({"N": str(NOW - 6 * YEAR)}, False),
    "a text": ({"S": str(NOW + HOUR)}, False),
    "a list": ({"L": []}, False),
    "null": ({"NULL": True}, False),
}


@pytest.mark.parametrize(("expires", "there"), EXPIRIES.values(), ids=[*EXPIRIES])
def test_23_an_expired_session_is_not_found_whatever_its_expiry_looks_like(
    site: Site, monkeypatch: pytest.MonkeyPatch, expires: object, there: bool
) -> None:
    """Case 23: a number is a time, a missing one means never, another type is a corrupt row."""
    use_clock(monkeypatch, Clock(NOW))
    user = site.begin_session(user="ann")
    site.plant(user, expires=expires)

    assert site.read_session(user) == ({"user": "ann"} if there else {})
    site.visit(user, put(cart=1))
    assert site.read_session(user)["cart"] == 1


GARBAGE: dict[str, dict[str, object]] = {
    "no data": {"data": None},
    "no rev": {"rev": None},
    "data is a text": {"data": {"S": "data"}},
    "data is a map": {"data": {"M": {}}},
    "data is null": {"data": {"NULL": True}},
    "data is a set": {"data": {"BS": [b"x"]}},
    "rev is a number": {"rev": {"N": "1"}},
    "prev is a list": {"prev": {"L": []}},
    "data is empty": {"data": {"B": b""}},
    "data is cut short": {"data": {"B": b"\x01S"}},
    "data is noise": {"data": {"B": b"\x01S\x00\x00" + os.urandom(60)}},
}


@pytest.mark.parametrize("attributes", GARBAGE.values(), ids=[*GARBAGE])
def test_24_a_user_whose_row_is_garbage_gets_a_new_session(
    site: Site, proxy: FaultProxy, attributes: dict[str, object]
) -> None:
    """Case 24: it is read twice. It will never be readable, so Beaker may begin a new session."""
    user = site.begin_session(user="ann")
    site.plant(user, **attributes)
    row = site.row(user)

    found = site.behind(proxy).visit(user.also(), contents).said

    assert found == {}
    assert proxy.operations[:2] == ["GetItem", "GetItem"]
    assert site.row(user) == row


def test_24_a_save_replaces_a_row_that_became_garbage_since_the_load(site: Site) -> None:
    """The stored row cannot be opened: it is replaced on condition of its rev, with a warning."""
    user = site.begin_session(cart=1)

    def garble() -> None:
        rev = (site.row(user) or {})["rev"]["B"]
        garbage = {"B": b"\x01S\x00\x00" + bytes(60)}
        site.plant(user, data=garbage, rev={"B": replace_token(rev, "x")})

    site.visit(user, put_while(garble, cart=2))

    assert site.read_session(user) == {"cart": 2}


def test_24_a_row_of_another_user_that_was_copied_does_not_open(site: Site) -> None:
    """Case 24, with encryption: a row is bound to its id and expiry."""
    site = site.with_(encryption_keys=KEY)
    ann, thief = site.begin_session(user="ann"), site.begin_session(user="thief")
    row = site.row(ann) or {}

    site.plant(thief, **{name: row[name] for name in ("data", "rev", "expires")})
    assert site.read_session(thief) == {}

    site.plant(ann, expires={"N": str(int(row["expires"]["N"]) + 1)})
    assert site.read_session(ann) == {}
    site.plant(ann, expires=row["expires"])
    assert site.read_session(ann) == {"user": "ann"}


@pytest.mark.parametrize(
    ("version", "flags"), [(2, 5), (255, 5), (1, 0x80), (1, 0x45)], ids=["2", "255", "8", "4+"]
)
def test_24_a_user_stays_logged_in_when_a_newer_release_has_written_the_row(
    site: Site, version: int, flags: int
) -> None:
    """Case 24: an unknown format raises UnknownFormat on a read and on a write."""
    user = site.begin_session(user="ann")
    data = (site.row(user) or {})["data"]["B"]
    site.plant(user, data={"B": bytes((version, data[1], flags, data[3])) + data[4:]})
    views: tuple[View, ...] = (contents, put(cart=1), log_out)

    for view in views:
        with pytest.raises(UnknownFormat):
            site.visit(user.also(), view)

    site.plant(user, data={"B": data})
    assert site.read_session(user) == {"user": "ann"}
