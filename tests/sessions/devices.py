"""The browsers of one user, at an application in which a test says what a request does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import pytest
from beaker.middleware import SessionMiddleware
from beaker.session import Session

from beaker_dynamodb import StrictSession, UserSessions
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.client import get_client
from beaker_dynamodb.item.revision import get_start
from beaker_dynamodb.provisioning.spec import table_spec
from tests.exchange import Exchange
from tests.instruments import Clock
from tests.servers import Flavor, Server
from tests.sessions import apps

View = Callable[[Any], Any]
CLASSES: Final = {"Session": Session, "StrictSession": StrictSession}
VIEW: Final = "test.view"
TIMEOUT: Final = 1800
OPTIONS: Final = {"special_keys": "userId, device", "index_special_keys": "userId"}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Do what the test says to the session, and return the result as JSON."""
    result = environ[VIEW](environ["beaker.session"])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(result, default=repr).encode()]


def log_in(device: str, user: object = 42) -> View:
    """Make a view that logs a user in on a device."""

    def view(session: Any) -> None:
        session["userId"], session["device"] = user, device
        session.save()

    return view


def get_user(session: Any) -> Any:
    """Read who is logged in, and save nothing."""
    return session.get("userId")


def list_devices(session: Any) -> list[dict[str, Any]]:
    """List the user's sessions."""
    found = UserSessions(session, "userId", labels=["device"])
    return [
        {
            "handle": one.handle,
            "device": one.labels.get("device"),
            "created": one.created,
            "last_seen": one.last_seen,
            "expires": one.expires,
            "is_current": one.is_current,
        }
        for one in found
    ]


def end(handle: str) -> View:
    """Make a view that ends one session."""
    return lambda session: UserSessions(session, "userId").end(handle)


def end_others(session: Any) -> int:
    """End all other sessions of the user."""
    return UserSessions(session, "userId").end_others()


def end_all(session: Any) -> int:
    """End all sessions of the user."""
    return UserSessions(session, "userId").end_all()


def limit(count: int) -> View:
    """Make a view that leaves so many sessions."""
    return lambda session: UserSessions(session, "userId").limit(count)


def create_table(url: str, table: str) -> None:
    """Create the table with the index, as `beaker-dynamodb table create` does."""
    options = {"endpoint_url": url, "table": table, **OPTIONS, **apps.PATIENT}
    parsed = parse(options, "session")
    get_client(parsed).call("CreateTable", table_spec(parsed).to_create_request())


@dataclass
class Site:
    """An application with a table that has the index, and the clock of its process."""

    settings: dict[str, Any]
    clock: Clock
    browsers: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        url: str,
        table: str,
        monkeypatch: pytest.MonkeyPatch,
        session_class: str = "Session",
        **more: Any,
    ) -> Site:
        """Create the table and the application, whose time is the test's."""
        clock = Clock()
        apps.use_clock(monkeypatch, clock)
        module = SimpleNamespace(time=clock)
        monkeypatch.setattr("beaker_dynamodb.sessions.strict.time", module)
        settings: dict[str, Any] = apps.ini(url, table, **OPTIONS)
        settings |= {"session.timeout": str(TIMEOUT)}
        settings |= {f"session.{name}": value for name, value in more.items()}
        if session_class == "StrictSession":
            settings["session.session_class"] = StrictSession
        site = cls(settings, clock)
        create_table(url, table)
        return site

    def at(self, device: str, view: View, user_agent: Any = None) -> Any:
        """Send a request from a device, and return what the view returns."""
        if device not in self.browsers:
            app = SessionMiddleware(application, dict(self.settings))
            self.browsers[device] = apps.browser(app)
        return self.browsers[device].get("/", extra_environ={VIEW: view}).json

    def log_in(self, *devices: str, user: object = 42) -> None:
        """Log a user in on devices, a second after each other."""
        for device in devices:
            self.clock.advance(1)
            self.at(device, log_in(device, user))

    def list_signed_in(self) -> list[str]:
        """Ask each device whether it is still signed in; return those that are."""
        return [device for device in self.browsers if self.at(device, get_user) is not None]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows behind the application's back."""
        url, table = self.settings["session.endpoint_url"], self.settings["session.table"]
        yield from apps.rows_of(url, table)

    def write_row(self, row: Mapping[str, Any]) -> None:
        """Put a row behind the application's back."""
        url, table = self.settings["session.endpoint_url"], self.settings["session.table"]
        apps.write_row(url, table, row)


@dataclass(frozen=True)
class LaggingIndex:
    """A fault for Query: the index shows no session that was written within its last second."""

    url: str
    clock: Clock
    lag: float = 1.0

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        document, client = reply.document, Server(self.url, Flavor.LOCAL).client()
        table = exchange.body["TableName"]
        shown = []
        for key in document["Items"]:
            row = client.get_item(TableName=table, Key={"id": key["id"]}).get("Item")
            start = 0 if row is None else get_start(row["rev"]["B"]) or 0
            shown += [key] if start <= self.clock() - self.lag else []
        document |= {"Items": shown, "Count": len(shown)}
        exchange.answer(reply.with_body(json.dumps(document).encode()))
