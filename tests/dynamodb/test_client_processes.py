"""One client for each process, whatever forks and whenever gevent patches."""

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
from tests.dynamodb.clients import client_of, the_door
from tests.dynamodb.doubles import in_a_child
from tests.sessions import apps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("forgotten", [False, True])
def test_each_forked_child_has_a_client_of_its_own(
    forgotten: bool, dynamodb_local: str, alice: str
) -> None:
    """Children that share a socket read each other's sessions: here none does.

    Not even through a manager that outlived a `reset()`.
    """
    manager = apps.manager(dynamodb_local, alice, "alice")
    if forgotten:
        beaker_dynamodb.reset()
    assert manager["session"] == "text"
    before = client_of(manager)

    def child() -> tuple[bool, str]:
        return client_of(manager) is before, manager["session"]

    told = [in_a_child(child) for _ in range(2)]

    assert told == [(False, "text")] * 2
    assert client_of(manager) is before
    assert manager["session"] == "text"


@pytest.mark.parametrize("transport", ["boto3", "wire"])
def test_a_child_forked_in_c_has_a_client_of_its_own(
    transport: str, dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork by uWSGI runs none of Python's callbacks: the first call of the child notices."""
    manager = apps.manager(dynamodb_local, alice, "alice", transport=transport)
    assert manager["session"] == "text"
    before = client_of(manager)
    monkeypatch.setattr(os, "fork", ctypes.PyDLL(None).fork)

    told = in_a_child(lambda: (manager["session"], client_of(manager) is before))

    assert told == ("text", False)
    assert client_of(manager) is before
    assert manager["session"] == "text"


@pytest.fixture
def held() -> Iterator[Callable[[threading.Lock], None]]:
    """Have another thread hold a lock until the test ends."""
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


def test_a_fork_while_a_thread_makes_the_client(
    held: Callable[[threading.Lock], None], dynamodb_local: str, alice: str
) -> None:
    """A child forked while another thread held the client's lock does not wait for it."""
    manager = apps.manager(dynamodb_local, alice, "alice", connect_timeout="21s")
    held(the_door(manager)._lock)

    assert in_a_child(lambda: manager["session"], within=10) == "text"


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


def test_greenlets_make_a_client_together_although_the_door_is_older_than_the_patching() -> None:
    """No lock of before `patch_all()` is held while a client is made: it would stop them all."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GREENLETS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("3 True\n", 0)
