"""Run jobs in threads, one for each segment of a table, and yield their results.

However the generator ends (at its end, by an error, an interruption or `close()`), every thread
has finished its current row before the caller continues: no write happens after that.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from beaker_dynamodb.dynamodb import metering, scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import Page, ScannedRow, ScanQuery
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.ops import prices
from beaker_dynamodb.provisioning.provision import measure
from beaker_dynamodb.runtime import Runtime

T = TypeVar("T")
#: A job yields its results, and ends soon after the event is set.
Job = Callable[[threading.Event], Iterator[T]]

#: Results of each thread that may wait for a slow caller, so that memory stays bounded.
_MAX_RESULTS: Final = 2
#: Seconds after which a thread that waits looks whether the caller has stopped.
_POLL: Final = 0.1
#: Seconds after which a thread that waits for its rate looks whether it is to stop.
_MAX_SLEEP: Final = 0.2
#: Rows after which a sweep yields its progress.
_ROWS_PER_STEP: Final = 100


def run_parallel(jobs: Sequence[Job[T]]) -> Iterator[T]:
    """Yield the results of all jobs as they come; a single job runs in the caller's own thread.

    Raises: what the first job to fail raises.
    """
    stop = threading.Event()
    if len(jobs) == 1:
        yield from jobs[0](stop)
        return
    results: queue.Queue[T | _Ended] = queue.Queue(_MAX_RESULTS * len(jobs))
    # Daemons, so that a process that exits because its pipe was closed never waits for them.
    threads = [
        threading.Thread(target=_run, args=(job, stop, results), daemon=True) for job in jobs
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            result = results.get()
            if not isinstance(result, _Ended):
                yield result
                continue
            running -= 1
            if result.error is not None:
                raise result.error
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def scan_segments(
    table: Table, query: ScanQuery, segments: int = 1, *, wanted: int | None = None
) -> Iterator[Page]:
    """Scan the table in *segments* parts at once, and yield their pages in any order.

    Args: *wanted* is about how many rows the caller needs, so that no page is much larger.
    Raises: TableMismatch, before the first page; what the client raises.
    """

    def make_job(part: int) -> Job[Page]:
        return lambda _: scan.scan(table, query, (part, segments), wanted=wanted)

    # This also makes boto3's client of 10 MB; else each thread would make one.
    measure(table)
    return run_parallel([make_job(part) for part in range(segments)])


class _Ended:
    """The last result of a thread, with the error that ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _run(job: Job[T], stop: threading.Event, results: queue.Queue[T | _Ended]) -> None:
    error: BaseException | None = None
    try:
        for result in job(stop):
            _put(result, stop, results)
            if stop.is_set():
                break
    except BaseException as failure:  # noqa: BLE001  # raised again in the caller's thread
        error = failure
    _put(_Ended(error), stop, results)


def _put(result: T | _Ended, stop: threading.Event, results: queue.Queue[T | _Ended]) -> None:
    """Hand a result over, unless the caller has stopped."""
    while not stop.is_set():
        try:
            results.put(result, timeout=_POLL)
        except queue.Full:
            continue
        return


class Bucket:
    """A token bucket of capacity units, which threads share.

    A call's units are known only after it, so they are spent first, and the wait follows. A page
    of a scan consumes up to 128 units at once, or 256 if it is consistent, however low the rate.
    """

    def __init__(self, rate: float | None, runtime: Runtime) -> None:
        self._rate = rate
        self._monotonic, self._sleep = runtime.monotonic, runtime.sleep
        self._lock = threading.Lock()
        self._level = 0.0
        self._at = runtime.monotonic()

    def spend(self, units: float) -> float:
        """Take *units* out, and return the seconds to wait before the next call."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._monotonic()
            # No more than a second's worth is saved up.
            self._level = min(self._level + (now - self._at) * self._rate, self._rate)
            self._at = now
            self._level -= units
            return max(0.0, -self._level / self._rate)

    def wait(self, units: float, stop: threading.Event) -> None:
        """Take *units* out, and wait as the rate requires, in short steps; or until *stop*."""
        seconds = self.spend(units)
        while seconds > 0 and not stop.is_set():
            self._sleep(min(seconds, _MAX_SLEEP))
            seconds -= _MAX_SLEEP


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """The figures of every sweep; each command adds its own.

    Args:
        scanned_rows: rows read, whatever their prefix.
        other_rows: rows of another store under the same prefix; they are kept.
    """

    scanned_rows: int = 0
    other_rows: int = 0
    read_units: float = 0
    write_units: float = 0

    @property
    def cost(self) -> prices.Cost:
        """The units that were consumed."""
        return prices.Cost(self.read_units, self.write_units)


P = TypeVar("P", bound=SweepProgress)


class Tally(Generic[P]):
    """The figures of all threads together. They are correct after an interruption, too."""

    def __init__(self, progress: P) -> None:
        self._lock = threading.Lock()
        #: The figures so far.
        self.progress: P = progress

    def add(self, **increments: float) -> P:
        """Add to the figures, and return them."""
        with self._lock:
            before = self.progress
            sums = {name: getattr(before, name) + more for name, more in increments.items()}
            self.progress = dataclasses.replace(before, **sums)
            return self.progress


class _Meter(threading.local):
    """The units that the calls of the current thread have consumed."""

    read_units = 0.0
    write_units = 0.0

    def add(self, event: metering.Event) -> None:
        if isinstance(event, metering.Call):
            self.read_units += event.read_units
            self.write_units += event.write_units


@dataclass(frozen=True, slots=True)
class Sweep(Generic[P]):
    """Reads the table and deletes some of its rows, in threads, at a rate.

    Args:
        query: which rows are read.
        is_wanted: whether a row that was read is to be deleted.
        delete: deletes one row, and returns what to add to the figures, by name. The units are
            added besides.
        tally: the figures of all threads.
        rate: capacity units a second, read and write together; None: no limit.
    """

    rows: Rows
    query: ScanQuery
    is_wanted: Callable[[ScannedRow], bool]
    delete: Callable[[ScannedRow], Mapping[str, float]]
    tally: Tally[P]
    rate: float | None = None

    def run(self, segments: int) -> Iterator[P]:
        """Yield the figures after each page of the scan, and after each hundred rows.

        Args: *segments* is the number of threads, each of which reads one part of the table.
        Raises: TableMismatch, before the first page; what the client raises.
        """
        measure(self.rows.table)  # also makes boto3's client, of which each thread would make one
        meter, bucket = _Meter(), Bucket(self.rate, self.rows.runtime)
        end_metering = metering.observe(meter.add)
        try:
            yield from run_parallel(
                [partial(self._run, (part, segments), meter, bucket) for part in range(segments)]
            )
        finally:
            end_metering()

    def _run(
        self, segment: tuple[int, int], meter: _Meter, bucket: Bucket, stop: threading.Event
    ) -> Iterator[P]:
        """Sweep one segment (its number, of how many)."""
        for page in scan.scan(self.rows.table, self.query, segment):
            yield self.tally.add(
                scanned_rows=page.scanned,
                read_units=page.units,
                other_rows=sum(not row.is_own for row in page.rows),
            )
            bucket.wait(page.units, stop)
            for number, row in enumerate(filter(self.is_wanted, page.rows), 1):
                if stop.is_set():
                    return
                read, write = meter.read_units, meter.write_units
                result = self.delete(row)
                read, write = meter.read_units - read, meter.write_units - write
                progress = self.tally.add(read_units=read, write_units=write, **result)
                bucket.wait(read + write, stop)
                if number % _ROWS_PER_STEP == 0:
                    yield progress
            yield self.tally.progress
            if stop.is_set():
                return
