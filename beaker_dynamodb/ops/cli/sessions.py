"""The commands on sessions: list, count, show, find, export, delete, stats.

Delete asks first, on a terminal. The commands that delete many are in `sweeps.py`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError
from beaker_dynamodb.ops import inspection, logout, sessions, stats
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import SEGMENTS, hide_cache, with_table
from beaker_dynamodb.ops.cli.drawing import Output, draw_bar, echo, get_width
from beaker_dynamodb.ops.cli.frame import NO, cli, example
from beaker_dynamodb.provisioning.provision import measure
from beaker_dynamodb.runtime import REAL

YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
SCAN = click.option(
    "--scan", is_flag=True, help="Read the whole table, for a special key without an index."
)

#: Columns of a bar, of its label and its count, and of the spaces around these.
_BAR, _LABEL, _COUNT, _SPACES = 40, 10, 9, 5


class _Sessions(click.Group):
    """A group of commands that work on sessions, and not on caches."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, without --cache in its help."""
        hide_cache(cmd)
        super().add_command(cmd, name)


@cli.group(
    "sessions",
    cls=_Sessions,
    epilog=example("sessions count -c production.ini", "sessions revoke userId=42 -c my.ini"),
)
def sessions_group() -> None:
    """Manage sessions: list, count, show, find, log out, purge.

    ID is a cookie's value (signed or not), a session's id, or its row's hash key. The secret of
    signed cookies comes from the ini file (-c), or -o secret=...; without it the signature is
    not checked.
    """


def open_rows(application: Application, connections: int = 1) -> Rows:
    """Return access to the application's sessions."""
    if application.kind != "session":
        raise OptionError("this command works on sessions only; remove --cache")
    return sessions.open_rows(application.options, connections=connections)


@sessions_group.command("list", epilog=example("sessions list --limit 20 -c production.ini"))
@with_table
@click.option(
    "--expired", is_flag=True, help="List expired sessions too, as far as they still exist."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N sessions.")
@SEGMENTS
def list_(
    application: Application, output: Output, *, expired: bool, limit: int | None, segments: int
) -> int:
    """List live sessions with expiry, age and special keys.

    A row expires 120 seconds after its session, because Beaker adds them to session.timeout. The
    age counts from the session's start, which is stored beside it, so that nothing is opened.
    --json prints one object a line, with the sizes and all else that is known. It reads the table
    by an eventually consistent scan, and no further than --limit requires. Rows of another store
    are omitted, and counted on stderr. The exit code is 0 even if the list is empty.
    """
    rows, now, others = open_rows(application, segments), REAL.clock(), list[int]()
    found = sessions.list_sessions(
        rows, now, with_expired=expired, limit=limit, segments=segments, on_other_rows=others.append
    )
    with _bar(rows, output, limit) as advance:
        if not print_sessions(output, _advance(found, advance), now):
            output.remark("there are no sessions")
    if sum(others):
        output.remark(wording.format_other_rows(sum(others), "{} left out"))
    return 0


@sessions_group.command(epilog=example("sessions count -c production.ini"))
@with_table
@SEGMENTS
def count(application: Application, output: Output, *, segments: int) -> int:
    """Count live sessions, and expired ones that still exist.

    It reads the whole table once, eventually consistent. Rows of another store under the same
    prefix are counted separately.
    """
    rows = open_rows(application, segments)
    counting = sessions.count_sessions(rows, REAL.clock(), segments=segments)
    total = output.follow(_rows_expected(rows, output), counting)
    others = wording.format_other_rows(total.other_rows, ", {}")
    output.answer(total, [f"{total.live:,} live, {total.expired:,} expired{others}"])
    return 0


@sessions_group.command(epilog=example("sessions show 8c1f0e5d2b7a49c3a1f4d6e8b9075c21 -c my.ini"))
@click.argument("ident", metavar="ID")
@with_table
@click.option("--unpickle", is_flag=True, help="Open pickles. This can run code that is in them.")
def show(ident: str, application: Application, output: Output, *, unpickle: bool) -> int:
    """Show one session: its row, its encoding, its values.

    Large and encrypted sessions are opened too. A row that cannot be read is described. The exit
    code is 1 if there is no such session, it has expired, or it belongs to another store.
    """
    rows, now = open_rows(application), REAL.clock()
    row = _find_row(rows, ident, application, output)
    if row is None:
        return NO
    found = inspection.inspect_session(rows, row, now, unpickle=unpickle)
    output.answer(found, wording.describe_inspection(found, now))
    _explain_expiry(output, found.session)
    return 0 if row.is_live(now) else NO


@sessions_group.command(epilog=example("sessions find userId=42 -c production.ini"))
@click.argument("query", metavar="NAME=VALUE")
@with_table
@SCAN
def find(query: str, application: Application, output: Output, *, scan: bool) -> int:
    """Find live sessions by a special key.

    What was written within the last second may be missing, because an index is updated with that
    delay. A value of type B is given in base64. The exit code is 1 if there is none.
    """
    rows, now = open_rows(application), REAL.clock()
    if print_sessions(output, sessions.find_sessions(rows, query, now, scan=scan), now):
        return 0
    output.remark(wording.not_found_message(query))
    return NO


@sessions_group.command(epilog=example("sessions export userId=42 -c my.ini > 42.jsonl"))
@click.argument("query", metavar="NAME=VALUE")
@with_table
@SCAN
def export(query: str, application: Application, output: Output, *, scan: bool) -> int:
    """Print a user's live sessions as JSON, with their values.

    Each session is one line. No code of a session is run. Of a pickle the plain values are
    printed; a list, an object or any other nested value is "...". What cannot be opened is
    described. The exit code is 1 if there is no session.
    """
    rows, as_json = open_rows(application), dataclasses.replace(output, as_json=True)
    code = NO
    for session in inspection.export_sessions(rows, query, REAL.clock(), scan=scan):
        as_json.stream(session, str)
        code = 0
    if code == NO:
        output.remark(wording.not_found_message(query))
    return code


@sessions_group.command(
    epilog=example("sessions delete 8c1f0e5d2b7a49c3a1f4d6e8b9075c21 -c my.ini")
)
@click.argument("ident", metavar="ID")
@with_table
@YES
def delete(ident: str, application: Application, output: Output, *, yes: bool) -> int:
    """Log one session out, even if a request saves to it.

    It deletes the session's row. On a terminal it shows the session and asks. The exit code is 1
    if there is no such session, or the answer was no. A row of another store is not deleted.
    """
    rows, now = open_rows(application), REAL.clock()
    row = _find_row(rows, ident, application, output)
    if row is None:
        return NO
    if not yes and sys.stdin.isatty():
        echo(wording.describe_session(sessions.describe_row(rows, row, now), now), err=True)
        if not click.confirm("Log it out?", err=True):
            output.refuse("nothing was deleted")
            return NO
    session = logout.delete(rows, row, now)
    line = f"deleted  {wording.describe_session(session, now)}"
    output.answer(session, [line])
    return 0


@sessions_group.command("stats", epilog=example("sessions stats --sample 10000 -c production.ini"))
@with_table
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Read N random rows.")
@SEGMENTS
def stats_(application: Application, output: Output, *, sample: int | None, segments: int) -> int:
    """Show ages, sizes, expiries and the price of storage.

    The age counts from the session's start, which is stored beside it, so that nothing is opened.
    It reads the whole table once, or N rows of it. Rows of another store are counted separately.
    """
    rows = open_rows(application, segments)
    expected = measure(rows.table).rows
    reading = stats.stats(rows, REAL.clock(), sample=sample, segments=segments)
    found = output.follow(min(expected, sample or expected), reading)
    output.draw(found, _draw(found, get_width()))
    if found.live and not output.as_json:
        output.remark(wording.EXPIRES_LATER)
    return 0


def _find_row(
    rows: Rows, ident: str, application: Application, output: Output
) -> ScannedRow | None:
    """Return a session's row; None, after a message, if it does not exist or is another store's."""
    row = logout.find_row(rows, ident, application.secret)
    if row is not None and row.is_own:
        return row
    # A row of another store may hold secrets, so none of it is shown.
    output.refuse(wording.NOT_FOUND if row is None else wording.OTHER_STORE)
    return None


def print_sessions(
    output: Output, found: Iterator[sessions.Session], now: float, *, is_revoke: bool = False
) -> int:
    """Print a heading and one row a session as it comes; return how many sessions.

    A revoke continues even if its lines can no longer be written (`| head`, a full disk): its
    task is to log all out, not to list them.

    Raises: OSError, if a line could not be written; what *found* raises.
    """
    number, width, last = 0, get_width(), None
    heading = wording.format_heading("REVOKED SESSION" if is_revoke else "SESSION")
    try:
        for number, last in enumerate(found, 1):
            if number == 1 and not output.as_json:
                output.stream(heading, str)
            output.stream(last, lambda session: wording.format_session(session, now, width))
    except (KeyboardInterrupt, DynamoDBBackendError) as error:
        if number or isinstance(error, KeyboardInterrupt):
            rest = "revoked; run it again to continue" if is_revoke else "shown; there may be more"
            output.remark(f"stopped after {wording.format_count(number, 'session')} {rest}")
        raise
    except OSError:
        if is_revoke:
            number += sum(1 for _ in found)
            output.remark(f"{number:,} revoked; not all of them could be printed")
        raise
    if last is not None and not is_revoke:
        _explain_expiry(output, last)
    return number


def _explain_expiry(output: Output, session: sessions.Session) -> None:
    """Print for people why an expiry that was printed is later than session.timeout."""
    if session.expires is not None and not output.as_json:
        output.remark(wording.EXPIRES_LATER)


def _rows_expected(rows: Rows, output: Output) -> float | None:
    """Return the table's row count if a progress bar needs it."""
    bar = not output.quiet and sys.stderr.isatty()
    return measure(rows.table).rows if bar else None


def _bar(rows: Rows, output: Output, limit: int | None) -> AbstractContextManager[Any]:
    """Show a progress bar, unless the results themselves are printed on the terminal."""
    if sys.stdout.isatty() and not output.quiet:
        return nullcontext(lambda _: None)
    return output.progress("sessions", limit or _rows_expected(rows, output))


def _advance(found: Iterator[sessions.Session], advance: Any) -> Iterator[sessions.Session]:
    for one in found:
        advance(1)
        yield one


def _draw(found: stats.Stats, width: int | None) -> Iterator[str]:
    sampled, price = "", "at an unknown price"
    if found.share != 1:
        part = "a part" if found.share is None else f"{found.share:.1%}"
        sampled = f" in a sample of {part} of the table"
    if found.dollars_per_month is not None:
        price = f"{wording.format_dollars(found.dollars_per_month)} a month"
    others = wording.format_other_rows(found.other_rows, "{}\n")
    yield (
        f"{wording.format_count(found.live, 'live session')}, {found.expired:,} expired,"
        f" {found.unreadable:,} unreadable{sampled}\n"
        f"{wording.format_count(found.rows, 'row')}, {wording.format_size(found.size)};"
        f" {wording.format_count(found.chunks, 'chunk')},"
        f" {wording.format_count(found.cache_values, 'cached value')},"
        f" {wording.format_count(found.locks, 'lock')},"
        f" {wording.format_count(found.markers, 'marker')},"
        f" {wording.format_count(found.tombstones, 'tombstone')}\n"
        f"{others}storage {price};"
        f" {found.read_units:,.1f} read units used\n"
    )
    bars = ("size of the row", found.sizes), ("row expires in", found.expiries), ("age", found.ages)
    for title, each in bars:
        if any(one.count for one in each):
            yield from _histogram(title, each, width)


def _histogram(title: str, bars: tuple[stats.Bar, ...], width: int | None) -> Iterator[str]:
    """Draw bars of which one has a count, the longest at full width; empty ends are omitted.

    Args: *width* is that of a terminal, where the bars are shorter if need be, or None.
    """
    longest = max(one.count for one in bars)
    filled = [number for number, one in enumerate(bars) if one.count]
    digits = max(_COUNT, len(f"{longest:,}"))
    room = _BAR if width is None else max(1, min(_BAR, width - _LABEL - digits - _SPACES))
    yield click.style(title, italic=True)
    for one in bars[filled[0] : filled[-1] + 1]:
        length = -(-one.count * room // longest)  # rounded up: a bar is never empty
        yield f" {one.label:<{_LABEL}}  {one.count:>{digits},}  {draw_bar(length)}".rstrip()
