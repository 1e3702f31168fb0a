"""A real gunicorn that forks after the client was used: everybody sees their own session only."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.prefork import servers
from tests.servers import Flavor, Server, answers, free_port

ROOT = Path(__file__).parents[1]
WORKERS, CLIENTS, TRIES = 4, 64, 8
THREADS = ("--worker-class", "gthread", "--threads", "8")
CLASSES = {
    "sync": ("--worker-class", "sync"),
    "gthread": THREADS,
}
GEVENT = ("--worker-class", "gevent")


@contextlib.contextmanager
def gunicorn(folder: Path, orders: dict[str, Any], *words: str) -> Iterator[int]:
    """Serve the application with real workers on a free port; only this master is ended."""
    port = free_port()
    log = folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "tests.prefork.app:application"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--timeout", "60"]
    command += ["--no-control-socket"] if _has_control_socket() else []
    environ = {**os.environ, "PREFORK": json.dumps(orders)}
    with log.open("wb") as out:
        master = subprocess.Popen([*command, *words], cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://127.0.0.1:{port}", timeout=10):
            if master.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"gunicorn did not start: {log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield port
    finally:
        master.terminate()
        master.wait(timeout=30)


def _has_control_socket() -> bool:
    from gunicorn.config import KNOWN_SETTINGS

    return any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS)


def load(port: int, requests: int) -> dict[str, Any]:
    """Put the load on it, from another process, and return what it found."""
    command = [sys.executable, "-m", "tests.prefork.load", str(port), str(CLIENTS), str(requests)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def orders(dynamodb_local: str, table_name: str) -> dict[str, Any]:
    """Give what the application is told: use the client before the fork, and share nothing."""
    client = Server(dynamodb_local, Flavor.LOCAL).client()
    client.create_table(
        TableName=table_name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()
    options = {
        "type": "ext:dynamodb",
        "endpoint_url": dynamodb_local,
        "table": table_name,
        "read_timeout": "10",  # a slow machine is no outage
    }
    return {"options": options, "used": True, "shared": False}


def everybody_sees_their_own(
    folder: Path, orders: dict[str, Any], requests: int, *words: str
) -> None:
    """Serve, put the load on it, and see that no page held anything but its own client's."""
    with gunicorn(folder, orders, *words) as port:
        found = load(port, requests)

    print(f"{' '.join(words)}: {found}")
    log = (folder / "gunicorn.log").read_text()[-3000:]
    assert found["crossed"] == found["lost"] == found["errors"] == 0, (found, log)
    assert found["requests"] >= requests
    assert found["pids"] == WORKERS


@pytest.mark.parametrize("workers", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize(
    "requests", [2000, pytest.param(20_000, marks=pytest.mark.long)], ids=["2000", "20000"]
)
def test_preforked_workers_never_mix_up_sessions(
    tmp_path: Path, orders: dict[str, Any], workers: tuple[str, ...], requests: int
) -> None:
    """64 clients, 4 workers forked after the parent's client was used: no cross-talk."""
    everybody_sees_their_own(tmp_path, orders, requests, "--preload", *workers)


@pytest.mark.parametrize("before", [("--preload",), ()], ids=["before-patching", "after-patching"])
@pytest.mark.parametrize(
    "requests", [1000, pytest.param(20_000, marks=pytest.mark.long)], ids=["1000", "20000"]
)
def test_greenlets_never_mix_up_sessions(
    tmp_path: Path, orders: dict[str, Any], before: tuple[str, ...], requests: int
) -> None:
    """Under gevent the application is imported before or after the patching, boto3 always after."""
    everybody_sees_their_own(tmp_path, {**orders, "used": False}, requests, *before, *GEVENT)


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        *((name, 500) for name in servers.QUICK),
        *(pytest.param(name, 4000, marks=pytest.mark.long) for name in servers.ALL),
    ],
)
def test_no_web_server_mixes_up_sessions(
    tmp_path: Path, orders: dict[str, Any], name: str, requests: int
) -> None:
    """Each client's counter is right under every server, and nobody is shown another one's."""
    server = servers.ALL[name]
    used = server.processes > 1 and "gevent" not in name
    with servers.serve(server, tmp_path, {**orders, "used": used}) as port:
        found = load(port, requests)
    log = (tmp_path / "server.log").read_text()

    print(f"{name}: {found}")
    assert found["crossed"] == found["lost"] == found["errors"] == 0, (found, log[-3000:])
    assert found["requests"] >= requests
    assert found["pids"] == server.processes
    assert "AssertionError" not in log, log[-3000:]


@pytest.mark.parametrize("workers", CLASSES.values(), ids=CLASSES)
def test_the_load_finds_clients_that_cross_a_fork(
    tmp_path: Path, orders: dict[str, Any], workers: tuple[str, ...]
) -> None:
    """Without the process id in the client's key the same load meets strangers, or broken pages.

    A shared connection breaks at its first clash, and then each worker has its own: so a server
    has one moment to show it, and gets a few tries.
    """
    # One attempt, and little patience: the SDK would hide most of what goes wrong.
    options = {**orders["options"], "max_attempts": "1", "read_timeout": "2"}
    shared = {**orders, "options": options, "shared": True}
    with gunicorn(tmp_path, {**shared, "shared": False}, "--preload", *workers) as port:
        found = load(port, 256)
    assert found["crossed"] + found["lost"] + found["errors"] == 0
    wrong = 0
    for _ in range(TRIES):
        with gunicorn(tmp_path, shared, "--preload", *workers) as port:
            found = load(port, 256)
        print(found)
        wrong = found["crossed"] + found["lost"] + found["errors"]
        if wrong:
            break

    assert wrong > 0
