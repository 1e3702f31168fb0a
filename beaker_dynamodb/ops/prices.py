"""Estimate what DynamoDB's units and storage cost. Pure.

List prices of us-east-1, on-demand, table class Standard, without the free tier; other regions
differ by up to a factor of two. They are for an estimate before a long command.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: When the prices were looked up (https://aws.amazon.com/dynamodb/pricing/).
AS_OF: Final = "2026-09"
REGION: Final = "us-east-1"
#: Dollars for a million units, on-demand, since November 2024; dollars for a GB and month.
READS: Final = 0.125
WRITES: Final = 0.625
STORAGE: Final = 0.25

_READ_UNIT: Final = 4096
_WRITE_UNIT: Final = 1024
_GB: Final = 1024**3
#: Bytes that are billed for each row besides its own (AWS: pricing, "per-item storage overhead").
_OVERHEAD: Final = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """Read and write units, and what they cost in dollars at list prices."""

    read_units: float = 0
    write_units: float = 0

    @property
    def dollars(self) -> float:
        """The price of the units."""
        return (self.read_units * READS + self.write_units * WRITES) / 1e6


def estimate_scan(size: int) -> float:
    """Return the read units of an eventually consistent scan of *size* bytes."""
    return math.ceil(size / _READ_UNIT) / 2


def count_delete_units(size: int, indexes: int = 0) -> float:
    """Return the write units of deleting an item of *size* bytes that is in so many indexes.

    An item counts in full kilobytes (AWS: capacity unit consumption for writes); its row in a
    KEYS_ONLY index is assumed to be smaller than one.
    """
    return max(1, math.ceil(size / _WRITE_UNIT)) + indexes


def estimate_storage(size: int, rows: int) -> float:
    """Return the dollars a month for storing *size* bytes in so many rows."""
    return (size + rows * _OVERHEAD) / _GB * STORAGE
