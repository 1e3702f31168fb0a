"""The command `doctor`.

Findings are printed as they are found, each with its remedy below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import click

from beaker_dynamodb.config import sources
from beaker_dynamodb.ops.cli.arguments import silence, with_output, with_selection
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import cli, example
from beaker_dynamodb.ops.cli.wording import escape, format_count
from beaker_dynamodb.ops.doctor.check import Finding, exit_code
from beaker_dynamodb.ops.doctor.examine import examine

_COLORS: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}
_MARGIN: Final = 9


@cli.command(epilog=example("doctor -c production.ini", "doctor -c production.ini --read-only"))
@with_selection
@click.option(
    "--read-only",
    is_flag=True,
    help="Write nothing: no row, and no file in the old backend.",
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
    """Check options, credentials, table and permissions.

    It also checks the clock, and writes and reads a row. Run it as the application, on its machine
    and under its role. Each finding is ok, a note, a warning or an error; every invalid option is
    named. A remedy can be pasted as it is. One that logs people out says so, and is not printed
    while migrate_from is set. It creates no table, and changes no row but one of its own. Exit 1 if
    there is an error (warnings do not count), 3 if the store cannot be reached. The caches of a
    file are checked one region at a time, with --cache.
    """
    findings: list[Finding] = []
    with silence(sources.log):  # what it would log of ignored options is among the findings
        for finding in examine(config, given=given, cache=cache, read_only=read_only):
            findings.append(finding)
            output.stream(finding, _format)
    count = Counter(finding.severity for finding in findings)
    result = (format_count(count[word], word) for word in ("error", "warning", "note"))
    output.remark(f"{', '.join(result)}, {count['ok']} ok")
    return exit_code(findings)


def _format(finding: Finding) -> str:
    severity = click.style(f"{finding.severity:<{_MARGIN}}", fg=_COLORS[finding.severity])
    # Names and values of an ini file must not control the terminal.
    text = f"{severity}{click.style(finding.check, bold=True)}: {escape(finding.message)}"
    lines = [f"{'->':>{_MARGIN - 1}} {escape(line)}" for line in finding.remedy.splitlines()]
    if finding.logs_out:
        lines.append(f"{'':{_MARGIN}}(this logs out {escape(finding.logs_out)})")
    return "\n".join((text, *lines))
