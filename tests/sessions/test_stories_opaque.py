"""Opaque sessions, by Beaker's encrypt_key or a serializer of one's own."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.dynamodb.metering import Saved
from tests.faults.fault_kinds import LoseReply
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.revisions import make_rev
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import (
    contents,
    log_out,
    put,
    put_while,
    read_while,
    record_saves,
    use_clock,
)


class Reversed:
    """An application's own serializer."""

    def dumps(self, values: dict[str, Any]) -> bytes:
        return json.dumps(values).encode()[::-1]

    def loads(self, text: bytes) -> Any:
        return json.loads(text[::-1])


KINDS: dict[str, dict[str, object]] = {
    "encrypt_key": {"encrypt_key": "k" * 32, "validate_key": "v" * 32},
    "a serializer of its own": {"data_serializer": Reversed()},
    "envelope = none": {"envelope": "none"},
}
#: Those that StrictSession opens; `envelope = none` is meant to stay closed.
OPENED = {name: kind for name, kind in KINDS.items() if name != "envelope = none"}


@pytest.fixture(params=KINDS.values(), ids=[*KINDS])
def site(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> Site:
    """Give a site whose sessions are opaque, with a table of its own."""
    return Site.create(dynamodb_local, table_name, **request.param)


@pytest.fixture(params=OPENED.values(), ids=[*OPENED])
def strict(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> Site:
    """Give one under StrictSession."""
    options = {"session_class": StrictSession, **request.param}
    return Site.create(dynamodb_local, table_name, **options)


@pytest.fixture
def saves() -> list[Saved]:
    """Collect the meter's reports of saves."""
    return record_saves()


def test_of_two_requests_that_change_an_opaque_session_the_later_save_wins(
    site: Site, saves: list[Saved]
) -> None:
    """Replaced, not merged, although the keys differ."""
    user = site.begin_session(cart=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert saves[-1] == Saved("replace", "stored")
    assert site.read_session(user) == {"cart": 1, "seen": 9}


def test_an_opaque_session_is_logged_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """One line per process names the two solutions; replacements are logged once a minute."""
    for _ in range(3):
        user = site.begin_session(cart=1)
        other = partial(site.visit, user.also(), put(coupon="x"))
        site.visit(user, put_while(other, seen=9))

    opaque = [r for r in caplog.records if "opaque" in r.getMessage()]
    replaced = [r for r in caplog.records if "replaced, not merged:" in r.getMessage()]
    chosen = site.options.get("envelope") == "none"
    assert [r.levelno for r in opaque] == ([] if chosen else [logging.WARNING])
    assert all("StrictSession" in r.getMessage() for r in opaque)
    assert all("encryption_keys" in r.getMessage() for r in opaque)
    assert [r.levelno for r in replaced] == [logging.WARNING]


def test_an_opaque_session_that_was_removed_is_not_brought_back(
    site: Site, saves: list[Saved]
) -> None:
    """No resurrection: it needs no look into the text."""
    user = site.begin_session(user="ann")

    def revoke() -> None:
        site.raw.delete_item(TableName=site.table, Key={"id": {"S": f"sess:{user.id}"}})

    site.visit(user, put_while(revoke, cart=1))

    assert site.rows() == []
    assert saves[-1] == Saved("replace", "dropped")


def test_an_opaque_login_does_not_move_into_a_session_begun_anew(site: Site) -> None:
    """Another birth: the write is dropped."""
    user = site.begin_session(cart=1)
    other = site.begin_session(stranger=True)

    def replace_row() -> None:
        row = site.row(other) or {}
        site.plant(user, data=row["data"], rev={"B": make_rev("other.birth")})

    site.visit(user, put_while(replace_row, user="ann"))

    assert site.read_session(user) == {"stranger": True}


def test_a_lost_reply_of_an_opaque_session_is_a_success(site: Site, dynamodb_local: str) -> None:
    """Our own token in the rev that refuses us."""
    user = site.begin_session(cart=1)

    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(LoseReply(), operation="PutItem")
        site.behind(proxy).visit(user, put(seen=9))
        assert proxy.operations == ["GetItem", "PutItem", "PutItem"]

    assert site.read_session(user) == {"cart": 1, "seen": 9}


def test_an_opaque_replace_keeps_the_promoted_attributes_of_its_base(site: Site) -> None:
    """Otherwise "log out everywhere" by an index of users would miss the session."""
    site = site.with_(special_keys="userId")
    user = site.begin_session(userId="ann")
    site.plant(user, userId={"S": "ann"})

    site.visit(user, put_while(lambda: site.visit(user.also(), put(cart=2)), cart=1))

    assert (site.row(user) or {})["userId"] == {"S": "ann"}


def test_an_opaque_session_is_created_once(site: Site) -> None:
    """Of two first saves under one id, the second replaces the first."""
    user = Browser(f"beaker.session.id={'e' * 32}")

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert site.read_session(user) == {"seen": 9}


@pytest.mark.parametrize(("envelope", "merges"), [("auto", True), ("json", True), ("none", False)])
def test_a_strict_json_session_is_merged_unless_the_option_says_otherwise(
    dynamodb_local: str, table_name: str, saves: list[Saved], envelope: str, merges: bool
) -> None:
    """StrictSession forbids pickles, and changes nothing else about option envelope."""
    options = {"session_class": StrictSession, "data_serializer": "json", "envelope": envelope}
    site = Site.create(dynamodb_local, table_name, **options)
    user = site.begin_session(cart=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert saves[-1] == Saved("replace", "merged" if merges else "stored")


def test_under_strict_sessions_an_encrypted_session_is_merged(
    strict: Site, saves: list[Saved], caplog: pytest.LogCaptureFixture
) -> None:
    """It is opened and closed by the session itself; nothing is logged."""
    user = strict.begin_session(cart=1)

    strict.visit(user, put_while(lambda: strict.visit(user.also(), put(coupon="x")), seen=9))

    assert saves[-1] == Saved("replace", "merged")
    assert strict.read_session(user) == {"cart": 1, "coupon": "x", "seen": 9}
    assert caplog.records == []


def test_under_strict_sessions_an_encrypted_session_is_touched_not_rewritten(
    strict: Site, saves: list[Saved], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Its values are compared, because each nonce makes another text."""
    use_clock(monkeypatch, clock)
    site = strict.with_(timeout=600)
    user = site.begin_session(cart=1)
    rev = (site.row(user) or {})["rev"]

    clock.advance(10)
    site.visit(user, contents)
    clock.advance(60)
    site.visit(user, contents)

    assert saves[1:] == [Saved("leave", "left"), Saved("touch", "stored")]
    assert (site.row(user) or {})["rev"] == rev


def test_under_strict_sessions_a_slow_reader_undoes_no_encrypted_change(strict: Site) -> None:
    """Without StrictSession it does, as the log line warns."""
    user = strict.begin_session(cart=1)

    strict.visit(user, read_while(lambda: strict.visit(user.also(), put(cart=2))))

    assert strict.read_session(user) == {"cart": 2}


def test_under_strict_sessions_an_encrypted_session_is_logged_out(strict: Site) -> None:
    """The row is deleted at once, and a slower request does not bring it back."""
    user = strict.begin_session(user="ann")

    def late(session: Any) -> Iterator[None]:
        contents(session)
        strict.visit(user.also(), log_out)
        session["cart"] = 1
        session.save()
        yield

    strict.visit(user.also(), late)

    assert strict.rows() == []


def test_under_strict_sessions_special_keys_are_promoted_out_of_an_encrypted_session(
    strict: Site,
) -> None:
    """It opens, so an index can find it; a change beside it keeps the attribute right."""
    site = strict.with_(special_keys="userId")
    user = site.begin_session(cart=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(userId="ann")), seen=9))

    assert (site.row(user) or {})["userId"] == {"S": "ann"}


@pytest.mark.parametrize(
    "forged",
    [{"S": "a" * 3_000}, {"S": "a" * 390_000}, {"B": b"ann"}, {"N": "1"}],
    ids=["too long for an index", "as long as a row", "of another type", "a number"],
)
@pytest.mark.parametrize("strict", [False, True], ids=["", "StrictSession"])
def test_a_save_drops_an_attribute_that_no_index_accepts(
    site: Site, forged: dict[str, object], strict: bool
) -> None:
    """An attacker can put it into the row; otherwise each later save would fail."""
    own = {"session_class": StrictSession} if strict else {}
    site = site.with_(special_keys="userId:S,role:S", **own)
    user = site.begin_session(cart=1)
    site.plant(user, userId=forged, role={"S": "admin"}, name={"S": "b" * 10_000})
    note = secrets.token_hex(20_000)

    site.visit(user, put(note=note))

    row = site.row(user) or {}
    opened = strict and "envelope" not in site.options
    assert row.keys() & {"userId", "role", "name"} == (set() if opened else {"role"})
    assert site.read_session(user) == {"cart": 1, "note": note}


@pytest.mark.parametrize("long", ["userId", "name"])
def test_a_visitor_who_only_reads_does_not_time_out_by_a_forged_attribute(
    dynamodb_local: str,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    long: str,
) -> None:
    """A touch writes the row without it."""
    use_clock(monkeypatch, clock)
    site = Site.create(dynamodb_local, table_name, timeout=600, special_keys="userId:S")
    user = site.begin_session(cart=1)
    site.plant(user, **{long: {"S": "a" * 409_000}})
    clock.advance(400)

    assert site.read_session(user) == {"cart": 1}
    assert (site.row(user) or {}).keys().isdisjoint({"userId", "name"})
    clock.advance(400)
    assert site.read_session(user) == {"cart": 1}
