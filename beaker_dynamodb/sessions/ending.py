"""Find a user's sessions and end them; and repeat that once, when the index has caught up.

An index shows a session about a second after it was written. A request cannot wait for that. So
`UserSessions.end_others()` leaves a note in the row of the session at hand, and the first load of
that row after two seconds ends the user's older sessions once more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from beaker_dynamodb.dynamodb import scan, user_rows
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.errors import (
    AccessRefused,
    DynamoDBBackendError,
    OptionError,
    Refused,
    raise_clean,
)
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Record

log: Final = logging.getLogger(__name__)

#: Seconds after which an index shows what was written before.
INDEX_LAG: Final = 2.0
#: Seconds after which `end_others()` is not repeated any more.
REPEAT_UNTIL: Final = 600.0
#: Hex digits of the hash of a user's id in a note.
_DIGITS: Final = 16


def list_keys(rows: Rows, name: str, value: Attribute) -> Iterator[Key]:
    """Yield the keys of the sessions that the index on a special key holds under *value*.

    Raises: AccessRefused, naming the policy; OptionError, if there is no such index; what the
    client raises.
    """
    index = user_rows.make_index_name(name)
    try:
        for keys in scan.query_index(rows.table, index, name, value):
            yield from keys
    except AccessRefused as error:
        raise_clean(
            AccessRefused(
                f"AWS denies the application dynamodb:Query on index {index!r}, which UserSessions"
                " needs; `beaker-dynamodb policy app --user-sessions` prints the policy",
                call=error.call,
            )
        )
    except Refused as error:
        if error.call is None or error.call.code != "ValidationException":
            raise
        raise_clean(
            OptionError(
                f"the table has no index {index!r} on {name!r}, or it is of another type or still"
                " being created; `beaker-dynamodb table create` adds it, and waits for it",
                call=error.call,
            )
        )


def end_rows(rows: Rows, found: Iterable[ScannedRow], name: str, value: Attribute) -> int:
    """Delete rows, and those that replace them meanwhile; return how many are gone.

    Raises: Unavailable, after all the others are deleted, if one is written faster than it can be
    deleted; what the client raises.
    """

    def is_wanted(record: Record) -> bool:
        return user_rows.has_value(record, name, value, rows.runtime.clock())

    results = [user_rows.delete_until_gone(rows, row, is_wanted) for row in found]
    if None in results:
        raise user_rows.make_busy_error(rows)
    return sum(bool(result) for result in results)


def make_note(name: str, value: Attribute, now: float) -> str:
    """Return a note for a row's `pending`: the time, a hash of the user's id, the special key."""
    return f"{int(now)} {_digest(value)} {name}"


def repeat(rows: Rows, record: Record) -> bool:
    """End the user's older sessions once more, if the row has a note that is due.

    A session that began after the note was made is kept, because its user has logged in since.

    Returns whether the note can be removed. No page fails because of an error: it is logged, and
    the next request tries again.
    """
    when, _, rest = record.pending.partition(" ")
    user, _, name = rest.partition(" ")
    value, now = record.promoted.get(name), rows.runtime.clock()
    if not when.isascii() or not when.isdigit() or value is None or _digest(value) != user:
        return True  # another user has logged in since
    since = int(when)
    if now < since + INDEX_LAG:
        return False
    if now > since + REPEAT_UNTIL:
        return True
    try:
        keys = [key for key in list_keys(rows, name, value) if key != record.key]
        found = user_rows.get_matching_rows(rows, keys, name, value, now)
        older = [row for row in found if _began_before(row, since)]
        end_rows(rows, older, name, value)
    except DynamoDBBackendError as error:
        log.warning("the other sessions of a user could not be ended again: %s", error)
        return False
    return True


def _began_before(row: ScannedRow, moment: int) -> bool:
    """Return whether a session began in that second or before, or its start is unknown."""
    start = None if row.record is None else row.record.start
    return start is None or start <= moment


def _digest(value: Attribute) -> str:
    plain = str(value.normalize()) if isinstance(value, Decimal) else value
    return hashlib.sha256(repr(plain).encode()).hexdigest()[:_DIGITS]
