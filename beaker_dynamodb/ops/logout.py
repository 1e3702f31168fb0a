"""Logging sessions out for good: one by its id, or all of a user's.

Each delete is conditional on what was seen, and repeated on what stands there instead until
nothing does: a request that saves meanwhile is refused, and never brings a session back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.dynamodb.table import At
from beaker_dynamodb.errors import CallFacts, CorruptItem, Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record, rev_of
from beaker_dynamodb.ops import identity
from beaker_dynamodb.ops.sessions import (
    Session,
    describe_row,
    find_rows,
    has_value,
    parse_special_key,
)

#: How often a row that is written meanwhile is deleted anew, and at most how long in between.
TRIES: Final = 50
JITTER: Final = 0.1
#: How often an index is asked at most, and how many seconds lie between two looks.
PASSES: Final = 10
PAUSE: Final = 1.0


def find_row(rows: Rows, word: str, secret: str | None = None) -> ScannedRow | None:
    """Find the row that an operator's word means; None where none of those it may mean is there.

    A row of another store is returned where no row of ours is there; `ours` tells.

    Args:
        word: a cookie's value, signed or not, a session's id, or its row's hash key.
        secret: the application's `session.secret`, if the signature is to be checked.

    Raises: OptionError, as `identity.list_keys`; what the client raises.
    """
    other = None
    for key in identity.list_keys(word, rows.layout, secret):
        row = scan.sight(rows.table, key)
        if row is None or (row.record and row.record.is_tombstone):
            continue
        if row.ours:
            return row
        other = other or row
    return other


def delete(rows: Rows, row: ScannedRow, now: float) -> Session:
    """Delete a session that was sought, whatever is saved to it meanwhile; its pieces go, too.

    Returns the session as it was seen. One that cannot be read is deleted all the same; a row of
    another store never is.

    Raises: Unavailable, if it is written faster than it can be deleted; what the client raises.
    """
    was = describe_row(rows, row, now)
    if _remove(rows, row, lambda _: True) is None:
        raise _written_on(rows)
    return was


def revoke(
    rows: Rows, word: str, now: float, *, scan: bool = False, keep: Collection[Key] = ()
) -> Iterator[Session]:
    """Delete all live sessions whose special key has a value, and yield each that is gone.

    An index shows a session up to about a second after it was written, so it is asked at least
    twice, and until a look finds none. What logs in after that is not logged out.

    Args:
        word: `NAME=VALUE`; *scan* reads the whole table instead of an index.
        keep: rows that are left alone, such as the session at hand.

    One that is written faster than it can be deleted holds up no other: each look tries it anew.

    Raises: OptionError, as `maintenance.found`; Unavailable, if every look finds some.
    """
    name, value = parse_special_key(rows.options, word)
    busy = False
    for turn in range(PASSES):
        clean, busy = True, False
        for row in find_rows(rows, name, value, now, scan=scan):
            if row.key in keep:
                continue
            clean = False
            was = describe_row(rows, row, now)
            gone = _remove(rows, row, lambda record: has_value(record, name, value, now))
            if gone:
                yield was
            busy = busy or gone is None
        if clean and (scan or turn):
            return
        rows.runtime.sleep(PAUSE)
    if busy:
        raise _written_on(rows)
    facts = CallFacts("Query", rows.table.name, rows.table.client.region)
    raise Unavailable("new sessions of this value keep appearing; revoke it again", call=facts)


def _remove(rows: Rows, row: ScannedRow, still: Callable[[Record], bool]) -> bool | None:
    """Delete a row until it is gone; False if what stands there is not meant any more.

    None, if it is written faster than it can be deleted.
    """
    record, runtime = row.record, rows.runtime
    if not row.ours:
        return False
    moving = rows.options.migrate_from is not None
    for _ in range(TRIES):
        if record is None:  # it cannot be read, so there is nothing to be conditional on
            tombstone = _tombstone(rows, row) if moving else None
            was = scan.remove_unreadable(rows.table, row.key, tombstone)
            if was is not None:
                scan.remove_pieces(rows.table, was)
            return True
        if not still(record):
            return False
        try:
            at = At(record.rev)
            refusal = (
                rows.table.put(_tombstone(rows, row), at)
                if moving
                else rows.table.delete(row.key, at)
            )
        except CorruptItem:  # it was refused, and what stands there cannot be read
            record = None
            continue
        if refusal is None or refusal.theirs is None:
            scan.remove_pieces(rows.table, record)
            return True
        record = refusal.theirs
        runtime.sleep(runtime.random() * JITTER)
    return None


def _written_on(rows: Rows) -> Unavailable:
    """Make the error that says of a session that it is still there."""
    facts = CallFacts("DeleteItem", rows.table.name, rows.table.client.region)
    return Unavailable("the session is written faster than it can be deleted", call=facts)


def _tombstone(rows: Rows, row: ScannedRow) -> Record:
    """Make what stands in a session's place while sessions are moved: else it were moved again.

    It stands as long as the row would have, and no shorter than a session without a timeout.
    """
    runtime, expires = rows.runtime, None
    if row.expires is not None:
        expires = max(math.ceil(row.expires), math.ceil(runtime.clock() + rows.options.ttl))
    return rows.tombstone(row.key, rev_of(runtime.token(), runtime.token()), expires)
