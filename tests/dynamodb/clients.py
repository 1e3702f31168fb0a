"""Which client and which client a manager uses."""

from __future__ import annotations

from typing import Any

from beaker_dynamodb.dynamodb.client import Client


def client_of(manager: Any) -> Any:
    """Look at the client that a manager uses."""
    return the_door(manager)._get_clients().boto3


def the_door(manager: Any) -> Client:
    """Look at the client that a manager uses."""
    found: Client = manager._session.rows.table.client
    return found
