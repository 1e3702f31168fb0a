"""Several servers before one table in one process, each with a clock that the test winds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beaker_dynamodb.caches import creation_lock
from beaker_dynamodb.manager import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import Runtime
from tests.caches.tables import Table
from tests.instruments import Clock, nothing

LIFETIME, CLOCK_TOLERANCE, MAX_WAIT = 15, creation_lock.CLOCK_TOLERANCE, 20
#: A wait that is longer than any lifetime in these tests.
LONG = 100


@dataclass(frozen=True)
class Servers:
    """A table, and as many servers before it as a test wants, each with a clock of its own."""

    table: Table

    def server(
        self,
        number: int,
        clock: Clock,
        during_sleep: Callable[[], object] = nothing,
        **options: Any,
    ) -> Any:
        """Make a server's manager; `during_sleep` happens whenever it waits."""

        def sleep(seconds: float) -> None:
            clock.advance(seconds)
            during_sleep()

        runtime = Runtime(clock, clock.monotonic, sleep, lambda: 0.5)
        kind = type("Server", (DynamoDBNamespaceManager,), {"runtime": runtime})
        where = self.table.with_options(max_pool_connections=number, client=None)
        return kind("ns", **where.with_options(**options).given)

    @property
    def owner(self) -> bytes | None:
        """Say whose the lock is, by the row."""
        rows = self.table.rows()
        return rows[0]["rev"]["B"] if rows else None
