"""How the time of a function grows with its input: the only tests that look at a clock.

Ten times the input may take thirty times as long; a loop within a loop takes a hundred times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

#: Tenfold input, and how many times as long it may take.
TIMES, ALLOWED = 10, 30
#: Below so many seconds of CPU a measurement is all noise, and says nothing of growth.
NOISE = 0.0005
RUNS = 5


def measure(run: Callable[[], object]) -> Iterator[float]:
    """Yield the CPU seconds in this thread of one run after the other."""
    for _ in range(RUNS):
        started = time.thread_time()
        run()
        yield time.thread_time() - started


def assert_linear(make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Run what *make* prepares for an input of *size* and of ten times that, and compare.

    The least of all runs counts: the first that takes no longer than is allowed decides.
    """
    small = min(measure(make(size)))
    larger = []
    for large in measure(make(TIMES * size)):
        if large <= ALLOWED * max(small, NOISE):
            return
        larger.append(large)
    raise AssertionError(f"{TIMES} times the input took {min(larger) / small:.0f} times as long")
