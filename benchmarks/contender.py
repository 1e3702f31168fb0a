"""One session store in a process of its own, told what to do by lines of JSON on its pipe.

So each store's CPU time is that of its process alone, and a Node process joins in with the same
words. `driven.py` is the other end. The order on the command line names store, server and table.

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
    """Run *action* so often; seconds of this process's CPU, and of the clock on the wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        action()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def answer(store: stores.Store, asked: dict[str, Any]) -> Answer:
    """Do what one line says."""
    if asked["do"] == "open":
        store.open(asked["values"])
        return {"stored": store.stored()}
    if asked["do"] == "load":
        return _time(store.load, asked["calls"])
    return _time(store.save, asked["calls"])


def serve(order: dict[str, Any]) -> None:
    """Answer line by line until the pipe is closed; what goes wrong is an answer, too."""
    warnings.simplefilter("ignore")
    if order.get("peers"):
        sys.path.append(order["peers"])  # behind ours: every contender runs the same boto3
    store: stores.Store | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["do"] == "visit":
                found = visits.visit(order, asked["values"], asked["steps"])
            else:
                store = store or stores.store(order)
                found = answer(store, asked)
        except Exception as error:  # noqa: BLE001  # the other end says it, and leaves us out
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
