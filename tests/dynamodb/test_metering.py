"""Observers get an event for every call and every save, and cannot disturb them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import pytest

import beaker_dynamodb
from beaker_dynamodb.dynamodb import metering
from tests.dynamodb.doubles import catch_error
from tests.faults.fault_kinds import HTML, LoseRequest, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.sessions import apps


@pytest.fixture
def events() -> list[metering.Event]:
    """Observe, and return the list of events."""
    events: list[metering.Event] = []
    beaker_dynamodb.observe(events.append)
    return events


def summarize(events: list[metering.Event]) -> list[tuple[object, ...]]:
    """Return the events without their seconds."""
    return [
        (e.operation, e.read_units, e.write_units, e.outcome)
        if isinstance(e, metering.Call)
        else (e.plan, e.outcome)
        for e in events
    ]


OK_READ: Final = ("GetItem", 1.0, 0.0, "ok")
OK_WRITE: Final = ("PutItem", 0.0, 1.0, "ok")
REFUSED: Final = ("PutItem", 0.0, 0.0, "refused")

#: A request, and its events. 61 seconds pass before each.
REQUESTS: Final[tuple[tuple[str, list[tuple[object, ...]]], ...]] = (
    ("/set?k=v", [OK_WRITE, ("create", "stored")]),
    ("/read", [OK_READ, OK_WRITE, ("touch", "stored")]),
    ("/set?k=w", [OK_READ, OK_WRITE, ("replace", "stored")]),
    ("/none", []),
    ("/delete", [OK_READ, ("DeleteItem", 0.0, 1.0, "ok"), ("delete", "stored")]),
)


def test_each_call_and_each_save_is_observed(
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    events: list[metering.Event],
) -> None:
    """One event for a call, with its units; one for a save, with its plan and outcome."""
    apps.use_clock(monkeypatch, clock)
    apps.make_table(dynamodb_local, table_name)
    web = apps.at(dynamodb_local, table_name, timeout="600")

    for path, expected in REQUESTS:
        clock.advance(61)
        events.clear()
        web.get(path)

        assert summarize(events) == expected
        assert all(e.seconds > 0 for e in events if isinstance(e, metering.Call))


def test_saves_that_lose_a_race_are_observed(
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    events: list[metering.Event],
) -> None:
    """A merged save, a dropped touch and an unnecessary save have their own outcomes."""
    apps.use_clock(monkeypatch, clock)
    apps.make_table(dynamodb_local, table_name)
    web = apps.at(dynamodb_local, table_name, timeout="600")

    def race(path: str) -> list[tuple[object, ...]]:
        clock.advance(61)
        events.clear()
        other = {apps.MEANWHILE: lambda: web.get("/set?theirs=" + str(clock()))}
        web.get(path, extra_environ=other)
        return summarize(events)

    web.get("/set?k=v")
    merged, dropped = race("/set?mine=1"), race("/read")
    events.clear()
    web.get("/read")

    won = [OK_WRITE, ("replace", "stored")]
    assert merged == [OK_READ, OK_READ, *won, REFUSED, OK_WRITE, ("replace", "merged")]
    assert dropped == [OK_READ, OK_READ, *won, REFUSED, ("touch", "dropped")]
    assert summarize(events) == [OK_READ, ("leave", "left")]


#: A fault, and the outcomes of the calls.
OUTCOMES: Final[dict[str, tuple[Any, list[str]]]] = {
    "throttled": (aws_error("ThrottlingException"), ["throttled"]),
    "an error of the server": (aws_error("InternalServerError", status=500), ["unavailable"]),
    "no answer": (LoseRequest(), ["unavailable"]),
    "a broken reply, twice": (HTML, ["unavailable", "unavailable"]),
    "a refused right": (aws_error("AccessDeniedException"), ["error"]),
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_calls_that_fail_are_observed(
    what: str, dynamodb_local: str, table_name: str, events: list[metering.Event]
) -> None:
    """The outcome distinguishes throttling from an outage."""
    fault, outcomes = OUTCOMES[what]
    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(fault, times=None)
        manager = apps.manager(proxy.url, table_name, "alice", max_attempts="1")
        catch_error(lambda: manager["session"])

    assert summarize(events) == [("GetItem", 0.0, 0.0, outcome) for outcome in outcomes]


def test_no_event_holds_an_id_or_a_key(
    dynamodb_local: str, table_name: str, events: list[metering.Event]
) -> None:
    """So events can be sent to any dashboard."""
    apps.at(dynamodb_local, table_name).get("/set?secret=word")
    session = apps.rows_of(dynamodb_local, table_name)[0]["id"]["S"].removeprefix("sess:")

    assert events
    assert session not in repr(events)
    assert "secret" not in repr(events)


def test_an_observer_that_raises_disturbs_nobody(
    dynamodb_local: str, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The class of its error is logged. The page and the other observers work on."""
    events: list[metering.Event] = []

    def broken(event: metering.Event) -> None:
        raise ValueError("secret")

    beaker_dynamodb.observe(broken)
    beaker_dynamodb.observe(events.append)
    with caplog.at_level(logging.WARNING, "beaker_dynamodb.dynamodb.metering"):
        web = apps.at(dynamodb_local, table_name)
        web.get("/set?k=v")

    assert web.get("/read").json["values"] == {"k": "v"}
    assert events
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_no_event_is_sent_after_observing_ends(events: list[metering.Event]) -> None:
    """The function that `observe` returns ends that one observation; `reset` ends all."""
    others: list[metering.Event] = []
    stop: Callable[[], None] = beaker_dynamodb.observe(others.append)
    event = metering.Saved("touch", "stored")

    metering.report(event)
    stop()
    metering.report(event)
    beaker_dynamodb.reset()
    metering.report(event)

    assert (len(others), len(events)) == (1, 2)
    assert not bool(metering.observers)


def test_nothing_is_made_where_nobody_observes(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an observer no event of a call is even made."""

    def made(*args: object) -> None:
        raise AssertionError("an event was made for nobody")

    monkeypatch.setattr(metering, "Call", made)
    web = apps.at(dynamodb_local, table_name)

    assert web.get("/set?k=v").status_int == 200
