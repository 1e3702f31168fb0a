"""The bytes that AWS bills for an item."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb.dynamodb.scan import count_billed_bytes

CASES: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"id": {"S": "abc"}}, 5),
    ({"é": {"S": "é€"}}, 2 + 5),
    ({"data": {"B": b"\0" * 10}}, 14),
    ({"n": {"N": "0"}}, 2),
    ({"n": {"N": "27"}}, 1 + 2),
    ({"n": {"N": "1795476683"}}, 1 + 6),
    ({"n": {"N": "-27"}}, 1 + 3),
    ({"n": {"N": "2700000"}}, 1 + 2),
    ({"n": {"N": "1" * 38}}, 1 + 20),
    ({"n": {"N": "-" + "1" * 38}}, 1 + 21),
    ({"n": {"N": "1E+20"}}, 1 + 2),
    ({"b": {"BOOL": True}, "z": {"NULL": True}}, 4),
    ({"l": {"L": [{"S": "ab"}, {"BOOL": False}]}}, 1 + 3 + 3 + 2),
    ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 2),
    ({"s": {"SS": ["a", "bc"]}}, 1 + 3),
]


@pytest.mark.parametrize(("item", "size"), CASES)
def test_an_item_is_counted_as_aws_bills_it(item: dict[str, Any], size: int) -> None:
    """Names and texts in UTF-8, a byte for two digits, three bytes for each list or map."""
    assert count_billed_bytes(item) == size
