"""The commands that delete many rows: `sessions revoke` and `sessions purge`.

A revoke asks first, on a terminal, and before it logs everybody out it asks for the table's name. A
script must give --yes. What reads the whole table prints its cost before it starts, and its
progress if it is interrupted.
"""

from __future__ import annotations

import dataclasses
import sys

import click
from click.core import ParameterSource

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import identity, logout, purge, sessions
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import RATE, SEGMENTS, confirm_deletion, with_table
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.frame import NO, example
from beaker_dynamodb.ops.cli.sessions import SCAN, YES, open_rows, print_sessions, sessions_group
from beaker_dynamodb.ops.parallel import Tally
from beaker_dynamodb.runtime import REAL


@sessions_group.command(
    epilog=example(
        "sessions revoke userId=42 --yes -c production.ini",
        "sessions revoke --all --rate 500 -c production.ini",
    )
)
@click.argument("query", metavar="[NAME=VALUE]", required=False)
@with_table
@SCAN
@click.option("--all", "is_all", is_flag=True, help="Log everybody out: every session.")
@YES
@click.option(
    "--except", "kept", multiple=True, metavar="ID", help="Do not delete this session. Repeatable."
)
@RATE
@SEGMENTS
@click.pass_context
def revoke(  # noqa: PLR0913  # one argument an option
    context: click.Context,
    query: str | None,
    application: Application,
    output: Output,
    *,
    scan: bool,
    is_all: bool,
    yes: bool,
    kept: tuple[str, ...],
    rate: float | None,
    segments: int,
) -> int:
    """Log a user out everywhere, or everybody with --all.

    It deletes every live session whose special key has the value. An index is updated with a delay
    of about a second, so it is queried again until it shows none; a login after that is not
    revoked. On a terminal it prints how many there are and asks; a script must give --yes. The
    exit code is 1 if there was none, or the answer was no.

    --all asks for the table's name, and reads the table once. If interrupted, it can be run
    again. A session that begins meanwhile, or gets a new id, may remain: option created_after ends
    it. The exit code is 0 even if there was none. --rate and --segments are for --all.
    """
    _validate_revoke(context, query, scan=scan, is_all=is_all)
    if not yes and not sys.stdin.isatty():
        raise OptionError("revoke may log many out: without a terminal it requires --yes")
    rows, now = open_rows(application, segments), REAL.clock()
    keep = _find_kept(rows, kept, application.secret)
    if query is None:
        return _revoke_all(rows, now, output, yes=yes, rate=rate, segments=segments, keep=keep)
    if not yes:
        found = sessions.find_sessions(rows, query, now, scan=scan)
        kept_ids = {identity.format_id(key, rows.layout) for key in keep}
        if not _confirm(output, query, sum(one.id not in kept_ids for one in found)):
            return NO
    revoked = logout.revoke(rows, query, now, scan=scan, keep=keep)
    gone = print_sessions(output, revoked, now, is_revoke=True)
    output.remark(f"{gone:,} revoked" if gone else wording.not_found_message(query))
    return 0 if gone else NO


def _confirm(output: Output, query: str, number: int) -> bool:
    """Ask whether to log so many sessions out; say so if there is none or the answer is no."""
    if not number:
        output.remark(wording.not_found_message(query))
        return False
    if not click.confirm(f"Log {wording.format_count(number, 'session')} out?", err=True):
        output.refuse("nothing was revoked")
        return False
    return True


def _validate_revoke(
    context: click.Context, query: str | None, *, scan: bool, is_all: bool
) -> None:
    """Check that either a special key or all sessions are named, and only their options given.

    Raises: UsageError.
    """
    if (query is None) != is_all:
        raise click.UsageError("give either NAME=VALUE or --all", context)
    if is_all and scan:
        raise click.UsageError("--scan is for NAME=VALUE; --all always reads the table", context)
    for name in () if is_all else ("rate", "segments"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is for --all", context)


def _revoke_all(  # noqa: PLR0913  # one argument an option
    rows: Rows,
    now: float,
    output: Output,
    *,
    yes: bool,
    rate: float | None,
    segments: int,
    keep: frozenset[Key],
) -> int:
    table, cost = purge.estimate_scan_cost(rows, consistent=True)
    output.remark(wording.scan_message(table.rows, cost))
    if not yes and not confirm_deletion(output, "session", rows.options.table):
        return NO
    tally = Tally(logout.RevokeProgress())
    revoking = logout.revoke_all(rows, now, segments=segments, rate=rate, keep=keep, tally=tally)
    output.follow(table.rows, revoking, lambda: _format_revoked(tally.progress))
    done = tally.progress
    result = dataclasses.asdict(done) | {"dollars": done.cost.dollars}
    output.answer(result, [_format_revoked(done)])
    output.remark(wording.survivors_message(REAL.clock(), rows.options.migrate_from))
    return 0


def _format_revoked(progress: logout.RevokeProgress) -> str:
    busy = wording.format_count(progress.busy_sessions, "session")
    busy = f", {busy} written too fast to be deleted" if progress.busy_sessions else ""
    others = wording.format_other_rows(progress.other_rows, ", {} not touched")
    revoked = f"{wording.format_count(progress.revoked_sessions, 'session')} revoked"
    return f"{revoked}{busy}{others}; {wording.format_cost(progress.cost)}"


def _find_kept(rows: Rows, words: tuple[str, ...], secret: str | None) -> frozenset[Key]:
    """Return the keys of the sessions of --except. A mistyped id is an error."""
    found = [logout.find_row(rows, word, secret) for word in words]
    if any(row is None or not row.is_own for row in found):
        raise OptionError("a session of --except does not exist; nothing was revoked")
    return frozenset(row.key for row in found if row is not None)


@sessions_group.command("purge", epilog=example("sessions purge --dry-run -c production.ini"))
@with_table
@SEGMENTS
@RATE
@click.option("--dry-run", is_flag=True, help="Delete nothing; print what it would cost.")
def purge_(
    application: Application, output: Output, *, segments: int, rate: float | None, dry_run: bool
) -> int:
    """Delete expired rows: sessions, chunks, locks, markers.

    DynamoDB's TTL does the same within days, free of charge; a purge is for tables without TTL,
    and if you cannot wait. It deletes no session that is touched meanwhile, no row of another
    prefix, and no row of another store under the same prefix. A dry run reads the table too. If
    interrupted, it can be run again.
    """
    rows, tally = open_rows(application, segments), Tally(purge.Progress())
    table, cost = purge.estimate_scan_cost(rows)
    output.remark(wording.scan_message(table.rows, cost))
    purging = purge.purge(
        rows, REAL.clock(), segments=segments, rate=rate, dry_run=dry_run, tally=tally
    )
    output.follow(table.rows, purging, lambda: _format_purged(tally.progress, dry_run=dry_run))
    done = tally.progress
    result = dataclasses.asdict(done) | {"dollars": done.cost.dollars, "dry_run": dry_run}
    output.answer(result, [_format_purged(done, dry_run=dry_run)])
    return 0


def _format_purged(progress: purge.Progress, *, dry_run: bool) -> str:
    others = wording.format_other_rows(progress.other_rows, ", {} not touched")
    if dry_run:
        rows = wording.format_count(progress.expired_rows, "row")
        size, cost = wording.format_size(progress.size), wording.format_cost(progress.cost)
        return f"{rows} would be deleted ({size}){others}; including this scan, {cost}"
    kept = (
        f", {progress.changed_rows:,} written meanwhile and kept" if progress.changed_rows else ""
    )
    deleted = f"{wording.format_count(progress.deleted_rows, 'row')} deleted{kept}{others}"
    return f"{deleted}; {wording.format_cost(progress.cost)}"
