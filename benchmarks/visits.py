"""Make a visit: requests through a store's own framework, minutes apart by an artificial clock.

Each application has three pages: one logs in, one changes the session, one only reads it. Each
response is compared with what the visitor did, so that a store that loses a change is found.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from importlib import import_module
from io import BytesIO
from typing import Any

from benchmarks import stores

Values = dict[str, Any]
Application = Callable[..., Iterable[bytes]]


class ArtificialClock:
    """The clock of this process, which a visit advances; set before a framework is imported."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._real = time.time
        time.time = self

    def __call__(self) -> float:
        return self._real() + self.ahead


def page(session: Any, path: str, values: Values) -> bytes:
    """Return the body of a page; in every framework the session is a dict."""
    if path == "/login":
        session.update(values)
    elif path == "/change":
        session["visits"] = session["visits"] + 1
    return json.dumps([session["user_id"], session["visits"]]).encode()


def beaker_application(order: stores.Order, values: Values) -> Application:
    """Create an application with Beaker's middleware; the pages save what they change."""
    middleware = import_module("beaker.middleware").SessionMiddleware

    def pages(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        body = page(session, environ["PATH_INFO"], values)
        if environ["PATH_INFO"] != "/read":
            session.save()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    options = stores.beaker_options(order)
    if order.get("timeout", True) is None:
        del options["timeout"]
    made: Application = middleware(pages, {f"session.{key}": options[key] for key in options})
    return made


def flask_application(order: stores.Order, values: Values) -> Application:
    """Create an application of Flask with Flask-Session."""
    app = stores.flask_application(order)
    flask = import_module("flask")

    def pages(path: str) -> bytes:
        return page(flask.session, f"/{path}", values)

    app.add_url_rule("/<path>", view_func=pages)
    made: Application = app
    return made


def pyramid_application(order: stores.Order, values: Values) -> Application:
    """Create an application of Pyramid with pyramid-dynamodb-sessions."""
    responses = import_module("pyramid.response")
    configured = import_module("pyramid.config").Configurator()
    configured.set_session_factory(stores.pyramid_factory(order))

    def pages(request: Any) -> Any:
        return responses.Response(page(request.session, request.path, values))

    configured.add_route("all", "/{path}")
    configured.add_view(pages, route_name="all")
    made: Application = configured.make_wsgi_app()
    return made


def ask(application: Application, path: str, cookies: SimpleCookie) -> Any:
    """Send one request with the cookies, store those of the response, and parse the page."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_COOKIE": "; ".join(f"{m.key}={m.coded_value}" for m in cookies.values()),
    }

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        assert status.startswith("200"), status
        for name, value in headers:
            if name.lower() == "set-cookie":
                cookies.load(value)

    return json.loads(b"".join(application(environ, start_response)))


def _set_our_clock(clock: ArtificialClock) -> None:
    """Set the clock of our package, which does not use time.time."""
    ours = import_module("beaker_dynamodb").DynamoDBNamespaceManager
    ours.runtime = dataclasses.replace(ours.runtime, clock=clock)


def visit(order: stores.Order, values: Values, steps: list[list[Any]]) -> Values:
    """Make a visit of steps `[seconds, path]`; return how many pages were right.

    Raises: AssertionError, if a page was wrong.
    """
    clock = ArtificialClock()
    _set_our_clock(clock)
    made = {
        "beaker": beaker_application,
        "flask": flask_application,
        "cachelib": flask_application,
        "pyramid": pyramid_application,
    }[order["store"]]
    application = made(order, values)
    cookies: SimpleCookie = SimpleCookie()
    started, visits = clock(), values["visits"]
    for seconds, path in steps:
        clock.ahead += started + seconds - clock()
        visits += path == "/change"
        answer = ask(application, path, cookies)
        assert answer == [values["user_id"], visits], f"{path} returned {answer}, not {visits}"
    return {"pages": len(steps)}
