"""What a save leaves in the row and in memory: decisions over values, without a server."""

from __future__ import annotations

import pytest

from beaker_dynamodb import logs
from beaker_dynamodb.item.codec import FORMAT, ROTATED
from beaker_dynamodb.item.decide import Content, Create, Delete, Replace, SaveState
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import CLEARED, UNOPENED, Retry
from beaker_dynamodb.sessions.saving import (
    UNWRITABLE,
    StoredRow,
    _choose_pending,
    _get_stored_row,
    _make_conflict,
    _make_content,
    merge_or_warn,
)
from tests.revisions import make_rev, make_token

ROW = Record(Key("sess:a"), b"", make_rev("birth.ours"))
OURS, THEIRS = Content("ours", None), Content("theirs", None)


@pytest.mark.parametrize(
    ("asked", "loaded", "stored", "left"),
    [
        (None, None, "theirs", "theirs"),
        (None, "", "theirs", "theirs"),
        (None, "note", "note", "note"),
        ("ours", None, "theirs", "ours"),
        ("ours", "note", "note", "ours"),
        ("", "note", "note", ""),
        ("", "note", "theirs", "theirs"),
        ("", None, "theirs", "theirs"),
    ],
)
def test_a_request_removes_only_the_note_that_it_has_loaded(
    asked: str | None, loaded: str | None, stored: str, left: str
) -> None:
    """Another request may have asked since that the other sessions be ended once more."""
    row = None if loaded is None else ROW._replace(pending=loaded)
    state = SaveState(None, row, OURS, None, 0.0, None, 0.0, pending=asked)

    assert _choose_pending(state, ROW._replace(pending=stored)) == left


def test_an_applied_write_is_not_read_again() -> None:
    """Its text is known; a large one would be read in chunks."""

    def read(record: Record) -> Content:
        raise AssertionError(record)

    found = _get_stored_row(Replace(b""), ROW, make_token("ours"), OURS, read)

    assert found == StoredRow(ROW, "ours")


def test_a_write_that_another_request_has_replaced_since_is_read() -> None:
    """The next save of this request is merged into what is stored."""
    found = _get_stored_row(Replace(b""), ROW, make_token("mine"), OURS, lambda _: THEIRS)

    assert found == StoredRow(ROW, "theirs")


@pytest.mark.parametrize(("write", "theirs"), [(Delete(b""), ROW), (Create(), None)])
def test_nothing_is_stored_after_a_delete(write: Delete | Create, theirs: Record | None) -> None:
    """Neither after one of this request, nor after one of another that followed a write."""
    assert _get_stored_row(write, theirs, make_token("ours"), OURS, lambda _: THEIRS) is None


@pytest.mark.parametrize(
    ("theirs", "what", "text"),
    [
        (None, "changed the session", None),
        (ROW, "changed the session", "theirs"),
        (ROW._replace(data=bytes((FORMAT, ROTATED))), "given the session a new id", "theirs"),
    ],
    ids=["deleted", "changed", "moved"],
)
def test_a_conflict_says_what_the_other_request_has_done(
    theirs: Record | None, what: str, text: str | None
) -> None:
    """And holds what is stored now."""
    error = _make_conflict(theirs, lambda _: THEIRS)

    assert str(error) == f"another request has {what} in the meantime; nothing was saved"
    assert error.theirs == text


@pytest.mark.parametrize(
    ("theirs", "cleared", "reason"),
    [
        (THEIRS, True, CLEARED),
        (THEIRS, False, UNOPENED),
        (Content("theirs", {"a": 2}), False, UNWRITABLE),
    ],
)
def test_a_replaced_session_is_told_with_its_reason(
    theirs: Content, cleared: bool, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an envelope nothing can be written again, even if it could be opened."""
    logs.forget()
    ours = Content("ours", {"a": 1})

    with caplog.at_level("WARNING", "beaker_dynamodb"):
        assert merge_or_warn(None, ours, ours, theirs, cleared=cleared) is ours
    assert reason in caplog.text


def test_an_object_that_cannot_be_written_again_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The later save wins, as it does without a merge."""
    logs.forget()
    state = SaveState(OURS, None, OURS, None, 0.0, None, 0.0)

    with caplog.at_level("WARNING", "beaker_dynamodb"):
        found = _make_content(Retry(Replace(b""), merge=True), state, ROW, lambda _: THEIRS)
    assert found is OURS
    assert UNWRITABLE in caplog.text
