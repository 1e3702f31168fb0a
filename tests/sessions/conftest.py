"""The browser of a logged-in user, over a proxy that a test may break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.dynamodb.doubles import (
    ONCE,
)
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions import apps

ALICE: Final = {"user": "alice"}


@pytest.fixture(scope="module")
def table(dynamodb_local: str) -> Iterator[str]:
    """Create one table for all: each test has a session of its own in it."""
    with Server(dynamodb_local, Flavor.LOCAL).scratch("outage") as name:
        apps.make_table(dynamodb_local, name)
        yield name


@pytest.fixture
def web(proxy: FaultProxy, table: str) -> Any:
    """Give the browser of a logged-in user, under Beaker's default options."""
    web = apps.at(proxy.url, table, **ONCE)
    web.get("/set?user=alice")
    return web
