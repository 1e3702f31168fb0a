"""The commands on sessions that read the whole table: purge and stats.

A purge prints its cost before it starts, and its progress if it is interrupted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import click

from beaker_dynamodb.ops import purge, stats
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.cli.arguments import RATE, SEGMENTS, with_table
from beaker_dynamodb.ops.cli.drawing import Output, draw_bar, get_width
from beaker_dynamodb.ops.cli.frame import example
from beaker_dynamodb.ops.cli.sessions import open_rows, sessions_group
from beaker_dynamodb.ops.parallel import Tally
from beaker_dynamodb.runtime import REAL

#: Columns of a bar, of its label and its count, and of the spaces around these.
_BAR, _LABEL, _COUNT, _SPACES = 40, 10, 9, 5


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
    output.draw(found, _draw(found, get_width()))
    if found.live and not output.as_json:
        output.remark(wording.EXPIRES_LATER)
    return 0


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
        yield from _histogram(title, each, width)


def _histogram(title: str, bars: tuple[stats.Bar, ...], width: int | None) -> Iterator[str]:
    """Draw bars, the longest at full width; empty ones at both ends are omitted.

    Args: *width* is that of a terminal, where the bars are shorter if need be, or None.
    """
    longest = max(one.count for one in bars) or 1
    filled = [number for number, one in enumerate(bars) if one.count] or [0]
    digits = max(_COUNT, len(f"{longest:,}"))
    room = _BAR if width is None else max(1, min(_BAR, width - _LABEL - digits - _SPACES))
    yield click.style(title, italic=True)
    for one in bars[filled[0] : filled[-1] + 1]:
        length = -(-one.count * room // longest)  # rounded up: a bar is never empty
        yield f" {one.label:<{_LABEL}}  {one.count:>{digits},}  {draw_bar(length)}".rstrip()
