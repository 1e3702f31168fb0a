"""An application with sessions and a cache, and what its visitors notice of a throttled table.

A page reads the session, changes it, or shows a cached value. An error of the store is an error
page, as the documentation advises, and the browser keeps its cookie.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from threading import Lock
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

from beaker.cache import CacheManager
from beaker.middleware import SessionMiddleware

from beaker_dynamodb import Saved, StrictSession, Unavailable
from beaker_dynamodb.dynamodb.metering import Event
from tests.throttle.buckets import Kind

COOKIE: Final = "beaker.session.id"
TIMEOUT: Final = 1800
#: Seconds. So short that many pages of the run are touches.
TOUCH_AFTER: Final = 30
#: Of 100 pages: so many change the session, so many show a cached value, the others only read.
CHANGES, CACHED = 20, 10
CACHE_EXPIRE: Final = 5
#: Seconds of a tally from which on nothing belongs to the run.
_LATER: Final = 1e6
#: Seconds from which a page is slow.
SLOW: Final = 0.5


@dataclass
class Tally:
    """What happened in each second, by name."""

    clock: Callable[[], float]
    began: float = field(init=False)
    seconds: dict[int, Counter[str]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def add(self, name: str, number: float = 1) -> None:
        """Count something that happens now."""
        with self._lock:
            second = int(self.clock() - self.began)
            self.seconds.setdefault(second, Counter())[name] += number  # type: ignore[assignment]

    def sum(self, name: str, begin: float = 0, end: float = _LATER) -> float:
        """Return how often something happened, from one second until before another."""
        return sum(n[name] for second, n in self.seconds.items() if begin <= second < end)

    def first(self, name: str) -> int:
        """Return the first second in which something happened.

        Raises: ValueError, if it never did.
        """
        return min(second for second, n in self.seconds.items() if n[name])

    def last(self, name: str) -> int:
        """Return the last second in which something happened; -1 if it never did."""
        return max((s for s, n in self.seconds.items() if s < _LATER and n[name]), default=-1)

    def watch(self, event: Event) -> None:
        """Count the saves of sessions: what `observe()` takes."""
        if isinstance(event, Saved):
            self.add(f"{event.plan} {event.outcome}")

    def tell(self, kind: Kind, units: float, reason: str | None) -> None:
        """Count the units of a request, or that it was throttled: what a gate takes."""
        name = kind.lower()
        self.add(f"{name} units", units) if reason is None else self.add(f"{name} throttled")


@dataclass
class Visitor:
    """A browser: its cookie, and the last number of each key that was acknowledged."""

    name: str
    cookie: str = ""
    acknowledged: dict[str, int] = field(default_factory=dict)
    pages: int = 0


class Application:
    """Beaker's middleware and a cache, over a table of sessions and one of the cache."""

    def __init__(
        self,
        tally: Tally,
        sessions: Mapping[str, Any],
        cache: Mapping[str, Any],
        cache_expire: int = CACHE_EXPIRE,
    ) -> None:
        self.tally = tally
        self.random = random.Random(1)
        options = {
            "type": "ext:dynamodb",
            "session_class": StrictSession,
            "timeout": TIMEOUT,
            "touch_after": TOUCH_AFTER,
            **sessions,
        }
        self._middleware = SessionMiddleware(
            self._serve, {f"session.{name}": value for name, value in options.items()}
        )
        manager = CacheManager(type="ext:dynamodb", expire=cache_expire, **cache)
        self._cache = manager.get_cache("parts")

    def log_in(self, visitor: Visitor) -> None:
        """Begin a visitor's session."""
        self._request(visitor, "/in")

    def visit(self, visitor: Visitor) -> None:
        """Request a page, and count what comes of it."""
        draw = self.random.randrange(100)
        if draw < CACHED:
            self._show_part(draw)
            return
        path, began = "/change" if draw < CACHED + CHANGES else "/read", self.tally.clock()
        try:
            found = self._request(visitor, path)
        except Unavailable:
            self.tally.add(f"{path} failed")
            return
        self.tally.add(f"{path} served")
        self.tally.add(f"{path} slow", self.tally.clock() - began >= SLOW)
        if found.get("user") != visitor.name:
            self.tally.add("signed out")

    def find_lost_changes(self, visitor: Visitor) -> list[str]:
        """Return the keys of a visitor whose acknowledged number is not stored."""
        found = self._request(visitor, "/read")
        changes = visitor.acknowledged.items()
        return [key for key, number in changes if found.get(key, 0) < number]

    def _show_part(self, number: int) -> None:
        def create() -> str:
            self.tally.add("part created")
            return "a part of a page"

        self._cache.get(key=f"part {number}", createfunc=create)
        self.tally.add("/part served")

    def _request(self, visitor: Visitor, path: str) -> dict[str, Any]:
        visitor.pages += 1
        number = visitor.pages
        environ: dict[str, Any] = {"PATH_INFO": path, "visitor": visitor.name, "number": number}
        setup_testing_defaults(environ)
        if visitor.cookie:
            environ["HTTP_COOKIE"] = f"{COOKIE}={visitor.cookie}"
        sent: list[str] = []
        self._middleware(environ, lambda _, headers, exc_info=None: sent.extend(pick(headers)))
        for header in sent:
            visitor.cookie = SimpleCookie(header)[COOKIE].value
        if path == "/change":
            key = f"key {number % 5}"
            visitor.acknowledged[key] = max(number, visitor.acknowledged.get(key, 0))
        found: dict[str, Any] = environ["found"]
        return found

    def _serve(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        if environ["PATH_INFO"] == "/in":
            session["user"] = environ["visitor"]
            session.save()
        elif environ["PATH_INFO"] == "/change":
            session[f"key {environ['number'] % 5}"] = environ["number"]
            session.save()
        environ["found"] = dict(session)
        start_response("200 OK", [])
        return []


def pick(headers: list[tuple[str, str]]) -> list[str]:
    """Return the cookies that a response sets."""
    return [value for name, value in headers if name.lower() == "set-cookie"]
