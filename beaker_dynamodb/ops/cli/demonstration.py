"""The command that serves the demo.

It alone may start what stands in `demo/`, and imports it only then.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from beaker_dynamodb.ops.cli.arguments import given
from beaker_dynamodb.ops.cli.frame import example


@click.command(epilog=example("demo --port 8081 -o endpoint_url=http://127.0.0.1:8000"))
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@given
def demo(port: int, given: Mapping[str, str]) -> int:
    """Serve a page that shows a session at work.

    Beside the session stands the row that it is stored in. The store is in memory, unless -o
    names another endpoint.
    """
    from beaker_dynamodb.demo.app import serve

    serve(port, given)
    return 0


COMMANDS = (demo,)
