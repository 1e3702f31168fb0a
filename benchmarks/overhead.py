"""Measure the CPU time of the manager's load and save, compared with bare boto3, by transport.

Both transfer the same bytes to the same DynamoDB Local, interleaved in one run. The ratio of a
round compares neighbors in time; the spread over the rounds says how reliable it is.

    python -m benchmarks.overhead [--rounds 20] [--calls 200] [--transport wire] [--json FILE]
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import boto3.session
from beaker.util import PickleSerializer
from botocore.config import Config

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.errors import OptionError
from benchmarks import recorded, visitors
from tests.servers import DynamoDBLocal

SIZES = visitors.SIZES
TRANSPORTS = ("boto3", "wire", "auto")
Pair = tuple[Callable[[], object], Callable[[], object]]


def session_texts(size: int) -> tuple[str, str]:
    """Return two texts of a session of *size* bytes; one key and the access time differ."""
    now = time.time()
    values = {"_accessed_time": now, "_creation_time": now, **visitors.make_session(size)}
    later = {**values, "_accessed_time": now + 1, "visits": values["visits"] + 1}
    dumps = PickleSerializer().dumps
    first, second = (base64.b64encode(dumps(each)).decode() for each in (values, later))
    return first, second


def cpu(action: Callable[[], object], calls: int) -> float:
    """Return the microseconds of this process's CPU time that one *action* takes."""
    started = time.process_time()
    for _ in range(calls):
        action()
    return (time.process_time() - started) / calls * 1e6


def pairs(url: str, table: str, size: int, transport: str) -> dict[str, Pair]:
    """Return the actions to compare, ours and the bare ones: a load, and saves by `compress`."""
    config = Config(
        connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
    )
    client = boto3.session.Session().client("dynamodb", endpoint_url=url, config=config)
    options = {"endpoint_url": url, "table": table, "digest_filenames": False, "timeout": 3720}
    options["transport"] = transport
    load, save = make_pairs(client, options, size)
    _, fast = make_pairs(client, {**options, "compress": "fast"}, size)
    _, plain = make_pairs(client, {**options, "compress": False}, size)
    return {"load": load, "save": save, "fast": fast, "plain": plain}


def make_pairs(client: Any, options: dict[str, Any], size: int) -> tuple[Pair, Pair]:
    """Store a session through the manager; return its loads and saves, ours and the bare ones."""
    texts, ident, table = session_texts(size), secrets.token_hex(16), options["table"]
    DynamoDBNamespaceManager(ident, **options)["session"] = texts[0]
    key = {"id": {"S": f"sess:{ident}"}}
    stored = client.get_item(TableName=table, Key=key)["Item"]
    turn = iter(range(10**9))

    def load() -> None:
        assert DynamoDBNamespaceManager(ident, **options)["session"] in texts

    def bare_load() -> None:
        reply = client.get_item(TableName=table, Key=key, ConsistentRead=True)
        assert "data" in reply["Item"]

    def save() -> None:
        # Saves a change of a loaded session: the decision, the codec and the put.
        saver["session"] = texts[next(turn) % 2]

    def bare_save() -> None:
        client.put_item(TableName=table, Item=stored)

    saver = DynamoDBNamespaceManager(ident, **options)
    saver["session"]
    return (load, bare_load), (save, bare_save)


def measure(pair: Pair, rounds: int, calls: int) -> dict[str, Any]:
    """Time both actions, one after the other, round by round."""
    ours, bare = pair
    cpu(ours, 20), cpu(bare, 20)
    found = [
        (cpu(ours, calls), cpu(bare, calls))
        if n % 2
        else (cpu(bare, calls), cpu(ours, calls))[::-1]
        for n in range(rounds)
    ]
    manager, client = (recorded.summarize(list(column)) for column in zip(*found, strict=True))
    return {
        "manager": manager,
        "boto3": client,
        "ratio": recorded.summarize([a / b for a, b in found]),
    }


def report(url: str, rounds: int, calls: int, transports: Sequence[str]) -> list[dict[str, Any]]:
    """Print and return a row for each transport, size and action: both times, and the ratio."""
    print(f"{rounds} rounds of {calls} calls; microseconds of CPU a call, medians")
    print(f"{'':9} {'bytes':>6} {'':5} {'manager':>8} {'boto3':>6} {'ratio':>6}  10% .. 90%")
    rows = []
    for transport in transports:
        table = f"overhead-{transport}-{secrets.token_hex(4)}"
        for size in SIZES:
            try:
                actions = pairs(url, table, size, transport)
            except OptionError as error:
                print(f"left out: {error}")
                break
            for action, pair in actions.items():
                row = measure(pair, rounds, calls)
                rows.append({"transport": transport, "size": size, "action": action, **row})
                ratio = row["ratio"]
                print(
                    f"{transport:9} {size:6} {action:5} {row['manager']['median']:8.0f}"
                    f" {row['boto3']['median']:6.0f} {ratio['median']:6.2f}"
                    f"  {ratio['low']:.2f} .. {ratio['high']:.2f}"
                )
    return rows


def main() -> None:
    """Run against the given server, or one that is started for the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--url", help="a DynamoDB Local that runs already")
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=TRANSPORTS[:2])
    recorded.add_option(parser)
    chosen = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "benchmark")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with ExitStack() as stack:
        url = chosen.url or stack.enter_context(DynamoDBLocal()).url
        rows = report(url, chosen.rounds, chosen.calls, chosen.transport)
    how = f"{chosen.rounds} interleaved rounds of {chosen.calls} calls"
    recorded.write(chosen.json, how, {"rows": rows})


if __name__ == "__main__":
    main()
