"""The command `import`, which imports sessions from another backend.

Outcomes are counted by reason. A session whose user would be logged out is named on stderr.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import click

from beaker_dynamodb.config import parsers
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, raise_clean
from beaker_dynamodb.migration.bulk import LOST, Imported, Skipped, import_sessions
from beaker_dynamodb.migration.readers import TYPES, create_reader
from beaker_dynamodb.migration.source import say_no_sessions
from beaker_dynamodb.migration.source_options import suggest_backend
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli.arguments import hide_cache, make_pairs_option, with_table
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import NO, cli, example

_IMPORTED = "imported"


class _Backend(click.Choice):  # type: ignore[type-arg]  # click 8.1 has no parameter there
    """A type of backend; one that is misspelled is answered by the right one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the type."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            hint = suggest_backend(str(value), TYPES)
            raise_clean(click.BadParameter(error.message.rstrip(".") + hint, ctx, param))


@cli.command(
    "import",
    epilog=example(
        "import -c app.ini --from file --from-option data_dir=/var/app --dry-run",
        "import -c app.ini --from ext:redis --from-option url=redis://cache/0",
    ),
)
@click.option(
    *("--from", "kind"),
    type=_Backend([*TYPES]),
    help="The old backend; without it, that of the application's option migrate_from.",
)
@make_pairs_option(
    *("--from-option", "source_options"),
    meaning="An option of the old backend, as in its ini file: url=redis://...",
)
@click.option("--dry-run", is_flag=True, help="Read both backends, and write nothing.")
@with_table
def import_(
    kind: str | None,
    source_options: Mapping[str, str],
    application: Application,
    output: Output,
    *,
    dry_run: bool,
) -> int:
    """Import another backend's live sessions into the table.

    Ids and expiry stay the same, and no existing row is overwritten. Run it while the application
    runs, and again until nothing is left to import. The application's session.timeout is read from
    -c, or given as -o timeout=3600. The exit code is 1 if a session cannot be read or is too large.
    """
    if application.kind != "session":
        raise OptionError("only sessions are imported; a cache fills itself again")
    timeout = _parse_timeout(application)
    kind, source_options = _choose_source(kind, source_options, application.options)
    reader = create_reader(kind, source_options, timeout)
    counts = Counter[str]()
    title = f"sessions from {kind}" + (" (dry run)" if dry_run else "")
    outcomes = import_sessions(reader, application.options, timeout=timeout, dry_run=dry_run)
    with output.progress(title, reader.count()) as advance:
        try:
            for outcome in outcomes:
                counts[_IMPORTED if isinstance(outcome, Imported) else outcome.reason] += 1
                advance(1)
                if isinstance(outcome, Skipped) and outcome.reason in LOST:
                    detail = f": {outcome.detail}" if outcome.detail else ""
                    output.remark(f"session {outcome.session}: {outcome.reason}{detail}")
        except (KeyboardInterrupt, DynamoDBBackendError) as error:
            if counts or isinstance(error, KeyboardInterrupt):
                output.remark(_format_stop(counts.total(), counts[_IMPORTED]))
            raise
    if not counts:
        output.remark(say_no_sessions(kind, source_options))
    skipped = {reason: count for reason, count in sorted(counts.items()) if reason != _IMPORTED}
    result = {"dry_run": dry_run, _IMPORTED: counts[_IMPORTED], "skipped": skipped}
    output.answer(result, _format_lines(counts[_IMPORTED], skipped, dry_run=dry_run))
    return NO if LOST & skipped.keys() else 0


hide_cache(import_)


def _choose_source(
    kind: str | None, source_options: Mapping[str, str], options: Options
) -> tuple[str, Mapping[str, str]]:
    """Return the old backend and its options: those of the command line, or of `migrate_from`."""
    if kind is not None:
        return kind, source_options
    if options.migrate_from is None:
        raise OptionError("--from is missing, and there is no option 'migrate_from' in its place")
    return options.migrate_from, {**dict(options.migrate_from_options), **source_options}


def _format_stop(total: int, imported: int) -> str:
    return (
        f"stopped after {total:,} sessions, {imported:,} of them imported; run it again to continue"
    )


def _format_lines(imported: int, skipped: Mapping[str, int], *, dry_run: bool) -> Iterator[str]:
    yield f"{imported:,} would be imported" if dry_run else f"{imported:,} imported"
    for reason, count in skipped.items():
        yield f"{count:,} skipped: {reason}"


def _parse_timeout(application: Application) -> float | None:
    """Return Beaker's own timeout, in seconds; None if it is not set."""
    given = application.settings.get("timeout")
    try:
        return None if given in {None, ""} else parsers.parse_positive_seconds(given)
    except parsers.BadValue as error:
        message = f"Beaker's option 'timeout' is {given!r}; expected {error}"
        raise_clean(OptionError(message))
