"""What the doctor's checks decide about a table: its shape, the rights, a row's round trip."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from beaker_dynamodb.dynamodb.diagnostics import PermissionCheck
from beaker_dynamodb.errors import AccessRefused, CallFacts, Refused, Unavailable
from beaker_dynamodb.ops.doctor import table
from beaker_dynamodb.ops.doctor.table import RoundTrip
from beaker_dynamodb.provisioning.description import Description, Expiry
from beaker_dynamodb.provisioning.spec import Attribute, Index, TableSpec
from tests.ops.test_doctor_settings import lines, told

OUGHT = TableSpec("sessions", indexes=(Index("u-index", "u", "S"),))
IS = Description(
    *("sessions", "eu-central-1", "123456789012", "active", Attribute("id"), None),
    Expiry("expires", "enabled"),
    OUGHT.indexes,
    protection=True,
)


def refused(code: str) -> AccessRefused:
    """Make what the client raises when a role may not."""
    return AccessRefused("AWS refuses it", call=CallFacts("GetItem", "sessions", code=code))


@pytest.mark.parametrize(
    ("changed", "line", "remedy"),
    [
        ({}, [], ""),
        ({"status": "creating"}, ["error status"], "beaker-dynamodb table create"),
        ({"hash_key": Attribute("sid")}, ["error key schema"], "hash_key = ..."),
        ({"expiry": Expiry(None, "disabled")}, ["warning TTL"], "beaker-dynamodb table create"),
        ({"expiry": Expiry("x", "enabled")}, ["warning TTL"], "ttl_attribute = x"),
        ({"capacity": (1, 1)}, ["note capacity"], "beaker-dynamodb table create"),
        ({"indexes": ()}, ["warning index of 'u'"], "beaker-dynamodb table create"),
    ],
)
def test_a_table_that_is_not_as_it_ought_to_be_is_found(
    changed: dict[str, Any], line: list[str], remedy: str
) -> None:
    """What differs is told with its remedy; what is well is told as well."""
    found = list(table.shape(dataclasses.replace(IS, **changed), OUGHT, OUGHT.command()))

    assert lines(iter(found)) == line
    assert [one.check for one in found if one.severity == "ok"]
    assert all(remedy in one.remedy for one in found if one.severity != "ok")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, []),
        ({"protection": False}, ["note protection"]),
        ({"recovery": True}, ["note backups"]),
    ],
)
def test_what_protects_the_table_is_told(changed: dict[str, Any], line: list[str]) -> None:
    """Both have a command that changes them."""
    assert lines(table.safety(dataclasses.replace(IS, **changed), "make")) == line


def test_a_table_that_is_missing_is_an_error_with_its_command() -> None:
    """Whether the first request will make it, or nobody."""
    (makes,) = table.missing(told({}), OUGHT.command())
    (waits,) = table.missing(told({"create_table": "false"}), OUGHT.command())

    assert "the first request creates it" in makes.message
    assert "no request creates it" in waits.message
    assert makes.remedy.startswith("beaker-dynamodb table create -o table=sessions")


@pytest.mark.parametrize(
    ("given", "code", "line"),
    [
        ({"create_table": "true"}, "AccessDeniedException", ["warning create_table"]),
        ({"create_table": "false"}, "AccessDeniedException", ["note table"]),
        ({}, "UnrecognizedClientException", ["error credentials"]),
    ],
)
def test_a_role_that_may_not_describe_the_table_is_explained(
    given: dict[str, str], code: str, line: list[str]
) -> None:
    """An application need not; but then it cannot create a table either."""
    assert lines(table.undescribed(told(given), refused(code))) == line


def test_a_right_that_is_missing_is_named() -> None:
    """Each by its action; what may be done is told in one line."""
    found = list(
        table.permissions(
            "beaker-dynamodb policy app -c app.ini",
            [
                PermissionCheck("GetItem"),
                PermissionCheck("PutItem", error=refused("AccessDeniedException")),
                PermissionCheck("DeleteItem", error=Refused("no")),
                PermissionCheck("BatchGetItem", error=Unavailable("gone")),
            ],
        )
    )

    assert [one.severity for one in found] == ["error", "error", "error", "ok"]
    assert "dynamodb:PutItem" in found[0].message
    assert found[0].remedy == "beaker-dynamodb policy app -c app.ini"
    assert [one.unreachable for one in found] == [False, False, True, False]
    assert "endpoint_url" in found[2].remedy
    assert found[3].message == "GetItem"


@pytest.mark.parametrize(
    ("trip", "line"),
    [
        (RoundTrip((0.01, 0.01, 0.01), 1, 2), []),
        (RoundTrip((0.01, 0.2, 0.01), 1, 2), ["note round trip"]),
        (RoundTrip(message="the row that was read differs"), ["error round trip"]),
        (RoundTrip(error=Refused("no")), ["error round trip"]),
    ],
)
def test_a_round_trip_that_is_slow_or_fails_is_found(trip: RoundTrip, line: list[str]) -> None:
    """Slow is a note: it works."""
    assert lines(table.round_trip(trip)) == line
