"""A small application that does what its path says, and the browsers that send it requests.

It runs under Beaker's own middleware, without any knowledge of DynamoDB. A test passes values, and
functions to call in the middle of a request, in the WSGI environment, never in a global.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookiejar import CookieJar
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from beaker.middleware import SessionMiddleware
from webtest import TestApp

from beaker_dynamodb import DynamoDBNamespaceManager
from tests.instruments import Clock
from tests.servers import REGION, Flavor, Server

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
COOKIE = "beaker.session.id"
#: What a request may carry: a value for `/put`, and what happens before it is answered.
VALUE, MEANWHILE = "test.value", "test.meanwhile"
KEY = base64.b64encode(bytes(range(32))).decode()
#: A busy machine is no outage: only the tests of hanging servers are impatient.
PATIENT = {"connect_timeout": "20s", "read_timeout": "20s"}


def _describe(session: Any) -> dict[str, Any]:
    values = {key: session[key] for key in session if not key.startswith("_")}
    return {"id": session.id, "new": session.is_new, "values": values}


def _set(session: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        session[key] = value
    session.save()


def _del(session: Any, asked: Mapping[str, str]) -> None:
    for key in asked:
        del session[key]
    session.save()


def _regen(session: Any, _: Mapping[str, str]) -> None:
    session.regenerate_id()
    session.save()


#: What a path does to the session. `/none` is not here: it does not touch it.
VERBS: Mapping[str, Callable[[Any, Mapping[str, str]], object]] = {
    "read": lambda session, _: session.get("k"),
    "set": _set,
    "del": _del,
    "delete": lambda session, _: session.delete(),
    "invalidate": lambda session, _: session.invalidate(),
    "regen": _regen,
}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Do what the path says, and return the session's values as JSON."""
    verb = environ["PATH_INFO"].strip("/")
    session = environ["beaker.session"]
    asked = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    told: Any = None
    if verb == "put":
        _set(session, environ[VALUE])
        told = {"id": session.id}
    elif verb == "by_id":
        found = session.get_by_id(asked["id"])
        told = None if found is None else _describe(found)
    elif verb == "fresh":
        fresh = environ["beaker.get_session"]()
        fresh["fresh"] = "yes"
        fresh.save()
        told = {"id": fresh.id}
    elif verb != "none":
        VERBS[verb](session, asked)
        told = _describe(session)
    environ.get(MEANWHILE, lambda: None)()
    body = json.dumps(told, default=repr).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


def answering_500(app: Wsgi) -> Wsgi:
    """Return 500 and the error's class, as a server does if an application raises."""

    def guard(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception as error:  # noqa: BLE001  # a server catches whatever it is
            head = [("Content-Type", "text/plain")]
            start_response("500 Internal Server Error", head, sys.exc_info())
            return [type(error).__name__.encode()]

    return guard


def ini(url: str, table: str, **more: str) -> dict[str, str]:
    """Return the settings of an ini file: the table's, and *options*."""
    lines = {"type": "ext:dynamodb", "endpoint_url": url, "region": REGION, "table": table}
    lines |= PATIENT | more
    return {f"session.{name}": value for name, value in lines.items()}


def under_beaker(app: Wsgi, lines: Mapping[str, str]) -> Wsgi:
    """Put an application under Beaker's middleware, configured by ini strings alone."""
    return answering_500(SessionMiddleware(app, dict(lines)))


def browser(app: Wsgi, environ: Mapping[str, str] | None = None) -> Any:
    """Open a browser with a cookie jar of its own; *environ* is added to each request's."""
    return TestApp(app, environ, lint=False)


def at(url: str, table: str, **more: str) -> Any:
    """Open a browser at a new site of the small application."""
    return browser(under_beaker(application, ini(url, table, **more)))


def with_cookie(value: str) -> dict[str, str]:
    """Write the session's cookie as raw as an attacker would, whatever the value is."""
    plain = "".join(c if c.isalnum() and c.isascii() else _octal(c) for c in value)
    return {"HTTP_COOKIE": f'{COOKIE}="{plain}"'}


def _octal(character: str) -> str:
    return f"\\{ord(character):03o}" if ord(character) < 256 else character


def cookie_sent(response: Any) -> str | None:
    """Read the session id that a response sets; None if it leaves the cookie alone."""
    for line in response.headers.getall("Set-Cookie"):
        cookies: SimpleCookie = SimpleCookie(line)
        if COOKIE in cookies:
            return cookies[COOKIE].value
    return None


def manager(url: str, table: str, namespace: object, **given: object) -> DynamoDBNamespaceManager:
    """Create a session's manager as Beaker does."""
    where = {"endpoint_url": url, "region": REGION, "table": table}
    told = {**where, **PATIENT, **given}
    return DynamoDBNamespaceManager(namespace, data_dir=None, digest_filenames=False, **told)


def make_table(url: str, table: str, range_key: str | None = None) -> None:
    """Create the table as an operator would have done, so that no request has to."""
    keys = ["id", *([range_key] if range_key else [])]
    Server(url, Flavor.LOCAL).client().create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
        KeySchema=[{"AttributeName": k, "KeyType": "HASH" if k == "id" else "RANGE"} for k in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def rows_of(url: str, table: str) -> list[dict[str, Any]]:
    """Read all rows of a small table, as AWS types them."""
    return list(Server(url, Flavor.LOCAL).client().scan(TableName=table)["Items"])


def write_row(url: str, table: str, row: Mapping[str, Any]) -> None:
    """Put a row by a plain client, as another program would."""
    Server(url, Flavor.LOCAL).client().put_item(TableName=table, Item=dict(row))


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Have the package and Beaker read the time from *clock*."""
    runtime = dataclasses.replace(
        DynamoDBNamespaceManager.runtime,
        clock=clock,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
    )
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", runtime)
    module = SimpleNamespace(time=clock, strftime=time.strftime)
    monkeypatch.setattr("beaker.session.time", module)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serve(app: Wsgi) -> Iterator[str]:
    """Serve an application on a loopback port, in a thread that ends with the block."""
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Visitor:
    """A browser for a real server: status, values and cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    @property
    def cookie(self) -> str | None:
        """The session id that the jar holds."""
        return next((cookie.value for cookie in self.jar if cookie.name == COOKIE), None)

    def get(self, path: str) -> tuple[int, Any]:
        """Request a page; return the status, and the JSON of a 200."""
        try:
            with self._opener.open(self.url + path, timeout=120) as response:
                return int(response.status), json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code), None
