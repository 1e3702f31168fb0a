"""CPU time of a session's load and save through the manager, against bare boto3.

Both carry the same bytes to the same DynamoDB Local, interleaved in one run; a round's ratio
compares neighbors in time, and the spread over the rounds says how far to trust it.

    python -m benchmarks.overhead [--rounds 20] [--calls 200] [--url http://127.0.0.1:8000]
        [--transport boto3|wire|auto]
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import boto3.session
from beaker.util import PickleSerializer
from botocore.config import Config

from beaker_dynamodb import DynamoDBNamespaceManager
from tests.servers import DynamoDBLocal

SIZES = (300, 1_500, 6_000)


def session_texts(size: int) -> tuple[str, str]:
    """Write two sessions of about *size* bytes as Beaker does; one key differs, and the time."""
    now = time.time()
    filling = {f"key{n}": secrets.token_hex(20) for n in range(max(1, (size - 120) // 50))}
    values = {"_accessed_time": now, "_creation_time": now, **filling, "visits": 1}
    later = {**values, "_accessed_time": now + 1, "visits": 2}
    dumps = PickleSerializer().dumps
    first, second = (base64.b64encode(dumps(each)).decode() for each in (values, later))
    return first, second


def cpu(action: Callable[[], object], calls: int) -> float:
    """Return the microseconds of this process's CPU time that one *action* takes."""
    started = time.process_time()
    for _ in range(calls):
        action()
    return (time.process_time() - started) / calls * 1e6


def pairs(
    url: str, table: str, size: int, transport: str
) -> dict[str, tuple[Callable[[], object], ...]]:
    """Make what is compared: for load and save, ours and the bare client's."""
    config = Config(
        connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
    )
    client = boto3.session.Session().client("dynamodb", endpoint_url=url, config=config)
    options = {"endpoint_url": url, "table": table, "digest_filenames": False, "timeout": 3720}
    options["transport"] = transport
    texts, ident = session_texts(size), secrets.token_hex(16)
    DynamoDBNamespaceManager(ident, **options)["session"] = texts[0]
    stored = client.get_item(TableName=table, Key={"id": {"S": f"sess:{ident}"}})["Item"]
    turn = iter(range(10**9))

    def load() -> None:
        assert DynamoDBNamespaceManager(ident, **options)["session"] in texts

    def bare_load() -> None:
        key = {"id": {"S": f"sess:{ident}"}}
        reply = client.get_item(TableName=table, Key=key, ConsistentRead=True)
        assert "data" in reply["Item"]

    def save() -> None:
        # A manager of a session that was loaded, saving a change: the plan, the codec, the put.
        saver["session"] = texts[next(turn) % 2]

    def bare_save() -> None:
        client.put_item(TableName=table, Item=stored)

    saver = DynamoDBNamespaceManager(ident, **options)
    saver["session"]
    return {"load": (load, bare_load), "save": (save, bare_save)}


def report(url: str, rounds: int, calls: int, transport: str) -> None:
    """Print one line a size and action: both times, and the ratio with its spread."""
    table = "overhead" + secrets.token_hex(4)
    print(f"{transport}, {rounds} rounds of {calls} calls; microseconds of CPU a call, medians")
    print(f"{'bytes':>6} {'':5} {'manager':>8} {'boto3':>8} {'ratio':>6}  10% .. 90% of rounds")
    for size in SIZES:
        for name, (ours, bare) in pairs(url, table, size, transport).items():
            cpu(ours, 20), cpu(bare, 20)
            measured = [
                (cpu(ours, calls), cpu(bare, calls))
                if n % 2
                else (cpu(bare, calls), cpu(ours, calls))[::-1]
                for n in range(rounds)
            ]
            ratios = sorted(a / b for a, b in measured)
            low, high = ratios[rounds // 10], ratios[-1 - rounds // 10]
            ours_us, bare_us = (statistics.median(column) for column in zip(*measured, strict=True))
            ratio = statistics.median(ratios)
            print(
                f"{size:6} {name:5} {ours_us:8.0f} {bare_us:8.0f} {ratio:6.2f}"
                f"  {low:.2f} .. {high:.2f}"
            )


def main() -> None:
    """Run against a server that is named, or one that is started for the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--url", help="a DynamoDB Local that runs already")
    parser.add_argument("--transport", choices=("boto3", "wire", "auto"), default="boto3")
    chosen = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "benchmark")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with ExitStack() as stack:
        url = chosen.url or stack.enter_context(DynamoDBLocal()).url
        report(url, chosen.rounds, chosen.calls, chosen.transport)


if __name__ == "__main__":
    main()
