"""Measure what a visit costs: thirty requests in ten minutes, through each store's real code.

A login, three changes, the rest reads, by an artificial clock and under each store's own
framework. A proxy counts the units that DynamoDB reports; dollars are at list prices.

    python -m benchmarks.cost [--sizes 300 1500 6000 40000] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from beaker_dynamodb.ops import prices
from benchmarks import recorded
from benchmarks.driven import Contender, UnavailableError, make_environment
from benchmarks.meter import Meter
from benchmarks.visitors import SIZES, make_session
from tests.servers import DynamoDBLocal

OURS: Final = {"store": "beaker", "type": "ext:dynamodb"}
CONNECT: Final = "connect-dynamodb"
DEFAULTS: Final = "ours, every default"
STORES: Final[Mapping[str, dict[str, Any]]] = {
    DEFAULTS: {**OURS, "timeout": None},
    "ours, timeout = 1800": OURS,
    "ours, timeout = 1800, touch_after = 900": {**OURS, "options": {"touch_after": 900}},
    "ours, timeout = 1800, json": {**OURS, "options": {"data_serializer": "json"}},
    "ours, timeout = 1800, no compression": {**OURS, "options": {"compress": False}},
    "ours, timeout = 1800, eventual reads": {**OURS, "options": {"consistent_read": False}},
    "pyramid-dynamodb-sessions": {"store": "pyramid"},
    "Flask-Session": {"store": "flask", "type": "dynamodb"},
    "Flask-Session over cachelib": {"store": "cachelib", "type": "cachelib"},
    CONNECT: {"store": "node"},
}
MILLION: Final = 1e6
REQUESTS: Final = 30
SECONDS: Final = 600
#: Early, so that the other requests only read: the more expensive order for a store that rarely
#: extends the expiry.
CHANGES: Final = (2, 4, 6)


def make_steps() -> list[tuple[float, str]]:
    """Return the steps of a visit, `(seconds, page)`: a login, then reads and three changes."""
    pages = ["/read"] * REQUESTS
    pages[0] = "/login"
    for number in CHANGES:
        pages[number] = "/change"
    return [(n * SECONDS / (REQUESTS - 1), path) for n, path in enumerate(pages)]


def run_visit(name: str, size: int, url: str) -> dict[str, float] | None:
    """Make one visit, and return its cost; print the reason and return None if it fails."""
    with Meter(url) as meter:
        try:
            contender = Contender(name, {**STORES[name], "wound": True}, meter.url)
        except UnavailableError as error:
            print(f"left out: {name}: {error}")
            return None
        try:
            done = contender.ask("visit", values=make_session(size), steps=make_steps())
        except UnavailableError as error:
            print(f"left out: {name}: {error}")
            return None
        finally:
            contender.end()
        assert done["pages"] == REQUESTS
        tally = meter.take()
    cost = prices.Cost(tally.read_units, tally.write_units)
    return {**asdict(tally), "dollars": cost.dollars * MILLION / REQUESTS}


def report(size: int, found: Mapping[str, Mapping[str, float]]) -> None:
    """Print one size's table."""
    print(f"\na session of {size} bytes of JSON; one visit of {REQUESTS} requests")
    print(f"{'':40} calls read units write units  $ a million requests  to {CONNECT}")
    beside = found.get(CONNECT)
    for name, row in found.items():
        ratio = f"{row['dollars'] / beside['dollars']:.2f}" if beside else "-"
        print(
            f"{name:40} {row['calls']:5.0f} {row['read_units']:10.1f} {row['write_units']:11.1f}"
            f"  {row['dollars']:21.3f}  {ratio}"
        )


def main() -> None:
    """Start the server, make every visit, and stop it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="stores whose name holds one")
    recorded.add_option(parser)
    chosen = parser.parse_args()
    os.environ.update(make_environment())
    names = [n for n in STORES if not chosen.only or any(word in n for word in chosen.only)]
    sizes = {}
    with ExitStack() as stack:
        url = stack.enter_context(DynamoDBLocal()).url
        for size in chosen.sizes:
            rows = {name: run_visit(name, size, url) for name in names}
            sizes[str(size)] = {name: row for name, row in rows.items() if row is not None}
            report(size, sizes[str(size)])
    listed = {"read": prices.READS, "write": prices.WRITES, "as_of": prices.AS_OF}
    how = f"one visit of {REQUESTS} requests in {SECONDS} seconds"
    recorded.write(chosen.json, how, {"prices": listed, "requests": REQUESTS, "sizes": sizes})


if __name__ == "__main__":
    main()
