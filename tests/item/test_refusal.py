"""What follows a refused write: no deleted session comes back, and no change is lost."""

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
    RefusedSave,
    Retry,
    after_refusal,
)
from tests.revisions import make_prev, make_rev, make_token

NOW = 1000.0
TOKEN = make_token("ours")
LIVE = Record(Key("sess:a"), b"", make_rev("birth.theirs"), make_prev("previous"), expires=1001)
EXPIRED = LIVE._replace(expires=1000)  # at exactly now it is absent
FOREVER = LIVE._replace(expires=None)

BASE = Content("base", {"_accessed_time": 1, "a": 1})
OURS = Content("ours", {"_accessed_time": 1, "a": 2})
THEIRS = Content("theirs", {"_accessed_time": 1, "b": 1})
CLEARED = Content("cleared", {"a": 2})
#: What an earlier save of this request has cleared.
SAVED = Content("cleared", {"a": 2}, is_saved=True)
OPAQUE = Content("opaque")

Refused = Create | Touch | Replace | Delete
CREATE, TOUCH, REPLACE, DELETE = (
    Create(),
    Touch(make_rev("birth.old")),
    Replace(make_rev("birth.old")),
    Delete(make_rev("birth.old")),
)
TOUCH_ANEW = Touch(make_rev("birth.old"), new_token=True)
ALL: tuple[Refused, ...] = (CREATE, TOUCH, TOUCH_ANEW, REPLACE, DELETE)
POLICIES = ("merge", "overwrite", "raise")

DROPPED = GiveUp()
THEN_OURS = Retry(Replace(make_rev("birth.theirs")))
THEN_MERGED = Retry(Replace(make_rev("birth.theirs")), merge=True)
CLEARED_REASON = "it was cleared while another request changed it"
THEN_OURS_CLEARED = Retry(Replace(make_rev("birth.theirs")), reason=CLEARED_REASON)
THEN_OURS_UNOPENED = Retry(
    Replace(make_rev("birth.theirs")), reason="it cannot be opened here, so the later save wins"
)


def decide_refused(
    plan: Refused,
    theirs: Record | None,
    *,
    policy: str = "merge",
    base: Content | None = BASE,
    ours: Content = OURS,
    opened: Content = THEIRS,
) -> Next:
    """Return what follows the refused write *plan*."""
    return after_refusal(
        RefusedSave(plan, TOKEN, base, ours, theirs, lambda _: opened, NOW, policy)
    )


def by_plan(create: Next, touch: Next, replaced: Next, delete: Next) -> dict[Refused, Next]:
    """Return one row of the table: what follows each plan."""
    return {
        CREATE: create,
        TOUCH: touch,
        TOUCH_ANEW: touch,
        REPLACE: replaced,
        DELETE: delete,
    }


DELETED_AGAIN = Retry(Delete(make_rev("birth.theirs")))

#: Rows that hold whatever `on_conflict` says: theirs, and what follows for each plan.
ROWS: dict[str, tuple[Record | None, dict[Refused, Next]]] = {
    "our own token in rev": (
        LIVE._replace(rev=make_rev("birth.ours")),
        by_plan(
            AlreadyApplied(),
            AlreadyApplied(),
            AlreadyApplied(),
            Retry(Delete(make_rev("birth.ours"))),
        ),
    ),
    "our own token in prev": (
        LIVE._replace(prev=make_prev("x ours")),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), DELETED_AGAIN),
    ),
    "our own token, expired since": (
        EXPIRED._replace(rev=make_rev("birth.ours")),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), AlreadyApplied()),
    ),
    "our own token under another birth": (
        LIVE._replace(rev=make_rev("other.ours")),
        by_plan(AlreadyApplied(), AlreadyApplied(), AlreadyApplied(), AlreadyApplied()),
    ),
    "absent": (None, by_plan(Retry(CREATE), DROPPED, DROPPED, AlreadyApplied())),
    "of another birth": (
        LIVE._replace(rev=make_rev("other.theirs")),
        by_plan(
            Retry(Replace(make_rev("other.theirs")), merge=True), DROPPED, DROPPED, AlreadyApplied()
        ),
    ),
    "of another birth, expired": (
        EXPIRED._replace(rev=make_rev("other.theirs")),
        by_plan(Retry(CREATE), DROPPED, DROPPED, AlreadyApplied()),
    ),
    "a tombstone": (
        LIVE._replace(rev=make_rev("other.theirs"), data=bytes((FORMAT, TOMBSTONE))),
        by_plan(Retry(Replace(make_rev("other.theirs"))), DROPPED, DROPPED, AlreadyApplied()),
    ),
    "expired": (EXPIRED, by_plan(Retry(CREATE), DROPPED, THEN_OURS, AlreadyApplied())),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("plan", ALL, ids=lambda plan: type(plan).__name__)
@pytest.mark.parametrize(("theirs", "expected"), ROWS.values(), ids=ROWS)
def test_a_refused_write_never_resurrects_a_session(
    theirs: Record | None, expected: dict[Refused, Next], plan: Refused, policy: str
) -> None:
    """All lines of the table but LIVE hold for every plan and every `on_conflict`."""
    then = expected[plan]
    for base, ours, opened in product((BASE, OPAQUE, None), (OURS, CLEARED), (THEIRS,)):
        if isinstance(then, Retry) and (then.merge or then.reason):  # LIVE, for a Create
            then = replace(then, merge=ours is OURS, reason="" if ours is OURS else CLEARED_REASON)
        assert (
            decide_refused(plan, theirs, policy=policy, base=base, ours=ours, opened=opened) == then
        )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("expires", [LIVE.expires, EXPIRED.expires], ids=["live", "expired"])
@pytest.mark.parametrize(
    ("plan", "base", "ours", "expected"),
    [
        (REPLACE, BASE, OURS, RaiseConflict()),
        (REPLACE, BASE, CLEARED, RaiseConflict()),
        (REPLACE, BASE, OPAQUE, DROPPED),
        (REPLACE, OPAQUE, OURS, DROPPED),
        (REPLACE, None, OURS, DROPPED),
        (TOUCH, BASE, OURS, DROPPED),
        (TOUCH_ANEW, BASE, OURS, DROPPED),
        (DELETE, BASE, OURS, AlreadyApplied()),
    ],
)
def test_a_change_under_an_old_id_raises_a_conflict(  # one argument a column
    plan: Refused,
    base: Content | None,
    ours: Content,
    expected: Next,
    expires: int | None,
    policy: str,
) -> None:
    """The session goes on under another id. A request that only read gives up.

    An opaque session may have been read only, so its save gives up as well.
    """
    tombstone = LIVE._replace(
        rev=make_rev("other.theirs"), expires=expires, data=bytes((FORMAT, ROTATED))
    )

    assert decide_refused(plan, tombstone, policy=policy, base=base, ours=ours) == expected


def test_a_new_session_replaces_the_tombstone_of_a_rotation() -> None:
    """The tombstone is about an older session with the same id."""
    tombstone = LIVE._replace(rev=make_rev("other.theirs"), data=bytes((FORMAT, ROTATED)))

    assert decide_refused(CREATE, tombstone) == Retry(Replace(make_rev("other.theirs")))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", [LIVE, FOREVER], ids=["expires", "never expires"])
@pytest.mark.parametrize("opened", [THEIRS, OPAQUE], ids=["opens", "opaque"])
@pytest.mark.parametrize("ours", [OURS, CLEARED, OPAQUE], ids=["ours", "cleared", "opaque"])
@pytest.mark.parametrize("plan", [TOUCH, TOUCH_ANEW, DELETE], ids=["Touch", "anew", "Delete"])
def test_a_logout_wins_and_a_read_gives_up(
    plan: Refused, ours: Content, opened: Content, row: Record, policy: str
) -> None:
    """Over a live row a Touch is dropped, and a Delete tried again, whatever is in the row."""
    expected = DELETED_AGAIN if plan is DELETE else DROPPED

    assert decide_refused(plan, row, policy=policy, ours=ours, opened=opened) == expected


#: Over a live row of the same birth: the plan, the three contents, what follows by `on_conflict`.
Contents = tuple[Refused, Content | None, Content, Content]
OVER_A_LIVE_ROW: dict[str, tuple[Contents, tuple[Next, Next, Next]]] = {
    "a Create, both open": (
        (CREATE, None, OURS, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "a Create, ours was cleared": (
        (CREATE, None, CLEARED, THEIRS),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Create, both were cleared": (
        (CREATE, None, CLEARED, CLEARED),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Create, although there is a base": (
        (CREATE, BASE, OURS, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "an opaque Create": (
        (CREATE, None, OPAQUE, OPAQUE),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Create over what does not open": (
        (CREATE, None, OURS, OPAQUE),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, all open": (
        (REPLACE, BASE, OURS, THEIRS),
        (THEN_MERGED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, ours opaque": (
        (REPLACE, BASE, OPAQUE, THEIRS),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, theirs does not open": (
        (REPLACE, BASE, OURS, OPAQUE),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, base does not open": (
        (REPLACE, OPAQUE, OURS, THEIRS),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Create that met one writer, and now another": (
        (REPLACE, None, OURS, THEIRS),
        (THEN_MERGED, THEN_MERGED, THEN_MERGED),
    ),
    "a Replace, all opaque": (
        (REPLACE, OPAQUE, OPAQUE, OPAQUE),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, ours was cleared": (
        (REPLACE, BASE, CLEARED, THEIRS),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Replace, both were cleared": (
        (REPLACE, BASE, CLEARED, CLEARED),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Replace of a session that an earlier request has cleared, and this one too": (
        (REPLACE, CLEARED, CLEARED, CLEARED),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a second Replace of a session that this request has cleared": (
        (REPLACE, SAVED, CLEARED, CLEARED),
        (THEN_MERGED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, ours was cleared after a save": (
        (REPLACE, replace(BASE, is_saved=True), CLEARED, THEIRS),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Replace, ours was cleared and base does not open": (
        (REPLACE, OPAQUE, CLEARED, THEIRS),
        (THEN_OURS_CLEARED, THEN_OURS_CLEARED, THEN_OURS_CLEARED),
    ),
    "a Replace, theirs was cleared": (
        (REPLACE, BASE, OURS, CLEARED),
        (THEN_MERGED, THEN_OURS, RaiseConflict()),
    ),
    "a Replace, ours was cleared and theirs does not open": (
        (REPLACE, BASE, CLEARED, OPAQUE),
        (THEN_OURS_UNOPENED, THEN_OURS, RaiseConflict()),
    ),
}


@pytest.mark.parametrize("row", [LIVE, FOREVER], ids=["expires", "never expires"])
@pytest.mark.parametrize(("contents", "expected"), OVER_A_LIVE_ROW.values(), ids=OVER_A_LIVE_ROW)
def test_two_writers_meet_as_on_conflict_says(
    contents: Contents, expected: tuple[Next, Next, Next], row: Record
) -> None:
    """The table of `_resolve`: `merge`, `overwrite` and `raise`, for Create and Replace.

    A Create merges whatever `on_conflict` says. A session that does not open is replaced, with
    a line in the log, and a session that was cleared is never merged.
    """
    plan, base, ours, opened = contents
    found = tuple(
        decide_refused(plan, row, policy=policy, base=base, ours=ours, opened=opened)
        for policy in POLICIES
    )

    assert found == expected


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: type(plan).__name__)
def test_theirs_is_opened_only_if_it_may_be_merged(plan: Refused) -> None:
    """It is not opened if the write is given up, applied, a delete, or over an expired row."""
    opened: list[Record] = []

    def read(row: Record) -> Content:
        opened.append(row)
        return THEIRS

    for theirs in (None, EXPIRED, LIVE._replace(rev=make_rev("birth.ours")), LIVE):
        after_refusal(RefusedSave(plan, TOKEN, BASE, OURS, theirs, read, NOW, "merge"))

    assert opened == ([LIVE] if plan in {CREATE, REPLACE} else [])
