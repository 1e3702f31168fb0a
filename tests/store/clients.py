"""Which client and which door a manager uses."""

from __future__ import annotations

from typing import Any

from beaker_dynamodb.dynamodb.client import Door


def client_of(manager: Any) -> Any:
    """Look at the client that a manager uses."""
    return the_door(manager)._current()


def the_door(manager: Any) -> Door:
    """Look at the door that a manager uses."""
    found: Door = manager._session.rows.table.door
    return found
