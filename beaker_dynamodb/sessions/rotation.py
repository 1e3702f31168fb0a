"""A session that got a fresh id replaces the row of its old id, where a marker is left.

Nothing that was stored there is lost: what another request has written is merged in first, and a
logout that came in between is a logout of the new session too.
"""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.dynamodb.rows import Tombstones
from beaker_dynamodb.dynamodb.table import At, RefusedWrite
from beaker_dynamodb.errors import Conflict, CorruptItem
from beaker_dynamodb.item.codec import ROTATED
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.sessions.saving import Attempts
from beaker_dynamodb.sessions.store import SessionStore

#: Seconds that the marker of a rotation lives: longer than a request may take.
MARKER_LIFETIME: Final = 60.0


def replace_old_row(new: SessionStore, old: SessionStore) -> bool:
    """Put a marker over the row of the old id, now that the session is stored under its new one.

    Each turn of the loop puts the marker on condition of the row that was seen last. A refusal
    brings the row that is stored instead; its text is merged into the new session's row before the
    next turn, so that a change under the old id is never lost.

    Returns False if that row is gone: the session was logged out meanwhile, and the new row is
    deleted too.
    Raises: Conflict, if others have changed that row without a pause for 3 seconds; whatever a save
    raises. It may be called again then.
    """
    if old.stored is None or new.stored is None:
        return True
    row, text = old.stored.record, old.stored.text
    if text != old.base:  # an earlier save of this request has merged something in there
        new.merge_from(old.base, text)
    attempts = Attempts(new.runtime)
    while (refusal := put_marker(old, row)) is not None:
        theirs = refusal.theirs
        if theirs is None or theirs.birth != row.birth or not theirs.live(new.runtime.clock()):
            new.delete()
            return False
        row = _with_chunks(theirs, old)
        text = _text_of(row, old)
        new.merge_from(old.base, text)
        if attempts.is_over():
            error = Conflict("other requests change the session faster than it can get a new id")
            error.theirs = text
            raise error
        attempts.wait()
    old.stored = None
    return True


def put_marker(old: SessionStore, row: Record) -> RefusedWrite | None:
    """Put a marker over *row*: the session has got another id.

    For a load there is no session; a request that is under way with the old id, and saves a
    change, meets it and is told (`after_refusal`). It costs the write units of a delete.

    Returns what is stored instead, if it is not that row any more.
    """
    if old.source is not None:  # the old text must stay away for as long as it could live
        return old.source.delete_with_tombstone(old.key, At(row.rev), row, kind=ROTATED)
    if old.tombstones is None:  # kept, so that a second call knows the marker of the first
        old.tombstones = Tombstones(old.rows)
    return old.tombstones.put(old.key, At(row.rev), row, lifetime=MARKER_LIFETIME, kind=ROTATED)


def _with_chunks(theirs: Record, old: SessionStore) -> Record:
    """Read the chunks too: a refused delete brings the manifest only."""
    if not theirs.pieces:
        return theirs
    return old.rows.get(old.key, consistent=True, now=old.runtime.clock()) or theirs


def _text_of(row: Record, old: SessionStore) -> str:
    """Return a row's text; what is corrupt is empty, and so does not open."""
    try:
        value = old.rows.open(row)
    except CorruptItem:
        value = None
    return (value or b"").decode("utf-8", "surrogatepass")
