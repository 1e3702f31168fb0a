"""Find the rows of one user by an index on a special key, and delete rows until they are gone.

Operators and applications share this. Each delete is conditional on the row that was read, and is
repeated on the row that replaced it. So a request that saves meanwhile is refused, and does not
bring the session back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.dynamodb.table import At
from beaker_dynamodb.errors import CorruptItem, Unavailable, digest
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Record

#: AWS: API_GlobalSecondaryIndex, "IndexName".
_INDEX_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
#: How often a row that is written meanwhile is deleted again.
MAX_TRIES: Final = 50
#: The longest pause between two tries, in seconds.
JITTER: Final = 0.1


def make_index_name(attribute: str) -> str:
    """Return the name of an attribute's index, which no other attribute has.

    `userId` gives `userId-index`. If AWS would refuse that name, its odd characters are replaced,
    and 8 hex digits keep it apart from others that come out alike.
    """
    name = f"{attribute}-index"
    if _INDEX_NAME.fullmatch(name):
        return name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", attribute)[:200] + f"-{digest(attribute)}-index"


def get_matching_rows(
    rows: Rows, keys: Sequence[Key], name: str, value: Attribute, now: float
) -> Iterator[ScannedRow]:
    """Read sessions by key, consistently, and yield the live ones that have the value now.

    A row that cannot be read otherwise is included. A row of another store has no such value.
    """
    for row in scan.get_rows(rows.table, keys, rows.runtime):
        if row.sort == "session" and has_value(row, name, value, now):
            yield row


def has_value(row: ScannedRow | Record, name: str, value: Attribute, now: float) -> bool:
    """Return whether a row is live at *now*, and has this value of a special key."""
    return row.is_live(now) and row.promoted.get(name) == value


def delete_until_gone(
    rows: Rows, row: ScannedRow, is_wanted: Callable[[Record], bool]
) -> bool | None:
    """Delete a row with its chunks, and the rows that replace it meanwhile if they are wanted too.

    While `migrate_from` is set, a tombstone replaces the row. A row of another store is left alone.

    Args: *is_wanted* returns whether a row is to be deleted, the first one included.
    Returns whether it is gone; None if it is written faster than it can be deleted.
    """
    record, runtime = row.record, rows.runtime
    if not row.is_own:
        return False
    moving = rows.options.migrate_from is not None
    for _ in range(MAX_TRIES):
        if record is None:  # it cannot be read, so no condition can name its revision
            tombstone = _make_tombstone(rows, row) if moving else None
            was = scan.delete_unreadable(rows.table, row.key, tombstone)
            if was is not None:
                scan.delete_chunks(rows.table, was)
            return True
        if not is_wanted(record):
            return False
        try:
            at = At(record.rev)
            refusal = (
                rows.table.put(_make_tombstone(rows, row), at)
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


def make_busy_error(rows: Rows) -> Unavailable:
    """Return the error for a session that is written faster than it can be deleted."""
    message = "the session is written faster than it can be deleted"
    return rows.table.make_unavailable(message, "DeleteItem")


def _make_tombstone(rows: Rows, row: ScannedRow) -> Record:
    """Return the tombstone that replaces a session while `migrate_from` is set.

    Without it the copy in the old backend would be moved in again. It expires with the row, but
    no earlier than a session without a time-out would.
    """
    expires = None
    if row.expires is not None:
        expires = max(math.ceil(row.expires), math.ceil(rows.runtime.clock() + rows.options.ttl))
    return rows.make_tombstone(row.key, expires)
