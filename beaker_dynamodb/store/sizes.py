"""How many bytes AWS bills for an item, counted from its attributes. Pure.

The rule is AWS's (DynamoDB item sizes and formats): names and texts count in UTF-8, a number
about a byte for two digits and one more, what nests three bytes and one for each member.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

#: Storage is billed with this much more for each row (AWS: pricing, "per-item storage overhead").
OVERHEAD: Final = 100
_NESTED: Final = 3
_MOST_OF_A_NUMBER: Final = 21


def billed(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Count the bytes of an item as AWS types it, without the overhead of storage."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    size = 1  # BOOL and NULL
    if kind == "S":
        size = len(value.encode("utf-8", "surrogatepass"))
    elif kind == "B":
        size = len(value)
    elif kind == "N":
        size = _number(value)
    elif kind == "L":
        size = _NESTED + sum(1 + _value(member) for member in value)
    elif kind == "M":
        size = _NESTED + len(value) + billed(value)
    elif kind in {"SS", "NS", "BS"}:
        size = sum(_value({kind[0]: member}) for member in value)
    return size


def _number(text: str) -> int:
    """Count a number: zeros at either end are not stored."""
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    sign = 1 if text.startswith("-") else 0
    return min(_MOST_OF_A_NUMBER, math.ceil(len(digits) / 2) + 1 + sign)
