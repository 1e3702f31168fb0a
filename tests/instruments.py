"""What a test measures with: a clock that it winds, and a recorder of the calls that were made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.client import BaseClient

from beaker_dynamodb.dynamodb.responses import Failure
from beaker_dynamodb.dynamodb.wire.client import WireClient
from beaker_dynamodb.dynamodb.wire.transport import Fallback


class Clock:
    """A clock wound by hand: calling it gives the epoch, and nothing but the test moves it."""

    def __init__(self, now: float | None = None) -> None:
        """Start at `now`, or at this second, so that a server's own clock agrees."""
        self._now = float(int(time.time())) if now is None else now
        self._uptime = 1000.0

    def __call__(self) -> float:
        """Return the wall clock's time, in seconds of the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return the monotonic clock's time, which `step` does not move."""
        return self._uptime

    #: The same clock, where code measures how long something takes.
    perf_counter = monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self._now += seconds
        self._uptime += seconds

    #: Whoever sleeps wakes at once, that much later.
    sleep = advance

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator does."""
        self._now += seconds


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a botocore client: what was asked, its capacity units, and AWS's error code."""

    operation: str
    request: Mapping[str, Any]
    units: float | None = None
    error: str | None = None


class Recorder(list[Call]):
    """Every call of this process, by botocore's clients or over the wire, in order of their ends.

    What the wire hands over is boto3's call, and counts once.
    """

    @property
    def names(self) -> list[str]:
        """The operations alone, in order."""
        return [call.operation for call in self]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Listen where all operations of all botocore clients go through, and all of the wire."""
        original = vars(BaseClient)["_make_api_call"]

        def listen(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
            try:
                reply = original(client, operation, request)
            except Exception as error:
                code = getattr(error, "response", {}).get("Error", {}).get("Code")
                self.append(Call(operation, request, error=code or type(error).__name__))
                raise
            self.append(Call(operation, request, _units(reply)))
            return reply

        def listen_to_the_wire(wire: WireClient, operation: str, request: dict[str, Any]) -> Any:
            answer = carried(wire, operation, request)
            if isinstance(answer, Failure):
                self.append(Call(operation, request, error=answer.code))
            elif not isinstance(answer, Fallback):
                self.append(Call(operation, request, _units(answer)))
            return answer

        carried: Any = vars(WireClient)["call"]
        monkeypatch.setattr(BaseClient, "_make_api_call", listen)
        monkeypatch.setattr(WireClient, "call", listen_to_the_wire)


def _units(reply: Mapping[str, Any]) -> float | None:
    # A batch answers a list, with one figure for each table.
    consumed = reply.get("ConsumedCapacity")
    each = consumed if isinstance(consumed, list) else [consumed or {}]
    figures = [one["CapacityUnits"] for one in each if "CapacityUnits" in one]
    return float(sum(figures)) if figures else None


def call_in_order(calls: Sequence[Callable[[], object]]) -> None:
    """Be a `Runtime.run_parallel` without threads: each call is made after the one before."""
    for call in calls:
        call()


def nothing() -> None:
    """Do nothing in between."""
