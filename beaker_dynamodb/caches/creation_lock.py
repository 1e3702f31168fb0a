"""The creation lock of one cache key: one thread creates a missing value, the others wait for it.

Beaker acquires it before it calls `createfunc`. The lock saves work and protects nothing: a value
that two servers create at once is created once too often, but a lock that is never released
would stop every page that needs the value. So every wait has a limit, a lock is taken from
another owner only on condition of that owner, and if DynamoDB is unavailable the caller goes on
without it. There are no threads in the background.

**Acquire.** There are two locks, one after the other:

1. The local lock, one for each key in this process. So only one of the threads here asks
   DynamoDB. It is re-entrant: a `createfunc` may ask for its own key.
2. Under `lock = table`, a row. Its `rev` is the owner, made of a token that is drawn for each
   acquisition. Its `expires` is the time of the owner's clock plus the lifetime (`lock_lease`). It
   is put on condition that there is no row, or that the row expired more than
   `CLOCK_TOLERANCE` ago. If botocore repeats a put whose reply was lost, the second one is
   refused by our own row; its token says that the lock is ours.

**Hold.** Nothing renews the row. An owner that takes longer than the lifetime can lose the lock
without noticing; the value is then created twice.

**Release.** The row is deleted on condition of its owner, so an owner that is late deletes
nothing of the next one's. If the delete fails, the row expires.

**Take it from a dead owner.** Its row stays, and its clock may have been wrong. So it has lost
the lock as soon as one of two clocks says so:

* Our wall clock: the row expired more than `CLOCK_TOLERANCE` ago. Then the condition of the
  first put holds.
* Our monotonic clock: for a whole lifetime and `CLOCK_TOLERANCE`, this process has seen no other
  owner (`_first_seen`). Then the row is put on condition of that owner. If two waiters do so, the
  second one is refused by the first one's row, and waits for it.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.table import At, NoLiveRow, RefusedWrite, Table
from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.runtime import Runtime, on_fork, on_reset

log: Final = logging.getLogger(__name__)

#: By how many seconds the clocks of two servers may differ.
CLOCK_TOLERANCE: Final = 2.0
#: The seconds between two reads of a waiter: the first pause, which doubles, and the longest. Of
#: each pause a random part between a half and the whole is slept.
MIN_PAUSE, MAX_PAUSE = 0.05, 0.5
#: The owners of how many locks this process remembers.
MAX_FIRST_SEEN: Final = 1000


@dataclass(slots=True)
class _LocalLock:
    """The lock of one key in this process, re-entrant as Beaker's memory backend's is.

    `holder` is the thread that has it, `depth` how often. `users` counts who has it or waits.
    """

    # `threading.Lock` is looked up at the call: gevent may have replaced it since our import.
    lock: threading.Lock = field(default_factory=lambda: threading.Lock())  # noqa: PLW0108
    holder: int | None = None
    depth: int = 0
    users: int = 0


class _FirstSeen(NamedTuple):
    """The owner of a lock's row, and since when (monotonic seconds) no other one was seen."""

    owner: bytes
    since: float


#: What a lock is called in this process: the client and the name of the table, the entry's key.
_Name: TypeAlias = tuple[Client, str, Key]

_guard = threading.Lock()  # for `local_locks`: who adds a lock, and who removes one without users
#: The local locks that somebody has or waits for. While it is empty, no thread holds any.
local_locks: dict[_Name, _LocalLock] = {}
_first_seen: dict[_Name, _FirstSeen] = {}


def is_held_here(table: Table, key: Key) -> bool:
    """Return whether this thread holds the creation lock of the entry whose row is at *key*."""
    local = local_locks.get((table.client, table.name, key))
    return local is not None and local.holder == threading.get_ident()


class CreationLock:
    """The creation lock of one entry, for one use: Beaker makes one for each miss.

    Args:
        key: the key of the entry's row.
        lock_key: the key of the lock's own row, which all servers share; None locks this process
            only, which costs no call.
        lifetime: the seconds after which other servers may take the lock from its owner.
        max_wait: the maximum seconds that `acquire()` waits, for both locks together.
    """

    def __init__(  # noqa: PLR0913  # three of them are options, and named
        self,
        table: Table,
        key: Key,
        lock_key: Key | None,
        *,
        lifetime: float,
        max_wait: float,
        runtime: Runtime,
    ) -> None:
        self._table = table
        self._name = table.client, table.name, key
        self._lock_key = lock_key
        self._lifetime = lifetime
        self._max_wait = max_wait
        self._runtime = runtime
        self._local: _LocalLock | None = None  # while this object has acquired it
        self._owner: bytes | None = None  # while the row is ours

    def acquire(self, wait: bool = True) -> bool:  # noqa: FBT001, FBT002  # Beaker's signature
        """Acquire the lock; return False if another thread or server has it.

        Without *wait* it returns at once, else after up to `max_wait`. The caller then creates the
        value without the lock, and `release()` does nothing. If the row cannot be read or
        written because DynamoDB is unavailable, the local lock is enough.

        Raises: what the client raises, but Unavailable and CorruptItem.
        """
        deadline = self._runtime.monotonic() + self._max_wait
        local = self._acquire_local(wait=wait)
        if local is None:
            return False
        if self._lock_key is None or local.depth > 1:
            return True
        try:
            acquired = self._acquire_remote(self._lock_key, deadline, wait=wait)
        except (Unavailable, CorruptItem) as error:
            logs.log_once_a_minute(
                log, f"a cache value is created without the lock: {type(error).__name__}"
            )
            return True
        except BaseException:
            self._release_local()
            raise
        if not acquired:
            self._release_local()
        return acquired

    def release(self) -> None:
        """Release the lock; does nothing if it was not acquired. If that fails, it expires."""
        if self._local is None:
            return
        owner, self._owner = self._owner, None
        try:
            if owner is not None and self._lock_key is not None:
                self._table.delete(self._lock_key, At(owner))
        except DynamoDBBackendError as error:
            log.info("a creation lock could not be released, and will expire: %s", error)
        finally:
            self._release_local()

    # The local lock

    def _acquire_local(self, *, wait: bool) -> _LocalLock | None:
        thread = threading.get_ident()
        with _guard:
            local = local_locks.setdefault(self._name, _LocalLock())
            local.users += 1
        acquired = local.holder == thread
        try:
            acquired = acquired or local.lock.acquire(timeout=self._max_wait if wait else 0)
        finally:
            if not acquired:
                self._leave(local)
        if not acquired:
            return None
        local.holder = thread
        local.depth += 1
        self._local = local
        return local

    def _release_local(self) -> None:
        local, self._local = self._local, None
        if local is None:
            return
        local.depth -= 1
        if local.depth == 0:
            local.holder = None
            local.lock.release()
        self._leave(local)

    def _leave(self, local: _LocalLock) -> None:
        """Count one user less, and forget a lock without any: a cache has more keys than memory."""
        with _guard:
            local.users -= 1
            if local.users == 0 and local_locks.get(self._name) is local:
                del local_locks[self._name]

    # The row

    def _acquire_remote(self, lock_key: Key, deadline: float, *, wait: bool) -> bool:
        """Put our row, or wait until that can succeed; return False at *deadline* (monotonic)."""
        token, pause = self._runtime.token(), MIN_PAUSE
        owner = make_rev(token, token)
        while True:
            # Nothing was read yet, or a read has found the lock free. Another waiter may have read
            # the same, so only a put decides who gets it; a refusal brings the holder's row.
            refusal = self._put(lock_key, owner)
            if refusal is None:
                self._owner = owner
                return True
            holder = refusal.theirs
            if holder is None:  # released meanwhile: perhaps by one holder after the other
                if self._runtime.monotonic() >= deadline:
                    return False
            elif not wait:
                return False
            # Here `holder` has the lock and is alive, as far as this process knows. Each pass
            # sleeps and reads: None is "released", another owner is waited for as well, and with
            # the same owner the two clocks go on. The pauses grow over all rounds, so that many
            # waiters on a slow value cost few reads; the deadline is that of all rounds together.
            while holder is not None and not self._check_expiry(holder):
                if self._runtime.monotonic() >= deadline:
                    return False
                self._runtime.sleep(pause * (0.5 + self._runtime.random() / 2))
                pause = min(pause * 2, MAX_PAUSE)
                holder = self._table.get(lock_key, consistent=True)

    def _put(self, lock_key: Key, owner: bytes) -> RefusedWrite | None:
        """Put our row if the lock is free; return None if it is ours now, else the refusal.

        A refusal without a row: the holder has released the lock meanwhile.
        """
        now = self._runtime.clock()
        ours = Record(lock_key, b"", owner, expires=math.ceil(now + self._lifetime))
        refusal = self._table.put(ours, NoLiveRow(now - CLOCK_TOLERANCE))
        holder = refusal.theirs if refusal else None
        if holder is not None and holder.rev != owner and self._check_first_seen(holder):
            refusal = self._table.put(ours, At(holder.rev))
            holder = refusal.theirs if refusal else None
        if refusal is None or (holder is not None and holder.rev == owner):
            _first_seen.pop(self._name, None)
            return None
        return refusal

    def _check_expiry(self, holder: Record) -> bool:
        """Return whether *holder* has lost the lock, by our wall clock or our monotonic one."""
        by_row = not holder.is_live(self._runtime.clock() - CLOCK_TOLERANCE)
        return by_row or self._check_first_seen(holder)

    def _check_first_seen(self, holder: Record) -> bool:
        """Return whether this process has seen no other owner for more than a lifetime.

        An owner that is new to it is remembered from now on.
        """
        now = self._runtime.monotonic()
        first = _first_seen.get(self._name)
        if first is None or first.owner != holder.rev:
            if len(_first_seen) >= MAX_FIRST_SEEN:
                _first_seen.clear()  # these owners are waited for a lifetime more
            _first_seen[self._name] = _FirstSeen(holder.rev, now)
            return False
        return now - first.since > self._lifetime + CLOCK_TOLERANCE


def forget() -> None:
    """Forget every lock of this process: after a fork its holders are threads of the parent."""
    global _guard  # noqa: PLW0603  # a thread of the parent may have held it
    _guard = threading.Lock()
    local_locks.clear()
    _first_seen.clear()


on_fork(forget)
on_reset(forget)
