"""Fixtures of the cache tests. Beaker's own memory is empty before and after each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import beaker.cache
import pytest
from beaker.cache import Cache

from tests.caches.servers import Servers
from tests.caches.tables import Table, use_clock
from tests.instruments import Clock
from tests.servers import Flavor, Server

LITERALS = "tests.caches.tables:LITERALS"
#: Server, range key, serializer, compression: each value of each beside most of the others.
VARIANTS = (
    ("moto", "", "pickle", "true"),
    ("moto", "part", "json", "false"),
    ("moto", "", LITERALS, "false"),
    ("local", "", "json", "true"),
    ("local", "part", "pickle", "false"),
    ("local", "part", LITERALS, "true"),
)


@pytest.fixture(autouse=True)
def beaker_forgets() -> Iterator[None]:
    """Empty Beaker's globals: caches and regions outlive a test otherwise."""
    for known in (beaker.cache.cache_managers, beaker.cache.cache_regions):
        known.clear()
    yield
    for known in (beaker.cache.cache_managers, beaker.cache.cache_regions):
        known.clear()


@pytest.fixture(params=["hash", "range"])
def table(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> Table:
    """Give an empty table on DynamoDB Local, in one layout after the other."""
    options = {"range_key": "part"} if request.param == "range" else {}
    return Table(dynamodb_local, table_name, options).make()


@pytest.fixture
def ranged(dynamodb_local: str, table_name: str) -> Table:
    """Give an empty table on DynamoDB Local that has a range key."""
    return Table(dynamodb_local, table_name, {"range_key": "part"}).make()


@pytest.fixture
def plain(dynamodb_local: str, table_name: str) -> Table:
    """Give an empty table on DynamoDB Local that has a hash key only."""
    return Table(dynamodb_local, table_name).make()


@dataclass(frozen=True)
class Backend:
    """A backend under test: arguments for a cache, and the same as one line of configuration."""

    given: dict[str, Any]
    url: str
    type: str
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def cache(self, name: str = "ns", **more: Any) -> Any:
        return Cache(f"{self.mark}.{name}", type=self.type, **self.given, **more)


@pytest.fixture(scope="module", params=[*VARIANTS, None], ids=str)
def underneath(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Give one table for all tests of a variant, and one client: each test has own namespaces."""
    if request.param is None:
        yield {}, "", "memory"
        return
    flavor, range_key, serializer, compress = request.param
    url = request.getfixturevalue("moto_url" if flavor == "moto" else "dynamodb_local")
    options = {"serializer": serializer, "compress": compress}
    if range_key:
        options["range_key"] = range_key
    table = Table(url, f"contract-{uuid.uuid4().hex}", options).make()
    client = Server(url, Flavor.parse(flavor)).client()
    yield {**table.given, "client": client}, table.in_a_url, "ext:dynamodb"
    client.delete_table(TableName=table.name)
    client.close()


@pytest.fixture
def backend(underneath: tuple[dict[str, Any], str, str]) -> Backend:
    """Give a backend with namespaces that no other test uses."""
    return Backend(*underneath)


@pytest.fixture
def wound(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Have Beaker and the package live by the test's clock."""
    use_clock(monkeypatch, clock)


@pytest.fixture
def servers(moto_url: str, table_name: str) -> Servers:
    """Give an empty table."""
    return Servers(Table(moto_url, table_name).make())
