"""List, count and find sessions. `logout.py` deletes them, `purge.py` deletes expired rows.

All are generators over pages, so a table of any size needs the memory of one page.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.parsers import suggest_nearest
from beaker_dynamodb.dynamodb import scan as table_scan
from beaker_dynamodb.dynamodb.connection import OPERATOR_ATTEMPTS
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.dynamodb.user_rows import get_matching_rows
from beaker_dynamodb.errors import (
    CallFacts,
    CorruptItem,
    DynamoDBBackendError,
    OptionError,
    TableMissing,
    say_table_missing,
)
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import MAX_INDEX_KEY, Attribute, Schema, promote
from beaker_dynamodb.ops import identity, parallel
from beaker_dynamodb.ops.bounds import limit_time
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.provision import measure
from beaker_dynamodb.runtime import REAL, Runtime

#: Seconds. A page of a scan is a megabyte, and an operator can wait for it.
READ_TIMEOUT: Final = 30.0

#: What an index can hold, by its type.
_EXPECTED: Final = {
    "S": f"a text of at most {MAX_INDEX_KEY:,} bytes",
    "N": "a number of at most 38 digits, as DynamoDB holds them",
    "B": f"bytes in base64, at most {MAX_INDEX_KEY:,}",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is stored.

    `id` is the stored one: with `hash_ids` a hash. `expires` (None: never) and `created`, when the
    session began (None: unknown), are in epoch seconds, up to the year 9999. `size` is that of its
    row in bytes; a large session also has `chunks`, each a row. `error` says why it cannot be read,
    "" if it can.
    """

    id: str = field(repr=False)
    live: bool
    expires: float | None
    created: float | None
    size: int
    chunks: int
    special_keys: Mapping[str, Attribute] = field(repr=False)
    error: str = ""

    def is_ended(self, now: float) -> bool:
        """Return whether `max_age` or `created_after` has ended it, though its row still lives."""
        return not self.live and (self.expires is None or self.expires > now)


@dataclass(frozen=True, slots=True)
class Count:
    """The number of sessions so far, and the read units consumed.

    `other_rows` belong to another store under the same prefix, and are in no other figure.
    """

    live: int = 0
    expired: int = 0
    scanned_rows: int = 0
    read_units: float = 0
    other_rows: int = 0


def open_rows(options: Options, runtime: Runtime = REAL, *, connections: int = 1) -> Rows:
    """Return access to the sessions, with long time-outs. No missing table is created."""
    return build_rows(
        dataclasses.replace(
            options,
            create_table=False,
            read_timeout=max(options.read_timeout, READ_TIMEOUT),
            max_attempts=max(options.max_attempts, OPERATOR_ATTEMPTS),
            max_pool_connections=max(options.max_pool_connections, connections),
        ),
        "session",
        runtime,
    )


def list_sessions(  # noqa: PLR0913  # named, each of them
    rows: Rows,
    now: float,
    *,
    with_expired: bool = False,
    limit: int | None = None,
    segments: int = 1,
    on_other_rows: Callable[[int], object] = int,
) -> Iterator[Session]:
    """Yield live sessions, at most *limit*, and read no more of the table than is needed for that.

    Args:
        now: epoch seconds.
        with_expired: yield also those that have expired or ended, but still exist.
        segments: the number of parts of the table that are read at once, if there is no limit.
        on_other_rows: called with the number of a page's rows that belong to another store.
    """
    query = ScanQuery("sessions", "all" if with_expired else "live", now, whole=True)
    segments, left = (segments, math.inf) if limit is None else (1, limit)
    for page in parallel.scan_segments(rows.table, query, segments, wanted=limit):
        on_other_rows(sum(not row.is_own for row in page.rows))
        for row in page.rows:
            is_wanted = with_expired or row.is_live(now)
            if left and row.is_own and row.sort == "session" and is_wanted:
                left -= 1
                yield describe_row(rows, row, now)
        if not left:  # the next page would be paid for
            return


def count_sessions(rows: Rows, now: float, *, segments: int = 1) -> Generator[Count, None, None]:
    """Count live and expired sessions, and yield the count after each page.

    Args: *segments* is the number of parts of the table that are read at once.
    """
    total = Count()
    for page in parallel.scan_segments(rows.table, ScanQuery("sessions"), segments):
        ours = [row for row in page.rows if row.is_own]
        found = [row.is_live(now) for row in ours if row.sort == "session"]
        total = Count(
            total.live + sum(found),
            total.expired + len(found) - sum(found),
            total.scanned_rows + page.scanned,
            total.read_units + page.units,
            total.other_rows + len(page.rows) - len(ours),
        )
        yield total


def find_sessions(rows: Rows, query: str, now: float, *, scan: bool = False) -> Iterator[Session]:
    """Yield the live sessions whose special key has a value; *query* is `NAME=VALUE`.

    Candidates come from the index, and each is read consistently. *scan* reads the whole table
    instead.

    Raises: OptionError, if it is not a special key, has no index, or the value is not of its type.
    """
    for row in find_rows(rows, *parse_special_key(rows.options, query), now, scan=scan):
        yield describe_row(rows, row, now)


def parse_special_key(options: Options, query: str) -> tuple[str, Attribute]:
    """Parse `NAME=VALUE`, its value by its type in option special_keys; binary is base64.

    Raises: OptionError, with what to do.
    """
    name, equals, text = query.partition("=")
    kinds = dict(options.special_keys)
    if not equals or not name or not text:
        raise OptionError("expected NAME=VALUE, such as userId=42")
    if name not in kinds:
        known = f"they are: {', '.join(kinds)}" if kinds else "there are none"
        hint = suggest_nearest(name, kinds) or (
            ". Only special keys can be searched for, by --scan too:"
            f" special_keys = {name} ({name}:N for numbers); a session has the attribute from its"
            " next save on"
        )
        raise OptionError(f"{name!r} is not one of the special keys ({known}){hint}")
    value: object = text
    try:
        if kinds[name] == "N":
            value = Decimal(text)
        elif kinds[name] == "B":
            value = base64.b64decode(text, validate=True)
    except (InvalidOperation, ValueError):
        value = None  # which no index can hold
    # As a save would write it: a value that no index can hold finds no session.
    kept, _ = promote({name: value}, Schema(special=((name, kinds[name]),)))
    if name in kept:
        return name, kept[name]
    raise OptionError(
        f"special key {name!r} is of type {kinds[name]}: expected {_EXPECTED[kinds[name]]}"
    )


def find_rows(
    rows: Rows, name: str, value: Attribute, now: float, *, scan: bool
) -> Iterator[ScannedRow]:
    """Yield the live rows that have the value now, each read consistently.

    Rows that are otherwise unreadable are included, those of another store are not.
    """
    found: Iterator[tuple[Key, ...]]
    measure(rows.table)  # raises for a table of other keys, where nothing would be found
    if scan:
        query = ScanQuery("sessions", "live", now, equal=(name, value))
        found = (tuple(s.key for s in page.rows) for page in table_scan.scan(rows.table, query))
    else:
        found = table_scan.query_index(rows.table, _find_index(rows, name), name, value)
    for keys in found:
        yield from get_matching_rows(rows, keys, name, value, now)


def _find_index(rows: Rows, attribute: str) -> str:
    """Return the name of an index on an attribute, whatever that name is."""
    table = provision.describe(rows.table.client, rows.table.name)
    if table is None:
        facts = CallFacts("DescribeTable", rows.table.name, rows.table.client.region)
        raise TableMissing(say_table_missing(), call=facts)
    for index in table.indexes:
        if index.attribute == attribute:
            return index.name
    raise OptionError(
        f"table {rows.table.name!r} has no index on {attribute!r}; --scan reads the whole table"
        " instead, and consumes the read units of all of it"
    )


def describe_row(rows: Rows, row: ScannedRow, now: float) -> Session:
    """Describe a row as a session. If it cannot be read, the result says why."""
    record, error = row.record, row.error
    if record is not None and not record.chunk_count:
        try:
            rows.open(record)
        except DynamoDBBackendError as failure:
            error = explain(failure)
    return Session(
        identity.format_id(row.key, rows.layout),
        row.is_live(now),
        limit_time(row.expires),
        limit_time(record.start) if record else None,
        row.size,
        record.chunk_count if record else 0,
        row.promoted,
        error,
    )


def explain(error: DynamoDBBackendError) -> str:
    """Return why a row cannot be read; the row itself is not named."""
    return error.wrong if isinstance(error, CorruptItem) else str(error)
