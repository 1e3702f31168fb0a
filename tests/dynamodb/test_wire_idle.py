"""Idle connections: they are used again in time, and never in another process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

import beaker_dynamodb
from beaker_dynamodb.dynamodb.wire.client import MAX_IDLE_SECONDS
from beaker_dynamodb.dynamodb.wire.http import Deadline, HTTPConnection
from tests.dynamodb.doubles import run_in_child
from tests.dynamodb.wire_clients import create_client, get_idle_ports, get_item, get_wire
from tests.proxy import FaultProxy
from tests.sessions import apps

ROOT = Path(__file__).parents[2]


def test_a_connection_that_the_server_has_closed_is_not_used(proxy: FaultProxy, table: str) -> None:
    """This is noticed before anything is sent: one request, and a new connection."""
    client = create_client(proxy.url)
    get_item(client, table, "alice")
    before = get_idle_ports(client)
    proxy.cut()
    proxy.mend()
    proxy.clear()

    found = get_item(client, table, "alice")

    assert found is not None
    assert proxy.operations == ["GetItem"]
    assert len(get_idle_ports(client)) == 1
    assert get_idle_ports(client) != before


def test_a_call_whose_connection_closes_is_repeated_by_boto3(
    proxy: FaultProxy, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the stream arrived too late to be noticed before: the call still succeeds."""
    client = create_client(proxy.url)
    get_item(client, table, "alice")
    proxy.cut()
    proxy.mend()
    proxy.clear()
    monkeypatch.setattr(HTTPConnection, "has_pending_data", False)

    assert get_item(client, table, "alice") is not None
    assert proxy.operations == ["GetItem"]
    assert get_idle_ports(client) == []


def test_a_connection_that_was_idle_too_long_is_not_used_again(
    dynamodb_local: str, table: str
) -> None:
    """One that has just served a call is used again."""
    client = create_client(dynamodb_local)
    get_item(client, table, "alice")
    first = get_idle_ports(client)
    get_item(client, table, "alice")
    second = get_idle_ports(client)
    get_wire(client)._idle[0].idle_since -= MAX_IDLE_SECONDS
    get_item(client, table, "alice")

    assert first == second != get_idle_ports(client)
    assert len(get_idle_ports(client)) == 1


def test_idle_connections_of_a_burst_are_closed_in_time(dynamodb_local: str, table: str) -> None:
    """They do not stay open while another connection serves all calls."""
    client = create_client(dynamodb_local)
    wire, deadline = get_wire(client), Deadline(time.monotonic() + 20, 10, 10)
    connections = [wire._open(deadline) for _ in range(3)]
    for connection in connections:
        wire._keep(connection)
    for connection in connections[:2]:
        connection.idle_since -= MAX_IDLE_SECONDS + 1
    get_item(client, table, "alice")

    assert [*wire._idle] == connections[2:]
    assert [connection._socket.fileno() for connection in connections[:2]] == [-1, -1]


def test_no_more_connections_are_kept_than_allowed(dynamodb_local: str, table: str) -> None:
    """Those above max_pool_connections are closed, the oldest first."""
    client = create_client(dynamodb_local, max_pool_connections=2)
    wire = get_wire(client)
    deadline = Deadline(time.monotonic() + 20, 10, 10)
    connections = [wire._open(deadline) for _ in range(3)]
    for connection in connections:
        wire._keep(connection)

    assert [*wire._idle] == connections[1:]
    assert connections[0]._socket.fileno() == -1
    assert get_item(client, table, "alice") is not None


def test_a_child_never_uses_its_parents_connection(dynamodb_local: str, table: str) -> None:
    """Neither through a shared client, nor another one, nor through the wire itself.

    The parent can use its connection afterwards.
    """
    manager: Any = apps.manager(dynamodb_local, table, "s", transport="wire")
    manager["session"] = "text"
    shared = manager.session_store.rows.table.client
    own = create_client(dynamodb_local)
    get_item(own, table, "alice")
    wire = get_wire(own)
    before = get_idle_ports(shared) + get_idle_ports(own)

    def child() -> tuple[object, ...]:
        request = {"TableName": table, "Key": {"id": {"S": "alice"}}}
        request["ReturnConsumedCapacity"] = "TOTAL"
        answers = manager["session"], get_item(own, table, "alice"), wire.call("GetItem", request)
        used = get_idle_ports(shared) + get_idle_ports(own)
        used += [connection._socket.getsockname()[1] for connection in wire._idle]
        return len(answers), len(used), sorted({*used} & {*before})

    assert run_in_child(child) == (3, 3, [])
    assert (manager["session"], get_idle_ports(shared) + get_idle_ports(own)) == ("text", before)
    assert get_item(own, table, "alice") is not None
    assert get_idle_ports(own) == before[1:]


def test_reset_closes_the_connections(dynamodb_local: str, table: str) -> None:
    """No socket is left open, so Python warns of none."""
    manager: Any = apps.manager(dynamodb_local, table, "s", transport="wire")
    manager["session"] = "text"
    client = manager.session_store.rows.table.client
    connection, wire = get_wire(client)._idle[0], weakref.ref(get_wire(client))
    beaker_dynamodb.reset()
    del manager, client
    gc.collect()

    assert wire() is None
    assert connection._socket.fileno() == -1


GREENLETS = """
import sys
from tests.dynamodb.wire_clients import create_client, get_item, get_wire, put_item
url, table = sys.argv[1:]
client = create_client(url)
put_item(client, table, "user0", mark={"N": "0"})
early = get_wire(client)
from gevent import monkey
monkey.patch_all()
import gevent
from beaker_dynamodb.dynamodb.wire.http import Deadline, HTTPConnection

request, busy, shared = HTTPConnection.request, set(), []

def watch(connection, *rest):
    if connection in busy:
        shared.append(connection)
    busy.add(connection)
    gevent.sleep(0)
    try:
        return request(connection, *rest)
    finally:
        busy.discard(connection)

HTTPConnection.request = watch
for number in range(10):
    put_item(client, table, f"user{number}", mark={"N": str(number)})

def read(number):
    return [get_item(client, table, f"user{number}")["mark"]["N"] for _ in range(10)]

jobs = [gevent.spawn(read, number) for number in range(10)]
gevent.joinall(jobs, timeout=60)
print([job.value == [str(n)] * 10 for n, job in enumerate(jobs)] == [True] * 10)
print(shared, get_wire(client) is early, len(early._idle) > 1)
"""


def test_greenlets_never_share_a_connection_even_if_the_wire_is_older_than_the_patching(
    dynamodb_local: str, table: str
) -> None:
    """All of them would share a thread-local. Each reads its own item at the same time."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GREENLETS, dynamodb_local, table],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.splitlines() == ["True", "[] True True"], done.stderr[-2000:]
