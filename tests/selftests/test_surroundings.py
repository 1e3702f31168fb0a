"""The recorder, the clock, the walls around the tests, and the servers that they start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests import servers
from tests.instruments import (
    Clock,
    Recorder,
)
from tests.selftests.bench import KEY, NEW, OLD, SCHEMA, a_client
from tests.servers import DynamoDBLocal, Flavor, Server


def test_calls_counts_every_client(
    server: Server, table_name: str, calls: Recorder, clock: Clock
) -> None:
    """Every call of every client counts, refused ones too, with the units that it consumed."""
    first, second = server.client(), server.client()
    first.create_table(TableName=table_name, **SCHEMA)
    second.put_item(TableName=table_name, Item=OLD, ReturnConsumedCapacity="TOTAL")
    with pytest.raises(second.exceptions.ResourceNotFoundException):
        second.get_item(TableName="absent", Key=KEY)

    assert calls.names == ["CreateTable", "PutItem", "GetItem"]
    assert calls[1].request["Item"] == OLD
    assert [call.units for call in calls] == [None, 1.0, None]
    assert calls[2].error == "ResourceNotFoundException"

    calls.clear()
    assert calls == []
    for client in (first, second):
        client.close()
    assert server.flavor in Flavor
    assert clock() > 0


def test_the_clock_moves_by_hand_only() -> None:
    """Time passes on both clocks by advance and sleep, and on the wall alone by step."""
    clock = Clock(1000.0)
    started = clock.monotonic()
    clock.advance(10)
    clock.sleep(5)
    clock.step(-3600)

    assert clock() == 1000.0 + 15 - 3600
    assert clock.monotonic() - started == 15


def test_no_test_reaches_aws() -> None:
    """The keys are dummies, and a name that is not of this machine does not resolve."""
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("dynamodb", config=config)
    with pytest.raises(EndpointConnectionError):
        client.list_tables()
    client.close()

    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
    with pytest.raises(socket.gaierror, match="no test may leave"):
        socket.getaddrinfo("192.0.2.1", 443)


def test_a_server_keeps_its_data_and_its_port_over_a_kill(tmp_path: Path) -> None:
    """With a folder, DynamoDB Local killed and started again has its rows, at the same URL."""
    with DynamoDBLocal(data=tmp_path) as local:
        patient = local.server.client()  # the first table of a young server takes its time
        patient.create_table(TableName="kept", **SCHEMA)
        patient.put_item(TableName="kept", Item=OLD)
        local.kill()
        client = a_client(local.url)
        with pytest.raises(EndpointConnectionError):
            client.list_tables()
        local.start()

        assert patient.get_item(TableName="kept", Key=KEY)["Item"] == OLD

        local.pause()
        with pytest.raises(ReadTimeoutError):
            client.put_item(TableName="kept", Item=NEW)
        local.resume()
        url = local.url
        for one in (client, patient):
            one.close()

    assert not servers.answers(url)


def test_regions_have_their_own_tables(dynamodb_local: str, table_name: str) -> None:
    """A client of another region finds no table, as in AWS."""
    server = Server(dynamodb_local, Flavor.LOCAL)
    here, there = server.client(), server.client(region="eu-central-1")
    here.create_table(TableName=table_name, **SCHEMA)

    assert table_name in here.list_tables()["TableNames"]
    assert table_name not in there.list_tables()["TableNames"]
    for client in (here, there):
        client.close()


def test_the_configured_servers_are_read() -> None:
    """DYNAMODB_URLS names servers by name, URL and flavor; an unknown flavor is OTHER."""
    urls = "local=http://127.0.0.1:8000/ lite=http://127.0.0.1:4567,dynalite"
    environ = {"DYNAMODB_URLS": f"{urls} mine=http://127.0.0.1:4568,scylla aws=eu-west-1"}

    assert servers.read_servers(environ) == {
        "local": Server("http://127.0.0.1:8000", Flavor.LOCAL),
        "lite": Server("http://127.0.0.1:4567", Flavor.DYNALITE),
        "mine": Server("http://127.0.0.1:4568", Flavor.OTHER),
        "aws": Server("https://dynamodb.eu-west-1.amazonaws.com", Flavor.AWS),
    }
    assert servers.read_servers({}) == {}


@pytest.mark.parametrize(
    ("tool", "ci", "raised"),
    [
        ("java", "", pytest.skip.Exception),
        ("npm", "", pytest.skip.Exception),
        ("java", "true", pytest.fail.Exception),
        ("npm", "true", pytest.fail.Exception),
    ],
)
def test_a_missing_tool_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str, ci: str, raised: type[Exception]
) -> None:
    """Without java or npm a test is skipped with that reason; under CI it fails with it."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("DYNAMODB_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: None if name == tool else name)

    with pytest.raises(raised, match=f"{tool} is not installed"):
        DynamoDBLocal().start()


def test_a_configured_server_that_is_silent_fails() -> None:
    """A test of a server that DYNAMODB_URLS names, and that does not answer, never skips."""
    silent = f"local=http://127.0.0.1:{servers.free_port()}"
    law = f"{__file__}::test_regions_have_their_own_tables"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", law],
        env={**os.environ, "DYNAMODB_URLS": silent},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1, result.stdout
    assert "nothing answers there" in result.stdout
