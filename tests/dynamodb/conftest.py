"""Tables with a session or an item of a user called Alice."""

from __future__ import annotations

import pytest

from tests.dynamodb.wire_clients import create_client, put_item
from tests.sessions import apps


@pytest.fixture
def alice(dynamodb_local: str, table_name: str) -> str:
    """Create a table with a session `alice` in it."""
    apps.make_table(dynamodb_local, table_name)
    apps.manager(dynamodb_local, table_name, "alice")["session"] = "text"
    return table_name


@pytest.fixture
def table(dynamodb_local: str, table_name: str) -> str:
    """Create a table with an item `alice` in it."""
    apps.make_table(dynamodb_local, table_name)
    put_item(create_client(dynamodb_local, "boto3"), table_name, "alice", mark={"S": "hers"})
    return table_name
