"""What DynamoDB charges, computed from bytes: AWS's rounding, which moto does not know.

Pure functions. An item's size is that of its attributes' names and values; a write is charged
by the KB, a strongly consistent read by 4 KB, any other read half of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from beaker_dynamodb.item.record import Attribute

KB: Final = 1024
READ_STEP, WRITE_STEP = 4 * KB, KB


def value_size(value: Attribute) -> int:
    """Count a value's bytes: two digits of a number are one, and its exponent is another."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    digits = Decimal(value).normalize().as_tuple().digits
    return (len(digits) + 1) // 2 + 1


def item_size(attributes: Mapping[str, Attribute]) -> int:
    """Count an item's bytes, the names of its attributes among them."""
    return sum(len(name.encode()) + value_size(value) for name, value in attributes.items())


def read_units(size: int, *, consistent: bool = True) -> float:
    """Return the read units of so many bytes; a missing item costs as much as the smallest."""
    steps = max(1, math.ceil(size / READ_STEP))
    return float(steps) if consistent else steps / 2


def write_units(before: int, after: int) -> float:
    """Charge a write, refused ones too: the larger of the item before and after it."""
    return float(max(1, math.ceil(max(before, after) / WRITE_STEP)))


def index_units(before: Mapping[str, Attribute], after: Mapping[str, Attribute]) -> float:
    """Charge what a write changes in the indexes: a unit to delete an entry, and one to put one.

    Args: the attributes that have an index, before and after the write. An entry holds only keys.
    """
    return float(len(before.items() - after.items()) + len(after.items() - before.items()))
