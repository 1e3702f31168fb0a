"""Deliberate defects in copies of the code of caches, each of which the checker must find."""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.caches.creation_lock import CreationLock
from beaker_dynamodb.caches.store import CacheStore
from beaker_dynamodb.dynamodb import pages
from tests.model import cache_properties
from tests.model.caches import CacheScenario, kill_the_first, let_the_lease_pass
from tests.model.defects import Defect

TWO: Final = ("make", "make")
DEAD: Final = CacheScenario(TWO, (kill_the_first,), faults=0)
#: The clock of the dead owner is ahead, so that its row would never expire.
DEAD_AHEAD: Final = CacheScenario(TWO, (kill_the_first,), clocks=(100, 0), faults=0)
#: A waiter may wait for less than the owner has the lock.
IMPATIENT: Final = CacheScenario(TWO, (kill_the_first,), clocks=(100, 0), wait=3, faults=0)
PAUSED: Final = CacheScenario(TWO, (let_the_lease_pass,), faults=0)
#: The clocks differ by as much as the lock tolerates.
APART: Final = CacheScenario(TWO, clocks=(0, 2), faults=0)
THREADS: Final = CacheScenario(TWO, one_server=True, faults=0)
REMOVED: Final = CacheScenario(("read", "remove", "read"), start=10, one_server=True)
CLEARED: Final = CacheScenario(("read", "clear", "read"), start=10, one_server=True)
EVENTUAL: Final = CacheScenario(TWO, eventual=True, faults=0)
#: Only the calls that must be consistent are.
CLEARED_LATE: Final = CacheScenario(
    ("put", "clear", "read"), eventual=True, consistent=True, faults=0
)
#: The circuit breaker is closed again before the last read.
AFTER_OUTAGE: Final = CacheScenario(
    ("read", "clear", "read"), (let_the_lease_pass,), start=10, one_server=True
)

DEFECTS: Final = (
    Defect(
        "the lock is taken without a condition",
        CreationLock._put,
        "self._table.put(ours, NoLiveRow(now - CLOCK_TOLERANCE))",
        "self._table.put(ours, NoLiveRow(now + 9e8))",
        cache_properties.keep_the_lock,
        PAUSED,
    ),
    Defect(
        "the lock is released without a condition",
        CreationLock.release,
        "self._table.delete(self._lock_key, At(owner))",
        "self._table.drop(self._lock_key)",
        cache_properties.keep_the_lock,
        PAUSED,
    ),
    Defect(
        "the lock's lifetime is ignored",
        CreationLock._check_expiry,
        "return by_row or self._check_first_seen(holder)",
        "return False",
        cache_properties.keep_the_lock,
        DEAD,
    ),
    Defect(
        "a lock is taken from an owner at once",
        CreationLock._check_first_seen,
        "now - first.since > self._lifetime + CLOCK_TOLERANCE",
        "True",
        cache_properties.keep_the_lock,
        PAUSED,
    ),
    Defect(
        "clocks must agree",
        CreationLock._put,
        "NoLiveRow(now - CLOCK_TOLERANCE)",
        "NoLiveRow(now)",
        cache_properties.keep_the_lock,
        APART,
    ),
    Defect(
        "a clock that is ahead keeps the lock of a dead owner",
        CreationLock._check_expiry,
        "by_row or self._check_first_seen(holder)",
        "by_row",
        cache_properties.keep_the_lock,
        DEAD_AHEAD,
    ),
    Defect(
        "a waiter for another server has no limit",
        CreationLock._acquire_remote,
        "if self._runtime.monotonic() >= deadline:\n"
        "                return False\n"
        "            self._runtime.sleep",
        "self._runtime.sleep",
        cache_properties.keep_the_lock,
        IMPATIENT,
    ),
    Defect(
        "a waiter for another thread has no limit",
        CreationLock._acquire_local,
        "timeout=self._max_wait if wait else 0",
        "timeout=1e6 if wait else 0",
        cache_properties.keep_the_lock,
        THREADS,
    ),
    Defect(
        "the second look is eventually consistent",
        CacheStore._read,
        "creation_lock.is_held_here(rows.table, row_key)",
        "False",
        cache_properties.keep_the_lock,
        EVENTUAL,
    ),
    Defect(
        "a removal asks the circuit breaker",
        CacheStore.contains,
        "if id(self) not in _write_scopes.get():",
        "if True:",
        cache_properties.tell_of_a_lost_removal,
        REMOVED,
    ),
    Defect(
        "`clear()` asks the circuit breaker",
        CacheStore.clear,
        "batch = []\n    for",
        "batch = []\n    if self._is_open():\n        return\n    for",
        cache_properties.read_nothing_that_was_removed,
        AFTER_OUTAGE,
    ),
    Defect(
        "`clear()` forgets the last rows that it has read",
        CacheStore.clear,
        "\n    pages.delete_many(self.rows.table, batch, self.runtime)",
        "",
        cache_properties.read_nothing_that_was_removed,
        CLEARED,
    ),
    Defect(
        "`clear()` reads an older state of the table",
        pages.scan_rows,
        '"ConsistentRead": consistent,',
        "",
        cache_properties.read_nothing_that_was_removed,
        CLEARED_LATE,
    ),
)
