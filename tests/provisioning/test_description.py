"""The expected table as requests and commands, and its differences from the actual one."""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import Any

import pytest

from beaker_dynamodb.config import sources
from beaker_dynamodb.dynamodb.user_rows import make_index_name
from beaker_dynamodb.provisioning.description import (
    Description,
    Difference,
    Expiry,
    Severity,
    compare,
)
from beaker_dynamodb.provisioning.spec import Attribute, Index, TableSpec, table_spec

PLAIN = TableSpec("sessions")
RICH = TableSpec(
    "sessions",
    "sid",
    "kind",
    "until",
    (Index("userId-index", "userId", "S"), Index("visits-index", "visits", "N")),
    (5, 7),
)


def spec_of(**given: object) -> TableSpec:
    """Return the table that a session's options ask for."""
    return table_spec(sources.parse(given, "session"))


def describe(expected: TableSpec) -> Description:
    """Describe a table that is exactly as expected."""
    return Description(
        expected.table,
        "eu-central-1",
        "123456789012",
        "active",
        Attribute(expected.hash_key),
        Attribute(expected.range_key) if expected.range_key else None,
        Expiry(expected.ttl_attribute, "enabled"),
        expected.indexes,
        expected.capacity,
    )


def test_by_default_the_table_is_on_demand_with_a_hash_key_only() -> None:
    """Without options it has a String hash key, no range key and no index."""
    assert spec_of().to_create_request() == {
        "TableName": "sessions",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def test_every_option_about_the_table_is_in_the_create_request() -> None:
    """Names, range key, indexes and capacity are all that CreateTable takes of the options."""
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    found = spec_of(
        table="t-1",
        hash_key="sid",
        range_key="kind",
        special_keys="userId:S visits:N",
        read_capacity_units="5",
        write_capacity_units="7",
    )

    assert found.to_create_request() == {
        "TableName": "t-1",
        "AttributeDefinitions": [
            {"AttributeName": "sid", "AttributeType": "S"},
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "userId", "AttributeType": "S"},
            {"AttributeName": "visits", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "sid", "KeyType": "HASH"},
            {"AttributeName": "kind", "KeyType": "RANGE"},
        ],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": units,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": f"{name}-index",
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": units,
            }
            for name in ("userId", "visits")
        ],
    }


def test_special_keys_have_no_index_with_index_special_keys_false() -> None:
    """The attributes are stored, but no index has to be paid for."""
    assert spec_of(special_keys="userId:S", index_special_keys="false").indexes == ()


def test_only_the_special_keys_that_are_named_have_an_index() -> None:
    """A label is an attribute of the row, and needs no index; the command creates the same."""
    found = spec_of(special_keys="device, userId:N", index_special_keys="userId")

    assert found.indexes == (Index("userId-index", "userId", "N"),)
    assert [i["IndexName"] for i in found.to_create_request()["GlobalSecondaryIndexes"]] == [
        "userId-index"
    ]
    assert "special_keys=userId:N" in found.command()


def test_an_index_has_a_unique_name_that_aws_accepts() -> None:
    """The name is readable for a plain attribute, and valid and unique for any other."""
    hostile = ["user id", "user/id", "user_id", "ü", "x" * 255, "x" * 254, "/", "", "a\nb"]
    names = [make_index_name(attribute) for attribute in hostile]

    assert make_index_name("userId") == "userId-index"
    assert [n for n in names if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", n)] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (PLAIN, "hash key 'id' (String), no range key"),
        (RICH, "hash key 'sid' (String) and range key 'kind' (String)"),
    ],
)
def test_a_key_schema_is_formatted_in_words(found: TableSpec, words: str) -> None:
    """The actual and the expected schema read alike, so that an operator can compare them."""
    assert found.schema() == words
    assert describe(found).schema() == words


@pytest.mark.parametrize(
    "found",
    [
        PLAIN,
        RICH,
        TableSpec("a-b", ttl_attribute="it's"),
        TableSpec("sessions", endpoint_url="http://127.0.0.1:8000", profile="my site"),
    ],
)
def test_the_command_in_messages_creates_the_same_table(found: TableSpec) -> None:
    """Parsed by a shell, it gives the same options, endpoint and profile included."""
    words = shlex.split(found.command("eu-central-1"))
    given = dict(word.split("=", 1) for word in words[4::2])

    assert words[:3] == ["beaker-dynamodb", "table", "create"]
    assert set(words[3::2]) == {"-o"}
    assert given.pop("region") == "eu-central-1"
    assert spec_of(**given) == dataclasses.replace(
        found, indexes=tuple(Index(make_index_name(i.attribute), *_rest(i)) for i in found.indexes)
    )


def _rest(index: Index) -> tuple[str, str]:
    return index.attribute, index.type


@pytest.mark.parametrize("expected", [PLAIN, RICH])
@pytest.mark.parametrize("status", ["enabled", "enabling"])
def test_a_table_as_expected_has_no_differences(expected: TableSpec, status: str) -> None:
    """Not even during the hour that AWS takes to enable TTL."""
    actual = dataclasses.replace(describe(expected), expiry=Expiry(expected.ttl_attribute, status))

    assert compare(actual, expected) == ()


DIFFERENCES: tuple[tuple[dict[str, Any], str, str, str, Severity], ...] = (
    (
        {"hash_key": Attribute("id")},
        *("key schema", "hash key 'id' (String) and range key 'kind' (String)"),
        *("hash key 'sid' (String) and range key 'kind' (String)", "error"),
    ),
    (
        {"hash_key": Attribute("sid", "B")},
        *("key schema", "hash key 'sid' (Binary) and range key 'kind' (String)"),
        *("hash key 'sid' (String) and range key 'kind' (String)", "error"),
    ),
    (
        {"range_key": None},
        *("key schema", "hash key 'sid' (String), no range key"),
        *("hash key 'sid' (String) and range key 'kind' (String)", "error"),
    ),
    ({"status": "archived"}, "status", "archived", "active", "error"),
    ({"expiry": Expiry(None, "disabled")}, "TTL", "disabled", "on 'until' (enabled)", "warning"),
    (
        {"expiry": Expiry("until", "disabling")},
        *("TTL", "on 'until' (disabling)", "on 'until' (enabled)", "warning"),
    ),
    (
        {"expiry": Expiry("ttl", "enabled")},
        *("TTL", "on 'ttl' (enabled)", "on 'until' (enabled)", "warning"),
    ),
    ({"expiry": Expiry(None, "unknown")}, "TTL", "unknown", "on 'until' (enabled)", "note"),
    (
        {"indexes": RICH.indexes[:1]},
        *("index of 'visits'", "missing", "'visits-index' on 'visits' (Number)", "warning"),
    ),
    (
        {"indexes": (RICH.indexes[0], Index("visits-index", "visits", "S"))},
        *("index of 'visits'", "String", "Number", "error"),
    ),
    (
        {"indexes": (RICH.indexes[0], Index("visits-index", "visits", "N", "ALL"))},
        *("index of 'visits'", "ALL", "KEYS_ONLY", "note"),
    ),
    ({"capacity": None}, "capacity", "on-demand", "5 read and 7 write units a second", "note"),
)


@pytest.mark.parametrize(("changed", "setting", "was", "expected", "severity"), DIFFERENCES)
def test_a_difference_has_both_values_and_a_severity(
    changed: dict[str, Any], setting: str, was: str, expected: str, severity: Severity
) -> None:
    """Each setting that differs gives one difference."""
    actual = dataclasses.replace(describe(RICH), **changed)

    assert compare(actual, RICH) == (Difference(setting, was, expected, severity),)


def test_an_index_of_another_name_is_no_difference() -> None:
    """Indexes are compared by attribute, as one created by hand may have any name."""
    other = (Index("by-user", "userId", "S"), Index("v", "visits", "N"), Index("x", "mail", "S"))

    assert compare(dataclasses.replace(describe(RICH), indexes=other), RICH) == ()


def test_the_worst_difference_comes_first() -> None:
    """An operator who reads only the first line reads what breaks sessions."""
    wrong = (RICH.indexes[0], Index("visits-index", "visits", "S"))
    actual = dataclasses.replace(
        describe(RICH), capacity=None, indexes=wrong, expiry=Expiry(None, "disabled")
    )
    found = [(difference.severity, difference.setting) for difference in compare(actual, RICH)]

    assert found == [("error", "index of 'visits'"), ("warning", "TTL"), ("note", "capacity")]


def test_a_table_that_was_never_on_demand_is_read_as_provisioned() -> None:
    """DescribeTable has neither a billing summary nor a list of indexes for such a table."""
    response = {
        "TableName": "old",
        "TableStatus": "ACTIVE",
        "TableArn": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/old",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    }
    found = Description.from_response(response, Expiry(None, "disabled"))

    assert found.capacity == (3, 4)
    assert (found.region, found.account, found.indexes) == ("cn-north-1", "123456789012", ())
