"""Delete our expired rows sooner than DynamoDB's TTL does.

TTL deletes the same rows within days, free of charge; a purge pays for the scan and each delete.
Each delete is conditional on the expiry that was read, so a session that is touched meanwhile
is kept. A purge can stop at any time: every row is then either deleted or unchanged.
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
#: Deletes after which the progress is yielded.
_DELETES_PER_STEP: Final = 100
#: Seconds after which a thread that waits looks whether it is to stop.
_MAX_SLEEP: Final = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a purge.

    Args:
        scanned_rows: rows read, whatever their prefix.
        expired_rows: our rows that have expired; `size` is their bytes, in a dry run.
        deleted_rows: those of them that were deleted.
        changed_rows: those that were written meanwhile, and so were kept.
        other_rows: expired rows of another store under the same prefix; they are kept.
        estimated_write_units: units that deleting all `expired_rows` consumes, in a dry run.
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
        """The units that were consumed, and those that deleting would consume."""
        return prices.Cost(self.read_units, self.write_units + self.estimated_write_units)


class Tally:
    """The progress of all threads together. It is correct after an interruption, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """The progress so far."""
        return self._progress

    def add(self, **increments: float) -> Progress:
        """Add to the figures, and return the progress so far."""
        with self._lock:
            before = self._progress
            sums = {name: getattr(before, name) + more for name, more in increments.items()}
            self._progress = dataclasses.replace(before, **sums)
            return self._progress


def estimate_purge(rows: Rows) -> tuple[Description, prices.Cost]:
    """Return the table, and what it costs to read all of it by the size that DynamoDB reports."""
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
    """Delete expired rows, and yield the progress.

    Args:
        now: epoch seconds; rows that expire later are kept.
        segments: the number of threads, each of which reads one part of the table.
        rate: capacity units a second, read and write together; None: no limit.
        dry_run: delete nothing; count, and estimate what deleting would cost.
        tally: holds the progress after an interruption.

    Raises: what the client raises.
    """
    measure(rows.table)  # raises for a table of other keys
    query = ScanQuery("rows", "expired", now, whole=dry_run)
    purger = _Purger(rows, query, tally or Tally(), Bucket(rate, rows.runtime))
    yield from run_parallel([partial(purger.run, (part, segments)) for part in range(segments)])


@dataclass(frozen=True, slots=True)
class _Purger:
    """The state that the threads of one purge share."""

    rows: Rows
    query: ScanQuery
    tally: Tally
    bucket: Bucket

    def run(self, segment: tuple[int, int], stop: threading.Event) -> Iterator[Progress]:
        """Purge one segment (its number, of how many)."""
        for page in scan.scan(self.rows.table, self.query, segment):
            expired = [row for row in page.rows if _may_delete(row, self.query.now)]
            yield self.tally.add(
                scanned_rows=page.scanned,
                expired_rows=len(expired),
                read_units=page.units,
                other_rows=sum(not row.is_own for row in page.rows),
            )
            self._wait(page.units, stop)
            if self.query.whole:
                size = sum(row.size for row in expired)
                units = sum(map(self._count_delete_units, expired))
                yield self.tally.add(size=size, estimated_write_units=units)
            else:
                yield from self._delete(expired, stop)
            if stop.is_set():
                return

    def _delete(self, expired: list[ScannedRow], stop: threading.Event) -> Iterator[Progress]:
        for number, row in enumerate(expired, 1):
            if stop.is_set():
                return
            if row.expires is None:  # the scan returns no such rows
                continue
            is_deleted, units = scan.delete_expired(self.rows.table, row.key, row.expires)
            result = {"deleted_rows" if is_deleted else "changed_rows": 1}
            progress = self.tally.add(write_units=units, **result)
            self._wait(units, stop)
            if number % _DELETES_PER_STEP == 0:
                yield progress
        yield self.tally.progress

    def _count_delete_units(self, row: ScannedRow) -> float:
        indexed = self.rows.options.indexed_keys
        attributes = row.record.promoted if row.record else {}
        return prices.count_delete_units(row.size, sum(name in attributes for name, _ in indexed))

    def _wait(self, units: float, stop: threading.Event) -> None:
        """Wait as the rate requires, in short steps, so that a stop is noticed."""
        seconds = self.bucket.spend(units)
        while seconds > 0 and not stop.is_set():
            self.rows.runtime.sleep(min(seconds, _MAX_SLEEP))
            seconds -= _MAX_SLEEP


def _may_delete(row: ScannedRow, now: float) -> bool:
    """Return whether to delete an expired row. A row of an unknown kind is kept."""
    if not row.is_own:
        return False
    if row.sort == "lock":
        return row.expires is not None and row.expires <= now - LOCK_MARGIN
    return row.sort != "other"
