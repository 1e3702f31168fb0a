"""Start and control the processes that run `subprocess_scripts.py`.

A worker gets its arguments as one line of JSON, and reports in lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def command(verb: str, table: Any, **more: Any) -> list[str]:
    """Write a worker's command line."""
    told = {"url": table.url, "table": table.name, "options": table.options, **more}
    return [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.caches.subprocess_scripts",
        verb,
        json.dumps(told),
    ]


def run(verb: str, table: Any, **more: Any) -> Any:
    """Run a worker to its end, and return its last report."""
    done = subprocess.run(
        command(verb, table, **more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


class Worker:
    """A running worker, and its reports."""

    def __init__(self, verb: str, table: Any, **more: Any) -> None:
        self.process = subprocess.Popen(
            command(verb, table, **more),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> Any:
        """Wait for the next report of a worker; None at its end."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def begin(self) -> None:
        """Let a worker that `waits` begin."""
        assert self.process.stdin
        self.process.stdin.write("begin\n")
        self.process.stdin.flush()

    def open_the_gate(self) -> None:
        """Let all makers of this worker finish."""
        assert self.process.stdin
        self.process.stdin.close()

    def rest(self) -> list[Any]:
        """Hear everything to the end."""
        return list(iter(self.hear, None))


@contextlib.contextmanager
def worker(verb: str, table: Any, **more: Any) -> Iterator[Worker]:
    """Start a worker; if it is left at the end, it is ended by its own pid."""
    started = Worker(verb, table, **more)
    guard = threading.Timer(60, started.process.kill)
    guard.start()
    try:
        yield started
    finally:
        guard.cancel()
        with contextlib.suppress(OSError, ValueError):
            started.open_the_gate()
        started.process.terminate()
        started.process.wait(10)
        if started.process.stdout:
            started.process.stdout.close()


def herd(table: Any, forks: int = 1, **more: Any) -> contextlib.AbstractContextManager[Worker]:
    """Start a worker that forks children, which all ask for one value."""
    return worker("herd", table, forks=forks, **more)
