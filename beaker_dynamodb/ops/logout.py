"""Log sessions out for good: one by its id, or all of a user.

Each delete is conditional on the row that was read, and repeated on the row that replaced it
until there is none: a request that saves meanwhile is refused, and never brings a session back.
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
from beaker_dynamodb.item.record import Record, make_rev
from beaker_dynamodb.ops import identity
from beaker_dynamodb.ops.sessions import (
    Session,
    describe_row,
    find_rows,
    has_value,
    parse_special_key,
)

#: How often a row that is written meanwhile is deleted again, and the longest pause in seconds.
TRIES: Final = 50
JITTER: Final = 0.1
#: How often an index is queried at most, and the pause between two queries in seconds.
PASSES: Final = 10
PAUSE: Final = 1.0


def find_row(rows: Rows, word: str, secret: str | None = None) -> ScannedRow | None:
    """Return the row that an operator names; None if none of those it may mean exists.

    A row of another store is returned if there is no row of ours; see its `ours`.

    Args:
        word: a cookie's value, signed or not, a session's id, or its row's hash key.
        secret: the application's `session.secret`, if the signature is to be checked.

    Raises: OptionError, as `identity.list_keys`; what the client raises.
    """
    other = None
    for key in identity.list_keys(word, rows.layout, secret):
        row = scan.get_row(rows.table, key)
        if row is None or (row.record and row.record.is_tombstone):
            continue
        if row.is_own:
            return row
        other = other or row
    return other


def delete(rows: Rows, row: ScannedRow, now: float) -> Session:
    """Delete a session and its chunks, whatever is saved to it meanwhile.

    Returns the session as it was read. One that cannot be read is deleted all the same; a row of
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
    """Delete all live sessions whose special key has a value, and yield each that was deleted.

    An index shows a session up to about a second after it was written, so it is queried at least
    twice, and until a query finds none. A login after that is not logged out.

    Args:
        word: `NAME=VALUE`; *scan* reads the whole table instead of an index.
        keep: rows that are not deleted, such as the operator's own session.

    A session that is written faster than it can be deleted delays no other: each pass tries again.

    Raises: OptionError, as `find_sessions`; Unavailable, if every pass finds some.
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
    raise Unavailable("new sessions of this value keep appearing; run revoke again", call=facts)


def _remove(rows: Rows, row: ScannedRow, still: Callable[[Record], bool]) -> bool | None:
    """Delete a row until it is gone; False if the row that replaced it is not to be deleted.

    Returns None if it is written faster than it can be deleted.
    """
    record, runtime = row.record, rows.runtime
    if not row.is_own:
        return False
    moving = rows.options.migrate_from is not None
    for _ in range(TRIES):
        if record is None:  # it cannot be read, so there is nothing to be conditional on
            tombstone = _tombstone(rows, row) if moving else None
            was = scan.delete_unreadable(rows.table, row.key, tombstone)
            if was is not None:
                scan.delete_chunks(rows.table, was)
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
        except CorruptItem:  # it was refused, and the row that is there now cannot be read
            record = None
            continue
        if refusal is None or refusal.theirs is None:
            scan.delete_chunks(rows.table, record)
            return True
        record = refusal.theirs
        runtime.sleep(runtime.random() * JITTER)
    return None


def _written_on(rows: Rows) -> Unavailable:
    """Return the error that says that a session still exists."""
    facts = CallFacts("DeleteItem", rows.table.name, rows.table.client.region)
    return Unavailable("the session is written faster than it can be deleted", call=facts)


def _tombstone(rows: Rows, row: ScannedRow) -> Record:
    """Return the tombstone that replaces a session while `migrate_from` is set.

    Without it the old backend's copy would be moved in again. It lives as long as the row would
    have, and at least as long as a session without a timeout.
    """
    runtime, expires = rows.runtime, None
    if row.expires is not None:
        expires = max(math.ceil(row.expires), math.ceil(runtime.clock() + rows.options.ttl))
    return rows.make_tombstone(row.key, make_rev(runtime.token(), runtime.token()), expires)
