"""A bench on a table of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy import FaultProxy
from tests.selftests.bench import OLD, SCHEMA, Bench, a_client
from tests.servers import Flavor, Server


@pytest.fixture
def bench(dynamodb_local: str, table_name: str) -> Iterator[Bench]:
    """Lay the table and put the proxy before it."""
    direct = Server(dynamodb_local, Flavor.LOCAL).client()
    direct.create_table(TableName=table_name, **SCHEMA)
    direct.put_item(TableName=table_name, Item=OLD)
    with FaultProxy(dynamodb_local) as proxy:
        client = a_client(proxy.url)
        yield Bench(proxy, table_name, client, direct)
        client.close()
    direct.close()
