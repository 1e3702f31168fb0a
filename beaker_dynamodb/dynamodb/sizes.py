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
    size, left = sum(map(_text, item)), list(item.values())
    while left:
        ((kind, value),) = left.pop().items()
        if kind in {"L", "M"}:
            size += _NESTED + len(value)
            size += sum(map(_text, value)) if kind == "M" else 0
            left += value.values() if kind == "M" else value
        elif kind in {"SS", "NS", "BS"}:
            left += ({kind[0]: member} for member in value)
        else:
            size += _scalar(kind, value)
    return size


def _scalar(kind: str, value: Any) -> int:
    if kind == "S":
        return _text(value)
    if kind == "B":
        return len(value)
    return _number(value) if kind == "N" else 1  # BOOL and NULL


def _text(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _number(text: str) -> int:
    """Count a number: zeros at either end are not stored."""
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    sign = 1 if text.startswith("-") else 0
    return min(_MOST_OF_A_NUMBER, math.ceil(len(digits) / 2) + 1 + sign)
