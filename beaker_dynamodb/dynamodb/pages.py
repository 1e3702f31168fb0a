"""Operations that take more than one call: batches, and the pages of a Query or Scan.

There is one paginator and one batch loop for the whole package. A scan that drops its second page,
or a batch that drops its unprocessed keys, loses rows without an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from beaker_dynamodb.dynamodb.table import OTHER_ITEM, Table, deserialize
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.runtime import Runtime

#: The maximum number of keys in one call (AWS: API_BatchGetItem and API_BatchWriteItem).
MAX_KEYS_READ: Final = 100
MAX_KEYS_WRITTEN: Final = 25
#: More rows than fit into a page of 1 MB. AWS refuses a limit that is not a 32-bit integer.
LARGEST_PAGE: Final = 1_000_000
#: The maximum seconds to wait before each retry of a batch; full jitter.
BACKOFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True, slots=True)
class RowSummary:
    """A row that a query or scan returned, without its data.

    `expires` is in epoch seconds, to the millisecond; None means never.
    """

    key: Key
    expires: float | None = None
    name: str | None = field(default=None, repr=False)


def get_items(table: Table, keys: Sequence[Key], runtime: Runtime) -> Iterator[Mapping[str, Any]]:
    """Yield the items with these keys, consistently, in DynamoDB's order.

    Raises: Unavailable, if DynamoDB keeps leaving keys unprocessed, or returns another item:
    responses were mixed up; what the client raises.
    """
    for start in range(0, len(keys), MAX_KEYS_READ):
        requested = keys[start : start + MAX_KEYS_READ]
        batch = {"Keys": [table.format_key(key) for key in requested], "ConsistentRead": True}
        for body in retry_unprocessed(table, "BatchGetItem", batch, "UnprocessedKeys", runtime):
            for item in body.get("Responses", {}).get(table.name, ()):
                if table.parse_key(item) not in requested:
                    raise table.make_unavailable(OTHER_ITEM, "BatchGetItem")
                yield item


def delete_many(table: Table, keys: Sequence[Key], runtime: Runtime) -> None:
    """Delete rows by key, without a condition.

    Raises: Unavailable, if DynamoDB keeps leaving keys unprocessed.
    """
    for start in range(0, len(keys), MAX_KEYS_WRITTEN):
        some = keys[start : start + MAX_KEYS_WRITTEN]
        batch = [{"DeleteRequest": {"Key": table.format_key(key)}} for key in some]
        for _ in retry_unprocessed(table, "BatchWriteItem", batch, "UnprocessedItems", runtime):
            continue


def retry_unprocessed(
    table: Table, operation: str, batch: Any, unprocessed: str, runtime: Runtime
) -> Iterator[Mapping[str, Any]]:
    """Yield the responses to a batch, repeating it for the keys under *unprocessed*.

    A response holds at most 16 MB, and 1 MB of a partition (AWS: API_BatchGetItem). So unprocessed
    keys are normal, and only a call that processed nothing waits.

    Raises: Unavailable, if calls keep processing nothing.
    """
    waits, left_before = iter(BACKOFF), math.inf
    while True:
        body = table.call(operation, {"RequestItems": {table.name: batch}}).body
        yield body
        left = body.get(unprocessed, {})
        if table.name not in left:
            return
        batch = left[table.name]
        keys = batch.get("Keys") if isinstance(batch, Mapping) else batch
        if not isinstance(keys, list):
            message = "DynamoDB's response does not list the unprocessed part of the batch"
            raise table.make_unavailable(message, operation)
        if len(keys) < left_before:
            waits, left_before = iter(BACKOFF), len(keys)
            continue
        wait = next(waits, None)
        if wait is None:
            message = "DynamoDB repeatedly leaves a part of the batch unprocessed"
            raise table.make_unavailable(message, operation)
        runtime.sleep(wait * runtime.random())


def query_rows(table: Table, hash_key: str, *, consistent: bool = False) -> Iterator[RowSummary]:
    """Yield all rows with one hash key."""
    request = {
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeValues": {":k": {"S": hash_key}},
        "ConsistentRead": consistent,
    }
    return _summarize(table, "Query", request)


def scan_rows(
    table: Table, prefixes: Sequence[str], *, consistent: bool = False
) -> Iterator[RowSummary]:
    """Yield all rows whose hash key begins with one of *prefixes*.

    This reads the whole table, and costs the table's whole size in read units; half of that if it
    is not *consistent*.
    """
    request = {
        "FilterExpression": " OR ".join(f"begins_with(#k, :b{n})" for n in range(len(prefixes))),
        "ExpressionAttributeValues": {f":b{n}": {"S": b} for n, b in enumerate(prefixes)},
        "ConsistentRead": consistent,
    }
    return _summarize(table, "Scan", request)


def _summarize(table: Table, operation: str, request: dict[str, Any]) -> Iterator[RowSummary]:
    names = table.name_keys() | {"#e": table.schema.ttl, "#y": "early", "#n": "cache_key"}
    request |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    for body in paginate(table, operation, request):
        for item in body.get("Items", ()):
            yield _summary_of(table, item)


def _summary_of(table: Table, item: Mapping[str, Any]) -> RowSummary:
    expires, early, name = (
        deserialize(item.get(n, {})) for n in (table.schema.ttl, "early", "cache_key")
    )
    seconds = None
    if isinstance(expires, Decimal) and expires.is_finite():
        before = early if isinstance(early, Decimal) and early.is_finite() else Decimal(0)
        seconds = float(expires) - float(before) / 1000
    return RowSummary(table.parse_key(item), seconds, name if isinstance(name, str) else None)


def paginate(
    table: Table, operation: str, request: dict[str, Any], max_rows: float = math.inf
) -> Iterator[Mapping[str, Any]]:
    """Yield the responses to a Query or Scan, from the first page to the last.

    Args: *max_rows* is how many rows may be examined; the last page then names a next one.
    Raises: Unavailable, if a page ends where it began, because the pages would never end; what the
    client raises.
    """
    while True:
        if max_rows < math.inf:
            request = {**request, "Limit": min(int(max_rows), LARGEST_PAGE)}
        body = table.call(operation, request).body
        yield body
        last = body.get("LastEvaluatedKey")
        max_rows -= body.get("ScannedCount", 0)
        if not last or max_rows <= 0:
            return
        if last == request.get("ExclusiveStartKey"):
            raise table.make_unavailable("DynamoDB's pages do not end", operation)
        request = {**request, "ExclusiveStartKey": last}
