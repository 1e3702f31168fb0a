"""Caches' rest after an outage: pages stay fast while DynamoDB is down. Never for sessions.

It is kept per connection and table, in monotonic seconds.
"""

from __future__ import annotations

from typing import Final

from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.runtime import on_fork, on_reset

#: How many seconds caches are bypassed after a call that found DynamoDB unavailable.
REST: Final = 5.0
_until: dict[tuple[Connection, str], float] = {}


def begin(table: Table, now: float) -> None:
    """Let caches on *table* rest from *now* on."""
    _until[table.client.connection, table.name] = now + REST


def cooling(table: Table, now: float) -> bool:
    """Tell whether caches on *table* rest at *now*."""
    return bool(_until) and now < _until.get((table.client.connection, table.name), 0.0)


def forget() -> None:
    """Forget every rest."""
    _until.clear()


on_fork(forget)
on_reset(forget)
