"""Save and load a session through Beaker's middleware.

Argument: the URL of a DynamoDB. It needs only the package and its requirements.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from beaker.cache import clsmap
from beaker.middleware import SessionMiddleware

#: What would hide that the package, or Beaker, needs it.
ABSENT = ("setuptools", "pkg_resources", "pytest", "pyramid", "click", "moto")
REQUIRED = ("beaker", "boto3", "botocore")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Count the visits of a session."""
    session = environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["visits"]).encode()]


def visit(url: str, cookie: str) -> tuple[bytes, str]:
    """Ask a new process's worth of the application; return its answer and the cookie."""
    site = SessionMiddleware(
        application,
        {
            "session.type": "ext:dynamodb",
            "session.table": "clean",
            "session.endpoint_url": url,
            "session.secret": "8c1f0e5d2b7a49c3a1f4d6e8b9075c21",
        },
    )
    environ: dict[str, Any] = {"HTTP_COOKIE": cookie}
    setup_testing_defaults(environ)
    sent: list[tuple[str, str]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        if status != "200 OK":
            raise SystemExit(f"the application answers {status}")
        sent.extend(headers)

    body = b"".join(site(environ, start_response))
    return body, next((value for name, value in sent if name.lower() == "set-cookie"), "")


def main() -> None:
    """Print what was tested; raise SystemExit with the reason if it fails."""
    present = [name for name in ABSENT if find_spec(name)]
    if present:
        raise SystemExit(f"this venv is not clean: it holds {', '.join(present)}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in REQUIRED)
    print(f"Python {sys.version.split()[0]}, {versions}")
    manager = clsmap["ext:dynamodb"]
    if clsmap["dynamodb"] is not manager:
        raise SystemExit("the entry points differ")
    package = Path(str(files("beaker_dynamodb")))
    if "site-packages" not in package.parts or not (package / "py.typed").is_file():
        raise SystemExit(f"{package} is not what the wheel installs, or lacks py.typed")
    if not Path(sys.executable).with_name("beaker-dynamodb").is_file():
        raise SystemExit("the command beaker-dynamodb is not there")
    first, cookie = visit(sys.argv[1], "")
    second, _ = visit(sys.argv[1], cookie.partition(";")[0])
    if (first, second) != (b"1", b"2"):
        raise SystemExit(f"the session was lost: {first!r}, then {second!r}")
    print(f"ext:dynamodb is {manager.__module__}.{manager.__qualname__}; a session came back")


if __name__ == "__main__":
    main()
