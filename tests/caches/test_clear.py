"""Removing and clearing: exactly the meant entries, all of them, or an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb import Unavailable
from tests.caches.tables import ONCE, Maker, Table, fail_if_called
from tests.exchange import Exchange, Reply
from tests.faults.fault_kinds import aws_error
from tests.instruments import Recorder
from tests.proxy import FaultProxy

DOWN = aws_error("InternalServerError", status=500)


@pytest.fixture
def crowd(table: Table) -> dict[str, Any]:
    """Give caches of namespaces that begin alike, two entries in each, one of them in chunks."""
    names = ("ns", "ns2", "ns.x", "n", "ns:k", "ns#chunk", "NS", "")
    caches = {name: table.cache(name, compress=False) for name in names}
    for cache in caches.values():
        cache["small"], cache["large"] = "v", "x" * 500_000
    return caches


def test_clear_removes_exactly_its_namespace(table: Table, crowd: dict[str, Any]) -> None:
    """Values and chunks of the namespace are deleted, and none of one with a similar name."""
    before = len(table.rows())

    crowd["ns"].clear()

    assert len(table.rows()) == before - 4
    assert "small" not in crowd["ns"]
    for name, cache in crowd.items():
        assert (name == "ns") or (cache["small"], len(cache["large"])) == ("v", 500_000)


def test_clear_leaves_locks_alone(table: Table) -> None:
    """A lock that is held while the cache is cleared is kept, and so are sessions."""
    cache, session = table.cache(), table.session("ns", prefix="cache:")
    session["session"] = "text"
    cache["k"] = "v"
    lock = cache.namespace.get_creation_lock("j")
    assert lock.acquire()

    cache.clear()

    assert len(table.rows()) == 2
    assert not table.on_another_server().manager().get_creation_lock("j").acquire(wait=False)
    assert table.session("ns", prefix="cache:")["session"] == "text"
    lock.release()


@pytest.mark.parametrize("entries", [600, pytest.param(10_000, marks=pytest.mark.long)])
def test_clear_goes_to_the_last_page(
    ranged: Table, calls: Recorder, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    """All entries are deleted, however many pages they fill, and whatever a batch leaves undone.

    Every tenth batch is left unprocessed, as DynamoDB does when it is busy. The values are
    so large that 600 of them fill more than one page.
    """
    fill(ranged, entries)
    ranged.manager("other")["k"] = "v"

    with FaultProxy(ranged.url) as proxy:
        count = iter(range(entries))
        tenth = lambda _: next(count) % 10 == 9  # noqa: E731
        proxy.next(leave_undone, operation="BatchWriteItem", where=tenth, times=None)
        Table(proxy.url, ranged.name, ranged.options).cache().clear()

    assert ranged.keys() == ["k"]
    pages = [call for call in calls if call.operation == "Query"]
    assert len(pages) > 1
    assert sum(call.operation == "BatchWriteItem" for call in calls) > entries / 25


def leave_undone(exchange: Exchange) -> None:
    """Be a fault: DynamoDB is busy, and leaves the whole batch undone."""
    asked = exchange.body["RequestItems"]
    consumed = [{"TableName": name, "CapacityUnits": 0.0} for name in asked]
    told = {"UnprocessedItems": asked, "ConsumedCapacity": consumed}
    head = (("Content-Type", "application/x-amz-json-1.0"),)
    exchange.answer(Reply(200, head, b"").with_body(json.dumps(told).encode()))


def fill(table: Table, entries: int) -> None:
    """Put entries of 4 KB into the namespace `ns` by a plain client, 25 a call."""
    client = table.raw
    rows = [
        {"id": {"S": "cache:ns"}, "part": {"S": f"{n:06}"}, "data": {"B": b"x" * 4000}}
        for n in range(entries)
    ]
    for start in range(0, entries, 25):
        batch = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        client.batch_write_item(RequestItems={table.name: batch})  # type: ignore[dict-item]


def test_a_batch_that_is_never_done_is_an_error(ranged: Table, wound: None) -> None:
    """If DynamoDB never processes some of the deletes, `clear()` raises."""
    ranged.manager()["k"] = "v"
    with FaultProxy(ranged.url) as proxy:
        proxy.next(leave_undone, operation="BatchWriteItem", times=None)
        with pytest.raises(Unavailable, match="unprocessed"):
            Table(proxy.url, ranged.name, ranged.options).manager().remove()


def test_without_a_range_key_clearing_scans_and_says_so_once(
    plain: Table, calls: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """In the hash layout `clear()` and `keys()` read the whole table: one warning, for ever."""
    caplog.set_level(logging.WARNING)
    cache = plain.cache()
    cache["k"] = "v"
    calls.clear()

    cache.clear()
    cache.clear()
    assert cache.namespace.keys() == []

    assert calls.names == ["Scan", "BatchWriteItem", "Scan", "Scan"]
    assert ["range_key" in record.getMessage() for record in caplog.records] == [True]


def test_what_was_put_just_before_is_cleared(table: Table, calls: Recorder) -> None:
    """`clear()` reads consistently: an older state of the table may lack the last put."""
    cache = table.cache()
    cache["k"] = "v"
    calls.clear()

    cache.clear()

    (read,) = [call for call in calls if call.operation in {"Query", "Scan"}]
    assert read.request["ConsistentRead"] is True


def test_with_a_range_key_clearing_reads_its_own_namespace(
    ranged: Table, calls: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """With a range key it is a Query, and nothing to warn of."""
    cache = ranged.cache()
    cache["k"] = "v"
    calls.clear()

    cache.clear()

    assert (calls.names, caplog.messages) == (["Query", "BatchWriteItem"], [])


def remove(cache: Any) -> None:
    """Remove by Beaker's own verb, which asks `in` first."""
    cache.remove_value("k")


def delete(cache: Any) -> None:
    """Remove by the manager's verb."""
    del cache.namespace["k"]


def clear(cache: Any) -> None:
    """Remove everything."""
    cache.clear()


@pytest.mark.parametrize(
    "is_open", [False, True], ids=["at once", "while the circuit breaker is open"]
)
@pytest.mark.parametrize("act", [remove, delete, clear])
def test_a_removal_during_an_outage_raises(
    ranged: Table, act: Callable[[Any], None], *, is_open: bool
) -> None:
    """Otherwise a right that was revoked would still be served."""
    with FaultProxy(ranged.url) as proxy:
        cache = Table(proxy.url, ranged.name, ranged.options).cache(**ONCE)
        cache["k"] = "v"
        proxy.next(DOWN, times=None)
        if is_open:
            assert cache.get("k", createfunc=Maker("made")) == "made"

        with pytest.raises(Unavailable):
            act(cache)


@pytest.mark.parametrize("act", [remove, delete, clear])
def test_a_removal_is_sent_while_the_circuit_breaker_is_open(
    ranged: Table, act: Callable[[Any], None]
) -> None:
    """While reads are bypassed, DynamoDB may be back: a removal is tried, and done."""
    with FaultProxy(ranged.url) as proxy:
        cache = Table(proxy.url, ranged.name, ranged.options).cache(**ONCE)
        cache["k"] = "v"
        proxy.next(DOWN, operation="GetItem")
        assert "k" not in cache

        act(cache)

    assert ranged.keys() == []


@pytest.mark.parametrize("range_key", ["", "part"])
def test_a_table_that_does_not_exist_yet_is_empty(
    dynamodb_local: str, table_name: str, range_key: str
) -> None:
    """On a table that is still to be created there is nothing, and nothing fails."""
    options = {"range_key": range_key} if range_key else {}
    acts: tuple[Any, ...] = (
        (lambda cache: cache.clear(), None),
        (lambda cache: "k" in cache, False),
        (lambda cache: cache.namespace.keys(), []),
        (lambda cache: cache.remove_value("k"), None),
        (lambda cache: cache.get("k", createfunc=Maker("v")), "v"),
    )
    for number, (act, expected) in enumerate(acts):
        table = Table(dynamodb_local, f"{table_name}-{number}", options)
        try:
            assert act(table.cache()) == expected
        finally:
            client = table.raw
            if table.name in client.list_tables()["TableNames"]:
                client.delete_table(TableName=table.name)


def test_keys_are_what_beaker_was_given(table: Table) -> None:
    """`keys()` lists the live keys as text, those that are hashed in the table among them."""
    keys: list[Any] = [
        "plain",
        b"bytes",
        "gr\u00f6\u00dfe",
        "x" * 600,
        "~tilde",
        "#lock:k",
        "",
        5,
        (1, "a"),
    ]
    manager = table.manager()
    for key in keys:
        manager[key] = "v"
    manager.set_value("large", "x" * 900_000)

    shown = {"bytes" if key == b"bytes" else str(key) for key in keys}
    assert set(manager.keys()) == {*shown, "large"}
    assert len(manager.keys()) == len(keys) + 1


def test_a_removed_value_in_pieces_leaves_no_row(table: Table) -> None:
    """`remove_value` and `del` delete the chunks, too."""
    cache = table.cache(compress=False)
    cache["k"], cache["j"] = "x" * 900_000, "y" * 900_000

    cache.remove_value("k")
    del cache.namespace["j"]

    assert table.rows() == []
    assert cache.get("k", createfunc=Maker("v")) == cache.get("k", createfunc=fail_if_called) == "v"
