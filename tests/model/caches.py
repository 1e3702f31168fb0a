"""What the histories of caches happen in: servers with clocks of their own, and what they do.

Each actor runs Beaker's own cache over the real manager, creation lock and store. It is a server of
its own unless a scenario says otherwise: with a client of its own, so with local locks of its own.
`sleep`, `createfunc` and the wait for a local lock are scheduling points beside the calls.

Each actor stores its own name, so a value tells who has made it.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import beaker.cache
import beaker.container
import greenlet
import pytest
from beaker.cache import Cache

import beaker_dynamodb
from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.caches import creation_lock, store
from beaker_dynamodb.runtime import Runtime
from tests.model.cache_world import CacheItems, CacheWorld, Use
from tests.model.explorer import START, Actor
from tests.model.table import Call, MemoryClient
from tests.revisions import make_token

#: The options `lock_lease`, `lock_wait` and `stale_for`, and the lifetime of values; in seconds.
LEASE: Final = 2
MAX_WAIT: Final = 8
STALE_FOR: Final = 5000
LIFETIME: Final = 1000
#: The value that is stored before the first step, if there is one.
OLD: Final = "old"
_KEY: Final = "k"

Act = Callable[[Any, Callable[[], str], str], Any]


def _make(cache: Any, create: Callable[[], str], _name: str) -> Any:
    return cache.get(_KEY, createfunc=create)


def _read(cache: Any, _create: Callable[[], str], _name: str) -> Any:
    try:
        return cache.get(_KEY)
    except KeyError:
        return None


def _put(cache: Any, _create: Callable[[], str], name: str) -> None:
    cache.put(_KEY, name)


def _remove(cache: Any, _create: Callable[[], str], _name: str) -> None:
    cache.remove_value(_KEY)


def _clear(cache: Any, _create: Callable[[], str], _name: str) -> None:
    cache.clear()


ACTS: Final[dict[str, Act]] = {
    "make": _make,
    "read": _read,
    "put": _put,
    "remove": _remove,
    "clear": _clear,
}


def let_the_lease_pass(world: CacheWorld, _actor: Actor) -> None:
    """Let so much time pass that every lock that is held now has been lost."""
    world.now += 10


def kill_the_first(world: CacheWorld, _actor: Actor) -> None:
    """End the first server where it is, whatever it holds."""
    first = world.actors[0]
    if not first.finished:
        first.finished = first.visit.died = True


@dataclass(frozen=True)
class CacheScenario:
    """What a set of histories has in common.

    Args:
        uses: what each actor does, a key of `ACTS`.
        clocks: by how many seconds the clock of each server is ahead.
        start: None if nothing is stored; else for how many seconds the value has been.
        one_server: the actors are threads of one server.
        eventual: a read that is not consistent returns what was there before the last change.
        consistent: the option `consistent_read`.
        wait: the option `lock_wait`, in seconds.
        fails: the only operation whose calls meet a fault; empty for all.
    """

    uses: tuple[str, ...]
    events: tuple[Callable[[CacheWorld, Actor], None], ...] = ()
    clocks: tuple[float, ...] = (0, 0, 0)
    start: float | None = None
    faults: int = 1
    one_server: bool = False
    eventual: bool = False
    consistent: bool = False
    wait: float = MAX_WAIT
    fails: str = ""

    def __str__(self) -> str:
        parts = [*self.uses, *(event.__name__ for event in self.events)]
        parts += [f"clocks {self.clocks}"] if any(self.clocks) else []
        parts += [] if self.start is None else [f"a value {self.start:.0f} seconds old"]
        parts += ["one server"] if self.one_server else []
        parts += [f"lock_wait {self.wait:.0f}"] if self.wait != MAX_WAIT else []
        parts += [f"{self.fails} fails"] if self.fails else []
        parts += ["eventual reads"] if self.eventual else []
        return ", ".join((*parts, *(["consistent_read"] if self.consistent else [])))


class CacheClient(MemoryClient):
    """The client of one server, with the Scan that `clear()` needs."""

    def scan(self, **request: Any) -> Any:
        """Read all items."""
        return self._switch(Call("Scan", request))


class ModelLock:
    """`threading.Lock` for greenlets: waiting for it is a scheduling point."""

    def __init__(self, model: CacheModel) -> None:
        self._model = model
        self.is_held = False

    def acquire(self, timeout: float) -> bool:
        """Acquire the lock; return False if another one has it for *timeout* seconds."""
        if self.is_held and timeout:
            wait = {"lock": self, "deadline": self._model.world.now + timeout}
            return bool(self._model.world.switch(Call("Wait", wait)))
        if self.is_held:
            return False
        self.is_held = True
        return True

    def release(self) -> None:
        """Release the lock."""
        self.is_held = False


class CacheModel:
    """The servers in which the histories of a scenario are run, one world at a time."""

    def __init__(self, scenario: CacheScenario) -> None:
        self.scenario = scenario
        self._world = CacheWorld(CacheItems(), 0, {}, LEASE, MAX_WAIT)
        self._caches: dict[str, Any] = {}
        self._first: dict[str, Any] = {}

    @property
    def world(self) -> CacheWorld:
        """Where the code under test runs now. The memory of its servers goes with it."""
        return self._world

    @world.setter
    def world(self, world: CacheWorld) -> None:
        self._world = world
        creation_lock.local_locks = world.local_locks
        creation_lock._first_seen = world.first_seen
        store._open_until = world.open_until

    @contextmanager
    def install(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[CacheModel]:
        """Give Beaker and the package the world's time and tokens; store the first value."""
        threads = SimpleNamespace(Lock=lambda: ModelLock(self), get_ident=greenlet.getcurrent)
        runtime = Runtime(
            clock=self._get_time,
            monotonic=lambda: self.world.now,
            sleep=lambda seconds: self.world.switch(Call("Sleep", {"seconds": seconds})),
            random=lambda: 0.0,
            token=self._draw,
        )
        clock = SimpleNamespace(time=self._get_time, strftime=time.strftime)
        beaker_dynamodb.reset()
        with monkeypatch.context() as patch:
            patch.setattr(DynamoDBNamespaceManager, "runtime", runtime)
            patch.setattr(beaker.container, "time", clock)
            patch.setattr(creation_lock, "threading", threads)
            patch.setattr(creation_lock, "local_locks", {})
            patch.setattr(creation_lock, "_first_seen", {})
            patch.setattr(store, "_open_until", {})
            clients = itertools.repeat(self._create_client())
            for name in "ABCD"[: len(self.scenario.uses)]:
                own = next(clients) if self.scenario.one_server else self._create_client()
                self._caches[name] = self._create_cache(own)
            self._store_first_value()
            yield self
        beaker_dynamodb.reset()

    def create_world(self) -> CacheWorld:
        """Create a world in which nothing has happened yet."""
        scenario, items = self.scenario, CacheItems(is_eventual=self.scenario.eventual)
        items.rows = dict(self._first)
        clocks = dict(zip("ABCD", scenario.clocks, strict=False))
        world = CacheWorld(items, scenario.faults, clocks, LEASE, scenario.wait)
        world.fails = scenario.fails
        world.actors = [
            Actor(name, functools.partial(self._run, ACTS[use]), visit=Use(use))
            for name, use in zip("ABCD", scenario.uses, strict=False)
        ]
        world.actors += [Actor(event.__name__, event=event) for event in scenario.events]
        self.world = world
        return world

    def _run(self, act: Act, actor: Actor) -> None:
        use: Use = actor.visit
        world = self.world

        def create() -> str:
            world.switch(Call("Create", {}))
            return actor.name

        try:
            use.value = act(self._caches[actor.name], create, actor.name)
        except Exception as error:  # noqa: BLE001  # the properties judge each of them
            use.error = type(error).__name__

    def _create_client(self) -> CacheClient:
        return CacheClient(lambda call: self.world.switch(call))  # noqa: PLW0108  # worlds change

    def _create_cache(self, client: CacheClient) -> Any:
        beaker.cache.clsmap["ext:dynamodb"]  # Beaker looks for its plugins now
        return Cache(
            "model",
            type="ext:dynamodb",
            expire=LIFETIME,
            client=client,
            table="caches",
            region="us-east-1",
            create_table=False,
            lock_lease=LEASE,
            lock_wait=self.scenario.wait,
            stale_for=STALE_FOR,
            consistent_read=self.scenario.consistent,
        )

    def _store_first_value(self) -> None:
        if self.scenario.start is None:
            return
        world = CacheWorld(CacheItems(), 0, {}, LEASE, MAX_WAIT)
        world.is_setup, world.now = True, START - self.scenario.start
        self.world = world
        self._caches["A"].put(_KEY, OLD)
        self._first = dict(world.items.rows)

    def _get_time(self) -> float:
        """Return the time by the clock of the server whose code runs."""
        actor = self.world.current
        return self.world.now + (self.world.clocks.get(actor.name, 0) if actor else 0)

    def _draw(self) -> bytes:
        actor = self.world.current
        return actor.draw_token() if actor else make_token("first")
