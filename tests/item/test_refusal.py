"""What becomes of a write that was refused: never a resurrection, never a lost change."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from beaker_dynamodb.item.codec import FORMAT, ROTATED, TOMBSTONE
from beaker_dynamodb.item.decide import Content, Create, Delete, GiveUp, Replace, Touch
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import (
    AlreadyApplied,
    Next,
    RaiseConflict,
    Refusal,
    Retry,
    after_refusal,
)

NOW = 1000.0
TOKEN = "mine"
LIVE = Record(Key("sess:a"), b"", "birth.theirs", ("former",), expires=1001)
EXPIRED = replace(LIVE, expires=1000)  # at exactly now it is absent
FOREVER = replace(LIVE, expires=None)

KNOWN = Content("known", {"_creation_time": 1, "a": 1})
MINE = Content("mine", {"_creation_time": 1, "a": 2})
THEIRS = Content("theirs", {"_creation_time": 1, "b": 1})
CLEARED = Content("cleared", {"a": 2})
OPAQUE = Content("opaque")

Refused = Create | Touch | Replace | Delete
CREATE, TOUCH, REPLACE, DELETE = (
    Create(),
    Touch("birth.seen"),
    Replace("birth.seen"),
    Delete("birth.seen"),
)
TOUCH_ANEW = Touch("birth.seen", new_token=True)
ALL: tuple[Refused, ...] = (CREATE, TOUCH, TOUCH_ANEW, REPLACE, DELETE)
POLICIES = ("merge", "overwrite", "raise")

DROPPED = GiveUp()
THEN_MINE = Retry(Replace("birth.theirs"))
THEN_MERGED = Retry(Replace("birth.theirs"), merge=True)
MINE_AS_IT_WAS_CLEARED = Retry(
    Replace("birth.theirs"), reason="it was cleared while another request changed it"
)
MINE_AS_IT_IS_OPAQUE = Retry(
    Replace("birth.theirs"), reason="it cannot be opened here, so the later save wins"
)


def refused(
    plan: Refused,
    theirs: Record | None,
    *,
    policy: str = "merge",
    known: Content | None = KNOWN,
    mine: Content = MINE,
    opened: Content = THEIRS,
) -> Next:
    """Ask what follows."""
    return after_refusal(Refusal(plan, TOKEN, known, mine, theirs, lambda _: opened, NOW, policy))


def by_plan(create: Next, touch: Next, replaced: Next, delete: Next) -> dict[Refused, Next]:
    """Write one row of the table: what follows for each plan."""
    return {
        CREATE: create,
        TOUCH: touch,
        TOUCH_ANEW: touch,
        REPLACE: replaced,
        DELETE: delete,
    }


DELETED_AGAIN = Retry(Delete("birth.theirs"))

#: Rows that hold whatever `on_conflict` says: theirs, and what follows for each plan.
ROWS: dict[str, tuple[Record | None, dict[Refused, Next]]] = {
    "our own token in rev": (
        replace(LIVE, rev="birth.mine"),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), Retry(Delete("birth.mine"))),
    ),
    "our own token in prev": (
        replace(LIVE, prev=("x", "mine")),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), DELETED_AGAIN),
    ),
    "our own token, expired since": (
        replace(EXPIRED, rev="birth.mine"),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), AlreadyApplied()),
    ),
    "our own token under another birth": (
        replace(LIVE, rev="other.mine"),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), AlreadyApplied()),
    ),
    "absent": (None, by_plan(Retry(CREATE), DROPPED, DROPPED, AlreadyApplied())),
    "of another birth": (
        replace(LIVE, rev="other.theirs"),
        by_plan(Retry(Replace("other.theirs"), merge=True), DROPPED, DROPPED, AlreadyApplied()),
    ),
    "of another birth, expired": (
        replace(EXPIRED, rev="other.theirs"),
        by_plan(Retry(CREATE), DROPPED, DROPPED, AlreadyApplied()),
    ),
    "a tombstone": (
        replace(LIVE, rev="other.theirs", data=bytes((FORMAT, TOMBSTONE))),
        by_plan(Retry(Replace("other.theirs")), DROPPED, DROPPED, AlreadyApplied()),
    ),
    "expired": (EXPIRED, by_plan(Retry(CREATE), DROPPED, THEN_MINE, AlreadyApplied())),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("plan", ALL, ids=lambda plan: type(plan).__name__)
@pytest.mark.parametrize(("theirs", "expected"), ROWS.values(), ids=ROWS)
def test_a_refused_write_never_resurrects_a_session(
    theirs: Record | None, expected: dict[Refused, Next], plan: Refused, policy: str
) -> None:
    """The upper rows of the table of refusals hold for every plan and every `on_conflict`."""
    for known, mine, opened in product((KNOWN, OPAQUE, None), (MINE, CLEARED), (THEIRS,)):
        found = refused(plan, theirs, policy=policy, known=known, mine=mine, opened=opened)
        assert found == expected[plan]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("expires", [LIVE.expires, EXPIRED.expires], ids=["live", "expired"])
@pytest.mark.parametrize(
    ("plan", "known", "mine", "expected"),
    [
        (REPLACE, KNOWN, MINE, RaiseConflict()),
        (REPLACE, KNOWN, CLEARED, RaiseConflict()),
        (REPLACE, KNOWN, OPAQUE, DROPPED),
        (REPLACE, OPAQUE, MINE, DROPPED),
        (REPLACE, None, MINE, DROPPED),
        (TOUCH, KNOWN, MINE, DROPPED),
        (TOUCH_ANEW, KNOWN, MINE, DROPPED),
        (DELETE, KNOWN, MINE, AlreadyApplied()),
    ],
)
def test_a_change_that_meets_a_rotation_is_told(  # one argument a column
    plan: Refused,
    known: Content | None,
    mine: Content,
    expected: Next,
    expires: int | None,
    policy: str,
) -> None:
    """The session goes on under another id: a change is a Conflict, a mere read gives way.

    What is opaque may have been read only, so it gives way as well.
    """
    marker = replace(LIVE, rev="other.theirs", expires=expires, data=bytes((FORMAT, ROTATED)))

    assert refused(plan, marker, policy=policy, known=known, mine=mine) == expected


def test_a_new_session_takes_the_place_of_a_rotations_marker() -> None:
    """What it says is of an older session, and nothing of this one."""
    marker = replace(LIVE, rev="other.theirs", data=bytes((FORMAT, ROTATED)))

    assert refused(CREATE, marker) == Retry(Replace("other.theirs"))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", [LIVE, FOREVER], ids=["expires", "never expires"])
@pytest.mark.parametrize("opened", [THEIRS, OPAQUE], ids=["opens", "opaque"])
@pytest.mark.parametrize("mine", [MINE, CLEARED, OPAQUE], ids=["mine", "cleared", "opaque"])
@pytest.mark.parametrize("plan", [TOUCH, TOUCH_ANEW, DELETE], ids=["Touch", "anew", "Delete"])
def test_a_logout_wins_and_a_read_gives_way(
    plan: Refused, mine: Content, opened: Content, row: Record, policy: str
) -> None:
    """Over a live row a Touch is dropped, and a Delete tried again, whatever is in the row."""
    expected = DELETED_AGAIN if plan is DELETE else DROPPED

    assert refused(plan, row, policy=policy, mine=mine, opened=opened) == expected


#: A live row of the same birth: the plan, the three contents, and what follows by `on_conflict`.
Sides = tuple[Refused, Content | None, Content, Content]
OVER_A_LIVE_ROW: dict[str, tuple[Sides, tuple[Next, Next, Next]]] = {
    "a Create, both open": (
        (CREATE, None, MINE, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "a Create of a session without a creation time": (
        (CREATE, None, CLEARED, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "a Create, although something was known": (
        (CREATE, KNOWN, MINE, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "an opaque Create": (
        (CREATE, None, OPAQUE, OPAQUE),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Create over what does not open": (
        (CREATE, None, MINE, OPAQUE),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, all open": (
        (REPLACE, KNOWN, MINE, THEIRS),
        (THEN_MERGED, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, mine opaque": (
        (REPLACE, KNOWN, OPAQUE, THEIRS),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, theirs does not open": (
        (REPLACE, KNOWN, MINE, OPAQUE),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, known does not open": (
        (REPLACE, OPAQUE, MINE, THEIRS),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Create that met one writer, and now another": (
        (REPLACE, None, MINE, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "a Replace, all opaque": (
        (REPLACE, OPAQUE, OPAQUE, OPAQUE),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, mine was cleared": (
        (REPLACE, KNOWN, CLEARED, THEIRS),
        (MINE_AS_IT_WAS_CLEARED, MINE_AS_IT_WAS_CLEARED, MINE_AS_IT_WAS_CLEARED),
    ),
    "a Replace, both were cleared": (
        (REPLACE, KNOWN, CLEARED, CLEARED),
        (THEN_MERGED, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, theirs was cleared": (
        (REPLACE, KNOWN, MINE, CLEARED),
        (THEN_MERGED, THEN_MINE, RaiseConflict()),
    ),
    "a Replace, mine was cleared and theirs does not open": (
        (REPLACE, KNOWN, CLEARED, OPAQUE),
        (MINE_AS_IT_IS_OPAQUE, THEN_MINE, RaiseConflict()),
    ),
}


@pytest.mark.parametrize("row", [LIVE, FOREVER], ids=["expires", "never expires"])
@pytest.mark.parametrize(("sides", "expected"), OVER_A_LIVE_ROW.values(), ids=OVER_A_LIVE_ROW)
def test_two_writers_meet_as_on_conflict_says(
    sides: Sides, expected: tuple[Next, Next, Next], row: Record
) -> None:
    """The lower rows of the table: `merge`, `overwrite` and `raise`, for Create and Replace.

    A Create merges with an empty `known` whatever `on_conflict` says. What does not open is
    replaced with a word for the log, and a session that was cleared is never merged.
    """
    plan, known, mine, opened = sides
    found = tuple(
        refused(plan, row, policy=policy, known=known, mine=mine, opened=opened)
        for policy in POLICIES
    )

    assert found == expected


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: type(plan).__name__)
def test_theirs_is_opened_only_where_it_may_be_merged(plan: Refused) -> None:
    """Nothing of theirs is opened for what is dropped, done, deleted or expired."""
    opened: list[Record] = []

    def read(row: Record) -> Content:
        opened.append(row)
        return THEIRS

    for theirs in (None, EXPIRED, replace(LIVE, rev="birth.mine"), LIVE):
        after_refusal(Refusal(plan, TOKEN, KNOWN, MINE, theirs, read, NOW, "merge"))

    assert opened == ([LIVE] if plan in {CREATE, REPLACE} else [])
