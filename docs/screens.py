"""Prints the documents' pictures of the command line: real runs against a DynamoDB Local.

`python docs/screens.py` starts the server that the tests use, runs the commands, and writes
`docs/figures/screen_*.svg`. Ids and times differ from run to run; no path and no host does.
"""

from __future__ import annotations

import base64
import io
import os
import random
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
WIDTH = 104
INI = """
[app:main]
session.type = ext:dynamodb
session.table = myapp-sessions
session.region = eu-central-1
session.endpoint_url = {url}
session.timeout = 3600
session.special_keys = userId:S
session.secret = {secret}
session.prefix = myapp:
session.httponly = true
session.invalidate_corrupt = true
"""


@dataclass(frozen=True, slots=True)
class Screen:
    """One picture: the command, what it shows in words, how it ends, and who came before."""

    command: str
    shows: str
    code: int
    visits: int = 0


SCREENS: Mapping[str, Screen] = {
    "doctor": Screen(
        "doctor -c production.ini",
        "The doctor's findings, ok, notes and a warning, each with its remedy below it",
        0,
    ),
    "check": Screen(
        "table check -c production.ini --deletion-protection",
        "Two differences between the table and the options, a line each",
        1,
    ),
    "stats": Screen(
        "sessions stats -c production.ini",
        "Counts, storage and its price, and histograms of sizes, expiries and ages",
        0,
        visits=400,
    ),
}


def main() -> int:
    """Draw every screen."""
    sys.path.insert(0, str(ROOT))
    from tests.servers import DynamoDBLocal

    os.environ |= {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    with DynamoDBLocal() as server, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("production.ini").write_text(
            INI.format(url=server.url, secret=secrets.token_hex(32)), "utf-8"
        )
        _run("table create -c production.ini -o index_special_keys=false")
        for name, screen in SCREENS.items():
            _visits("production.ini", screen.visits)
            code, printed = _run(screen.command)
            if code != screen.code:
                raise SystemExit(f"{screen.command} ended with {code}: {printed}")
            (FIGURES / f"screen_{name}.svg").write_text(
                _draw_terminal(screen, printed, server.port)
            )
    return 0


def _visits(ini: str, number: int) -> None:
    """Save sessions through the backend, as requests of the last hours and minutes would have.

    Carts of all sizes; who came more than the time-out and Beaker's grace ago has expired.
    """
    from beaker.util import JsonSerializer

    from beaker_dynamodb import DynamoDBNamespaceManager
    from beaker_dynamodb.ops.application import load_application
    from beaker_dynamodb.runtime import Runtime

    read, dice, now = load_application(ini), random.Random(1), time.time()  # noqa: S311  # no secret
    given = {name: read.settings[name] for name in ("table", "region", "endpoint_url", "prefix")}
    for user in range(number):
        came = now - dice.expovariate(1 / 1500)

        class Then(DynamoDBNamespaceManager):
            runtime = Runtime(clock=lambda came=came: came)

        values = {
            "_creation_time": came - dice.expovariate(1 / 20_000),
            "_accessed_time": came,
            "userId": str(user),
            "cart": dice.randbytes(int(dice.lognormvariate(6.5, 1))).hex(),
        }
        text = base64.b64encode(JsonSerializer().dumps(values)).decode()
        then = Then(
            f"{dice.getrandbits(128):032x}",
            timeout=3720,
            digest_filenames=False,
            special_keys="userId:S",
            **given,
        )
        then["session"] = text


def _run(command: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it printed, colors too."""
    import click

    from beaker_dynamodb.ops import cli

    click.utils.should_strip_ansi = lambda *_: False  # type: ignore[attr-defined]
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = cli.run(command.split())
    return code, printed.getvalue()


def _draw_terminal(screen: Screen, printed: str, port: int) -> str:
    """Draw a terminal with the command and what it printed."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), f"beaker-dynamodb {screen.command}"))
    console.print(Text.from_ansi(printed.replace(f":{port}", ":8000")))
    svg = console.export_svg(title="beaker-dynamodb", unique_id=screen.command.partition(" ")[0])
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no font from elsewhere
    title = f"<title>{screen.command}</title><desc>{screen.shows}.</desc>"
    return re.sub(r"(<svg [^>]*>)", rf"\1{title}", svg, count=1)


if __name__ == "__main__":
    sys.exit(main())
