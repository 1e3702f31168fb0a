"""Run jobs in threads, one for each segment of a table, and yield their results.

However the generator ends (at its end, by an error, an interruption or `close()`), every thread
has finished its current call before the caller continues: no write happens after that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.scan import Page, ScanQuery
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.provisioning.provision import measure
from beaker_dynamodb.runtime import Runtime

T = TypeVar("T")
#: A job yields its results, and ends soon after the event is set.
Job = Callable[[threading.Event], Iterator[T]]

#: Results of each thread that may wait for a slow caller, so that memory stays bounded.
_MAX_RESULTS: Final = 2
#: Seconds after which a thread that waits looks whether the caller has stopped.
_POLL: Final = 0.1


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


def scan_segments(table: Table, query: ScanQuery, segments: int = 1) -> Iterator[Page]:
    """Scan the table in *segments* parts at once, and yield their pages in any order.

    Raises: TableMismatch, before the first page; what the client raises.
    """

    def make_job(part: int) -> Job[Page]:
        return lambda _: scan.scan(table, query, (part, segments))

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
    of a scan consumes up to 128 units at once (eventually consistent), however low the rate.
    """

    def __init__(self, rate: float | None, runtime: Runtime) -> None:
        self._rate = rate
        self._monotonic = runtime.monotonic
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
