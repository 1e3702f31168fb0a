"""The application that gunicorn preloads: each page counts, and returns its session.

`PREFORK` in the environment configures it, as JSON: Beaker's options, whether the parent uses its
client before the fork, and whether the protection against shared clients is removed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from beaker.middleware import SessionMiddleware
from beaker.session import Session

ORDERS: dict[str, Any] = json.loads(os.environ["PREFORK"])
#: As many connections as this does the parent leave to its children.
BEFORE_THE_FORK = 8


def pages(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Store the client's name, count, and return the session."""
    session = environ["beaker.session"]
    client = environ["QUERY_STRING"]
    if client:
        session["clients"] = sorted({*session.get("clients", ()), client})
        session["count"] = session.get("count", 0) + 1
        session.save()
    shown = {name: session[name] for name in session if not name.startswith("_")}
    body = json.dumps({"pid": os.getpid(), "session": shown}).encode()
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", head)
    return [body]


def share_clients_across_processes() -> None:
    """Remove the protection against clients that are shared by processes.

    The check that a response is for the requested key is removed, too, because it would turn
    another user's session into an error.
    """
    from beaker_dynamodb.dynamodb import client as clients
    from beaker_dynamodb.dynamodb import table

    renew: Callable[[Any], None] = clients.Client.renew

    def once(client: Any) -> None:
        if not hasattr(client, "_lock"):
            renew(client)

    def parse_as_claimed(self: Any, key: Any, item: Any) -> Any:
        claimed = {**item, **self.format_key(key)}
        return parse(self, key, claimed)

    parse: Callable[[Any, Any, Any], Any] = table.Table._parse
    for owner, name, replaced in (
        (clients.Client, "renew", once),
        (clients, "validate_response", lambda *facts: None),
        (table.Table, "_parse", parse_as_claimed),
    ):
        if not hasattr(owner, name):
            raise AttributeError(name)  # it was renamed: this would take nothing out
        setattr(owner, name, replaced)


def use_the_client() -> None:
    """Save a session in the parent, and look at it over several connections at once."""
    environ: dict[str, Any] = {}
    session = Session(environ, id="parent", use_cookies=False, **OPTIONS)
    session["clients"] = ["parent"]
    session.save()
    gate = threading.Barrier(BEFORE_THE_FORK)

    def look() -> None:
        gate.wait()
        Session({}, id="parent", use_cookies=False, **OPTIONS)

    threads = [threading.Thread(target=look) for _ in range(BEFORE_THE_FORK)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


OPTIONS: dict[str, Any] = ORDERS["options"]
if ORDERS["shared"]:
    share_clients_across_processes()
application = SessionMiddleware(
    pages, {f"session.{name}": value for name, value in OPTIONS.items()}
)
if ORDERS["used"]:
    use_the_client()
