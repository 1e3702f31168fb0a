"""What a request may do in the model: Beaker's own session object, over the real manager.

A page is run as Beaker's middleware does it: the session is loaded, the page works on it, it is
persisted, and a cookie goes out if nothing failed. Each change writes who was logged in and which
request it was, so that a value tells whose it is.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import beaker.cache
import beaker.session
import pytest
from beaker.container import NamespaceManager
from beaker.session import Session, SessionObject
from beaker.util import JsonSerializer

from beaker_dynamodb import DynamoDBNamespaceManager, StrictSession
from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import strict
from tests.model.explorer import START, Actor, World
from tests.model.table import TTL, Call, Items, MemoryClient

COOKIE: Final = "beaker.session.id"
ID: Final = "a" * 32
TIMEOUT: Final = 3600
#: Longer than the timeout with what Beaker adds to it.
LONG: Final = 2 * TIMEOUT
#: Seconds since the base session was saved: so long that its access time is due to be saved.
AGE: Final = 1000

_OLD_BACKEND: Final = "ext:model"


@dataclass
class Visit:
    """What came of a request: what it saw, its error, and the cookie that was sent."""

    page: Page
    seen: dict[str, Any] = field(default_factory=dict)
    loaded: bool = False
    error: str = ""
    cookie: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the response was no error."""
        return not self.error


@dataclass(frozen=True)
class Page:
    """One kind of request. `keys` are those that it sets, after the name of the request."""

    name: str
    act: Callable[[Any, str], None]
    sets: tuple[str, ...] = ()
    reads_only: bool = False
    ends: bool = False
    clears: bool = False
    rotates: bool = False


def _change(session: Any, actor: str) -> None:
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _read(session: Any, actor: str) -> None:
    session.get(actor)


def _log_out(session: Any, actor: str) -> None:
    del actor
    session.delete()


def _log_in(session: Any, actor: str) -> None:
    session.clear()
    session["user"] = "bob"
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _switch(session: Any, actor: str) -> None:
    session.delete()
    session["user"] = "bob"
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _rotate(session: Any, actor: str) -> None:
    session.regenerate_id()
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _save_twice(session: Any, actor: str) -> None:
    session[f"{actor}1"] = _sign(session, actor)
    session._session().save()  # noqa: SLF001  # the proxy saves when the page has ended
    session[f"{actor}2"] = _sign(session, actor)
    session.save()


def _sign(session: Any, actor: str) -> str:
    return f"{session.get('user')}:{actor}"


READ: Final = Page("read", _read, reads_only=True)
CHANGE: Final = Page("change", _change, ("1",))
LOG_OUT: Final = Page("log out", _log_out, ends=True)
LOG_IN: Final = Page("clear and log in", _log_in, ("1",), clears=True)
SWITCH: Final = Page("log out and log in as another", _switch, ("1",), ends=True)
ROTATE: Final = Page("rotate", _rotate, ("1",), rotates=True)
SAVE_TWICE: Final = Page("save twice", _save_twice, ("1", "2"))
PAGES: Final = (READ, CHANGE, LOG_OUT, LOG_IN, SWITCH, ROTATE, SAVE_TWICE)


class Model:
    """The process in which histories are run: one manager class, one world at a time."""

    def __init__(self, **options: object) -> None:
        self.world: World = World(Items(), (), 0)
        client = MemoryClient(lambda call: self.world.switch(call))
        self.options: dict[str, Any] = {
            "client": client,
            "table": "sessions",
            "region": "us-east-1",
            "create_table": False,
            **options,
        }

    @property
    def runtime(self) -> Runtime:
        """The clock of the world, and tokens that are counted for each request."""
        return Runtime(
            clock=lambda: self.world.now,
            monotonic=lambda: self.world.now,
            sleep=lambda seconds: None,
            random=lambda: 0.0,
            token=self.draw,
        )

    def draw(self, *_: object) -> str:
        """Draw a token for the actor whose code runs."""
        actor = self.world.current
        return actor.next_token() if actor else "base"

    def params(self, *, is_strict: bool) -> dict[str, Any]:
        """Return what the middleware gives to Beaker's session."""
        return {
            "type": "ext:dynamodb",
            "timeout": TIMEOUT,
            "data_serializer": "json",
            "invalidate_corrupt": True,
            "session_class": StrictSession if is_strict else Session,
            **self.options,
        }

    def visit(self, page: Page, *, is_strict: bool) -> Callable[[Actor], None]:
        """Return what an actor does for one request of *page*."""

        def act(actor: Actor) -> None:
            visit = actor.visit = Visit(page)
            environ = {"HTTP_COOKIE": f"{COOKIE}={ID}"}
            session = SessionObject(environ, **self.params(is_strict=is_strict))
            try:
                visit.seen = _plain(session._session())  # noqa: SLF001  # as a page would load it
                visit.loaded = True
                page.act(session, actor.name)
                session.persist()
            except DynamoDBBackendError as error:
                visit.error = type(error).__name__
            else:
                headers = session.__dict__["_headers"]
                sent = headers["cookie_out"] if headers.get("set_cookie") else None
                visit.cookie = None if sent is None else str(sent).partition(";")[0].strip()

        return act

    def read_back(self, session_id: str) -> dict[str, Any] | None:
        """Load a session after the history; None if there is none."""
        params = {n: v for n, v in self.params(is_strict=False).items() if n != "session_class"}
        session = Session({}, id=session_id, use_cookies=False, **params)
        return None if session.is_new else _plain(session)

    @staticmethod
    def decode(value: bytes) -> dict[str, Any]:
        """Return the values in a session's text, without those that Beaker adds."""
        return _plain(JsonSerializer().loads(b64decode(value)))

    def log_in(self, items: Items) -> None:
        """Store the session that all histories begin with: Ann's."""
        self.world = World(items, (), 0)
        self.world.now = START - AGE
        session = Session({}, id=ID, use_cookies=False, **self._plain_params())
        session["user"] = "ann"
        session.save()

    def _plain_params(self) -> dict[str, Any]:
        return {n: v for n, v in self.params(is_strict=False).items() if n != "session_class"}

    @contextmanager
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
        """Give Beaker and the package the world's time, ids and tokens."""
        clock = SimpleNamespace(time=lambda: self.world.now, strftime=time.strftime)
        backends: Mapping[str, Any] = {**beaker.cache.clsmap._clsmap, _OLD_BACKEND: OldBackend}  # noqa: SLF001  # Beaker's registry
        with monkeypatch.context() as patch:
            patch.setattr(DynamoDBNamespaceManager, "runtime", self.runtime)
            patch.setattr(beaker.session, "time", clock)
            patch.setattr(strict, "time", clock)
            patch.setattr(beaker.session, "_session_id", lambda: _make_id(self.draw()))
            random_ids = SimpleNamespace(token_hex=lambda size: _make_id(self.draw()))
            patch.setattr(strict, "secrets", random_ids)
            patch.setattr(beaker.cache.clsmap, "_clsmap", backends)
            patch.setattr(OldBackend, "model", self, raising=False)
            yield self


def let_time_pass(world: World, seconds: float = LONG) -> None:
    """Move the clock past the end of every session."""
    world.now += seconds
    world.expired_at = world.now


def sweep(world: World) -> None:
    """Delete the rows that have expired, as DynamoDB's TTL does at some time."""
    rows = world.items.rows
    for key in [key for key, item in rows.items() if int(item[TTL]["N"]) <= world.now]:
        del rows[key]


class OldBackend(NamespaceManager):  # type: ignore[misc]  # Beaker ships no types
    """The backend that sessions are migrated from: each access of it is a scheduling point."""

    model: Model

    def __getitem__(self, key: str) -> Any:
        text = self.model.world.switch(Call("Read", {"id": self.namespace}))
        if text is None:
            raise KeyError(key)
        return text

    def __contains__(self, key: str) -> bool:
        return self.model.world.switch(Call("Read", {"id": self.namespace})) is not None

    def __delitem__(self, key: str) -> None:
        self.model.world.switch(Call("Remove", {"id": self.namespace}))


def _make_id(token: str) -> str:
    return token.encode().hex().ljust(32, "0")[:32]


def _plain(session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: session[name] for name in session if not name.startswith("_")}
