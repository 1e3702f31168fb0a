"""Run work in threads, one for each segment, as one generator.

However the generator ends (to its end, by an error, an interruption or `close()`), every thread
has finished its current call before the caller goes on: no write happens after that.
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
#: A piece of work: it yields what it did, and ends soon after the event is set.
Work = Callable[[threading.Event], Iterator[T]]

#: How many results of each thread may wait for the caller: memory stays bounded if it is slow.
_AHEAD: Final = 2
#: Seconds between two looks at whether the caller has gone.
_LOOK: Final = 0.1


def run_parallel(works: Sequence[Work[T]]) -> Iterator[T]:
    """Yield the results of all works as they come; a single one runs in the caller's own thread.

    Raises: what the first of them to fail raises.
    """
    stop = threading.Event()
    if len(works) == 1:
        yield from works[0](stop)
        return
    results: queue.Queue[T | _Ended] = queue.Queue(_AHEAD * len(works))
    # Daemons, so that an exit in the middle of a closed pipe never waits for one that waits.
    threads = [
        threading.Thread(target=_run, args=(work, stop, results), daemon=True) for work in works
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

    def part(number: int) -> Work[Page]:
        return lambda _: scan.scan(table, query, (number, segments))

    # It also makes boto3's client: else each thread would make one, of 10 MB.
    measure(table)
    return run_parallel([part(number) for number in range(segments)])


class _Ended:
    """The last result of a thread: why it ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _run(work: Work[T], stop: threading.Event, results: queue.Queue[T | _Ended]) -> None:
    error: BaseException | None = None
    try:
        for result in work(stop):
            _put(result, stop, results)
            if stop.is_set():
                break
    except BaseException as failure:  # noqa: BLE001  # raised by the caller's thread
        error = failure
    _put(_Ended(error), stop, results)


def _put(result: T | _Ended, stop: threading.Event, results: queue.Queue[T | _Ended]) -> None:
    """Hand a result over, unless the caller has gone."""
    while not stop.is_set():
        try:
            results.put(result, timeout=_LOOK)
        except queue.Full:
            continue
        return


class Bucket:
    """A token bucket of capacity units, shared by threads: who has spent too much waits.

    A call's units are known only after it, so they are spent first and waited for then. A page
    of a scan is up to 128 units (eventually consistent) at once, however low the rate.
    """

    def __init__(self, rate: float | None, runtime: Runtime) -> None:
        self._rate = rate
        self._monotonic = runtime.monotonic
        self._lock = threading.Lock()
        self._level = 0.0
        self._at = runtime.monotonic()

    def spend(self, units: float) -> float:
        """Take *units* out; return the seconds to wait before the next call."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._monotonic()
            # At most a second's worth is saved up.
            self._level = min(self._level + (now - self._at) * self._rate, self._rate)
            self._at = now
            self._level -= units
            return max(0.0, -self._level / self._rate)
