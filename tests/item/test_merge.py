"""Two requests that change different keys both keep their change; of one key the later one wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import TIME_KEYS
from beaker_dynamodb.item.merge import find_changed_keys, has_objects, is_same, merge

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


def is_same_session(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Compare two sessions by `is_same`, key by key."""
    return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)


some_session = sessions(json_values) | sessions(pickle_values)


@LAW
@given(some_session, some_session)
def test_a_request_alone_saves_all_its_changes(base: Values, ours: Values) -> None:
    """merge(base, ours, base) == ours, deletions included."""
    assert is_same_session(merge(base, ours, base), ours)


@LAW
@given(some_session, some_session)
def test_a_request_that_only_read_changes_nothing(base: Values, theirs: Values) -> None:
    """merge(base, base, theirs) == theirs, in the same order."""
    merged = merge(base, base, theirs)

    assert is_same_session(merged, theirs)
    assert list(merged) == list(theirs)


@LAW
@given(some_session, some_session)
def test_two_requests_that_did_the_same_agree(base: Values, both: Values) -> None:
    """merge(base, both, both) == both: the same change twice is the same as once."""
    assert is_same_session(merge(base, both, both), both)


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[Values, Values, Values]:
    """Draw a session and two others that changed different keys of it: set, replaced, deleted."""
    values = draw(st.sampled_from([json_values, pickle_values]))
    base = draw(sessions(values))
    owner = {key: draw(st.sampled_from(["one", "two", "nobody"])) for key in KEYS}
    sides: dict[str, Values] = {"one": dict(base), "two": dict(base)}
    for key, side in owner.items():
        if side in sides and draw(st.booleans()):
            sides[side][key] = draw(values)
        elif side in sides:
            sides[side].pop(key, None)
    return base, sides["one"], sides["two"]


@LAW
@given(disjoint())
def test_changes_of_different_keys_are_both_kept(sides: tuple[Values, Values, Values]) -> None:
    """Each change is in the result, deletions included, whichever request saves first."""
    base, one, two = sides
    merged = merge(base, one, two)

    assert is_same_session(merged, merge(base, two, one))
    for side in (one, two):
        for key in find_changed_keys(base, side):
            assert (key in merged) is (key in side)
            assert key not in side or is_same(merged[key], side[key])


@LAW
@given(some_session, some_session, some_session)
def test_of_one_key_changed_twice_the_later_save_wins(
    base: Values, ours: Values, theirs: Values
) -> None:
    """A key that this request changed is ours, and any other is theirs."""
    merged, changed = merge(base, ours, theirs), find_changed_keys(base, ours)

    for key in KEYS:
        source = ours if key in changed else theirs
        assert (key in merged) is (key in source)
        assert key not in source or is_same(merged[key], source[key])


stamps = st.integers(0, 10) | st.floats(0, 10)
timed = st.fixed_dictionaries(dict.fromkeys(TIME_KEYS, stamps), optional={"a": scalars})


@LAW
@given(timed, timed, timed)
def test_times_only_grow(base: Values, ours: Values, theirs: Values) -> None:
    """No merge takes an access time or a creation time back, whichever side is older."""
    merged = merge(base, ours, theirs)

    for key in TIME_KEYS:
        assert merged[key] == max(ours[key], theirs[key])


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


@pytest.mark.parametrize(("base", "ours", "theirs", "expected"), TIMED)
def test_a_time_that_is_no_number_does_not_break_a_merge(
    base: Values, ours: Values, theirs: Values, expected: Values
) -> None:
    """Only numbers are compared; a time that was deleted stays deleted."""
    assert merge(base, ours, theirs) == expected


@pytest.mark.parametrize(
    ("base", "ours", "expected"),
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
    base: Values, ours: Values, expected: tuple[str, ...]
) -> None:
    """Set, replaced and deleted keys count, and None is a value; their order does not count."""
    assert find_changed_keys(base, ours) == expected


@pytest.mark.parametrize(
    ("base", "ours", "expected"),
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
def test_only_changed_objects_need_the_same_history(
    base: Values, ours: Values, expected: bool
) -> None:
    """Texts and numbers are equal whatever envelopes they have been through."""
    assert has_objects(find_changed_keys(base, ours), base, ours) is expected


def test_a_merge_does_not_change_its_arguments() -> None:
    """So base, ours and theirs can be merged again after the next refusal."""
    base, ours, theirs = {"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 1, "c": 1}
    merge(base, ours, theirs)

    assert (base, ours, theirs) == ({"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 1, "c": 1})
