"""Clients of either transport, requests, and the connections that a client keeps."""

from __future__ import annotations

from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire.client import WireClient
from tests.servers import REGION

#: Long enough for a busy machine.
PATIENT: Final = {"connect_timeout": 10.0, "read_timeout": 10.0}


def create_client(url: str | None, transport: str = "wire", **options: Any) -> Client:
    """Create a new client of a server."""
    given = {"region": REGION, "endpoint_url": url, "transport": transport, **PATIENT, **options}
    return Client(Connection(**given))


def get_wire(client: Client) -> WireClient:
    """Return the wire that a client uses."""
    wire: WireClient | None = client._get_clients().wire
    assert wire is not None
    return wire


def get_idle_ports(client: Client) -> list[int]:
    """Return the local ports of the idle connections."""
    return [connection._socket.getsockname()[1] for connection in get_wire(client)._idle]


def make_key(name: str) -> dict[str, Any]:
    """Return the key of an item."""
    return {"id": {"S": name}}


def get_item(client: Client, table: str, name: str) -> Any:
    """Read an item."""
    request = {"TableName": table, "Key": make_key(name), "ConsistentRead": True}
    return client.call("GetItem", request).body.get("Item")


def put_item(client: Client, table: str, name: str, **more: Any) -> None:
    """Write an item."""
    client.call("PutItem", {"TableName": table, "Item": {**make_key(name), **more}})


def make_create_request(table: str, name: str) -> dict[str, Any]:
    """Return the request of a PutItem on condition that there is no item."""
    return {
        "TableName": table,
        "Item": {**make_key(name), "mark": {"B": b"\x00\xff"}},
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
