"""The creation lock when something goes wrong: lost replies, rivals, late holders, an outage."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb.caches import creation_lock
from tests.caches.servers import CLOCK_TOLERANCE, LIFETIME, LONG, Servers
from tests.caches.tables import DoFirst, Maker, is_lock, run_in_thread
from tests.faults.fault_kinds import LoseReply, LoseRequest, aws_error
from tests.instruments import Clock, Recorder, nothing
from tests.proxy import FaultProxy


def test_only_one_waiter_takes_a_dead_holders_lock(servers: Servers) -> None:
    """The put is conditional on the dead owner, so two waiters never both succeed."""
    ahead, ours = Clock(1_800_003_600.0), Clock(1_800_000_000.0)
    assert servers.server(1, ahead).get_creation_lock("k").acquire()
    rival = servers.server(3, ahead).get_creation_lock("k")

    def be_faster() -> None:
        ahead.advance(LIFETIME + CLOCK_TOLERANCE + 1)
        assert rival.acquire(wait=False)

    with FaultProxy(servers.table.url) as proxy:
        waiter = servers.server(2, ours, endpoint_url=proxy.url)
        assert not waiter.get_creation_lock("k").acquire(wait=False)
        ours.advance(LIFETIME + CLOCK_TOLERANCE + 1)
        proxy.next(DoFirst(nothing), operation="PutItem")
        proxy.next(DoFirst(be_faster), operation="PutItem")

        assert not waiter.get_creation_lock("k").acquire(wait=False)

        assert proxy.operations == ["PutItem"] * 3

    assert servers.owner == rival._owner


def test_a_lock_that_is_released_while_it_is_taken_over_is_acquired(servers: Servers) -> None:
    """A refusal without a row means that the lock is free, so the put is tried again."""
    ahead, ours = Clock(1_800_003_600.0), Clock(1_800_000_000.0)
    holder = servers.server(1, ahead).get_creation_lock("k")
    assert holder.acquire()

    with FaultProxy(servers.table.url) as proxy:
        lock = servers.server(2, ours, endpoint_url=proxy.url).get_creation_lock("k")
        assert not lock.acquire(wait=False)
        ours.advance(LIFETIME + CLOCK_TOLERANCE + 1)
        proxy.next(DoFirst(nothing), operation="PutItem")
        proxy.next(DoFirst(holder.release), operation="PutItem")

        assert lock.acquire(wait=False)

    assert servers.owner == lock._owner is not None


def test_a_lost_reply_does_not_lock_out_its_own_sender(servers: Servers, clock: Clock) -> None:
    """The lock was taken, the reply was lost, the retry is refused by our own row: it is ours."""
    with FaultProxy(servers.table.url) as proxy:
        lock = servers.server(1, clock, endpoint_url=proxy.url).get_creation_lock("k")
        proxy.next(LoseReply(), operation="PutItem")

        assert lock.acquire(wait=False)
        assert proxy.operations == ["PutItem", "PutItem"]
        lock.release()

    assert servers.owner is None


def test_a_lost_reply_to_a_takeover_does_not_lock_out_its_own_sender(servers: Servers) -> None:
    """The dead holder's row was replaced, the reply was lost, the retry is refused by our row."""
    ahead, ours = Clock(1_800_003_600.0), Clock(1_800_000_000.0)
    assert servers.server(1, ahead).get_creation_lock("k").acquire()

    with FaultProxy(servers.table.url) as proxy:
        lock = servers.server(2, ours, endpoint_url=proxy.url).get_creation_lock("k")
        assert not lock.acquire(wait=False)
        ours.advance(LIFETIME + CLOCK_TOLERANCE + 1)
        proxy.next(DoFirst(nothing), operation="PutItem")
        proxy.next(LoseReply(), operation="PutItem")

        assert lock.acquire(wait=False)

    assert servers.owner == lock._owner is not None


def test_a_late_release_leaves_the_next_owner_alone(servers: Servers, clock: Clock) -> None:
    """An owner that lost the lock after its lifetime releases nothing."""
    late, next_one = (servers.server(n, clock).get_creation_lock("k") for n in (1, 2))
    assert late.acquire()
    clock.advance(LIFETIME + CLOCK_TOLERANCE)
    assert next_one.acquire()

    late.release()
    late.release()

    assert servers.owner == next_one._owner


@pytest.mark.parametrize("fault", [aws_error("InternalServerError", status=500), LoseRequest()])
def test_a_lock_whose_release_fails_expires(
    servers: Servers, clock: Clock, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The page does not fail; the row expires, and the log says why."""
    caplog.set_level("INFO", creation_lock.log.name)
    with FaultProxy(servers.table.url) as proxy:
        lock = servers.server(1, clock, endpoint_url=proxy.url, max_attempts=1).get_creation_lock(
            "k"
        )
        assert lock.acquire()
        proxy.next(fault, operation="DeleteItem", times=None)

        lock.release()

    assert servers.owner is not None
    assert creation_lock.local_locks == {}
    (line,) = (one.getMessage() for one in caplog.records if one.name == creation_lock.log.name)
    assert line.startswith("a creation lock could not be released, and will expire: DynamoDB ")


def test_a_thread_that_holds_the_lock_gets_it_again(
    servers: Servers, clock: Clock, calls: Recorder
) -> None:
    """Nested acquisitions of one thread cost nothing, and the outermost release frees the row."""
    server = servers.server(1, clock)
    outer, inner = server.get_creation_lock("k"), server.get_creation_lock(b"k")

    told = [outer.acquire(), inner.acquire(), server.get_creation_lock("other").acquire()]
    inner.release()
    held = servers.owner is not None
    outer.release()

    assert (told, held) == ([True] * 3, True)
    names = [name for name in calls.names if name != "Scan"]
    assert names == ["PutItem", "PutItem", "DeleteItem"]


def test_a_store_that_is_down_locks_nobody_out(
    servers: Servers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """With the store down a page makes its value without the lock, and the next one too."""
    with FaultProxy(servers.table.url) as proxy:
        proxy.next(aws_error("InternalServerError", status=500), where=is_lock, times=None)
        server = servers.server(1, clock, endpoint_url=proxy.url, max_attempts=1)
        lock = server.get_creation_lock("k")

        assert lock.acquire()
        assert creation_lock.is_held_here(lock._table, lock._name[2])
        lock.release()
        assert lock.acquire(wait=False)
        lock.release()

    assert (servers.owner, creation_lock.local_locks) == (None, {})
    told = {one.getMessage() for one in caplog.records if one.name == creation_lock.log.name}
    assert told == {"a cache value is created without the lock: Unavailable"}


def test_an_error_while_locking_leaves_no_lock_behind(servers: Servers, clock: Clock) -> None:
    """Refused rights are raised, and the next thread is not locked out by the one that failed."""
    with FaultProxy(servers.table.url) as proxy:
        proxy.next(aws_error("AccessDeniedException"), operation="PutItem", times=None)
        lock = servers.server(1, clock, endpoint_url=proxy.url).get_creation_lock("k")

        with pytest.raises(Exception, match="refuses the action"):
            lock.acquire()
        proxy.clear()
        with run_in_thread(lambda: lock.acquire(wait=False)) as said:
            pass

    assert said == [True]


def test_a_lock_of_this_process_costs_no_call(
    servers: Servers, clock: Clock, calls: Recorder
) -> None:
    """`lock = process`: one thread makes, the others wait, and DynamoDB hears nothing of it."""
    server = servers.server(1, clock, lock="process")
    lock = server.get_creation_lock("k")

    assert lock.acquire()
    with run_in_thread(lambda: server.get_creation_lock("k").acquire(wait=False)) as said:
        pass
    lock.release()

    assert (said, list(calls)) == ([False], [])


def test_a_released_lock_takes_no_memory(servers: Servers, clock: Clock) -> None:
    """Locks that were released or given up leave nothing in the process."""
    ours, theirs = servers.server(1, clock, lock_wait=1), servers.server(2, clock, lock_lease=LONG)
    for number in range(5):
        lock = ours.get_creation_lock(number)
        lock.acquire()
        lock.release()
    held = theirs.get_creation_lock("k")
    assert held.acquire()
    for wait in (False, True):
        assert not ours.get_creation_lock("k").acquire(wait=wait)
    held.release()
    last = ours.get_creation_lock("k")
    assert last.acquire()
    last.release()

    assert (creation_lock.local_locks, creation_lock._first_seen) == ({}, {})


def test_a_nested_get_of_the_same_key_does_not_hang(servers: Servers, clock: Clock) -> None:
    """A maker that asks for the key that it makes is answered by its own maker."""
    cache = servers.table.cache()

    assert cache.get("k", createfunc=lambda: cache.get("k", createfunc=Maker("v"))) == "v"
    assert servers.table.keys() == ["cache:ns:k"]
