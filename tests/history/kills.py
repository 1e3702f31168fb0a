"""Servers that are killed while visitors use them: gunicorn's workers, and DynamoDB Local itself.

Four gunicorns of two workers each stand for both kinds of concurrency and both transports. All of
them reach the table through a proxy that loses, repeats and delays calls, and is cut at times.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.history.checker import Violation, check
from tests.history.faults import RandomFaults
from tests.history.recorder import Op, load
from tests.history.visitors import Site, Visitor
from tests.proxy import FaultProxy
from tests.servers import DynamoDBLocal, answers, free_port

ROOT = Path(__file__).parents[2]
TABLE = "history"
CLASSES = {"gthread": ("--threads", "8"), "gevent": ()}
TRANSPORTS = ("wire", "boto3")
WORKERS = 2
VISITORS, SESSIONS = 24, 20
#: Seconds between two kills of a worker, two cuts of all connections, two kills of the table.
WORKER_KILLS, CUTS, TABLE_KILLS = 3.0, 7.0, 45.0
START_SECONDS = 180.0


@dataclass
class Outcome:
    """What a run has done, and what it has found."""

    seed: int
    seconds: float = 0.0
    operations: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return json.dumps(vars(self), indent=2)


def run(seconds: float, seed: int, folder: Path) -> Outcome:
    """Let visitors use the site for so long, kill and cut meanwhile, and check the history."""
    outcome, rng = Outcome(seed), random.Random(seed)
    (folder / "table").mkdir()
    (folder / "old-sessions" / "container_file").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        local = DynamoDBLocal(data=folder / "table")
        local.start(within=START_SECONDS)
        stack.callback(local.stop)
        _create_table(local)
        proxy = stack.enter_context(FaultProxy(local.url))
        faults = RandomFaults(proxy, seed)
        proxy.next(faults, times=None)
        masters = dict(stack.enter_context(_serve(proxy.url, folder)))
        began = time.monotonic()
        site = Site(tuple(masters.values()), [0] * SESSIONS, began + seconds)
        visitors = [Visitor(site, f"v{number}", seed, folder) for number in range(VISITORS)]
        for visitor in visitors:
            visitor.start()
        _kill_until(site.until, rng, outcome, local, proxy, list(masters))
        for visitor in visitors:
            visitor.join()
        outcome.seconds = round(time.monotonic() - began, 1)
    ops = load(sorted(folder.glob("v*.jsonl")))
    _report(outcome, ops, check(ops), site, faults)
    return outcome


def _report(
    outcome: Outcome, ops: list[Op], violations: list[Violation], site: Site, faults: RandomFaults
) -> None:
    outcome.operations = dict(Counter(f"{op.kind} {op.outcome}" for op in ops).most_common())
    outcome.answers = dict(site.answers.most_common())
    outcome.faults = dict(faults.met.most_common())
    outcome.foreign = dict(site.foreign)
    outcome.violations = [str(violation) for violation in violations]


def _kill_until(
    until: float,
    rng: random.Random,
    outcome: Outcome,
    local: DynamoDBLocal,
    proxy: FaultProxy,
    masters: list[int],
) -> None:
    """Kill workers, cut connections and kill the table, each in its own rhythm."""
    now = time.monotonic()
    # A short run kills the table as well, after half of its time.
    due = {"worker": now + 1, "cut": now + 2, "table": now + min(TABLE_KILLS, (until - now) / 2)}
    while (now := time.monotonic()) < until:
        if now >= due["worker"]:
            due["worker"] = now + WORKER_KILLS * (0.5 + rng.random())
            outcome.kills["workers"] += _kill_a_worker(rng.choice(masters), rng)
        if now >= due["cut"]:
            due["cut"] = now + CUTS * (0.5 + rng.random())
            proxy.cut()
            time.sleep(rng.random() * 0.3)
            proxy.mend()
            outcome.kills["cuts"] += 1
        if now >= due["table"]:
            local.kill()
            local.start(within=START_SECONDS)
            due["table"] = time.monotonic() + TABLE_KILLS * (0.5 + rng.random())
            outcome.kills["DynamoDB Local"] += 1
        time.sleep(0.05)


def _kill_a_worker(master: int, rng: random.Random) -> int:
    """Kill one worker of a gunicorn that was started here; return how many were killed."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    if not children:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(rng.choice(children)), signal.SIGKILL)
        return 1
    return 0


@contextlib.contextmanager
def _serve(url: str, folder: Path) -> Iterator[dict[int, int]]:
    """Start the gunicorns, and give the port of each by the process id of its master."""
    found: dict[int, int] = {}
    with contextlib.ExitStack() as stack:
        for kind, words in CLASSES.items():
            for transport in TRANSPORTS:
                port, log = free_port(), folder / f"{kind}-{transport}.log"
                command = [sys.executable, "-m", "gunicorn", "tests.history.web:application"]
                command += ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS)]
                command += ["-k", kind, *words, "--timeout", "120", "--log-level", "critical"]
                options = make_options(url, transport, folder)
                environ = {**os.environ, "HISTORY": json.dumps(options)}
                with log.open("wb") as file:
                    master = subprocess.Popen(
                        command, cwd=ROOT, env=environ, stdout=file, stderr=file
                    )
                stack.callback(master.wait)
                stack.callback(master.terminate)
                found[master.pid] = port
        deadline = time.monotonic() + START_SECONDS
        for port in found.values():
            while not answers(f"http://127.0.0.1:{port}", timeout=10):
                if time.monotonic() > deadline:
                    raise RuntimeError("gunicorn did not start")
                time.sleep(0.1)
        yield found


def make_options(url: str, transport: str, folder: Path) -> dict[str, Any]:
    """Return Beaker's options; `migrate_from` makes each logout leave a tombstone."""
    return {
        "type": "ext:dynamodb",
        "endpoint_url": url,
        "region": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        "table": TABLE,
        "transport": transport,
        "read_timeout": "1",  # less than a late write takes
        "connect_timeout": "2",
        "max_attempts": "3",
        "touch_after": "0",
        "timeout": "86400",
        "special_keys": "user",
        "index_special_keys": "user",
        "migrate_from": "file",
        "migrate_from.data_dir": str(folder / "old-sessions"),
    }


def _create_table(local: DynamoDBLocal) -> None:
    client = local.server.client()
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "user")
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "user-index",
                "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()
