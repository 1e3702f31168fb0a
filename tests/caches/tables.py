"""The table of a cache test: on a server, with the options of an application.

Two objects for one table with different `max_pool_connections` share no client, no lock and no
circuit breaker, so they behave like two servers, in one process.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import dataclasses
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from beaker.cache import Cache
from beaker.util import PickleSerializer

from beaker_dynamodb.manager import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import Runtime
from tests.exchange import Exchange
from tests.instruments import Clock
from tests.servers import REGION, Flavor, Server

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A client that waits for a machine that is busy, where no outage is tested.
PATIENT: dict[str, Any] = {"connect_timeout": 10, "read_timeout": 30}
#: A client that asks once, and one that waits a second, for the tests of outages.
ONCE: dict[str, Any] = {"max_attempts": 1}
IMPATIENT: dict[str, Any] = {**ONCE, "read_timeout": 1}
#: How long a thread or process of a test is waited for before the test fails.
TIMEOUT = 30.0


class Literals:
    """A serializer of an application's own: Python's literals, as text."""

    def dumps(self, value: Any) -> bytes:
        return repr(value).encode("utf-8", "surrogatepass")

    def loads(self, data: bytes) -> Any:
        return ast.literal_eval(data.decode("utf-8", "surrogatepass"))


class Raw:
    """A serializer that adds no byte, so that a test can say sizes."""

    def dumps(self, value: Any) -> bytes:
        return bytes(value)

    def loads(self, data: bytes) -> Any:
        return data


LITERALS, RAW = Literals(), Raw()


@cache
def _client(url: str) -> DynamoDBClient:
    return Server(url, Flavor.LOCAL).client()


@dataclass(frozen=True)
class Table:
    """A table on a server; `options` are what an application would give."""

    url: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def with_options(self, **more: Any) -> Table:
        """Return the same table with other options."""
        return dataclasses.replace(self, options={**self.options, **more})

    def on_another_server(self, **more: Any) -> Table:
        """Return the same table as another server sees it."""
        pool = self.options.get("max_pool_connections", 50)
        return self.with_options(max_pool_connections=pool - 1, **more)

    @property
    def given(self) -> dict[str, Any]:
        """All options of a manager."""
        where = {"endpoint_url": self.url, "region": REGION, "table": self.name}
        return {**PATIENT, **where, **self.options}

    @property
    def in_a_url(self) -> str:
        """Write everything into one line."""
        rest = {**PATIENT, "endpoint_url": self.url, **self.options}
        return f"dynamodb://{REGION}/{self.name}?{urllib.parse.urlencode(rest)}"

    def manager(self, namespace: object = "ns", **more: Any) -> DynamoDBNamespaceManager:
        """Make a cache's manager, as Beaker does."""
        return DynamoDBNamespaceManager(namespace, **{**self.given, **more})

    def session(self, name: str = "abc", **more: Any) -> DynamoDBNamespaceManager:
        """Make a session's manager, as Beaker does for one request."""
        given = {**self.given, "digest_filenames": False, **more}
        return DynamoDBNamespaceManager(name, **given)

    def cache(self, namespace: str = "ns", **more: Any) -> Any:
        """Make a cache that no other part of the process knows."""
        return Cache(namespace, type="ext:dynamodb", **{**self.given, **more})

    @property
    def raw(self) -> DynamoDBClient:
        """A plain client of the server itself, shared by all tests."""
        return _client(self.url)

    def make(self) -> Table:
        """Create the table by a plain client, without TTL, so that DynamoDB deletes no row."""
        keys = [self.options.get("hash_key", "id"), self.options.get("range_key")]
        schema = [(name, kind) for name, kind in zip(keys, ("HASH", "RANGE"), strict=True) if name]
        self.raw.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in schema],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in schema],
            BillingMode="PAY_PER_REQUEST",
        )
        return self

    def rows(self) -> list[dict[str, Any]]:
        """Read the whole table by a plain client."""
        told = self.raw.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [dict(item) for page in told for item in page["Items"]]

    @property
    def chunks(self) -> set[str]:
        """Return the keys of all chunks."""
        return {key for key in self.keys() if "#chunk:" in key}

    def keys(self) -> list[str]:
        """Return the range keys of all rows, or the hash keys of a table without a range key."""
        name = self.options.get("range_key") or "id"
        return sorted(row[name]["S"] for row in self.rows())

    def change(self, row: dict[str, Any], **attributes: Any) -> None:
        """Put attributes, as AWS types them, over those of a row."""
        self.raw.put_item(TableName=self.name, Item={**row, **attributes})

    def drop(self, key: str) -> None:
        """Delete one row by its key, by a plain client."""
        names = ["id", self.options.get("range_key")]
        (row,) = [r for r in self.rows() if r[names[1] or "id"]["S"] == key]
        self.raw.delete_item(TableName=self.name, Key={n: row[n] for n in names if n})


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock, **more: Any) -> None:
    """Make Beaker and the package use *clock*; *more* are other fields of the runtime."""
    runtime = {"clock": clock, "monotonic": clock.monotonic, "sleep": clock.sleep, **more}
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", Runtime(**runtime))
    monkeypatch.setattr("beaker.container.time", SimpleNamespace(time=clock))


class Maker:
    """A createfunc that returns 1, 2, 3..., or the given values, and counts its calls."""

    def __init__(self, *values: Any) -> None:
        self.made = 0
        self._values = values

    def __call__(self) -> Any:
        self.made += 1
        return self._values[self.made - 1] if self._values else self.made


def fail_if_called() -> Any:
    """Be a createfunc that must not be called."""
    pytest.fail("a value was made although there was one")


@dataclass(frozen=True)
class DoFirst:
    """A fault for the proxy: call *step* before the request is forwarded."""

    step: Callable[[], object]

    def __call__(self, exchange: Exchange) -> None:
        self.step()
        exchange.answer(exchange.forward())


def is_lock(body: dict[str, Any]) -> bool:
    """Return whether a request is about a creation lock."""
    return "#lock:" in str(body.get("Item") or body.get("Key"))


def is_manifest(body: dict[str, Any]) -> bool:
    """Return whether a request is about a value's own row, not about a chunk or a lock of it."""
    told = str(body.get("Item") or body.get("Key"))
    return "#chunk:" not in told and "#lock:" not in told


def is_first_chunk(body: dict[str, Any]) -> bool:
    """Return whether a request is about the first chunk of a value."""
    told = str(body.get("Item") or body.get("Key"))
    return re.search(r"#chunk:[^']*\.0'", told) is not None


def text_of(values: dict[str, Any]) -> str:
    """Write a session's text as Beaker does."""
    return base64.b64encode(PickleSerializer().dumps(values)).decode()


def values_of(text: str) -> dict[str, Any]:
    """Read a session's text."""
    found: dict[str, Any] = PickleSerializer().loads(base64.b64decode(text))
    return found


@contextlib.contextmanager
def run_in_thread(act: Callable[[], object]) -> Iterator[list[Any]]:
    """Run *act* in a thread; after the block, the list holds what it returned or raised."""
    said: list[Any] = []

    def run() -> None:
        try:
            said.append(act())
        except Exception as error:  # noqa: BLE001  # it is what the test looks at
            said.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        thread.join(TIMEOUT)
    assert not thread.is_alive(), "a thread of the test hangs"


def run_concurrently(acts: list[Callable[[], object]]) -> list[Any]:
    """Run all at once, each in a thread, and return their results in the same order."""
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(run_in_thread(act)) for act in acts]
    return [one for (one,) in said]
