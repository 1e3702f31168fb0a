"""Tables with a new client, and a row to write to them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.item.keys import Layout
from beaker_dynamodb.item.record import Record, Schema
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.spec import TableSpec
from tests.revisions import make_rev
from tests.servers import REGION

NOW: Final = 1_900_000_000.0
SCHEMA: Final = Schema("gone_at", (("userId", "S"), ("visits", "N"), ("mark", "B")))


def open_table(url: str, name: str, range_key: str | None = None, **more: Any) -> Table:
    """Return a table with a new client."""
    client = Client(Connection(endpoint_url=url, region=REGION, max_attempts=1, read_timeout=20))
    return Table(client, name, Layout("sess:", "id", range_key), SCHEMA, **more)


def make_record(table: Table, names: str = "birth.token", **more: Any) -> Record:
    """Return a row."""
    fields = {"data": b"data", "expires": int(NOW) + 60, **more}
    return Record(table.layout.make_session_key("alice"), rev=make_rev(names), **fields)


def open_creating_table(url: str, name: str) -> Table:
    """Return a table that is created if it is missing."""
    table = open_table(url, name)
    make = partial(
        provision.create_on_demand, table.client, TableSpec(name, ttl_attribute="gone_at")
    )
    return replace(table, create=make)
