"""Ten minutes of a load above a table's capacity, and two below it, in real time.

    python -m tests.throttle.run [--record tests/throttle/run.json]

DynamoDB Local stands behind a proxy that grants capacity as DynamoDB does. The load is open: pages
come at their rate, whatever becomes of the others. `--seconds` shortens both parts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import beaker_dynamodb
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.provisioning import tables
from tests.proxy import FaultProxy
from tests.servers import KEY, REGION, DynamoDBLocal
from tests.throttle.application import Application, Tally, Visitor
from tests.throttle.buckets import Capacity
from tests.throttle.gates import Gate

RECORD: Final = Path(__file__).with_name("run.json")
#: Pages a second, and for how many seconds.
BUSY, QUIET = (10, 600), (2, 120)
VISITORS: Final = 70
#: Read and write units a second. The pages above need twice as many or more.
SESSIONS, CACHE = (5.0, 1.6), (0.2, 0.05)
#: More pages than these are never in progress; others that are due are counted, and not begun.
THREADS: Final = 100
#: What is recorded, each as a list with a number for each ten seconds.
SERIES: Final = (
    *("write units", "write throttled", "read units", "read throttled"),
    *("/change served", "/change failed", "/read served", "/read failed"),
    *("/change slow", "/read slow", "/part served", "part created"),
    *("touch stored", "touch dropped", "signed out", "not begun"),
)
STEP: Final = 10


def main() -> None:
    """Run the load, print what was found, and record it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--seconds", type=int, default=BUSY[1])
    words = parser.parse_args()
    warnings.simplefilter("ignore")  # Beaker's, about each load that fails
    logging.disable(logging.CRITICAL)
    os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY}
    found = run(words.seconds, words.seconds * QUIET[1] // BUSY[1])
    text = json.dumps(found, indent=1)
    print(text)
    if words.record:
        words.record.write_text(text + "\n", "utf-8")


def run(busy: int, quiet: int) -> dict[str, Any]:
    """Run a load above the capacity for some seconds, then one below it; return what happened."""
    server = DynamoDBLocal()
    server.start(within=120)  # it may have to share its processor
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        proxy = stack.enter_context(FaultProxy(server.url))
        tally = Tally(time.monotonic)
        for name in ("sessions", "parts"):
            tables.create(
                parse({"endpoint_url": server.url, "region": REGION, "table": name}, "session")
            )
        common = {"endpoint_url": proxy.url, "region": REGION, "create_table": "false"}
        application = Application(
            tally, {**common, "table": "sessions"}, {**common, "table": "parts"}
        )
        visitors = [Visitor(f"visitor {number}") for number in range(VISITORS)]
        for visitor in visitors:
            application.log_in(visitor)
        capacities = {"sessions": Capacity(*SESSIONS), "parts": Capacity(*CACHE)}
        # The figures are of the table of sessions; that of the cache is throttled all the time.
        proxy.next(
            Gate({"sessions": capacities["sessions"]}, tally.tell),
            where=_is_of("sessions"),
            times=None,
        )
        proxy.next(
            Gate({"parts": capacities["parts"]}, lambda *_: None), where=_is_of("parts"), times=None
        )
        end = beaker_dynamodb.observe(tally.watch)
        tally.began = time.monotonic()
        load(application, visitors, BUSY[0], busy)
        ended = int(time.monotonic() - tally.began)
        load(application, visitors, QUIET[0], quiet)
        end()
        lost = sum(len(application.find_lost_changes(visitor)) for visitor in visitors)
    beaker_dynamodb.reset()
    return summarize(tally, ended, ended + quiet, lost)


def _is_of(table: str) -> Any:
    return lambda body: body.get("TableName") == table


def load(application: Application, visitors: list[Visitor], rate: int, seconds: int) -> None:
    """Request pages at a rate, and wait for the last of them."""
    began, going = time.monotonic(), set[Future[None]]()
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(rate * seconds):
            time.sleep(max(began + number / rate - time.monotonic(), 0))
            going = {one for one in going if not one.done() or one.result()}
            if len(going) >= THREADS:
                application.tally.add("not begun")
                continue
            going.add(pool.submit(application.visit, application.random.choice(visitors)))
    for one in going:
        one.result()  # raises what a page has raised beside an outage


def summarize(tally: Tally, ended: int, last: int, lost: int) -> dict[str, Any]:
    """Return the record: the series, and in seconds when throttling began and ended."""
    throttled = [s for s, n in tally.seconds.items() if n["write throttled"] + n["read throttled"]]
    failed = [s for s, n in tally.seconds.items() if n["/change failed"] + n["/read failed"]]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "capacity": {"read": SESSIONS[0], "write": SESSIONS[1]},
        "pages a second": {"busy": BUSY[0], "quiet": QUIET[0]},
        "load ended": ended,
        "first throttled": min(throttled, default=None),
        "last throttled": max(throttled, default=None),
        "first failed": min(failed, default=None),
        "last failed": max(failed, default=None),
        "changes lost": lost,
        "totals": {name: round(tally.sum(name)) for name in SERIES},
        "step": STEP,
        "series": {
            name: [round(tally.sum(name, at, at + STEP)) for at in range(0, last, STEP)]
            for name in SERIES
        },
    }


if __name__ == "__main__":
    main()
