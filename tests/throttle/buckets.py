"""Token buckets, by which DynamoDB decides whether a request is throttled. Time is handed in.

A table's bucket gets its provisioned units each second and keeps what was not used for 300 seconds
(AWS: "Burst capacity"). A partition's bucket keeps one second of 3,000 read units or 1,000 write
units (AWS: "Partitions and data distribution"); a table's units are not divided among its
partitions any more, since capacity is isolated by demand ("Adaptive capacity"). A request is
admitted if no bucket is empty, and charged afterwards, when its units are known.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["Read", "Write"]
BURST: Final = 300
READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
WRITES: Final = frozenset({"PutItem", "DeleteItem", "UpdateItem", "BatchWriteItem"})


@dataclass
class Bucket:
    """Units that may be used: `rate` a second, kept for `seconds`. It is full at the start."""

    rate: float
    seconds: float = BURST
    level: float = field(init=False)
    _updated: float | None = None

    def __post_init__(self) -> None:
        self.level = self.rate * self.seconds

    def is_empty(self, now: float) -> bool:
        """Return whether nothing is left, after what has come in since the last call."""
        elapsed = 0.0 if self._updated is None else max(now - self._updated, 0.0)
        self.level = min(self.level + elapsed * self.rate, self.rate * self.seconds)
        self._updated = now
        return self.level <= 0


class Capacity:
    """The buckets of one table."""

    def __init__(
        self,
        reads: float,
        writes: float,
        partitions: int = 4,
        each: tuple[float, float] = (3000, 1000),
    ) -> None:
        self.table: dict[Kind, Bucket] = {"Read": Bucket(reads), "Write": Bucket(writes)}
        self._partitions: list[dict[Kind, Bucket]] = [
            {"Read": Bucket(each[0], 1), "Write": Bucket(each[1], 1)} for _ in range(partitions)
        ]

    def refuse(self, kind: Kind, key: str, now: float) -> str | None:
        """Return AWS's reason (`ThrottlingReasons`) to throttle a request, or None."""
        if self.table[kind].is_empty(now):
            return f"Table{kind}ProvisionedThroughputExceeded"
        if self._find_partition(key)[kind].is_empty(now):
            return f"Table{kind}KeyRangeThroughputExceeded"
        return None

    def charge(self, kind: Kind, key: str, units: float) -> None:
        """Take the units that a request has consumed; a bucket may then owe some."""
        self.table[kind].level -= units
        self._find_partition(key)[kind].level -= units

    def _find_partition(self, key: str) -> dict[Kind, Bucket]:
        return self._partitions[zlib.crc32(key.encode()) % len(self._partitions)]


def get_kind(operation: str) -> Kind | None:
    """Return which units an operation consumes; None if it consumes none."""
    return "Read" if operation in READS else "Write" if operation in WRITES else None
