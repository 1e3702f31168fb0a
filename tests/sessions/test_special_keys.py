"""Keys of a session that are attributes, too: found by an index, and insisted upon."""

from __future__ import annotations

import base64
import pickle

import pytest
from beaker.util import PickleSerializer

from beaker_dynamodb import OptionError
from tests.servers import Server
from tests.sessions import apps
from tests.sessions.test_contract import the_row


def test_special_keys_are_attributes_with_an_index(server: Server, table_name: str) -> None:
    """Special keys of a session are attributes of their type, and a new table indexes them."""
    names = "userId:S, visits:N, mark:B, absent:S"
    special = {"userId": 4711, "visits": 3, "mark": b"\x00\xff"}

    web = apps.at(server.url, table_name, special_keys=names)
    web.get("/put", extra_environ={apps.VALUE: {**special, "other": "x"}})

    client = server.client()
    indexes = client.describe_table(TableName=table_name)["Table"]["GlobalSecondaryIndexes"]
    row = the_row(server.url, table_name)
    (found,) = client.scan(TableName=table_name, IndexName="userId-index")["Items"]
    assert found["id"] == row["id"]
    assert row.keys() - {"data", "rev", "expires", "id"} == special.keys()
    assert [row[name] for name in special] == [{"S": "4711"}, {"N": "3"}, {"B": b"\x00\xff"}]
    assert {
        (i["KeySchema"][0]["AttributeName"], i["Projection"]["ProjectionType"]) for i in indexes
    } == {(name, "KEYS_ONLY") for name in (*special, "absent")}


def test_a_required_special_key_is_required(moto_url: str, table_name: str) -> None:
    """Under `require_special_keys` a save without one fails, naming it; without, it succeeds."""
    strict = apps.manager(
        moto_url, table_name, "strict", require_special_keys="true", special_keys="userId:S"
    )

    with pytest.raises(OptionError, match="userId"):
        strict["session"] = base64.b64encode(PickleSerializer().dumps({"a": 1})).decode()
    answer = apps.at(moto_url, table_name, special_keys="userId:S").get("/set?user=alice")

    assert answer.status_int == 200
    assert "session" not in strict


@pytest.mark.parametrize("is_forbidden", [False, True])
def test_no_special_key_is_read_from_a_pickle_where_pickles_are_forbidden(
    dynamodb_local: str, table_name: str, *, is_forbidden: bool
) -> None:
    """The manager of a StrictSession with JSON takes a pickle for an opaque text."""
    manager = apps.manager(dynamodb_local, table_name, "a", special_keys="user")
    if is_forbidden:
        manager.forbid_pickles()
    manager["session"] = base64.b64encode(pickle.dumps({"user": "ann"}, 2)).decode()

    assert ("user" in the_row(dynamodb_local, table_name)) is not is_forbidden


@pytest.mark.parametrize("size", [1024, 1025, 2048, 2049])
def test_a_long_special_key_fails_no_save_whatever_index_holds_it(
    server: Server, table_name: str, size: int
) -> None:
    """An index of the operator's own may have it as its sort key, whose limit is the lower one."""
    client = server.client()
    client.create_table(
        TableName=table_name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "tenant", "userId")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-tenant",
                "KeySchema": [
                    {"AttributeName": "tenant", "KeyType": "HASH"},
                    {"AttributeName": "userId", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    web = apps.at(server.url, table_name, special_keys="tenant:S,userId:S")

    web.get("/put", extra_environ={apps.VALUE: {"tenant": "t", "userId": "a" * size}})

    row = the_row(server.url, table_name)
    assert row["tenant"] == {"S": "t"}
    assert ("userId" in row) is (size <= 1024)
