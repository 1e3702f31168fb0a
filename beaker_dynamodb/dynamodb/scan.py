"""What operators read and remove: scans in segments, pages of an index, rows as they stand.

Each page says what it cost. A row that cannot be read is described, never an exception: a
survey that ends at the first corrupt row finds nothing behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.responses import count_units
from beaker_dynamodb.dynamodb.rows import GRACE
from beaker_dynamodb.dynamodb.table import Ours, Table, plain, typed
from beaker_dynamodb.errors import CorruptItem
from beaker_dynamodb.item.codec import FORMAT, ROTATED, TOMBSTONE
from beaker_dynamodb.item.keys import PIECE, SESSION, Key, Sort
from beaker_dynamodb.item.record import Attribute, Record, promoted_of
from beaker_dynamodb.runtime import REAL, Runtime

#: How the data of a tombstone begins: it stands where a session stood, and is none.
TOMB: Final = bytes((FORMAT, TOMBSTONE))
#: How the data of a rotation's marker begins: its session has another id.
ROTATION: Final = bytes((FORMAT, ROTATED))
#: What is said of a row that is not ours.
ANOTHER_STORE: Final = "it belongs to another store, which uses the same prefix"
#: The least rows of a page, where few are asked for: filters come after this limit.
_SMALL_PAGE: Final = 100
#: More rows than a page of a megabyte holds; AWS refuses a limit that is no 32-bit integer.
_LARGEST_PAGE: Final = 1_000_000
#: AWS: DynamoDB item sizes and formats.
_NESTING_BYTES: Final = 3
_MAX_NUMBER_BYTES: Final = 21
#: What every row of ours has, and another store's has not.
_OURS: Final = frozenset({"data", "rev"})


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """A row as it stands. `size` is in bytes, as AWS bills what was asked for of it.

    `record` is None where only its key and expiry were asked for, or where *wrong* says why it
    cannot be read. `expires` is in epoch seconds. `ours` is False for a row of another store
    under the same prefix: it has neither `data` nor `rev`. Where its data was not asked for,
    `rev` alone decides. `promoted` is there also where the rest cannot be read.
    """

    key: Key
    sort: Sort
    size: int
    expires: Decimal | None = None
    record: Record | None = field(default=None, repr=False)
    wrong: str = ""
    ours: bool = True
    promoted: Mapping[str, Attribute] = field(default_factory=dict, repr=False)

    def live(self, now: float) -> bool:
        """Tell whether the row is there at all at *now* (epoch seconds)."""
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class Page:
    """What one call brought: rows, how many were looked at, and the read units that it cost."""

    rows: tuple[ScannedRow, ...]
    looked_at: int
    units: float


@dataclass(frozen=True, slots=True)
class ScanQuery:
    """Which rows of our prefix are asked for, and how much of each.

    Args:
        sort: sessions, or every row of the prefix.
        state: all of them, or those live or expired at *now*. Pieces count as expired with
            their head, a day before their own row says so.
        whole: every attribute; else key, expiry and rev alone.
        equal: an attribute and the value that it must have.
    """

    sort: Literal["sessions", "rows"] = "sessions"
    state: Literal["all", "live", "expired"] = "all"
    now: float = 0
    whole: bool = False
    equal: tuple[str, Attribute] | None = None


def scan(
    table: Table, ask: ScanQuery, segment: tuple[int, int] = (0, 1), most: int | None = None
) -> Iterator[Page]:
    """Read one segment (number, of how many) of the table page by page, eventually consistent.

    Args: *most*: about so many rows are wanted, so that no page need be larger.
    """
    request = _filter(table, ask)
    number, total = segment
    if total > 1:
        request |= {"Segment": number, "TotalSegments": total}
    if most is not None:
        request["Limit"] = min(max(most, _SMALL_PAGE), _LARGEST_PAGE)
    for body in pages.paginate(table, "Scan", request):
        rows = tuple(_sighting(table, item, whole=ask.whole) for item in body.get("Items", ()))
        yield Page(rows, body.get("ScannedCount", len(rows)), count_units("Scan", body)[0])


def by_index(
    table: Table, index: str, attribute: str, value: Attribute
) -> Iterator[tuple[Key, ...]]:
    """Read the keys of our prefix that an index holds under *value*, page by page.

    An index is eventually consistent: what was written within the last second may be missing,
    and what was deleted may still stand there.
    """
    names = _key_names(table) | {"#a": attribute}
    request = {
        "IndexName": index,
        "KeyConditionExpression": "#a = :a",
        "ProjectionExpression": ", ".join(name for name in names if name != "#a"),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":a": typed(value)},
    }
    for body in pages.paginate(table, "Query", request):
        found = (table.key_of(item) for item in body.get("Items", ()))
        yield tuple(key for key in found if table.layout.sort(key) == "session")


def look(table: Table, keys: Sequence[Key], runtime: Runtime = REAL) -> Iterator[ScannedRow]:
    """Read rows by key as they stand, consistently; those that are not there are left out."""
    for item in pages.get_items(table, keys, runtime):
        yield _sighting(table, item, whole=True)


def sight(table: Table, key: Key) -> ScannedRow | None:
    """Read one row as it stands, consistently; None where there is none."""
    request = {"Key": table.wire_key(key), "ConsistentRead": True}
    item = table.call("GetItem", request).body.get("Item")
    return None if item is None else _sighting(table, item, whole=True)


@dataclass(frozen=True, slots=True)
class Removal:
    """Whether a row was removed, and the write units that it cost as far as DynamoDB says so."""

    done: bool
    units: float


def remove_expired(table: Table, key: Key, expires: Decimal) -> Removal:
    """Delete one row of ours on condition that its expiry is still the one that was seen."""
    request = {
        "Key": table.wire_key(key),
        "ConditionExpression": "#e = :e AND attribute_exists(#r)",
        "ExpressionAttributeNames": {"#e": table.schema.ttl, "#r": "rev"},
        "ExpressionAttributeValues": {":e": typed(expires)},
    }
    reply = table.call("DeleteItem", request)
    return Removal(not reply.refused, count_units("DeleteItem", reply.body)[1])


def remove_unreadable(table: Table, key: Key, tombstone: Record | None = None) -> Record | None:
    """Delete a row of ours whatever it holds, or put a tombstone in its place.

    A row of another store stays. Returns what stood there, if it can be read after all.
    """
    return table.drop(key, Ours()) if tombstone is None else table.replace(tombstone, Ours())


def remove_pieces(table: Table, head: Record) -> None:
    """Delete the pieces of a head that is gone, one by one.

    A batch would need a right that writes, too: an operator's role can plant no session.
    """
    for number in range(head.pieces):
        key = table.layout.piece(head.key, head.rev, number)
        table.call("DeleteItem", {"Key": table.wire_key(key)})


def _key_names(table: Table) -> dict[str, str]:
    ranged = {"#s": table.layout.range_key} if table.layout.range_key else {}
    return {"#k": table.layout.hash_key, **ranged}


def _filter(table: Table, ask: ScanQuery) -> dict[str, Any]:
    """Write what is asked for as a request; each name by a placeholder, some are reserved."""
    names, values = _key_names(table), {":p": typed(table.layout.prefix)}
    parts = ["begins_with(#k, :p)"]
    if ask.sort == "sessions" and table.layout.range_key:
        parts.append("#s = :s")
        values[":s"] = typed(SESSION)
    elif ask.sort == "sessions":
        parts.append("NOT contains(#k, :s)")
        values[":s"] = typed("#")
    if ask.sort == "sessions":
        names["#d"] = "data"
        values |= {":t": typed(TOMB), ":r": typed(ROTATION)}
        parts.append("NOT begins_with(#d, :t) AND NOT begins_with(#d, :r)")
    if ask.state == "live":
        parts.append("NOT #e <= :now")  # true of rows without an expiry, and of corrupt ones
    elif ask.state == "expired":
        piece = "begins_with(#s, :x)" if table.layout.range_key else "contains(#k, :x)"
        parts.append(f"(#e <= :now OR ({piece} AND #e <= :later))")
        values |= {":x": typed(PIECE), ":later": typed(int(ask.now) + GRACE)}
    if ask.state != "all":
        values[":now"] = typed(int(ask.now))
    if ask.state != "all" or not ask.whole:
        names["#e"] = table.schema.ttl
    if ask.equal:
        names["#a"], values[":a"] = ask.equal[0], typed(ask.equal[1])
        parts.append("#a = :a")
    request: dict[str, Any] = {"FilterExpression": " AND ".join(parts)}
    if not ask.whole:
        names["#r"] = "rev"
        request["ProjectionExpression"] = ", ".join(n for n in names if n not in {"#a", "#d"})
    # A name that no expression uses is refused.
    used = " ".join(request.values())
    request["ExpressionAttributeNames"] = {n: name for n, name in names.items() if n in used}
    return request | {"ExpressionAttributeValues": values}


def _sighting(table: Table, item: Mapping[str, Mapping[str, Any]], *, whole: bool) -> ScannedRow:
    key, size = table.key_of(item), count_billed_bytes(item)
    told = plain(item.get(table.schema.ttl, {}))
    expires = told if isinstance(told, Decimal) and told.is_finite() else None
    record, wrong = None, ""
    promoted: Mapping[str, Attribute] = {}
    ours = not _OURS.isdisjoint(item)
    if whole and ours:
        promoted = promoted_of({name: plain(value) for name, value in item.items()}, table.schema)
        try:
            record = table.record_of(key, item)
        except CorruptItem as error:
            wrong = error.wrong
    elif whole:
        wrong = ANOTHER_STORE
    return ScannedRow(key, table.layout.sort(key), size, expires, record, wrong, ours, promoted)


def count_billed_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Count the bytes that AWS bills for an item, without the overhead of storage.

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
    """Count a number: zeros at either end are not stored."""
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    sign = 1 if text.startswith("-") else 0
    return min(_MAX_NUMBER_BYTES, math.ceil(len(digits) / 2) + 1 + sign)
