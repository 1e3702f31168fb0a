"""Count the rows of the table, with histograms of ages, sizes and expiries.

Every row of the table is read once, or those of a random sample of segments; memory does not grow
with the table. No session is unpickled: see `item/safe_load.py`.
"""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.ops import parallel, prices
from beaker_dynamodb.ops.sessions import describe_row
from beaker_dynamodb.provisioning.provision import measure

KB, HOUR, DAY = 1024, 3600, 86400
#: The upper bounds of each histogram's bars, in bytes and in seconds; the last bar has none.
SIZES: Final = (512, KB, 2 * KB, 4 * KB, 8 * KB, 16 * KB, 64 * KB, 400 * KB)
SPANS: Final = (HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY, 90 * DAY)
_SIZE_LABELS: Final = (
    "to 512 B,to 1 KB,to 2 KB,to 4 KB,to 8 KB,to 16 KB,to 64 KB,to 400 KB,in chunks".split(",")
)
_SPAN_LABELS: Final = (
    "to 1 hour,to 6 hours,to 1 day,to 3 days,to 7 days,to 30 days,to 90 days,more".split(",")
)
#: A sample is spread over about ten segments, or segments of at most so many rows; AWS allows a
#: million segments.
_SPREAD: Final = 10
_ROWS_OF_A_SEGMENT: Final = 100
_MAX_SEGMENTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of what was read so far.

    Args:
        share: the fraction of the table that was read; None if DynamoDB does not know how many
            rows there are, as in the first hours of a table.
        rows: our rows; `size` is their bytes.
        other_rows: rows of another store under the same prefix, which are in no other figure.
        live, expired: sessions; unreadable: those of them that cannot be opened.
        chunks, cache_values, locks: our other rows, also those of a cache with the same prefix.
        markers: rows for sessions that `import` has moved.
        tombstones: rows that replace sessions which have ended, or have another id now.
        sizes: of the rows of live sessions; expiries: time left; ages: time since creation.
        dollars_per_month: cost of the storage of the whole table; None if the share is.
    """

    scanned_rows: int
    read_units: float
    share: float | None
    rows: int
    size: int
    live: int
    expired: int
    unreadable: int
    chunks: int
    cache_values: int
    locks: int
    markers: int
    tombstones: int
    sizes: tuple[Bar, ...]
    expiries: tuple[Bar, ...]
    ages: tuple[Bar, ...]
    dollars_per_month: float | None
    other_rows: int = 0


def stats(
    rows: Rows,
    now: float,
    *,
    sample: int | None = None,
    segments: int = 1,
    generator: random.Random | None = None,
) -> Generator[Stats, None, None]:
    """Read the table, or *sample* rows of it, and yield the figures after each page.

    A sample consists of random segments, the last of which is cut where the sample is complete. Its
    share of the table is estimated from DynamoDB's own row count, which is up to six hours old.

    Args:
        now: epoch seconds.
        sample: how many rows are read at most.
        segments: the number of parts of the table that are read at once, without a sample.
        generator: draws the segments of a sample.

    Raises: what the client raises.
    """
    totals, query = _Totals(rows, now), ScanQuery("rows", whole=True)
    if sample is None:
        for page in parallel.scan_segments(rows.table, query, segments):
            totals.add(page)
            yield totals.stats(1)
        return
    expected = measure(rows.table).rows
    total, chosen = _draw_segments(expected, sample, generator or random.SystemRandom())
    for number, segment in enumerate(chosen):
        before = totals.count["scanned_rows"]
        if before >= sample:
            return
        for page in scan.scan(rows.table, query, (segment, total), max_rows=sample - before):
            totals.add(page)
            read = totals.count["scanned_rows"] - before
            yield totals.stats(_estimate_share(number, total, page, read, expected))


def _draw_segments(expected: int, sample: int, generator: random.Random) -> tuple[int, list[int]]:
    """Return into how many segments the table is divided, and random numbers of enough of them.

    Args: *expected* is the number of the table's rows, *sample* of those to be read.
    """
    rows_of_one = min(_ROWS_OF_A_SEGMENT, max(1, sample // _SPREAD))
    total = min(_MAX_SEGMENTS, max(1, expected // rows_of_one))
    # Some segments have fewer rows than expected, or none.
    drawn = min(total, 4 * sample // rows_of_one + _SPREAD)
    return total, generator.sample(range(total), drawn)


def _estimate_share(
    whole: int, total: int, page: scan.Page, read: int, expected: int
) -> float | None:
    """Return the fraction of the table that some whole segments and a part of another one are.

    Args:
        whole, total: the number of segments that were read to their end, and of all.
        page: the page that was read last.
        read: the rows of its segment that were read.
        expected: the rows of the table, as far as DynamoDB knows.
    """
    if page.is_last:
        return (whole + 1) / total
    return (whole + min(1, read * total / expected)) / total if expected else None


class _Totals:
    """The counters of one reading."""

    def __init__(self, rows: Rows, now: float) -> None:
        self._rows, self._now = rows, now
        self._units = 0.0
        self.count: Counter[str] = Counter()
        self._sizes: Counter[int] = Counter()
        self._expiries: Counter[int | None] = Counter()
        self._ages: Counter[int | None] = Counter()

    def add(self, page: scan.Page) -> None:
        """Count the rows of one page."""
        self.count["scanned_rows"] += page.scanned
        self._units += page.units
        for row in page.rows:
            if not row.is_own:
                self.count["other_rows"] += 1
                continue
            self.count["rows"] += 1
            self.count["size"] += row.size
            if row.is_tombstone:
                self.count["tombstone"] += 1
            elif row.sort == "session":
                self._add_session(row)
            else:
                self.count[row.sort] += 1

    def _add_session(self, row: ScannedRow) -> None:
        session = describe_row(self._rows, row, self._now)
        if session.error:
            self.count["unreadable"] += 1
        if not session.live:
            self.count["expired"] += 1
            return
        self.count["live"] += 1
        bar = len(SIZES) if session.chunks else bisect.bisect_left(SIZES, row.size)
        self._sizes[bar] += 1
        left = None if session.expires is None else session.expires - self._now
        self._expiries[_find_bar(left)] += 1
        self._ages[_find_bar(None if session.created is None else self._now - session.created)] += 1

    def stats(self, share: float | None) -> Stats:
        """Return the figures of what was counted, which is a share of the table."""
        count = self.count
        dollars = prices.estimate_storage(count["size"], count["rows"])
        return Stats(
            scanned_rows=count["scanned_rows"],
            read_units=self._units,
            share=share,
            rows=count["rows"],
            size=count["size"],
            live=count["live"],
            expired=count["expired"],
            unreadable=count["unreadable"],
            chunks=count["chunk"],
            cache_values=count["value"],
            locks=count["lock"],
            markers=count["marker"],
            tombstones=count["tombstone"],
            sizes=tuple(Bar(label, self._sizes[n]) for n, label in enumerate(_SIZE_LABELS)),
            expiries=_make_bars(self._expiries, "never"),
            ages=_make_bars(self._ages, "unknown"),
            dollars_per_month=dollars / share if share else None,
            other_rows=count["other_rows"],
        )


def _find_bar(seconds: float | None) -> int | None:
    return None if seconds is None else bisect.bisect_left(SPANS, seconds)


def _make_bars(counts: Counter[int | None], none: str) -> tuple[Bar, ...]:
    bars = tuple(Bar(label, counts[n]) for n, label in enumerate(_SPAN_LABELS))
    return (*bars, Bar(none, counts[None]))
