"""Creating a table if AWS refuses, is slow or has no TTL: responses that no test server gives."""

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
from beaker_dynamodb.provisioning.description import Expiry, compare
from beaker_dynamodb.provisioning.spec import Attribute, Index, TableSpec
from beaker_dynamodb.runtime import Runtime
from tests.dynamodb.scripted_client import (
    CREATE,
    DESCRIBE,
    SWITCH,
    TTL,
    Script,
    make_description,
    make_error,
    ttl,
    way,
)
from tests.instruments import Clock
from tests.servers import REGION, Server

LOGGER = "beaker_dynamodb.provisioning.provision"


MISSING = make_error("ResourceNotFoundException", TableMissing)
DENIED = make_error("AccessDeniedException", AccessRefused)
SPEC = TableSpec("sessions")
OFF = ttl("DISABLED")
ON = ttl("ENABLED", "expires")


def waiter(clock: Clock, timeout: float = 30.0) -> provision.Waiter:
    """Return a waiter by a clock that only the test moves."""
    return provision.Waiter(timeout, Runtime(sleep=clock.sleep, monotonic=clock.monotonic))


# For a request


def test_a_table_that_a_request_creates_is_logged(
    server: Server, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning names table, region and account, so that a wrong region is noticed."""
    found = provision.create_on_demand(way(server.url), TableSpec(table_name))
    provision.create_on_demand(way(server.url), TableSpec(table_name))

    assert found.created
    assert [one.levelno for one in caplog.records if one.name == LOGGER] == [logging.WARNING]
    for word in (table_name, REGION, found.account):
        assert word
        assert word in caplog.text


@pytest.mark.parametrize("refusal", [DENIED, make_error("ThrottlingException", Unavailable)])
@pytest.mark.parametrize("step", [TTL, SWITCH])
def test_a_request_does_not_fail_if_ttl_is_refused(
    refusal: DynamoDBBackendError, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Expired rows are read as absent without TTL; the log names the command that enables it."""
    script = Script(
        **{CREATE: {}, DESCRIBE: make_description(), TTL: OFF, SWITCH: refusal, step: refusal}
    )
    found = provision.create_on_demand(script.client, SPEC)

    assert found.created
    assert not found.expiry.is_enabled
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "beaker-dynamodb table create -o table=sessions -o region=eu-central-1" in caplog.text


@pytest.mark.parametrize("create", [provision.ensure, provision.create_on_demand])
def test_if_creating_is_refused_the_error_names_the_command(create: Any) -> None:
    """`TableMissing` has the whole command, with every option that is not the default."""
    script = Script(**{DESCRIBE: MISSING, CREATE: DENIED})
    expected = TableSpec("sessions", range_key="rk", indexes=(Index("u-index", "u", "S"),))
    with pytest.raises(TableMissing) as caught:
        create(script.client, expected)

    assert (
        "`beaker-dynamodb table create -o table=sessions -o range_key=rk -o special_keys=u:S"
        " -o region=eu-central-1`"
    ) in str(caught.value)
    assert caught.value.call == DENIED.call


def test_another_refusal_of_createtable_is_raised() -> None:
    """Only ResourceInUseException means that another worker was faster."""
    script = Script(**{DESCRIBE: MISSING, CREATE: make_error("ValidationException")})

    with pytest.raises(Refused):
        provision.ensure(script.client, SPEC)


# Waiting for the table


def test_a_slow_table_is_waited_for(clock: Clock) -> None:
    """After CreateTable the table may still be missing, then it is creating, then active."""
    creating = [
        MISSING,
        MISSING,
        make_description("CREATING"),
        make_description("CREATING"),
        make_description(),
    ]
    script = Script(**{DESCRIBE: creating, CREATE: {}, TTL: OFF, SWITCH: {}})
    began = clock.monotonic()
    found = provision.ensure(script.client, SPEC, waiter(clock))

    assert (found.created, found.status, found.expiry) == (
        *(True, "active"),
        Expiry("expires", "enabling"),
    )
    assert clock.monotonic() - began == pytest.approx(0.1 + 0.2 + 0.4)
    assert len(script.asked[SWITCH]) == 1


@pytest.mark.parametrize("create", [provision.ensure, provision.create_on_demand])
def test_waiting_for_a_table_ends_after_the_timeout(clock: Clock, create: Any) -> None:
    """The error names the command that enables TTL afterwards."""
    script = Script(
        **{DESCRIBE: make_description("CREATING"), CREATE: make_error("ResourceInUseException")}
    )
    began = clock.monotonic()
    with pytest.raises(Unavailable, match=r"still creating after 30 s.*table create"):
        create(script.client, SPEC, waiter(clock))

    assert 28.0 <= clock.monotonic() - began <= 30.0
    assert len(script.asked[DESCRIBE]) < 25


def test_a_table_that_is_being_deleted_is_not_waited_for(clock: Clock) -> None:
    """If it is deleted for a restore, it must not be created anew, and empty."""
    script = Script(
        **{DESCRIBE: make_description("DELETING"), CREATE: make_error("ResourceInUseException")}
    )

    with pytest.raises(TableMissing, match="being deleted"):
        provision.ensure(script.client, SPEC, waiter(clock))
    assert CREATE not in script.asked


def test_a_table_whose_index_is_being_built_is_not_waited_for(clock: Clock) -> None:
    """It serves requests while its status is UPDATING, which may last for hours."""
    script = Script(**{DESCRIBE: make_description("UPDATING"), TTL: ON})

    assert provision.ensure(script.client, SPEC, waiter(clock)).status == "updating"


def test_time_sleep_is_looked_up_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gevent may replace it after this package was imported."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    script = Script(
        **{
            DESCRIBE: [MISSING, make_description("CREATING"), make_description()],
            CREATE: {},
            TTL: ON,
        }
    )
    provision.ensure(script.client, SPEC)

    assert slept == [0.1]


# TTL


@pytest.mark.parametrize("code", ["ValidationException", "ResourceInUseException"])
def test_ttl_that_another_worker_enabled_meanwhile_is_success(code: str) -> None:
    """Enabling is refused then, and what counts is the state after that."""
    script = Script(**{DESCRIBE: make_description(), TTL: [OFF, ON], SWITCH: make_error(code)})

    assert compare(provision.ensure(script.client, SPEC), SPEC) == ()


def test_ttl_that_aws_refuses_to_enable_is_a_difference() -> None:
    """AWS refuses a second change within an hour; the operator reads that TTL is off."""
    script = Script(
        **{DESCRIBE: make_description(), TTL: OFF, SWITCH: make_error("ValidationException")}
    )
    found = provision.ensure(script.client, SPEC)

    assert [difference.severity for difference in compare(found, SPEC)] == ["warning"]


@pytest.mark.parametrize("status", ["ENABLED", "ENABLING", "DISABLING"])
def test_ttl_that_is_enabled_or_changing_is_left_alone(status: str) -> None:
    """AWS would refuse a second change within an hour."""
    script = Script(**{DESCRIBE: make_description(), TTL: ttl(status, "expires")})

    assert provision.ensure(script.client, SPEC).expiry == Expiry("expires", status.lower())


@pytest.mark.parametrize("step", [TTL, SWITCH])
def test_an_emulator_without_ttl_gives_a_note(step: str) -> None:
    """A feature that the server does not support is not a failure."""
    unsupported = make_error("UnknownOperationException")
    script = Script(
        **{DESCRIBE: MISSING, CREATE: {}, TTL: OFF, SWITCH: unsupported} | {step: unsupported}
    )
    script.answers[DESCRIBE] = [MISSING, make_description()]
    found = provision.ensure(script.client, SPEC)

    assert [difference.severity for difference in compare(found, SPEC)] == ["note"]


def test_table_create_fails_if_the_role_may_not_enable_ttl() -> None:
    """An operator must not take a table without TTL for complete."""
    script = Script(**{DESCRIBE: make_description(), TTL: OFF, SWITCH: DENIED})

    with pytest.raises(AccessRefused):
        provision.ensure(script.client, SPEC)


@pytest.mark.parametrize("answers", [{DESCRIBE: {}}, {DESCRIBE: make_description(), TTL: {}}])
def test_a_truncated_response_is_unavailable(answers: Mapping[str, Any]) -> None:
    """Botocore returns {} for it; a KeyError would mean "no such session" to Beaker."""
    with pytest.raises(Unavailable, match="response is invalid"):
        provision.ensure(Script(**answers).client, SPEC)


def test_an_existing_table_is_described_by_the_response(clock: Clock) -> None:
    """The names and types of its keys are those of the response, not of the options."""
    script = Script(**{DESCRIBE: make_description(key="customer"), TTL: OFF})
    found = provision.describe(script.client, "sessions")

    assert found is not None
    assert (found.hash_key, found.range_key) == (Attribute("customer"), None)
    assert (found.region, found.account) == ("eu-central-1", "123456789012")
