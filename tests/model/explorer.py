"""Explores all interleavings of a few requests with faults, by running each of them anew.

A request is a greenlet that runs the real code until it makes a call. There the scheduler chooses
which request goes on, and what becomes of its call. A history is the list of these choices. A run
follows a prefix of choices and takes the first choice after it; the others are explored later.

The code is deterministic: what a request does next follows from the responses that it has received
and from the time at each of them, for its tokens and ids are counted. So the table, the clock and
these responses are the whole state, and a state that was reached before is not explored again.
"""

from __future__ import annotations

import enum
import hashlib
import itertools
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import greenlet
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.model.table import Call, Item, Items

START = 1_700_000_000.0


class Outcome(enum.Enum):
    """What becomes of a call. All but the first two are faults."""

    APPLIED = "applied"
    STEP = "happens"  # of an event, which makes no call
    FAILED = "not applied, and answered by an error"
    LOST = "applied, and its reply lost"
    RETRIED = "applied, its reply lost, and sent again by the SDK"
    LATE = "answered by an error, and applied later"
    TWICE = "applied, and applied once more later"


FAULTS_OF_READS = (Outcome.FAILED,)
FAULTS_OF_WRITES = (
    Outcome.FAILED,
    Outcome.LOST,
    Outcome.RETRIED,
    Outcome.LATE,
    Outcome.TWICE,
)


@dataclass(frozen=True)
class Choice:
    """One step of a history: the actor, and what becomes of its call."""

    actor: str
    call: str
    outcome: Outcome

    def __str__(self) -> str:
        return f"{self.actor}: {self.call} {self.outcome.value}"


@dataclass
class Actor:
    """A request, or an event such as the passing of time. `act` runs in a greenlet of its own."""

    name: str
    act: Callable[[Actor], None]
    pending: Call | None = None
    was_sent: bool = False
    finished: bool = False
    log: list[Any] = field(default_factory=list)
    counter: int = 0
    run: Any = None
    visit: Any = None

    def next_token(self) -> str:
        """Return a token that no other actor draws, and that depends on its own past only."""
        self.counter += 1
        return f"{self.name}{self.counter:02}"


class World:
    """What one history happens in: the table, the clock, the requests and their calls."""

    def __init__(self, items: Items, actors: Sequence[Actor], faults: int) -> None:
        self.items = items
        self.actors = list(actors)
        self.faults = faults
        self.now = START
        self.late: list[tuple[Actor, Call]] = []
        self.had_fault = False
        self.expired_at: float | None = None
        #: Each write that changed something: who made it, and the rows before and after it.
        self.writes: list[tuple[Actor, dict[str, Item], dict[str, Item]]] = []
        self._main = greenlet.getcurrent()
        for actor in self.actors:
            actor.run = greenlet.greenlet(self._act)

    @property
    def current(self) -> Actor | None:
        """The actor whose code runs, None outside of all."""
        running = greenlet.getcurrent()
        return next((actor for actor in self.actors if actor.run is running), None)

    def switch(self, call: Call) -> Any:
        """Wait until the scheduler chooses this actor; return its response, or raise."""
        actor = self.current
        if actor is None:  # after the history, when the properties are checked
            return self.items.apply(call)
        actor.pending = call
        return self._main.switch()

    def _act(self, actor: Actor) -> None:
        actor.act(actor)
        actor.finished = True

    def choices(self, *, late_creates: bool) -> list[Choice]:
        """List what may happen next. The first one is no fault."""
        found = []
        for actor in self.actors:
            if actor.finished:
                continue
            call = actor.pending
            if call is None:
                found.append(Choice(actor.name, "begins", Outcome.STEP))
                continue
            found.append(Choice(actor.name, call.operation, Outcome.APPLIED))
            if self.faults and not actor.was_sent:
                faults = FAULTS_OF_WRITES if call.is_write else FAULTS_OF_READS
                for fault in faults:
                    delays = fault in {Outcome.LATE, Outcome.TWICE}
                    if delays and call.creates and not late_creates:
                        continue
                    found.append(Choice(actor.name, call.operation, fault))
        for number, (actor, call) in enumerate(self.late):
            found.append(Choice(f"late {number} of {actor.name}", call.operation, Outcome.APPLIED))
        return found

    def take(self, choice: Choice) -> None:
        """Let one thing happen."""
        if choice.actor.startswith("late "):
            actor, call = self.late.pop(int(choice.actor.split()[1]))
            self._apply(actor, call)
            return
        actor = next(one for one in self.actors if one.name == choice.actor)
        call = actor.pending
        if call is None:
            actor.log.append(self.now)
            actor.run.switch(actor)
            return
        outcome = choice.outcome
        if outcome is not Outcome.APPLIED:
            self.faults -= 1
            self.had_fault = True
        if outcome is Outcome.RETRIED:
            self._apply(actor, call)
            actor.was_sent = True
            return
        result: Any = None
        if outcome is not Outcome.FAILED and outcome is not Outcome.LATE:
            result = self._apply(actor, call)
        if outcome in {Outcome.LATE, Outcome.TWICE}:
            self.late.append((actor, call))
        if outcome is Outcome.FAILED:
            result = EndpointConnectionError(endpoint_url="memory")
        elif outcome in {Outcome.LOST, Outcome.LATE}:
            result = ReadTimeoutError(endpoint_url="memory")
        elif actor.was_sent:
            _mark_as_retried(result)
        actor.pending, actor.was_sent = None, False
        actor.log.append((outcome, _freeze(result), self.now))
        if isinstance(result, Exception):
            actor.run.throw(result)
        else:
            actor.run.switch(result)

    def _apply(self, actor: Actor, call: Call) -> Any:
        before = dict(self.items.rows)
        try:
            response = self.items.apply(call)
        except ClientError as error:
            return error
        if before != self.items.rows:
            self.writes.append((actor, before, dict(self.items.rows)))
        return response

    def state(self) -> bytes:
        """Return a digest of all that decides what can happen from here."""
        actors = [(a.name, a.finished, a.was_sent, a.log) for a in self.actors]
        late = [(actor.name, repr(call.operation), call.request) for actor, call in self.late]
        parts = (self.items.snapshot(), self.now, self.faults, actors, late)
        return hashlib.blake2b(pickle.dumps(parts), digest_size=16).digest()

    def end(self) -> None:
        """Leave all requests where they are."""
        for actor in self.actors:
            if actor.run and not actor.finished:
                actor.finished = True
                actor.run.throw(greenlet.GreenletExit)


def _mark_as_retried(result: Any) -> None:
    body = result.response if isinstance(result, ClientError) else result
    if isinstance(body, dict):
        body["ResponseMetadata"] = {**body.get("ResponseMetadata", {}), "RetryAttempts": 1}


def _freeze(result: Any) -> Any:
    if isinstance(result, ClientError):
        return result.response
    return type(result).__name__ if isinstance(result, Exception) else result


@dataclass
class Explored:
    """What an exploration has done: complete histories, states, and the first violation."""

    histories: int = 0
    states: int = 0
    violation: str = ""
    shortest: tuple[Choice, ...] = ()

    def __str__(self) -> str:
        counts = f"{self.histories} histories, {self.states} states"
        if not self.violation:
            return f"{counts}, no violation"
        lines = (f"{number}. {choice}" for number, choice in enumerate(self.shortest, 1))
        return "\n".join((f"{counts}; {self.violation}", *lines))


def explore(
    create_world: Callable[[], World],
    check: Callable[[World], Iterator[str]],
    *,
    late_creates: bool = False,
    max_histories: int | None = None,
) -> Explored:
    """Run every history; check each complete one, and keep the shortest violation.

    Args: *late_creates*: whether a write that may create a row can also be applied late, which is
    the one gap that docs/consistency.md names.
    """
    explored, known = Explored(), set[bytes]()
    # Breadth first: the first violation that is found has the shortest prefix.
    prefixes: list[tuple[int, ...]] = [()]
    while prefixes:
        following: list[tuple[int, ...]] = []
        for prefix in prefixes:
            world = create_world()
            taken, history = list(prefix), list[Choice]()
            for step in itertools.count():
                choices = world.choices(late_creates=late_creates)
                if not choices:
                    explored.histories += 1
                    problem = next(check(world), "")
                    if problem and (not explored.violation or len(history) < len(explored.shortest)):
                        explored.violation, explored.shortest = problem, tuple(history)
                    break
                if step >= len(prefix):
                    state = world.state()
                    if state in known:
                        break
                    known.add(state)
                    following += [(*taken, other) for other in range(1, len(choices))]
                    taken.append(0)
                history.append(choices[taken[step]])
                world.take(history[-1])
            world.end()
            if explored.violation or explored.histories == max_histories:
                explored.states = len(known)
                return explored
        prefixes = following
    explored.states = len(known)
    return explored
