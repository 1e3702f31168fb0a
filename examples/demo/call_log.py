"""The calls that one request makes, collected as they happen, each with what AWS charges for it.

waitress serves requests in threads, so the list is the context's own. What the demo reads in
order to show the item is done `aside` and counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.dynamodb.metering import Call, Event, Saved
from examples.demo.capacity import read_units, write_units

CREATED: Final = "The table did not exist; the first call that needed it had it created, once. "
#: Outcomes that AWS charges for: a condition that did not hold costs like a write.
CHARGED: Final = frozenset({"ok", "refused"})

SAVES: Final = {
    "leave": "Only the access time differed, so nothing was written.",
    "touch": "Only the access time differed, but the expiry had fallen behind: the item was"
    " written again, to live on.",
    "create": "There was no item of this session's id: it was put, on condition that there is"
    " none.",
    "replace": "The session had changed: its item was put again, on condition that nobody else"
    " had written it meanwhile.",
    "delete": "The session was emptied: its item was deleted.",
}
ENDS: Final = {
    "merged": " Another request had written it meanwhile; both changes were kept.",
    "dropped": " Another request had overtaken it, so this save was dropped.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One call: what was called, how it ended, and its units; 0 where nothing is charged."""

    operation: str
    outcome: str
    reads: float = 0.0
    writes: float = 0.0


@dataclass(frozen=True, slots=True)
class Account:
    """What one request did: its calls in order, and how its save was planned and ended."""

    lines: tuple[Line, ...] = ()
    saved: Saved | None = None

    @property
    def reads(self) -> float:
        """Add up the read units."""
        return sum(line.reads for line in self.lines)

    @property
    def writes(self) -> float:
        """Add up the write units."""
        return sum(line.writes for line in self.lines)

    @property
    def ending(self) -> str:
        """Say in words how the save was planned and ended; nothing where there was none."""
        created = CREATED if any(line.operation == "CreateTable" for line in self.lines) else ""
        if self.saved is None:
            return created
        return created + SAVES.get(self.saved.plan, "") + ENDS.get(self.saved.outcome, "")


@dataclass(slots=True)
class Notes:
    """What was seen while a request ran."""

    events: list[Event] = field(default_factory=list)
    aside: int = 0


class Ledger:
    """Observes the package on behalf of one application. Hand it to `beaker_dynamodb.observe`."""

    def __init__(self) -> None:
        self._notes: ContextVar[Notes | None] = ContextVar("notes", default=None)
        self._aside: ContextVar[bool] = ContextVar("aside", default=False)

    def __call__(self, event: Event) -> None:
        """Note an event of the request that is running in this context, if one is."""
        notes = self._notes.get()
        if notes is None:
            return
        if not self._aside.get():
            notes.events.append(event)
        elif isinstance(event, Call):
            notes.aside += 1

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Note what happens from here to the end of the block."""
        token = self._notes.set(Notes())
        try:
            yield
        finally:
            self._notes.reset(token)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Count the block's calls apart: they are the demo's own, made to show the item."""
        token = self._aside.set(True)
        try:
            yield
        finally:
            self._aside.reset(token)

    @property
    def calls_aside(self) -> int:
        """How many calls the demo has made for itself in this request."""
        notes = self._notes.get()
        return notes.aside if notes else 0

    def account(self, loaded: int, before: int, after: int, *, consistent: bool) -> Account:
        """Draw up what this request did so far.

        Args:
            loaded: bytes of the item that was read; `before` and `after`: of the item that was
                written, where it was written.
            consistent: the option `consistent_read`.
        """
        notes = self._notes.get()
        events = notes.events if notes else []
        saves = [event for event in events if isinstance(event, Saved)]
        calls = (event for event in events if isinstance(event, Call))
        lines = tuple(_priced(calls, loaded, write_units(before, after), consistent=consistent))
        return Account(lines, saves[-1] if saves else None)


def _priced(
    calls: Iterable[Call], loaded: int, write: float, *, consistent: bool
) -> Iterator[Line]:
    for call in calls:
        if call.outcome not in CHARGED:
            yield Line(call.operation, call.outcome)
        elif call.operation == "GetItem":
            yield Line(call.operation, call.outcome, read_units(loaded, consistent=consistent))
            consistent = True  # a miss is read again, consistently
        elif call.operation in ("PutItem", "DeleteItem"):
            yield Line(call.operation, call.outcome, writes=write)
        else:  # the control plane is free
            yield Line(call.operation, call.outcome)
