"""What a pass of a save writes, and how it goes on from a refusal: decided over values."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from beaker_dynamodb import OptionError, logs
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.item.codec import FORMAT, ROTATED, TOMBSTONE
from beaker_dynamodb.item.decide import Content, Create, Replace, SaveState, Touch
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import RefusedSave
from beaker_dynamodb.item.revision import SHORT_TOKEN
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions.saving import Attempts, Saver
from tests.instruments import Clock
from tests.revisions import make_prev, make_rev, make_token
from tests.servers import REGION

NOW, LIFETIME = 1000.0, 100.0
KEY = Key("sess:a")
REV, BORN_LATE = make_rev("birth.last", 500), make_rev("birth.last")
ROW = Record(KEY, b"data", REV, make_prev("older"), 1050, pending="note")
NEW = Record(KEY, b"", make_rev("drawn.ours", NOW), expires=1100)
NEXT = Record(KEY, b"", make_rev("birth.ours", 500), make_prev("last older"), 1100, pending="note")
OURS = Content("ours", None)


def make_saver(**options: Any) -> Saver:
    """Return what saves a session that has the table's own lifetime of 77 seconds."""
    runtime = Runtime(clock=lambda: NOW, token=lambda: make_token("drawn"))
    rows = build_rows(parse({"region": REGION, **options}, "session"), "session", runtime)
    return Saver(rows, KEY, rows.delete, 77.0)


def make_state(row: Record | None = ROW, ours: Content = OURS, **more: Any) -> SaveState:
    """Return what a save knows; a session lives 100 seconds if *more* does not say otherwise."""
    state = SaveState(None, row, ours, None, NOW, LIFETIME, 10.0)
    return state._replace(**more)


CREATED = Content("ours", {"_creation_time": 400.0})
ALL_CASES: dict[str, tuple[Any, Record | None, SaveState, Record]] = {
    "a new session": (Create(), None, make_state(None), NEW),
    "over a row that has ended": (Create(), ROW, make_state(), NEW),
    "a new session that began elsewhere": (
        Create(),
        None,
        make_state(None, CREATED),
        NEW._replace(rev=make_rev("drawn.ours", 400)),
    ),
    "a new id of a session that began before": (
        Create(),
        None,
        make_state(None, CREATED, start=300.0),
        NEW._replace(rev=make_rev("drawn.ours", 300)),
    ),
    "a touch": (
        Touch(REV),
        ROW,
        make_state(),
        ROW._replace(data=b"", expires=1100),
    ),
    "a touch of a large row": (Touch(REV, new_token=True), ROW, make_state(), NEXT),
    "a change": (Replace(REV), ROW, make_state(), NEXT),
    "of a row without a start": (
        Replace(BORN_LATE),
        ROW._replace(rev=BORN_LATE),
        make_state(ours=CREATED),
        NEXT._replace(rev=make_rev("birth.ours", 400)),
    ),
    "that begins anew": (
        Replace(REV),
        ROW,
        make_state(restarts=True),
        NEXT._replace(rev=make_rev("birth.ours", NOW)),
    ),
    "up to its longest age": (
        Replace(REV),
        ROW,
        make_state(max_age=550.0),
        NEXT._replace(expires=1050),
    ),
    "younger than that": (Replace(REV), ROW, make_state(max_age=900.0), NEXT),
    "that lives for ever": (
        Replace(REV),
        ROW,
        make_state(lifetime=None),
        NEXT._replace(expires=None),
    ),
    "for ever, but for its age": (
        Replace(REV),
        ROW,
        make_state(lifetime=None, max_age=550.0),
        NEXT._replace(expires=1050),
    ),
    "for part of a second": (
        Replace(REV),
        ROW,
        make_state(lifetime=99.2),
        NEXT,
    ),
    "with a note": (
        Replace(REV),
        ROW,
        make_state(pending="later"),
        NEXT._replace(pending="later"),
    ),
    "with the first note": (
        Replace(REV),
        ROW._replace(pending=""),
        make_state(pending="later"),
        NEXT._replace(pending="later"),
    ),
    "with its note removed": (
        Replace(REV),
        ROW,
        make_state(pending=""),
        NEXT._replace(pending=""),
    ),
    "a new session with a note": (
        Create(),
        None,
        make_state(None, pending="later"),
        NEW._replace(pending="later"),
    ),
}


@pytest.mark.parametrize(
    ("write", "old", "state", "expected"), ALL_CASES.values(), ids=[*ALL_CASES]
)
def test_a_row_is_written_as_its_session_is(
    write: Create | Touch | Replace, old: Record | None, state: SaveState, expected: Record
) -> None:
    """Birth, start, tokens, expiry and note."""
    record = make_saver()._make_record(write, state.ours, old, make_token("ours"), NOW, state)

    assert record == expected


@pytest.mark.parametrize(
    ("values", "expires"),
    [({"_lifetime": 50.0}, 1000 + 50 + 120), ({"user": "ann"}, 1077), (None, 1100)],
    ids=["of its own", "the setting's", "unknown"],
)
def test_a_merged_session_lives_as_long_as_the_other_request_has_said(
    values: dict[str, object] | None, expires: int
) -> None:
    """Ours was made before it; None of a session that does not open."""
    merged = Content("merged", values)
    record = make_saver()._make_record(
        Replace(REV), merged, ROW, make_token("ours"), NOW, make_state()
    )

    assert record.expires == expires


SPECIAL = {"special_keys": "user visits:N"}


@pytest.mark.parametrize(
    ("values", "old", "expected"),
    [
        ({"user": "ann", "visits": 3}, None, {"user": "ann", "visits": 3}),
        ({"user": "ann"}, ROW, {"user": "ann"}),
        (None, ROW._replace(promoted={"user": "ben", "other": "x"}), {"user": "ben"}),
        (None, None, {}),
    ],
    ids=["all", "one", "does not open", "new, does not open"],
)
def test_special_keys_are_copied(
    values: dict[str, object] | None, old: Record | None, expected: dict[str, object]
) -> None:
    """From the session, or from the row before if it does not open."""
    write = Replace(REV) if old else Create()
    record = make_saver(**SPECIAL)._make_record(
        write, Content("text", values), old, make_token("ours"), NOW, make_state(old)
    )

    assert record.promoted == expected


@pytest.mark.parametrize("write", [Create(), Replace(REV)])
def test_a_missing_special_key_is_an_error_where_it_is_required(write: Create | Replace) -> None:
    """The message names it; a session that is only touched goes on."""
    saver = make_saver(**SPECIAL, require_special_keys=True)
    content = Content("text", {"user": "ann", "visits": "many"})

    with pytest.raises(OptionError, match=r"require_special_keys: .* no usable 'visits'"):
        saver._make_record(write, content, ROW, make_token("ours"), NOW, make_state())
    touched = saver._make_record(Touch(REV), content, ROW, make_token("ours"), NOW, make_state())
    assert touched.promoted == {"user": "ann"}


@pytest.mark.parametrize(("value", "told"), [({"visits": "many"}, True), ({}, False)])
def test_a_special_key_of_another_type_is_logged(
    value: dict[str, object], caplog: pytest.LogCaptureFixture, *, told: bool
) -> None:
    """One that the session does not have is no mistake."""
    logs.forget()

    with caplog.at_level(logging.WARNING, "beaker_dynamodb"):
        found = make_saver(**SPECIAL)._promote(
            Create(), Content("text", {"user": "ann", **value}), None
        )
    assert found == {"user": "ann"}
    message = "special key 'visits' cannot be an index key of type N"
    assert caplog.messages == [message] * told


# After a refusal

MINE, FRESH = Content("mine", {"a": 1}), Content("ours", {"user": "ann"})
BEGUN = Content("ours", {"user": "ann", "_accessed_time": 5.0})
OTHER, OWN = ROW._replace(rev=make_rev("birth.theirs")), ROW._replace(rev=make_rev("birth.mine"))
LATER = OTHER._replace(prev=make_prev("older mine"))
DELETED, ROTATED_AWAY = (
    OTHER._replace(data=bytes((FORMAT, kind))) for kind in (TOMBSTONE, ROTATED)
)


@pytest.mark.parametrize(
    ("write", "ours", "theirs", "expected", "base"),
    [
        (Replace(REV), FRESH, None, Create(), None),
        (Replace(REV), FRESH, DELETED, Create(), None),
        (Replace(REV), FRESH, ROTATED_AWAY, Replace(REV), OURS),
        (Replace(REV), FRESH, OTHER, Replace(REV), OURS),
        (Replace(REV), BEGUN, None, Replace(REV), OURS),
        (Replace(REV), OURS, None, Replace(REV), OURS),
        (Create(), FRESH, None, Create(), OURS),
        (Touch(REV), FRESH, DELETED, Touch(REV), OURS),
    ],
)
@pytest.mark.parametrize("may_have_deleted", [True, False])
def test_who_logs_in_after_a_logout_without_a_reply_has_a_new_session(
    write: Any, ours: Content, theirs: Any, expected: Any, base: Any, *, may_have_deleted: bool
) -> None:
    """If the row is gone, and this request has cleared its session and put values in."""
    saver = make_saver()
    saver._may_have_deleted = may_have_deleted
    state = make_state(ours=ours, base=OURS)

    found = saver._continue_from_own_write(write, state, theirs)

    unchanged = (write, state)
    assert found == ((expected, state._replace(base=base)) if may_have_deleted else unchanged)


@pytest.mark.parametrize(
    ("write", "theirs", "expected", "base"),
    [
        (Create(), OWN, Replace(OWN.rev), MINE),
        (Replace(REV), OWN, Replace(REV), MINE),
        (Touch(REV), LATER, Touch(REV), MINE),
        (Create(), LATER, Replace(LATER.rev), MINE),
        (Create(), OTHER, Create(), OURS),
        (Replace(REV), OTHER, Replace(REV), OURS),
        (Create(), None, Create(), OURS),
    ],
)
def test_a_write_without_a_reply_that_was_applied_is_what_the_next_is_compared_with(
    write: Any, theirs: Any, expected: Any, base: Any
) -> None:
    """Else what this request has removed since would look like an addition of another one."""
    saver = make_saver()
    saver._uncertain = {make_token("mine")[:SHORT_TOKEN]: MINE}
    state = make_state(base=OURS)

    found = saver._continue_from_own_write(write, state, theirs)

    assert found == (expected, state._replace(base=base))


@pytest.mark.parametrize(
    ("option", "theirs", "policy"),
    [
        ("raise", OTHER, "raise"),
        ("raise", LATER, "raise"),
        ("raise", OWN, "merge"),
        ("raise", None, "raise"),
        ("merge", OTHER, "merge"),
        ("merge", None, "merge"),
    ],
)
def test_a_write_of_this_request_is_no_conflict(
    option: str, theirs: Record | None, policy: str
) -> None:
    """Under `on_conflict = raise`, if its reply was lost."""
    saver, token = make_saver(on_conflict=option), make_token("ours")
    saver._uncertain = {make_token("mine")[:SHORT_TOKEN]: MINE}
    state = make_state(base=MINE)
    read = saver._make_reader(None)

    found = saver._describe_refusal(Replace(REV), token, state, theirs, read)

    assert found == RefusedSave(Replace(REV), token, MINE, OURS, theirs, read, NOW, policy)


def test_only_the_first_repetition_waits_for_nothing() -> None:
    """The others sleep up to a tenth of a second; three seconds are the end."""
    clock, slept = Clock(), list[float]()
    attempts = Attempts(Runtime(monotonic=clock, sleep=slept.append, random=lambda: 0.5))
    for _ in range(3):
        attempts.wait()

    assert slept == [0.05, 0.05]
    clock.advance(3)
    assert not attempts.is_over()
    clock.advance(0.1)
    assert attempts.is_over()
