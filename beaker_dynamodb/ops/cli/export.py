"""The command that exports a user's sessions.

It is in the group of `sessions.py`, and prints JSON with or without --json.
"""

from __future__ import annotations

import dataclasses

import click

from beaker_dynamodb.ops import export
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import with_output, with_table
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import NO, example
from beaker_dynamodb.ops.cli.sessions import open_rows, sessions_group
from beaker_dynamodb.runtime import REAL

#: Its command is in the group of `sessions.py`.
COMMANDS: tuple[click.Command, ...] = ()


@sessions_group.command("export", epilog=example("sessions export userId=42 -c my.ini > 42.jsonl"))
@click.argument("query", metavar="NAME=VALUE")
@with_table
@with_output
@click.option("--scan", is_flag=True, help="Read the whole table instead of an index.")
def export_(query: str, application: Application, output: Output, *, scan: bool) -> int:
    """Print a user's live sessions as JSON, with their values.

    Each session is one line. No code of a session is run. Of a pickle the plain values are
    printed; a list, an object or any other nested value is "...". What cannot be opened is
    described. The exit code is 1 if there is no session.
    """
    rows, now = open_rows(application), REAL.clock()
    found = export.export_sessions(rows, query, now, scan=scan)
    as_json = dataclasses.replace(output, as_json=True)
    if as_json.stream(map(wording.inspection_to_json, found), str):
        return 0
    output.remark(wording.not_found_message(query))
    return NO
