"""A cache's get, put, remove and clear, as Beaker's verbs for one namespace need them.

One store serves all threads of a manager. Three things must stay true:

* A cache hit is one read, although Beaker asks for it twice (the *read scope*, below).
* While DynamoDB is unavailable, pages are served, and fast (the *circuit breaker*, below).
* A removal is never lost without an error: somebody would be served what was revoked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from beaker_dynamodb import logs
from beaker_dynamodb.caches import creation_lock
from beaker_dynamodb.caches.creation_lock import CreationLock
from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.rows import Entry, Rows
from beaker_dynamodb.errors import (
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    Unavailable,
    UnknownFormat,
)
from beaker_dynamodb.item.keys import IMPORTED, LOCK, SESSION, Key, to_text
from beaker_dynamodb.item.record import MAX_EXPIRES, Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.runtime import Runtime, on_fork, on_reset

log: Final = logging.getLogger(__name__)

#: The maximum bytes of a key that is stored in clear beside its hash. A row has 400 KB in all: a
#: longer key, such as the text of a search, would leave no room for the value.
MAX_NAME: Final = 256 * 1024
#: How many rows `clear()` collects before it deletes them.
_BATCH: Final = 500
SCANS: Final = (
    "clear() and keys() of a cache read the whole table, because it has no range key; with option"
    " range_key they read their own namespace only"
)

# The read scope. Beaker's Value opens a read lock, asks `in`, then `[]`, and closes it, each of
# them nested in another pair. Within the outermost pair each key is read once. It is forgotten
# with that pair, because Beaker looks again when it has the creation lock: this second look has
# to see what another server has stored meanwhile.

#: For how many seconds a read may be used again, however long its scope stays open.
MAX_AGE: Final = 1.0


class _Scope(NamedTuple):
    """An open read scope: of which store, what was read in it and when, and the scope around it.

    `entries` are by row key: the time in monotonic seconds, and what was found. A scope that is
    opened directly inside another one of the same store shares them.
    """

    store: CacheStore
    entries: dict[Key, tuple[float, Entry | None]]
    outer: _Scope | None


#: The innermost open scope. A ContextVar and no thread-local: one that was made before gevent's
#: patching would be shared by all greenlets.
_scope: ContextVar[_Scope | None] = ContextVar("beaker_dynamodb_scope", default=None)
#: The `id()` of each store that has a write scope open, once for each.
_write_scopes: ContextVar[tuple[int, ...]] = ContextVar("beaker_dynamodb_writes", default=())

# The circuit breaker. After a call that found DynamoDB unavailable, caches do not ask it for a
# while: a page with twenty cached parts would wait for twenty time-outs. It is never used for
# sessions, whose data are nowhere else.

#: For how many seconds the circuit breaker stays open.
OPEN_SECONDS: Final = 5.0
#: Until when (monotonic seconds) it is open, for each table under each set of connection options.
_open_until: dict[tuple[Client, str], float] = {}


class CacheStore:
    """The entries of one namespace.

    Args:
        timeout: the lifetime in seconds of entries that come with none.
    """

    def __init__(self, rows: Rows, namespace: object, timeout: float | None) -> None:
        self.rows = rows
        self.namespace = namespace
        self.timeout = timeout
        self.runtime: Runtime = rows.runtime
        self._bypass = rows.options.cache_errors == "bypass"
        self._last_key: tuple[object, Key] = object(), Key("")

    # Reading

    def get(self, key: object) -> Entry | None:
        """Return what can be served, fresh or stale; None if there is nothing.

        An entry that cannot be decoded counts as nothing, and so does every entry in an outage,
        unless `cache_errors = raise`.

        Raises: what the client raises; Unavailable only if `cache_errors = raise`.
        """
        row_key, scope = self._row_key(key), _scope.get()
        if scope is None or scope.store is not self:
            return self._read(row_key)
        now = self.runtime.monotonic()
        read_at, entry = scope.entries.get(row_key, (-math.inf, None))
        if now - read_at > MAX_AGE:
            entry = self._read(row_key)
            scope.entries[row_key] = now, entry
        return entry

    def contains(self, key: object) -> bool:
        """Return whether there is something to serve; in a write scope, something to delete.

        Beaker asks before it deletes (beaker/container.py:414): a bypass, or an entry that only
        other servers can read, must not turn a removal into nothing.

        Raises: in a write scope, what the client raises.
        """
        if id(self) not in _write_scopes.get():
            return self.get(key) is not None
        try:
            return self.rows.table.get(self._row_key(key), consistent=True) is not None
        except CorruptItem:
            return True

    def has_fresh(self, key: object) -> bool:
        """Return whether there is an entry that has not expired, to the millisecond."""
        entry = self.get(key)
        if entry is None or entry.expires is None:
            return entry is not None
        return entry.expires - self.rows.options.stale_for > self.runtime.clock()

    def _read(self, row_key: Key) -> Entry | None:
        rows = self.rows
        if self._is_open():
            return None
        # Under the creation lock the second look has to see what another server has just written.
        # Most hits find no lock in this process at all, and need not ask for this one.
        consistent = rows.options.consistent_read or (
            bool(creation_lock.local_locks) and creation_lock.is_held_here(rows.table, row_key)
        )
        try:
            row = rows.read(row_key, consistent=consistent, now=self.runtime.clock())
        except Unavailable as error:
            if not self._bypass:
                raise
            self._trip(error)
            return None
        except (CorruptItem, UnknownFormat, ItemTooLarge) as error:
            logs.log_once_a_minute(
                log, f"a cache entry that cannot be read is a miss: {type(error).__name__}"
            )
            return None
        if row is None:
            return None
        try:
            return Entry(rows.serializer.loads(row.value), row.record.expires_exactly)
        except Exception as error:  # noqa: BLE001  # unpickling runs the code of any class
            name = type(error).__name__
            logs.log_once_a_minute(
                log, f"a cache entry that can no longer be loaded is a miss: {name}"
            )
            return None

    def _row_key(self, key: object) -> Key:
        """Return the row's key of a cache key; at once if it is the object of the last call.

        Beaker passes the same object several times for each hit and each miss. Only texts and
        bytes are recognized, because any other object could have changed.
        """
        last_key, row_key = self._last_key
        if key is not last_key:
            row_key = self.rows.layout.make_value_key(self.namespace, key)
            if type(key) is bytes or type(key) is str:
                self._last_key = key, row_key  # in one step: other threads ask as well
        return row_key

    # Writing

    def put(self, key: object, value: Any, expiretime: float | None) -> None:
        """Store a value, whatever is stored there.

        Args: *expiretime* is in seconds; None is the manager's own timeout, or option `ttl`;
        infinity is for ever.
        Raises: ItemTooLarge; what the client raises; Unavailable only if `cache_errors = raise`.
        """
        self._forget(key)
        data = self.rows.serializer.dumps(value)
        if self._is_open():
            return
        record = self._new_record(key, expiretime)
        try:
            self.rows.replace(self.rows.seal(record, data))
        except Unavailable as error:
            if not self._bypass:
                raise
            self._trip(error)

    def _new_record(self, key: object, expiretime: float | None) -> Record:
        options, token = self.rows.options, self.runtime.token
        given = self.timeout if expiretime is None else max(expiretime, 0)
        lifetime = (options.ttl or None) if given is None else given
        expires, early = None, 0
        if lifetime is not None and lifetime < MAX_EXPIRES:  # else for ever; NaN is not below it
            exactly = self.runtime.clock() + lifetime + options.stale_for
            expires = math.ceil(exactly)
            early = min(math.ceil((expires - exactly) * 1000), 999)
        name = _encodable_name(key) if self.rows.layout.is_hashed(key) else None
        rev = make_rev(token(), token())
        return Record(self._row_key(key), b"", rev, expires=expires, name=name, early=early)

    def remove(self, key: object) -> None:
        """Delete an entry, also while the circuit breaker is open.

        Raises: what the client raises.
        """
        self._forget(key)
        self.rows.drop(self._row_key(key))

    def clear(self) -> None:
        """Delete every entry of this namespace and of no other, also if the breaker is open.

        The rows are read consistently: a put that ended before this began must not survive it.

        Raises: what the client raises.
        """
        scope = _scope.get()
        if scope is not None and scope.store is self:
            scope.entries.clear()
        batch = []
        for row in self._rows_of_namespace(consistent=True):
            batch.append(row.key)
            if len(batch) == _BATCH:
                pages.delete_many(self.rows.table, batch, self.runtime)
                batch = []
        pages.delete_many(self.rows.table, batch, self.runtime)

    def _forget(self, key: object) -> None:
        """Forget what was read of a key that this thread changes."""
        scope = _scope.get()
        if scope is not None and scope.store is self:
            scope.entries.pop(self._row_key(key), None)

    # The namespace

    def keys(self) -> Iterator[str]:
        """Yield the keys of all that can be served, fresh or stale, as text."""
        layout, now = self.rows.layout, self.runtime.clock()
        for found in self._rows_of_namespace(consistent=self.rows.options.consistent_read):
            key = layout.parse_cache_key(found.key)
            if key is not None and (found.expires is None or found.expires > now):
                yield key if found.name is None else found.name

    def _rows_of_namespace(self, *, consistent: bool) -> Iterator[pages.RowSummary]:
        """Yield the rows of this namespace's values and their chunks, but not its locks."""
        layout, table = self.rows.layout, self.rows.table
        if layout.range_key is None:
            logs.log_once_a_minute(log, SCANS, period=math.inf)
            prefixes = layout.get_value_prefixes(self.namespace)
            yield from pages.scan_rows(table, prefixes, consistent=consistent)
            return
        hash_key = layout.make_hash_key(self.namespace)
        for found in pages.query_rows(table, hash_key, consistent=consistent):
            if not (found.key.range or "").startswith((LOCK, SESSION, IMPORTED)):
                yield found

    # The creation lock, and the scopes

    def lock(self, key: object) -> CreationLock:
        """Return the creation lock of one key.

        While the circuit breaker is open it is a lock of this process only.
        """
        options = self.rows.options
        is_remote = options.lock == "table" and not self._is_open()
        return CreationLock(
            self.rows.table,
            self._row_key(key),
            self.rows.layout.make_lock_key(self.namespace, key) if is_remote else None,
            lifetime=options.lock_lease,
            max_wait=options.lock_wait,
            runtime=self.runtime,
        )

    def open_scope(self) -> None:
        """Open a read scope: each key is read once until the outermost one closes."""
        outer = _scope.get()
        entries = outer.entries if outer is not None and outer.store is self else {}
        _scope.set(_Scope(self, entries, outer))

    def close_scope(self) -> None:
        """Close the read scope that was opened last, if it is of this store."""
        scope = _scope.get()
        if scope is not None and scope.store is self:
            _scope.set(scope.outer)

    def open_write_scope(self) -> None:
        """Open a write scope: what is read in it decides about a write, so `contains` is real."""
        _write_scopes.set((*_write_scopes.get(), id(self)))

    def close_write_scope(self) -> None:
        """Close a write scope of this store."""
        scopes = list(_write_scopes.get())
        if id(self) in scopes:
            scopes.remove(id(self))
            _write_scopes.set(tuple(scopes))

    # The circuit breaker

    def _is_open(self) -> bool:
        """Return whether the circuit breaker is open, and DynamoDB not to be asked."""
        if not self._bypass or not _open_until:
            return False
        table = self.rows.table
        return self.runtime.monotonic() < _open_until.get((table.client, table.name), 0.0)

    def _trip(self, error: DynamoDBBackendError) -> None:
        """Open the circuit breaker, and log why."""
        table = self.rows.table
        _open_until[table.client, table.name] = self.runtime.monotonic() + OPEN_SECONDS
        code = error.call.code if error.call else None
        logs.log_once_a_minute(log, f"DynamoDB is not available ({code}): caches are bypassed")


def _encodable_name(key: object) -> str | None:
    """Write a hashed key in clear, for `keys()`; None if DynamoDB cannot hold it as text."""
    text = to_text(key)
    name = repr(key) if text is None else text
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return None
    return name if size <= MAX_NAME else None


def _close_all_scopes() -> None:
    """Forget what a parent process has read: its child must not be served from that."""
    _scope.set(None)
    _write_scopes.set(())


on_fork(_close_all_scopes)
on_fork(_open_until.clear)
on_reset(_open_until.clear)
