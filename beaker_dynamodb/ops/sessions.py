"""Sessions for operators: list, count, find; `logout.py` deletes, `purge.py` clears away.

Generators over pages, so that a table of any size takes the memory of a page. What a command
draws is made of the frozen values of this file; nothing here prints.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb import scan as table_scan
from beaker_dynamodb.dynamodb.rows import Rows, rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.errors import (
    CallFacts,
    CorruptItem,
    DynamoDBBackendError,
    OptionError,
    TableMissing,
    say_table_missing,
)
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import MOST_INDEXED, Attribute, Record, Schema, promote
from beaker_dynamodb.ops import ages, identity, parallel
from beaker_dynamodb.ops.bounds import limit_expiry
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.provision import measure
from beaker_dynamodb.runtime import REAL, Runtime

#: Seconds. A page of a scan is a megabyte, and an operator can wait for it.
READ_TIMEOUT: Final = 30.0

State = Literal["live", "expired", "all"]
#: What an index can hold, by its type.
_EXPECTED: Final = {
    "S": f"a text of at most {MOST_INDEXED:,} bytes",
    "N": "a number of at most 38 digits, as DynamoDB holds them",
    "B": f"bytes in base64, at most {MOST_INDEXED:,}",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its row has it.

    `id` is as the row has it: under `hash_ids` its hash. `expires` and `begun` are in epoch
    seconds, None for never, and for not known; neither lies beyond the year 9999. `size` is the
    row's in bytes; a session in `pieces` has so many rows more. `wrong`: why it cannot be read,
    empty if it can.
    """

    id: str = field(repr=False)
    live: bool
    expires: float | None
    begun: float | None
    size: int
    pieces: int
    promoted: Mapping[str, Attribute] = field(repr=False)
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many sessions there are so far, and the read units that it took to know.

    `other_rows`: rows of another store under the same prefix. They are counted nowhere else.
    """

    live: int = 0
    expired: int = 0
    looked_at: int = 0
    read_units: float = 0
    other_rows: int = 0


def operated(options: Options, runtime: Runtime = REAL, *, connections: int = 1) -> Rows:
    """Build the rows of a session for an operator: patient, and never creating a table."""
    return rows(
        dataclasses.replace(
            options,
            create_table=False,
            read_timeout=max(options.read_timeout, READ_TIMEOUT),
            max_pool_connections=max(options.max_pool_connections, connections),
        ),
        "session",
        runtime,
    )


def listed(  # noqa: PLR0913  # named, each of them
    of: Rows,
    now: float,
    *,
    state: State = "live",
    limit: int | None = None,
    segments: int = 1,
    others: Callable[[int], object] = int,
) -> Iterator[Session]:
    """Yield the sessions, at most *limit*; it reads the table as far as it must.

    Args:
        now: epoch seconds.
        segments: so many parts of the table are read at once, where there is no limit.
        others: called with how many rows of a page belong to another store; none is yielded.
    """
    ask, left = ScanQuery("sessions", state, now, whole=True), limit
    if limit is None:
        pages = parallel.pages(of.table, ask, segments)
    else:
        measure(of.table)  # its keys are ours, or this raises
        pages = table_scan.scan(of.table, ask, most=limit)
    for page in pages:
        others(sum(not seen.ours for seen in page.rows))
        for seen in page.rows:
            if left == 0:
                return
            if seen.ours and seen.sort == "session":
                left = None if left is None else left - 1
                yield described(of, seen, now)


def counted(of: Rows, now: float, *, segments: int = 1) -> Iterator[Count]:
    """Count live and expired sessions, and yield how far it is after each page.

    Args: *segments*: so many parts of the table are read at once.
    """
    total = Count()
    for page in parallel.pages(of.table, ScanQuery("sessions"), segments):
        ours = [seen for seen in page.rows if seen.ours]
        found = [seen.live(now) for seen in ours if seen.sort == "session"]
        total = Count(
            total.live + sum(found),
            total.expired + len(found) - sum(found),
            total.looked_at + page.looked_at,
            total.read_units + page.units,
            total.other_rows + len(page.rows) - len(ours),
        )
        yield total


def found(of: Rows, word: str, now: float, *, scan: bool = False) -> Iterator[Session]:
    """Yield the live sessions whose special key has a value; *word* is `NAME=VALUE`.

    The index names candidates, and each is looked at consistently; *scan* reads the whole table
    instead, where there is no index.

    Raises: OptionError, if it is no special key, has no index, or the value is not of its type.
    """
    for seen in matching(of, *wanted(of.options, word), now, scan=scan):
        yield described(of, seen, now)


def wanted(options: Options, word: str) -> tuple[str, Attribute]:
    """Read `NAME=VALUE` by the type that option special_keys gives the name.

    A binary value is given in base64.

    Raises: OptionError, saying what to do.
    """
    name, equals, text = word.partition("=")
    kinds = dict(options.special_keys)
    if not equals or not name or not text:
        raise OptionError("expected NAME=VALUE, such as userId=42")
    if name not in kinds:
        known = ", ".join(kinds) or "none"
        raise OptionError(
            f"{name!r} is not a special key of these options (they have: {known}). Only what the"
            f" application promotes can be searched for: special_keys = {name}:S; a session has it"
            " from its next save on"
        )
    value: object = text
    try:
        if kinds[name] == "N":
            value = Decimal(text)
        elif kinds[name] == "B":
            value = base64.b64decode(text, validate=True)
    except (InvalidOperation, ValueError):
        value = None  # said below, without a context
    # As a save would write it: what no index can hold, no session is found by.
    kept, _ = promote({name: value}, Schema(special=((name, kinds[name]),)))
    if name in kept:
        return name, kept[name]
    raise OptionError(
        f"special key {name!r} is of type {kinds[name]}: expected {_EXPECTED[kinds[name]]}"
    )


def matching(
    of: Rows, name: str, value: Attribute, now: float, *, scan: bool
) -> Iterator[ScannedRow]:
    """Yield the live rows that have the value now, as a consistent read sees them.

    Those too that cannot be read otherwise; never another store's.
    """
    found: Iterator[tuple[Key, ...]]
    measure(of.table)  # its keys are ours, or this raises: "nobody" would be no answer
    if scan:
        ask = ScanQuery("sessions", "live", now, equal=(name, value))
        found = (tuple(s.key for s in page.rows) for page in table_scan.scan(of.table, ask))
    else:
        found = table_scan.by_index(of.table, _index(of, name), name, value)
    for keys in found:
        for seen in table_scan.look(of.table, keys, of.runtime):
            if seen.sort == "session" and has(seen, name, value, now):
                yield seen


def has(row: ScannedRow | Record, name: str, value: Attribute, now: float) -> bool:
    """Tell whether a row is there at *now*, with this value of a special key."""
    return row.live(now) and row.promoted.get(name) == value


def _index(of: Rows, name: str) -> str:
    """Find an index of the attribute; one of another name serves as well."""
    is_ = provision.describe(of.table.client, of.table.name)
    if is_ is None:
        facts = CallFacts("DescribeTable", of.table.name, of.table.client.region)
        raise TableMissing(say_table_missing(), call=facts)
    named = [index.name for index in is_.indexes if index.attribute == name]
    if not named:
        raise OptionError(
            f"table {of.table.name!r} has no index on {name!r}; --scan searches the whole table"
            " instead, at the price of reading it"
        )
    return named[0]


def described(of: Rows, seen: ScannedRow, now: float) -> Session:
    """Describe a row that was seen; what cannot be read of it is said, not raised."""
    record, begun, wrong = seen.record, None, seen.wrong
    if record is not None and not record.pieces:
        try:
            text, pickles = opened(of, record) or "", of.options.envelope != "json"
            begun = ages.begun(text, of.options.max_value_size, pickles=pickles)
        except DynamoDBBackendError as error:
            wrong = error.wrong if isinstance(error, CorruptItem) else str(error)
    return Session(
        identity.shown(seen.key, of.layout),
        seen.live(now),
        limit_expiry(seen.expires),
        begun,
        seen.size,
        record.pieces if record else 0,
        seen.promoted,
        wrong,
    )


def opened(of: Rows, record: Record) -> str | None:
    """Open a session's record to Beaker's text; None where it is of another kind.

    Raises: CorruptItem, UnknownFormat, ItemTooLarge.
    """
    value = of.open(record)
    return None if value is None else value.decode("utf-8", "surrogatepass")
