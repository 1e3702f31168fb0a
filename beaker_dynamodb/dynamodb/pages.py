"""What takes more than one call: batches until nothing is left undone, and pages to the last.

One paginator and one batch loop for all: a scan that forgets its second page, or a batch that
forgets what was left unprocessed, is the classic defect of such stores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from beaker_dynamodb.dynamodb.responses import next_page
from beaker_dynamodb.dynamodb.table import Table, plain
from beaker_dynamodb.errors import CallFacts, Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.runtime import Runtime

#: AWS: API_BatchGetItem and API_BatchWriteItem, the most keys of one call.
MOST_READ: Final = 100
MOST_WRITTEN: Final = 25
#: The most seconds to wait before each repetition of a batch, with full jitter.
BACKOFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True, slots=True)
class Found:
    """A row that a query or scan came by, without its data.

    `expires` is in epoch seconds, to the millisecond; None for never.
    """

    key: Key
    expires: float | None = None
    name: str | None = field(default=None, repr=False)


def get_many(table: Table, keys: Sequence[Key], runtime: Runtime) -> dict[Key, Record]:
    """Read rows by key, consistently; those that are not there are left out.

    Raises: CorruptItem; Unavailable, if DynamoDB keeps leaving keys unprocessed.
    """
    found: dict[Key, Record] = {}
    for start in range(0, len(keys), MOST_READ):
        wire = [table.wire_key(key) for key in keys[start : start + MOST_READ]]
        batch = {"Keys": wire, "ConsistentRead": True}
        for body in until_done(table, "BatchGetItem", batch, "UnprocessedKeys", runtime):
            for item in body.get("Responses", {}).get(table.name, ()):
                key = table.key_of(item)
                found[key] = table.record_of(key, item)
    return found


def delete_many(table: Table, keys: Sequence[Key], runtime: Runtime) -> None:
    """Delete rows by key, whatever stands there.

    Raises: Unavailable, if DynamoDB keeps leaving some undone.
    """
    for start in range(0, len(keys), MOST_WRITTEN):
        wire = [table.wire_key(key) for key in keys[start : start + MOST_WRITTEN]]
        batch = [{"DeleteRequest": {"Key": key}} for key in wire]
        for _ in until_done(table, "BatchWriteItem", batch, "UnprocessedItems", runtime):
            continue


def until_done(
    table: Table, operation: str, batch: Any, rest: str, runtime: Runtime
) -> Iterator[Mapping[str, Any]]:
    """Repeat a batch for what was left unprocessed, and wait only where nothing was done.

    A reply brings at most 1 MB of a partition (AWS: API_BatchGetItem): two pieces of a value.
    """
    waits, before = iter(BACKOFF), math.inf
    while True:
        body = table.call(operation, {"RequestItems": {table.name: batch}}).body
        yield body
        left = body.get(rest, {})
        if table.name not in left:
            return
        batch = left[table.name]
        keys = batch.get("Keys") if isinstance(batch, Mapping) else batch
        facts = CallFacts(operation, table.name, table.client.region)
        if not isinstance(keys, list):
            raise Unavailable(
                "DynamoDB's response does not list the unprocessed part of the batch", call=facts
            )
        undone = len(keys)
        if undone < before:
            waits, before = iter(BACKOFF), undone
            continue
        wait = next(waits, None)
        if wait is None:
            raise Unavailable(
                "DynamoDB repeatedly leaves a part of the batch unprocessed", call=facts
            )
        runtime.sleep(wait * runtime.random())


def query(table: Table, hash_key: str) -> Iterator[Found]:
    """Yield all rows under one hash key."""
    request = {
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeValues": {":k": {"S": hash_key}},
    }
    return _pages(table, "Query", request)


def scan(table: Table, beginnings: Sequence[str]) -> Iterator[Found]:
    """Yield all rows whose hash key begins with one of *beginnings*.

    It reads the whole table, and costs the table's whole size in read units.
    """
    request = {
        "FilterExpression": " OR ".join(f"begins_with(#k, :b{n})" for n in range(len(beginnings))),
        "ExpressionAttributeValues": {f":b{n}": {"S": b} for n, b in enumerate(beginnings)},
    }
    return _pages(table, "Scan", request)


def _pages(table: Table, operation: str, request: dict[str, Any]) -> Iterator[Found]:
    names = {"#k": table.layout.hash_key, "#e": table.schema.ttl, "#y": "early", "#n": "name"}
    if table.layout.range_key:
        names["#s"] = table.layout.range_key
    request |= {
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
    }
    for body in bodies(table, operation, request):
        for item in body.get("Items", ()):
            expires, early, name = (
                plain(item.get(n, {})) for n in (table.schema.ttl, "early", "name")
            )
            exactly = None
            if isinstance(expires, Decimal) and expires.is_finite():
                before = early if isinstance(early, Decimal) and early.is_finite() else Decimal(0)
                exactly = float(expires) - float(before) / 1000
            yield Found(table.key_of(item), exactly, name if isinstance(name, str) else None)


def bodies(table: Table, operation: str, request: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what DynamoDB answers to a Query or Scan, page by page to the last.

    Raises: Unavailable, if a page ends where it began; and whatever the client raises.
    """
    facts = CallFacts(operation, table.name, table.client.region)
    while request:
        body = table.call(operation, request).body
        yield body
        request = next_page(request, body, facts)
