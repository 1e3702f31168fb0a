"""Creating a table as the options ask for it, once, on real servers and by several processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.description import Description, Expiry, compare
from beaker_dynamodb.provisioning.spec import Index, TableSpec
from tests.dynamodb.scripted_client import CREATE, DESCRIBE, SWITCH, TTL, way
from tests.instruments import Recorder
from tests.servers import REGION, Server

ROOT = Path(__file__).parents[2]


SPECS = {
    "plain": TableSpec("-"),
    "ranged": TableSpec("-", "sid", "kind", "until"),
    "indexed": TableSpec(
        "-", indexes=(Index("userId-index", "userId", "S"), Index("visits-index", "visits", "N"))
    ),
    "provisioned": TableSpec("-", indexes=(Index("u-index", "u", "B"),), capacity=(3, 4)),
}


def spec_of(kind: str, table: str) -> TableSpec:
    """Return the expected table of that kind, with the test's own name."""
    return replace(SPECS[kind], table=table)


# On the servers


@pytest.mark.parametrize("kind", SPECS)
def test_the_table_is_created_as_the_options_ask_for_it(
    server: Server, table_name: str, kind: str
) -> None:
    """It has no differences; a second call finds it and changes nothing."""
    expected = spec_of(kind, table_name)
    first = provision.ensure(way(server.url), expected)
    again = provision.ensure(way(server.url), expected)

    assert (first.created, again.created) == (True, False)
    assert compare(first, expected) == compare(again, expected) == ()
    assert again.expiry == Expiry(expected.ttl_attribute, "enabled")
    assert sorted(again.indexes, key=lambda index: index.name) == list(expected.indexes)
    assert again == provision.describe(way(server.url), table_name)


def test_describing_a_missing_table_returns_none(server: Server, table_name: str) -> None:
    """It raises nothing."""
    assert provision.describe(way(server.url), table_name) is None


def test_ttl_is_enabled_on_an_existing_table(server: Server, table_name: str) -> None:
    """Rows of a table that was created by hand expire from then on."""
    with_client = server.client()
    with_client.create_table(**TableSpec(table_name).to_create_request())
    with_client.close()
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert not found.created
    assert found.expiry.is_enabled
    assert compare(found, TableSpec(table_name)) == ()


def test_ttl_on_another_attribute_is_left_and_reported(server: Server, table_name: str) -> None:
    """AWS cannot move TTL in one step, and other rows may depend on it."""
    provision.ensure(way(server.url), TableSpec(table_name, ttl_attribute="other"))
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert found.expiry == Expiry("other", "enabled")
    assert [str(difference) for difference in compare(found, TableSpec(table_name))] == [
        "warning: TTL is on 'other' (enabled), expected on 'expires' (enabled)"
    ]


def test_ttl_is_not_enabled_on_a_table_of_another_schema(server: Server, table_name: str) -> None:
    """The table may belong to another application, whose rows must not expire."""
    client = server.client()
    client.create_table(**TableSpec(table_name, "customer").to_create_request())
    client.close()
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert found.expiry.status == "disabled"
    assert [difference.setting for difference in compare(found, TableSpec(table_name))] == [
        "key schema",
        "TTL",
    ]


def test_creating_takes_five_calls_and_finding_two(
    server: Server, table_name: str, calls: Recorder
) -> None:
    """If nothing has to be done, the table and its TTL are described, and no more."""
    provision.ensure(way(server.url), TableSpec(table_name))
    first = calls.names
    calls.clear()
    provision.ensure(way(server.url), TableSpec(table_name))

    assert first == [DESCRIBE, CREATE, DESCRIBE, TTL, SWITCH]
    assert calls.names == [DESCRIBE, TTL]


class MeetingClient(Client):
    """A client that waits for the others before each of the named operations."""

    def __init__(self, url: str, barriers: Mapping[str, threading.Barrier]) -> None:
        super().__init__(Connection(region=REGION, endpoint_url=url))
        self.barriers = barriers

    def call(self, operation: str, request: Mapping[str, Any], **more: Any) -> Response:
        if operation in self.barriers:
            self.barriers[operation].wait(20)
        return super().call(operation, request, **more)


@pytest.mark.parametrize("create", [provision.ensure, provision.create_on_demand])
def test_two_threads_that_create_at_once_both_succeed(
    dynamodb_local: str, table_name: str, create: Any
) -> None:
    """Both find no table, create it and enable TTL; neither fails."""
    barriers = {CREATE: threading.Barrier(2), SWITCH: threading.Barrier(2)}
    clients = [MeetingClient(dynamodb_local, barriers) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found: list[Description] = list(pool.map(create, clients, [TableSpec(table_name)] * 2))

    assert sorted(one.created for one in found) == [False, True]
    assert [compare(one, TableSpec(table_name)) for one in found] == [(), ()]


WORKER = """
import sys
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.spec import TableSpec
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
client = Client(Connection(region=sys.argv[3], endpoint_url=sys.argv[1]))
provision.describe(client, sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
found = provision.create_on_demand(client, TableSpec(sys.argv[2]))
print(found.created, found.status, found.expiry.is_enabled)
"""


def test_two_processes_that_create_at_once_both_succeed(
    dynamodb_local: str, table_name: str
) -> None:
    """Two workers of a server serve their first requests at the same time."""
    command = [sys.executable, "-c", WORKER, dynamodb_local, table_name, REGION]
    workers = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        ready = [cast("Any", worker.stdout).readline().strip() for worker in workers]
        for worker in workers:
            cast("Any", worker.stdin).write("\n")
            cast("Any", worker.stdin).flush()
        outputs = [worker.communicate(timeout=60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert ready == ["ready", "ready"], outputs
    assert sorted(out.split() for out, _ in outputs) == [
        ["False", "active", "True"],
        ["True", "active", "True"],
    ], outputs
    assert sum("was created" in errors for _, errors in outputs) == 1
