"""The doctor's checks of a store: credentials, clock, the table, permissions, a round trip."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.diagnostics import Identity
from beaker_dynamodb.dynamodb.wire.transport import Transport
from beaker_dynamodb.errors import AccessRefused, CallFacts, Refused, Unavailable
from beaker_dynamodb.ops.application import Application, load_application
from beaker_dynamodb.ops.doctor import store
from beaker_dynamodb.ops.doctor.check import run_checks
from beaker_dynamodb.ops.doctor.examine import examine_store
from beaker_dynamodb.ops.doctor.store import (
    Clocks,
    Credentials,
    Destination,
    FoundTable,
    Permission,
    RefusedTable,
    RoundTrip,
)
from beaker_dynamodb.provisioning.description import Description, Expiry
from beaker_dynamodb.provisioning.spec import Attribute, Index
from tests.ops.test_doctor_settings import FAR, list_problems

ACTUAL = Description(
    *("sessions", "eu-central-1", "123456789012", "active", Attribute("id"), None),
    Expiry("expires", "enabled"),
    (Index("u-index", "u", "S"),),
    protection=True,
)
POLICY = "beaker-dynamodb policy app -c app.ini"


def make_application(**options: str) -> Application:
    """Return an application with these options."""
    return Application(parse({**FAR, **options}, "session"), {})


def make_refusal(code: str) -> AccessRefused:
    """Return what the client raises if a role or a key is refused."""
    return AccessRefused("AWS refuses it", call=CallFacts("GetItem", "sessions", code=code))


@pytest.mark.parametrize(
    ("provider", "expires", "lines"),
    [
        ("", None, ["error credentials"]),
        ("iam-role", 999.0, ["error credentials"]),
        ("iam-role", 1000.0, ["error credentials"]),
        ("iam-role", 1100.0, ["warning credentials"]),
        ("iam-role", 1600.0, []),
        ("iam-role", 9000.0, []),
        ("env", None, ["note credentials"]),
        ("explicit", None, ["note credentials"]),
        ("container-role", None, []),
    ],
)
def test_credentials_that_are_missing_or_expire_are_reported(
    provider: str, expires: float | None, lines: list[str]
) -> None:
    """A long-lived key is worth a note. There is one finding in any case."""
    identity = Identity("eu-central-1", "https://x", provider, expires)
    (found,) = run_checks(store.CREDENTIALS, Credentials(identity, 1000.0))

    assert list_problems([found]) == lines


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("explicit", "found in the options"),
        ("env", "found in the environment"),
        ("iam-role", "found by provider iam-role"),
    ],
)
def test_the_source_of_credentials_is_named(provider: str, message: str) -> None:
    """In words for the files and variables that people write, else by botocore's own name."""
    identity = Identity("eu-central-1", "https://x", provider)
    (found,) = run_checks(store.CREDENTIALS, Credentials(identity, 0.0, is_local=True))

    assert found.message == message


def test_any_key_is_right_for_a_store_on_this_machine() -> None:
    """DynamoDB Local accepts every key."""
    identity = Identity("eu-central-1", "http://127.0.0.1:1", "env")

    assert (
        list_problems(run_checks(store.CREDENTIALS, Credentials(identity, 1000.0, is_local=True)))
        == []
    )


@pytest.mark.parametrize(
    ("region", "endpoint", "lines", "remedy"),
    [
        ("eu-central-1", None, [], ""),
        ("eu-centrall-1", None, ["warning region"], "session.region = eu-central-1"),
        ("q", None, ["warning region"], "pip install -U boto3"),
        ("q", "http://db.lan", [], ""),
    ],
)
def test_a_region_that_boto3_does_not_know_is_reported(
    region: str, endpoint: str | None, lines: list[str], remedy: str
) -> None:
    """With a configured endpoint the region's name is free."""
    identity = Identity(region, "https://x", "env")
    transport = Transport("wire", "no handler was added")
    application = make_application(**({"endpoint_url": endpoint} if endpoint else {}))
    target = Destination(identity, transport, {"eu-central-1"}, application)
    found = list(run_checks(store.DESTINATION, target))

    assert list_problems(found) == lines
    assert found[0].remedy.startswith(remedy)
    assert [one.check for one in found] == ["region", "transport"]
    assert found[-1].message == "wire: no handler was added"


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        (1000.0, []),
        (1002.0, []),
        (1031.0, ["warning clock"]),
        (600.0, ["error clock"]),
        (None, ["note clock"]),
    ],
)
def test_a_wrong_clock_is_reported(server: float | None, lines: list[str]) -> None:
    """In both directions; AWS refuses calls from five minutes on."""
    (found,) = run_checks(store.CLOCKS, Clocks(server, 1000.0))

    assert list_problems([found]) == lines


@pytest.mark.parametrize(
    ("changes", "lines", "remedy"),
    [
        ({}, [], ""),
        ({"status": "creating"}, ["error status"], "beaker-dynamodb table create"),
        (
            {"hash_key": Attribute("sid")},
            ["error key schema"],
            "session.hash_key = sid\nsession.range_key = none",
        ),
        ({"expiry": Expiry(None, "disabled")}, ["warning TTL"], "beaker-dynamodb table create"),
        ({"expiry": Expiry("x", "enabled")}, ["warning TTL"], "ttl_attribute = x"),
        ({"capacity": (1, 1)}, ["note capacity"], "session.read_capacity_units = 1"),
        ({"indexes": ()}, ["warning index of 'u'"], "beaker-dynamodb table create"),
        ({"indexes": (Index("u-index", "u", "N"),)}, ["error index of 'u'"], ""),
    ],
)
def test_each_difference_of_the_table_is_reported_with_its_remedy(
    changes: dict[str, Any], lines: list[str], remedy: str
) -> None:
    """What matches the options is reported as ok."""
    table = FoundTable(dataclasses.replace(ACTUAL, **changes), make_application(special_keys="u:S"))
    found = list(run_checks(store.DIFFERENCES, *((one, table) for one in table.differences)))

    assert list_problems(found) == lines
    assert all(remedy in one.remedy for one in found)
    matches = [one.check for one in run_checks(store.FOUND_TABLE, table)]
    assert len(matches) == 5 - len(lines)
    assert {one.check.partition(" ")[0] for one in found}.isdisjoint(matches)


def test_of_an_index_of_another_type_no_command_is_advised() -> None:
    """`table create` would leave it as it is: the option or the index has to change."""
    actual = dataclasses.replace(ACTUAL, indexes=(Index("u-index", "u", "N"),))
    table = FoundTable(actual, make_application(special_keys="u:S"))
    (found,) = run_checks(store.DIFFERENCES, *((one, table) for one in table.differences))

    assert found.remedy == ""
    assert "is Number, expected String: correct its type in special_keys" in found.message


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"protection": False}, ["note protection"]),
        ({"recovery": True}, ["note backups"]),
    ],
)
def test_missing_protection_and_long_backups_are_reported(
    changes: dict[str, Any], lines: list[str]
) -> None:
    """Each with the command that changes it."""
    table = FoundTable(dataclasses.replace(ACTUAL, **changes), make_application(special_keys="u:S"))
    found = list(run_checks(store.SAFETY, table))

    assert list_problems(found) == lines
    assert all(
        one.remedy.startswith("beaker-dynamodb table create -o table=sessions ") for one in found
    )


@pytest.mark.parametrize(
    ("consistency", "lines", "remedy"),
    [
        ({}, ["note replicas"], ""),
        ({"MultiRegionConsistency": "EVENTUAL"}, ["note replicas"], ""),
        (
            {"MultiRegionConsistency": "STRONG"},
            ["note expired rows"],
            "beaker-dynamodb sessions purge -c app.ini",
        ),
    ],
)
def test_a_global_table_is_reported_by_what_its_users_can_lose(
    consistency: dict[str, str], lines: list[str], remedy: str
) -> None:
    """Its own Region is not a replica. TTL is not missed if AWS does not have it there."""
    regions = ({"RegionName": name} for name in ("us-east-1", "eu-central-1", "eu-west-1"))
    actual = Description.from_response(
        {
            "TableName": "sessions",
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "TableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions",
            "DeletionProtectionEnabled": True,
            "Replicas": list(regions),
            **consistency,
        },
        Expiry(None, "disabled") if remedy else Expiry("expires", "enabled"),
    )
    table = FoundTable(actual, dataclasses.replace(make_application(), arguments="-c app.ini"))
    (found,) = run_checks(store.SAFETY, table)

    assert actual.replicas == ("eu-west-1", "us-east-1")
    assert table.differences == ()
    assert (list_problems([found]), found.remedy) == (lines, remedy)
    assert remedy or "also in eu-west-1, us-east-1, with eventual consistency" in found.message
    checks = [one.check for one in run_checks(store.FOUND_TABLE, table)]
    assert ("TTL" in checks) is not bool(remedy)


def test_a_missing_table_is_an_error_with_the_command_that_creates_it() -> None:
    """The message says whether the first request creates it."""
    (creates,) = run_checks(store.MISSING_TABLE, make_application())
    (waits,) = run_checks(store.MISSING_TABLE, make_application(create_table="false"))

    assert "the first request creates it" in creates.message
    assert "no request creates it" in waits.message
    assert "check its name and the region" in waits.message
    for found in (creates, waits):
        assert found.remedy.startswith("beaker-dynamodb table create -o table=")


@pytest.mark.parametrize(
    ("options", "code", "lines"),
    [
        ({"create_table": "true"}, "AccessDeniedException", ["warning create_table"]),
        ({"create_table": "false"}, "AccessDeniedException", ["note table"]),
        ({}, "UnrecognizedClientException", ["error credentials"]),
    ],
)
def test_a_role_that_may_not_describe_the_table_is_explained(
    options: dict[str, str], code: str, lines: list[str]
) -> None:
    """An application need not describe it, but then it cannot create it either."""
    refused = RefusedTable(make_application(**options), make_refusal(code))

    assert list_problems(run_checks(store.REFUSED_TABLE, refused)) == lines


def test_a_missing_permission_is_named() -> None:
    """Each by its action; the allowed ones are listed in one line."""
    errors = {
        "GetItem": None,
        "PutItem": make_refusal("AccessDeniedException"),
        "DeleteItem": Refused("no"),
        "BatchWriteItem": Unavailable("gone"),
    }
    needed = (Permission(name, error, POLICY) for name, error in errors.items())
    found = list(run_checks(store.PERMISSIONS, *needed))

    assert [one.severity for one in found] == ["error", "error", "error"]
    assert "dynamodb:PutItem" in found[0].message
    assert found[0].remedy == POLICY
    assert [one.unreachable for one in found] == [False, False, True]
    assert "endpoint_url" in found[2].message
    (allowed,) = run_checks(store.ALLOWED, ("GetItem", "Query"))
    assert allowed.message == "GetItem, Query"
    assert list(run_checks(store.ALLOWED, ())) == []


@pytest.mark.parametrize(
    ("trip", "lines"),
    [
        (RoundTrip((0.01, 0.01, 0.01), 1, 2), []),
        (RoundTrip((0.01, 0.2, 0.01), 1, 2), ["note round trip"]),
        (RoundTrip((0.01, 0.2, 0.01), 1, 2, is_local=True), []),
        (RoundTrip((0.01,) * 3, 1, 2, transports=("wire",) * 3), []),
        (RoundTrip(message="the row that was read differs"), ["error round trip"]),
        (RoundTrip(error=Refused("no")), ["error round trip"]),
        (RoundTrip(error=make_refusal("AccessDeniedException")), ["error round trip"]),
    ],
)
def test_a_round_trip_that_is_slow_or_fails_is_reported(trip: RoundTrip, lines: list[str]) -> None:
    """A slow one is only a note, because it works. There is one finding in any case."""
    (found,) = run_checks(store.ROUND_TRIPS, trip)

    assert list_problems([found]) == lines


def test_calls_that_the_wire_could_not_make_are_reported() -> None:
    """boto3 has made them, so the round trip itself has succeeded."""
    trip = RoundTrip((0.01,) * 3, 1, 2, transports=("wire", "fallback", "fallback"))
    warning, ok = run_checks(store.ROUND_TRIPS, trip)

    assert (warning.severity, warning.check) == ("warning", "transport")
    assert "2 calls" in warning.message
    assert (ok.check, ok.message[-8:]) == ("round trip", " by wire")


def test_both_transports_are_tried_if_the_wire_is_used(ini_with_table: str) -> None:
    """boto3 makes what the wire cannot, so it must work too."""

    def list_transports(option: str) -> list[str]:
        """List what has made the round trips; a slow one has advice behind that."""
        found = examine_store(load_application(ini_with_table, given={"transport": option}))
        trips = [one.message for one in found if one.check == "round trip"]
        return [message.rpartition(" by ")[2].partition(";")[0] for message in trips]

    assert list_transports("wire") == ["wire", "boto3"]
    assert list_transports("boto3") == ["boto3"]
