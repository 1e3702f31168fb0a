"""Measure a load and a save of a large session: its chunks one by one, and four at once.

A server that answers from memory (`canned.py`) takes its time for each call. Rounds are
interleaved; a ratio compares two neighbors of one round. In a separate pass the peak of the memory
that Python allocates is taken.

    python -m benchmarks.large [--rounds 12] [--size 11000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final
from unittest.mock import patch

from beaker.session import Session

from beaker_dynamodb import runtime
from benchmarks import recorded
from benchmarks.canned import serve_canned
from benchmarks.driven import make_environment

#: Milliseconds that the server waits before each response.
DELAYS: Final = (0, 10)
#: How many calls are made at once.
WAYS: Final = (1, runtime.MAX_PARALLEL)
_SEVEN_BITS: Final = bytes(number & 0x7F for number in range(256))


class LargeSession:
    """One session in a table of a server; its value is text that hardly compresses."""

    def __init__(self, url: str, size: int) -> None:
        self._options: dict[str, Any] = {
            "type": "ext:dynamodb",
            "endpoint_url": url,
            "table": "sessions",
            "create_table": "false",
            "transport": "wire",
        }
        self._draw, self._size = random.Random(1), size  # noqa: S311  # no secret
        self.loaded: Any = self.load()
        self.change()
        self.save()
        self.load()

    def load(self) -> Any:
        """Load the session, and open it."""
        self.loaded = Session({}, id="large", use_cookies=False, **self._options)
        return self.loaded

    def change(self) -> None:
        """Put another value into the session that was loaded."""
        text = self._draw.randbytes(self._size).translate(_SEVEN_BITS).decode()
        self.loaded["value"] = text.replace("\n", " ")  # or it might seem to name a class

    def save(self) -> None:
        """Save the session."""
        self.loaded.save()


def measure_times(session: LargeSession, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of both ways, and the ratios of their neighbors, by the action.

    Also what they take on the wall beside this process's CPU time, with the chunks at once.
    """
    found: dict[str, dict[int, list[tuple[float, float]]]] = {
        action: {way: [] for way in WAYS} for action in ("load", "save")
    }
    for number in range(rounds):
        for way in WAYS if number % 2 else WAYS[::-1]:
            with patch.object(runtime, "MAX_PARALLEL", way):
                found["load"][way].append(_time(session.load))
                session.change()
                found["save"][way].append(_time(session.save))
    return {
        action: {
            "one by one": recorded.summarize([wall for wall, _ in times[WAYS[0]]]),
            "at once": recorded.summarize([wall for wall, _ in times[WAYS[1]]]),
            "ratio": recorded.summarize(
                [after / before for (before, _), (after, _) in zip(*times.values(), strict=True)]
            ),
            "wall to CPU": recorded.summarize([wall / cpu for wall, cpu in times[WAYS[1]]]),
        }
        for action, times in found.items()
    }


def _time(act: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds on the wall, and those of CPU time."""
    started, cpu = time.perf_counter(), time.process_time()
    act()
    return (time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000


def measure_memory(session: LargeSession, size: int) -> dict[str, float]:
    """Return the peak of each action, as a multiple of the size of the value."""
    session.change()
    return {"save": _measure_peak(session.save) / size, "load": _measure_peak(session.load) / size}


def _measure_peak(act: Callable[[], object]) -> int:
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    """Start a server for each delay, measure, and stop it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--size", type=int, default=11_000_000)
    recorded.add_option(parser)
    chosen = parser.parse_args()
    times, memory = {}, dict[str, float]()
    with patch.dict("os.environ", make_environment()):
        for delay in DELAYS:
            with serve_canned(delay) as url:
                session = LargeSession(url, chosen.size)
                times[str(delay)] = measure_times(session, chosen.rounds)
                memory = measure_memory(session, chosen.size)
    for delay_text, actions in times.items():
        for action, row in actions.items():
            ratio, before, after = row["ratio"], row["one by one"], row["at once"]
            wall = row["wall to CPU"]["median"]
            print(
                f"{action}, {delay_text} ms a call: {before['median']:.0f} ms one by one,"
                f" {after['median']:.0f} at once;"
                f" {ratio['median']:.2f} ({ratio['low']:.2f} .. {ratio['high']:.2f});"
                f" {wall:.2f} times its CPU"
            )
    print(f"peak of memory: save {memory['save']:.1f}, load {memory['load']:.1f} times the value")
    how = f"{chosen.rounds} interleaved rounds, a session of {chosen.size / 1e6:.0f} MB"
    recorded.write(chosen.json, how, {"times": times, "memory": memory})


if __name__ == "__main__":
    main()
