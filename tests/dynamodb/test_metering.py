"""Observers hear of every call and every save, and can disturb none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import pytest

import beaker_dynamodb
from beaker_dynamodb.dynamodb import metering
from tests.dynamodb.doubles import failure
from tests.faults.kinds import HTML, LoseRequest, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.sessions import apps


@pytest.fixture
def heard() -> list[metering.Event]:
    """Observe from here on."""
    events: list[metering.Event] = []
    beaker_dynamodb.observe(events.append)
    return events


def told(events: list[metering.Event]) -> list[tuple[object, ...]]:
    """Say the events without their seconds."""
    return [
        (e.operation, e.read_units, e.write_units, e.outcome)
        if isinstance(e, metering.Call)
        else (e.plan, e.outcome)
        for e in events
    ]


OK_READ: Final = ("GetItem", 1.0, 0.0, "ok")
OK_WRITE: Final = ("PutItem", 0.0, 1.0, "ok")
REFUSED: Final = ("PutItem", 0.0, 0.0, "refused")

#: A request, and what is heard of it; 61 seconds pass before each.
REQUESTS: Final[tuple[tuple[str, list[tuple[object, ...]]], ...]] = (
    ("/set?k=v", [OK_WRITE, ("create", "stored")]),
    ("/read", [OK_READ, OK_WRITE, ("touch", "stored")]),
    ("/set?k=w", [OK_READ, OK_WRITE, ("replace", "stored")]),
    ("/none", []),
    ("/delete", [OK_READ, ("DeleteItem", 0.0, 1.0, "ok"), ("delete", "stored")]),
)


def test_each_call_and_each_save_is_heard(
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    heard: list[metering.Event],
) -> None:
    """One event a call, with its units; one a save, with its plan and how it ended."""
    apps.use_clock(monkeypatch, clock)
    apps.make_table(dynamodb_local, table_name)
    web = apps.at(dynamodb_local, table_name, timeout="600")

    for path, expected in REQUESTS:
        clock.advance(61)
        heard.clear()
        web.get(path)

        assert told(heard) == expected
        assert all(e.seconds > 0 for e in heard if isinstance(e, metering.Call))


def test_saves_that_lose_a_race_are_heard(
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    heard: list[metering.Event],
) -> None:
    """A merged save, a dropped touch and a save that is left out each say so."""
    apps.use_clock(monkeypatch, clock)
    apps.make_table(dynamodb_local, table_name)
    web = apps.at(dynamodb_local, table_name, timeout="600")

    def race(path: str) -> list[tuple[object, ...]]:
        clock.advance(61)
        heard.clear()
        other = {apps.MEANWHILE: lambda: web.get("/set?theirs=" + str(clock()))}
        web.get(path, extra_environ=other)
        return told(heard)

    web.get("/set?k=v")
    merged, dropped = race("/set?mine=1"), race("/read")
    heard.clear()
    web.get("/read")

    won = [OK_WRITE, ("replace", "stored")]
    assert merged == [OK_READ, OK_READ, *won, REFUSED, OK_WRITE, ("replace", "merged")]
    assert dropped == [OK_READ, OK_READ, *won, REFUSED, ("touch", "dropped")]
    assert told(heard) == [OK_READ, ("leave", "left")]


#: What goes wrong, and how the call is heard.
OUTCOMES: Final[dict[str, tuple[Any, list[str]]]] = {
    "throttled": (aws_error("ThrottlingException"), ["throttled"]),
    "an error of the server": (aws_error("InternalServerError", status=500), ["unavailable"]),
    "no answer": (LoseRequest(), ["unavailable"]),
    "a broken reply, twice": (HTML, ["unavailable", "unavailable"]),
    "a refused right": (aws_error("AccessDeniedException"), ["error"]),
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_calls_that_fail_are_heard(
    what: str, dynamodb_local: str, table_name: str, heard: list[metering.Event]
) -> None:
    """The outcome of a call tells a throttle from an outage."""
    fault, outcomes = OUTCOMES[what]
    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(fault, times=None)
        manager = apps.manager(proxy.url, table_name, "alice", max_attempts="1")
        failure(lambda: manager["session"])

    assert told(heard) == [("GetItem", 0.0, 0.0, outcome) for outcome in outcomes]


def test_no_event_holds_an_id_or_a_key(
    dynamodb_local: str, table_name: str, heard: list[metering.Event]
) -> None:
    """What is heard can go into any dashboard."""
    apps.at(dynamodb_local, table_name).get("/set?secret=word")
    session = apps.rows_of(dynamodb_local, table_name)[0]["id"]["S"].removeprefix("sess:")

    assert heard
    assert session not in repr(heard)
    assert "secret" not in repr(heard)


def test_an_observer_that_raises_disturbs_nobody(
    dynamodb_local: str, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged by its class, and the page, and the other observers, go on."""
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


def test_who_stops_observing_hears_no_more(heard: list[metering.Event]) -> None:
    """The function that `observe` returns ends that one observation; `reset` ends all."""
    others: list[metering.Event] = []
    stop: Callable[[], None] = beaker_dynamodb.observe(others.append)
    event = metering.Saved("touch", "stored")

    metering.report(event)
    stop()
    metering.report(event)
    beaker_dynamodb.reset()
    metering.report(event)

    assert (len(others), len(heard)) == (1, 2)
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
