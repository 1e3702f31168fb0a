"""Delete expired rows sooner than DynamoDB's TTL does: rows of ours, and of no other store.

TTL deletes the same rows within days and free of charge; a purge pays for the scan and for each
delete. Each delete is conditional on the expiry that was read, so a session that is touched
meanwhile stays. A purge can stop at any time: every row is either deleted or unchanged.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.ops import prices
from beaker_dynamodb.ops.parallel import Bucket, run_parallel
from beaker_dynamodb.provisioning.description import Description
from beaker_dynamodb.provisioning.provision import measure

#: Seconds that a creation lock is kept after its expiry, for clocks that differ.
LOCK_MARGIN: Final = 60
#: After so many deletes of a page its progress is yielded.
_STEP: Final = 100
#: The longest wait in seconds before an interruption is noticed.
_POLL: Final = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a purge is.

    Args:
        scanned_rows: rows read, of the whole table, of any prefix.
        expired_rows: rows of ours that have expired; `size`: their bytes (in a dry run).
        deleted_rows: those of them that were deleted.
        changed_rows: those that were written meanwhile, and so not deleted.
        other_rows: expired rows of another store under the same prefix; they are not deleted.
        estimated_write_units: what deleting all `expired_rows` will consume (in a dry run).
    """

    scanned_rows: int = 0
    expired_rows: int = 0
    deleted_rows: int = 0
    changed_rows: int = 0
    read_units: float = 0
    write_units: float = 0
    size: int = 0
    estimated_write_units: float = 0
    other_rows: int = 0

    @property
    def cost(self) -> prices.Cost:
        """Price what was consumed, and what deleting would."""
        return prices.Cost(self.read_units, self.write_units + self.estimated_write_units)


class Tally:
    """What all threads have done so far. It is correct also after an interruption."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """Return how far it is."""
        return self._progress

    def add(self, **more: float) -> Progress:
        """Add to the figures; return how far it is now."""
        with self._lock:
            was = self._progress
            now = {name: getattr(was, name) + value for name, value in more.items()}
            self._progress = dataclasses.replace(was, **now)
            return self._progress


def scan_cost(rows: Rows) -> tuple[Description, prices.Cost]:
    """Estimate the reads of a purge before it starts, by the size that DynamoDB counts."""
    description = measure(rows.table)
    return description, prices.Cost(read_units=prices.estimate_scan(description.size))


def purge(  # noqa: PLR0913  # named, each of them
    rows: Rows,
    now: float,
    *,
    segments: int = 1,
    rate: float | None = None,
    dry_run: bool = False,
    tally: Tally | None = None,
) -> Generator[Progress, None, None]:
    """Delete expired rows, and yield how far it is.

    Args:
        now: epoch seconds; rows that expire later stay.
        segments: threads, each with its part of the table.
        rate: capacity units a second, read and write together; None: no limit.
        dry_run: delete nothing; count, and estimate what deleting would cost.
        tally: holds the progress after an interruption.

    Raises: what the client raises.
    """
    measure(rows.table)  # its keys are ours, or this raises
    query = ScanQuery("rows", "expired", now, whole=dry_run)
    this = _Purge(rows, query, tally or Tally(), Bucket(rate, rows.runtime))
    yield from run_parallel([partial(this.part, (number, segments)) for number in range(segments)])


@dataclass(frozen=True, slots=True)
class _Purge:
    """What the threads of one purge share."""

    rows: Rows
    query: ScanQuery
    tally: Tally
    bucket: Bucket

    def part(self, segment: tuple[int, int], stop: threading.Event) -> Iterator[Progress]:
        """Purge one segment."""
        for page in scan.scan(self.rows.table, self.query, segment):
            expired = [row for row in page.rows if _ours(row, self.query.now)]
            yield self.tally.add(
                scanned_rows=page.scanned,
                expired_rows=len(expired),
                read_units=page.units,
                other_rows=sum(not row.is_own for row in page.rows),
            )
            self._pay(page.units, stop)
            if self.query.whole:
                size, units = sum(row.size for row in expired), sum(map(self._price, expired))
                yield self.tally.add(size=size, estimated_write_units=units)
            else:
                yield from self._delete(expired, stop)
            if stop.is_set():
                return

    def _delete(self, expired: list[ScannedRow], stop: threading.Event) -> Iterator[Progress]:
        for number, row in enumerate(expired, 1):
            if stop.is_set():
                return
            if row.expires is None:  # the scan asked for none of these
                continue
            is_deleted, units = scan.delete_expired(self.rows.table, row.key, row.expires)
            done = {"deleted_rows" if is_deleted else "changed_rows": 1}
            progress = self.tally.add(write_units=units, **done)
            self._pay(units, stop)
            if number % _STEP == 0:
                yield progress
        yield self.tally.progress

    def _price(self, row: ScannedRow) -> float:
        options = self.rows.options
        indexed = options.special_keys if options.index_special_keys else ()
        having = row.record.promoted if row.record else {}
        return prices.count_delete_units(row.size, sum(name in having for name, _ in indexed))

    def _pay(self, units: float, stop: threading.Event) -> None:
        """Wait as the rate requires, in short steps, so that an interruption is noticed."""
        seconds = self.bucket.spend(units)
        while seconds > 0 and not stop.is_set():
            self.rows.runtime.sleep(min(seconds, _POLL))
            seconds -= _POLL


def _ours(row: ScannedRow, now: float) -> bool:
    """Tell whether an expired row is to be deleted; a row of an unknown form is not."""
    if not row.is_own:
        return False
    if row.sort == "lock":
        return row.expires is not None and row.expires <= now - LOCK_MARGIN
    return row.sort != "other"
