"""What the tests of the wire share: doors over either transport, and a look at what they use."""

from __future__ import annotations

from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire.client import WireClient
from tests.servers import REGION

#: A busy machine is no outage.
PATIENT: Final = {"connect_timeout": 10.0, "read_timeout": 10.0}


def a_client(url: str | None, transport: str = "wire", **options: Any) -> Client:
    """Open a client of its own to a server."""
    given = {"region": REGION, "endpoint_url": url, "transport": transport, **PATIENT, **options}
    return Client(Connection(**given))


def wire_of(client: Client) -> WireClient:
    """Look at the wire that a client uses."""
    wire: WireClient | None = client._get_clients().wire
    assert wire is not None
    return wire


def ports(client: Client) -> list[int]:
    """Tell the local ports of the connections that rest."""
    return [line._socket.getsockname()[1] for line in wire_of(client)._idle]


def key(name: str) -> dict[str, Any]:
    """Write the key of an item."""
    return {"id": {"S": name}}


def get(client: Client, table: str, name: str) -> Any:
    """Read an item over a client."""
    request = {"TableName": table, "Key": key(name), "ConsistentRead": True}
    return client.call("GetItem", request).body.get("Item")


def put(client: Client, table: str, name: str, **more: Any) -> None:
    """Write an item over a client."""
    client.call("PutItem", {"TableName": table, "Item": {**key(name), **more}})


def create(table: str, name: str) -> dict[str, Any]:
    """Write the request of a PutItem on the condition that nothing stands there."""
    return {
        "TableName": table,
        "Item": {**key(name), "mark": {"B": b"\x00\xff"}},
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
