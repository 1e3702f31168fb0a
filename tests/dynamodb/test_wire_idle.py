"""The wire's connections between calls: kept, left in time, and never another process's."""

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
from tests.dynamodb.doubles import in_a_child
from tests.dynamodb.wire_clients import a_client, get, ports, wire_of
from tests.proxy import FaultProxy
from tests.sessions import apps

ROOT = Path(__file__).parents[2]


def test_a_connection_that_the_server_has_closed_is_left_unasked(
    proxy: FaultProxy, table: str
) -> None:
    """It is seen before anything is sent: one sending, and a new connection."""
    client = a_client(proxy.url)
    get(client, table, "alice")
    before = ports(client)
    proxy.cut()
    proxy.mend()
    proxy.clear()

    found = get(client, table, "alice")

    assert found is not None
    assert proxy.operations == ["GetItem"]
    assert len(ports(client)) == 1
    assert ports(client) != before


def test_a_connection_that_closes_under_a_request_is_handed_over(
    proxy: FaultProxy, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The good-bye was not here yet when it was looked for: boto3 asks, and nobody notices."""
    client = a_client(proxy.url)
    get(client, table, "alice")
    proxy.cut()
    proxy.mend()
    proxy.clear()
    monkeypatch.setattr(HTTPConnection, "has_pending_data", False)

    assert get(client, table, "alice") is not None
    assert proxy.operations == ["GetItem"]
    assert ports(client) == []


def test_a_connection_that_rested_too_long_is_not_used_again(
    dynamodb_local: str, table: str
) -> None:
    """Nor any that rests longer still; one that has just served is."""
    client = a_client(dynamodb_local)
    get(client, table, "alice")
    first = ports(client)
    get(client, table, "alice")
    second = ports(client)
    wire_of(client)._idle[0].idle_since -= MAX_IDLE_SECONDS
    get(client, table, "alice")

    assert first == second != ports(client)
    assert len(ports(client)) == 1


def test_what_a_burst_has_left_is_closed_in_time(dynamodb_local: str, table: str) -> None:
    """Connections that nobody needs any more do not stay open behind the one that serves."""
    client = a_client(dynamodb_local)
    wire, deadline = wire_of(client), Deadline(time.monotonic() + 20, 10, 10)
    lines = [wire._open(deadline) for _ in range(3)]
    for line in lines:
        wire._keep(line)
    for line in lines[:2]:
        line.idle_since -= MAX_IDLE_SECONDS + 1
    get(client, table, "alice")

    assert [*wire._idle] == lines[2:]
    assert [line._socket.fileno() for line in lines[:2]] == [-1, -1]


def test_no_more_rest_than_the_options_allow(dynamodb_local: str, table: str) -> None:
    """What is above max_pool_connections is closed, the longest rested first."""
    client = a_client(dynamodb_local, max_pool_connections=2)
    wire = wire_of(client)
    deadline = Deadline(time.monotonic() + 20, 10, 10)
    lines = [wire._open(deadline) for _ in range(3)]
    for line in lines:
        wire._keep(line)

    assert [*wire._idle] == lines[1:]
    assert lines[0]._socket.fileno() == -1
    assert get(client, table, "alice") is not None


def test_a_child_never_uses_its_parents_connection(dynamodb_local: str, table: str) -> None:
    """Not through a client of the package, nor through one of its own, nor through the wire itself.

    The parent's connection serves on afterwards.
    """
    manager: Any = apps.manager(dynamodb_local, table, "s", transport="wire")
    manager["session"] = "text"
    shared = manager._session.rows.table.client
    own = a_client(dynamodb_local)
    get(own, table, "alice")
    wire = wire_of(own)
    before = ports(shared) + ports(own)

    def child() -> tuple[object, ...]:
        request = {"TableName": table, "Key": {"id": {"S": "alice"}}}
        request["ReturnConsumedCapacity"] = "TOTAL"
        answers = manager["session"], get(own, table, "alice"), wire.call("GetItem", request)
        used = ports(shared) + ports(own)
        used += [line._socket.getsockname()[1] for line in wire._idle]
        return len(answers), len(used), sorted({*used} & {*before})

    told = in_a_child(child)

    assert told == (3, 3, [])
    assert (manager["session"], ports(shared) + ports(own)) == ("text", before)
    assert get(own, table, "alice") is not None
    assert ports(own) == before[1:]


def test_what_is_forgotten_closes_its_connections(dynamodb_local: str, table: str) -> None:
    """After `reset()` no socket is left, and none is left to a warning of Python's."""
    manager: Any = apps.manager(dynamodb_local, table, "s", transport="wire")
    manager["session"] = "text"
    client = manager._session.rows.table.client
    line, wire = wire_of(client)._idle[0], weakref.ref(wire_of(client))
    beaker_dynamodb.reset()
    del manager, client
    gc.collect()

    assert wire() is None
    assert line._socket.fileno() == -1


GREENLETS = """
import sys
from tests.dynamodb.wire_clients import a_client, get, put, wire_of
url, table = sys.argv[1:]
client = a_client(url)
put(client, table, "user0", mark={"N": "0"})
early = wire_of(client)
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
    put(client, table, f"user{number}", mark={"N": str(number)})

def read(number):
    return [get(client, table, f"user{number}")["mark"]["N"] for _ in range(10)]

jobs = [gevent.spawn(read, number) for number in range(10)]
gevent.joinall(jobs, timeout=60)
print([job.value == [str(n)] * 10 for n, job in enumerate(jobs)] == [True] * 10)
print(shared, wire_of(client) is early, len(early._idle) > 1)
"""


def test_greenlets_never_share_a_connection_in_use_although_the_wire_is_older_than_the_patching(
    dynamodb_local: str, table: str
) -> None:
    """No thread-local is kept that all of them would share: each reads its own item, together."""
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
