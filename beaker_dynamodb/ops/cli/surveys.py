"""The commands on sessions that read the whole table: purge and stats.

A purge prints its cost before it starts, and its progress if it is interrupted.
"""

from __future__ import annotations

import dataclasses

import click
from rich.table import Table
from rich.text import Text

from beaker_dynamodb.ops import purge, stats
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import RATE, SEGMENTS, with_table
from beaker_dynamodb.ops.cli.drawing import Output, draw_bar
from beaker_dynamodb.ops.cli.frame import example
from beaker_dynamodb.ops.cli.sessions import open_rows, sessions_group
from beaker_dynamodb.ops.parallel import Tally
from beaker_dynamodb.runtime import REAL

_WIDTH = 40
_LABEL = 10
_COUNT = 9


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
    output.follow(table.rows, purging, lambda: _format(tally.progress, dry_run=dry_run))
    done = tally.progress
    result = dataclasses.asdict(done) | {"dollars": done.cost.dollars, "dry_run": dry_run}
    output.answer(result, [_format(done, dry_run=dry_run)])
    return 0


def _format(progress: purge.Progress, *, dry_run: bool) -> str:
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
    expected = purge.estimate_scan_cost(rows)[0].rows
    reading = stats.stats(rows, REAL.clock(), sample=sample, segments=segments)
    found = output.follow(min(expected, sample or expected), reading)
    output.draw(found, *_draw(found))
    if found.live and not output.as_json:
        output.remark(wording.EXPIRES_LATER)
    return 0


def _draw(found: stats.Stats) -> tuple[Text | Table, ...]:
    sampled, price = "", "at an unknown price"
    if found.share != 1:
        part = "a part" if found.share is None else f"{found.share:.1%}"
        sampled = f" in a sample of {part} of the table"
    if found.dollars_per_month is not None:
        price = f"{wording.format_dollars(found.dollars_per_month)} a month"
    others = wording.format_other_rows(found.other_rows, "{}\n")
    words = (
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
    return Text(words), *(_histogram(title, each) for title, each in bars)


def _histogram(title: str, bars: tuple[stats.Bar, ...]) -> Table:
    """Draw bars, the longest at full width; empty ones at both ends are omitted."""
    longest = max(one.count for one in bars) or 1
    filled = [number for number, one in enumerate(bars) if one.count] or [0]
    drawing = Table(title=title, title_justify="left", show_header=False, box=None)
    drawing.add_column(min_width=_LABEL)  # so that all bars begin in one column
    drawing.add_column(min_width=_COUNT, justify="right")
    drawing.add_column(min_width=_WIDTH)
    for one in bars[filled[0] : filled[-1] + 1]:
        length = -(-one.count * _WIDTH // longest)  # rounded up: a bar is never empty
        drawing.add_row(one.label, f"{one.count:,}", draw_bar(length))
    return drawing
