"""The instruments do what they say: each fault on a real DynamoDB Local, with a plain client.

What a fault does to a plain botocore client is measured here, so that the tests of the package
start from facts: several of these outcomes look like success.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests import servers
from tests.instruments import (
    BRACES,
    EMPTY,
    HTML,
    Answer,
    Clock,
    Delay,
    Drip,
    Duplicate,
    FlipBit,
    Hang,
    Hold,
    LoseReply,
    LoseRequest,
    Recorder,
    ResetMidReply,
    Rewrite,
    Stale,
    Truncate,
    aws_error,
)
from tests.proxy import Fault, FaultProxy
from tests.servers import DynamoDBLocal, Flavor, Server

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY: dict[str, Any] = {"id": {"S": "alice"}}
OLD: dict[str, Any] = {**KEY, "data": {"B": b"the old bytes"}}
NEW: dict[str, Any] = {**KEY, "data": {"B": b"the new bytes"}}
SCHEMA: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def a_client(url: str, attempts: int = 1) -> DynamoDBClient:
    """Make an impatient client."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    server = Server(url, Flavor.LOCAL)
    return server.client(connect_timeout=1, read_timeout=0.3, retries=retries)


@dataclass(frozen=True)
class Bench:
    """A table that holds OLD, a client that goes through the proxy, and one that does not."""

    proxy: FaultProxy
    table: str
    client: DynamoDBClient
    direct: DynamoDBClient

    def get(self, **more: Any) -> Any:
        return self.client.get_item(TableName=self.table, Key=KEY, **more).get("Item")

    def put(self, item: Any = NEW, **more: Any) -> Any:
        return self.client.put_item(TableName=self.table, Item=item, **more)

    @property
    def stored(self) -> Any:
        found = self.direct.get_item(TableName=self.table, Key=KEY, ConsistentRead=True)
        return found.get("Item")

    def outcome(self, act: Callable[[], Any]) -> Any:
        """Return what an operation returned, the code AWS gave, or the class of its error."""
        try:
            return act()
        except ClientError as error:
            return error.response["Error"]["Code"]
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what is measured
            return type(error)


@pytest.fixture
def bench(dynamodb_local: str, table_name: str) -> Iterator[Bench]:
    """Lay the table and put the proxy before it."""
    direct = Server(dynamodb_local, Flavor.LOCAL).client()
    direct.create_table(TableName=table_name, **SCHEMA)
    direct.put_item(TableName=table_name, Item=OLD)
    with FaultProxy(dynamodb_local) as proxy:
        client = a_client(proxy.url)
        yield Bench(proxy, table_name, client, direct)
        client.close()
    direct.close()


# What a client that asks once sees of a GetItem of OLD. None is "no such session".
READS: dict[str, tuple[Fault, Any]] = {
    "request lost": (LoseRequest(), ConnectionClosedError),
    "reply lost": (LoseReply(), ConnectionClosedError),
    "hangs": (Hang(applied=True), ReadTimeoutError),
    "late": (Delay(0.1, applied=True), OLD),
    "reset mid-reply": (ResetMidReply(), ConnectionClosedError),
    "truncated, crc, honest": (Truncate(crc=True, honest=True), None),
    "truncated, crc, too long": (Truncate(crc=True, honest=False), None),
    "truncated, no crc, honest": (Truncate(crc=False, honest=True), None),
    "truncated, no crc, too long": (Truncate(crc=False, honest=False), None),
    "bit flipped, wrong crc": (
        FlipBit(crc=False, attribute="data"),
        {**KEY, "data": {"B": b"the old \xa2ytes"}},
    ),
    "bit flipped, right crc": (
        FlipBit(crc=True, attribute="id"),
        {**OLD, "id": {"S": "alhce"}},
    ),
    "html": (HTML, None),
    "empty": (EMPTY, None),
    "braces": (BRACES, None),
    "throttled": (
        aws_error("ThrottlingException", ThrottlingReasons=[{"reason": "x", "resource": "y"}]),
        "ThrottlingException",
    ),
    "503, nothing said": (Answer(b"", 503), "503"),
    "drips fast": (Drip(0.001), OLD),
    "asked twice": (Duplicate(), OLD),
    "rewritten": (Rewrite(lambda reply: {"Item": KEY} if "Item" in reply else reply), KEY),
}


@pytest.mark.parametrize("case", READS)
def test_a_read_under_a_fault(bench: Bench, case: str) -> None:
    """A GetItem meets its fault once, sees what the table says, and the next one is whole."""
    fault, expected = READS[case]
    bench.proxy.next(fault, operation="GetItem")

    assert bench.outcome(bench.get) == expected
    assert bench.proxy.pending == 0
    assert bench.get() == OLD
    assert [e.fault for e in bench.proxy.seen] == [fault, None]


# What a client that asks once sees of a PutItem of NEW over OLD, and what stands then.
REPLIED = "replied"
WRITES: dict[str, tuple[Fault, Any, Any, int]] = {
    "request lost": (LoseRequest(), ConnectionClosedError, OLD, 0),
    "reply lost": (LoseReply(), ConnectionClosedError, NEW, 1),
    "hangs before": (Hang(applied=False), ReadTimeoutError, OLD, 0),
    "hangs after": (Hang(applied=True), ReadTimeoutError, NEW, 1),
    "late": (Delay(0.1), REPLIED, NEW, 1),
    "html": (HTML, REPLIED, OLD, 0),
    "html, though applied": (Answer(HTML.body, applied=True), REPLIED, NEW, 1),
    "braces": (BRACES, REPLIED, OLD, 0),
    "500": (aws_error("InternalServerError", status=500), "InternalServerError", OLD, 0),
    "asked twice": (Duplicate(first=True), REPLIED, NEW, 2),
    "asked twice, on condition": (Duplicate(), "ConditionalCheckFailedException", NEW, 2),
}


@pytest.mark.parametrize("case", WRITES)
def test_a_write_under_a_fault(bench: Bench, case: str) -> None:
    """A PutItem meets its fault, and the table holds what the fault says, so often sent."""
    fault, expected, stands, forwarded = WRITES[case]
    bench.proxy.next(fault, operation="PutItem")
    condition: dict[str, Any] = {
        "ConditionExpression": "#d = :old",
        "ExpressionAttributeNames": {"#d": "data"},
        "ExpressionAttributeValues": {":old": OLD["data"]},
    }
    outcome = bench.outcome(lambda: bench.put(**condition))

    assert (REPLIED if isinstance(outcome, dict) else outcome) == expected
    assert bench.stored == stands
    assert [exchange.forwarded for exchange in bench.proxy.seen] == [forwarded]


def test_another_writer_comes_between_applied_and_lost(bench: Bench) -> None:
    """The callback of LoseReply runs when the request is applied and nobody knows it yet."""
    met: list[Any] = []

    def another() -> None:
        met.append(bench.stored)
        bench.direct.delete_item(TableName=bench.table, Key=KEY)

    bench.proxy.next(LoseReply(another), operation="PutItem")

    assert bench.outcome(bench.put) is ConnectionClosedError
    assert met == [NEW]
    assert bench.stored is None


def test_a_ghost_is_applied_when_its_writer_has_gone(bench: Bench) -> None:
    """A write that was held back lands late, when the gate opens, though its client gave up."""
    gate = threading.Event()
    bench.proxy.next(Hold(gate), operation="PutItem")

    assert bench.outcome(bench.put) is ReadTimeoutError
    assert bench.stored == OLD

    gate.set()
    bench.proxy.wait_until(lambda: bench.proxy.seen[0].forwarded)

    assert bench.stored == NEW


def test_a_drip_is_not_bound_by_the_read_timeout(bench: Bench) -> None:
    """A reply that drips holds a call for longer than its read_timeout: it bounds one read."""
    bench.proxy.next(Drip(0.01))
    began = time.monotonic()

    assert bench.get() == OLD
    assert time.monotonic() - began > 0.3


def test_a_stale_read_sees_the_item_before_its_last_change(bench: Bench) -> None:
    """Only an eventually consistent read is stale, of that key, by one change."""
    bench.proxy.next(Stale(), times=None)

    assert bench.get() == OLD
    bench.put()
    assert bench.get() == OLD
    assert bench.get(ConsistentRead=True) == NEW
    assert bench.get(ReturnConsumedCapacity="TOTAL") == OLD
    bench.client.delete_item(TableName=bench.table, Key=KEY)
    assert bench.get() == NEW
    other = {"id": {"S": "bob"}}
    assert "Item" not in bench.client.get_item(TableName=bench.table, Key=other)


def test_faults_are_met_in_order_by_those_that_fit(bench: Bench) -> None:
    """A fault waits for its operation and its body, and is used up after so many times."""
    bench.proxy.next(LoseRequest(), operation="PutItem", where=lambda body: body["Item"] == {})
    bench.proxy.next(aws_error("RequestLimitExceeded"), operation="GetItem", times=2)
    bench.proxy.next(HTML, operation="GetItem")

    assert isinstance(bench.put(OLD), dict)
    assert [bench.outcome(bench.get) for _ in range(4)] == [
        *["RequestLimitExceeded"] * 2,
        None,
        OLD,
    ]
    assert bench.proxy.operations == ["PutItem", *["GetItem"] * 4]
    assert bench.proxy.pending == 1


def test_an_error_carries_its_headers_and_its_members(bench: Bench) -> None:
    """What AWS tells of a throttled call reaches the client as it was programmed."""
    reasons = [{"reason": "TableReadKeyRangeThroughputExceeded", "resource": "arn"}]
    code = "ProvisionedThroughputExceededException"
    late = [("x-amz-retry-after", "5000")]
    bench.proxy.next(aws_error(code, headers=late, ThrottlingReasons=reasons))

    with pytest.raises(bench.client.exceptions.ProvisionedThroughputExceededException) as caught:
        bench.get()

    reply: Any = caught.value.response
    assert reply["ThrottlingReasons"] == reasons
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"] == "5000"


def test_botocore_retries_what_the_crc_tells(bench: Bench) -> None:
    """A bit that is flipped once under its old checksum costs one more request and no data."""
    patient = a_client(bench.proxy.url, attempts=2)
    bench.proxy.next(FlipBit(crc=False))

    assert patient.get_item(TableName=bench.table, Key=KEY)["Item"] == OLD
    assert len(bench.proxy.seen) == 2
    patient.close()


def test_a_cut_refuses_and_a_mend_comes_back(bench: Bench) -> None:
    """A cut breaks hanging requests and refuses new ones; after it the same port serves again."""
    outcomes: list[Any] = []
    patient = Server(bench.proxy.url, Flavor.LOCAL).client(retries={"total_max_attempts": 1})
    slow = replace(bench, client=patient)
    bench.proxy.next(Hang(applied=False), operation="PutItem")
    writer = threading.Thread(target=lambda: outcomes.append(slow.outcome(slow.put)))
    writer.start()
    bench.proxy.wait_until(lambda: bench.proxy.seen)
    bench.proxy.cut()
    writer.join()

    assert outcomes == [ConnectionClosedError]
    assert bench.outcome(bench.get) is EndpointConnectionError

    bench.proxy.mend()

    assert bench.get() == OLD
    patient.close()


def test_nothing_is_left_of_a_proxy(bench: Bench, dynamodb_local: str) -> None:
    """When a proxy ends, its threads end, though clients are connected and requests hang."""
    before = set(threading.enumerate())
    with FaultProxy(dynamodb_local) as proxy:
        client = a_client(proxy.url)
        client.get_item(TableName=bench.table, Key=KEY)
        proxy.next(Hang(applied=True))
        outcome = bench.outcome(lambda: client.get_item(TableName=bench.table, Key=KEY))

        assert outcome is ReadTimeoutError
        assert set(threading.enumerate()) > before

    assert set(threading.enumerate()) == before
    client.close()


def test_a_mistake_in_a_fault_comes_out(dynamodb_local: str) -> None:
    """What a fault or its callback raises is raised at the end, not taken for the fault."""

    def mistaken(exchange: object) -> None:
        raise ZeroDivisionError

    def meet() -> None:
        with FaultProxy(dynamodb_local) as proxy:
            proxy.next(mistaken)
            client = a_client(proxy.url)
            with pytest.raises(ConnectionClosedError):
                client.list_tables()
            client.close()

    with pytest.raises(ZeroDivisionError):
        meet()


def test_connections_live_on(bench: Bench) -> None:
    """A client that asks a hundred times connects once, and each answer comes at once."""
    began = time.monotonic()
    for _ in range(100):
        assert bench.get() == OLD

    assert len(threading.enumerate()) <= 8
    assert time.monotonic() - began < 4  # with Nagle's delay it would be four and more


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
    assert server.flavor in {Flavor.MOTO, Flavor.LOCAL, Flavor.OTHER}
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
    environ = {"DYNAMODB_URLS": "local=http://127.0.0.1:8000/ lite=http://127.0.0.1:4567,dynalite"}

    assert servers.configured(environ) == {
        "local": Server("http://127.0.0.1:8000", Flavor.LOCAL),
        "lite": Server("http://127.0.0.1:4567", Flavor.OTHER),
    }
    assert servers.configured({}) == {}


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
    monkeypatch.setenv("BEAKER_DYNAMODB_TEST_CACHE", str(tmp_path))
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
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1, result.stdout
    assert "nothing answers there" in result.stdout
