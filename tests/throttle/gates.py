"""Capacity in front of a table: of DynamoDB Local, by the proxy, or of a table in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from tests.exchange import Body, Exchange, Reply
from tests.faults.fault_kinds import aws_error
from tests.model.table import KEY, Call, Items, MemoryClient
from tests.throttle.buckets import Capacity, Kind, get_kind

CODE = "ProvisionedThroughputExceededException"
#: Called for each request: its kind, its units, and why it was throttled, if it was.
Tell = Callable[[Kind, float, str | None], object]


def find_key(body: Body) -> str:
    """Return the key of a request's item; "" if it has several."""
    key: str = (body.get("Key") or body.get("Item") or {}).get(KEY, {}).get("S", "")
    return key


class Gate:
    """A fault of the proxy, for all requests: throttles those that a table's capacity refuses."""

    def __init__(
        self,
        capacities: Mapping[str, Capacity],
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacities, self._tell, self._clock = capacities, tell, clock
        self._lock = Lock()

    def __call__(self, exchange: Exchange) -> None:
        kind, key = get_kind(exchange.operation), find_key(exchange.body)
        capacity = self._capacities.get(exchange.body.get("TableName", ""))
        if kind is None or capacity is None:
            exchange.answer(exchange.forward())
            return
        with self._lock:
            reason = capacity.refuse(kind, key, self._clock())
        if reason is not None:
            self._tell(kind, 0, reason)
            named = [{"reason": reason, "resource": exchange.body["TableName"]}]
            aws_error(CODE, ThrottlingReasons=named)(exchange)
            return
        reply = exchange.forward()
        units = read_units(reply)
        with self._lock:
            capacity.charge(kind, key, units)
        self._tell(kind, units, None)
        exchange.answer(reply)


def read_units(reply: Reply) -> float:
    """Return the units that a response reports; 1 of a refused condition, which is charged too."""
    consumed = json.loads(reply.body).get("ConsumedCapacity", {})
    return float(consumed.get("CapacityUnits", 1)) if isinstance(consumed, dict) else 1.0


def make_client(capacity: Capacity, tell: Tell, clock: Callable[[], float]) -> MemoryClient:
    """Return a boto3 client of a table in memory with this capacity; each call takes one unit."""
    items = Items()

    def switch(call: Call) -> Any:
        kind, key = get_kind(call.operation), find_key(call.request)
        assert kind is not None
        reason = capacity.refuse(kind, key, clock())
        if reason is None:
            capacity.charge(kind, key, 1)
        tell(kind, reason is None, reason)
        if reason is not None:
            response: Any = {
                "Error": {"Code": CODE, "Message": reason},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
            }
            raise ClientError(response, call.operation)
        return items.apply(call)

    return MemoryClient(switch)
