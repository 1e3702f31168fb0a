"""Many processes, the same sessions, and faults: afterwards no law of sessions is broken.

`DYNAMODB_HISTORY_SECONDS` and `DYNAMODB_HISTORY_SEED` make it longer, or another.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.history.checker import LOST, Violation, check
from tests.history.faults import RandomFaults
from tests.history.recorder import Op, load
from tests.history.worker import WIDTH, Orders
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server

SECONDS = float(os.environ.get("DYNAMODB_HISTORY_SECONDS") or 20)
SEED = int(os.environ.get("DYNAMODB_HISTORY_SEED") or 1)
ROOT = Path(__file__).parents[1]
PROCESSES, CLIENTS, SESSIONS = 8, 2, 20
#: Seconds until a client gives up: less than a late write takes.
PATIENCE = 1.0


def stress(url: str, table: str, folder: Path, seed: int, seconds: float, **more: str) -> list[Op]:
    """Let the processes loose on the table, and return what all of them have recorded."""
    (folder / "slots").write_bytes(bytes(SESSIONS * WIDTH))
    options = {
        "type": "ext:dynamodb",
        "endpoint_url": url,
        "table": table,
        "read_timeout": str(PATIENCE),
        "max_attempts": "2",  # so that some outcomes stay unknown
        "touch_after": "0",
        "timeout": "3600",
        "special_keys": "user",
        "index_special_keys": "user",
        **more,
    }
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(PROCESSES):
            orders = Orders(number, CLIENTS, SESSIONS, seed, seconds, str(folder), options)
            command = [sys.executable, "-m", "tests.history.worker", orders.text]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.close()
        assert [process.wait() for process in processes] == [0] * PROCESSES
        for process in processes:
            assert process.stdout is not None
            process.stdout.close()
    return load(sorted(folder.glob("*.jsonl")))


@pytest.fixture
def table(dynamodb_local: str, table_name: str) -> str:
    """Make the table; how it is made under faults is another test's matter."""
    client = Server(dynamodb_local, Flavor.LOCAL).client()
    client.create_table(
        TableName=table_name,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "user")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "user-index",
                "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()
    return table_name


def keeps_every_law(
    url: str, table: str, folder: Path, seed: int, seconds: float
) -> tuple[list[Op], list[Violation]]:
    """Let the processes loose under faults; return what they did, and which laws are broken."""
    with FaultProxy(url) as proxy:
        faults = RandomFaults(proxy, seed)
        proxy.next(faults, times=None)
        ops = stress(proxy.url, table, folder, seed, seconds)
    violations = check(ops)
    print(f"seed {seed}: {summary(ops)}; faults {dict(faults.met)}; {len(violations)} violations")
    return ops, violations


def summary(ops: list[Op]) -> str:
    """Say how much was done."""
    kinds = Counter(f"{op.kind} {op.outcome}" for op in ops)
    return f"{len(ops)} operations, {len({op.session for op in ops})} sessions, {dict(kinds)}"


def shortest(violations: list[Violation]) -> str:
    """Print the shortest history that breaks a law, and how many there are."""
    return f"{len(violations)} violations; the shortest is\n{violations[0]}" if violations else ""


def test_no_law_of_sessions_is_broken_under_faults(
    dynamodb_local: str, table: str, tmp_path: Path
) -> None:
    """8 processes, 20 sessions: no change lost, nothing backwards, nobody back after a logout."""
    ops, violations = keeps_every_law(dynamodb_local, table, tmp_path, SEED, SECONDS)

    assert not violations, shortest(violations)
    # Enough calls were broken, and the sessions were busy enough, to prove anything.
    assert len({op.client.partition(".")[0] for op in ops}) == PROCESSES
    outcomes = Counter((op.kind, op.outcome) for op in ops)
    assert outcomes["write", "ok"] > SESSIONS
    assert outcomes["logout", "ok"]
    assert outcomes["end", "ok"]
    assert any(outcome == "unknown" for _, outcome in outcomes)


def test_the_check_finds_lost_updates(dynamodb_local: str, table: str, tmp_path: Path) -> None:
    """With on_conflict=overwrite there are some: the check can fail."""
    seconds = min(SECONDS, 6.0)
    ops = stress(dynamodb_local, table, tmp_path, SEED, seconds, on_conflict="overwrite")
    violations = check(ops)

    assert LOST in {violation.law for violation in violations}
    print(f"{summary(ops)}; {shortest(violations)}")


@pytest.mark.long
@pytest.mark.parametrize("seed", [SEED + 1, SEED + 2, SEED + 3])
def test_no_law_is_broken_for_longer(
    dynamodb_local: str, table: str, tmp_path: Path, seed: int
) -> None:
    """The same under three other seeds, three times as long."""
    _, violations = keeps_every_law(dynamodb_local, table, tmp_path, seed, SECONDS * 3)

    assert not violations, shortest(violations)
