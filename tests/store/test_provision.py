"""The table is made so: on every server, by many at once, refused, slow, and half done."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from beaker_dynamodb.errors import (
    AccessRefused,
    CallFacts,
    DynamoDBBackendError,
    Refused,
    TableMissing,
    Unavailable,
)
from beaker_dynamodb.store import provision
from beaker_dynamodb.store.blueprint import Attribute, Blueprint, Index
from beaker_dynamodb.store.client import Door, Reply
from beaker_dynamodb.store.connection import Connection
from beaker_dynamodb.store.description import Description, Expiry
from beaker_dynamodb.store.differences import differences
from tests.instruments import Clock, Recorder
from tests.servers import REGION, Server

ROOT = Path(__file__).parents[2]
LOGGER = "beaker_dynamodb.store.provision"
DESCRIBE, TTL = "DescribeTable", "DescribeTimeToLive"
CREATE, SWITCH = "CreateTable", "UpdateTimeToLive"


def way(url: str) -> Door:
    """Open a door of its own, as another worker has one."""
    return Door(Connection(region=REGION, endpoint_url=url))


class Script:
    """A door double: per operation the answers in turn, the last one for ever; errors raised."""

    region = "eu-central-1"

    def __init__(self, **answers: object) -> None:
        self.answers = {name: a if isinstance(a, list) else [a] for name, a in answers.items()}
        self.asked: dict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def call(self, operation: str, request: Mapping[str, Any], *, ought: str = "") -> Reply:
        self.asked[operation].append(request)
        turns = self.answers[operation]
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(answer, DynamoDBBackendError):
            raise answer
        return Reply(cast("Mapping[str, Any]", answer))

    @property
    def door(self) -> Door:
        return cast("Door", self)


def refused(code: str, kind: type[DynamoDBBackendError] = Refused) -> DynamoDBBackendError:
    """Make what the door raises for a code of AWS's."""
    return kind("refused", call=CallFacts("Some", "sessions", code=code))


def told(status: str = "ACTIVE", key: str = "id") -> dict[str, Any]:
    """Write what DescribeTable answers."""
    return {
        "Table": {
            "TableName": "sessions",
            "TableStatus": status,
            "TableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
    }


def ttl(status: str, attribute: str | None = None) -> dict[str, Any]:
    """Write what DescribeTimeToLive answers."""
    named = {"AttributeName": attribute} if attribute else {}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": status, **named}}


MISSING = refused("ResourceNotFoundException", TableMissing)
DENIED = refused("AccessDeniedException", AccessRefused)
OURS = Blueprint("sessions")
OFF = ttl("DISABLED")
ON = ttl("ENABLED", "expires")


def patience(clock: Clock, ceiling: float = 30.0) -> provision.Patience:
    """Wait by a clock that only the test winds."""
    return provision.Patience(ceiling, clock.sleep, clock.monotonic)


BLUEPRINTS = {
    "plain": Blueprint("-"),
    "ranged": Blueprint("-", "sid", "kind", "until"),
    "indexed": Blueprint(
        "-", indexes=(Index("userId-index", "userId", "S"), Index("visits-index", "visits", "N"))
    ),
    "provisioned": Blueprint("-", indexes=(Index("u-index", "u", "B"),), capacity=(3, 4)),
}


def named(kind: str, table: str) -> Blueprint:
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
    with_client.create_table(**Blueprint(table_name).to_create_request())
    with_client.close()
    found = provision.ensure(way(server.url), Blueprint(table_name))

    assert not found.created
    assert found.expiry.works
    assert differences(found, Blueprint(table_name)) == ()


def test_ttl_on_another_attribute_is_told_and_not_touched(server: Server, table_name: str) -> None:
    """It cannot be moved in one step, and whose rows it deletes is not ours to decide."""
    provision.ensure(way(server.url), Blueprint(table_name, ttl_attribute="other"))
    found = provision.ensure(way(server.url), Blueprint(table_name))

    assert found.expiry == Expiry("other", "enabled")
    assert [str(difference) for difference in differences(found, Blueprint(table_name))] == [
        "warning: TTL is on 'other' (enabled), ought to be on 'expires' (enabled)"
    ]


def test_a_table_of_another_schema_keeps_its_ttl_off(server: Server, table_name: str) -> None:
    """A table of that name with other keys may be another application's: its rows must live."""
    client = server.client()
    client.create_table(**Blueprint(table_name, "customer").to_create_request())
    client.close()
    found = provision.ensure(way(server.url), Blueprint(table_name))

    assert found.expiry.status == "disabled"
    assert [difference.matter for difference in differences(found, Blueprint(table_name))] == [
        "key schema",
        "TTL",
    ]


def test_the_calls_are_those_of_the_deploy_policy_and_no_more(
    server: Server, table_name: str, calls: Recorder
) -> None:
    """Creating costs five calls, and finding all well costs two."""
    provision.ensure(way(server.url), Blueprint(table_name))
    first = calls.names
    calls.clear()
    provision.ensure(way(server.url), Blueprint(table_name))

    assert first == [DESCRIBE, CREATE, DESCRIBE, TTL, SWITCH]
    assert calls.names == [DESCRIBE, TTL]


class Meeting(Door):
    """A door that waits for the others before each of the named operations."""

    def __init__(self, url: str, barriers: Mapping[str, threading.Barrier]) -> None:
        super().__init__(Connection(region=REGION, endpoint_url=url))
        self.barriers = barriers

    def call(self, operation: str, request: Mapping[str, Any], *, ought: str = "") -> Reply:
        if operation in self.barriers:
            self.barriers[operation].wait(20)
        return super().call(operation, request, ought=ought)


@pytest.mark.parametrize("make", [provision.ensure, provision.create_on_demand])
def test_two_threads_that_create_at_once_both_succeed(
    dynamodb_local: str, table_name: str, make: Any
) -> None:
    """Both find no table, both create it, both switch TTL on: one is first, and nobody fails."""
    barriers = {CREATE: threading.Barrier(2), SWITCH: threading.Barrier(2)}
    doors = [Meeting(dynamodb_local, barriers) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found: list[Description] = list(pool.map(make, doors, [Blueprint(table_name)] * 2))

    assert sorted(one.created for one in found) == [False, True]
    assert [differences(one, Blueprint(table_name)) for one in found] == [(), ()]


WORKER = """
import sys
from beaker_dynamodb.store import provision
from beaker_dynamodb.store.blueprint import Blueprint
from beaker_dynamodb.store.client import Door
from beaker_dynamodb.store.connection import Connection
door = Door(Connection(region=sys.argv[3], endpoint_url=sys.argv[1]))
provision.describe(door, sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
found = provision.create_on_demand(door, Blueprint(sys.argv[2]))
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


# For a request


def test_a_table_that_a_request_creates_is_named_in_the_log(
    server: Server, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One WARNING with table, region and account: a wrong region must not go unnoticed."""
    found = provision.create_on_demand(way(server.url), Blueprint(table_name))
    provision.create_on_demand(way(server.url), Blueprint(table_name))

    assert found.created
    assert [one.levelno for one in caplog.records if one.name == LOGGER] == [logging.WARNING]
    for word in (table_name, REGION, found.account):
        assert word
        assert word in caplog.text


@pytest.mark.parametrize("refusal", [DENIED, refused("ThrottlingException", Unavailable)])
@pytest.mark.parametrize("step", [TTL, SWITCH])
def test_a_request_does_not_fail_because_ttl_is_refused(
    refusal: DynamoDBBackendError, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The table stands, and an expired row counts as absent: the log says what is left to do."""
    script = Script(**{CREATE: {}, DESCRIBE: told(), TTL: OFF, SWITCH: refusal, step: refusal})
    found = provision.create_on_demand(script.door, OURS)

    assert found.created
    assert not found.expiry.works
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "beaker-dynamodb table create -o table=sessions -o region=eu-central-1" in caplog.text


@pytest.mark.parametrize("make", [provision.ensure, provision.create_on_demand])
def test_a_role_that_may_not_create_names_the_command_that_does(make: Any) -> None:
    """`TableMissing` brings the whole command, with every option that is not the default."""
    script = Script(**{DESCRIBE: MISSING, CREATE: DENIED})
    ought = Blueprint("sessions", range_key="rk", indexes=(Index("u-index", "u", "S"),))
    with pytest.raises(TableMissing) as caught:
        make(script.door, ought)

    assert (
        "`beaker-dynamodb table create -o table=sessions -o range_key=rk -o special_keys=u:S"
        " -o region=eu-central-1`"
    ) in str(caught.value)
    assert caught.value.call == DENIED.call


def test_another_refusal_of_createtable_is_not_taken_for_success() -> None:
    """Only "in use" says that another worker was faster."""
    script = Script(**{DESCRIBE: MISSING, CREATE: refused("ValidationException")})

    with pytest.raises(Refused):
        provision.ensure(script.door, OURS)


# Waiting


def test_a_table_that_takes_its_time_is_waited_for(clock: Clock) -> None:
    """Missing still (AWS says so right after CreateTable), creating, active: then TTL."""
    creating = [MISSING, MISSING, told("CREATING"), told("CREATING"), told()]
    script = Script(**{DESCRIBE: creating, CREATE: {}, TTL: OFF, SWITCH: {}})
    began = clock.monotonic()
    found = provision.ensure(script.door, OURS, patience(clock))

    assert (found.created, found.status, found.expiry) == (
        *(True, "active"),
        Expiry("expires", "enabling"),
    )
    assert clock.monotonic() - began == pytest.approx(0.1 + 0.2 + 0.4)
    assert len(script.asked[SWITCH]) == 1


@pytest.mark.parametrize("make", [provision.ensure, provision.create_on_demand])
def test_a_table_that_never_serves_is_given_up_at_the_ceiling(clock: Clock, make: Any) -> None:
    """The caller is told within the time it has, and what to do about the TTL afterwards."""
    script = Script(**{DESCRIBE: told("CREATING"), CREATE: refused("ResourceInUseException")})
    began = clock.monotonic()
    with pytest.raises(Unavailable, match=r"still creating after 30 s.*table create"):
        make(script.door, OURS, patience(clock))

    assert 28.0 <= clock.monotonic() - began <= 30.0
    assert len(script.asked[DESCRIBE]) < 25


def test_a_table_that_is_being_deleted_is_not_waited_for(clock: Clock) -> None:
    """It will never serve, and a table deleted for a restore must not come back empty."""
    script = Script(**{DESCRIBE: told("DELETING"), CREATE: refused("ResourceInUseException")})

    with pytest.raises(TableMissing, match="being deleted"):
        provision.ensure(script.door, OURS, patience(clock))
    assert CREATE not in script.asked


def test_a_table_whose_index_is_being_added_serves(clock: Clock) -> None:
    """UPDATING may last for hours, and is no reason to wait."""
    script = Script(**{DESCRIBE: told("UPDATING"), TTL: ON})

    assert provision.ensure(script.door, OURS, patience(clock)).status == "updating"


def test_a_gevent_that_patched_late_is_slept_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default sleep is looked up when it is needed, not when we are imported."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    script = Script(**{DESCRIBE: [MISSING, told("CREATING"), told()], CREATE: {}, TTL: ON})
    provision.ensure(script.door, OURS)

    assert slept == [0.1]


# TTL


@pytest.mark.parametrize("code", ["ValidationException", "ResourceInUseException"])
def test_ttl_that_another_worker_switched_on_meanwhile_is_success(code: str) -> None:
    """Off when asked, on when tried: what counts is how it stands afterwards."""
    script = Script(**{DESCRIBE: told(), TTL: [OFF, ON], SWITCH: refused(code)})

    assert differences(provision.ensure(script.door, OURS), OURS) == ()


def test_ttl_that_aws_will_not_change_now_is_a_difference() -> None:
    """Changed within the hour, AWS refuses: the operator is told that it is off."""
    script = Script(**{DESCRIBE: told(), TTL: OFF, SWITCH: refused("ValidationException")})
    found = provision.ensure(script.door, OURS)

    assert [difference.severity for difference in differences(found, OURS)] == ["warning"]


@pytest.mark.parametrize("status", ["ENABLED", "ENABLING", "DISABLING"])
def test_ttl_that_is_under_way_is_left_alone(status: str) -> None:
    """AWS refuses a second change within the hour, so none is asked for."""
    script = Script(**{DESCRIBE: told(), TTL: ttl(status, "expires")})

    assert provision.ensure(script.door, OURS).expiry == Expiry("expires", status.lower())


@pytest.mark.parametrize("step", [TTL, SWITCH])
def test_an_emulator_without_ttl_serves_all_the_same(step: str) -> None:
    """What an emulator lacks is a note, not a failure."""
    lacking = refused("UnknownOperationException")
    script = Script(**{DESCRIBE: MISSING, CREATE: {}, TTL: OFF, SWITCH: lacking} | {step: lacking})
    script.answers[DESCRIBE] = [MISSING, told()]
    found = provision.ensure(script.door, OURS)

    assert [difference.severity for difference in differences(found, OURS)] == ["note"]


def test_a_refused_right_to_ttl_stops_the_operator() -> None:
    """`table create` without the right to switch TTL on has not done what it was asked for."""
    script = Script(**{DESCRIBE: told(), TTL: OFF, SWITCH: DENIED})

    with pytest.raises(AccessRefused):
        provision.ensure(script.door, OURS)


@pytest.mark.parametrize("answers", [{DESCRIBE: {}}, {DESCRIBE: told(), TTL: {}}])
def test_a_broken_reply_is_an_outage_and_no_table_at_all(answers: Mapping[str, Any]) -> None:
    """A truncated 200 reaches us as {}: a KeyError would be "no such session" to Beaker."""
    with pytest.raises(Unavailable, match="cannot be trusted"):
        provision.ensure(Script(**answers).door, OURS)


def test_what_is_there_already_is_described_by_its_types(clock: Clock) -> None:
    """The keys' names and types come from the reply, not from what was asked for."""
    script = Script(**{DESCRIBE: told(key="customer"), TTL: OFF})
    found = provision.describe(script.door, "sessions")

    assert found is not None
    assert (found.hash_key, found.range_key) == (Attribute("customer"), None)
    assert (found.region, found.account) == ("eu-central-1", "123456789012")
