"""The commands on the table itself: make it, show it, compare it, delete it.

A difference between the table that is and the one that ought to be is an answer, not an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import click

from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import patient, with_application, with_output
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import NO, example
from beaker_dynamodb.store import provision
from beaker_dynamodb.store.blueprint import blueprint
from beaker_dynamodb.store.client import door
from beaker_dynamodb.store.connection import Connection
from beaker_dynamodb.store.description import Description, Difference, differences, paid_for


@click.group(epilog=example("table create -o table=sessions"))
def table() -> None:
    """Make the table that sessions and caches live in."""


COMMANDS = (table,)


@table.command(epilog=example("table create -o table=sessions -o special_keys=userId:S"))
@with_application
@with_output
def create(application: Application, output: Output) -> int:
    """Create the table, wait until it is active, and switch its TTL on.

    What is there already is left as it is, so it may be run at every deploy. If the table differs
    from what the options ask for, the differences are printed and the exit code is 1.
    """
    ought = blueprint(application.options)
    way = door(Connection.of(patient(application).options))
    with output.waiting(f"table {ought.table}: until it is active"):
        is_ = provision.ensure(way, ought)
    found = differences(is_, ought)
    told = {**dataclasses.asdict(is_), "differences": [dataclasses.asdict(d) for d in found]}
    output.answer(told, _lines(is_, found))
    return NO if any(difference.severity != "note" for difference in found) else 0


def _lines(is_: Description, found: Sequence[Difference]) -> Iterator[str]:
    """Describe a table in lines for people."""
    done = "created" if is_.created else "exists"
    yield f"{done}: table {is_.table!r}, region {is_.region}, account {is_.account} ({is_.status})"
    yield f"  keys      {is_.schema()}"
    yield f"  TTL       {is_.expiry}"
    yield f"  capacity  {paid_for(is_.capacity)}"
    for index in is_.indexes:
        yield f"  index     {index.name!r} of {index.attribute!r} ({index.projection})"
    yield from map(str, found)
