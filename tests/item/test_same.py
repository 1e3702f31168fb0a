from __future__ import annotations

import collections
import datetime as dt
import enum
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope
from beaker_dynamodb.item.merge import changed_keys, same

LAW = settings(max_examples=100, derandomize=True, deadline=None)
LOADS = 10_000


class Plain:
    """Has no `__eq__`: `==` says that each load is another value."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


class ById(Plain):
    """Is equal to everything with its id, as the entities of an ORM are; hashable by it, too."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and self.__dict__["id"] == other.__dict__["id"]

    def __hash__(self) -> int:
        return hash(self.__dict__["id"])


class Array(Plain):
    """Answers `==` with an array that has no truth value, as numpy does."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return Array(cells=[True])

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class Unpicklable:
    """No pickle takes it."""

    def __reduce__(self) -> str:
        raise RuntimeError("no pickle takes me")


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


class Color(enum.Enum):
    RED = 1


NAN = math.nan
OTHER_NAN = float("nan")


def cyclic(end: object) -> list[object]:
    """Make a list that holds itself."""
    found: list[object] = [end]
    found.append(found)
    return found


def doubled(levels: int, end: object) -> object:
    """Nest [a, a] so deep that there are 2 ** levels ways to the end."""
    for _ in range(levels):
        end = [end, end]
    return end


SAME: dict[str, tuple[object, object]] = {
    "texts": ("a b", " ".join("ab")),
    "objects without __eq__": (Plain(a=1), Plain(a=1)),
    "nested objects without __eq__": ({"x": [Plain(a=1)]}, {"x": [Plain(a=1)]}),
    "NaN": (NAN, OTHER_NAN),
    "NaN in a list": ([NAN], [OTHER_NAN]),
    "NaN in a dict in a tuple": (({"a": NAN},), ({"a": OTHER_NAN},)),
    "NaN in a set": ({NAN, 1}, {1, OTHER_NAN}),
    "NaN in an object": (Plain(a=NAN), Plain(a=OTHER_NAN)),
    "NaN as a key": ({NAN: 1}, {OTHER_NAN: 1}),
    "complex NaN": (complex(0, NAN), complex(0, OTHER_NAN)),
    "arrays": (Array(cells=[1]), Array(cells=[1])),
    "arrays in a list": ([Array(cells=[1])], [Array(cells=[1])]),
    "sets in another order": ({8, 0, 16}, {16, 8, 0}),
    "sets of tuples": ({(1, "a"), (2, NAN)}, {(2, OTHER_NAN), (1, "a")}),
    "sets of frozensets": ({frozenset((8, 0))}, {frozenset((0, 8))}),
    "sets of objects": ({ById(id=8), ById(id=0)}, {ById(id=0), ById(id=8)}),
    "cyclic lists": (cyclic(1), cyclic(1)),
    "deep sharing": (doubled(30, 1), doubled(30, 1)),
    "dates": (dt.date(2026, 1, 1), dt.date(2026, 1, 1)),
    "enums": (Color.RED, Color.RED),
    "default dicts": (collections.defaultdict(int, a=1), collections.defaultdict(int, a=1)),
    "a class": (Plain, Plain),
}
OTHERS: dict[str, tuple[object, object]] = {
    "1 and True": (1, True),
    "0 and False": (0, False),
    "0 and None": (0, None),
    "1 and 1.0": (1, 1.0),
    "1 and Decimal": (1, Decimal(1)),
    "Decimals of another scale": (Decimal("1.5"), Decimal("1.50")),
    "0.0 and -0.0": (0.0, -0.0),
    "1.0 and 1+0j": (1.0, 1 + 0j),
    "0j and -0j": (complex(0, 0.0), complex(0, -0.0)),
    "1 and True in a list": ([1], [True]),
    "1 and True as a key": ({1: "a"}, {True: "a"}),
    "1 and True as a value": ({"a": 1}, {"a": True}),
    "1 and True in a set": ({1}, {True}),
    "1 and 1.0 in a set": ({1}, {1.0}),
    "1 and True in a tuple in a set": ({(1,)}, {(True,)}),
    "1 and True in a frozenset in a set": ({frozenset({1})}, {frozenset({True})}),
    "0.0 and -0.0 in a set": ({0.0}, {-0.0}),
    "0.0 and -0.0 in an object": (Plain(a=0.0), Plain(a=-0.0)),
    "text and bytes": ("a", b"a"),
    "a text and a subclass": ("a", Text("a")),
    "bytes and bytearray": (b"a", bytearray(b"a")),
    "a list and a tuple": ([1], (1,)),
    "a set and a frozenset": ({1}, frozenset({1})),
    "a dict and an OrderedDict": ({"a": 1}, collections.OrderedDict(a=1)),
    "a dict and a defaultdict": ({"a": 1}, collections.defaultdict(int, a=1)),
    "dicts in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "dicts of another length": ({"a": 1}, {"a": 1, "b": 2}),
    "lists of another length": ([1], [1, 1]),
    "lists in another order": ([1, 2], [2, 1]),
    "sets of another size": ({1}, {1, 2}),
    "sets of other members": ({1}, {2}),
    "objects equal by id": (ById(id=1, name="a"), ById(id=1, name="b")),
    "objects equal by id in a list": ([ById(id=1, name="a")], [ById(id=1, name="b")]),
    "objects equal by id as a key": ({ById(id=1, a=1): 0}, {ById(id=1, a=2): 0}),
    "objects equal by id in a set": ({ById(id=1, name="a")}, {ById(id=1, name="b")}),
    "objects of another class": (Plain(a=1), ById(a=1)),
    "arrays with other cells": (Array(cells=[1]), Array(cells=[2])),
    "cyclic lists with another end": (cyclic(1), cyclic(2)),
    "deep sharing with another end": (doubled(30, 1), doubled(30, True)),
    "default dicts of another factory": (
        collections.defaultdict(int, a=1),
        collections.defaultdict(bool, a=1),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_a_session_that_was_only_read_is_not_changed(one: object, other: object) -> None:
    """Two loads of one value are the same, also where `==` says no, raises, or never ends."""
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_a_change_that_equality_does_not_see_is_saved(one: object, other: object) -> None:
    """Two values that differ in type, sign, order or state are not the same; nothing is raised."""
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize("value", [Unpicklable(), [{"a": Unpicklable()}], lambda: 1])
def test_what_no_pickle_takes_counts_as_changed(value: object) -> None:
    """A value that cannot be compared is written rather than lost; nothing is raised."""
    assert not same(value, value)


VALUES: dict[str, object] = {name: pair[0] for name, pair in SAME.items()} | {
    "shared": [(shared := [1, 2]), shared, {"again": shared}],
    "an object of many types": Plain(a={1}, b={"x": (1.0, -0.0)}, c=b"\xff", d=None),
    "an object with shared parts": Plain(one=shared, two=shared, name="name", nested=Plain(a=NAN)),
    "a name that is its own value": Plain(role="role", **{"a b": "a b"}),
    "an ordered dict": collections.OrderedDict(b=1, a=[NAN]),
    "a deque": collections.deque([1, {2, 3}]),
    "a text of its own": Text("x"),
    "a bytearray": bytearray(b"\0\xff"),
    "a date with a zone": dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
    "members whose order depends on their hash": {"a", "b", "c", ("d", 1), frozenset("efg")},
}


def test_ten_thousand_loads_are_no_write() -> None:
    """What fools `==` never turns a read into a write, however often the session is loaded.

    As in `sessions.py`, mine is what the session object held, closed by Beaker and opened again,
    and known has gone the same way: the load before this one stands for it.
    """
    envelope = PickleEnvelope()
    stored = envelope.close(VALUES)
    kept: collections.deque[object] = collections.deque(maxlen=7)  # so that ids differ
    known: dict[str, Any] | None = None

    for _ in range(LOADS):
        held = envelope.open(stored)
        assert held is not None
        mine = envelope.open(envelope.close(held))
        assert mine is not None
        assert known is None or changed_keys(known, mine) == ()
        known = mine
        kept.append(held)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
hashables = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
states = st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text(max_size=3))
pickle_values = st.recursive(
    hashables | st.sets(hashables, max_size=4) | st.builds(Plain, a=states, b=states),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(hashables, inner, max_size=4),
    max_leaves=10,
)


@LAW
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_no_load_of_a_json_session_is_a_write(values: dict[str, Any]) -> None:
    """A JSON session that was only read has no changed key, however often it was loaded."""
    envelope = JsonEnvelope(1_000_000)
    text = envelope.close(values)
    mine, known = (envelope.open(envelope.close(envelope.open(text) or {})) or {} for _ in "ab")

    assert changed_keys(known, mine) == ()
    assert same(known, mine)


@LAW
@given(st.dictionaries(st.text(max_size=5), pickle_values, max_size=5))
def test_no_load_of_a_pickled_session_is_a_write(values: dict[str, Any]) -> None:
    """A pickled session that was only read has no changed key, sets and objects among it."""
    envelope = PickleEnvelope()
    text = envelope.close(values)
    mine, known = (envelope.open(envelope.close(envelope.open(text) or {})) or {} for _ in "ab")

    assert changed_keys(known, mine) == ()
    assert same(known, mine)
