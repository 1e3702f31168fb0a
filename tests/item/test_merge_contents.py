"""What is written after a merge: our changes in theirs, and nothing if ours was cleared."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from beaker_dynamodb.item.decide import Content, merge_contents, rebase
from beaker_dynamodb.item.envelope import PickleEnvelope

BY = PickleEnvelope()
TIMES = {"_accessed_time": 1.0}


def content(**values: Any) -> Content:
    """Write a session, as this process would."""
    return Content(BY.close({**TIMES, **values}), {**TIMES, **values})


class Counted:
    """Differs each time that it is loaded, as an object does that keeps what it has computed."""

    def __init__(self, loads: int) -> None:
        self.loads = loads

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.loads = state["loads"] + 1


BASE, OURS, THEIRS = content(a=1), content(a=1, b=2), content(a=1, c=3)
BOTH = {**TIMES, "a": 1, "b": 2, "c": 3}
#: What an earlier save of the request has cleared, and what another request has added to it.
EARLIER, ADDED = (
    Content(BY.close(values), values, is_saved=True) for values in ({"a": 1}, {"a": 1, "c": 3})
)
CLEARED, OPAQUE = Content(BY.close({"b": 2}), {"b": 2}), Content("opaque")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (BASE, OURS, THEIRS, BOTH),
        (None, OURS, THEIRS, BOTH),
        (OPAQUE, OURS, THEIRS, BOTH),
        (BASE, OPAQUE, THEIRS, None),
        (BASE, OURS, OPAQUE, TIMES | {"a": 1, "b": 2}),
    ],
)
def test_a_refused_change_is_applied_to_theirs(
    base: Content | None, ours: Content, theirs: Content, merged: dict[str, Any] | None
) -> None:
    """If one of them does not open, ours is written as it is."""
    found = merge_contents(BY, base, ours, theirs)

    assert found.values == merged
    assert BY.open(found.text) == merged


def test_an_object_that_only_loading_has_changed_is_not_written_over_a_change() -> None:
    """Ours was loaded and saved once more than base, so base is, too, before they are compared."""
    stored = BY.close({**TIMES, "object": Counted(0)})
    loaded = BY.open(stored)
    assert loaded is not None
    base, ours = Content(stored, None, BY), Content(BY.close(loaded | {"b": 2}), None, BY)
    theirs = Content(BY.close({**TIMES, "object": Counted(50)}), None, BY)

    merged = merge_contents(BY, base, ours, theirs).values

    assert merged is not None
    assert (merged["b"], merged["object"].loads > 50) == (2, True)


def test_without_an_envelope_nothing_is_merged() -> None:
    """Opaque sessions have no envelope."""
    assert merge_contents(None, BASE, OURS, THEIRS) is OURS


@pytest.mark.parametrize(
    ("stored", "base", "ours", "written"),
    [
        (THEIRS, BASE, OURS, BOTH),
        (THEIRS, BASE, CLEARED, CLEARED.values),
        (THEIRS, BASE, OPAQUE, None),
        (OPAQUE, BASE, OURS, OURS.values),
        (THEIRS, OPAQUE, OURS, OURS.values),
        (ADDED, EARLIER, CLEARED, {"b": 2, "c": 3}),
    ],
)
def test_a_second_save_of_a_request_keeps_what_the_first_has_merged(
    stored: Content, base: Content, ours: Content, written: dict[str, Any] | None
) -> None:
    """The session object does not have these keys, and has not deleted them.

    A session that was cleared in between loses them, but not if an earlier save was cleared.
    """
    found = rebase(BY, base, ours, stored.text)

    assert found.values == written


def test_a_deleted_key_stays_deleted_and_a_new_one_is_kept() -> None:
    """Base tells the two apart; also in a second save of a request."""
    base, ours = content(a=1, gone=1), content(a=1)
    theirs = content(a=1, gone=1, c=3)

    assert merge_contents(BY, base, ours, theirs).values == {**TIMES, "a": 1, "c": 3}
    assert rebase(BY, base, ours, theirs.text).values == {**TIMES, "a": 1, "c": 3}


def test_a_session_that_cannot_be_pickled_again_is_not_merged() -> None:
    """An object may open and not close; then ours is written as it is."""
    theirs = Content("theirs", {**TIMES, "lock": threading.Lock()})

    assert merge_contents(BY, BASE, OURS, theirs) is OURS
