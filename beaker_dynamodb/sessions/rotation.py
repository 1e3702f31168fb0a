"""Replace the row of a session's old id by a tombstone, after `regenerate_id()`.

Nothing that was stored there is lost: what another request has written under the old id is merged
into the new row first. A logout under the old id logs the new session out, too.
"""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.dynamodb.table import At, RefusedWrite
from beaker_dynamodb.dynamodb.tombstones import Tombstones
from beaker_dynamodb.errors import Conflict
from beaker_dynamodb.item.codec import ROTATED
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.sessions.saving import Attempts, StoredRow, read_text
from beaker_dynamodb.sessions.store import SessionStore

#: Seconds that the tombstone of a rotation lives: longer than a request may take.
TOMBSTONE_LIFETIME: Final = 60.0


def replace_old_row(new: SessionStore, old: SessionStore) -> bool:
    """Put a tombstone over the row of the old id, now that the session is stored under its new one.

    Each pass of the loop puts the tombstone on condition of the row that was seen last. A refusal
    brings the row that is stored instead; its text is merged into the new session's row before the
    next pass, so that a change under the old id is never lost.

    Returns False if that row is gone: the session was logged out meanwhile, and the new row is
    deleted too.
    Raises: Conflict, if other requests change that row for 3 seconds; whatever a save raises. Then
    it may be called again.
    """
    if old.stored is None or new.stored is None:
        return True
    row, text = old.stored.record, old.stored.text
    if text != old.base:  # an earlier save of this request has merged something in there
        new.merge_from(old, text)
    attempts = Attempts(new.runtime)
    while (refusal := put_rotation_tombstone(old, row)) is not None:
        theirs = refusal.theirs
        if theirs is None or theirs.birth != row.birth or not theirs.is_live(new.runtime.clock()):
            new.delete()
            return False
        if theirs.pending != row.pending:  # `end_others()` of another request under the old id
            new.pending = theirs.pending
        row, text = theirs, read_text(old.rows, theirs)
        old.stored = StoredRow(row, text)  # where a second call goes on, if this one fails
        new.merge_from(old, text)
        if attempts.is_over():
            error = Conflict("other requests change the session faster than it can get a new id")
            error.theirs = text
            raise error
        attempts.wait()
    old.stored = None
    return True


def put_rotation_tombstone(old: SessionStore, row: Record) -> RefusedWrite | None:
    """Put a tombstone over *row*: the session has got another id.

    A load finds no session there. A request that is still using the old id, and saves a change,
    is refused by the tombstone and gets a Conflict (`after_refusal`). A tombstone costs as much as
    a delete.

    Returns a refusal with what is stored instead, if it is not *row* any more.
    """
    if old.source is not None:  # it must live as long as the session in the old backend
        return old.source.delete_with_tombstone(old.key, At(row.rev), row, kind=ROTATED)
    if old.tombstones is None:  # kept, so that a second call recognizes the tombstone of the first
        old.tombstones = Tombstones(old.rows)
    return old.tombstones.put(old.key, At(row.rev), row, lifetime=TOMBSTONE_LIFETIME, kind=ROTATED)
