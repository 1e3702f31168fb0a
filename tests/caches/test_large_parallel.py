"""The chunks of one value are written and read some at once, its manifest last and first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb import Unavailable
from beaker_dynamodb.item.chunks import MAX_ROW_DATA
from beaker_dynamodb.runtime import MAX_PARALLEL
from tests.caches import subprocesses
from tests.caches.tables import (
    RAW,
    Table,
    is_first_chunk,
    is_manifest,
    run_in_thread,
)
from tests.caches.test_large import a_value
from tests.caches.test_large_faults import behind
from tests.faults.fault_kinds import Hold, LoseReply, aws_error
from tests.instruments import Recorder
from tests.proxy import FaultProxy

CHUNKS = 6
VALUE, OTHER = (a_value(CHUNKS * MAX_ROW_DATA - 100, seed) for seed in (1, 2))
WIDE: dict[str, Any] = {"serializer": RAW, "compress": False}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    """Compare the threads of the package before and after each test."""
    yield
    assert [thread for thread in threading.enumerate() if "(run)" in thread.name] == []


def is_chunk(body: dict[str, Any]) -> bool:
    """Return whether a request is about a chunk."""
    return not is_manifest(body)


def count(proxy: FaultProxy, operation: str, where: Callable[[Any], bool] = is_chunk) -> int:
    """Count the requests that came in."""
    return sum(one.operation == operation and where(one.body) for one in proxy.seen)


def test_the_manifest_is_written_after_all_chunks(table: Table) -> None:
    """While one chunk is under way the others are stored, and the manifest is not sent."""
    gate = threading.Event()
    with FaultProxy(table.url) as proxy:
        manager = behind(proxy, table)
        manager["other"] = b"small"
        proxy.next(Hold(gate), operation="PutItem", where=is_first_chunk)
        with run_in_thread(lambda: manager.set_value("k", VALUE)):
            proxy.wait_until(lambda: sum(one.forwarded for one in proxy.seen) > CHUNKS)
            stored = table.chunks
            sent = [one for one in proxy.seen if "'k" in str(one.body) and is_manifest(one.body)]
            gate.set()

        assert len(stored) == CHUNKS - 1
        assert not any(one.operation == "PutItem" for one in sent)
        assert manager["k"] == VALUE


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
def test_some_chunks_are_under_way_at_once(plain: Table, operation: str) -> None:
    """Four are, although none is answered."""
    gate = threading.Event()
    plain.manager(**WIDE)["k"] = VALUE
    with FaultProxy(plain.url) as proxy:
        manager = behind(proxy, plain)
        assert "other" not in manager  # its first call is made alone
        proxy.next(Hold(gate), operation=operation, where=is_chunk, times=None)
        acts: dict[str, Callable[[], object]] = {
            "GetItem": lambda: manager["k"],
            "PutItem": lambda: manager.set_value("k", OTHER),
        }
        with run_in_thread(acts[operation]):
            proxy.wait_until(lambda: count(proxy, operation) == MAX_PARALLEL)
            gate.set()

        assert count(proxy, operation) == CHUNKS


def test_chunks_are_read_consistently_after_their_manifest(table: Table, calls: Recorder) -> None:
    """A chunk that was just written is never missing, whatever option `consistent_read` says."""
    manager = table.manager(serializer=RAW, consistent_read=False)
    manager["k"] = VALUE
    calls.clear()

    assert manager["k"] == VALUE

    assert calls.names == ["GetItem"] * (1 + CHUNKS)
    assert is_manifest(dict(calls[0].request))
    assert [one.request["ConsistentRead"] for one in calls] == [False, *[True] * CHUNKS]


def test_the_chunks_cost_no_more_than_one_batch(table: Table, calls: Recorder) -> None:
    """Each is one read; a batch of the same rows consumes as many units."""
    manager = table.manager(serializer=RAW)
    manager["k"] = VALUE
    calls.clear()
    assert manager["k"] == VALUE
    units = sum(one.units or 0 for one in calls[1:])
    names = [name for name in ("id", table.options.get("range_key")) if name]
    chunks = [row for row in table.rows() if "#chunk:" in str([row[name] for name in names])]
    keys = [{name: row[name] for name in names} for row in chunks]
    batch = table.raw.batch_get_item(
        RequestItems={table.name: {"Keys": keys, "ConsistentRead": True}},
        ReturnConsumedCapacity="TOTAL",
    )

    assert units == batch["ConsumedCapacity"][0]["CapacityUnits"]


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
def test_an_error_of_one_chunk_is_that_of_the_session(plain: Table, operation: str) -> None:
    """It is raised as it is; what was stored is unchanged, and is read afterwards."""
    old, new = ("!" + value.hex()[:900_000] for value in (VALUE, OTHER))
    plain.session(compress="false")["session"] = old
    error = aws_error("InternalServerError", status=500)
    with FaultProxy(plain.url) as proxy:
        there = Table(proxy.url, plain.name, {"max_attempts": 1, "compress": "false"})
        session = there.session()
        assert session["session"] == old
        proxy.next(error, operation=operation, where=is_first_chunk)
        acts: dict[str, Callable[[], object]] = {
            "GetItem": lambda: there.session()["session"],
            "PutItem": lambda: session.set_value("session", new),
        }

        with pytest.raises(Unavailable) as caught:
            acts[operation]()

        assert caught.value.__context__ is None
        assert count(proxy, "PutItem", is_manifest) == 0
    assert plain.session()["session"] == old


def test_a_lost_reply_of_a_chunk_loses_nothing(table: Table) -> None:
    """The SDK sends the chunk again, over itself."""
    with FaultProxy(table.url) as proxy:
        proxy.next(LoseReply(), operation="PutItem", where=is_chunk, times=2)
        behind(proxy, table)["k"] = VALUE

    assert table.manager(serializer=RAW)["k"] == VALUE
    assert len(table.rows()) == 1 + CHUNKS


def test_a_first_value_in_chunks_creates_the_table_once(
    dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """The first chunk of a process is written alone: four would each create client and table."""
    session = Table(dynamodb_local, table_name).session(compress="false")

    session["session"] = "!" * 1_500_000

    assert calls.names.count("CreateTable") == 1
    assert [one.error for one in calls if one.operation == "PutItem" and one.error] == [
        "ResourceNotFoundException"
    ]


def test_a_child_forked_while_a_value_is_written_reads_and_writes(plain: Table) -> None:
    """The child has none of the threads that write, and none of their connections."""
    plain.manager(**WIDE)["mine"] = b"m" * 1_000_000
    gate = threading.Event()
    with FaultProxy(plain.url) as proxy:
        proxy.next(Hold(gate), operation="PutItem", where=lambda body: "other" in str(body))
        there = Table(proxy.url, plain.name, plain.options)
        with subprocesses.worker("fork_while_writing", there, size=1_000_000) as worker:
            proxy.wait_until(lambda: count(proxy, "PutItem"), within=30)
            worker.begin()
            assert worker.hear() == {"child": True, "threads": 1}
            gate.set()
            assert worker.hear() == {"parent": True}


def test_greenlets_take_the_place_of_threads(plain: Table) -> None:
    """Under gevent's patching all calls are made in one thread of the system, four at once.

    gevent patches after Beaker and the package were imported.
    """
    said = subprocesses.run("chunks_in_greenlets", plain, size=CHUNKS * MAX_ROW_DATA - 100)

    assert said == {"same": True, "threads": 1, "greenlets": True, "left": 0}
