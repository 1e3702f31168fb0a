"""Two replicas of a global table with eventual consistency, in memory.

As AWS documents it ("How DynamoDB global tables work"): reads and conditions are those of the
Region's own copy, whether consistent or not. A write reaches the other Region after a lag. If both
have written the same item meanwhile, the later write replaces the other as a whole.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.model.table import KEY, Call, Item, Items, MemoryClient


@dataclass
class Replica:
    """One Region: its copy of the table, and when each of its rows was written last."""

    items: Items = field(default_factory=Items)
    written: dict[str, float] = field(default_factory=dict)
    is_reachable: bool = True


@dataclass(order=True)
class _Arrival:
    """A write on its way to the other Region; `item` is None if it is a deletion."""

    due: float
    number: int
    region: str = field(compare=False)
    key: str = field(compare=False)
    item: Item | None = field(compare=False)
    written: float = field(compare=False)


class GlobalTable:
    """The replicas by the names of their Regions, and the writes on their way.

    `clock` is the time in seconds; a write arrives `lag` seconds after it was made.
    """

    def __init__(self, clock: Callable[[], float], lag: float, *regions: str) -> None:
        self.clock = clock
        self.lag = lag
        self.replicas = {region: Replica() for region in regions}
        self._arrivals: list[_Arrival] = []
        self._numbers = itertools.count()

    def client(self, region: str) -> MemoryClient:
        """Return a boto3 client of one Region, for option `client`."""
        return MemoryClient(functools.partial(self._apply, region))

    def lose(self, region: str) -> None:
        """Take a Region away with the writes that have not left it."""
        self.deliver()
        self.replicas[region].is_reachable = False
        self._arrivals = [one for one in self._arrivals if one.region == region]
        heapq.heapify(self._arrivals)

    def deliver(self) -> None:
        """Apply the writes that have arrived, unless the row was written later here."""
        while self._arrivals and self._arrivals[0].due <= self.clock():
            arrival = heapq.heappop(self._arrivals)
            replica = self.replicas[arrival.region]
            if arrival.written < replica.written.get(arrival.key, 0):
                continue
            replica.written[arrival.key] = arrival.written
            if arrival.item is None:
                replica.items.rows.pop(arrival.key, None)
            else:
                replica.items.rows[arrival.key] = arrival.item

    def _apply(self, region: str, call: Call) -> Any:
        self.deliver()
        replica = self.replicas[region]
        assert replica.is_reachable, f"a request was sent to {region}, which is down"
        before = dict(replica.items.rows)
        response = replica.items.apply(call)
        for key in _list_written_keys(call):
            if key in before or key in replica.items.rows:
                self._send(region, key, replica.items.rows.get(key))
        return response

    def _send(self, region: str, key: str, item: Item | None) -> None:
        now = self.clock()
        self.replicas[region].written[key] = now
        for other in self.replicas.keys() - {region}:
            number = next(self._numbers)
            arrival = _Arrival(now + self.lag, number, other, key, item, now)
            heapq.heappush(self._arrivals, arrival)


def _list_written_keys(call: Call) -> list[str]:
    request = call.request
    if call.operation == "PutItem":
        return [request["Item"][KEY]["S"]]
    if call.operation == "DeleteItem":
        return [request["Key"][KEY]["S"]]
    if call.operation == "BatchWriteItem":
        batches = request["RequestItems"].values()
        return [one["DeleteRequest"]["Key"][KEY]["S"] for batch in batches for one in batch]
    return []
