"""The process of the soak test: threads that write and read over the wire, and what they cost.

    python -m tests.dynamodb.soak_process URL TABLE SECONDS THREADS

It prints one JSON object: calls, errors, wrong responses, and memory, files and threads over time.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from beaker_dynamodb import Unavailable
from tests.dynamodb.wire_clients import create_client, get_item, put_item


class Soak:
    """The client, and the counters of all threads."""

    def __init__(self, url: str, table: str, seconds: float) -> None:
        self.table, self.until = table, time.monotonic() + seconds
        self.client = create_client(url, connect_timeout=2.0, read_timeout=5.0, max_attempts=5)
        self.calls = self.errors = self.wrong = 0

    def work(self, number: int) -> None:
        """Write and read an item that no other thread uses, until the time is up."""
        name, turn = f"user{number}", 0
        while time.monotonic() < self.until:
            turn += 1
            value = {"S": f"{number}.{turn}." + "x" * (turn % 50) * 100}
            try:
                put_item(self.client, self.table, name, mark=value)
                found = get_item(self.client, self.table, name)
            except Unavailable:
                self.errors += 1
                continue
            self.calls += 2
            self.wrong += found["mark"] != value


def measure() -> dict[str, int]:
    """Measure this process: kilobytes of memory, open files, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kilobytes = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # only their number
    return {"memory": kilobytes, "files": files, "threads": threading.active_count()}


def main(url: str, table: str, seconds: str, threads: str) -> None:
    """Run the threads, and print the results."""
    soak = Soak(url, table, float(seconds))
    workers = [threading.Thread(target=soak.work, args=(n,)) for n in range(int(threads))]
    for worker in workers:
        worker.start()
    costs: list[Any] = []
    while time.monotonic() < soak.until:
        time.sleep(float(seconds) / 20)
        costs.append(measure())
    for worker in workers:
        worker.join()
    told = {"calls": soak.calls, "errors": soak.errors, "wrong": soak.wrong, "costs": costs}
    print(json.dumps(told | {"after": measure()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
