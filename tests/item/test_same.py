"""A session that was only read is never written; a change that `==` does not see is saved."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope
from beaker_dynamodb.item.merge import find_changed_keys, is_same
from tests.item.odd_values import NAN, OTHERS, SAME, Plain, Text, Unpicklable

LAW = settings(max_examples=100, derandomize=True, deadline=None)
LOADS = 10_000


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_a_session_that_was_only_read_is_not_changed(one: object, other: object) -> None:
    """Two loads of one value are the same, also if `==` is False, raises, or never returns."""
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_a_change_that_equality_does_not_see_is_saved(one: object, other: object) -> None:
    """Two values that differ in type, sign, order or state are not the same; nothing is raised."""
    assert not is_same(one, other)
    assert not is_same(other, one)


@pytest.mark.parametrize("value", [Unpicklable(), [{"a": Unpicklable()}], lambda: 1])
def test_what_no_pickle_takes_counts_as_changed(value: object) -> None:
    """A value that cannot be compared is written rather than lost; nothing is raised."""
    assert not is_same(value, value)


#: Beside a set in another order, so that the pickles of the whole say nothing.
ORDERS = {0, 8}, {8, 0}


@pytest.mark.parametrize(
    "members",
    [
        lambda: {Plain(number=number) for number in range(500)},
        lambda: {Plain(text="a" * 2_000 + str(number)) for number in range(50)},
        lambda: {(Plain(text="a" * 10_000 + str(number)), number) for number in range(5)},
        lambda: {Plain(shared=shared) for shared in [list(range(100))] * 3},
        lambda: {Plain(shared=shared) for shared in ["a" * 200] * 100},
    ],
    ids=["many", "large", "in tuples", "some that share", "many that share little"],
)
def test_a_set_of_objects_that_was_only_read_is_not_changed(members: Callable[[], object]) -> None:
    """Each has a pickle of its own, which names its class again: that is no sharing."""
    one, other = members(), members()

    assert is_same([ORDERS[0], one], [ORDERS[1], other])
    assert not is_same([ORDERS[0], one], [ORDERS[1], {*other, Plain()}])  # type: ignore[misc]


def test_a_set_of_objects_that_share_too_much_counts_as_changed() -> None:
    """Comparing them would take quadratic time, so the session is written."""
    one, other = ({Plain(all=shared) for shared in [list(range(500))] * 500} for _ in ORDERS)

    assert is_same(one, one)
    assert not is_same([ORDERS[0], one], [ORDERS[1], other])


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
    """Values that `==` compares wrongly never turn a read into a write.

    As in `sessions/store.py`, ours is what the session object held, closed by Beaker and opened
    again. So is base, which is the load before this one.
    """
    envelope = PickleEnvelope()
    stored = envelope.close(VALUES)
    kept: collections.deque[object] = collections.deque(maxlen=7)  # so that ids differ
    base: dict[str, Any] | None = None

    for _ in range(LOADS):
        held = envelope.open(stored)
        assert held is not None
        ours = envelope.open(envelope.close(held))
        assert ours is not None
        assert base is None or find_changed_keys(base, ours) == ()
        base = ours
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
    """A JSON session that was only read has no changed key."""
    envelope = JsonEnvelope(1_000_000)
    text = envelope.close(values)
    ours, base = (envelope.open(envelope.close(envelope.open(text) or {})) or {} for _ in "ab")

    assert find_changed_keys(base, ours) == ()
    assert is_same(base, ours)


@LAW
@given(st.dictionaries(st.text(max_size=5), pickle_values, max_size=5))
def test_no_load_of_a_pickled_session_is_a_write(values: dict[str, Any]) -> None:
    """A pickled session that was only read has no changed key, even with sets and objects in it."""
    envelope = PickleEnvelope()
    text = envelope.close(values)
    ours, base = (envelope.open(envelope.close(envelope.open(text) or {})) or {} for _ in "ab")

    assert find_changed_keys(base, ours) == ()
    assert is_same(base, ours)
