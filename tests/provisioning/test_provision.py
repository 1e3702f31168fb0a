"""A table is made, once, by whoever comes first, and as the options ask for it: on real servers."""

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
from beaker_dynamodb.provisioning.description import Description, Expiry
from beaker_dynamodb.provisioning.diff import differences
from beaker_dynamodb.provisioning.spec import Index, TableSpec
from tests.dynamodb.scripted_client import CREATE, DESCRIBE, SWITCH, TTL, way
from tests.instruments import Recorder
from tests.servers import REGION, Server

ROOT = Path(__file__).parents[2]


BLUEPRINTS = {
    "plain": TableSpec("-"),
    "ranged": TableSpec("-", "sid", "kind", "until"),
    "indexed": TableSpec(
        "-", indexes=(Index("userId-index", "userId", "S"), Index("visits-index", "visits", "N"))
    ),
    "provisioned": TableSpec("-", indexes=(Index("u-index", "u", "B"),), capacity=(3, 4)),
}


def named(kind: str, table: str) -> TableSpec:
    """Draw a blueprint of that kind under the test's own name."""
    return replace(BLUEPRINTS[kind], table=table)


# On the servers


@pytest.mark.parametrize("kind", BLUEPRINTS)
def test_the_table_comes_as_the_options_ask_for_it(
    server: Server, table_name: str, kind: str
) -> None:
    """Created once, it differs in nothing; asked for again, it is found and left as it is."""
    ought = named(kind, table_name)
    first = provision.ensure(way(server.url), ought)
    again = provision.ensure(way(server.url), ought)

    assert (first.created, again.created) == (True, False)
    assert differences(first, ought) == differences(again, ought) == ()
    assert again.expiry == Expiry(ought.ttl_attribute, "enabled")
    assert sorted(again.indexes, key=lambda index: index.name) == list(ought.indexes)
    assert again == provision.describe(way(server.url), table_name)


def test_a_table_that_is_not_there_is_described_as_none(server: Server, table_name: str) -> None:
    """Asking is no error."""
    assert provision.describe(way(server.url), table_name) is None


def test_a_table_without_ttl_gets_it(server: Server, table_name: str) -> None:
    """To create is not to ensure: a table somebody made by hand begins to expire its rows."""
    with_client = server.client()
    with_client.create_table(**TableSpec(table_name).to_create_request())
    with_client.close()
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert not found.created
    assert found.expiry.works
    assert differences(found, TableSpec(table_name)) == ()


def test_ttl_on_another_attribute_is_told_and_not_touched(server: Server, table_name: str) -> None:
    """It cannot be moved in one step, and whose rows it deletes is not ours to decide."""
    provision.ensure(way(server.url), TableSpec(table_name, ttl_attribute="other"))
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert found.expiry == Expiry("other", "enabled")
    assert [str(difference) for difference in differences(found, TableSpec(table_name))] == [
        "warning: TTL is on 'other' (enabled), expected on 'expires' (enabled)"
    ]


def test_a_table_of_another_schema_keeps_its_ttl_off(server: Server, table_name: str) -> None:
    """A table of that name with other keys may be another application's: its rows must live."""
    client = server.client()
    client.create_table(**TableSpec(table_name, "customer").to_create_request())
    client.close()
    found = provision.ensure(way(server.url), TableSpec(table_name))

    assert found.expiry.status == "disabled"
    assert [difference.setting for difference in differences(found, TableSpec(table_name))] == [
        "key schema",
        "TTL",
    ]


def test_the_calls_are_those_of_the_deploy_policy_and_no_more(
    server: Server, table_name: str, calls: Recorder
) -> None:
    """Creating costs five calls, and finding all well costs two."""
    provision.ensure(way(server.url), TableSpec(table_name))
    first = calls.names
    calls.clear()
    provision.ensure(way(server.url), TableSpec(table_name))

    assert first == [DESCRIBE, CREATE, DESCRIBE, TTL, SWITCH]
    assert calls.names == [DESCRIBE, TTL]


class Meeting(Client):
    """A client that waits for the others before each of the named operations."""

    def __init__(self, url: str, barriers: Mapping[str, threading.Barrier]) -> None:
        super().__init__(Connection(region=REGION, endpoint_url=url))
        self.barriers = barriers

    def call(self, operation: str, request: Mapping[str, Any], **more: Any) -> Response:
        if operation in self.barriers:
            self.barriers[operation].wait(20)
        return super().call(operation, request, **more)


@pytest.mark.parametrize("make", [provision.ensure, provision.create_on_demand])
def test_two_threads_that_create_at_once_both_succeed(
    dynamodb_local: str, table_name: str, make: Any
) -> None:
    """Both find no table, both create it, both switch TTL on: one is first, and nobody fails."""
    barriers = {CREATE: threading.Barrier(2), SWITCH: threading.Barrier(2)}
    doors = [Meeting(dynamodb_local, barriers) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found: list[Description] = list(pool.map(make, doors, [TableSpec(table_name)] * 2))

    assert sorted(one.created for one in found) == [False, True]
    assert [differences(one, TableSpec(table_name)) for one in found] == [(), ()]


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
print(found.created, found.status, found.expiry.works)
"""


def test_two_processes_that_create_at_once_both_succeed(
    dynamodb_local: str, table_name: str
) -> None:
    """Two workers of a server that has just been started serve their first request at once."""
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
        told_by = [worker.communicate(timeout=60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert ready == ["ready", "ready"], told_by
    assert sorted(out.split() for out, _ in told_by) == [
        ["False", "active", "True"],
        ["True", "active", "True"],
    ], told_by
    assert sum("was created" in errors for _, errors in told_by) == 1
