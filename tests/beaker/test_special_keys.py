"""Keys of a session that are attributes, too: found by an index, and insisted upon."""

from __future__ import annotations

import base64

import pytest
from beaker.util import PickleSerializer

from beaker_dynamodb import OptionError
from tests.beaker import apps
from tests.beaker.test_contract import the_row
from tests.servers import Server


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
