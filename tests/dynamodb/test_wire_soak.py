"""Ten minutes of the wire with 32 threads, while connections are closed at random."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.exchange import Exchange
from tests.faults.fault_kinds import LoseReply, LoseRequest, ResetMidReply
from tests.proxy import FaultProxy
from tests.sessions import apps

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
THREADS = 32
KILLS = (LoseRequest(), LoseReply(), ResetMidReply())


def at_random(exchange: Exchange) -> None:
    """Fail one of 50 requests, by one of three faults."""
    if random.random() < 0.02:
        random.choice(KILLS)(exchange)
    else:
        exchange.answer(exchange.forward())


@pytest.mark.long
def test_memory_sockets_and_threads_stay_as_they_are(dynamodb_local: str, table_name: str) -> None:
    """No response is wrong, hardly any call fails, and nothing grows."""
    apps.make_table(dynamodb_local, table_name)
    done = threading.Event()
    with FaultProxy(dynamodb_local) as proxy:

        def forget() -> None:
            while not done.wait(1):
                proxy.seen.clear()
                proxy._past.clear()

        forgetting = threading.Thread(target=forget)
        forgetting.start()
        proxy.next(at_random, times=None)
        arguments = (proxy.url, table_name, str(SECONDS), str(THREADS))
        command = [
            sys.executable,
            "-W",
            "error::ResourceWarning",
            "-m",
            "tests.dynamodb.soak_process",
        ]
        ran = subprocess.run(
            [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        done.set()
        forgetting.join()
    assert ran.returncode == 0, ran.stderr[-2000:]
    result = json.loads(ran.stdout)
    print(json.dumps(result))
    early, late = result["costs"][4], result["costs"][-2]

    assert result["wrong"] == 0
    assert result["errors"] <= result["calls"] / 1000
    assert late["memory"] < early["memory"] * 1.1 + 4096
    assert late["files"] <= 3 * THREADS + 32
    assert (early["threads"], late["threads"], result["after"]["threads"]) == (33, 33, 1)
