"""The command that looks everything over.

Findings are printed as they are found, each with its remedy below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import click

from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.checks.finding import Finding
from beaker_dynamodb.ops.cli.arguments import with_application, with_output
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import example
from beaker_dynamodb.ops.doctor import examine, exit_code

_COLORS: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}
_MARGIN: Final = 9


@click.command(epilog=example("doctor -c production.ini", "doctor -c production.ini --read-only"))
@with_application
@click.option("--read-only", is_flag=True, help="Leave out the row that is written and deleted.")
@with_output
def doctor(application: Application, read_only: bool, output: Output) -> int:  # noqa: FBT001  # click's
    """Look over the store: options, credentials, clock, table, rights, a row's round trip.

    Run it as the application, on its machine and under its role. Each finding is ok, a note, a
    warning or an error, with its remedy. It creates no table, and changes no row but one of its
    own. Exit 1 if there is an error (a warning is none), 3 if the store cannot be reached.
    """
    seen: list[Finding] = []

    def kept() -> Iterator[Finding]:
        for finding in examine(application, read_only=read_only):
            seen.append(finding)
            yield finding

    output.stream(kept(), _line)
    count = Counter(finding.severity for finding in seen)
    told = (_counted(count[word], word) for word in ("error", "warning", "note"))
    output.remark(f"{', '.join(told)}, {count['ok']} ok")
    return exit_code(iter(seen))


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _line(finding: Finding) -> str:
    severity = click.style(f"{finding.severity:<{_MARGIN}}", fg=_COLORS[finding.severity])
    said = f"{severity}{click.style(finding.matter, bold=True)}: {finding.said}"
    if not finding.remedy:
        return said
    arrow = "->".rjust(_MARGIN - 1)
    return f"{said}\n{arrow} {finding.remedy}"


COMMANDS = (doctor,)
