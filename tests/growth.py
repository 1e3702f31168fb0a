"""How the time of a function grows with its input: the only tests that look at a clock.

Ten times the input may take thirty times as long; a loop within a loop takes a hundred times.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: Tenfold input, and how many times as long it may take.
TIMES, ALLOWED = 10, 30
#: Below so many seconds of CPU a measurement is all noise, and says nothing of growth.
NOISE = 0.0005
RUNS = 5


def best_of(run: Callable[[], object]) -> float:
    """Return the least CPU seconds that a run took in this thread."""
    taken = []
    for _ in range(RUNS):
        started = time.thread_time()
        run()
        taken.append(time.thread_time() - started)
    return min(taken)


def assert_linear(make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Run what *make* prepares for an input of *size* and of ten times that, and compare."""
    small, large = best_of(make(size)), best_of(make(TIMES * size))

    assert large <= ALLOWED * max(small, NOISE), f"{TIMES} times the input took {large / small:.0f}"
