"""A table whose keys are not those that the options name: the error says is and ought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from beaker_dynamodb import TableMismatch
from tests.dynamodb.doubles import chain, failure
from tests.servers import Flavor, Server
from tests.sessions import apps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.literals import ScalarAttributeTypeType
from tests.dynamodb.test_responses import SECRET

#: A table's keys (name, type), and what the client is asked for there.
Keys: TypeAlias = "tuple[tuple[str, ScalarAttributeTypeType], ...]"
SCHEMAS: Final[tuple[Keys, ...]] = (
    (("sid", "S"),),
    (("id", "N"),),
    (("sid", "B"),),
    (("id", "S"), ("kind", "S")),
    (("sid", "N"), ("kind", "B")),
)


@pytest.mark.parametrize("keys", SCHEMAS, ids=lambda keys: " ".join(map(":".join, keys)))
def test_a_table_of_another_key_schema_is_named(
    keys: Keys, dynamodb_local: str, table_name: str
) -> None:
    """A load and a save of a table whose keys have other names or types say what is wanted."""
    Server(dynamodb_local, Flavor.LOCAL).client().create_table(
        TableName=table_name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys],
        KeySchema=[
            {"AttributeName": name, "KeyType": "RANGE" if place else "HASH"}
            for place, (name, _) in enumerate(keys)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    manager = apps.manager(dynamodb_local, table_name, SECRET)

    load = failure(lambda: manager["session"])
    save = failure(lambda: manager.__setitem__("session", "text"))

    assert [type(load), type(save)] == [TableMismatch, TableMismatch]
    assert "the options say hash key 'id'" in str(load)
    assert "the options say hash key 'id'" in str(save)
    assert SECRET not in f"{load}{save}"
    assert [*chain(load), *chain(save)] == [load, save]
