"""Values in chunks under faults and concurrent writes: always the old value or the new one."""

from __future__ import annotations

import base64
import os
import signal
import threading
from typing import Any

import pytest

from beaker_dynamodb import CorruptItem, ItemTooLarge, UnknownFormat
from tests.caches import subprocesses
from tests.caches.tables import RAW, DoFirst, Table, is_first_chunk, is_manifest, use_clock
from tests.caches.test_large import a_value
from tests.faults.fault_kinds import Hold, LoseReply, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy

DAY = 86400
SIZE = 420_000
OLD, NEW, OTHER = (a_value(SIZE, seed) for seed in (1, 2, 3))


def behind(proxy: FaultProxy, table: Table, **options: Any) -> Any:
    """Return a manager that uses the proxy."""
    there = Table(proxy.url, table.name, table.options)
    return there.manager(serializer=RAW, **options)


def direct(table: Table, **options: Any) -> Any:
    """Make a manager of another server, past the proxy."""
    return table.on_another_server().manager(serializer=RAW, **options)


def test_a_writer_killed_before_the_manifest_leaves_the_old_value(table: Table) -> None:
    """After `kill -9` between chunks and manifest, the old value is served.

    The orphaned chunks expire a day after the manifest would have.
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
        manifest = next(e.body["Item"] for e in puts(proxy) if is_manifest(e.body))

    orphans = set(table.keys()) - before
    assert cache["k"] == "o" * SIZE
    assert len(orphans) == 2
    name = table.options.get("range_key", "id")
    expiries = {row["expires"]["N"] for row in table.rows() if row[name]["S"] in orphans}
    assert expiries == {str(int(manifest["expires"]["N"]) + DAY)}


def puts(proxy: FaultProxy) -> list[Any]:
    """List the writes that came in."""
    return [exchange for exchange in proxy.seen if exchange.operation == "PutItem"]


def test_a_reader_overtaken_by_a_writer_gets_the_new_value(table: Table) -> None:
    """The value is replaced between the reads of manifest and chunks: the new one is returned."""
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        overtake = DoFirst(lambda: put(table, NEW))
        proxy.next(overtake, operation="GetItem", where=is_first_chunk)

        assert behind(proxy, table)["k"] == NEW
        assert set(proxy.operations) == {"GetItem"}
        # The manifest and two chunks, twice; once a chunk is missing, no other one is asked for.
        assert len(proxy.operations) in {5, 6}


def put(table: Table, value: bytes) -> None:
    """Write as another server."""
    direct(table)["k"] = value


def test_a_reader_overtaken_each_time_has_a_miss(plain: Table) -> None:
    """A cache that is rewritten faster than it can be read serves the page all the same."""
    values = [OLD, NEW, OTHER, a_value(SIZE, 4), a_value(SIZE, 5)]
    put(plain, values.pop())
    with FaultProxy(plain.url) as proxy:
        step = DoFirst(lambda: put(plain, values.pop()))
        proxy.next(step, operation="GetItem", where=is_first_chunk, times=3)

        assert "k" not in behind(proxy, plain)


def test_a_missing_chunk_is_a_miss_of_a_cache(table: Table) -> None:
    """If the manifest has not changed, the chunk never comes back: the value is created again."""
    manager = table.manager(serializer=RAW)
    manager["k"] = OLD
    table.drop(min(table.chunks))

    assert "k" not in manager
    manager["k"] = NEW
    assert manager["k"] == NEW


def test_a_missing_chunk_is_a_corrupt_session(table: Table) -> None:
    """It raises CorruptItem. "No such session" would make Beaker begin a new one."""
    table.session(compress="false")["session"] = "!" * SIZE
    table.drop(min(table.chunks))

    with pytest.raises(CorruptItem):
        table.session()["session"]


def test_pieces_of_another_value_are_not_joined(table: Table) -> None:
    """An altered chunk does not match the manifest's digest, so it is never served."""
    manager = table.manager(serializer=RAW, compress=False)
    manager["k"] = OLD
    name = table.options.get("range_key", "id")
    row = next(row for row in table.rows() if "#chunk:" in row[name]["S"])
    table.change(row, data={"B": row["data"]["B"][:-1] + b"?"})

    assert "k" not in manager


def test_a_lost_reply_of_the_heads_put_keeps_its_pieces(table: Table) -> None:
    """The retry is refused by our own manifest, whose chunks are not deleted."""
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        proxy.next(LoseReply(), operation="PutItem", where=is_manifest)
        behind(proxy, table)["k"] = NEW

    assert direct(table)["k"] == NEW
    assert len(table.rows()) == 3


def test_a_value_is_removed_though_its_chunks_cannot_be(table: Table) -> None:
    """Without a manifest the chunks are not read, and they expire."""
    with FaultProxy(table.url) as proxy:
        cache = behind(proxy, table, max_attempts=1)
        cache["k"] = OLD
        proxy.next(aws_error("InternalServerError", status=500), operation="BatchWriteItem")

        del cache["k"]

        assert "k" not in cache
    assert table.rows()
    assert all("expires" in row for row in table.rows())


@pytest.mark.parametrize("value", [OTHER, b"small"], ids=["large", "small"])
def test_a_manifest_is_not_put_over_chunks_that_were_deleted(table: Table, value: bytes) -> None:
    """The reply is lost, and another server replaces the value: one whole value is stored.

    It may be either of the two.
    """
    direct(table)["k"] = OLD
    with FaultProxy(table.url) as proxy:
        fault = LoseReply(then=lambda: put(table, value))
        proxy.next(fault, operation="PutItem", where=is_manifest)
        behind(proxy, table)["k"] = NEW

    assert "k" in direct(table)
    assert direct(table)["k"] in {NEW, value}


def test_an_expired_manifest_without_its_chunks_is_a_miss(
    table: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB may delete them on different days; an expired value is not corrupt."""
    use_clock(monkeypatch, clock)
    table.manager(serializer=RAW).set_value("k", OLD, expiretime=10)
    table.session(timeout=100, compress="false")["session"] = "!" * SIZE
    for key in table.chunks:
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

    assert len(table.chunks) == 6
    assert not any(b"4711" in row["data"]["B"] for row in table.rows())
    assert table.manager(serializer=RAW, **options)["k"] == secret
    assert table.session(**options)["session"] == secret.decode()
    assert "k" not in table.manager(serializer=RAW)
    with pytest.raises(UnknownFormat):
        table.session()["session"]


def test_a_value_refused_for_its_size_leaves_no_chunk(plain: Table) -> None:
    """A value over the limit is refused before its first chunk is written."""
    with FaultProxy(plain.url) as proxy:
        manager = behind(proxy, plain, max_value_size="300KB")
        with pytest.raises(ItemTooLarge):
            manager["k"] = OLD

        assert proxy.operations == []
