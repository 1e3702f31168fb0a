"""The creation lock of one cache key: one maker in this process, one among all servers.

A conditional row with an owner and a term. It saves work and guards nothing: a duplicate is
harmless, a lock that is stuck is not. So every wait has a ceiling, every steal is conditional
on the owner that was seen, and a store that is down is gone on without. No threads.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.table import Absent, At, Table
from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.runtime import Runtime, on_fork, on_reset

log = logging.getLogger(__name__)

#: How many seconds two servers' clocks may differ before one steals what the other holds.
MARGIN: Final = 2.0
#: The least and the most seconds between two looks of a waiter; each wait is jittered.
POLL: Final = (0.05, 0.5)
#: How many keys this process remembers the holders of.
MOST_SEEN: Final = 1000


@dataclass(slots=True)
class _Local:
    """One key's lock in this process; re-entrant, as Beaker's memory backend is.

    The lock's maker is looked up at the call: gevent may have replaced it since our import.
    """

    lock: threading.Lock = field(default_factory=lambda: threading.Lock())  # noqa: PLW0108
    holder: int | None = None
    depth: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """An owner, and since when (monotonic seconds) this process has seen no other."""

    owner: str
    since: float


_guard = threading.Lock()
_locals: dict[object, _Local] = {}
_seen: dict[object, _Seen] = {}


def held_here(table: Table, key: Key) -> bool:
    """Tell whether this thread holds the creation lock of *key*."""
    local = _locals.get(_name(table, key))
    return local is not None and local.holder == threading.get_ident()


def _name(table: Table, key: Key) -> object:
    return table.client.connection, table.name, key


class CreationLock:
    """One use of the creation lock of *key*, as Beaker makes one a miss.

    Args:
        table: where the lock's row stands, under *key*.
        everywhere: among all servers; else in this process only, which costs no call.
        term: seconds after which others may take it from a holder that is gone.
        patience: the most seconds that `acquire()` waits, this process's lock included.
    """

    def __init__(  # noqa: PLR0913  # named, each of them
        self,
        table: Table,
        key: Key,
        *,
        everywhere: bool,
        term: float,
        patience: float,
        runtime: Runtime,
    ) -> None:
        self._table = table
        self._key = key
        self._everywhere = everywhere
        self._term = term
        self._patience = patience
        self._around = runtime
        self._name = _name(table, key)
        self._local: _Local | None = None
        self._owner: str | None = None

    def acquire(self, wait: bool = True) -> bool:  # noqa: FBT001, FBT002  # Beaker's signature
        """Take the lock. False: it is another's; the caller that waited goes on without it.

        Raises: what the client raises, but Unavailable and CorruptItem: those are gone on without.
        """
        started = self._around.monotonic()
        if not self._acquire_here(wait=wait):
            return False
        if not self._everywhere or (self._local is not None and self._local.depth > 1):
            return True
        try:
            taken = self._acquire_there(started + self._patience, wait=wait)
        except (Unavailable, CorruptItem) as error:
            logs.log_once_a_minute(
                log, f"a cache value is created without the lock: {type(error).__name__}"
            )
            return True
        except BaseException:
            self._release_here()
            raise
        if not taken:
            self._release_here()
        return taken

    def release(self) -> None:
        """Give the lock back; does nothing if it was not taken. A failure ends with the term."""
        if self._local is None:
            return
        owner, self._owner = self._owner, None
        try:
            if owner is not None:
                self._table.delete(self._key, At(owner))
        except DynamoDBBackendError as error:
            log.info("a creation lock could not be released, and will expire: %s", error)
        finally:
            self._release_here()

    def _acquire_here(self, *, wait: bool) -> bool:
        me = threading.get_ident()
        with _guard:
            local = _locals.setdefault(self._name, _Local())
            local.waiting += 1
        taken = local.holder == me
        try:
            taken = taken or local.lock.acquire(timeout=self._patience if wait else 0)
        finally:
            if not taken:
                self._forget(local)
        if not taken:
            return False
        local.holder = me
        local.depth += 1
        self._local = local
        return True

    def _release_here(self) -> None:
        local, self._local = self._local, None
        if local is None:
            return
        local.depth -= 1
        if local.depth == 0:
            local.holder = None
            local.lock.release()
        self._forget(local)

    def _forget(self, local: _Local) -> None:
        """Let go of a key's lock that nobody waits for: a cache has more keys than memory."""
        with _guard:
            local.waiting -= 1
            if local.waiting == 0 and _locals.get(self._name) is local:
                del _locals[self._name]

    def _acquire_there(self, until: float, *, wait: bool) -> bool:
        token, runtime, pause = self._around.token(), self._around, POLL[0]
        while True:
            theirs = self._try(token)
            if theirs is None:
                self._owner = token
                return True
            if not wait:
                return False
            while theirs is not None and not self._dead(theirs):
                if runtime.monotonic() >= until:
                    return False
                runtime.sleep(pause * (0.5 + runtime.random() / 2))
                pause = min(pause * 2, POLL[1])
                theirs = self._table.get(self._key, consistent=True)

    def _try(self, token: str) -> Record | None:
        """Put our row where none stands or its term is over; return the holder's if refused."""
        now = self._around.clock()
        mine = Record(self._key, b"", token, expires=math.ceil(now + self._term))
        refusal = self._table.put(mine, Absent(now - MARGIN))
        theirs = refusal.theirs if refusal else None
        if theirs is not None and theirs.rev != token and self._unchanged(theirs):
            # Its term is over by our own clock, whatever its clock said.
            refusal = self._table.put(mine, At(theirs.rev))
            theirs = refusal.theirs if refusal else None
        ours = theirs is None and refusal is None
        if ours or (theirs is not None and theirs.rev == token):
            _seen.pop(self._name, None)
            return None
        return theirs if theirs is not None else self._try(token)

    def _dead(self, theirs: Record) -> bool:
        return not theirs.live(self._around.clock() - MARGIN) or self._unchanged(theirs)

    def _unchanged(self, theirs: Record) -> bool:
        """Tell whether this process has seen this very owner for a whole term."""
        now = self._around.monotonic()
        seen = _seen.get(self._name)
        if seen is None or seen.owner != theirs.rev:
            if len(_seen) >= MOST_SEEN:
                _seen.clear()  # whoever was waited for is waited for once more
            _seen[self._name] = _Seen(theirs.rev, now)
            return False
        return now - seen.since > self._term + MARGIN


def forget() -> None:
    """Forget every lock of this process: after a fork its holders are another process's."""
    global _guard  # noqa: PLW0603  # a thread of the parent may have held it
    _guard = threading.Lock()
    _locals.clear()
    _seen.clear()


on_fork(forget)
on_reset(forget)
