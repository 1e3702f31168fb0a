"""Views that use a session, and helpers that set the clock and collect the meter's reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

import beaker_dynamodb
from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.manager import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import Runtime
from tests.exchange import Exchange
from tests.instruments import Clock

View = Callable[[Any], Any]
Step = Callable[[], object]


def contents(session: Any) -> dict[str, Any]:
    """Read everything."""
    return {name: value for name, value in dict(session.items()).items() if name[0] != "_"}


def put(**values: object) -> View:
    """Make a view that sets values and saves."""

    def view(session: Any) -> None:
        session.update(values)
        session.save()

    return view


def read_while(step: Step) -> View:
    """Make a view that loads its session and saves nothing, while *step* happens."""

    def view(session: Any) -> dict[str, Any]:
        found = contents(session)
        step()
        return found

    return view


def put_while(step: Step, **values: object) -> View:
    """Make a view that loads its session, sets values after *step* happened, and saves."""
    return change_while(step, lambda session: session.update(values))


def change_while(step: Step, change: View) -> View:
    """Make a view that loads its session, changes it after *step* happened, and saves."""

    def view(session: Any) -> None:
        contents(session)
        step()
        change(session)
        session.save()

    return view


def log_out(session: Any) -> None:
    """Delete the session, as a logout page does."""
    session.delete()


@dataclass(frozen=True)
class Between:
    """A fault for the proxy: the request is applied, *step* happens, and then the reply comes."""

    step: Step

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        self.step()
        exchange.answer(reply)


def record_saves() -> list[Saved]:
    """Return a list to which the meter appends each report of a save from now on."""
    events: list[Saved] = []

    def keep(event: object) -> None:
        if isinstance(event, Saved):
            events.append(event)

    beaker_dynamodb.observe(keep)
    return events


# Time and randomness


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock, **more: Any) -> None:
    """Make Beaker and the package use *clock*; *more* are other fields of the runtime."""
    runtime = {"clock": clock, "monotonic": clock.monotonic, "sleep": clock.sleep, **more}
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", Runtime(**runtime))
    ticking = SimpleNamespace(time=clock, strftime=time.strftime)
    monkeypatch.setattr("beaker.session.time", ticking)
    monkeypatch.setattr("beaker_dynamodb.sessions.strict.time", ticking)
