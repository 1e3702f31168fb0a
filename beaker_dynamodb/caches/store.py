"""A cache's get, put, remove and clear: one read a hit, one maker a miss, served in an outage.

One store serves all threads of a manager. What it reads inside Beaker's read brackets it keeps
until the outermost one closes, and no longer: that is what makes the second look after the
creation lock an honest one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any, Final

from beaker_dynamodb import logs
from beaker_dynamodb.caches import circuit_breaker, creation_lock, read_scope
from beaker_dynamodb.caches.creation_lock import CreationLock
from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.rows import Entry, Rows
from beaker_dynamodb.errors import (
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    Unavailable,
    UnknownFormat,
)
from beaker_dynamodb.item.keys import LOCK, MOVED, SESSION, as_text
from beaker_dynamodb.item.record import MAX_EXPIRES, Record, rev_of

log = logging.getLogger(__name__)

#: The most bytes of a key that is stored in clear beside its hash. A row takes 400 KB in all: a
#: longer one, such as what a visitor searches for, would leave no room for the value.
MAX_NAME: Final = 256 * 1024
#: How many rows `clear()` gathers before it deletes them.
_BATCH: Final = 500
SCANS: Final = (
    "clear() and keys() of a cache read the whole table, for it has no range key; option"
    " range_key makes them read their own namespace only"
)


class CacheStore:
    """Keeps the entries of one namespace.

    Args:
        timeout: the lifetime in seconds of entries that come with none.
    """

    def __init__(self, rows: Rows, namespace: object, timeout: float | None) -> None:
        self.rows = rows
        self.namespace = namespace
        self.timeout = timeout
        self.runtime = rows.runtime
        self._bypass = rows.options.cache_errors == "bypass"

    def get(self, key: object) -> Entry | None:
        """Return what there is to serve, stale or not; None where there is nothing.

        An entry that cannot be decoded is nothing, and so is every entry in an outage, unless
        `cache_errors = raise`.

        Raises: what the client raises, but Unavailable.
        """
        memo = read_scope.memo(self)
        if memo is None:
            return self._asked(key)
        name, now = self.rows.layout.value(self.namespace, key), self.runtime.monotonic()
        read = memo.get(name)
        if read is None or now - read.at > read_scope.MEMORY:
            read = memo[name] = read_scope.Remembered(now, self._asked(key))
        found: Entry | None = read.found
        return found

    def contains(self, key: object) -> bool:
        """Tell whether there is something to serve; in a write bracket, something to delete.

        Beaker asks before it deletes (beaker/container.py:414): a bypass, or an entry that only
        other servers can read, must not turn a removal into nothing.

        Raises: in a write bracket, what the client raises.
        """
        if not read_scope.writing(self):
            return self.get(key) is not None
        where = self.rows.layout.value(self.namespace, key)
        try:
            return self.rows.table.get(where, consistent=True) is not None
        except CorruptItem:
            return True

    def has_fresh(self, key: object) -> bool:
        """Tell whether there is an entry that has not expired, to the millisecond."""
        entry = self.get(key)
        if entry is None or entry.expires is None:
            return entry is not None
        return entry.expires - self.rows.options.stale_for > self.runtime.clock()

    def _asked(self, key: object) -> Entry | None:
        if self._rests():
            return None
        try:
            return self._read(key)
        except Unavailable as error:
            if not self._bypass:
                raise
            self._cool(error)
            return None

    def _read(self, key: object) -> Entry | None:
        where = self.rows.layout.value(self.namespace, key)
        lock = self.rows.layout.lock(self.namespace, key)
        # Under the creation lock the second look must see what another server just wrote.
        consistent = self.rows.options.consistent_read or creation_lock.held_here(
            self.rows.table, lock
        )
        try:
            row = self.rows.read(where, consistent=consistent, now=self.runtime.clock())
        except (CorruptItem, UnknownFormat, ItemTooLarge) as error:
            logs.warn(log, f"a cache entry that cannot be read is a miss: {type(error).__name__}")
            return None
        if row is None:
            return None
        try:
            return Entry(self.rows.serializer.loads(row.value), row.record.expires_exactly)
        except Exception as error:  # noqa: BLE001  # a class moved by a deploy raises anything
            wrong = type(error).__name__
        logs.warn(log, f"a cache entry that does not load any more is a miss: {wrong}")
        return None

    # Writing

    def put(self, key: object, value: Any, expiretime: float | None) -> None:
        """Store a value, whatever stands there.

        Args: *expiretime* in seconds; None is the manager's own timeout, or option `ttl`;
        infinity is for ever.
        Raises: ItemTooLarge; what the client raises, but Unavailable unless asked for.
        """
        self._forget(key)
        data = self.rows.serializer.dumps(value)
        if self._rests():
            return
        record = self._record(key, expiretime)
        try:
            self.rows.replace(self.rows.sealed(record, data))
        except Unavailable as error:
            if not self._bypass:
                raise
            self._cool(error)

    def _record(self, key: object, expiretime: float | None) -> Record:
        options, token = self.rows.options, self.runtime.token
        given = self.timeout if expiretime is None else max(expiretime, 0)
        lifetime = (options.ttl or None) if given is None else given
        expires, early = None, 0
        if lifetime is not None and lifetime < MAX_EXPIRES:  # else for ever; NaN is not below it
            exactly = self.runtime.clock() + lifetime + options.stale_for
            expires = math.ceil(exactly)
            early = min(math.ceil((expires - exactly) * 1000), 999)
        where = self.rows.layout.value(self.namespace, key)
        name = _name(key) if self.rows.layout.is_hashed(key) else None
        rev = rev_of(token(), token())
        return Record(where, b"", rev, expires=expires, name=name, early=early)

    def remove(self, key: object) -> None:
        """Delete an entry, cool-down or not: a silent failure would serve a revoked right.

        Raises: what the client raises.
        """
        self._forget(key)
        self.rows.drop(self.rows.layout.value(self.namespace, key))

    def clear(self) -> None:
        """Delete every entry of this namespace, and of no other, cool-down or not.

        Raises: what the client raises.
        """
        memo = read_scope.memo(self)
        if memo is not None:
            memo.clear()
        batch = []
        for found in self._rows_of_namespace():
            batch.append(found.key)
            if len(batch) == _BATCH:
                pages.delete_many(self.rows.table, batch, self.runtime)
                batch = []
        pages.delete_many(self.rows.table, batch, self.runtime)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all that there is to serve, stale or not, as text."""
        layout, now = self.rows.layout, self.runtime.clock()
        for found in self._rows_of_namespace():
            word = layout.word_of(found.key)
            if word is not None and (found.expires is None or found.expires > now):
                yield word if found.name is None else found.name

    def _rows_of_namespace(self) -> Iterator[pages.RowSummary]:
        """Yield the rows of this namespace's values and pieces; its locks stay as they are."""
        layout, table = self.rows.layout, self.rows.table
        if layout.range_key is None:
            logs.warn(log, SCANS, every=math.inf)
            yield from pages.scan_rows(table, layout.values_begin(self.namespace))
            return
        for found in pages.query_rows(table, layout.hash_of(self.namespace)):
            if not (found.key.range or "").startswith((LOCK, SESSION, MOVED)):
                yield found

    def lock(self, key: object) -> CreationLock:
        """Return the creation lock of one key."""
        options = self.rows.options
        everywhere = options.lock == "table" and not self._rests()
        return CreationLock(
            self.rows.table,
            self.rows.layout.lock(self.namespace, key),
            everywhere=everywhere,
            term=options.lock_lease,
            patience=options.lock_wait,
            runtime=self.runtime,
        )

    # Beaker's brackets

    def open_scope(self) -> None:
        """Open a read scope: each key is read once until the outermost one closes."""
        read_scope.enter(self)

    def close_scope(self) -> None:
        """Close a read scope."""
        read_scope.leave(self)

    def open_write_scope(self) -> None:
        """Open a write scope: `contains` is a real read, also in an outage."""
        read_scope.enter_write(self)

    def close_write_scope(self) -> None:
        """Close a write scope."""
        read_scope.leave_write(self)

    def _forget(self, key: object) -> None:
        memo = read_scope.memo(self)
        if memo is not None:
            memo.pop(self.rows.layout.value(self.namespace, key), None)

    def _rests(self) -> bool:
        return self._bypass and circuit_breaker.cooling(self.rows.table, self.runtime.monotonic())

    def _cool(self, error: DynamoDBBackendError) -> None:
        circuit_breaker.begin(self.rows.table, self.runtime.monotonic())
        code = error.call.code if error.call else None
        logs.warn(log, f"DynamoDB is not available ({code}): caches are bypassed")


def _name(key: object) -> str | None:
    """Write a hashed key in clear, for `keys()`; None where DynamoDB cannot hold it as text."""
    text = as_text(key)
    name = repr(key) if text is None else text
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return None
    return name if size <= MAX_NAME else None
