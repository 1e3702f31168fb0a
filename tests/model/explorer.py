"""Explores all interleavings of a few requests with faults.

A request is a greenlet that runs the real code until it makes a call. There the scheduler chooses
which request goes on, and what becomes of its call. A history is the list of these choices. A world
is the state that a history leads to; it either runs the code of each request (`World`), or looks up
what the code did after the same responses (`memoized.MemoizedWorld`).

The code is deterministic: what a request does next follows from the responses that it has received
and from the time at each of them, because its tokens and ids are counted. So the table, the clock
and these responses are the whole state, together with the order in which the table was changed.
Two histories that lead to the same state are continued only once.
"""

from __future__ import annotations

import enum
import hashlib
import marshal
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, cast

import greenlet
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.model.table import Call, Item, Items
from tests.revisions import make_token

START: Final = 1_700_000_000.0
#: How many worlds are kept to go on from, at most. Any other state is reached by its history.
_MAX_WORLDS: Final = 5000


class Outcome(enum.Enum):
    """What happens in a step. The last five are faults."""

    BEGINS = "begins"
    APPLIED = "applied"
    APPLIED_LATE = "applied after its answer"
    STALE = "answered with an older state of the index"
    FAILED = "not applied, and answered by an error"
    LOST = "applied, and its reply lost"
    RETRIED = "applied, its reply lost, and sent again by the SDK"
    LATE = "answered by an error, and applied later"
    TWICE = "applied, and applied once more later"


FAULTS_OF_READS: Final = (Outcome.FAILED,)
FAULTS_OF_WRITES: Final = (
    Outcome.FAILED,
    Outcome.LOST,
    Outcome.RETRIED,
    Outcome.LATE,
    Outcome.TWICE,
)


@dataclass(frozen=True)
class Choice:
    """One step of a history: the actor, its call, and what becomes of that."""

    actor: str
    call: str
    outcome: Outcome
    #: Which of the late calls it is, or which of the older states of an index.
    late: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.actor, self.call, self.outcome.value)))


#: What happened to an actor, in plain values: that it began, and which actors had finished then; or
#: what became of its call, and the response, None if that was lost. And the time of it.
Entry: TypeAlias = tuple[str, Any, float]


@dataclass(eq=False)
class Actor:
    """A request, or an event such as the passing of time.

    `act` is the code of a request, which runs in a greenlet of its own. `event` makes no calls; it
    changes the world.
    """

    name: str
    act: Callable[[Actor], None] = lambda _actor: None
    event: Callable[[Any, Actor], None] | None = None
    #: What came of the request; an event has none.
    visit: Any = None
    #: The call that it waits for; None before it begins.
    pending: Call | None = None
    was_sent: bool = False
    finished: bool = False
    #: An actor that does the same and begins first: the other order would be its mirror image.
    begins_after: str = ""
    #: The actors that had finished when this one began, and its time in epoch seconds.
    finished_before: frozenset[str] = frozenset()
    began_at: float = math.inf
    log: tuple[Entry, ...] = ()
    counter: int = 0
    #: Its greenlet, while its code waits.
    run: Any = None
    #: In a memoized world: what it is after one entry more, by that entry.
    following: dict[bytes, Actor] = field(default_factory=dict)

    def draw_token(self) -> bytes:
        """Return a token that no other actor draws, and that depends on its own past only."""
        self.counter += 1
        return self.list_tokens()[-1]

    def list_tokens(self) -> list[bytes]:
        """List the tokens that it has drawn."""
        return [make_token(f"{self.name}{number:02}") for number in range(1, self.counter + 1)]

    def resume(self, entry: Entry) -> None:
        """Run its code after *entry*, which is new in its log, up to its next call."""
        outcome, response, now = entry
        self.log = (*self.log, entry)
        self.pending, self.was_sent = None, False
        if outcome != Outcome.BEGINS.name:
            _send(self.run, outcome, response)
        else:
            self.began_at, self.finished_before = now, frozenset(response)
            self.run = greenlet.greenlet(self.act)
            self.run.switch(self)
        self.finished = bool(self.run.dead)


def _send(run: Any, outcome: str, response: Any) -> None:
    """Continue a greenlet with a response, or with the exception that it stands for."""
    if outcome == Outcome.FAILED.name:
        run.throw(EndpointConnectionError(endpoint_url="memory"))
    elif outcome in {Outcome.LOST.name, Outcome.LATE.name}:
        run.throw(ReadTimeoutError(endpoint_url="memory"))
    elif isinstance(response, dict) and "Error" in response:
        run.throw(ClientError(cast("Any", response), "PutItem"))
    else:
        run.switch(response)


@dataclass(frozen=True)
class Change:
    """A call that changed the table: who made it, when, and the rows before and after it."""

    actor: Actor
    now: float
    before: dict[str, Item]
    after: dict[str, Item]


class World:
    """What one history happens in: the table, the clock, the requests and their calls."""

    def __init__(self, items: Items, faults: int = 0, index_lag: float = 0) -> None:
        self.items = items
        #: For so many seconds an index may answer with what was there before a change.
        self.index_lag = index_lag
        #: The rows that the index held before the first step, if it lags.
        self.first_index: dict[str, Item] = {}
        self.actors: list[Actor] = []
        self.faults = faults
        self.faults_made = 0
        self.now = START
        self.expired_at = math.inf
        self.late: list[tuple[Actor, Call]] = []
        self.changes: list[Change] = []
        self._digest = b""
        self._main = greenlet.getcurrent()

    def get_actor(self, name: str) -> Actor:
        """Return the actor of this name, as it is now."""
        return next(actor for actor in self.actors if actor.name == name)

    @property
    def current(self) -> Actor | None:
        """The actor whose code runs, None outside of all."""
        running = greenlet.getcurrent()
        return next((actor for actor in self.actors if actor.run is running), None)

    def switch(self, call: Call) -> Any:
        """Wait until the scheduler chooses this actor; return its response, or raise."""
        actor = self.current
        if actor is None:  # before or after the history
            return self.items.apply(call)
        actor.pending = call
        return self._main.switch()

    def list_choices(self, *, late_creates: bool) -> list[Choice]:
        """List what may happen next."""
        found = []
        for actor in self.actors:
            call = actor.pending
            if actor.finished:
                continue
            if call is None:
                first = self.get_actor(actor.begins_after) if actor.begins_after else actor
                if first is actor or first.began_at < math.inf:
                    found.append(Choice(actor.name, "", Outcome.BEGINS))
                continue
            found.append(Choice(actor.name, call.operation, Outcome.APPLIED))
            found += [
                Choice(actor.name, call.operation, Outcome.STALE, number)
                for number in range(len(self._list_older_states(call)))
            ]
            if self.faults > self.faults_made and not actor.was_sent:
                for fault in FAULTS_OF_WRITES if call.is_write else FAULTS_OF_READS:
                    is_late = fault in {Outcome.LATE, Outcome.TWICE}
                    if late_creates or not (is_late and call.creates):
                        found.append(Choice(actor.name, call.operation, fault))
        for number, (actor, call) in enumerate(self.late):
            found.append(Choice(actor.name, call.operation, Outcome.APPLIED_LATE, number))
        return found

    def take(self, choice: Choice) -> None:
        """Let one thing happen."""
        if choice.outcome is Outcome.APPLIED_LATE:
            self._apply(*self.late.pop(choice.late))
            return
        actor = self.get_actor(choice.actor)
        if choice.outcome is Outcome.BEGINS:
            finished = sorted(one.name for one in self.actors if one.finished)
            self._resume(actor, (Outcome.BEGINS.name, finished, self.now))
            if actor.event:
                actor.event(self, actor)
        else:
            self._answer(actor, choice.outcome, choice.late)

    def _list_older_states(self, call: Call) -> list[list[Item]]:
        """List the older states with which a lagging index may answer a Query."""
        if call.operation != "Query" or not self.index_lag:
            return []
        older = [(START, self.first_index)] + [(one.now, one.before) for one in self.changes]
        recent = [rows for at, rows in older if self.now - at < self.index_lag]
        states = [self.items.query_index(call.request, rows) for rows in (self.items.rows, *recent)]
        return [one for number, one in enumerate(states) if one not in states[:number]][1:]

    def _answer(self, actor: Actor, outcome: Outcome, number: int = 0) -> None:
        """Decide the pending call of *actor*, and run its code up to the next one."""
        call = actor.pending
        assert call is not None
        if outcome not in {Outcome.APPLIED, Outcome.STALE}:
            self.faults_made += 1
        if outcome is Outcome.RETRIED:
            self._apply(actor, call)
            self._repeat(actor)
            return
        response: Any = None
        if outcome not in {Outcome.FAILED, Outcome.LATE}:
            response = self._apply(actor, call)
        if outcome is Outcome.STALE:
            response["Items"] = self._list_older_states(call)[number]
        if outcome in {Outcome.LATE, Outcome.TWICE}:
            self.late.append((actor, call))
        if outcome in {Outcome.FAILED, Outcome.LOST, Outcome.LATE}:
            response = None
        elif actor.was_sent and isinstance(response, dict):
            metadata = {**response.get("ResponseMetadata", {}), "RetryAttempts": 1}
            response = {**response, "ResponseMetadata": metadata}
        self._resume(actor, (outcome.name, response, self.now))

    def _resume(self, actor: Actor, entry: Entry) -> None:
        """Continue an actor after what has happened to it."""
        actor.resume(entry)

    def _repeat(self, actor: Actor) -> None:
        """Note that the pending call of *actor* has been sent once."""
        actor.was_sent = True

    def _apply(self, actor: Actor, call: Call) -> Any:
        """Apply a call; return its response, also if its condition does not hold."""
        before = dict(self.items.rows) if call.is_write else self.items.rows
        try:
            response = self.items.apply(call)
        except ClientError as error:
            return error.response
        if before != self.items.rows:
            self.changes.append(Change(actor, self.now, before, dict(self.items.rows)))
            self._digest = make_digest((self._digest, actor.name, self.items.list_rows()))
        return response

    def digest_state(self) -> bytes:
        """Return a digest of all that decides what can happen, and of what the properties read."""
        actors = [(a.name, a.finished, a.was_sent, a.log) for a in self.actors]
        late = [(actor.name, call.operation, call.request) for actor, call in self.late]
        return make_digest(
            (self.items.list_rows(), self._digest, self.now, self.faults_made, actors, late)
        )

    def copy(self) -> World | None:
        """Return a copy, None if there is none: code that runs cannot be copied."""
        return None

    def end(self) -> None:
        """Leave all requests where they are."""
        for actor in self.actors:
            if actor.run and not actor.finished:
                actor.run.throw(greenlet.GreenletExit)


def make_digest(value: Any) -> bytes:
    """Return a digest that is equal for equal values of plain types."""
    # Version 0 of marshal writes equal values as equal bytes, whatever objects they share.
    return hashlib.blake2b(marshal.dumps(value, 0), digest_size=16).digest()


@dataclass
class Explored:
    """What an exploration has done, and the shortest violation that it has found."""

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


class Model(Protocol):
    """What an exploration needs of the code under test: `world` is where it runs now."""

    world: World

    def create_world(self) -> World:
        """Create a world in which nothing has happened yet, and make it the present one."""


@dataclass
class _Node:
    """A state: one history that leads to it, and how many do; perhaps the world that is in it."""

    history: tuple[Choice, ...]
    choices: list[Choice]
    world: World | None = None
    count: int = 0

    def visit(self, model: Model, choice: Choice) -> World:
        """Return a world in which *choice* follows this history."""
        world = self.world
        if choice is self.choices[-1]:
            self.world = None
        elif world is not None:
            world = world.copy()
        if world is not None:
            model.world = world
        else:
            world = model.create_world()
            for one in self.history:
                world.take(one)
        world.take(choice)
        return world


def explore(
    model: Model, check: Callable[[World], Iterator[str]], *, late_creates: bool = False
) -> Explored:
    """Follow every history to its end, all of them in step, until *check* finds a violation.

    A state contains what has led to it, so it is reached only after one number of steps.

    Args: *check* yields what is wrong at the end of a history. *late_creates*: whether a write that
    may create a row can also be applied late, which is the gap that docs/consistency.md names.
    """
    explored = Explored()
    layer = [_Node((), model.create_world().list_choices(late_creates=late_creates), count=1)]
    while layer:
        following: dict[bytes, _Node] = {}
        for node, choice in ((one, choice) for one in layer for choice in one.choices):
            world = node.visit(model, choice)
            state = world.digest_state()
            if state in following:
                following[state].count += node.count
                world.end()
                continue
            choices = world.list_choices(late_creates=late_creates)
            new = following[state] = _Node((*node.history, choice), choices, count=node.count)
            if choices and len(following) < _MAX_WORLDS:
                new.world = world
                continue
            problem = "" if choices else next(check(world), "")
            world.end()
            if problem:
                explored.violation, explored.shortest = problem, new.history
                return explored
        layer = list(following.values())
        explored.states += len(layer)
        explored.histories += sum(node.count for node in layer if not node.choices)
    return explored
