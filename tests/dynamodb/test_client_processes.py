"""Each process has its own client, however it forks and whenever gevent patches."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import beaker_dynamodb
from tests.dynamodb.clients import get_boto3_client, get_client
from tests.dynamodb.doubles import run_in_child
from tests.sessions import apps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("forgotten", [False, True])
def test_each_forked_child_has_a_client_of_its_own(
    forgotten: bool, dynamodb_local: str, alice: str
) -> None:
    """Children that shared a socket would read each other's sessions.

    This also holds for a manager that was created before a `reset()`.
    """
    manager = apps.manager(dynamodb_local, alice, "alice")
    if forgotten:
        beaker_dynamodb.reset()
    assert manager["session"] == "text"
    before = get_boto3_client(manager)

    def child() -> tuple[bool, str]:
        return get_boto3_client(manager) is before, manager["session"]

    results = [run_in_child(child) for _ in range(2)]

    assert results == [(False, "text")] * 2
    assert get_boto3_client(manager) is before
    assert manager["session"] == "text"


@pytest.mark.parametrize("transport", ["boto3", "wire"])
def test_a_child_forked_in_c_has_a_client_of_its_own(
    transport: str, dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork by uWSGI runs no callback of Python. The first call of the child notices it."""
    manager = apps.manager(dynamodb_local, alice, "alice", transport=transport)
    assert manager["session"] == "text"
    before = get_boto3_client(manager)
    monkeypatch.setattr(os, "fork", ctypes.PyDLL(None).fork)

    result = run_in_child(lambda: (manager["session"], get_boto3_client(manager) is before))

    assert result == ("text", False)
    assert get_boto3_client(manager) is before
    assert manager["session"] == "text"


@pytest.fixture
def held() -> Iterator[Callable[[threading.Lock], None]]:
    """Return a function that lets another thread hold a lock until the test ends."""
    done, threads = threading.Event(), list[threading.Thread]()

    def hold(lock: threading.Lock) -> None:
        has_it = threading.Event()

        def work() -> None:
            with lock:
                has_it.set()
                done.wait(30)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        has_it.wait(10)

    yield hold
    done.set()
    for thread in threads:
        thread.join()


def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_held(
    held: Callable[[threading.Lock], None], dynamodb_local: str, alice: str
) -> None:
    """Another thread held the lock of the client when the child was forked."""
    manager = apps.manager(dynamodb_local, alice, "alice", connect_timeout="21s")
    held(get_client(manager)._lock)

    assert run_in_child(lambda: manager["session"], within=10) == "text"


GREENLETS = """
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
import types

def factory():
    import gevent
    gevent.sleep(0.1)  # credentials over the network
    return types.SimpleNamespace(get_item=lambda **request: {"ConsumedCapacity": {}})

client = Client(Connection(client=factory))
from gevent import monkey
monkey.patch_all()
import gevent
calls = [gevent.spawn(client.call, "GetItem", {"TableName": "t"}) for _ in range(3)]
print(len(gevent.joinall(calls, timeout=20)), all(call.successful() for call in calls))
"""


def test_greenlets_can_use_a_client_that_is_older_than_the_patching() -> None:
    """A lock from before `patch_all()`, held during creation, would stop all greenlets."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GREENLETS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("3 True\n", 0)
