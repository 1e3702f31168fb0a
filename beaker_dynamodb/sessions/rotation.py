"""A session under a fresh id takes the place of its former row, where a marker is left.

Nothing that stood there is lost: what another request has written is merged in first, and a
logout that came in between is one of the new row too.
"""

from __future__ import annotations

from beaker_dynamodb.errors import Conflict, CorruptItem
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.sessions.saving import Attempts
from beaker_dynamodb.sessions.store import SessionStore


def take_over(heir: SessionStore, former: SessionStore) -> bool:
    """Put a marker over the row of the former id, now that the session is stored under its new one.

    Returns False if that row is gone: the session was logged out meanwhile, and the heir's row
    is deleted too.

    Raises: Conflict, where others have changed that row without a pause for 3 seconds, and whatever
    a save raises; it may be called again then.
    """
    if former.standing is None or heir.standing is None:
        return True
    row, held = former.standing.record, former.standing.content.text
    if held != former.known:  # an earlier save of this request has merged something in there
        heir.absorb(former.known, held)
    attempts = Attempts(heir.runtime)
    while (refusal := former.retire(row)) is not None:
        theirs = refusal.theirs
        gone = theirs is None or theirs.birth != row.birth
        if theirs is None or gone or not theirs.live(heir.runtime.clock()):
            heir.remove()
            return False
        row = _whole(theirs, former)
        text = _text(row, former)
        heir.absorb(former.known, text)
        if attempts.is_over():
            error = Conflict("other requests change the session as fast as it gets another id")
            error.theirs = text
            raise error
        attempts.wait()
    former.standing = None
    return True


def _whole(theirs: Record, former: SessionStore) -> Record:
    """Read the pieces too, of which a refused delete brings only the head."""
    if not theirs.pieces:
        return theirs
    now = former.runtime.clock()
    return former.rows.values.get(former.key, consistent=True, now=now) or theirs


def _text(row: Record, former: SessionStore) -> str:
    """Return a row's text; what is corrupt is empty, and so does not open."""
    try:
        value = former.rows.open(row)
    except CorruptItem:
        value = None
    return (value or b"").decode("utf-8", "surrogatepass")
