"""The table that ought to be, the table that is, and the gap: pure, without a server."""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import Any

import pytest

from beaker_dynamodb.config import sources
from beaker_dynamodb.provisioning.description import Description, Expiry
from beaker_dynamodb.provisioning.diff import Difference, Severity, differences
from beaker_dynamodb.provisioning.spec import Attribute, Index, TableSpec, index_name, table_spec

PLAIN = TableSpec("sessions")
RICH = TableSpec(
    "sessions",
    "sid",
    "kind",
    "until",
    (Index("userId-index", "userId", "S"), Index("visits-index", "visits", "N")),
    (5, 7),
)


def drawn(**given: object) -> TableSpec:
    """Draw what a session's options ask for."""
    return table_spec(sources.parse(given, "session"))


def standing(ought: TableSpec) -> Description:
    """Describe the table that is exactly as it ought to be."""
    return Description(
        ought.table,
        "eu-central-1",
        "123456789012",
        "active",
        Attribute(ought.hash_key),
        Attribute(ought.range_key) if ought.range_key else None,
        Expiry(ought.ttl_attribute, "enabled"),
        ought.indexes,
        ought.capacity,
    )


def test_the_defaults_give_one_key_and_no_bill_for_idle_hours() -> None:
    """Without options: a String hash key alone, on-demand, no index."""
    assert drawn().to_create_request() == {
        "TableName": "sessions",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def test_every_option_of_the_table_reaches_its_request() -> None:
    """Names, range key, indexes and capacity: all that CreateTable can be told, it is told."""
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    found = drawn(
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


def test_special_keys_are_not_indexed_where_nobody_asked_for_it() -> None:
    """`index_special_keys = false` keeps the attributes, and pays for no index."""
    assert drawn(special_keys="userId:S", index_special_keys="false").indexes == ()


def test_an_index_keeps_a_readable_name_that_aws_accepts() -> None:
    """A plain attribute is readable in its index; a hostile one is accepted, and no other's."""
    hostile = ["user id", "user/id", "user_id", "ü", "x" * 255, "x" * 254, "/", "", "a\nb"]
    names = [index_name(attribute) for attribute in hostile]

    assert index_name("userId") == "userId-index"
    assert [n for n in names if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", n)] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (PLAIN, "hash key 'id' (String), no range key"),
        (RICH, "hash key 'sid' (String) and range key 'kind' (String)"),
    ],
)
def test_a_key_schema_is_said_in_words(found: TableSpec, words: str) -> None:
    """What ought to be and what is are said alike, so that an operator can compare them."""
    assert found.ought() == words
    assert standing(found).schema() == words


@pytest.mark.parametrize(
    "found",
    [
        PLAIN,
        RICH,
        TableSpec("a-b", ttl_attribute="it's"),
        TableSpec("sessions", endpoint_url="http://127.0.0.1:8000", profile="my site"),
    ],
)
def test_the_command_that_is_named_makes_this_very_table(found: TableSpec) -> None:
    """Pasted into a shell and parsed, it draws the same blueprint, in the same place."""
    words = shlex.split(found.command("eu-central-1"))
    given = dict(word.split("=", 1) for word in words[4::2])

    assert words[:3] == ["beaker-dynamodb", "table", "create"]
    assert set(words[3::2]) == {"-o"}
    assert given.pop("region") == "eu-central-1"
    assert drawn(**given) == dataclasses.replace(
        found, indexes=tuple(Index(index_name(i.attribute), *_rest(i)) for i in found.indexes)
    )


def _rest(index: Index) -> tuple[str, str]:
    return index.attribute, index.kind


@pytest.mark.parametrize("ought", [PLAIN, RICH])
@pytest.mark.parametrize("status", ["enabled", "enabling"])
def test_a_table_as_asked_for_differs_in_nothing(ought: TableSpec, status: str) -> None:
    """No false alarm, not even in the hour that AWS takes to switch TTL on."""
    is_ = dataclasses.replace(standing(ought), expiry=Expiry(ought.ttl_attribute, status))

    assert differences(is_, ought) == ()


GAPS: tuple[tuple[dict[str, Any], str, str, str, Severity], ...] = (
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


@pytest.mark.parametrize(("changed", "matter", "was", "ought", "severity"), GAPS)
def test_an_operator_is_told_what_differs_and_how_bad_it_is(
    changed: dict[str, Any], matter: str, was: str, ought: str, severity: Severity
) -> None:
    """One thing that differs is one difference, with what is, what ought to be, and how bad."""
    is_ = dataclasses.replace(standing(RICH), **changed)

    assert differences(is_, RICH) == (Difference(matter, was, ought, severity),)


def test_an_index_of_another_name_serves_as_well() -> None:
    """An index is known by its attribute: one made by hand under another name is no difference."""
    other = (Index("by-user", "userId", "S"), Index("v", "visits", "N"), Index("x", "mail", "S"))

    assert differences(dataclasses.replace(standing(RICH), indexes=other), RICH) == ()


def test_the_worst_difference_comes_first() -> None:
    """Whoever reads only the first line reads the one that breaks sessions."""
    wrong = (RICH.indexes[0], Index("visits-index", "visits", "S"))
    is_ = dataclasses.replace(
        standing(RICH), capacity=None, indexes=wrong, expiry=Expiry(None, "disabled")
    )
    found = [(difference.severity, difference.setting) for difference in differences(is_, RICH)]

    assert found == [("error", "index of 'visits'"), ("warning", "TTL"), ("note", "capacity")]


def test_a_table_that_was_always_provisioned_is_read_as_such() -> None:
    """AWS gives such a table no summary of its billing, and no list of its indexes."""
    told = {
        "TableName": "old",
        "TableStatus": "ACTIVE",
        "TableArn": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/old",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    }
    found = Description.of(told, Expiry(None, "disabled"))

    assert found.capacity == (3, 4)
    assert (found.region, found.account, found.indexes) == ("cn-north-1", "123456789012", ())
