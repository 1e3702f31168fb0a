"""The application that gunicorn serves while its workers are killed: one page for each operation.

`HISTORY` in the environment holds Beaker's options, as JSON. The answer is what the page has found
in the session, or the class of the package's error. Any other error is a fault.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from beaker.middleware import SessionMiddleware

from beaker_dynamodb import DynamoDBBackendError, UserSessions
from tests.history.recorder import KEYS

OPTIONS: dict[str, Any] = json.loads(os.environ["HISTORY"])
#: More than fits into one row: it is stored in two chunks.
LARGE = random.Random(1).randbytes(450_000)


def pages(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Do what the path says."""
    session = environ["beaker.session"]
    given = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    seen = {name: session[name] for name in KEYS if name in session}
    kind = environ["PATH_INFO"].strip("/")
    if kind == "write":
        session["user"], session[given["key"]] = given["user"], given["value"]
        if given["user"].startswith(("s0g", "s1g")):
            session["pad"] = LARGE
        session.save()
    elif kind == "logout":
        session.delete()
    elif kind == "end":
        session["user"] = given["user"]
        session.save()
        UserSessions(session, "user").end_others()
    return _answer(start_response, "200 OK", {"seen": seen, "pid": os.getpid()})


def _answer(start_response: Any, status: str, document: dict[str, Any]) -> list[bytes]:
    body = json.dumps(document).encode()
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, head)
    return [body]


def report_errors(app: Callable[..., Any]) -> Callable[..., Any]:
    """Answer 503 for an error of the package, and 500 with its class for any other."""

    def guard(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except DynamoDBBackendError as error:
            return _answer(start_response, "503 Busy", {"error": type(error).__name__})
        except Exception as error:  # noqa: BLE001  # the client records it as a fault
            return _answer(start_response, "500 Fault", {"error": f"{type(error).__name__}"})

    return guard


application = report_errors(
    SessionMiddleware(pages, {f"session.{name}": value for name, value in OPTIONS.items()})
)
