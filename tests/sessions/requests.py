"""Requests under Beaker's real middleware, each open as long as a test needs it.

Two concurrent requests are two open ones of one browser, without threads or chance. A page's error
is raised when the request ends or uses the session, as a server would see it.
"""

from __future__ import annotations

import contextlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from typing import Any
from wsgiref.util import setup_testing_defaults

from beaker.middleware import SessionMiddleware

from beaker_dynamodb import StrictSession
from beaker_dynamodb.item.codec import FORMAT, ROTATED
from tests.servers import Flavor, Server

KEY = "beaker.session.id"


class Site:
    """An application under SessionMiddleware, whose pages are written by the test."""

    def __init__(self, url: str, table: str, **options: object) -> None:
        """Keep strict sessions in the table at the URL; `options` are Beaker's and ours."""
        settings: dict[str, object] = {
            "type": "ext:dynamodb",
            "session_class": StrictSession,
            "endpoint_url": url,
            "table": table,
            **options,
        }
        self.server = Server(url, Flavor.LOCAL)
        self.table = table
        # An object goes past Beaker's coercion, which takes a serializer for a name.
        objects = {name: settings.pop(name) for name in ("data_serializer",) if name in settings}
        config = {f"session.{name}": value for name, value in settings.items()}
        self._opened: list[tuple[dict[str, Any], Any]] = []
        self.middleware = SessionMiddleware(self._open, config, **objects)

    def _open(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self._opened.append((environ, start_response))
        return []

    def request(self, cookie: str | None) -> Visit:
        """Begin a request that brings this cookie header."""
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        if cookie is not None:
            environ["HTTP_COOKIE"] = cookie
        visit = Visit()
        self.middleware(environ, visit.send)
        visit.environ, visit.start_response = self._opened.pop()
        return visit

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows of sessions as AWS types them, by id, without tombstones."""
        found = self.items().items()
        return {one: item for one, item in found if not is_rotated(item["data"]["B"])}

    def items(self) -> dict[str, dict[str, Any]]:
        """Return all rows of the table as AWS types them, by the session's id."""
        client = self.server.client()
        with contextlib.closing(client):
            try:
                found = client.scan(TableName=self.table, ConsistentRead=True)
            except client.exceptions.ResourceNotFoundException:
                return {}
        items: list[dict[str, Any]] = [dict(item) for item in found["Items"]]
        return {item["id"]["S"].partition(":")[2]: item for item in items}

    def spoil(self, session: str, data: bytes) -> None:
        """Put other data into a session's row."""
        client = self.server.client()
        with contextlib.closing(client):
            item = {**self.rows()[session], "data": {"B": data}}
            client.put_item(TableName=self.table, Item=item)


def is_rotated(data: bytes) -> bool:
    """Return whether a row is the tombstone of a rotation."""
    return data[:2] == bytes((FORMAT, ROTATED))


def puts_tombstone(body: dict[str, Any]) -> bool:
    """Return whether a request puts such a tombstone over a session's row."""
    return is_rotated(b64decode(body.get("Item", {}).get("data", {}).get("B", "")))


class Visit:
    """One request: its session, and the response when it ends."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.start_response: Any = None
        self.sent: list[str] = []

    @property
    def session(self) -> Any:
        """The session of the request: `environ["beaker.session"]`."""
        return self.environ["beaker.session"]

    def send(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        """Be the server's start_response."""
        self.sent = [value for name, value in headers if name.lower() == "set-cookie"]

    def end(self, status: str = "200 OK") -> str | None:
        """Call start_response, and return the Set-Cookie that went out, if any did."""
        self.start_response(status, [])
        return self.sent[0] if self.sent else None


class Browser:
    """A browser: it keeps the last cookie that it was sent, and drops an expired one."""

    def __init__(self, site: Site, cookie: str | None = None) -> None:
        self.site = site
        self.cookie = cookie

    @property
    def id(self) -> str:
        """The session's id, as the cookie has it."""
        return SimpleCookie(self.cookie)[KEY].value

    def begin(self) -> Visit:
        """Begin a request, which stays open."""
        return self.site.request(self.cookie)

    def end(self, visit: Visit) -> str | None:
        """End a request, and keep the cookie that it sends."""
        sent = visit.end()
        if sent is not None:
            self.cookie = sent.partition(";")[0]
        return sent

    @contextlib.contextmanager
    def visit(self) -> Iterator[Any]:
        """Make one whole request; the block is the page."""
        visit = self.begin()
        yield visit.session
        self.end(visit)

    def read(self) -> dict[str, Any]:
        """Return the session of a page, without Beaker's own keys."""
        with self.visit() as session:
            return strip_beaker_keys(session)

    def write(self, **values: object) -> None:
        """Change some keys, and save."""
        with self.visit() as session:
            for name, value in values.items():
                session[name] = value
            session.save()


def strip_beaker_keys(session: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out Beaker's bookkeeping."""
    return {name: session[name] for name in session if not name.startswith("_")}
