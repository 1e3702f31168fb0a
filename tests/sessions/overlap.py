"""Requests of one session that overlap at exact points, under Beaker's own SessionMiddleware.

A view is handed in with each visit. It may make another visit in the middle of itself, between
its session's load and save: that request then runs whole, inside the first one, in one thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from beaker.middleware import SessionMiddleware

from beaker_dynamodb.item.codec import FORMAT, ROTATED
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions.views import View, contents, put

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COOKIE = "beaker.session.id"
#: What the site behind a proxy is told; where the fault is silence, a test says `read_timeout`.
IMPATIENT: Mapping[str, object] = {"connect_timeout": 3, "read_timeout": 3, "max_attempts": 2}


def is_rotated(item: Mapping[str, Any]) -> bool:
    """Return whether a row is the tombstone of a rotation."""
    data = item.get("data", {}).get("B", b"")
    return bytes(data[:2]) == bytes((FORMAT, ROTATED))


@dataclass
class Browser:
    """A cookie jar for one cookie; a copy of it is the same user in another tab."""

    cookie: str = ""

    @property
    def id(self) -> str:
        """The session id that the cookie names."""
        return self.cookie.partition("=")[2]

    def also(self) -> Browser:
        """Open another tab, with the same cookie."""
        return replace(self)


@dataclass(frozen=True)
class Visit:
    """The result of a request: what the view returned, and the Set-Cookie headers."""

    said: Any
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """An application under Beaker's middleware, with its sessions in one table."""

    url: str
    table: str
    options: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def create(cls, url: str, table: str, **options: object) -> Site:
        """Make the table, and a site upon it that shares one client with all the others."""
        _client(url).create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return cls(url, table, {"client": _client(url), **options})

    def with_(self, **options: object) -> Site:
        """Give another configuration on the same table: another process of a deploy."""
        return replace(self, options={**self.options, **options})

    def behind(self, proxy: FaultProxy, **options: object) -> Site:
        """Give the same site with a proxy between it and the table, and short time-outs."""
        own = {name: value for name, value in self.options.items() if name != "client"}
        return replace(self, options={**own, "endpoint_url": proxy.url, **IMPATIENT, **options})

    def visit(self, browser: Browser, view: View) -> Visit:
        """Make one request. A generator starts its response at every `yield`.

        What a save raises there is raised at that `yield`; what leaves the view or the middleware
        is raised here: a server answers 500.
        """
        said: list[Any] = []
        headers: list[tuple[str, str]] = []

        def start_response(
            _status: str, sent: list[tuple[str, str]], _error: object = None
        ) -> None:
            headers.extend(sent)

        def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
            answer = view(environ["beaker.session"])
            if inspect.isgenerator(answer):
                _start_at_every_yield(answer, start)
            else:
                start("200 OK", [])
                said.append(answer)
            return [b""]

        config = {f"session.{name}": value for name, value in self.options.items()}
        config = {"session.type": "ext:dynamodb", "session.table": self.table, **config}
        config.pop("session.data_serializer", None)
        environ = {"HTTP_COOKIE": browser.cookie} if browser.cookie else {}
        # Beaker turns a serializer in the config into its repr; as an argument it stays one.
        own = {"data_serializer": self.options.get("data_serializer", "pickle")}
        SessionMiddleware(application, config, **own)(environ, start_response)
        cookies = tuple(value for name, value in headers if name == "Set-cookie")
        for sent in cookies:
            browser.cookie = f"{COOKIE}={SimpleCookie(sent)[COOKIE].value}"
        return Visit(said[0] if said else None, cookies)

    def begin_session(self, **values: object) -> Browser:
        """Begin a session that holds *values*, and return the browser that has its cookie."""
        browser = Browser()
        self.visit(browser, put(**values))
        return browser

    def read_session(self, browser: Browser) -> dict[str, Any]:
        """Return the session of a request with this cookie, without Beaker's own keys."""
        found: dict[str, Any] = self.visit(browser.also(), contents).said
        return found

    def row(self, browser: Browser) -> dict[str, Any] | None:
        """Return the row as it is stored, by a plain client."""
        return self.row_of(browser.id)

    def row_of(self, session: str) -> dict[str, Any] | None:
        """Return the row of a session id; None if it is only the tombstone of a rotation."""
        key = {"id": {"S": f"sess:{session}"}}
        found = self.raw.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        item = dict(found.get("Item", {}))
        return item if item and not is_rotated(item) else None

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows of the table but the tombstones of rotations."""
        found = map(dict, self.raw.scan(TableName=self.table)["Items"])
        return [item for item in found if not is_rotated(item)]

    def plant(self, browser: Browser, **attributes: object) -> None:
        """Put attributes, as AWS types them, over those of the row; None takes one away."""
        item: dict[str, Any] = {**(self.row(browser) or {}), **attributes}
        item["id"] = {"S": f"sess:{browser.id}"}
        kept = {name: value for name, value in item.items() if value is not None}
        self.raw.put_item(TableName=self.table, Item=kept)

    @property
    def raw(self) -> DynamoDBClient:
        """A plain client of the server itself."""
        return _client(self.url)


def _start_at_every_yield(
    answer: Generator[object, Any, object], start: Callable[..., Any]
) -> None:
    error: Exception | None = None
    while True:
        try:
            _ = answer.throw(error) if error else next(answer)
        except StopIteration:
            return
        error = None
        try:
            start("200 OK", [])
        except Exception as raised:  # noqa: BLE001  # the view decides what becomes of it
            error = raised


@cache
def _client(url: str) -> DynamoDBClient:
    return Server(url, Flavor.LOCAL).client()
