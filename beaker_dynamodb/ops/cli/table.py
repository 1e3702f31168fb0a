"""The commands on the table itself: make it, show it, compare it, delete it.

A difference between the table that is and the one that ought to be is an answer, not an error.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import click
from rich.table import Table
from rich.text import Text

from beaker_dynamodb.errors import OptionError, say_table_missing
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import patient, with_output, with_table
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.features import with_features, with_range_key
from beaker_dynamodb.ops.cli.frame import NO, example
from beaker_dynamodb.ops.cli.wording import counted, escaped
from beaker_dynamodb.provisioning import tables
from beaker_dynamodb.provisioning.description import (
    Description,
    encrypted_by,
    in_a_word,
    limited_to,
    paid_for,
)
from beaker_dynamodb.provisioning.diff import Difference
from beaker_dynamodb.provisioning.features import Features

_COLORS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@click.group(epilog=example("table check -c production.ini"))
def table() -> None:
    """Make, show, check or delete the table."""


COMMANDS = (table,)


@table.command(
    epilog=example(
        "table create -c production.ini --deletion-protection --tag team=web",
        "table create -o table=sessions -o special_keys=userId:S",
    )
)
@with_range_key
@with_table
@with_features
@with_output
def create(application: Application, features: Features, output: Output) -> int:
    """Create the table, or bring what it lacks to one that exists.

    It may be run at every deploy. Waits until the table is active, switches its TTL on, adds a
    sparse index for each special key, one at a time, and applies what the options below ask
    for. What cannot be changed on a table that exists, its keys above all, is printed as a
    difference, and the exit code is 1.
    """
    options = patient(application).options
    with output.waiting(f"table {options.table}: until it is active") as status:
        made = tables.create(options, features, status.update)
    for step in made.steps:
        output.remark(str(step))
    told = {
        **dataclasses.asdict(made.table),
        "steps": [dataclasses.asdict(step) for step in made.steps],
        "differences": [dataclasses.asdict(one) for one in made.differences],
    }
    done = "created" if made.table.created else "exists"
    lines = (*_lines(made.table, done), *map(str, made.differences))
    output.answer(told, lines)
    return 0 if made.holds else NO


@table.command(epilog=example("table show -c production.ini --json"))
@with_table
@with_output
def show(application: Application, output: Output) -> int:
    """Show all that is known of the table; exit 1 if there is none.

    The rows and bytes are AWS's own figures, up to six hours old.
    """
    with output.waiting(f"table {application.options.table}"):
        found = tables.show(patient(application).options)
    if found is None:
        output.refuse(None, _missing(application))
        return NO
    output.answer(dataclasses.asdict(found), (*_lines(found, "exists"), *_more(found)))
    return 0


@table.command(epilog=example("table check -c production.ini --deletion-protection"))
@with_range_key
@with_table
@with_features
@with_output
def check(application: Application, features: Features, output: Output) -> int:
    """Compare the table with what the options ask for; exit 1 if it differs.

    A note alone (another way to pay for it) is not a no. Nothing is changed.
    """
    with output.waiting(f"table {application.options.table}"):
        asked = patient(application).options
        found = tables.check(asked, features, creates=application.creates(features))
    told = {
        "table": application.options.table,
        "holds": found.holds,
        "differences": [dataclasses.asdict(one) for one in found.differences],
    }
    if not found.differences:
        output.answer(told, [f"table {application.options.table!r} is as the options ask"])
    else:
        output.draw(told, _drawn(application.options.table, found.differences))
    return 0 if found.holds else NO


@table.command(epilog=example("table delete -o table=test-sessions --yes"))
@with_table
@click.option("--yes", is_flag=True, help="Do not ask for the table's name again.")
@with_output
def delete(application: Application, yes: bool, output: Output) -> int:  # noqa: FBT001  # click's
    """Delete the table with every session in it.

    Asks for its name again. Refuses while deletion protection is on; exit 1 if there is none.
    """
    name = application.options.table
    asked = f"Every row of table {name!r} will be gone. Its name again"
    if not yes and _typed(asked) != name:
        output.refuse_nothing("that is not its name; nothing was deleted")
        return NO
    with output.waiting(f"table {name}: until it is gone") as status:
        unlocks = application.creates(tables.UNLOCKED)
        ended = tables.delete(patient(application).options, status.update, unlocks=unlocks)
    if not ended.done:
        output.refuse(dataclasses.asdict(ended), ended.sentence)
        return NO
    output.answer(dataclasses.asdict(ended), [ended.sentence])
    return 0


def _typed(asked: str) -> str:
    """Ask for a name. Where nobody can answer, that is a wrong call and no interruption."""
    try:
        return str(click.prompt(asked, err=True))
    except click.Abort:
        if sys.stdin.isatty():
            raise
    click.echo(err=True)  # the question stands on the line
    raise OptionError("the table's name was not given: say --yes where nobody can be asked")


def _missing(application: Application) -> str:
    return say_table_missing(application.options.table, application.creates())


def _lines(is_: Description, done: str) -> Iterator[str]:
    """Describe a table in lines for people."""
    account = f", account {is_.account}" if is_.account else ""
    yield f"{done}: table {is_.table!r}, region {is_.region}{account} ({is_.status})"
    yield f"  keys      {is_.schema()}"
    yield f"  TTL       {is_.expiry}"
    yield f"  capacity  {paid_for(is_.capacity)}"
    for index in is_.indexes:
        built = ", being built" if index.name in is_.building else ""
        yield f"  index     {index.name!r} of {index.attribute!r} ({index.projection}{built})"


def _more(is_: Description) -> Iterator[str]:
    """Describe what `table create` has no need to say."""
    yield f"  ceiling   {limited_to(is_.ceilings)}"
    yield f"  holds     {counted(is_.rows, 'row')}, {is_.size:,} bytes (up to six hours ago)"
    yield f"  deletion  protection {in_a_word(is_.protection)}"
    yield f"  backups   point-in-time recovery {in_a_word(is_.recovery)}"
    yield f"  at rest   encrypted {encrypted_by(is_.key)}"
    tags = "unknown" if is_.tags is None else ", ".join(f"{n}={v}" for n, v in is_.tags) or "none"
    yield f"  tags      {tags}"


def _drawn(name: str, found: tuple[Difference, ...]) -> Table:
    drawn = Table(title=f"table {name!r}", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "matter", "is", "ought to be"):
        drawn.add_column(heading, overflow="fold")
    for one in found:
        severity = Text(one.severity, style=_COLORS[one.severity])
        drawn.add_row(severity, *map(escaped, (one.matter, one.is_, one.ought)))
    return drawn
