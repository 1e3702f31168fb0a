"""Migrate a session from another Beaker backend when a request asks for it.

If a session has no row, the source backend is asked once, and its text becomes a row on condition
that there still is none. Deleting a session removes it from the source backend first, and then puts
a tombstone, which lives as long as the old session could. So a request that read the old text just
before cannot bring the session back. docs/migrating.md holds the table of interleavings.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from beaker_dynamodb.dynamodb.rows import Row, Rows
from beaker_dynamodb.dynamodb.table import At, NoLiveRow, RefusedWrite
from beaker_dynamodb.dynamodb.tombstones import Tombstones
from beaker_dynamodb.errors import Unavailable, digest
from beaker_dynamodb.item.codec import TOMBSTONE
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING, ImportPolicy, decide_import
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import BIRTH_SIZE, get_token, make_rev
from beaker_dynamodb.migration.source import SourceBackend

#: How often a write is tried if the row that refused it is gone when it is tried again.
MAX_ATTEMPTS: Final = 3
_TOO_FAST: Final = "the session's row is created and deleted faster than it can be read"


class LegacySession:
    """One session in the source backend, for one request.

    Args: *timeout* and *lifetime* as in `SessionSettings`.
    """

    def __init__(
        self, rows: Rows, namespace: object, timeout: float | None, lifetime: float | None
    ) -> None:
        options = rows.options
        self._rows = rows
        self._runtime = rows.runtime
        self.envelope: str = options.envelope
        self._key = rows.layout.make_session_key(namespace)
        self._lifetime = lifetime
        self._timeout = None if timeout is None else max(timeout - BEAKER_TIMEOUT_PADDING, 0)
        self._backend = SourceBackend(
            options.migrate_from or "", options.migrate_from_options, namespace, timeout
        )
        self._tombstones = Tombstones(rows)

    def migrate(self) -> Row | None:
        """Write the session's old text as a row and return it; None if there is no session.

        If another request was faster, its row is returned; under a tombstone there is no session.

        Raises: Unavailable, CorruptItem, OptionError, ItemTooLarge; whatever the client raises.
        """
        text = self._backend.read()
        record = None if text is None else self._create_record(text)
        if text is None or record is None:
            return None
        value = text.encode("utf-8", "surrogatepass")
        row, _ = create_row(self._rows, record, value)
        stored = value if row.rev == record.rev else self._rows.open(row)
        return None if stored is None else Row(row, stored)

    def _create_record(self, text: str) -> Record | None:
        """Return the record of the old text without its data; None if that session has ended."""
        policy = ImportPolicy(
            self._timeout,
            self._lifetime,
            self._rows.options.max_value_size,
            self._rows.schema,
            self.envelope,
        )
        decision = decide_import(text, policy, self._runtime.clock())
        if isinstance(decision, str):
            return None
        start = self._runtime.clock() if decision.created is None else decision.created
        birth = derive_birth(self._key, text, decision.created)
        rev = make_rev(birth, self._runtime.token(), start)
        return Record(self._key, b"", rev, expires=decision.expires, promoted=decision.promoted)

    def delete_with_tombstone(
        self, key: Key, condition: At, old: Record | None, *, kind: int = TOMBSTONE
    ) -> RefusedWrite | None:
        """Delete the session in the source backend, and replace its row by a tombstone.

        Args: *condition* names the row, *old* is that row.

        Returns a refusal if the row is another one by now, as a delete does. If that one was
        written from the same old session, it has the same birth, and the caller deletes it like a
        newer revision.

        Raises: Unavailable, if the source backend fails, before anything was changed here, or if
        rows are created and deleted too fast; whatever the client raises.
        """
        self._backend.remove()
        put = partial(self._tombstones.put, key, lifetime=self._lifetime, kind=kind)
        refusal = put(condition, old)
        if refusal is None or refusal.theirs is not None:
            return refusal
        # Another request has deleted the row, perhaps without a tombstone. One is needed here all
        # the same: a third request may have read the old text, and be about to write it.
        for _ in range(MAX_ATTEMPTS):
            second = put(NoLiveRow(self._runtime.clock()), None)
            if second is None:
                return refusal
            if second.theirs is not None:
                return second
        raise Unavailable(_TOO_FAST)


def create_row(rows: Rows, record: Record, value: bytes) -> tuple[Record, bool]:
    """Write a row, if there is no live one; return the stored row, and whether this call wrote it.

    Raises: Unavailable, if rows are created and deleted too fast; whatever the client raises.
    """
    ended: Record | None = None
    for _ in range(MAX_ATTEMPTS):
        now = rows.runtime.clock()
        condition = NoLiveRow(now) if ended is None else At(ended.rev)
        written = rows.write(record, value, condition, ended)
        if isinstance(written, Record):
            return written, True
        theirs = written.theirs
        if theirs is not None and theirs.has_token(get_token(record.rev)):  # its reply was lost
            return theirs, True
        if theirs is not None and theirs.is_live(now):
            return theirs, False
        ended = theirs if theirs is not None and theirs.ends_at is not None else None
    raise Unavailable(_TOO_FAST)


def derive_birth(key: Key, text: str, created: float | None) -> bytes:
    """Return the birth of the row that is written for an old session: always the same one.

    A request that read the old text can write the row again after it was deleted. If a logout meets
    that row, the birth tells that it is the session to be deleted, and not a new one with the same
    id.

    Args: *text* of the session, and when it was *created*, in epoch seconds; None if it is opaque.
    """
    identity = text if created is None else repr(created)
    return bytes.fromhex(digest(f"{key.hash}\0{key.range}\0{identity}", 2 * BIRTH_SIZE))
