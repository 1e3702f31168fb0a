"""What a reply with status 200 means: whether it can be trusted, and what it cost.

Pure functions over replies; `report` alone tells the observers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeGuard

from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.responses import Failure
from beaker_dynamodb.errors import CallFacts, Unavailable

#: No call costs more capacity units: a batch or page of 16 MB takes 16,384 to write.
_MAX_UNITS: Final = 1_000_000


def broken(operation: str, request: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    """Say why a reply with status 200 cannot be trusted, None if it can.

    botocore answers a truncated, empty or HTML 200 with `{}`, and hands a corrupted body on as
    a success once its retries of a wrong checksum are used up.
    """
    if "ConsumedCapacity" not in body:
        return "it says nothing of the consumed capacity"
    meta = body.get("ResponseMetadata", {})
    if operation == "GetItem" and meta.get("MaxAttemptsReached") and meta.get("RetryAttempts"):
        return "its checksum may have been wrong to the last"
    item, key = body.get("Item"), request.get("Key")
    if item and key and any(item.get(name) != value for name, value in key.items()):
        return "it holds another item than the one asked for"
    return None


def one_more(answer: Mapping[str, Any] | Failure) -> Mapping[str, Any] | Failure:
    """Count an attempt that botocore knows nothing of: the wire's, before it was handed over."""
    if isinstance(answer, Failure):
        return replace(answer, attempts=answer.attempts + 1) if answer.attempts else answer
    meta = answer.get("ResponseMetadata", {})
    return {
        **answer,
        "ResponseMetadata": {**meta, "RetryAttempts": meta.get("RetryAttempts", 0) + 1},
    }


def next_page(
    request: Mapping[str, Any], body: Mapping[str, Any], facts: CallFacts
) -> dict[str, Any]:
    """Return the request for the page after *body*; an empty one after the last page.

    Raises: Unavailable, if the page ends where it began: there would be no last one.
    """
    last = body.get("LastEvaluatedKey")
    if not last:
        return {}
    if last == request.get("ExclusiveStartKey"):
        raise Unavailable("DynamoDB's pages do not end", call=facts)
    return {**request, "ExclusiveStartKey": last}


def units(operation: str, body: Mapping[str, Any]) -> tuple[float, float]:
    """Read how many read and write units a reply says it cost; what is no number counts nothing."""
    told = body.get("ConsumedCapacity")
    each = told if isinstance(told, list) else (told,)
    counts = [one.get("CapacityUnits") for one in each if isinstance(one, Mapping)]
    total = float(sum(count for count in counts if _is_count(count)))
    reads = operation in {"GetItem", "Query", "Scan", "BatchGetItem"}
    return (total, 0.0) if reads else (0.0, total)


def _is_count(count: object) -> TypeGuard[float]:
    return isinstance(count, (int, float)) and 0 <= count <= _MAX_UNITS


def report(
    operation: str, started: float, outcome: str, body: Mapping[str, Any] | None = None
) -> None:
    """Tell the observers of a call that began at *started*, by `time.perf_counter()`."""
    if metering.observed():
        read, write = units(operation, body or {})
        seconds = time.perf_counter() - started
        metering.report(metering.Call(operation, seconds, read, write, outcome))
