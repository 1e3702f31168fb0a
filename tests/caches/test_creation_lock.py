"""The creation lock by itself, with a clock that the tests set, so that no test waits."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest

from beaker_dynamodb.caches import creation_lock
from beaker_dynamodb.dynamodb.table import Condition, RefusedWrite, Table
from beaker_dynamodb.item.record import Record
from tests.caches.servers import CLOCK_TOLERANCE, LIFETIME, LONG, MAX_WAIT, Servers
from tests.caches.tables import TIMEOUT, run_in_thread
from tests.instruments import Clock, Recorder


def test_a_free_lock_is_acquired_and_released(servers: Servers, clock: Clock) -> None:
    """The row of a lock holds its owner and its expiry, and is deleted by the release."""
    lock = servers.server(1, clock).get_creation_lock("k")

    assert lock.acquire()
    (row,) = servers.table.rows()
    lock.release()

    assert (row["id"]["S"], row["expires"]["N"]) == (
        "cache:ns#lock:k",
        str(int(clock()) + LIFETIME),
    )
    assert row["data"]["B"] == b""
    assert servers.owner is None


def test_who_does_not_wait_is_told_at_once(servers: Servers, clock: Clock) -> None:
    """`wait=False` on a lock that another server holds is False, without any wait."""
    before = clock.monotonic()
    assert servers.server(1, clock).get_creation_lock("k").acquire()

    assert not servers.server(2, clock).get_creation_lock(b"k").acquire(wait=False)
    assert clock.monotonic() == before


@pytest.mark.parametrize("wait", [True, False])
def test_a_lock_that_others_take_and_release_in_turn_is_not_tried_for_ever(
    servers: Servers, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, wait: bool
) -> None:
    """Each put finds the lock held, and its holder gone by then, until `lock_wait` has passed."""
    lock = servers.server(1, clock).get_creation_lock("k")
    puts: list[float] = []

    def refuse(_table: Table, _row: Record, _condition: Condition) -> RefusedWrite:
        puts.append(clock.monotonic())
        clock.advance(1)
        return RefusedWrite(None)

    monkeypatch.setattr(Table, "put", refuse)

    assert not lock.acquire(wait=wait)
    assert len(puts) == MAX_WAIT


def test_an_expired_lock_is_free_after_the_tolerance(servers: Servers, clock: Clock) -> None:
    """A dead holder's lock can be acquired `CLOCK_TOLERANCE` after it has expired.

    Also without waiting; otherwise a stale value would never be refreshed again.
    """
    first, second = (servers.server(n, clock).get_creation_lock("k") for n in (1, 2))
    assert first.acquire()

    clock.advance(LIFETIME + CLOCK_TOLERANCE - 1)
    early = second.acquire(wait=False)
    clock.advance(1)

    assert (early, second.acquire(wait=False)) == (False, True)


def test_a_waiter_takes_a_lock_that_expires_meanwhile(servers: Servers, clock: Clock) -> None:
    """A waiter that starts late waits for the rest of the lifetime only."""
    assert servers.server(1, clock).get_creation_lock("k").acquire()
    clock.advance(LIFETIME - 1)
    before = clock.monotonic()

    assert servers.server(2, clock).get_creation_lock("k").acquire()
    assert clock.monotonic() - before < CLOCK_TOLERANCE + 3


def test_only_the_thread_that_holds_a_lock_reads_its_entry_consistently(
    servers: Servers, clock: Clock, calls: Recorder
) -> None:
    """Other entries, and other threads, need not pay for it."""
    server = servers.server(1, clock, lock="process")
    assert server.get_creation_lock("k").acquire()
    calls.clear()

    assert ("k" in server, "other" in server) == (False, False)
    with run_in_thread(lambda: "k" in server) as said:
        pass

    assert said == [False]
    assert [call.request["ConsistentRead"] for call in calls] == [True, False, False]


def test_who_waits_gets_the_lock_when_it_is_given_back(servers: Servers, clock: Clock) -> None:
    """A waiter polls by reads, and takes the lock as soon as its holder lets go."""
    holder = servers.server(1, clock).get_creation_lock("k")
    waiter = servers.server(2, clock, during_sleep=holder.release).get_creation_lock("k")
    assert holder.acquire()

    assert waiter.acquire()
    assert servers.owner == waiter._owner


@pytest.mark.parametrize("gone", [0, LIFETIME], ids=["early", "within the tolerance"])
def test_a_waiter_polls_by_reads_with_growing_pauses(
    servers: Servers, clock: Clock, calls: Recorder, gone: int
) -> None:
    """Waiting costs reads, not refused writes; the pauses grow from 50 to 500 ms, jittered."""
    pauses: list[float] = []
    last = [clock.monotonic()]

    def note() -> None:
        pauses.append(clock.monotonic() - last[0])
        last[0] = clock.monotonic()

    assert servers.server(1, clock).get_creation_lock("k").acquire()
    clock.advance(gone)
    last[0] = clock.monotonic()
    waiter = servers.server(2, clock, note, lock_wait=1.5).get_creation_lock("k")
    calls.clear()

    assert not waiter.acquire()
    assert [round(pause, 4) for pause in pauses[:6]] == [0.0375, 0.075, 0.15, 0.3, 0.375, 0.375]
    assert calls.names == ["PutItem", *["GetItem"] * len(pauses)]
    assert {call.request["ConsistentRead"] for call in calls[1:]} == {True}


@pytest.mark.parametrize("wait", [True, False], ids=["waiting", "not waiting"])
def test_a_holder_whose_clock_is_an_hour_ahead_is_outlived(servers: Servers, *, wait: bool) -> None:
    """If wall clocks differ, a lock expires when our own clock has counted a lifetime."""
    ahead, ours = Clock(1_800_003_600.0), Clock(1_800_000_000.0)
    assert servers.server(1, ahead).get_creation_lock("k").acquire()
    begun = ours.monotonic()

    def ask() -> bool:
        lock = servers.server(2, ours, lock_wait=LONG).get_creation_lock("k")
        return bool(lock.acquire(wait=wait))

    if not wait:
        early = [ask()]
        ours.advance(LIFETIME)
        early.append(ask())
        assert early == [False, False]
        ours.advance(CLOCK_TOLERANCE + 1)

    assert ask()
    assert LIFETIME < ours.monotonic() - begun < LIFETIME + CLOCK_TOLERANCE + 2


def test_a_holder_that_takes_the_lock_anew_is_not_robbed(servers: Servers) -> None:
    """Another owner begins another lifetime: only one and the same owner is outlived."""
    ahead, ours = Clock(1_800_003_600.0), Clock(1_800_000_000.0)

    def ask() -> bool:
        return bool(servers.server(2, ours).get_creation_lock("k").acquire(wait=False))

    first = servers.server(1, ahead).get_creation_lock("k")
    assert first.acquire()
    told = [ask()]
    first.release()
    assert servers.server(1, ahead).get_creation_lock("k").acquire()
    ours.advance(LIFETIME + CLOCK_TOLERANCE + 1)

    assert [*told, ask(), ask()] == [False, False, False]


def test_a_clock_that_steps_back_does_not_prolong_a_wait(servers: Servers, clock: Clock) -> None:
    """If the waiter's wall clock steps back an hour, the wait still ends with the lifetime."""
    assert servers.server(1, clock).get_creation_lock("k").acquire()
    clock.step(-3600)
    begun = clock.monotonic()

    assert not servers.server(2, clock, lock_wait=5).get_creation_lock("k").acquire()
    assert 5 <= clock.monotonic() - begun < 6
    assert servers.server(3, clock, lock_wait=LONG).get_creation_lock("k").acquire()


def test_a_waiter_goes_on_without_the_lock_after_lock_wait(servers: Servers, clock: Clock) -> None:
    """Its release does not release the holder's lock."""
    assert servers.server(1, clock, lock_lease=LONG).get_creation_lock("k").acquire()
    owner, begun = servers.owner, clock.monotonic()
    waiter = servers.server(2, clock, lock_lease=LONG).get_creation_lock("k")

    taken = waiter.acquire()
    waiter.release()

    assert (taken, servers.owner) == (False, owner)
    assert MAX_WAIT <= clock.monotonic() - begun < MAX_WAIT + 1


def test_the_wait_for_a_thread_of_this_process_has_the_same_limit(
    servers: Servers, clock: Clock
) -> None:
    """After `lock_wait` the thread goes on without the lock."""
    server = servers.server(1, clock, lock_wait=0.05, lock="process")
    holder = server.get_creation_lock("k")
    asked, go = threading.Event(), threading.Event()

    def other() -> list[bool]:
        lock = server.get_creation_lock("k")
        told = [lock.acquire(), lock.acquire(wait=False)]
        lock.release()
        asked.set()
        go.wait(TIMEOUT)
        return [*told, lock.acquire(wait=False)]

    assert holder.acquire()
    with run_in_thread(other) as said:
        assert asked.wait(TIMEOUT)
        holder.release()
        go.set()

    assert said == [[False, False, True]]


def test_a_thread_gets_the_lock_when_another_one_gives_it_back(
    servers: Servers, clock: Clock
) -> None:
    """Not before the holder's outermost release, and without a look at any clock."""
    server = servers.server(1, clock, lock="process")
    outer, inner = (server.get_creation_lock("k") for _ in "ab")
    assert outer.acquire()
    assert inner.acquire()
    inner.release()
    (local,) = creation_lock.local_locks.values()

    def take() -> bool:
        lock = server.get_creation_lock("k")
        taken = bool(lock.acquire())
        lock.release()
        return taken

    with run_in_thread(take) as said:
        until = time.monotonic() + TIMEOUT
        while local.users < 2 and time.monotonic() < until:  # the holder, and who has come
            time.sleep(0.001)
        assert (said, creation_lock.is_held_here(outer._table, outer._name[2])) == ([], True)
        outer.release()

    assert said == [True]


def test_who_does_not_wait_does_not_wait_for_a_thread_either(
    servers: Servers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of this process is asked for as long as the other servers' are, or not at all."""
    asked: list[float] = []

    class Held:  # as far as a lock is asked for
        def acquire(self, timeout: float) -> bool:
            asked.append(timeout)
            return False

    held: Any = Held()
    monkeypatch.setattr(
        creation_lock, "_LocalLock", functools.partial(creation_lock._LocalLock, lock=held)
    )
    lock = servers.server(1, clock, lock_wait=7, lock="process").get_creation_lock("k")

    assert [lock.acquire(), lock.acquire(wait=False)] == [False, False]
    assert asked == [7, 0]


def test_a_lock_wait_of_zero_does_not_sleep(
    servers: Servers, clock: Clock, calls: Recorder
) -> None:
    """`lock_wait = 0` tries once, and goes on."""
    assert servers.server(1, clock).get_creation_lock("k").acquire()
    before = clock.monotonic()
    waiter = servers.server(2, clock, lock_wait=0).get_creation_lock("k")
    calls.clear()

    assert not waiter.acquire()
    assert (clock.monotonic(), calls.names) == (before, ["PutItem"])


def test_a_thread_that_gave_up_waiting_leaves_nothing_behind(
    servers: Servers, clock: Clock
) -> None:
    """When the holder has released the lock too, the process remembers no lock at all."""
    server = servers.server(1, clock, lock_wait=0, lock="process")
    holder = server.get_creation_lock("k")
    assert holder.acquire()
    with run_in_thread(lambda: server.get_creation_lock("k").acquire()) as said:
        holder_waits = said
    holder.release()

    assert holder_waits == [False]
    assert creation_lock.local_locks == {}


def test_a_child_of_a_fork_does_not_wait_for_a_lock_of_its_parents_threads() -> None:
    """A thread of the parent may have been counting users of a lock, and does not exist here."""
    guard = creation_lock._guard
    with guard:
        creation_lock.forget()
        assert creation_lock._guard.acquire(blocking=False)
        creation_lock._guard.release()
