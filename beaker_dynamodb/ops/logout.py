"""Log sessions out: one by its id, all of a user, or all of the table.

Each delete is conditional on the row that was read, and is repeated on the row that replaced it
until there is none. So a request that saves meanwhile is refused, and does not bring it back.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.dynamodb.user_rows import delete_until_gone, has_value, make_busy_error
from beaker_dynamodb.errors import CallFacts, Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import identity
from beaker_dynamodb.ops.parallel import Sweep, SweepProgress, Tally
from beaker_dynamodb.ops.sessions import Session, describe_row, find_rows, parse_special_key

#: How often an index is queried, and the pause between two queries in seconds.
MAX_PASSES: Final = 10
PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class RevokeProgress(SweepProgress):
    """The progress of `revoke_all`.

    Args:
        revoked_sessions: sessions that were deleted.
        busy_sessions: sessions that were written faster than they could be deleted, and remain.
    """

    revoked_sessions: int = 0
    busy_sessions: int = 0


def find_row(rows: Rows, query: str, secret: str | None = None) -> ScannedRow | None:
    """Return the row that an operator names; None if there is no such row.

    A row of another store is returned if there is no row of ours; its `ours` is False.

    Args:
        query: a cookie's value, signed or not, a session's id, or its row's hash key.
        secret: the application's `session.secret`, by which a signature is checked.

    Raises: OptionError, as `identity.list_keys`; what the client raises.
    """
    other = None
    for key in identity.list_keys(query, rows.layout, secret):
        row = scan.get_row(rows.table, key)
        if row is None or (row.record and row.record.is_tombstone):
            continue
        if row.is_own:
            return row
        other = other or row
    return other


def delete(rows: Rows, row: ScannedRow, now: float) -> Session:
    """Delete a session and its chunks, whatever is saved to it meanwhile.

    Returns the session as it was read. An unreadable one is deleted too; a row of another store
    is not.

    Raises: Unavailable, if it is written faster than it can be deleted; what the client raises.
    """
    session = describe_row(rows, row, now)
    if delete_until_gone(rows, row, lambda _: True) is None:
        raise make_busy_error(rows)
    return session


def revoke(
    rows: Rows, query: str, now: float, *, scan: bool = False, keep: Collection[Key] = ()
) -> Iterator[Session]:
    """Delete all live sessions whose special key has a value, and yield each that was deleted.

    An index may show a session only a second after it was written. So it is queried at least
    twice, and until a query finds none. A login after that is not logged out. A session that is
    written faster than it can be deleted delays no other; the next pass tries it again.

    Args:
        query: `NAME=VALUE`; *scan* reads the whole table instead of an index.
        keep: rows that are not deleted, such as the operator's own session.

    Raises: OptionError, as `find_sessions`; Unavailable, if every pass finds some.
    """
    name, value = parse_special_key(rows.options, query)
    busy = False
    for turn in range(MAX_PASSES):
        clean, busy = True, False
        for row in find_rows(rows, name, value, now, scan=scan):
            if row.key in keep:
                continue
            clean = False
            session = describe_row(rows, row, now)
            gone = delete_until_gone(rows, row, lambda record: has_value(record, name, value, now))
            if gone:
                yield session
            busy = busy or gone is None
        if clean and (scan or turn):
            return
        rows.runtime.sleep(PAUSE)
    if busy:
        raise make_busy_error(rows)
    facts = CallFacts("Query", rows.table.name, rows.table.client.region)
    raise Unavailable("new sessions of this value keep appearing; run revoke again", call=facts)


def revoke_all(  # noqa: PLR0913  # named, most of them
    rows: Rows,
    now: float,
    *,
    segments: int = 1,
    rate: float | None = None,
    keep: Collection[Key] = (),
    tally: Tally[RevokeProgress] | None = None,
) -> Generator[RevokeProgress, None, None]:
    """Delete every session of the table, and yield the progress.

    It reads the table once, consistently. So every session that was saved before it began is
    deleted, under the id that it had then, also one that the options `max_age` or `created_after`
    have ended. A session that begins meanwhile, or that gets a new id, may remain: option
    `created_after` ends it. Run it again after an interruption; deleted rows cost nothing more.

    Args:
        now: epoch seconds; expired rows are left to DynamoDB's TTL.
        segments: the number of threads, each of which reads one part of the table.
        rate: capacity units a second, read and write together; None: no limit.
        keep: rows that are not deleted, such as the operator's own session.
        tally: holds the progress after an interruption.

    Raises: Unavailable, at the end, if a session is written faster than it can be deleted; what
    the client raises.
    """

    def is_wanted(row: ScannedRow) -> bool:
        return row.sort == "session" and row.is_own and row.key not in keep

    def delete_row(row: ScannedRow) -> dict[str, float]:
        gone = delete_until_gone(rows, row, lambda record: not record.is_tombstone)
        return {"revoked_sessions": gone is True, "busy_sessions": gone is None}

    tally = tally or Tally(RevokeProgress())
    query = ScanQuery("sessions", "live", now, whole=True, consistent=True)
    yield from Sweep(rows, query, is_wanted, delete_row, tally, rate).run(segments)
    if tally.progress.busy_sessions:
        raise make_busy_error(rows)
