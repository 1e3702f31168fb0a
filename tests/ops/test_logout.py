"""Logging out despite concurrent writes, index delay, chunks, and unreadable rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import scan, user_rows
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.errors import Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import logout
from beaker_dynamodb.ops.identity import sign
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.runtime import Runtime
from tests.faults.fault_kinds import aws_error
from tests.instruments import Clock
from tests.ops.example_apps import LARGE, ExampleApp
from tests.proxy import FaultProxy


def find_row(site: ExampleApp, word: str, secret: str | None = None) -> scan.ScannedRow:
    """Find one that is there."""
    seen = logout.find_row(site.rows, word, secret)
    assert seen is not None
    return seen


def revoke(site: ExampleApp, word: str, **how: Any) -> list[str]:
    """Revoke, with time that passes at once."""
    clock = Clock(time.time())
    runtime = Runtime(clock=clock, monotonic=clock.monotonic, sleep=clock.sleep)
    rows = open_rows(parse(site.options, "session"), runtime)
    return sorted(one.id for one in logout.revoke(rows, word, time.time(), **how))


@pytest.mark.parametrize("hash_ids", ["false", "true"])
@pytest.mark.parametrize("ident", ["8c1f0e5d2b7a49c3a1f4d6e8b9075c21", "../hostile:#session", "é"])
def test_a_session_is_found_by_cookie_id_and_key(
    ident: str, hash_ids: str, dynamodb_local: str, table_name: str
) -> None:
    """Whatever the operator has of it, under hash_ids and with a hostile id, too."""
    site = ExampleApp.create(dynamodb_local, table_name, hash_ids=hash_ids)
    site.save(ident)
    key = site.key(ident)
    signed = sign(ident, "hush") + ident

    words = [(ident, None), (signed, None), (signed, "hush"), (key.hash, None)]
    words += [(key.hash.removeprefix("sess:"), None)]

    assert [find_row(site, *word).key for word in words] == [key] * len(words)
    assert logout.find_row(site.rows, "nobody") is None


def test_a_deleted_session_is_gone_with_its_pieces(site: ExampleApp) -> None:
    """Nothing of it is left in the table."""
    site.save("large", text=LARGE)
    site.save("other")

    was = logout.delete(site.rows, find_row(site, "large"), time.time())

    assert (was.id, was.live, was.chunks > 2) == ("large", True, True)
    assert site.idents() == {"sess:other"}


def test_a_request_under_way_does_not_bring_it_back(site: ExampleApp) -> None:
    """What it saves afterwards is dropped: a logout by the operator is a logout."""
    site.save("a", visits=1)
    request, text = site.manager("a"), site.save("b", visits=2)["session"]
    assert request["session"]
    del site.manager("b")["session"]

    logout.delete(site.rows, find_row(site, "a"), time.time())
    request["session"] = text

    assert site.idents() == set()


def test_a_save_between_look_and_delete_does_not_save_it(site: ExampleApp) -> None:
    """The delete is refused, and repeated on the row that is stored now."""
    site.save("a", visits=1)
    seen = find_row(site, "a")
    request = site.manager("a")
    assert request["session"]
    site.save("a", visits=2)

    logout.delete(site.rows, seen, time.time())

    assert site.idents() == set()


def test_a_session_that_is_written_again_and_again_is_reported(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After many tries the operator learns that it did not work."""
    site.save("a")
    seen = find_row(site, "a")
    refused = {"refused": 0}
    original = Table.delete

    def delete_after_a_save(table: Table, key: Key, condition: Any) -> Any:
        refused["refused"] += 1
        site.save("a", visits=refused["refused"])
        return original(table, key, condition)

    monkeypatch.setattr(Table, "delete", delete_after_a_save)
    monkeypatch.setattr(user_rows, "MAX_TRIES", 3)

    with pytest.raises(Unavailable, match="written faster"):
        logout.delete(site.rows, seen, time.time())
    assert refused["refused"] == 3


@pytest.mark.parametrize(
    "row", [{"rev": {"B": b"r"}}, {"data": {"S": "x"}}, {"data": {"B": b"x"}, "rev": {"B": b"r"}}]
)
def test_an_unreadable_session_is_deleted_too(
    row: dict[str, Any], dynamodb_local: str, table_name: str
) -> None:
    """A logout wins over corruption."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("other")
    site.put(id={"S": "sess:bad"}, **row)

    was = logout.delete(site.rows, find_row(site, "bad"), time.time())

    assert was.error
    assert site.idents() == {"sess:other"}


def test_a_row_that_turns_corrupt_between_look_and_delete_is_deleted(
    dynamodb_local: str, table_name: str
) -> None:
    """The refusal brings what cannot be read; the logout wins."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("a")
    seen = find_row(site, "a")
    site.put(id={"S": "sess:a"}, data={"S": "x"}, rev={"S": "another"})

    logout.delete(site.rows, seen, time.time())

    assert site.idents() == set()


@pytest.mark.parametrize("scan", [False, True], ids=["index", "scan"])
def test_a_user_is_logged_out_everywhere_but_here(scan: bool, site: ExampleApp) -> None:
    """All of one user's sessions go, large ones too; others', and the one at hand, stay."""
    for name in ("phone", "laptop", "here"):
        site.save(name, userId=42)
    site.save("large", userId=42, text=LARGE)
    site.save("another", userId=7)

    gone = revoke(site, "userId=42", scan=scan, keep={site.key("here")})

    assert gone == ["laptop", "large", "phone"]
    assert site.idents() == {"sess:here", "sess:another"}
    assert revoke(site, "userId=0", scan=scan) == []


def test_what_the_index_shows_late_is_revoked_by_a_later_pass(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is asked again until it shows none."""
    site.save("early", userId=42)
    site.save("late", userId=42)
    early, late = site.key("early"), site.key("late")
    shown = iter([(early,), (early, late), ()])
    monkeypatch.setattr(scan, "query_index", lambda *_: iter([next(shown)]))

    assert revoke(site, "userId=42") == ["early", "late"]
    assert next(shown, None) is None


def test_an_index_that_shows_none_at_first_is_asked_once_more(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that was written just before is found too."""
    site.save("just now", userId=42)
    shown = iter([(), (site.key("just now"),), ()])
    monkeypatch.setattr(scan, "query_index", lambda *_: iter([next(shown)]))

    assert len(revoke(site, "userId=42")) == 1
    assert next(shown, None) is None


def test_a_session_that_changed_hands_is_not_revoked(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between look and delete it became another user's: it stays."""
    site.save("a", userId=42)
    original = Table.delete
    turns: Iterator[int] = iter(range(99))

    def delete_after_a_save(table: Table, key: Key, condition: Any) -> Any:
        if next(turns) == 0:
            site.save("a", userId=7)
        return original(table, key, condition)

    monkeypatch.setattr(Table, "delete", delete_after_a_save)

    assert revoke(site, "userId=42") == []
    assert site.idents() == {"sess:a"}


@pytest.mark.parametrize("scan", [False, True], ids=["index", "scan"])
def test_a_session_written_without_end_keeps_no_other_one_logged_in(
    scan: bool, site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's other sessions are deleted, and the error comes at the end."""
    names = ["a", "b", "c", "d"]
    for name in names:
        site.save(name, userId="42")
    busy, original = site.key("b"), Table.delete

    def delete_after_a_save(table: Table, key: Key, condition: Any) -> Any:
        if key == busy:
            site.save("b", userId="42", visits=time.time_ns())
        return original(table, key, condition)

    with monkeypatch.context() as patched:
        patched.setattr(Table, "delete", delete_after_a_save)
        patched.setattr(user_rows, "MAX_TRIES", 2)
        patched.setattr(logout, "MAX_PASSES", 3)
        with pytest.raises(Unavailable, match="written faster"):
            revoke(site, "userId=42", scan=scan)
    assert site.idents() == {"sess:b"}

    assert revoke(site, "userId=42", scan=scan) == ["b"]


def test_a_user_who_keeps_logging_in_is_reported(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passes are bounded, and what was revoked is yielded before that is said."""
    number = iter(range(10**6))
    original = scan.query_index

    def another(*args: Any) -> Any:
        site.save(f"s{next(number)}", userId=42)
        return original(*args)

    monkeypatch.setattr(scan, "query_index", another)

    with pytest.raises(Unavailable, match="run revoke again"):
        revoke(site, "userId=42")
    assert next(number) == logout.MAX_PASSES


def test_a_throttled_table_does_not_prevent_a_logout(site: ExampleApp) -> None:
    """Four refusals in a row of one delete are waited out; three attempts would have ended it."""
    for ident in ("one", "two"):
        site.save(ident, userId="42")
    with FaultProxy(site.options["endpoint_url"]) as proxy:
        proxy.next(aws_error("ThrottlingException"), operation="DeleteItem", times=4)
        rows = open_rows(parse({**site.options, "endpoint_url": proxy.url}, "session"))

        gone = [one.id for one in logout.revoke(rows, "userId=42", time.time())]

    assert sorted(gone) == ["one", "two"]
    assert site.idents() == set()
