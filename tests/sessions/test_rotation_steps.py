"""How the row of an old id is replaced after `regenerate_id()`, in steps: no call is made."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb import Conflict
from beaker_dynamodb.dynamodb.table import At, RefusedWrite
from beaker_dynamodb.item.codec import ROTATED
from beaker_dynamodb.sessions import rotation
from beaker_dynamodb.sessions.rotation import TOMBSTONE_LIFETIME
from beaker_dynamodb.sessions.saving import Attempts, StoredRow
from beaker_dynamodb.sessions.store import SessionStore
from tests.sessions.test_store import make_row, make_store

ROW = make_row(7)


class Put(list[Any]):
    """Records what it is called with, and refuses nothing."""

    def __call__(self, *given: object, **more: object) -> None:
        self.append((*given, more))

    put = delete_with_tombstone = __call__


@pytest.mark.parametrize(("old_row", "new_row"), [(None, None), (None, ROW), (ROW, None)])
def test_a_row_is_replaced_only_by_another_one(
    old_row: StoredRow | None, new_row: StoredRow | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a row of the old id, or of the new one, nothing has to be done."""
    put = Put()
    monkeypatch.setattr(rotation, "put_rotation_tombstone", put)
    old, new = make_store("a"), make_store("b")
    old.stored, new.stored = old_row, new_row

    assert rotation.replace_old_row(new, old) is True
    assert put == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("", "note", "note"), ("note", "", ""), ("note", "note", None)],
)
def test_what_another_request_does_to_the_note_under_the_old_id_holds_for_the_new_one(
    before: str, after: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does its change; then nothing is left under the old id."""
    theirs = make_row(7, after).record
    responses: list[RefusedWrite | None] = [RefusedWrite(theirs), None]
    seen: list[object] = []

    def put(_: SessionStore, row: object) -> RefusedWrite | None:
        seen.append(row)
        return responses.pop(0)

    merged: list[object] = []
    monkeypatch.setattr(rotation, "put_rotation_tombstone", put)
    monkeypatch.setattr(rotation, "read_text", lambda _, row: f"theirs {row.pending}")
    monkeypatch.setattr(SessionStore, "merge_from", lambda *given: merged.append(given))
    old, new = make_store("a"), make_store("b")
    old.stored, old.base, new.stored = make_row(7, before), "text", ROW

    assert rotation.replace_old_row(new, old) is True
    assert seen == [make_row(7, before).record, theirs]
    assert merged == [(new, old, f"theirs {after}")]
    assert new.pending == expected
    assert old.stored is None


def test_a_session_that_is_changed_all_the_time_gets_no_new_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error has the text of the last change; a second call goes on from there."""
    theirs = make_row(8).record
    monkeypatch.setattr(rotation, "put_rotation_tombstone", lambda *_: RefusedWrite(theirs))
    monkeypatch.setattr(rotation, "read_text", lambda *_: "theirs")
    monkeypatch.setattr(Attempts, "is_over", lambda _: True)
    monkeypatch.setattr(SessionStore, "merge_from", lambda *_: None)
    old, new = make_store("a"), make_store("b")
    old.stored, old.base, new.stored = ROW, "text", ROW

    with pytest.raises(Conflict, match="change the session faster than") as caught:
        rotation.replace_old_row(new, old)

    assert caught.value.theirs == "theirs"
    assert old.stored == StoredRow(theirs, "theirs")


@pytest.mark.parametrize("migrates", [False, True])
def test_a_tombstone_replaces_the_row_that_was_read(migrates: bool) -> None:
    """That row names its chunks. The tombstone lives as long as the old session could come back."""
    old, put, row = make_store("a"), Put(), ROW.record
    if migrates:
        old.source = put  # type: ignore[assignment]  # it records what it is asked
    else:
        old.tombstones = put  # type: ignore[assignment]  # likewise
    rotation.put_rotation_tombstone(old, row)

    more = {"kind": ROTATED} | ({} if migrates else {"lifetime": TOMBSTONE_LIFETIME})
    assert put == [(old.key, At(row.rev), row, more)]
