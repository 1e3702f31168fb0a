"""What the tests of the wire share: doors over either transport, and a look at what they use."""

from __future__ import annotations

from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Door
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire.client import Wire
from tests.servers import REGION

#: A busy machine is no outage.
PATIENT: Final = {"connect_timeout": 10.0, "read_timeout": 10.0}


def a_door(url: str | None, transport: str = "wire", **options: Any) -> Door:
    """Open a door of its own to a server."""
    given = {"region": REGION, "endpoint_url": url, "transport": transport, **PATIENT, **options}
    return Door(Connection(**given))


def wire_of(door: Door) -> Wire:
    """Look at the wire that a door uses."""
    wire: Wire | None = door._made().wire
    assert wire is not None
    return wire


def ports(door: Door) -> list[int]:
    """Tell the local ports of the connections that rest."""
    return [line._socket.getsockname()[1] for line in wire_of(door)._resting]


def key(name: str) -> dict[str, Any]:
    """Write the key of an item."""
    return {"id": {"S": name}}


def get(door: Door, table: str, name: str) -> Any:
    """Read an item over a door."""
    request = {"TableName": table, "Key": key(name), "ConsistentRead": True}
    return door.call("GetItem", request).body.get("Item")


def put(door: Door, table: str, name: str, **more: Any) -> None:
    """Write an item over a door."""
    door.call("PutItem", {"TableName": table, "Item": {**key(name), **more}})


def create(table: str, name: str) -> dict[str, Any]:
    """Write the request of a PutItem on the condition that nothing stands there."""
    return {
        "TableName": table,
        "Item": {**key(name), "mark": {"B": b"\x00\xff"}},
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
