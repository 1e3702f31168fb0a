"""Scenarios: what each history begins with, its requests and events; and the real code in them.

A request is run as Beaker's middleware does it, with Beaker's own session object over the real
manager: the session is loaded, the page works on it, it is persisted, and a cookie goes out if
nothing failed. Every request comes with the cookie of the first session, as those of one browser do
that were sent before any was answered.
"""

from __future__ import annotations

import enum
import functools
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import beaker.cache
import beaker.session
import boto3  # noqa: F401  # or each new manager would look for it on the path
import pytest
from beaker.container import NamespaceManager
from beaker.session import Session, SessionObject
from beaker.util import JsonSerializer

import beaker_dynamodb
from beaker_dynamodb import DynamoDBNamespaceManager, StrictSession, UserSessions
from beaker_dynamodb.dynamodb import rows as rows_module
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.item import chunks
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import lifetime, strict, touches
from beaker_dynamodb.sessions.ending import INDEX_LAG
from tests.instruments import call_in_order
from tests.model.explorer import START, Actor, World, make_digest
from tests.model.memoized import MemoizedWorld
from tests.model.pages import CART, CART_VALUE, Page, Visit
from tests.model.table import TTL, Call, Item, Items, MemoryClient
from tests.revisions import make_token
from tests.simulated_time import keep_quiet

COOKIE: Final = "beaker.session.id"
ID: Final = "a" * 32
#: The session of the other device of the same user.
OTHER_ID: Final = "b" * 32
TIMEOUT: Final = 3600
#: Seconds since the first session was saved: so long that its access time is due to be saved.
AGE: Final = 1000
#: What option `max_age` is, where a scenario has it: less than what is left until the time-out.
MAX_AGE: Final = 2400
#: The age of a note that is due, and that of one which is too old to be followed.
DUE: Final = 5
TOO_OLD: Final = 700
_OLD_BACKEND: Final = "ext:model"
#: The limits under which each session has chunks, instead of 64 and 390 KiB.
SMALL_DATA: Final = 32
MAX_ROW_DATA: Final = 64


class Start(enum.Enum):
    """What is stored before the first request."""

    LOGGED_IN = "logged in"
    NOBODY = "nobody"
    OLD_BACKEND = "logged in at the old backend"


def let_time_pass(world: World, _actor: Actor) -> None:
    """Move the clock past the end of every session."""
    world.now += 2 * TIMEOUT
    world.expired_at = world.now


def reach_max_age(world: World, _actor: Actor) -> None:
    """Move the clock past the longest age of the first session, which has not timed out yet."""
    world.now += MAX_AGE
    world.expired_at = world.now


def let_the_index_catch_up(world: World, _actor: Actor) -> None:
    """Let so much time pass that an index shows what was written before."""
    world.now += INDEX_LAG


def delete_expired(world: World, _actor: Actor) -> None:
    """Delete the rows that have expired, as DynamoDB's TTL does at some time."""
    rows = world.items.rows
    for key in [key for key, item in rows.items() if int(item[TTL]["N"]) <= world.now]:
        del rows[key]


Event = Callable[[World, Actor], None]
TIME: Final[tuple[Event, ...]] = (let_time_pass,)
MAX_AGE_PASSES: Final[tuple[Event, ...]] = (reach_max_age,)
CATCH_UP: Final[tuple[Event, ...]] = (let_the_index_catch_up,)
TTL_DELETION: Final[tuple[Event, ...]] = (let_time_pass, delete_expired)


@dataclass(frozen=True)
class Scenario:
    """What a set of histories has in common."""

    pages: tuple[Page, ...]
    is_strict: bool = False
    start: Start = Start.LOGGED_IN
    events: tuple[Event, ...] = ()
    faults: int = 1
    #: Whether a write that may create a row can also be applied late.
    late_creates: bool = False
    #: Whether the sessions are so large that they are stored in chunks.
    has_chunks: bool = False
    #: Whether the index on the user may answer with an older state, in which the first session
    #: may be missing: it has just got its id.
    is_lagging: bool = False
    #: How many seconds ago the other device has ended all others, so that its row has a note.
    #: The index did not show the first session then. None if it has not.
    note_age: int | None = None
    has_max_age: bool = False

    @property
    def has_devices(self) -> bool:
        """Whether Ann has two devices, each with a session of its own."""
        return any(page.is_elsewhere for page in self.pages)

    def __str__(self) -> str:
        kind = "StrictSession" if self.is_strict else "Session"
        names = [*(page.name for page in self.pages), kind, self.start.value]
        names += [event.__name__.replace("_", " ") for event in self.events]
        if self.has_chunks:
            names.append("chunks")
        if self.is_lagging:
            names.append("lagging index")
        if self.note_age is not None:
            names.append(f"a note of {self.note_age} seconds ago")
        if self.has_max_age:
            names.append("max_age")
        return ", ".join(names)


class OldBackend(NamespaceManager):  # type: ignore[misc]  # Beaker ships no types
    """The backend that sessions are migrated from: each access of it is a scheduling point."""

    model: Model

    def __init__(self, namespace: str, **_: object) -> None:
        super().__init__(namespace)

    def __getitem__(self, key: str) -> str:
        text: str | None = self.model.world.switch(Call("Read", {"id": self.namespace}))
        if text is None:
            raise KeyError(key)
        return text

    def __contains__(self, key: str) -> bool:
        return self.model.world.switch(Call("Read", {"id": self.namespace})) is not None

    def __delitem__(self, key: str) -> None:
        self.model.world.switch(Call("Remove", {"id": self.namespace}))

    def _do_nothing(self, *_: object, **__: object) -> bool:
        return True

    acquire_read_lock = release_read_lock = _do_nothing
    acquire_write_lock = release_write_lock = _do_nothing


class Model:
    """The process in which the histories of a scenario are run, one world at a time."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(Items())
        client = MemoryClient(lambda call: self.world.switch(call))  # noqa: PLW0108  # a later world's
        self.options: dict[str, Any] = {
            "client": client,
            "table": "sessions",
            "region": "us-east-1",
            "create_table": False,
        }
        if scenario.start is Start.OLD_BACKEND:
            self.options["migrate_from"] = _OLD_BACKEND
        if scenario.has_max_age:
            self.options["max_age"] = MAX_AGE
        if scenario.has_devices:
            self.options |= {"special_keys": "user", "index_special_keys": "user"}
        #: The parameters of Beaker's session, as the middleware gives them to it.
        self.params: dict[str, Any] = {
            "type": "ext:dynamodb",
            "timeout": TIMEOUT,
            "data_serializer": "json",
            "invalidate_corrupt": True,
            **self.options,
        }
        self.first = Items()
        #: What the properties have read before: sessions, the values of rows, and rows, by the id
        #: of an item that is kept with it. Items never change.
        self._loaded: dict[bytes, tuple[dict[str, Any] | None, Items]] = {}
        self._values: dict[int, dict[str, Any] | None] = {}
        self._parsed: dict[int, tuple[Item, Record]] = {}

    @contextmanager
    def install(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
        """Give Beaker and the package the world's time, ids and tokens; store the first session."""
        clock = SimpleNamespace(time=lambda: self.world.now, strftime=time.strftime)
        beaker.cache.clsmap["ext:dynamodb"]  # Beaker looks for its plugins now
        backends = {**beaker.cache.clsmap._clsmap, _OLD_BACKEND: OldBackend}
        runtime = Runtime(
            clock=clock.time,
            monotonic=clock.time,
            sleep=lambda seconds: None,
            random=lambda: 0.0,
            token=self._draw,
            run_parallel=call_in_order,
        )
        with monkeypatch.context() as patch, keep_quiet():
            patch.setattr(DynamoDBNamespaceManager, "runtime", runtime)
            patch.setattr(beaker.session, "time", clock)
            patch.setattr(strict, "time", clock)
            patch.setattr(lifetime, "time", clock)
            patch.setattr(beaker.session, "_session_id", self._draw_id)
            patch.setattr(strict, "secrets", SimpleNamespace(token_hex=self._draw_id))
            patch.setattr(beaker.cache.clsmap, "_clsmap", backends)
            patch.setattr(OldBackend, "model", self, raising=False)
            # Each request is a process of its own: no other one's failure lets its touch wait. A
            # touch that waits does to the table what one does that fails.
            patch.setattr(touches, "pause", lambda _: None)
            if self.scenario.has_chunks:
                patch.setattr(rows_module, "SMALL_DATA", SMALL_DATA)
                patch.setattr(chunks, "MAX_ROW_DATA", MAX_ROW_DATA)
            beaker_dynamodb.reset()
            self._store_first_session()
            yield self
        beaker_dynamodb.reset()

    def create_world(self, kind: type[World] = MemoizedWorld) -> World:
        """Create a world in which nothing has happened yet."""
        scenario, items = self.scenario, self.first.copy()
        world = kind(items, scenario.faults, INDEX_LAG if scenario.is_lagging else 0)
        world.first_index = {key: row for key, row in items.rows.items() if key != self.key.hash}
        world.actors = list(self.actors) if kind is MemoizedWorld else self._create_actors()
        self.world = world
        return world

    @functools.cached_property
    def actors(self) -> list[Actor]:
        """The actors of all memoized worlds, before the first step."""
        return self._create_actors()

    def _create_actors(self) -> list[Actor]:
        pages = self.scenario.pages
        actors = [
            Actor(name, functools.partial(self._visit, page), begins_after=first)
            for name, page in zip("ABCD", pages, strict=False)
            for first in ("ABCD"[pages.index(page)],)
        ]
        return [*actors, *(Actor(event.__name__, event=event) for event in self.scenario.events)]

    def _visit(self, page: Page, actor: Actor) -> None:
        visit = actor.visit = Visit(page)
        environ = {"HTTP_COOKIE": f"{COOKIE}={OTHER_ID if page.is_elsewhere else ID}"}
        kind = StrictSession if self.scenario.is_strict else Session
        session = SessionObject(environ, session_class=kind, **self.params)
        try:
            visit.seen = _without_beakers_keys(session._session())  # as a page would load it
            visit.loaded = True
            result = page.act(session, actor.name)
            session.persist()
            visit.has_ended_other = page.ends_other and bool(result)
        except DynamoDBBackendError as error:
            visit.error = type(error).__name__
        else:
            headers = session.__dict__["_headers"]
            if headers.get("set_cookie"):
                visit.cookie = str(headers["cookie_out"]).partition(";")[0].partition("=")[2]

    def _draw(self, *_: object) -> bytes:
        """Draw a token for the actor whose code runs."""
        actor = self.world.current
        return actor.draw_token() if actor else make_token("first")

    def _draw_id(self, *_: object) -> str:
        return self.make_id(self._draw())

    @staticmethod
    def make_id(token: bytes) -> str:
        """Return the session id that is made of a token."""
        return token.hex().ljust(32, "0")

    def _store_first_session(self) -> None:
        """Store the session that all histories begin with, Ann's; and that of her other device."""
        if self.scenario.start is Start.NOBODY:
            return
        self.world = World(self.first)
        self.world.now = START - AGE
        session = Session({}, id=ID, use_cookies=False, **self.params)
        session.update({"user": "ann", CART: CART_VALUE})
        session.save()
        stored = self.first.rows[self.key.hash]
        handles = (
            [o.handle for o in UserSessions(session, "user")] if self.scenario.has_devices else []
        )
        if self.scenario.start is Start.OLD_BACKEND:
            value = self._open(self.first.rows, self.key.hash)
            assert value is not None
            self.first.rows, self.first.old_backend = {}, {ID: value.decode()}
        if self.scenario.has_devices:
            other = Session({}, id=OTHER_ID, use_cookies=False, **self.params)
            other.update({"user": "ann"})
            (other["_other_handle"],) = handles
            other.save()
            if self.scenario.note_age is not None:
                self.world.now = START - self.scenario.note_age
                UserSessions(other, "user").end_others()
                self.first.rows[self.key.hash] = stored
                other.save()

    # What the properties read

    def load(self, session_id: str) -> dict[str, Any] | None:
        """Load a session after the history; None if there is none.

        It is loaded once from the same rows at the same time. That may change the rows.
        """
        world = self.world
        key = make_digest((session_id, world.now, world.items.list_rows()))
        if key in self._loaded:
            values, items = self._loaded[key]
            world.items = items.copy()
            return values
        session = Session({}, id=session_id, use_cookies=False, **self.params)
        values = None if session.is_new else _without_beakers_keys(session)
        self._loaded[key] = values, world.items.copy()
        return values

    def read_values(self, rows: dict[str, Item], key: str) -> dict[str, Any] | None:
        """Return the values in a row, Beaker's own too; None if it holds no whole session."""
        if key not in rows:
            return None
        item = rows[key]
        if id(item) in self._values:
            return self._values[id(item)]
        value = self._open(rows, key)
        values = None if value is None else JsonSerializer().loads(b64decode(value))
        if not self.parse(item).chunk_count:
            self._values[id(item)] = values
        return values

    def _open(self, rows: dict[str, Item], key: str) -> bytes | None:
        record = self.parse(rows[key])
        if record.chunk_count:
            keys = (
                self.rows.layout.make_chunk_key(record.key, record.rev, number).hash
                for number in range(record.chunk_count)
            )
            parts = [rows[one]["data"]["B"] for one in keys if one in rows]
            data = chunks.join(record.data, parts)
            if data is None:
                return None
            record = record._replace(data=data)
        return self.rows.open(record)

    def parse(self, item: Item) -> Record:
        """Return a row as the package reads it."""
        if id(item) not in self._parsed:
            record = self.rows.table.parse_item(Key(item["id"]["S"]), item)
            self._parsed[id(item)] = item, record
        return self._parsed[id(item)][1]

    @functools.cached_property
    def key(self) -> Key:
        """The key of the first session's row."""
        return self.rows.layout.make_session_key(ID)

    @functools.cached_property
    def rows(self) -> Rows:
        """The package's view of the table."""
        manager = DynamoDBNamespaceManager(ID, timeout=None, digest_filenames=False, **self.options)
        rows: Rows = manager._store.rows
        return rows


def _without_beakers_keys(session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: session[name] for name in session if not name.startswith("_")}
