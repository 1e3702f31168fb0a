"""A world that runs the code of a request once for each log, and then knows what it does.

What a request does next follows from its log, so its code has to run once only for each log, not in
every history in which it has that log. An actor of such a world never changes: a step puts another
one in its place, which all worlds of a model share. So a world can be copied.

So the code of one request does not run between the calls of another one. What they might share in
one process is found by `find_difference`, which runs some histories in a `World`.
"""

from __future__ import annotations

import copy
import marshal
import random
from dataclasses import replace
from typing import Protocol

from tests.model.explorer import Actor, Choice, Entry, World, make_digest


class MemoizedWorld(World):
    """What one history happens in, without the requests' greenlets: its actors have them."""

    #: The actor whose code runs, None outside of all.
    running: Actor | None = None

    @property
    def current(self) -> Actor | None:
        """The actor whose code runs, None outside of all."""
        return self.running

    def copy(self) -> MemoizedWorld:
        """Return a world in which the same has happened."""
        world = copy.copy(self)
        world.items = self.items.copy()
        world.actors, world.late = list(self.actors), list(self.late)
        world.changes = list(self.changes)
        return world

    def end(self) -> None:
        """Do nothing: no code runs."""

    def digest_state(self) -> bytes:
        """Return a digest of all that decides what can happen, and of what the properties read."""
        actors = [id(actor) for actor in self.actors]
        late = [(actor.name, call.operation, call.request) for actor, call in self.late]
        return make_digest(
            (self.items.list_rows(), self._digest, self.now, self.faults_made, actors, late)
        )

    def _resume(self, actor: Actor, entry: Entry) -> None:
        key = marshal.dumps(entry, 0)
        after = actor.following.get(key)
        if after is None:
            after = actor.following[key] = self._run(actor, entry)
            assert marshal.dumps(entry, 0) == key, "a response was changed by its reader"
        self.actors[self.actors.index(actor)] = after

    def _repeat(self, actor: Actor) -> None:
        after = actor.following.setdefault(b"", replace(actor, was_sent=True, run=None))
        self.actors[self.actors.index(actor)] = after

    def _run(self, actor: Actor, entry: Entry) -> Actor:
        """Run the code of *actor* after *entry*; return what the actor is then."""
        now = self.now
        if actor.run is not None:
            self.running = after = replace(actor, following={})
            actor.run = None
        else:  # its greenlet has gone another way
            self.running = after = Actor(
                actor.name, actor.act, actor.event, begins_after=actor.begins_after
            )
            for one in actor.log:
                self.now = one[2]
                after.resume(one)
            assert after.pending == actor.pending, "the code does not follow from its log"
        self.now = now
        after.resume(entry)
        self.running = None
        return after


class Model(Protocol):
    """What creates worlds of both kinds; `world` is where its code runs now."""

    world: World

    def create_world(self, kind: type[World] = MemoizedWorld) -> World:
        """Create a world in which nothing has happened yet, and make it the present one."""


def find_difference(model: Model, histories: int) -> str:
    """Run random histories, the same in each run, as they are: all requests in one process.

    Return the first one in which a request did something else than in a memoized world.
    """
    draw = random.Random(histories)
    for _ in range(histories):
        memoized = model.create_world()
        history: list[Choice] = []
        while choices := memoized.list_choices(late_creates=False):
            history.append(draw.choice(choices))
            memoized.take(history[-1])
        world = model.create_world(World)
        for choice in history:
            world.take(choice)
        if _list_results(world) != _list_results(memoized):
            return "; ".join(str(choice) for choice in history)
    return ""


def _list_results(world: World) -> list[object]:
    changes = [(change.actor.name, change.after) for change in world.changes]
    return [[one.log for one in world.actors], changes, world.items.list_rows()]
