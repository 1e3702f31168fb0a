"""Measure import time, first request and memory of a process, compared with boto3 alone.

Every measurement is a new Python process; rounds are interleaved. The third line matters most:
Beaker imports every installed backend, so ours must cost almost nothing if it is not used.

    python -m benchmarks.startup [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import boto3

from benchmarks import recorded
from benchmarks.driven import ROOT, make_environment
from tests.servers import DynamoDBLocal

TABLE: Final = "startup"
BEAKER: Final = "import beaker.session, beaker.cache"
BOTO3: Final = """
import boto3
client = boto3.client("dynamodb", endpoint_url=URL)
client.get_item(TableName=TABLE, Key={"id": {"S": "nobody"}})
"""
OURS: Final = """
from beaker.session import Session
Session({}, id="nobody", use_cookies=False, type="ext:dynamodb", endpoint_url=URL, table=TABLE,
        transport=TRANSPORT)
"""
UNUSED: Final = "Beaker, and ours unused"
ALONE: Final = "Beaker alone"
CASES: Final[Mapping[str, str]] = {
    "Python alone": "",
    ALONE: BEAKER,
    UNUSED: f"{BEAKER}\nimport beaker_dynamodb",
    "import boto3": "import boto3",
    "boto3, first request": BOTO3,
    "ours, first request, boto3": f'TRANSPORT = "boto3"\n{OURS}',
    "ours, first request, wire": f'TRANSPORT = "wire"\n{OURS}',
}

#: Runs one case in the fresh process; prints milliseconds of CPU and wall time since its
#: first line, and its peak memory in megabytes.
FRAME: Final = """
import time
_cpu, _wall = time.process_time(), time.perf_counter()
URL, TABLE = {url!r}, {table!r}
{case}
_cpu, _wall = time.process_time() - _cpu, time.perf_counter() - _wall
_lines = dict(line.split(":") for line in open("/proc/self/status"))
print(_cpu * 1e3, _wall * 1e3, int(_lines["VmHWM"].split()[0]) / 1024)
"""


Figures = tuple[float, float, float]


def fresh(case: str, url: str, table: str) -> Figures | None:
    """Run a case in a new Python process; print the error and return None if it fails."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    text = FRAME.format(url=url, table=table, case=case)
    words = [sys.executable, "-c", text]
    done = subprocess.run(  # noqa: S603  # a list of words, written above
        words, env=environ, capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"left out: {last}")
        return None
    cpu, wall, memory = map(float, done.stdout.split())
    return cpu, wall, memory


def measure(url: str, rounds: int) -> dict[str, Any]:
    """Measure every case once a round, after a round that writes the bytecode."""
    warm = {name: fresh(case, url, TABLE) for name, case in CASES.items()}
    there = {name: CASES[name] for name, found in warm.items() if found is not None}
    found: dict[str, list[Figures]] = {name: [] for name in there}
    for _ in range(rounds):
        for name, case in there.items():
            figures = fresh(case, url, TABLE)
            assert figures is not None
            found[name].append(figures)
    pairs = list(zip(found[UNUSED], found[ALONE], strict=True))
    added = {
        kind: recorded.summarize([used[at] - without[at] for used, without in pairs])
        for at, kind in enumerate(("cpu", "wall"))
    }
    kinds = ("cpu", "wall", "megabytes")
    rows = {
        name: {
            kind: recorded.summarize(list(column))
            for kind, column in zip(kinds, zip(*rounds_of_it, strict=True), strict=True)
        }
        for name, rounds_of_it in found.items()
    }
    return {"rows": rows, "added": added}


def create(url: str) -> None:
    """Create the table, so that a first request does not have to."""
    client: Any = boto3.client("dynamodb", endpoint_url=url)
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def main() -> None:
    """Start the server, measure, and stop it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    recorded.add_option(parser)
    chosen = parser.parse_args()
    os.environ.update(make_environment())
    with ExitStack() as stack:
        url = stack.enter_context(DynamoDBLocal()).url
        create(url)
        found = measure(url, chosen.rounds)
    print(f"{'':28} {'cpu ms':>6}  10% .. 90%  {'wall ms':>7} {'MB':>4}")
    for name, row in found["rows"].items():
        cpu = row["cpu"]
        print(
            f"{name:28} {cpu['median']:6.0f}  {cpu['low']:4.0f} .. {cpu['high']:4.0f}"
            f"  {row['wall']['median']:7.0f} {row['megabytes']['median']:4.0f}"
        )
    for kind, added in found["added"].items():
        print(
            f"ours adds to an import that does not use it: {added['median']:.1f} ms of {kind}"
            f" ({added['low']:.1f} .. {added['high']:.1f})"
        )
    recorded.write(chosen.json, f"{chosen.rounds} rounds of fresh processes", found)


if __name__ == "__main__":
    main()
