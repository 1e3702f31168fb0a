"""Values in pieces, when somebody or something comes in between: the old value, or the new one."""

from __future__ import annotations

import base64
import os
import signal
import threading
from typing import Any

import pytest

from beaker_dynamodb import CorruptItem, ItemTooLarge, UnknownFormat
from tests.caches import subprocesses
from tests.caches.tables import RAW, DoFirst, Table, is_manifest, use_clock
from tests.caches.test_large import a_value
from tests.faults.fault_kinds import Hold, LoseReply, Rewrite, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy

DAY = 86400
SIZE = 420_000
OLD, NEW, OTHER = (a_value(SIZE, seed) for seed in (1, 2, 3))


def behind(proxy: FaultProxy, table: Table, **options: Any) -> Any:
    """Make a manager that goes through the proxy."""
    there = Table(proxy.url, table.name, table.options)
    return there.manager(serializer=RAW, **options)


def direct(table: Table, **options: Any) -> Any:
    """Make a manager of another server, past the proxy."""
    return table.on_another_server().manager(serializer=RAW, **options)


def test_a_writer_killed_before_the_head_leaves_the_old_value(table: Table) -> None:
    """`kill -9` between the pieces and the head: the old value stands, the orphans expire.

    They expire a day after the head would have.
    """
    cache = table.cache(compress="false")
    cache.put("k", "o" * SIZE, expiretime=1000)
    before = set(table.keys())
    with FaultProxy(table.url) as proxy:
        proxy.next(Hold(threading.Event()), operation="PutItem", where=is_manifest)
        there = Table(proxy.url, table.name, table.options).with_options(compress="false")
        with subprocesses.worker("write", there, letter="n", size=SIZE, times=1) as writer:
            proxy.wait_until(lambda: any(is_manifest(e.body) for e in puts(proxy)), within=30)
            os.kill(writer.process.pid, signal.SIGKILL)
            writer.process.wait(10)
        head = next(e.body["Item"] for e in puts(proxy) if is_manifest(e.body))

    orphans = set(table.keys()) - before
    assert cache["k"] == "o" * SIZE
    assert len(orphans) == 2
    name = table.options.get("range_key", "id")
    expiries = {row["expires"]["N"] for row in table.rows() if row[name]["S"] in orphans}
    assert expiries == {str(int(head["expires"]["N"]) + DAY)}


def puts(proxy: FaultProxy) -> list[Any]:
    """List the writes that came in."""
    return [exchange for exchange in proxy.seen if exchange.operation == "PutItem"]


def test_a_reader_overtaken_by_a_writer_gets_the_new_value(table: Table) -> None:
    """Between head and pieces the value is overwritten: the reader finds the new one, whole."""
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        proxy.next(DoFirst(lambda: put(table, NEW)), operation="BatchGetItem")

        assert behind(proxy, table)["k"] == NEW
        assert proxy.operations == ["GetItem", "BatchGetItem"] * 2


def put(table: Table, value: bytes) -> None:
    """Write as another server."""
    direct(table)["k"] = value


def test_a_reader_overtaken_each_time_has_a_miss(plain: Table) -> None:
    """A cache that is rewritten faster than it can be read serves the page all the same."""
    values = [OLD, NEW, OTHER, a_value(SIZE, 4), a_value(SIZE, 5)]
    put(plain, values.pop())
    with FaultProxy(plain.url) as proxy:
        step = DoFirst(lambda: put(plain, values.pop()))
        proxy.next(step, operation="BatchGetItem", times=3)

        assert "k" not in behind(proxy, plain)


def test_a_piece_that_is_missing_is_a_miss_of_a_cache(table: Table) -> None:
    """Under a head that did not move a missing piece never comes back: the value is made anew."""
    manager = table.manager(serializer=RAW)
    manager["k"] = OLD
    table.drop(min(table.pieces))

    assert "k" not in manager
    manager["k"] = NEW
    assert manager["k"] == NEW


def test_a_piece_that_is_missing_is_a_corrupt_session(table: Table) -> None:
    """A session that lost a piece says so: it is no "no such session", which would be new."""
    table.session(compress="false")["session"] = "!" * SIZE
    table.drop(min(table.pieces))

    with pytest.raises(CorruptItem):
        table.session()["session"]


def test_pieces_of_another_value_are_not_joined(table: Table) -> None:
    """A piece that was altered is found out by the head: no mixture is ever served."""
    manager = table.manager(serializer=RAW, compress=False)
    manager["k"] = OLD
    name = table.options.get("range_key", "id")
    row = next(row for row in table.rows() if "#piece:" in row[name]["S"])
    table.change(row, data={"B": row["data"]["B"][:-1] + b"?"})

    assert "k" not in manager


def test_a_lost_reply_of_the_heads_put_keeps_its_pieces(table: Table) -> None:
    """The retry meets our own head as the old one: its pieces are not deleted."""
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        proxy.next(LoseReply(), operation="PutItem", where=is_manifest)
        behind(proxy, table)["k"] = NEW

    assert direct(table)["k"] == NEW
    assert len(table.rows()) == 3


def test_a_value_is_removed_though_its_pieces_cannot_be(table: Table) -> None:
    """Without its head nobody finds them, and they expire by themselves."""
    with FaultProxy(table.url) as proxy:
        cache = behind(proxy, table, max_attempts=1)
        cache["k"] = OLD
        proxy.next(aws_error("InternalServerError", status=500), operation="BatchWriteItem")

        del cache["k"]

        assert "k" not in cache
    assert table.rows()
    assert all("expires" in row for row in table.rows())


@pytest.mark.parametrize("value", [OTHER, b"small"], ids=["large", "small"])
def test_a_head_is_not_put_over_pieces_that_are_gone(table: Table, value: bytes) -> None:
    """The reply is lost and another server overwrites the value, pieces and all: one value stands.

    Which of the two is the last word is open; that it is whole is not.
    """
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        fault = LoseReply(then=lambda: put(table, value))
        proxy.next(fault, operation="PutItem", where=is_manifest)
        behind(proxy, table)["k"] = NEW

    assert "k" in direct(table)
    assert direct(table)["k"] in {NEW, value}


def test_an_expired_head_whose_pieces_are_gone_is_absent(
    table: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB deletes head and pieces on different days: what has expired is not corrupt."""
    use_clock(monkeypatch, clock)
    table.manager(serializer=RAW).set_value("k", OLD, expiretime=10)
    table.session(timeout=100, compress="false")["session"] = "!" * SIZE
    for key in table.pieces:
        table.drop(key)

    clock.advance(101)

    assert "k" not in table.manager(serializer=RAW)
    assert "session" not in table.session()


def test_encryption_covers_pieces(table: Table) -> None:
    """No row of an encrypted value shows any of it; without the key it does not open."""
    key = base64.b64encode(bytes(range(32))).decode()
    secret = b"credit card 4711 " * 60_000
    options: dict[str, Any] = {"encryption_keys": key, "compress": False}

    table.manager(serializer=RAW, **options)["k"] = secret
    table.session(**options)["session"] = secret.decode()

    assert len(table.pieces) == 6
    assert not any(b"4711" in row["data"]["B"] for row in table.rows())
    assert table.manager(serializer=RAW, **options)["k"] == secret
    assert table.session(**options)["session"] == secret.decode()
    assert "k" not in table.manager(serializer=RAW)
    with pytest.raises(UnknownFormat):
        table.session()["session"]


def a_megabyte_a_partition(reply: dict[str, Any]) -> dict[str, Any]:
    """Answer as AWS does where a batch asks one partition for more than a megabyte: the first two.

    AWS: API_BatchGetItem, "more than 1 MB per partition is requested".
    """
    ((table, items),) = reply["Responses"].items()
    named = {k for k in items[0] if k in {"id", "part"}} if items else set()
    rest = [{name: item[name] for name in named} for item in items[2:]]
    left = {table: {"Keys": rest, "ConsistentRead": True}} if rest else {}
    return {**reply, "Responses": {table: items[:2]}, "UnprocessedKeys": left}


@pytest.mark.parametrize("pieces", [5, 16])
def test_a_value_of_one_partition_is_read_whole(
    ranged: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """AWS gives two pieces of a partition at a time: however many there are, all are fetched.

    As long as each reply brings some, nothing is "left undone".
    """
    use_clock(monkeypatch, clock)
    value = a_value(pieces * 399_360 - 8)
    put(ranged, value)
    with FaultProxy(ranged.url) as proxy:
        proxy.next(Rewrite(a_megabyte_a_partition), operation="BatchGetItem", times=None)

        assert behind(proxy, ranged)["k"] == value


def test_a_value_refused_for_its_size_leaves_no_piece(plain: Table) -> None:
    """A value over the ceiling is refused before its first piece is written."""
    with FaultProxy(plain.url) as proxy:
        manager = behind(proxy, plain, max_value_size="300KB")
        with pytest.raises(ItemTooLarge):
            manager["k"] = OLD

        assert proxy.operations == []
