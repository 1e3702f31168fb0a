"""Check which of an application's calls AWS permits, by calls that change nothing.

They read a row that does not exist, and write on a condition that cannot hold. DynamoDB checks
permissions before conditions, so a failed condition means that the call is permitted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from beaker_dynamodb.dynamodb.identity import clock_of
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.item.keys import Key


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """One call: its operation, seconds, the server's clock if it sent it, and the error if any."""

    operation: str
    seconds: float
    clock: float | None = None
    error: DynamoDBBackendError | None = None


def check_permissions(table: Table, absent: Key, *, ranged: bool) -> Iterator[PermissionCheck]:
    """Make each call that an application makes, on a key that does not exist; change no row.

    Args: *ranged*: whether the application queries all rows of a namespace.
    """
    key = table.wire_key(absent)
    on = {
        "ConditionExpression": "attribute_exists(#k)",
        "ExpressionAttributeNames": {"#k": table.layout.hash_key},
    }
    yield _check(table, "GetItem", {"Key": key, "ConsistentRead": True})
    yield _check(table, "PutItem", {"Item": key, **on})
    yield _check(table, "DeleteItem", {"Key": key, **on})
    yield _check(table, "BatchGetItem", {"RequestItems": {table.name: {"Keys": [key]}}})
    written = [{"DeleteRequest": {"Key": key}}]  # of nothing: a batch takes no condition
    yield _check(table, "BatchWriteItem", {"RequestItems": {table.name: written}})
    if ranged:
        yield _check(
            table,
            "Query",
            {
                "KeyConditionExpression": "#k = :k",
                "ExpressionAttributeNames": {"#k": table.layout.hash_key},
                "ExpressionAttributeValues": {":k": {"S": absent.hash}},
                "Limit": 1,
            },
        )


def _check(table: Table, operation: str, request: dict[str, Any]) -> PermissionCheck:
    started = time.perf_counter()
    try:
        body = table.call(operation, request).body
    except DynamoDBBackendError as error:
        return PermissionCheck(operation, time.perf_counter() - started, clock_of(error), error)
    return PermissionCheck(operation, time.perf_counter() - started, clock_of(body))
