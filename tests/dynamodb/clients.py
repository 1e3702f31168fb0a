"""The client that a manager uses, and its boto3 client."""

from __future__ import annotations

from typing import Any

from beaker_dynamodb.dynamodb.client import Client


def get_boto3_client(manager: Any) -> Any:
    """Return the boto3 client that a manager uses."""
    return get_client(manager)._get_clients().boto3


def get_client(manager: Any) -> Client:
    """Return the client that a manager uses."""
    client: Client = manager.session_store.rows.table.client
    return client
