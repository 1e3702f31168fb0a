"""A session under a fresh id takes the place of its former row, where a marker is left.

Nothing that stood there is lost: what another request has written is merged in first, and a
logout that came in between is one of the new row too.
"""

from __future__ import annotations

from beaker_dynamodb.item.record import Record
from beaker_dynamodb.sessions.store import Keeper


def take_over(heir: Keeper, former: Keeper) -> bool:
    """Put a marker over the row of the former id, now that the session is stored under its new one.

    Returns False if that row is gone: the session was logged out meanwhile, and the heir's row
    is deleted too. Raises: whatever a save raises; it may be called again then.
    """
    if former.standing is None or heir.standing is None:
        return True
    row, held = former.standing.record, former.standing.content.text
    if held != former.known:  # an earlier save of this request has merged something in there
        heir.absorb(former.known, held)
    while (refusal := former.retire(row)) is not None:
        theirs = refusal.theirs
        gone = theirs is None or theirs.birth != row.birth
        if theirs is None or gone or not theirs.live(heir.around.clock()):
            heir.remove()
            return False
        row = _whole(theirs, former)
        text = former.rows.open(row) or b""
        heir.absorb(former.known, text.decode("utf-8", "surrogatepass"))
    former.standing = None
    return True


def _whole(theirs: Record, former: Keeper) -> Record:
    """Read the pieces too, of which a refused delete brings only the head."""
    if not theirs.pieces:
        return theirs
    now = former.around.clock()
    return former.rows.values.get(former.key, consistent=True, now=now) or theirs
