"""A session that was cleared gets the times of a new one, so that the next `clear()` shows."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from beaker_dynamodb.item.decide import Content, SaveState, date_cleared, is_cleared
from beaker_dynamodb.item.envelope import Envelope, JsonEnvelope, PickleEnvelope

NOW = 1000.0
PICKLE, JSON = PickleEnvelope(), JsonEnvelope(10**6)
BASE = {"_accessed_time": 900.0, "_creation_time": 500.0, "user": "ann"}
CLEARED = {"_domain": None, "_path": "/", "user": "bob"}


def date(
    ours: dict[str, Any],
    base: dict[str, Any] | None = BASE,
    envelope: Envelope = PICKLE,
    created: float | None = None,
) -> Content:
    """Return what is written of *ours* at NOW."""
    loaded = None if base is None else Content(envelope.close(base), base)
    content = Content(envelope.close(ours), ours)
    state = SaveState(loaded, None, content, envelope, NOW, 3600.0, 360.0)
    found = date_cleared(state, created)
    assert found == state._replace(ours=found.ours)
    assert (found.ours is content) is (found.ours.new_date is None)
    return found.ours


@pytest.mark.parametrize("envelope", [PICKLE, JSON])
@pytest.mark.parametrize("base", [None, BASE, {"user": "ann"}], ids=["new", "loaded", "undated"])
def test_a_session_that_was_cleared_looks_like_a_new_one(
    base: dict[str, Any] | None, envelope: Envelope
) -> None:
    """It has both times, after the cookie's keys and before its own: so it is compared by bytes."""
    found = date(CLEARED, base, envelope)

    values = {"_domain": None, "_path": "/", "_accessed_time": NOW, "_creation_time": NOW}
    assert list((found.values or {}).items()) == [*values.items(), ("user", "bob")]
    assert envelope.open(found.text) == found.values
    assert not envelope.may_lack_creation_time(found.text)
    assert envelope.compare(found.text, found.text).changed is False


@pytest.mark.parametrize("envelope", [PICKLE, JSON])
@pytest.mark.parametrize("ours", [BASE, {"_domain": None}, {}], ids=["dated", "emptied", "empty"])
def test_any_other_session_stays_as_it_is(ours: dict[str, Any], envelope: Envelope) -> None:
    """A session that keeps its creation time was not cleared, and an emptied one is deleted."""
    assert date(ours, envelope=envelope).new_date is None


def test_what_cannot_be_opened_or_pickled_again_stays_as_it_is() -> None:
    """Then it is written as it was before there were such times."""
    opaque = SaveState(None, None, Content("opaque"), None, NOW, None, 360.0)

    assert date_cleared(opaque, None) is opaque
    assert date_cleared(opaque._replace(envelope=PICKLE), None).ours is opaque.ours
    strange = Content("strange", {"user": threading.Lock()})
    assert date_cleared(opaque._replace(envelope=PICKLE, ours=strange), None).ours is strange


@pytest.mark.parametrize("created", [NOW, NOW + 5, 10**400, "yesterday"])
def test_the_new_creation_time_is_another_one(created: object) -> None:
    """Clocks of servers differ, so that of the last `clear()` may be later than now."""
    base = {**BASE, "_creation_time": created}

    found = date(CLEARED, base)

    assert found.new_date is not None
    assert found.new_date >= NOW
    assert found.new_date != created
    assert is_cleared(Content("base", base), found)


@pytest.mark.parametrize(
    ("base", "is_it"),
    [(None, True), (BASE, True), ({"user": "ann"}, False)],
    ids=["new", "loaded", "undated"],
)
def test_a_session_counts_as_cleared_since_it_was_loaded(
    base: dict[str, Any] | None, is_it: bool
) -> None:
    """One that had no creation time before may only have changed."""
    content = None if base is None else Content("base", base)

    assert is_cleared(content, date(CLEARED, base)) is is_it
    assert is_cleared(Content("opaque"), date(CLEARED, base))
    assert not is_cleared(content, date(BASE, base))


def test_a_second_save_after_clear_is_a_change_of_the_first() -> None:
    """The request gives the same creation time again, so what others have added stays."""
    first = date(CLEARED)
    second = date({**CLEARED, "cart": 1}, first.values, created=first.new_date)

    assert second.new_date == first.new_date
    assert not is_cleared(first, second)
