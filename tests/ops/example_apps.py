"""An application for the operators' tests, which saves sessions and damages rows."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beaker.util import JsonSerializer, PickleSerializer

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.provisioning.spec import table_spec
from beaker_dynamodb.runtime import Runtime
from tests.servers import REGION, Flavor, Server

#: Of printable characters that hardly compress: with `compress = false` over 400 KB.
LARGE = "".join(map(chr, range(33, 127))) * 10_000
#: Over 400 KB even after Beaker's JSON serializer has compressed it.
DENSE = random.Random(1).randbytes(500_000).hex()
IDENT = "8c1f0e5d2b7a49c3a1f4d6e8b9075c21"
#: Runs a command; returns its exit code, stdout and stderr.
Run = Callable[..., tuple[int, str, str]]
SPECIAL = "userId:S,visits:N,token:B"


class Earlier(DynamoDBNamespaceManager):
    """The manager of a request half a day ago."""

    runtime = Runtime(clock=lambda: time.time() - 43_200)


@dataclass(frozen=True, slots=True)
class ExampleApp:
    """One application's sessions, by its options."""

    options: dict[str, str]

    @classmethod
    def at(cls, url: str, table: str, **more: str) -> ExampleApp:
        """Return one at a server; `more` are options."""
        options = {"endpoint_url": url, "table": table, "region": REGION, "special_keys": SPECIAL}
        return cls(options | more)

    @classmethod
    def create(cls, url: str, table: str, **more: str) -> ExampleApp:
        """Return one, and create its table."""
        app = cls.at(url, table, **more)
        app.create_table()
        return app

    def create_table(self) -> None:
        """Create the table, without TTL: DynamoDB Local deletes expired rows every 10 seconds."""
        expected = table_spec(parse(self.options, "session"))
        self.rows.table.client.call("CreateTable", expected.to_create_request())

    def manager(self, ident: str, timeout: float | None = 3720) -> DynamoDBNamespaceManager:
        """Return the manager that a request has."""
        return DynamoDBNamespaceManager(
            ident, timeout=timeout, digest_filenames=False, **self.options
        )

    def save(
        self, ident: str, *, json: bool = False, timeout: float = 3720, **values: Any
    ) -> DynamoDBNamespaceManager:
        """Save a session as Beaker does; it began an hour ago."""
        manager = self.manager(ident, timeout)
        manager["session"] = self.text(json=json, **values)
        return manager

    @staticmethod
    def text(*, json: bool = False, **values: Any) -> str:
        """Write a session that began an hour ago as Beaker does."""
        now = time.time()
        stamped = {"_accessed_time": now, "_creation_time": now - 3600, **values}
        dumped: bytes = (JsonSerializer() if json else PickleSerializer()).dumps(stamped)
        return base64.b64encode(dumped).decode()

    @property
    def rows(self) -> Rows:
        """Build what an operator's functions take."""
        return open_rows(parse(self.options, "session"))

    def expire(self, ident: str, **values: Any) -> None:
        """Save a session that expired hours ago, and is still there."""
        manager = Earlier(ident, timeout=3720, digest_filenames=False, **self.options)
        pickled = PickleSerializer().dumps({"_creation_time": 1.5e9, **values})
        manager["session"] = base64.b64encode(pickled).decode()

    def argv(self, *words: str) -> list[str]:
        """Write a command's words and these options."""
        return [*words, *(w for n, v in self.options.items() for w in ("-o", f"{n}={v}"))]

    def key(self, ident: str) -> Key:
        """Key a session's row."""
        return self.rows.layout.make_session_key(ident)

    def put(self, **item: dict[str, Any]) -> None:
        """Write a row as it is, behind the application's back."""
        client = Server(self.options["endpoint_url"], Flavor.LOCAL).client()
        client.put_item(TableName=self.options["table"], Item=item)

    def idents(self) -> set[str]:
        """Read the hash keys of all rows, behind the application's back."""
        client = Server(self.options["endpoint_url"], Flavor.LOCAL).client()
        pages = client.get_paginator("scan").paginate(TableName=self.options["table"])
        return {item["id"]["S"] for page in pages for item in page["Items"]}
