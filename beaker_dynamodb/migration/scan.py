"""Rows of a table that is not of our making: scanned whole, page by page, in plain values.

Nothing is written here, and no page is kept longer than its rows are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.responses import next_page
from beaker_dynamodb.errors import CallFacts

#: What Python has for AWS's scalar types. Nothing of a session is in a set, a list or a map.
_SCALARS: Final[Mapping[object, type]] = {"S": str, "B": bytes, "BOOL": bool}


def items(client: Client, table: str, hash_key: str, beginning: str) -> Iterator[dict[str, object]]:
    """Yield each item whose hash key begins with *beginning*, which is not empty, by attribute.

    It reads the whole table, and costs the table's whole size in read units.

    Raises: whatever the client raises.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "FilterExpression": "begins_with(#k, :b)",
        "ExpressionAttributeNames": {"#k": hash_key},
        "ExpressionAttributeValues": {":b": {"S": beginning}},
    }
    ought = f"hash key {hash_key!r} (String)"
    while True:
        body = client.call("Scan", request, describe_keys=lambda: ought).body
        for item in body.get("Items", ()):
            yield {name: value_of(typed) for name, typed in item.items()}
        request = next_page(request, body, CallFacts("Scan", table, client.region))
        if not request:
            return


def value_of(typed: object) -> object:
    """Return one attribute's value: a float for a number, NaN if it is malformed.

    What is of another type, or of another shape than its type's, is None: a broken server or an
    emulator may send anything, and no import ends by it.
    """
    kind, content = next(iter(typed.items()), ("", None)) if isinstance(typed, Mapping) else ("", 0)
    if kind == "N":
        return _number(content)
    plain = _SCALARS.get(kind)
    return content if plain is not None and isinstance(content, plain) else None


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan
