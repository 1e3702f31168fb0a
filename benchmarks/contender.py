"""Run one session store in a process of its own, controlled by lines of JSON on a pipe.

So each store's CPU time is that of its process alone, and a Node process can use the same
protocol. `driven.py` is the other end. The order on the command line names store, server and table.

    {"do": "open", "values": {...}}    store a session, and keep it loaded
    {"do": "load", "calls": 100}       -> {"cpu": seconds, "wall": seconds} of so many loads
    {"do": "save", "calls": 100}       likewise, each save with one key changed
    {"do": "visit", "steps": [...]}    requests through the store's own framework
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks import stores, visits

Answer = dict[str, Any]


def _time(action: Callable[[], object], calls: int) -> Answer:
    """Run *action* *calls* times; return the seconds of CPU time and of wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        action()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def answer(store: stores.Store, command: dict[str, Any]) -> Answer:
    """Carry out one command."""
    if command["do"] == "open":
        store.open(command["values"])
        return {"stored": store.stored()}
    if command["do"] == "load":
        return _time(store.load, command["calls"])
    return _time(store.save, command["calls"])


def serve(order: dict[str, Any]) -> None:
    """Answer line by line until the pipe is closed; an error is an answer too."""
    warnings.simplefilter("ignore")
    if order.get("peers"):
        sys.path.append(order["peers"])  # last, so that every contender uses the same boto3
    store: stores.Store | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "visit":
                found = visits.visit(order, command["values"], command["steps"])
            else:
                store = store or stores.store(order)
                found = answer(store, command)
        except Exception as error:  # noqa: BLE001  # the other end prints it, and continues without us
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
