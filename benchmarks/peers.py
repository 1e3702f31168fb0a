"""Measure CPU time, calls, units and bytes of a load and a save, in ours and in other stores.

All use one DynamoDB Local, and each store has a process of its own. Rounds are interleaved; ratios
are to the bare boto3 client of the same round. The first run installs the other stores into
`.cache/peers`.

    python -m benchmarks.peers [--rounds 10] [--calls 100] [--sizes 300 1500] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from typing import Any, Final

from benchmarks import recorded
from benchmarks.driven import (
    Contender,
    UnavailableError,
    count_item_bytes,
    make_environment,
    memcached,
    redis_server,
)
from benchmarks.meter import Meter
from benchmarks.visitors import SIZES, make_session
from tests.servers import DynamoDBLocal

OURS: Final = {"store": "beaker", "type": "ext:dynamodb"}
JSON: Final = {"data_serializer": "json"}
BARE: Final = "boto3 client, bare"
DYNAMODB: Final[Mapping[str, dict[str, Any]]] = {
    BARE: {"store": "bare", "way": "client"},
    "boto3 Table, bare": {"store": "bare", "way": "table"},
    "aiodynamo client, bare": {"store": "aiodynamo"},
    "ours, wire, pickle": {**OURS, "options": {"transport": "wire"}},
    "ours, wire, json": {**OURS, "options": {"transport": "wire", **JSON}},
    "ours, wire, compress = fast": {**OURS, "options": {"transport": "wire", "compress": "fast"}},
    "ours, wire, not compressed": {**OURS, "options": {"transport": "wire", "compress": False}},
    "ours, boto3, pickle": {**OURS, "options": {"transport": "boto3"}},
    "ours, boto3, json": {**OURS, "options": {"transport": "boto3", **JSON}},
    "cachelib, pickle": {"store": "cachelib"},
    "Flask-Session, msgpack": {"store": "flask", "format": "msgpack"},
    "Flask-Session, json": {"store": "flask", "format": "json"},
    "pyramid-dynamodb-sessions, json": {"store": "pyramid"},
    "connect-dynamodb (Node), json": {"store": "node"},
}
ACTIONS: Final = ("load", "save")


def beaker_backends(
    memcached_port: int | None, redis_port: int | None
) -> dict[str, dict[str, Any]]:
    """Return Beaker's own backends with their real servers, for comparison."""
    named: dict[str, dict[str, Any]] = {"Beaker file, pickle": {"store": "beaker", "type": "file"}}
    for kind, url in (
        ("ext:memcached", memcached_port and f"127.0.0.1:{memcached_port}"),
        ("ext:redis", redis_port and f"redis://127.0.0.1:{redis_port}/0"),
    ):
        if url:
            options = {"url": url}
            named[f"Beaker {kind}, pickle"] = {"store": "beaker", "type": kind, "options": options}
    return named


@contextmanager
def start_contenders(
    orders: Mapping[str, dict[str, Any]], endpoint: str
) -> Iterator[dict[str, Contender]]:
    """Start a contender for each order, and stop them at the end."""
    there: dict[str, Contender] = {}
    try:
        for name, order in orders.items():
            with suppress(UnavailableError):  # the reason was printed
                there[name] = Contender(name, order, endpoint)
        yield there
    finally:
        for contender in there.values():
            contender.end()


def measure_charges(name: str, order: dict[str, Any], url: str, size: int) -> dict[str, Any]:
    """Count the calls and units of one load and one save, through the metering proxy."""
    found: dict[str, Any] = {}
    with Meter(url) as meter, start_contenders({name: order}, meter.url) as there:
        stored = there[name].ask("open", values=make_session(size))["stored"]
        found["stored"] = count_item_bytes(url, there[name].table) if stored is None else stored
        for action in ACTIONS:
            there[name].ask(
                action, calls=1
            )  # so that the extra work of a first call is not counted
            meter.take()
            there[name].ask(action, calls=1)
            found[action] = asdict(meter.take()) if stored is None else None
    return found


def open_session(name: str, contender: Contender, size: int, calls: int) -> bool:
    """Store a session and warm the contender up; print the reason and return False on failure."""
    try:
        contender.ask("open", values=make_session(size))
        for action in ACTIONS:
            contender.ask(action, calls=calls)
    except UnavailableError as error:
        print(f"left out: {name}: {error}")
        return False
    return True


def run_rounds(ready: Mapping[str, Contender], action: str, count: int, calls: int) -> Timed:
    """Time every contender once a round; the order rotates, so that no one is always first."""
    times: Timed = {name: [] for name in ready}
    names = list(ready)
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            took = ready[name].ask(action, calls=calls)
            times[name].append((took["cpu"] / calls * 1e6, took["wall"] / calls * 1e6))
    return times


Timed = dict[str, list[tuple[float, float]]]


def summarize_times(times: Timed) -> dict[str, Any]:
    """Return medians, spreads, and ratios to the bare client, of the rounds of one action."""
    bare = [cpu for cpu, _ in times[BARE]]
    return {
        name: {
            "cpu": recorded.summarize([cpu for cpu, _ in pairs]),
            "wall": recorded.summarize([wall for _, wall in pairs]),
            "ratio": recorded.summarize([cpu / b for (cpu, _), b in zip(pairs, bare, strict=True)]),
        }
        for name, pairs in times.items()
    }


def report(size: int, found: dict[str, Any]) -> None:
    """Print one size's table."""
    print(f"\na session of {size} bytes of JSON; microseconds a call, medians")
    print(
        f"{'':32} {'':4} {'cpu':>6} {'to bare':>7}  10% .. 90%   {'wall':>6} calls  RU   WU  bytes"
    )
    for action in ACTIONS:
        for name, row in found[action].items():
            ratio, paid = row["ratio"], row["charges"] or {}
            print(
                f"{name:32} {action} {row['cpu']['median']:6.0f} {ratio['median']:7.2f}"
                f"  {ratio['low']:4.2f} .. {ratio['high']:4.2f} {row['wall']['median']:7.0f}"
                f" {paid.get('calls', ''):>5} {paid.get('read_units', ''):>4}"
                f" {paid.get('write_units', ''):>4} {row['stored']:6}"
            )


def measure(size: int, orders: Mapping[str, Any], url: str, count: int, calls: int) -> Any:
    """Measure one size: first which stores work and what they are charged, then the rounds."""
    with start_contenders(orders, url) as there:
        ready = {name: one for name, one in there.items() if open_session(name, one, size, calls)}
        if BARE not in ready:
            raise SystemExit("without the bare client there is nothing to compare with")
        paid = {name: measure_charges(name, orders[name], url, size) for name in ready}
        found = {
            action: summarize_times(run_rounds(ready, action, count, calls)) for action in ACTIONS
        }
    for action in ACTIONS:
        for name, row in found[action].items():
            row |= {"stored": paid[name]["stored"], "charges": paid[name][action]}
    return found


def main() -> None:
    """Start the servers, measure each size, and stop the servers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="stores whose name holds one")
    recorded.add_option(parser)
    chosen = parser.parse_args()
    os.environ.update(make_environment())
    with ExitStack() as stack:
        url = stack.enter_context(DynamoDBLocal()).url
        ports = stack.enter_context(memcached()), stack.enter_context(redis_server())
        orders = {**DYNAMODB, **beaker_backends(*ports)}
        if chosen.only:
            wanted = (*chosen.only, BARE)
            orders = {k: v for k, v in orders.items() if any(word in k for word in wanted)}
        sizes = {}
        for size in chosen.sizes:
            sizes[str(size)] = measure(size, orders, url, chosen.rounds, chosen.calls)
            report(size, sizes[str(size)])
    how = f"{chosen.rounds} interleaved rounds of {chosen.calls} calls"
    recorded.write(chosen.json, how, {"sizes": sizes})


if __name__ == "__main__":
    main()
