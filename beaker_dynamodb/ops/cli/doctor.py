"""The command that looks everything over.

Findings are printed as they are found, each with its remedy below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import click

from beaker_dynamodb.ops.cli.arguments import with_output, with_words
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import example
from beaker_dynamodb.ops.cli.wording import escape, format_count
from beaker_dynamodb.ops.doctor.examine import examine, exit_code
from beaker_dynamodb.ops.doctor.finding import Finding

_COLORS: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}
_MARGIN: Final = 9


@click.command(epilog=example("doctor -c production.ini", "doctor -c production.ini --read-only"))
@with_words
@click.option(
    "--read-only",
    is_flag=True,
    help="Write nothing: no row, and no look into an old store that makes files.",
)
@with_output
def doctor(
    output: Output,
    *,
    config: str | None,
    given: Mapping[str, str],
    cache: str | None,
    read_only: bool,
) -> int:
    """Look over the store: options, credentials, clock, table, rights, a row's round trip.

    Run it as the application, on its machine and under its role. Each finding is ok, a note, a
    warning or an error, with its remedy; of wrong options it names all. It creates no table, and
    changes no row but one of its own. Exit 1 if there is an error (a warning is none), 3 if the
    store cannot be reached. A file's caches are looked at one by one, with --cache.
    """
    seen: list[Finding] = []

    def kept() -> Iterator[Finding]:
        for finding in examine(config, given=given, cache=cache, read_only=read_only):
            seen.append(finding)
            yield finding

    output.stream(kept(), _line)
    count = Counter(finding.severity for finding in seen)
    told = (format_count(count[word], word) for word in ("error", "warning", "note"))
    output.remark(f"{', '.join(told)}, {count['ok']} ok")
    return exit_code(iter(seen))


def _line(finding: Finding) -> str:
    severity = click.style(f"{finding.severity:<{_MARGIN}}", fg=_COLORS[finding.severity])
    # Names and values of an ini file are in it, and whatever they hold must not be a command.
    said = f"{severity}{click.style(finding.check, bold=True)}: {escape(finding.message)}"
    if not finding.remedy:
        return said
    arrow = "->".rjust(_MARGIN - 1)
    return f"{said}\n{arrow} {escape(finding.remedy)}"


COMMANDS = (doctor,)
