"""Rows of a table that is not of our making: scanned whole, page by page, in plain values.

Nothing is written here, and no page is kept longer than its rows are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Door
from beaker_dynamodb.dynamodb.replies import next_page
from beaker_dynamodb.errors import CallFacts

#: AWS: Numbers; the largest is 9.9...E+125.
_MAX_EXPONENT: Final = 125


def items(door: Door, table: str, hash_key: str, beginning: str) -> Iterator[dict[str, object]]:
    """Yield each item whose hash key begins with *beginning* ("" is any), by attribute.

    It reads the whole table, and costs the table's whole size in read units.

    Raises: whatever the door raises.
    """
    request: dict[str, Any] = {"TableName": table}
    if beginning:
        request |= {
            "FilterExpression": "begins_with(#k, :b)",
            "ExpressionAttributeNames": {"#k": hash_key},
            "ExpressionAttributeValues": {":b": {"S": beginning}},
        }
    ought = f"hash key {hash_key!r} (String)"
    while True:
        body = door.call("Scan", request, ought=ought).body
        for item in body.get("Items", ()):
            yield {name: value_of(typed) for name, typed in item.items()}
        request = next_page(request, body, CallFacts("Scan", table, door.region))
        if not request:
            return


def value_of(typed: Mapping[str, Any]) -> object:
    """Read one value as AWS types it; a number is an int where it is whole.

    What is of no type, or nested deeper than DynamoDB's 32 levels by far, is None.
    """
    try:
        return _value(typed)
    except RecursionError:
        return None


def _value(typed: Mapping[str, Any]) -> object:
    kind: str
    content: Any
    kind, content = next(iter(typed.items()), ("NULL", True))
    if kind == "N":
        return _number(content)
    if kind == "NULL":
        return None
    if kind == "L":
        return [_value(one) for one in content]
    if kind == "M":
        return {name: _value(one) for name, one in content.items()}
    if kind == "NS":
        return {_number(one) for one in content}
    return set(content) if kind in {"SS", "BS"} else content


def _number(text: str) -> int | float:
    """Read a number: NaN where it is none, and a float where DynamoDB could not hold it."""
    try:
        number = Decimal(text)
        # An int of a million digits takes seconds to make.
        whole = number.adjusted() <= _MAX_EXPONENT and number == number.to_integral_value()
        return int(number) if number.is_finite() and whole else float(number)
    except (ArithmeticError, TypeError, ValueError):
        return math.nan
