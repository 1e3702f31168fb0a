"""What is shown of a session's values is bounded in depth, size and time, whatever they are."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beaker_dynamodb.item.record import MAX_EXPIRES
from beaker_dynamodb.ops import bounds
from beaker_dynamodb.ops.bounds import CUT, MAX_DEPTH, copy_bounded, limit_time
from beaker_dynamodb.ops.cli.wording import to_json
from tests.ops.odd_rows import NUMBERS


class Hostile:
    """Fails whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    @property  # type: ignore[misc]  # a pickle does not ask mypy
    def __class__(self) -> Any:
        raise RuntimeError("no")


class Deep(list[Any]):
    """A list whose own methods hide its members."""

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no")


class Word(str):
    """A text that will not be written."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def make_deep() -> dict[str, Any]:
    """Return a dict that contains itself."""
    one: dict[str, Any] = {}
    one["self"] = [one, (one,)]
    return one


def make_shared() -> list[Any]:
    """Return lists in lists that share their members: 2**900 values, written out."""
    one: list[Any] = ["x" * 1000]
    for _ in range(900):
        one = [one, one]
    return one


def make_nested() -> list[Any]:
    """Return lists in lists, deeper than Python calls itself."""
    one: list[Any] = []
    for _ in range(100_000):
        one = [one]
    return one


ODD = {
    "a class": Hostile(),
    "a subclass": [Deep([1]), Word("x"), {Word("y"): 1}],
    "itself": make_deep(),
    "shared": make_shared(),
    "deep": make_nested(),
    "long": ["x" * (bounds.MAX_SIZE + 5)] * 3,
    "many": [0] * 100,
    "floats": [math.nan, math.inf, -math.inf],
    "integers": [10**5000, -(10**5000), 1 << 10_000_000],
    "decimals": [Decimal(word) for word in NUMBERS],
    "surrogates": {"\ud800": "\udfff"},
    "keys": {1: 1, None: 2, (1, (2,)): 3, b"x": 4, math.nan: 5},
    "sets": [{1, 2}, frozenset({"x"})],
    "bytes": [b"\xff", bytearray(b"x")],
}


@pytest.mark.parametrize("value", [pytest.param(v, id=name) for name, v in ODD.items()])
def test_any_value_is_written_as_text_and_as_json(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a moment, and as JSON of the standard."""
    monkeypatch.setattr(bounds, "MAX_SIZE", 100_000)
    started = time.process_time()
    copy = copy_bounded({"value": value})
    text, told = repr(copy), json.dumps(to_json(copy), allow_nan=False)

    assert time.process_time() - started < 5
    assert len(text) < 10 * bounds.MAX_SIZE
    json.dumps(json.loads(told, parse_int=len), ensure_ascii=False).encode()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.dates(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@given(values)
def test_a_copy_is_written_like_what_it_is_a_copy_of(value: object) -> None:
    """If no limit is exceeded, the copy equals what the application stored."""
    copy = copy_bounded(value)

    assert repr(copy) == repr(value)
    json.dumps(to_json(copy), allow_nan=False)


def test_what_is_too_deep_or_too_much_is_cut() -> None:
    """The cut shows."""
    one: Any = "end"
    for _ in range(MAX_DEPTH + 1):
        one = [one]

    assert repr(copy_bounded(one)) == "[" * MAX_DEPTH + CUT + "]" * MAX_DEPTH
    assert repr(copy_bounded(one[0])).count("'end'") == 1


@given(st.none() | st.integers() | st.decimals(allow_nan=False))
@example(10**400)
@example(-1)
@example(MAX_EXPIRES)
def test_a_time_is_a_moment_or_not_known(value: Decimal | int | None) -> None:
    """Between 1970 and 9999, and finite; an earlier one is 1970."""
    found = limit_time(value)

    if value is None or value > MAX_EXPIRES:
        assert found is None
    else:
        assert found == max(0.0, float(value))
        assert 0 <= found <= MAX_EXPIRES
