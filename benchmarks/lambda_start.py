"""Measure a cold start in AWS Lambda's environment, compared with boto3 alone, up to an answer.

Each start is a new Python process, with DynamoDB Local on this machine. The variants take turns,
and each is compared with boto3's start of the same round. CPU time is measured, because a busy
machine affects all other times, and peak memory. The calls of the Lambda example are counted by a
proxy, and checked: none concerns the table itself.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.frameworks import events
from tests.proxy import FaultProxy
from tests.servers import KEY, REGION, DynamoDBLocal
from tests.sessions import apps

EXAMPLE = Path(__file__).parents[1] / "examples" / "lambda_app.py"
#: The function alone: one read and one write of 1 KB.
BOTO3: Final = """
import os
import boto3
client = boto3.client("dynamodb", endpoint_url=os.environ["BEAKER_DYNAMODB_ENDPOINT_URL"])
table, key = os.environ["BEAKER_DYNAMODB_TABLE"], {"id": {"S": "sess:boto3"}}
client.get_item(TableName=table, Key=key, ConsistentRead=True)
client.put_item(TableName=table, Item={**key, "data": {"B": bytes(1000)}})
"""
#: The manager alone, without Beaker's session.
MANAGER: Final = """
from beaker_dynamodb import DynamoDBNamespaceManager
manager = DynamoDBNamespaceManager("abcd" * 8, digest_filenames=False)
manager.session_store.load()
manager["session"] = "QWRh" * 300
"""
#: The same through Beaker, without a framework.
SESSION: Final = """
from beaker.session import Session
session = Session({}, id="5e55" * 8, use_cookies=False, type="ext:dynamodb")
session["user"] = "Ada" * 300
session.save()
"""
BEAKER: Final = SESSION.replace("ext:dynamodb", "memory")
#: The example's page, and the page again with the cookie.
PAGES: Final = """
import json, os
names = {}
exec(compile(open(os.environ["EXAMPLE"]).read(), "lambda_app.py", "exec"), names)
first, second = json.loads(os.environ["EVENTS"])
answer = names["handler"](first, None)
measure()
second["cookies"] = [line.partition(";")[0] for line in answer["cookies"]]
again = names["handler"](second, None)
assert "Visits: 2." in again["body"], again
"""
#: Prints the CPU milliseconds and the peak megabytes up to the first answer. Beaker imports the
#: packages of all its backends if they are installed, as they are for the tests, and redis imports
#: OpenTelemetry; and cryptography, which takes 10 MB. A function that uses none of them has none.
FRAME: Final = """
import sys, time
sys.modules.update(dict.fromkeys(["cryptography", "redis", "sqlalchemy", "pymongo"]))
began, measured = time.process_time(), []
def measure():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    measured[:] = measured or [time.process_time() - began, int(lines["VmHWM"].split()[0]) / 1024]
%s
measure()
print(measured[0] * 1e3, measured[1])
"""
BARE: Final = "boto3 alone"
#: The code of each variant, and what it adds to the environment.
VARIANTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    BARE: (BOTO3, {}),
    "Beaker alone": (BEAKER, {}),
    "the manager alone": (MANAGER, {}),
    "a session": (SESSION, {}),
    "a session, transport = boto3": (SESSION, {"BEAKER_DYNAMODB_TRANSPORT": "boto3"}),
    "the example": (PAGES, {}),
    "the example, create_table": (PAGES, {"BEAKER_DYNAMODB_CREATE_TABLE": "true"}),
}
#: The calls of the example's first visit, and of a second one that changes the number of visits.
CALLS = ["PutItem", "GetItem", "PutItem"]


def start(proxy: FaultProxy, table: str, variant: str) -> tuple[float, float]:
    """Start a variant once; return CPU milliseconds and peak megabytes up to the first answer."""
    code, more = VARIANTS[variant]
    environment = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "BEAKER_DYNAMODB_CONNECT_TIMEOUT": "20s",
        "BEAKER_DYNAMODB_CREATE_TABLE": "false",
        "BEAKER_DYNAMODB_ENDPOINT_URL": proxy.url,
        "BEAKER_DYNAMODB_READ_TIMEOUT": "20s",
        "BEAKER_DYNAMODB_TABLE": table,
        "EVENTS": json.dumps([events.http_api("GET", "/") for _ in range(2)]),
        "EXAMPLE": str(EXAMPLE),
        "HOME": "/nonexistent",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(EXAMPLE.parents[1]),
        "SESSION_SECRET": "s3cret",
        **more,
    }
    proxy.clear()
    done = subprocess.run(  # noqa: S603  # this Python, and our own text
        [sys.executable, "-W", "ignore", "-c", FRAME % code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert code != PAGES or proxy.operations == CALLS, proxy.operations
    milliseconds, megabytes = map(float, done.stdout.split())
    return milliseconds, megabytes


def describe(values: list[float], digits: int = 2) -> str:
    """Return the median, and the range without the outermost tenths."""
    ordered, out = sorted(values), len(values) // 10
    low, high = ordered[out], ordered[-1 - out]
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def report(proxy: FaultProxy, table: str, rounds: int) -> None:
    """Print one line for each variant: medians, and the ratios to boto3's start of the round."""
    for variant in VARIANTS:
        start(proxy, table, variant)  # so that the bytecode is compiled
    measured = [
        {variant: start(proxy, table, variant) for variant in VARIANTS} for _ in range(rounds)
    ]
    print(f"{rounds} starts of each, up to the first answer; ratios to {BARE}")
    print(f"{'':28} {'CPU, ms':>20} {'ratio':>22} {'memory, MB':>11} {'ratio':>22}")
    for variant in VARIANTS:
        cpu, memory = ([one[variant][column] for one in measured] for column in (0, 1))
        to_cpu, to_memory = (
            [one[variant][column] / one[BARE][column] for one in measured] for column in (0, 1)
        )
        print(
            f"{variant:28} {describe(cpu, 0):>20} {describe(to_cpu):>22}"
            f" {statistics.median(memory):11.1f} {describe(to_memory):>22}"
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
