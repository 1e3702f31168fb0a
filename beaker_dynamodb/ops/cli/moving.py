"""The command `import`: move sessions of another backend into the table.

Skipped sessions are counted by reason; those whose users will be logged out are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import click

from beaker_dynamodb.config import parsers
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError
from beaker_dynamodb.migration.bulk import LOST, Moved, Skipped, transfer
from beaker_dynamodb.migration.readers import TYPES, origin
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import pairs, with_output, with_table
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import NO, example

_MOVED = "moved"


@click.command(
    "import",
    epilog=example(
        "import -c app.ini --from file --from-option data_dir=/var/app --dry-run",
        "import -c app.ini --from ext:redis --from-option url=redis://cache/0",
    ),
)
@click.option("--from", "kind", required=True, type=click.Choice([*TYPES]), help="The old backend.")
@click.option(
    "--from-option",
    "former",
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="An option of the old backend, as in its ini file: url=redis://... Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Read both backends, and write nothing.")
@with_table
@with_output
def import_(
    kind: str, former: Mapping[str, str], application: Application, output: Output, *, dry_run: bool
) -> int:
    """Move the live sessions of another backend into the table.

    Ids and expiry stay the same, and no existing row is overwritten: it can run while the
    application runs, and again until nothing is left to move. The application's session.timeout
    is read from -c, or given as -o timeout=3600. The exit code is 1 if a session could not be
    read or is too large.
    """
    if application.kind != "session":
        raise OptionError("only sessions can be imported; a cache fills itself again")
    timeout = _timeout(application)
    source = origin(kind, former, timeout)
    counts = Counter[str]()
    what = f"sessions out of {kind}" + (" (dry run)" if dry_run else "")
    done = transfer(source, application.options, timeout=timeout, dry_run=dry_run)
    with output.progress(what, source.count()) as move:
        try:
            for one in done:
                counts[_MOVED if isinstance(one, Moved) else one.why] += 1
                move(1)
                if isinstance(one, Skipped) and one.why in LOST:
                    more = f": {one.detail}" if one.detail else ""
                    output.remark(f"session {one.session}: {one.why}{more}")
        except (KeyboardInterrupt, DynamoDBBackendError):
            far = f"stopped after {counts.total():,} sessions, {counts[_MOVED]:,} of them moved"
            output.remark(f"{far}; run it again to continue")
            raise
    skipped = {why: number for why, number in sorted(counts.items()) if why != _MOVED}
    result = {"dry_run": dry_run, _MOVED: counts[_MOVED], "skipped": skipped}
    output.answer(result, _lines(counts[_MOVED], skipped, dry_run=dry_run))
    return NO if LOST & skipped.keys() else 0


def _lines(moved: int, skipped: Mapping[str, int], *, dry_run: bool) -> Iterator[str]:
    yield f"{moved:,} would be moved" if dry_run else f"{moved:,} moved"
    for why, number in skipped.items():
        yield f"{number:,} skipped: {why}"


def _timeout(application: Application) -> float | None:
    """Read Beaker's own time-out, in seconds."""
    given = application.settings.get("timeout")
    try:
        return None if given in {None, ""} else parsers.some_seconds(given)
    except parsers.BadValue as error:
        wrong = f"Beaker's option 'timeout' is {given!r}; expected {error}"
    raise OptionError(wrong)


COMMANDS = (import_,)
