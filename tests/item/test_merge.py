"""Two requests that change different keys both keep their change; of one key the later one wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import TIMES
from beaker_dynamodb.item.merge import changed_keys, in_doubt, merge, same

LAW = settings(max_examples=100, derandomize=True, deadline=None)

Values = dict[str, Any]


class Plain:
    """Has no `__eq__`: `==` would call each copy another value."""

    def __init__(self, state: object) -> None:
        self.state = state


class ById(Plain):
    """Is equal to every other of its class: `==` would call each change none."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById)

    def __hash__(self) -> int:
        return 1


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1),
    st.sampled_from([0.0, -0.0, 1.0, float("nan")]),
    st.sampled_from(["", "a", "b"]),
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=6,
)
pickle_values = st.recursive(
    scalars | st.builds(Plain, scalars) | st.builds(ById, scalars) | st.sets(scalars, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = "abcdef"


def sessions(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Values]:
    """Draw a session of few keys, so that two of them meet."""
    return st.dictionaries(st.sampled_from(KEYS), of, max_size=6)


def apart_from_order(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Compare two sessions by `same`, key by key."""
    return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)


some_session = sessions(json_values) | sessions(pickle_values)


@LAW
@given(some_session, some_session)
def test_what_i_changed_is_saved_where_nobody_else_wrote(known: Values, mine: Values) -> None:
    """merge(k, m, k) == m: with theirs as I knew it, the result is mine, deletions included."""
    assert apart_from_order(merge(known, mine, known), mine)


@LAW
@given(some_session, some_session)
def test_a_request_that_only_read_changes_nothing(known: Values, theirs: Values) -> None:
    """merge(k, k, t) == t: who changed nothing leaves theirs as it is, its order too."""
    merged = merge(known, known, theirs)

    assert apart_from_order(merged, theirs)
    assert list(merged) == list(theirs)


@LAW
@given(some_session, some_session)
def test_two_requests_that_did_the_same_agree(known: Values, both: Values) -> None:
    """merge(k, x, x) == x: setting or deleting twice is setting or deleting once."""
    assert apart_from_order(merge(known, both, both), both)


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[Values, Values, Values]:
    """Draw a session and two others that changed different keys of it: set, replaced, deleted."""
    values = draw(st.sampled_from([json_values, pickle_values]))
    known = draw(sessions(values))
    owner = {key: draw(st.sampled_from(["one", "two", "nobody"])) for key in KEYS}
    sides: dict[str, Values] = {"one": dict(known), "two": dict(known)}
    for key, side in owner.items():
        if side in sides and draw(st.booleans()):
            sides[side][key] = draw(values)
        elif side in sides:
            sides[side].pop(key, None)
    return known, sides["one"], sides["two"]


@LAW
@given(disjoint())
def test_changes_of_different_keys_are_both_kept(sides: tuple[Values, Values, Values]) -> None:
    """Disjoint changes commute, deletions among them, and each is in the result."""
    known, one, two = sides
    merged = merge(known, one, two)

    assert apart_from_order(merged, merge(known, two, one))
    for side in (one, two):
        for key in changed_keys(known, side):
            assert (key in merged) is (key in side)
            assert key not in side or same(merged[key], side[key])


@LAW
@given(some_session, some_session, some_session)
def test_of_one_key_changed_twice_the_later_save_wins(
    known: Values, mine: Values, theirs: Values
) -> None:
    """Every key is mine where I changed it, and theirs where I did not."""
    merged, changed = merge(known, mine, theirs), changed_keys(known, mine)

    for key in KEYS:
        source = mine if key in changed else theirs
        assert (key in merged) is (key in source)
        assert key not in source or same(merged[key], source[key])


stamps = st.integers(0, 10) | st.floats(0, 10)
timed = st.fixed_dictionaries(dict.fromkeys(TIMES, stamps), optional={"a": scalars})


@LAW
@given(timed, timed, timed)
def test_times_only_grow(known: Values, mine: Values, theirs: Values) -> None:
    """No merge takes an access time or a creation time back, whichever side is older."""
    merged = merge(known, mine, theirs)

    for key in TIMES:
        assert merged[key] == max(mine[key], theirs[key])


TIMED: list[tuple[Values, Values, Values, Values]] = [
    ({}, {"_accessed_time": 5}, {"_accessed_time": 9}, {"_accessed_time": 9}),
    ({}, {"_accessed_time": 9}, {"_accessed_time": 5}, {"_accessed_time": 9}),
    ({"_accessed_time": 5}, {"_accessed_time": 5}, {}, {}),
    ({}, {"_accessed_time": 5}, {}, {"_accessed_time": 5}),
    ({"_accessed_time": 5}, {}, {"_accessed_time": 9}, {}),
    ({}, {"_accessed_time": "x"}, {"_accessed_time": 9}, {"_accessed_time": 9}),
    ({}, {"_accessed_time": "x"}, {"_accessed_time": "y"}, {"_accessed_time": "x"}),
    ({}, {"_accessed_time": 9}, {"_accessed_time": None}, {"_accessed_time": 9}),
]


@pytest.mark.parametrize(("known", "mine", "theirs", "expected"), TIMED)
def test_a_time_that_is_none_disturbs_no_merge(
    known: Values, mine: Values, theirs: Values, expected: Values
) -> None:
    """Times are compared where they are numbers; one that was deleted stays deleted."""
    assert merge(known, mine, theirs) == expected


@pytest.mark.parametrize(
    ("known", "mine", "expected"),
    [
        ({}, {}, ()),
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": True}, ("a",)),
        ({"a": 1}, {}, ("a",)),
        ({}, {"a": 1}, ("a",)),
        ({}, {"a": None}, ("a",)),
        ({"a": None}, {}, ("a",)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ()),
        ({"a": ById(1)}, {"a": ById(1)}, ()),
        ({"a": ById(1)}, {"a": ById(2)}, ("a",)),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}, ("b", "d", "c")),
    ],
)
def test_every_change_of_a_key_is_noticed(
    known: Values, mine: Values, expected: tuple[str, ...]
) -> None:
    """Set, replaced and deleted keys are changed; None is a value; the keys' order is none."""
    assert changed_keys(known, mine) == expected


@pytest.mark.parametrize(
    ("known", "mine", "doubtful"),
    [
        ({}, {}, False),
        ({"a": [1]}, {"a": [1]}, False),
        ({"a": 1, "b": "x"}, {"a": 2.5, "c": None}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": float("nan")}, {"a": 1j}, False),
        ({"a": 1}, {"a": [1]}, True),
        ({"a": [1]}, {"a": 1}, True),
        ({"a": [1]}, {}, True),
        ({}, {"a": [1]}, True),
        ({"a": Plain(1)}, {"a": Plain(2)}, True),
    ],
)
def test_texts_and_numbers_need_no_second_look(known: Values, mine: Values, doubtful: bool) -> None:
    """Only where an object or a container differs can the two histories be the reason."""
    assert in_doubt(changed_keys(known, mine), known, mine) is doubtful


def test_a_merge_leaves_its_sides_alone() -> None:
    """The result is a new dict: known, mine and theirs can be merged again."""
    known, mine, theirs = {"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 1, "c": 1}
    merge(known, mine, theirs)

    assert (known, mine, theirs) == ({"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 1, "c": 1})
