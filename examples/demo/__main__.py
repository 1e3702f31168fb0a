"""Serve the demo: `python -m examples.demo`, from a checkout.

A page shows a session at work, and beside it the item that the session is stored in.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from beaker_dynamodb.errors import DynamoDBBackendError
from examples.demo.app import serve

#: The exit code of a usage error, as argparse has it.
USAGE_ERROR: Final = 2
PORTS: Final = range(65536)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo",
        description="Serve a page that shows a session at work, and the item that it is stored in."
        " The table is in memory, unless -o names another endpoint.",
        epilog="Example: python -m examples.demo --port 8081 -o endpoint_url=http://127.0.0.1:8000",
    )
    parser.add_argument(
        "--port", type=parse_port, default=8080, help="0 is any free port (default: 8080)"
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


def parse_option(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE. Raises: ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit code. An error is one line on stderr."""
    given = make_parser().parse_args(argv)
    try:
        serve(given.port, dict(given.options))
    except DynamoDBBackendError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201  # the command's answer
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
