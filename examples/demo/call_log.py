"""The calls that one request makes, recorded as they happen, with what AWS charges for each.

waitress serves requests in threads, so a recording belongs to its context. The calls that the
demo makes in order to show the item are excluded, and only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.dynamodb.metering import Call, Event, Saved
from examples.demo.capacity import read_units

#: Outcomes that AWS charges for: a write whose condition fails costs as much as a write.
CHARGED_OUTCOMES: Final = frozenset({"ok", "refused"})

PLAN_TEXTS: Final = {
    "leave": "Only the access time differed, so nothing was written.",
    "touch": "Only the access time differed, but the stored expiry was too far behind: the item"
    " was written again with a later expiry.",
    "create": "There was no item with this session id: it was put, on condition that there is"
    " still none.",
    "replace": "The session had changed: its item was put again, on condition that no other"
    " request had written it since it was read.",
    "delete": "The session was emptied: its item was deleted.",
}
OUTCOME_TEXTS: Final = {
    "merged": " Another request had written it in the meantime; both changes were kept.",
    "dropped": " A newer request had written it in the meantime, so this save was dropped.",
}


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call: its operation, its outcome, and its units; 0 where nothing is charged."""

    operation: str
    outcome: str
    reads: float = 0.0
    writes: float = 0.0


@dataclass(frozen=True, slots=True)
class RequestLog:
    """What one request did: its calls in order, and what its save did."""

    calls: tuple[LoggedCall, ...] = ()
    saved: Saved | None = None

    @property
    def reads(self) -> float:
        """The sum of the read units."""
        return sum(call.reads for call in self.calls)

    @property
    def writes(self) -> float:
        """The sum of the write units."""
        return sum(call.writes for call in self.calls)

    @property
    def summary(self) -> str:
        """What the save did, in words; empty if there was no save."""
        if self.saved is None:
            return ""
        plan, outcome = self.saved.plan, self.saved.outcome
        return PLAN_TEXTS.get(plan, "") + OUTCOME_TEXTS.get(outcome, "")


@dataclass(slots=True)
class _Recording:
    """The events of one request, and the operations of the calls that were excluded."""

    events: list[Event] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)


class CallLog:
    """Observe the package's calls, by request. Pass it to `beaker_dynamodb.observe`."""

    def __init__(self) -> None:
        self._recording: ContextVar[_Recording | None] = ContextVar("recording", default=None)
        self._excluding: ContextVar[bool] = ContextVar("excluding", default=False)

    def __call__(self, event: Event) -> None:
        """Record an event of the request that runs in this context, if there is one."""
        recording = self._recording.get()
        if recording is None:
            return
        if not self._excluding.get():
            recording.events.append(event)
        elif isinstance(event, Call):
            recording.excluded.append(event.operation)

    @contextmanager
    def record_request(self) -> Iterator[None]:
        """Record all events until the end of the block."""
        token = self._recording.set(_Recording())
        try:
            yield
        finally:
            self._recording.reset(token)

    @contextmanager
    def exclude_calls(self) -> Iterator[None]:
        """Leave the calls of the block out of the log: the demo makes them to show the item."""
        token = self._excluding.set(True)
        try:
            yield
        finally:
            self._excluding.reset(token)

    @property
    def excluded_calls(self) -> tuple[str, ...]:
        """The operations of this request's calls that were excluded."""
        recording = self._recording.get()
        return tuple(recording.excluded) if recording else ()

    def summarize(self, loaded: int, write: float, index: float, *, consistent: bool) -> RequestLog:
        """Return what this request has done so far, with prices.

        Args:
            loaded: the size in bytes of the item that was read; 0 for none.
            write: the units of a write of the item.
            index: the units of what a write changes in the indexes, if it is not refused.
            consistent: the option `consistent_read`.
        """
        recording = self._recording.get()
        events = recording.events if recording else []
        saves = [event for event in events if isinstance(event, Saved)]
        calls = (event for event in events if isinstance(event, Call))
        priced = _price_calls(calls, loaded, write, index, consistent=consistent)
        return RequestLog(tuple(priced), saves[-1] if saves else None)


def _price_calls(
    calls: Iterable[Call], loaded: int, write: float, index: float, *, consistent: bool
) -> Iterator[LoggedCall]:
    for call in calls:
        if call.outcome not in CHARGED_OUTCOMES:
            yield LoggedCall(call.operation, call.outcome)
        elif call.operation == "GetItem":
            units = read_units(loaded, consistent=consistent)
            yield LoggedCall(call.operation, call.outcome, units)
            consistent = True  # a miss is read again, with a strongly consistent read
        elif call.operation in ("PutItem", "DeleteItem"):
            units = write + (index if call.outcome == "ok" else 0)
            yield LoggedCall(call.operation, call.outcome, writes=units)
        elif call.operation == "Query":  # the index is read again, two seconds after a logout
            units = read_units(0, consistent=False)
            yield LoggedCall(call.operation, call.outcome, units)
        else:  # calls of the control plane are free
            yield LoggedCall(call.operation, call.outcome)
