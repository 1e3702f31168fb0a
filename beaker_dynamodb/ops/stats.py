"""Count the rows of the table, with histograms of ages, sizes and expiries.

Every row of the table is read once, or those of a random sample of segments; memory does not grow
with the table. No session is unpickled: see `item/safe_load.py`.
"""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Iterator
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
#: A sample consists of segments of about this size; AWS allows a million segments.
_ROWS_OF_A_SEGMENT: Final = 100
_MAX_SEGMENTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of what was read so far; `share` is the fraction of the table that this is.

    Args:
        rows: our rows; `size` is their bytes.
        other_rows: rows of another store under the same prefix, which are in no other figure.
        live, expired: sessions; unreadable: those of them that cannot be opened.
        chunks, cache_values, locks: our other rows, also those of a cache with the same prefix.
        markers: rows for sessions that `import` has moved.
        sizes: of the rows of live sessions; expiries: time left; ages: time since creation.
        dollars_per_month: cost of the storage of the whole table.
    """

    scanned_rows: int
    read_units: float
    share: float
    rows: int
    size: int
    live: int
    expired: int
    unreadable: int
    chunks: int
    cache_values: int
    locks: int
    markers: int
    sizes: tuple[Bar, ...]
    expiries: tuple[Bar, ...]
    ages: tuple[Bar, ...]
    dollars_per_month: float
    other_rows: int = 0


def stats(
    rows: Rows,
    now: float,
    *,
    sample: int | None = None,
    segments: int = 1,
    generator: random.Random | None = None,
) -> Iterator[Stats]:
    """Read the table, or about *sample* rows of it, and yield the figures after each page.

    A sample consists of random whole segments. Their number of rows is estimated from DynamoDB's
    own row count, which is up to six hours old.

    Args:
        now: epoch seconds.
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
    total = min(_MAX_SEGMENTS, max(1, measure(rows.table).rows // _ROWS_OF_A_SEGMENT))
    drawn = min(total, 2 * sample // _ROWS_OF_A_SEGMENT + 1)  # some have fewer rows
    chosen = (generator or random.SystemRandom()).sample(range(total), drawn)
    for number, segment in enumerate(chosen, 1):
        if totals.count["scanned_rows"] >= sample:
            return
        for page in scan.scan(rows.table, query, (segment, total)):
            totals.add(page)
            yield totals.stats(number / total)


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
            if row.sort == "session":
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

    def stats(self, share: float) -> Stats:
        """Return the figures of what was counted, which is a share of the table."""
        count = self.count
        return Stats(
            scanned_rows=count["scanned_rows"],
            read_units=self._units,
            share=share,
            rows=count["rows"],
            size=count["size"],
            live=count["live"],
            expired=count["expired"],
            unreadable=count["unreadable"],
            chunks=count["piece"],
            cache_values=count["value"],
            locks=count["lock"],
            markers=count["moved"],
            sizes=tuple(Bar(label, self._sizes[n]) for n, label in enumerate(_SIZE_LABELS)),
            expiries=_make_bars(self._expiries, "never"),
            ages=_make_bars(self._ages, "unknown"),
            dollars_per_month=prices.estimate_storage(count["size"], count["rows"]) / share,
            other_rows=count["other_rows"],
        )


def _find_bar(seconds: float | None) -> int | None:
    return None if seconds is None else bisect.bisect_left(SPANS, seconds)


def _make_bars(counts: Counter[int | None], none: str) -> tuple[Bar, ...]:
    bars = tuple(Bar(label, counts[n]) for n, label in enumerate(_SPAN_LABELS))
    return (*bars, Bar(none, counts[None]))
