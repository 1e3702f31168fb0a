"""A table with other keys than the options name: the error says actual and expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from beaker_dynamodb import TableMismatch
from tests.dynamodb.doubles import catch_error, walk_chain
from tests.servers import Flavor, Server
from tests.sessions import apps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.literals import ScalarAttributeTypeType
from tests.dynamodb.test_responses import SECRET

#: The name and type of each key of a table.
Keys: TypeAlias = "tuple[tuple[str, ScalarAttributeTypeType], ...]"
SCHEMAS: Final[tuple[Keys, ...]] = (
    (("sid", "S"),),
    (("id", "N"),),
    (("sid", "B"),),
    (("id", "S"), ("kind", "S")),
    (("sid", "N"), ("kind", "B")),
)


@pytest.mark.parametrize("keys", SCHEMAS, ids=lambda keys: " ".join(map(":".join, keys)))
def test_a_table_with_another_key_schema_is_a_table_mismatch(
    keys: Keys, dynamodb_local: str, table_name: str
) -> None:
    """A load and a save say which keys the options name."""
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

    load = catch_error(lambda: manager["session"])
    save = catch_error(lambda: manager.__setitem__("session", "text"))

    assert [type(load), type(save)] == [TableMismatch, TableMismatch]
    assert "the options say hash key 'id'" in str(load)
    assert "the options say hash key 'id'" in str(save)
    assert SECRET not in f"{load}{save}"
    assert [*walk_chain(load), *walk_chain(save)] == [load, save]
