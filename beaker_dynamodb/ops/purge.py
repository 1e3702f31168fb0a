"""Delete our expired rows sooner than DynamoDB's TTL does.

TTL deletes the same rows within days, free of charge; a purge pays for the scan and each delete.
Each delete is conditional on the expiry that was read, so a session that is touched meanwhile
is kept. A purge can stop at any time: every row is then either deleted or unchanged.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow, ScanQuery
from beaker_dynamodb.ops import prices
from beaker_dynamodb.ops.parallel import Sweep, SweepProgress, Tally
from beaker_dynamodb.provisioning.description import Description
from beaker_dynamodb.provisioning.provision import measure

#: Seconds that a creation lock is kept after its expiry, for clocks that differ.
LOCK_MARGIN: Final = 60


@dataclass(frozen=True, slots=True)
class Progress(SweepProgress):
    """The progress of a purge.

    Args:
        expired_rows: our rows that have expired; `size` is their bytes, in a dry run.
        deleted_rows: those of them that were deleted.
        changed_rows: those that were written meanwhile, and so were kept.
        estimated_write_units: units that deleting all `expired_rows` consumes, in a dry run.
    """

    expired_rows: int = 0
    deleted_rows: int = 0
    changed_rows: int = 0
    size: int = 0
    estimated_write_units: float = 0

    @property
    def cost(self) -> prices.Cost:
        """The units that were consumed, and those that deleting would consume."""
        return prices.Cost(self.read_units, self.write_units + self.estimated_write_units)


def estimate_scan_cost(rows: Rows, *, consistent: bool = False) -> tuple[Description, prices.Cost]:
    """Return the table, and what it costs to read all of it by the size that DynamoDB reports."""
    description = measure(rows.table)
    units = prices.estimate_scan(description.size) * (2 if consistent else 1)
    return description, prices.Cost(read_units=units)


def purge(  # noqa: PLR0913  # named, each of them
    rows: Rows,
    now: float,
    *,
    segments: int = 1,
    rate: float | None = None,
    dry_run: bool = False,
    tally: Tally[Progress] | None = None,
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

    def count(row: ScannedRow) -> dict[str, float]:
        units = _count_delete_units(rows, row)
        return {"expired_rows": 1, "size": row.size, "estimated_write_units": units}

    def delete(row: ScannedRow) -> dict[str, float]:
        if row.expires is None:  # the scan returns no such rows
            return {}
        is_deleted = scan.delete_expired(rows.table, row.key, row.expires)
        return {"expired_rows": 1, "deleted_rows" if is_deleted else "changed_rows": 1}

    sweep = Sweep(
        rows,
        ScanQuery("rows", "expired", now, whole=dry_run),
        lambda row: _may_delete(row, now),
        count if dry_run else delete,
        tally or Tally(Progress()),
        rate,
    )
    yield from sweep.run(segments)


def _count_delete_units(rows: Rows, row: ScannedRow) -> float:
    attributes = row.record.promoted if row.record else {}
    indexes = sum(name in attributes for name, _ in rows.options.indexed_keys)
    return prices.count_delete_units(row.size, indexes)


def _may_delete(row: ScannedRow, now: float) -> bool:
    """Return whether to delete an expired row. A row of an unknown kind is kept."""
    if not row.is_own:
        return False
    if row.sort == "lock":
        return row.expires is not None and row.expires <= now - LOCK_MARGIN
    return row.sort != "other"
