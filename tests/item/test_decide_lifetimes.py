"""What a save does near the end of `max_age`, and when something must be written anyway."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb.item.decide import (
    Content,
    Create,
    Decision,
    Leave,
    Replace,
    SaveState,
    Touch,
    decide,
)
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import RefusedSave, Retry, after_refusal
from tests.revisions import make_rev, make_token

NOW = 1_000_000.0
#: Seconds: Beaker's timeout is 1000, and the row lives 120 longer.
LIFETIME, TOUCH_AFTER, MAX_AGE = 1120.0, 100.0, 5000.0


def make_content(**values: Any) -> Content:
    """Return an opened session that holds *values*."""
    return Content(repr(values), values)


def make_state(
    age: float = 0,
    *,
    expires: float | None = LIFETIME,
    idle: float = 0,
    lifetime: float | None = LIFETIME,
    **more: Any,
) -> SaveState:
    """Return a save at NOW of a session that was only read.

    Args: *age* of the session, *expires* of its row and *idle* since its last saved access are in
    seconds from NOW.
    """
    until = None if expires is None else int(NOW + expires)
    row = Record(Key("sess:a"), b"", make_rev("b.t", NOW - age), expires=until)
    base = make_content(user="ann", _accessed_time=NOW - idle)
    ours = make_content(user="ann", _accessed_time=NOW)
    more = {"max_age": MAX_AGE, **more}
    return SaveState(base, row, ours, None, NOW, lifetime, TOUCH_AFTER, **more)


def expect(state: SaveState, decision: type[Decision]) -> Decision:
    """Return the decision of that type about the row of *state*."""
    assert state.row is not None
    return Leave() if decision is Leave else decision(state.row.rev)  # type: ignore[call-arg]  # Touch and Replace take it


TOUCHES: dict[str, tuple[SaveState, type[Decision]]] = {
    "young, just stored": (make_state(100), Leave),
    "young, stored a while ago": (make_state(100, expires=1020, idle=100), Touch),
    "as old as its end is away": (make_state(MAX_AGE - LIFETIME, idle=100), Touch),
    "old, just stored": (make_state(4000, expires=1000, idle=99), Leave),
    "old, and Beaker could end it earlier": (make_state(4000, expires=1000, idle=100), Touch),
    "nearly over, so that Beaker cannot": (make_state(4500, expires=500, idle=100), Leave),
    "nearly over, and Beaker would end it then": (make_state(4500, expires=500, idle=500), Leave),
    "nearly over, and Beaker would a second before": (
        make_state(4500, expires=500, idle=501),
        Touch,
    ),
    "nearly over, and its row is a little early": (make_state(4500, expires=450, idle=100), Touch),
    "nearly over, and its row is much too early": (make_state(4500, expires=400), Touch),
    "a longest age that was made shorter": (make_state(4500, expires=1000), Touch),
    "without a timeout": (make_state(4500, expires=500, idle=2000, lifetime=None), Leave),
    "without a timeout, another longest age": (make_state(4500, expires=900, lifetime=None), Touch),
    "no longest age any more": (make_state(4500, expires=500, max_age=None), Touch),
}


@pytest.mark.parametrize(("state", "decision"), TOUCHES.values(), ids=TOUCHES)
def test_a_read_writes_only_while_beakers_timeout_can_end_the_session_before_its_longest_age(
    state: SaveState, decision: type[Decision]
) -> None:
    """The expiry of the row no longer moves then, so the access time decides."""
    assert decide(state) == expect(state, decision)


def test_a_session_without_access_times_is_not_touched() -> None:
    """As under Beaker's `save_accessed_time = false`, if the application saves all the same."""
    state = make_state(max_age=None)
    same = make_content(user="ann")

    assert decide(state._replace(base=same, ours=same, touch_after=0.5)) == Leave()


@pytest.mark.parametrize(
    ("more", "decision"),
    [
        ({}, Leave),
        ({"restarts": True}, Replace),
        ({"pending": "ended others"}, Replace),
        ({"restarts": True, "pending": "ended others"}, Replace),
        ({"pending": ""}, Touch),
        ({"may_have_saved": True}, Replace),
    ],
)
def test_what_the_row_has_to_say_is_written_although_the_session_is_the_same(
    more: dict[str, Any], decision: type[Decision]
) -> None:
    """A new start, what the next request must repeat, and a save whose outcome is unknown."""
    state = make_state(**more)

    assert decide(state) == expect(state, decision)


@pytest.mark.parametrize(
    ("in_row", "start", "values", "more", "expected"),
    [
        (NOW - 70, NOW - 50, {"_creation_time": NOW - 30}, {}, NOW - 70),
        (NOW - 70, NOW - 50, {"_creation_time": NOW - 30}, {"restarts": True}, NOW),
        ("no row", NOW - 50, {"_creation_time": NOW - 30}, {}, NOW - 50),
        ("no row", None, {"_creation_time": NOW - 30}, {}, NOW - 30),
        ("no row", None, {"_creation_time": NOW + 30}, {}, NOW),
        ("no row", None, {"_creation_time": "x"}, {}, NOW),
        ("no row", None, {}, {}, NOW),
        ("no row", None, None, {}, NOW),
        (None, NOW - 50, {"_creation_time": NOW - 30}, {}, NOW - 30),
    ],
)
def test_the_start_of_a_session_is_what_the_row_says_first(
    in_row: float | str | None,
    start: float | None,
    values: dict[str, Any] | None,
    more: dict[str, Any],
    expected: float,
) -> None:
    """Then what the row of its old id said, then Beaker's creation time, which a clock may err."""
    state = make_state(start=start, **more)._replace(ours=Content("ours", values))
    old = None
    if not isinstance(in_row, str):
        old = Record(Key("sess:a"), b"", make_rev("b.t", in_row))

    assert state.find_start(old) == expected


@pytest.mark.parametrize(
    ("ends_at", "expires", "stored", "again"),
    [
        (NOW - 1, NOW + 60, True, True),
        (NOW - 1, NOW - 60, True, True),
        (None, NOW - 60, True, False),
        (None, None, False, False),
    ],
)
def test_a_session_that_its_longest_age_has_ended_is_replaced_only_as_it_was_seen(
    ends_at: float | None, expires: float | None, stored: bool, again: bool
) -> None:
    """Its row has not expired, so that a new session is stored on condition of its revision."""
    rev = make_rev("old.t")
    until = None if expires is None else int(expires)
    theirs = Record(Key("sess:a"), b"", rev, expires=until, ends_at=ends_at) if stored else None
    ours = make_content(user="bob", _creation_time=NOW)

    found = after_refusal(
        RefusedSave(Create(), make_token("t2"), None, ours, theirs, lambda _: ours, NOW, "merge")
    )

    assert found == Retry(Create(rev if again else None))
