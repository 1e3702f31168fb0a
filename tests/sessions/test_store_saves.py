"""How a session's store decides about a save, and carries it out, in steps: no call is made here.

What users see of it is tested with a real table, in the other files of this folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from beaker_dynamodb import Conflict, Unavailable, observe
from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.item.decide import Content, GiveUp, Leave, Replace, SaveState, Touch
from beaker_dynamodb.sessions import store, touches
from beaker_dynamodb.sessions.saving import StoredRow
from beaker_dynamodb.sessions.store import SessionSettings, SessionStore
from tests.sessions.test_store import HOUR, make_row, make_settings, make_store

FILE = {"migrate_from": "file", "migrate_from.data_dir": "/sessions"}
OPAQUE = "text"


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[SaveState]:
    """Record what each decision depends on; it is to write nothing."""
    states: list[SaveState] = []

    def decide(state: SaveState) -> Leave:
        states.append(state)
        return Leave()

    monkeypatch.setattr(store, "decide", decide)
    return states


@pytest.fixture
def save_events() -> Iterator[list[tuple[str, str]]]:
    """Record what `observe` reports of each save."""
    events: list[tuple[str, str]] = []

    def record(event: object) -> None:
        assert isinstance(event, Saved)
        events.append((event.plan, event.outcome))

    end = observe(record)
    yield events
    end()


def test_a_save_is_decided_by_what_the_request_knows(states: list[SaveState]) -> None:
    """And, beside that, by the options."""
    one = SessionStore(make_settings(120 + HOUR, max_age="60d", envelope="none"), "a")
    one.save(OPAQUE)
    one.base, one.stored, one.start = "base", make_row(7), 5.0
    one.restarts, one.pending, one.own_timeout = True, "note", 600.0
    one.save(OPAQUE)
    now, age = one.runtime.clock(), 60 * 86400

    record = make_row(7).record
    assert [(state.base and state.base.text, state.ours.text) for state in states] == [
        (None, OPAQUE),
        ("base", OPAQUE),
    ]
    assert [tuple(state[3:]) for state in states] == [
        (None, now, 120 + HOUR, HOUR / 10, None, age, False, None, False),
        (None, now, 720, 60, 5.0, age, True, "note", False),
    ]
    assert [state.row for state in states] == [None, record]


def test_touches_give_way_while_they_are_paused(
    states: list[SaveState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the lifetime of this session permits."""
    one = SessionStore(make_settings(120 + HOUR), "a")
    table = one.rows.table
    monkeypatch.setitem(touches.paused_until, (table.client, table.name), math.inf)
    one.save(OPAQUE)

    assert [state.touch_after for state in states] == [HOUR / 3]


class FakeSaver:
    """Records how it is made and used, and responds as the test says."""

    created: ClassVar[list[Any]] = []
    calls: ClassVar[list[Any]] = []
    response: ClassVar[Any] = None
    may_have_saved = True

    def __init__(self, *given: object) -> None:
        self.created.append(given)

    def save(self, *given: object) -> Any:
        self.calls.append(given)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


@pytest.fixture
def saver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeSaver]]:
    """Carry out no decision."""
    monkeypatch.setattr(store, "Saver", FakeSaver)
    yield FakeSaver
    FakeSaver.created.clear()
    FakeSaver.calls.clear()


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that says what the next saves decide."""
    return lambda decision: monkeypatch.setattr(store, "decide", lambda _: decision)


@pytest.mark.parametrize("migrates", [False, True])
def test_a_decision_is_carried_out_upon_the_row_that_was_read(
    migrates: bool, saver: type[FakeSaver], choose: Callable[[Any], None]
) -> None:
    """A row is deleted with a tombstone while sessions migrate."""
    row, write = make_row(7), Replace(b"rev")
    one = SessionStore(make_settings(HOUR, **(FILE if migrates else {})), "a")
    one.stored = row
    choose(write)
    saver.response = ("stored", make_row(8))
    one.save(OPAQUE)
    one.save(OPAQUE)

    ((rows, key, delete_row, lifetime),) = saver.created
    source = one.source.delete_with_tombstone if one.source else one.rows.delete
    assert (rows, key, delete_row, lifetime) == (one.rows, one.key, source, HOUR)
    ((first, state, stored), (_, later, _)) = saver.calls
    assert (first, stored, state.row) == (write, row, row.record)
    assert [state.may_have_saved, later.may_have_saved] == [False, True]


@pytest.mark.parametrize(
    ("outcome", "row", "base", "is_saved"),
    [
        ("stored", make_row(8), OPAQUE, True),
        ("deleted", None, None, True),
        ("dropped", make_row(8), "base", False),
    ],
)
def test_the_next_save_is_compared_with_what_was_stored(
    outcome: str,
    row: StoredRow | None,
    base: str | None,
    is_saved: bool,
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    save_events: list[tuple[str, str]],
) -> None:
    """Unless nothing was; what the save was asked for besides is done."""
    one = make_store()
    one.base, one.restarts, one.pending = "base", True, "note"
    choose(Replace(b"rev"))
    saver.response = (outcome, row)
    one.save(OPAQUE)

    kept: list[object] = [one.base, one.stored, one.restarts, one.pending, one._is_saved]
    assert kept == [base, row, False, None, is_saved]
    assert save_events == [("replace", outcome)]


@pytest.mark.parametrize(
    ("decision", "event", "line"),
    [
        (Leave(), ("leave", "left"), None),
        (GiveUp(), ("replace", "dropped"), store.KEPT),
        (Replace(b"rev"), ("replace", "stored"), None),
        (Replace(b"rev", unopened=True), ("replace", "stored"), store.REPLACED),
        (Touch(b"rev"), ("touch", "stored"), None),
    ],
)
def test_each_decision_is_reported_and_an_unreadable_session_logged(
    decision: Any,
    event: tuple[str, str],
    line: str | None,
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    save_events: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`observe` hears of each; a log has only what an operator must know."""
    one = make_store(envelope="none")
    saver.response = ("stored", None)
    choose(decision)
    one.save(OPAQUE)

    assert save_events == [event]
    assert caplog.messages == ([] if line is None else [line])
    assert bool(saver.calls) is (decision not in (Leave(), GiveUp()))


@pytest.mark.parametrize(
    ("error", "pauses", "lines"),
    [
        (Unavailable("down"), True, []),
        (Conflict("busy"), False, [f"{store.UNTOUCHED}: Conflict"]),
    ],
)
@pytest.mark.parametrize("decision", [Touch(b"rev"), Replace(b"rev")])
def test_a_page_that_only_read_does_not_fail_with_its_touch(
    decision: Any,
    error: Exception,
    pauses: bool,
    lines: list[str],
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    save_events: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Any other save does. An outage lets touches give way; a mistake is logged."""
    one = make_store(envelope="none")
    saver.response = error
    choose(decision)
    if isinstance(decision, Replace):
        with pytest.raises(type(error)):
            one.save(OPAQUE)
    else:
        one.save(OPAQUE)

    is_touch = isinstance(decision, Touch)
    table = one.rows.table
    assert ((table.client, table.name) in touches.paused_until) is pauses
    assert save_events == ([("touch", "dropped")] if is_touch else [])
    assert caplog.messages == (lines if is_touch else [])


def test_a_change_beside_a_login_may_change_the_lifetime(
    saver: type[FakeSaver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other request may have set it; it holds for the row of the new id."""
    merged = Content("merged", {"_lifetime": 600.0})
    monkeypatch.setattr(store, "merge_or_warn", lambda *_, **__: merged)
    saver.response = ("stored", make_row(9))
    old, new = make_store("a"), make_store("b")
    old.base, new.base, new.stored = "{}", "text", make_row(8)
    new.merge_from(old, "theirs")

    ((write, state, _),) = saver.calls
    assert new.own_timeout == 600
    assert (write, state.ours, state.lifetime) == (Replace(make_row(8).record.rev), merged, 720)
    assert (old.merged, new.base) == ("theirs", "text")


def test_the_settings_keep_beakers_timeout() -> None:
    """The old backend is asked with it."""
    settings = make_settings(HOUR)

    assert settings.timeout == HOUR
    assert SessionSettings.compute(settings.rows, None).timeout is None
