"""Measure a cold start of the Lambda example: import, first request, second request.

Each start is a new Python process, with DynamoDB Local on this machine. The variants take turns
in one run. CPU time is measured, because a busy machine affects all other times. The calls are
counted by a proxy, and checked: none concerns the table itself.

    python -m benchmarks.lambda_start [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import uuid
from pathlib import Path

from tests.frameworks import events
from tests.proxy import FaultProxy
from tests.servers import KEY, REGION, DynamoDBLocal
from tests.sessions import apps

EXAMPLE = Path(__file__).parents[1] / "examples" / "lambda_app.py"
#: The code of one start: the page, and the page again with the cookie.
START = """
import json, sys, time
began = time.process_time()
names = {}
exec(compile(sys.stdin.read(), "lambda_app.py", "exec"), names)
imported = time.process_time()
first, second = (json.loads(text) for text in sys.argv[1:])
answer = names["handler"](first, None)
answered = time.process_time()
second["cookies"] = [line.partition(";")[0] for line in answer["cookies"]]
again = names["handler"](second, None)
ended = time.process_time()
assert "Visits: 2." in again["body"], again
print(json.dumps([imported - began, answered - imported, ended - answered]))
"""
EAGER = "import boto3.session"
#: The example's source and `create_table` of each variant.
VARIANTS = {
    "unchanged": (True, "false"),
    "create_table = true": (True, "true"),
    "boto3 at the first request": (False, "false"),
}
#: The calls of a first visit, and of a second one that changes the number of visits.
CALLS = ["PutItem", "GetItem", "PutItem"]


def start(proxy: FaultProxy, table: str, variant: str) -> list[float]:
    """Start the function once; return the CPU seconds of import, first and second request."""
    eager, create_table = VARIANTS[variant]
    lines = EXAMPLE.read_text("utf-8").splitlines()
    source = "\n".join(line for line in lines if eager or not line.startswith(EAGER))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "BEAKER_DYNAMODB_CREATE_TABLE": create_table,
        "BEAKER_DYNAMODB_ENDPOINT_URL": proxy.url,
        "BEAKER_DYNAMODB_TABLE": table,
        "SESSION_SECRET": "s3cret",
    }
    visits = [json.dumps(events.http_api("GET", "/")) for _ in range(2)]
    proxy.clear()
    done = subprocess.run(  # noqa: S603  # this Python, and our own text
        [sys.executable, "-c", START, *visits],
        input=source,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert proxy.operations == CALLS, proxy.operations
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def report(proxy: FaultProxy, table: str, rounds: int) -> None:
    """Print one line for each variant: medians, and the spread up to the first response."""
    for variant in VARIANTS:
        start(proxy, table, variant)  # so that the bytecode is compiled
    measured: dict[str, list[list[float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant, starts in measured.items():
            starts.append(start(proxy, table, variant))
    print(
        f"{rounds} starts each; medians in milliseconds of CPU; calls of each: {', '.join(CALLS)}"
    )
    print(f"{'':28} {'import':>7} {'first':>7} {'second':>7}  first answer after")
    for variant, starts in measured.items():
        each = [statistics.median(column) * 1e3 for column in zip(*starts, strict=True)]
        whole = sorted((one[0] + one[1]) * 1e3 for one in starts)
        middle = statistics.median(whole)
        print(
            f"{variant:28} {each[0]:7.0f} {each[1]:7.0f} {each[2]:7.1f}"
            f"  {middle:.0f} ({whole[0]:.0f} to {whole[-1]:.0f})"
        )


def main() -> None:
    """Start DynamoDB Local and the proxy, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with DynamoDBLocal() as local, FaultProxy(local.url) as proxy:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ[name] = KEY
        table = f"lambda-{uuid.uuid4().hex}"
        apps.make_table(local.url, table)
        report(proxy, table, rounds)


if __name__ == "__main__":
    main()
