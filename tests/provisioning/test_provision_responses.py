"""Making a table when AWS refuses, is slow, or knows no TTL: answers that no server here gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from beaker_dynamodb.errors import (
    AccessRefused,
    DynamoDBBackendError,
    Refused,
    TableMissing,
    Unavailable,
)
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.description import Expiry
from beaker_dynamodb.provisioning.diff import differences
from beaker_dynamodb.provisioning.spec import Attribute, Index, TableSpec
from tests.dynamodb.scripted_client import (
    CREATE,
    DESCRIBE,
    SWITCH,
    TTL,
    Script,
    refused,
    told,
    ttl,
    way,
)
from tests.instruments import Clock
from tests.servers import REGION, Server

LOGGER = "beaker_dynamodb.provisioning.provision"


MISSING = refused("ResourceNotFoundException", TableMissing)
DENIED = refused("AccessDeniedException", AccessRefused)
OURS = TableSpec("sessions")
OFF = ttl("DISABLED")
ON = ttl("ENABLED", "expires")


def patience(clock: Clock, ceiling: float = 30.0) -> provision.Patience:
    """Wait by a clock that only the test winds."""
    return provision.Patience(ceiling, clock.sleep, clock.monotonic)


# For a request


def test_a_table_that_a_request_creates_is_named_in_the_log(
    server: Server, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One WARNING with table, region and account: a wrong region must not go unnoticed."""
    found = provision.create_on_demand(way(server.url), TableSpec(table_name))
    provision.create_on_demand(way(server.url), TableSpec(table_name))

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
    found = provision.create_on_demand(script.client, OURS)

    assert found.created
    assert not found.expiry.works
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "beaker-dynamodb table create -o table=sessions -o region=eu-central-1" in caplog.text


@pytest.mark.parametrize("make", [provision.ensure, provision.create_on_demand])
def test_a_role_that_may_not_create_names_the_command_that_does(make: Any) -> None:
    """`TableMissing` brings the whole command, with every option that is not the default."""
    script = Script(**{DESCRIBE: MISSING, CREATE: DENIED})
    ought = TableSpec("sessions", range_key="rk", indexes=(Index("u-index", "u", "S"),))
    with pytest.raises(TableMissing) as caught:
        make(script.client, ought)

    assert (
        "`beaker-dynamodb table create -o table=sessions -o range_key=rk -o special_keys=u:S"
        " -o region=eu-central-1`"
    ) in str(caught.value)
    assert caught.value.call == DENIED.call


def test_another_refusal_of_createtable_is_not_taken_for_success() -> None:
    """Only "in use" says that another worker was faster."""
    script = Script(**{DESCRIBE: MISSING, CREATE: refused("ValidationException")})

    with pytest.raises(Refused):
        provision.ensure(script.client, OURS)


# Waiting


def test_a_table_that_takes_its_time_is_waited_for(clock: Clock) -> None:
    """Missing still (AWS says so right after CreateTable), creating, active: then TTL."""
    creating = [MISSING, MISSING, told("CREATING"), told("CREATING"), told()]
    script = Script(**{DESCRIBE: creating, CREATE: {}, TTL: OFF, SWITCH: {}})
    began = clock.monotonic()
    found = provision.ensure(script.client, OURS, patience(clock))

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
        make(script.client, OURS, patience(clock))

    assert 28.0 <= clock.monotonic() - began <= 30.0
    assert len(script.asked[DESCRIBE]) < 25


def test_a_table_that_is_being_deleted_is_not_waited_for(clock: Clock) -> None:
    """It will never serve, and a table deleted for a restore must not come back empty."""
    script = Script(**{DESCRIBE: told("DELETING"), CREATE: refused("ResourceInUseException")})

    with pytest.raises(TableMissing, match="being deleted"):
        provision.ensure(script.client, OURS, patience(clock))
    assert CREATE not in script.asked


def test_a_table_whose_index_is_being_added_serves(clock: Clock) -> None:
    """UPDATING may last for hours, and is no reason to wait."""
    script = Script(**{DESCRIBE: told("UPDATING"), TTL: ON})

    assert provision.ensure(script.client, OURS, patience(clock)).status == "updating"


def test_a_gevent_that_patched_late_is_slept_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default sleep is looked up when it is needed, not when we are imported."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    script = Script(**{DESCRIBE: [MISSING, told("CREATING"), told()], CREATE: {}, TTL: ON})
    provision.ensure(script.client, OURS)

    assert slept == [0.1]


# TTL


@pytest.mark.parametrize("code", ["ValidationException", "ResourceInUseException"])
def test_ttl_that_another_worker_switched_on_meanwhile_is_success(code: str) -> None:
    """Off when asked, on when tried: what counts is how it stands afterwards."""
    script = Script(**{DESCRIBE: told(), TTL: [OFF, ON], SWITCH: refused(code)})

    assert differences(provision.ensure(script.client, OURS), OURS) == ()


def test_ttl_that_aws_will_not_change_now_is_a_difference() -> None:
    """Changed within the hour, AWS refuses: the operator is told that it is off."""
    script = Script(**{DESCRIBE: told(), TTL: OFF, SWITCH: refused("ValidationException")})
    found = provision.ensure(script.client, OURS)

    assert [difference.severity for difference in differences(found, OURS)] == ["warning"]


@pytest.mark.parametrize("status", ["ENABLED", "ENABLING", "DISABLING"])
def test_ttl_that_is_under_way_is_left_alone(status: str) -> None:
    """AWS refuses a second change within the hour, so none is asked for."""
    script = Script(**{DESCRIBE: told(), TTL: ttl(status, "expires")})

    assert provision.ensure(script.client, OURS).expiry == Expiry("expires", status.lower())


@pytest.mark.parametrize("step", [TTL, SWITCH])
def test_an_emulator_without_ttl_serves_all_the_same(step: str) -> None:
    """What an emulator lacks is a note, not a failure."""
    lacking = refused("UnknownOperationException")
    script = Script(**{DESCRIBE: MISSING, CREATE: {}, TTL: OFF, SWITCH: lacking} | {step: lacking})
    script.answers[DESCRIBE] = [MISSING, told()]
    found = provision.ensure(script.client, OURS)

    assert [difference.severity for difference in differences(found, OURS)] == ["note"]


def test_a_refused_right_to_ttl_stops_the_operator() -> None:
    """`table create` without the right to switch TTL on has not done what it was asked for."""
    script = Script(**{DESCRIBE: told(), TTL: OFF, SWITCH: DENIED})

    with pytest.raises(AccessRefused):
        provision.ensure(script.client, OURS)


@pytest.mark.parametrize("answers", [{DESCRIBE: {}}, {DESCRIBE: told(), TTL: {}}])
def test_a_broken_reply_is_an_outage_and_no_table_at_all(answers: Mapping[str, Any]) -> None:
    """A truncated 200 reaches us as {}: a KeyError would be "no such session" to Beaker."""
    with pytest.raises(Unavailable, match="response is invalid"):
        provision.ensure(Script(**answers).client, OURS)


def test_what_is_there_already_is_described_by_its_types(clock: Clock) -> None:
    """The keys' names and types come from the reply, not from what was asked for."""
    script = Script(**{DESCRIBE: told(key="customer"), TTL: OFF})
    found = provision.describe(script.client, "sessions")

    assert found is not None
    assert (found.hash_key, found.range_key) == (Attribute("customer"), None)
    assert (found.region, found.account) == ("eu-central-1", "123456789012")
