"""Sessions that still stand in another Beaker backend, moved in when a request asks for them.

A session without a row is looked for there once, and its text becomes a row on condition that
none stands. A deleted session is removed there first, and then leaves a tombstone for as long as
the old session could live: so a request that read the old text just before cannot bring it back.
docs/migrating.md holds the table of interleavings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from beaker_dynamodb.dynamodb.rows import Row, Rows, Tombstones
from beaker_dynamodb.dynamodb.table import Absent, At, Condition, Refusal
from beaker_dynamodb.errors import Unavailable, digest
from beaker_dynamodb.item import safe_load
from beaker_dynamodb.item.codec import TOMBSTONE
from beaker_dynamodb.item.envelope import CREATED, read_time
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record, promote, rev_of
from beaker_dynamodb.migration.source import Backend

#: How often a row that comes and goes while a session is moved in is met again.
_MEETINGS: Final = 3
#: How many hex digits of a SHA-256 a birth is: 72 bits, as one that is drawn.
_BIRTH_DIGITS: Final = 18
_TOO_FAST: Final = "the session's row is created and deleted faster than it can be read"


class LegacySession:
    """One session in the source backend, for one request."""

    def __init__(self, rows: Rows, namespace: object, timeout: float | None) -> None:
        options = rows.options
        self._rows = rows
        self._runtime = rows.runtime
        self.envelope = options.envelope
        self._key = rows.layout.session(namespace)
        self._lifetime = timeout if timeout is not None else options.ttl or None
        self._timeout = (
            None if timeout is None else max(timeout - safe_load.BEAKER_TIMEOUT_PADDING, 0)
        )
        self._backend = Backend(
            options.migrate_from or "", options.migrate_from_options, namespace, timeout
        )
        self._tombstones = Tombstones(rows)

    def move(self) -> Row | None:
        """Make a row of the session's old text and return it; None where there is no session.

        Where a row stands by now, that one is returned; under a tombstone there is none. A row
        that was made expires when the last save of the old text would have had it expire.

        Raises: Unavailable, CorruptItem, OptionError, ItemTooLarge; whatever the client raises.
        """
        text = self._backend.read()
        made = None if text is None else self._row(text)
        if text is None or made is None:
            return None
        value = text.encode("utf-8", "surrogatepass")
        for _ in range(_MEETINGS):
            now = self._runtime.clock()
            answer = self._rows.write(made, value, Absent(now), None)
            if isinstance(answer, Record):
                return Row(answer, value)
            if answer.theirs is not None and answer.theirs.live(now):
                found = self._rows.open(answer.theirs)
                return None if found is None else Row(answer.theirs, found)
        raise Unavailable(_TOO_FAST)

    def _row(self, text: str) -> Record | None:
        """Write the old text's row; None where that session has ended."""
        options, now = self._rows.options, self._runtime.clock()
        values = safe_load.load_session(text, self.envelope, options.max_value_size)
        since = safe_load.accessed(values)
        if safe_load.is_emptied(values) or safe_load.timed_out(since, self._timeout, now):
            return None
        # Without a timeout nobody asks how old it is: it lives as if it were saved now.
        expires = safe_load.expiry(
            since if self._timeout is not None else None, self._lifetime, now
        )
        rev = rev_of(birth_of(self._key, text, values), self._runtime.token())
        promoted, _ = promote(values or {}, self._rows.schema)
        return Record(self._key, b"", rev, (), expires, promoted=promoted)

    def bury(
        self, key: Key, condition: At, old: Record | None, *, kind: int = TOMBSTONE
    ) -> Refusal | None:
        """Delete the session there, and put a tombstone over the row that *condition* names.

        Returns a refusal where another row stands, as a delete does. Where that was made of the
        same old session, it has the same birth, and the caller deletes it as it does a newer
        revision.

        Raises: Unavailable, before anything was changed here, if the old backend fails, and where
        rows come and go too fast; and whatever the client raises.
        """
        self._backend.remove()
        refusal = self._put(key, condition, old, kind)
        if refusal is None or refusal.theirs is not None:
            return refusal
        # Somebody's row of no tombstone went meanwhile: the old text must not come after it.
        for _ in range(_MEETINGS):
            answer = self._put(key, Absent(self._runtime.clock()), None, kind)
            if answer is None:
                return refusal
            if answer.theirs is not None:
                return answer
        raise Unavailable(_TOO_FAST)

    def _put(self, key: Key, condition: Condition, old: Record | None, kind: int) -> Refusal | None:
        return self._tombstones.put(key, condition, old, lifetime=self._lifetime, kind=kind)


def birth_of(key: Key, text: str, values: Mapping[str, object] | None) -> str:
    """Return the birth of the row that an old session is moved to: always the same one.

    A request that read the old text can make the row again after it was deleted. By the birth, the
    logout that meets that row knows that it is of the session it deletes, and not of one that was
    begun anew under the same id.

    Args: *text* of the session, and the *values* in it, None where it is opaque.
    """
    begun = read_time(values or {}, CREATED)
    return digest(f"{key.hash}\0{key.range}\0{text if begun is None else begun!r}", _BIRTH_DIGITS)
