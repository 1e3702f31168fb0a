"""Values that fool `==`, in pairs: two loads of the same, and two that are not the same."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import math
import re
from decimal import Decimal
from typing import Any


class Plain:
    """An object without `__eq__`: two loads of it are not equal."""

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


class Setting(Plain):
    """Is pickled as a global of this module, by its name alone."""

    def __reduce__(self) -> str:
        return str(self.__dict__["name"])


LIGHT, DARK = Setting(name="LIGHT"), Setting(name="DARK")


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


class Pair(tuple[Any, ...]):  # noqa: SLOT001  # its attributes are the point
    """A tuple with attributes of its own, which its `==` does not see."""


class Group(frozenset[Any]):
    """A frozenset with attributes of its own."""


class Feed(list[Any]):
    """Hands its items to a pickle one after the other."""

    def __reduce__(self) -> Any:
        return Feed, (), None, (item for item in self)


class Color(enum.Enum):
    RED = 1


NAN = math.nan
OTHER_NAN = float("nan")
AB = "ab"
TWICE = ("a", 1)
#: Numbers that a small set keeps in the order in which they came.
ORDER, REVERSED = (8, 0, 16), (16, 0, 8)


def cyclic(end: object) -> list[object]:
    """Make a list that holds itself."""
    found: list[object] = [end]
    found.append(found)
    return found


def make_named(kind: Any, members: list[Any], name: str) -> Any:
    """Make a tuple or a frozenset of a class of its own, and name it."""
    found = kind(members)
    found.name = name
    return found


def make_loop(*members: object) -> list[object]:
    """Make a list of them, and of itself."""
    found = list(members)
    found.append(found)
    return found


def nest_twice(levels: int, end: object) -> object:
    """Nest [a, a] so deep that there are 2 ** levels paths through it."""
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
    "sets in another order": (set(ORDER), set(REVERSED)),
    "sets of tuples": ({(1, "a"), (2, NAN)}, {(2, OTHER_NAN), (1, "a")}),
    "sets of frozensets": ({frozenset((8, 0))}, {frozenset((0, 8))}),
    "sets of objects": ({ById(id=8), ById(id=0)}, {ById(id=0), ById(id=8)}),
    "cyclic lists": (cyclic(1), cyclic(1)),
    "cyclic lists of a text twice, and of two texts": (
        make_loop(AB, AB),
        make_loop(AB, "".join("ab")),
    ),
    "sets of tuples of a text twice, and of two texts": ({(AB, AB)}, {(AB, "".join("ab"))}),
    "sets of a tuple twice": ({(TWICE, TWICE)}, {(TWICE, ("a", 1))}),
    "a tuple as a key of a set": ({(1, 2): set(ORDER)}, {(1, 2): set(REVERSED)}),
    "sets in a list of a class of its own": (Feed([set(ORDER)]), Feed([set(REVERSED)])),
    "deep sharing": (nest_twice(30, 1), nest_twice(30, 1)),
    "dates": (dt.date(2026, 1, 1), dt.date(2026, 1, 1)),
    "enums": (Color.RED, Color.RED),
    "default dicts": (collections.defaultdict(int, a=1), collections.defaultdict(int, a=1)),
    "a class": (Plain, Plain),
    "a set of tuples in a set, beside one in another order": (
        [{frozenset({("a", 1)})}, set(ORDER)],
        [{frozenset({("a", 1)})}, set(REVERSED)],
    ),
    "a class beside a set in another order": ([Plain, set(ORDER)], [Plain, set(REVERSED)]),
    "what copyreg pickles beside a set": (
        [re.compile("a"), 1j, len, Color.RED, set(ORDER)],
        [re.compile("a"), 1j, len, Color.RED, set(REVERSED)],
    ),
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
    "two globals": (LIGHT, DARK),
    "two globals, in a list": ([LIGHT], [DARK]),
    "two functions of one name": (pow, math.pow),
    "two functions of one name, in a list": ([pow], [math.pow]),
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
    "tuples with another name in a set": (
        {make_named(Pair, [1], "a")},
        {make_named(Pair, [1], "b")},
    ),
    "frozensets with another name in a set": (
        {make_named(Group, [1], "a")},
        {make_named(Group, [1], "b")},
    ),
    "objects of another class": (Plain(a=1), ById(a=1)),
    "arrays with other cells": (Array(cells=[1]), Array(cells=[2])),
    "cyclic lists with another end": (cyclic(1), cyclic(2)),
    "deep sharing with another end": (nest_twice(30, 1), nest_twice(30, True)),
    "default dicts of another factory": (
        collections.defaultdict(int, a=1),
        collections.defaultdict(bool, a=1),
    ),
}
