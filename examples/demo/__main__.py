"""Serve the demo: `python -m examples.demo`, from a checkout.

A page shows a session at work, and beside it the item that the session is stored in.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from beaker.exceptions import BeakerWarning

from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.errors import DynamoDBBackendError
from examples.demo.app import OUTAGE_SECONDS, open_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: The demo is for this machine only.
HOST: Final = "127.0.0.1"

#: The exit code of a usage error, as argparse has it.
USAGE_ERROR: Final = 2
PORTS: Final = range(65536)
OUTAGES_ALLOWED: Final = range(1, 601)


class PortError(Exception):
    """The port cannot be used."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo",
        description="Serve a page that shows a session at work, and the item that it is stored in."
        " The table is in memory, unless -o names another endpoint.",
        epilog="Example: python -m examples.demo -o endpoint_url=http://127.0.0.1:8000",
    )
    parser.add_argument(
        "--port", type=parse_port, default=8080, help="0 is any free port (default: 8080)"
    )
    parser.add_argument(
        "--outage",
        type=parse_seconds,
        default=OUTAGE_SECONDS,
        metavar="SECONDS",
        help=f"how long a button breaks the store (default: {OUTAGE_SECONDS})",
    )
    parser.add_argument(
        *("-o", "--option"),
        dest="options",
        action="append",
        default=[],
        type=parse_option,
        metavar="NAME=VALUE",
        help="an option as in an application's ini file: table=sessions; repeatable",
    )
    return parser


def parse_port(text: str) -> int:
    """Return the port that *text* names. Raises: ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) not in PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def parse_seconds(text: str) -> int:
    """Return the number of seconds that *text* names. Raises: ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) not in OUTAGES_ALLOWED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 600")
    return int(text)


def parse_option(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE. Raises: ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit code. An error is one line on stderr."""
    arguments = make_parser().parse_args(argv)
    try:
        serve(arguments.port, dict(arguments.options), arguments.outage)
    except (DynamoDBBackendError, PortError) as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201  # the command's output
        return USAGE_ERROR
    return 0


def serve(port: int, options: Mapping[str, object], outage_seconds: int) -> None:
    """Serve the demo until Ctrl-C. Port 0 is any free port.

    Raises: OptionError, if an option is wrong or a package is missing; PortError, if the port
    cannot be used.
    """
    # Beaker prints this if a load fails, with the session's id; the package keeps the session.
    warnings.filterwarnings("ignore", "Invalidating corrupt session", BeakerWarning)
    try:
        with open_app(options, outage_seconds) as app:
            _run(app, port)
    finally:
        embedded.stop()


def _run(app: WSGIApplication, port: int) -> None:
    """Serve *app* until Ctrl-C. Raises: PortError."""
    import waitress

    try:
        server = waitress.create_server(app, host=HOST, port=port)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        reason = "in use" if error.errno == errno.EADDRINUSE else "not open to this user"
        raise PortError(f"port {port} is {reason}; choose another one with --port") from None
    address = f"http://{HOST}:{server.effective_port}/"
    print(f"The demo is at {address} (Ctrl-C ends it)", flush=True)  # noqa: T201  # its output
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run()  # returns at Ctrl-C
    finally:
        server.close()


if __name__ == "__main__":
    raise SystemExit(main())
