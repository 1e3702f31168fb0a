"""A table behind a client of its own, and a row for it."""

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

NOW: Final = 1_900_000_000.0
SCHEMA: Final = Schema("gone_at", (("userId", "S"), ("visits", "N"), ("mark", "B")))


def table_at(url: str, name: str, range_key: str | None = None, **more: Any) -> Table:
    """Open a table with a client of its own."""
    client = Client(
        Connection(endpoint_url=url, region="us-east-1", max_attempts=1, read_timeout=20)
    )
    return Table(client, name, Layout("sess:", "id", range_key), SCHEMA, **more)


def a_record(table: Table, rev: str = "birth.token", **more: Any) -> Record:
    """Make a row."""
    fields = {"data": b"data", "expires": int(NOW) + 60, **more}
    return Record(table.layout.make_session_key("alice"), rev=rev, **fields)


def creating(url: str, name: str) -> Table:
    """Open a table that is made where it is missing."""
    table = table_at(url, name)
    make = partial(
        provision.create_on_demand, table.client, TableSpec(name, ttl_attribute="gone_at")
    )
    return replace(table, create=make)
