"""What operators read and delete: scans in segments, pages of an index, rows as they are stored.

Each page says what it cost. A row that cannot be read is described and raises no exception: a
scan that ended at the first corrupt row would not find the rows behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.responses import count_units
from beaker_dynamodb.dynamodb.rows import CHUNK_GRACE
from beaker_dynamodb.dynamodb.table import OwnRow, Table, deserialize, serialize
from beaker_dynamodb.errors import CorruptItem
from beaker_dynamodb.item.codec import FORMAT, ROTATED, TOMBSTONE
from beaker_dynamodb.item.keys import CHUNK, SESSION, Key, RowKind
from beaker_dynamodb.item.record import Attribute, Record, compute_end, read_promoted
from beaker_dynamodb.item.revision import REV_SIZE
from beaker_dynamodb.runtime import REAL, Runtime

#: The first bytes of the data of a tombstone, which replaces a deleted session.
TOMBSTONE_HEADER: Final = bytes((FORMAT, TOMBSTONE))
#: The first bytes of the data of a rotation's tombstone: the session has another id now.
ROTATION_HEADER: Final = bytes((FORMAT, ROTATED))
#: Why a row of another store is not read.
ANOTHER_STORE: Final = "it belongs to another store, which uses the same prefix"
#: The least number of rows that a page examines. Filters apply after this limit.
_SMALL_PAGE: Final = 100
#: AWS: DynamoDB item sizes and formats.
_NESTING_BYTES: Final = 3
_MAX_NUMBER_BYTES: Final = 21
#: Every row of this package has one of these attributes, and no row of another store does.
_OWN_ATTRIBUTES: Final = frozenset({"data", "rev"})


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """A row as it is stored. `expires` is in epoch seconds.

    `size` is in bytes, as AWS bills the attributes that were requested. `record` is None if only
    key and expiry were requested, or if the row cannot be read: then `error` says why. `is_own`
    is False for a row of another store under the same prefix: it has neither `data` nor `rev`. If
    the data was not requested, `rev` alone decides. `promoted` can be read even if the rest cannot.
    `ends_at` is when options `max_age` and `created_after` end the session, in epoch seconds.
    """

    key: Key
    sort: RowKind
    size: int
    expires: Decimal | None = None
    record: Record | None = field(default=None, repr=False)
    error: str = ""
    is_own: bool = True
    promoted: Mapping[str, Attribute] = field(default_factory=dict, repr=False)
    ends_at: float | None = None

    @property
    def is_tombstone(self) -> bool:
        """Return whether the row replaces a session that has ended, or has another id now."""
        return self.record is not None and self.record.data[:2] in {
            TOMBSTONE_HEADER,
            ROTATION_HEADER,
        }

    def is_live(self, now: float) -> bool:
        """Return whether the row has not expired, and the session not ended, at *now*."""
        if self.ends_at is not None and self.ends_at <= now:
            return False
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one call, how many rows it scanned to find them, and the read units it cost.

    `is_last`: the segment has no further rows.
    """

    rows: tuple[ScannedRow, ...]
    scanned: int
    units: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class ScanQuery:
    """Which rows of our prefix are requested, and which attributes of each.

    Args:
        sort: sessions, or every row of the prefix.
        state: all rows, or those live or expired at *now*. Chunks count as expired when their
            manifest does, a day before they expire themselves.
        whole: every attribute; otherwise key, expiry and rev only.
        equal: an attribute and the value that it must have.
        consistent: whether each page has every write that was completed before it, at twice the
            read units.
    """

    sort: Literal["sessions", "rows"] = "sessions"
    state: Literal["all", "live", "expired"] = "all"
    now: float = 0
    whole: bool = False
    equal: tuple[str, Attribute] | None = None
    consistent: bool = False


def scan(
    table: Table,
    query: ScanQuery,
    segment: tuple[int, int] = (0, 1),
    *,
    wanted: int | None = None,
    max_rows: float = math.inf,
) -> Iterator[Page]:
    """Yield the pages of one segment of the table.

    Args:
        segment: its number and the number of all segments.
        wanted: about how many rows the caller needs, so that no page is much larger.
        max_rows: how many rows are scanned at most.
    """
    request = _format_filter(table, query)
    number, total = segment
    if query.consistent:
        request["ConsistentRead"] = True
    if total > 1:
        request |= {"Segment": number, "TotalSegments": total}
    if wanted is not None:
        request["Limit"] = min(max(wanted, _SMALL_PAGE), pages.LARGEST_PAGE)
    for body in pages.paginate(table, "Scan", request, max_rows):
        rows = tuple(_parse_row(table, item, whole=query.whole) for item in body.get("Items", ()))
        yield Page(
            rows,
            body.get("ScannedCount", len(rows)),
            count_units("Scan", body)[0],
            not body.get("LastEvaluatedKey"),
        )


def query_index(
    table: Table, index: str, attribute: str, value: Attribute
) -> Iterator[tuple[Key, ...]]:
    """Yield, page by page, the keys of sessions that an index holds under *value*.

    An index is eventually consistent: what was written within the last second may be missing, and
    what was deleted may still be there.
    """
    names = table.name_keys() | {"#a": attribute}
    request = {
        "IndexName": index,
        "KeyConditionExpression": "#a = :a",
        "ProjectionExpression": ", ".join(name for name in names if name != "#a"),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":a": serialize(value)},
    }
    for body in pages.paginate(table, "Query", request):
        found = (table.parse_key(item) for item in body.get("Items", ()))
        yield tuple(key for key in found if table.layout.classify(key) == "session")


def get_rows(table: Table, keys: Sequence[Key], runtime: Runtime = REAL) -> Iterator[ScannedRow]:
    """Yield rows by key, consistently; missing ones are left out."""
    for item in pages.get_items(table, keys, runtime):
        yield _parse_row(table, item, whole=True)


def get_row(table: Table, key: Key) -> ScannedRow | None:
    """Read one row, consistently; None if there is none."""
    request = {"Key": table.format_key(key), "ConsistentRead": True}
    item = table.call("GetItem", request).body.get("Item")
    return None if item is None else _parse_row(table, item, whole=True)


def delete_expired(table: Table, key: Key, expires: Decimal) -> bool:
    """Delete one row of ours if its expiry is still *expires*; return whether it was deleted."""
    request = {
        "Key": table.format_key(key),
        "ConditionExpression": "#e = :e AND attribute_exists(#r)",
        "ExpressionAttributeNames": {"#e": table.schema.ttl, "#r": "rev"},
        "ExpressionAttributeValues": {":e": serialize(expires)},
    }
    return not table.call("DeleteItem", request).refused


def delete_unreadable(table: Table, key: Key, tombstone: Record | None = None) -> Record | None:
    """Delete a row of ours, whatever it holds, or replace it by a tombstone.

    A row of another store is left alone. Returns the old row, if it can be read after all.
    """
    return table.drop(key, OwnRow()) if tombstone is None else table.replace(tombstone, OwnRow())


def delete_chunks(table: Table, manifest: Record) -> None:
    """Delete the chunks of a manifest that was deleted, one by one.

    A batch would need the permission BatchWriteItem, by which an operator's role could also write
    sessions.
    """
    for number in range(manifest.chunk_count):
        key = table.layout.make_chunk_key(manifest.key, manifest.rev, number)
        table.call("DeleteItem", {"Key": table.format_key(key)})


def _format_filter(table: Table, query: ScanQuery) -> dict[str, Any]:
    """Return the request of a query. Names are placeholders, because some are reserved words."""
    names, values = table.name_keys(), {":p": serialize(table.layout.prefix)}
    parts = ["begins_with(#k, :p)"]
    if query.sort == "sessions" and table.layout.range_key:
        parts.append("#s = :s")
        values[":s"] = serialize(SESSION)
    elif query.sort == "sessions":
        parts.append("NOT contains(#k, :s)")
        values[":s"] = serialize("#")
    if query.sort == "sessions":
        names["#d"] = "data"
        values |= {":t": serialize(TOMBSTONE_HEADER), ":r": serialize(ROTATION_HEADER)}
        parts.append("NOT begins_with(#d, :t) AND NOT begins_with(#d, :r)")
    if query.state == "live":
        parts.append("NOT #e <= :now")  # true of rows without an expiry, and of corrupt ones
    elif query.state == "expired":
        piece = "begins_with(#s, :x)" if table.layout.range_key else "contains(#k, :x)"
        parts.append(f"(#e <= :now OR ({piece} AND #e <= :later))")
        values |= {":x": serialize(CHUNK), ":later": serialize(int(query.now) + CHUNK_GRACE)}
    if query.state != "all":
        values[":now"] = serialize(int(query.now))
    if query.state != "all" or not query.whole:
        names["#e"] = table.schema.ttl
    if query.equal:
        names["#a"], values[":a"] = query.equal[0], serialize(query.equal[1])
        parts.append("#a = :a")
    request: dict[str, Any] = {"FilterExpression": " AND ".join(parts)}
    if not query.whole:
        names["#r"] = "rev"
        request["ProjectionExpression"] = ", ".join(n for n in names if n not in {"#a", "#d"})
    # AWS refuses a name that no expression uses.
    used = " ".join(request.values())
    request["ExpressionAttributeNames"] = {n: name for n, name in names.items() if n in used}
    return request | {"ExpressionAttributeValues": values}


def _parse_row(table: Table, item: Mapping[str, Mapping[str, Any]], *, whole: bool) -> ScannedRow:
    key, size = table.parse_key(item), count_billed_bytes(item)
    expiry = deserialize(item.get(table.schema.ttl, {}))
    expires = expiry if isinstance(expiry, Decimal) and expiry.is_finite() else None
    record, error = None, ""
    promoted: Mapping[str, Attribute] = {}
    is_own = not _OWN_ATTRIBUTES.isdisjoint(item)
    if whole and is_own:
        promoted = read_promoted(
            {name: deserialize(value) for name, value in item.items()}, table.schema
        )
        try:
            record = table.parse_item(key, item)
        except CorruptItem as corrupt:
            error = corrupt.wrong
    elif whole:
        error = ANOTHER_STORE
    return ScannedRow(
        key,
        table.layout.classify(key),
        size,
        expires,
        record,
        error,
        is_own,
        promoted,
        _compute_end(table, item) if record is None else record.ends_at,
    )


def _compute_end(table: Table, item: Mapping[str, Mapping[str, Any]]) -> float | None:
    rev = deserialize(item.get("rev", {}))
    if not isinstance(rev, bytes) or len(rev) != REV_SIZE:
        return None  # the row is corrupt, and an operator must see it
    return compute_end(rev, table.schema)


def count_billed_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes that AWS bills for an item, without the overhead of storage.

    AWS, "DynamoDB item sizes and formats": names and texts count in UTF-8, a number about one byte
    for two digits and one more, a list or map three bytes and one for each member.
    """
    size, left = sum(map(_count_text, item)), list(item.values())
    while left:
        ((kind, value),) = left.pop().items()
        if kind in {"L", "M"}:
            size += _NESTING_BYTES + len(value)
            size += sum(map(_count_text, value)) if kind == "M" else 0
            left += value.values() if kind == "M" else value
        elif kind in {"SS", "NS", "BS"}:
            left += ({kind[0]: member} for member in value)
        else:
            size += _count_scalar(kind, value)
    return size


def _count_scalar(kind: str, value: Any) -> int:
    if kind == "S":
        return _count_text(value)
    if kind == "B":
        return len(value)
    return _count_number(value) if kind == "N" else 1  # BOOL and NULL


def _count_text(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _count_number(text: str) -> int:
    """Return the bytes of a number. Leading and trailing zeros are not stored."""
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    sign = 1 if text.startswith("-") else 0
    return min(_MAX_NUMBER_BYTES, math.ceil(len(digits) / 2) + 1 + sign)
