"""What a run on AWS itself costs: every call is counted, and the run ends before ten cents.

The calls are counted where they leave the process, below boto3 and the wire, so that neither
notices.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import urllib3

from beaker_dynamodb.dynamodb.wire import http
from beaker_dynamodb.ops import prices
from tests.servers import AWS_REGION, Server

#: Some regions cost up to twice as much as the one whose prices are known.
DEAREST = 2.0
#: The run ends at whichever comes first. An index can double the units of a write.
MAX_DOLLARS, MAX_CALLS = 0.05, 20_000
_READS = {"GetItem", "Query", "Scan", "BatchGetItem"}
_DELETES = {"DeleteItem", "BatchWriteItem"}
_WRITES = {"PutItem", "UpdateItem", *_DELETES}
_PREFIX = "DynamoDB_20120810."
#: The file of the report, unless the environment names another one.
REPORT = os.environ.get("DYNAMODB_REPORT", "aws-report.json")


class Account:
    """A plugin of pytest that counts the calls to one server, and deletes all tables at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls: Counter[str] = Counter()
        self.reads = self.writes = 0.0
        self.largest = 0
        self.tables: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.started = time.time()
        self._is_closing = False
        self._count_boto3()
        self._count_wire()

    @property
    def dollars(self) -> float:
        """The price of the units so far, at most."""
        return prices.Cost(self.reads, 2 * self.writes).dollars * DEAREST

    def count(self, operation: str, request: bytes, size: int) -> None:
        """Count a call by its request and the size of its response.

        The units are as many as these bytes can take: a delete takes those of the largest row.

        Raises: pytest.exit's error, if the run has become too dear.
        """
        self.calls[operation] += 1
        if operation == "CreateTable":
            self.tables.add(json.loads(request)["TableName"])
        elif operation in _READS:
            self.reads += 1 + size / 4096
        elif operation in _WRITES:
            self.largest = max(self.largest, len(request))
            size = self.largest if operation in _DELETES else len(request)
            self.writes += 1 + size / 1024
        if self.dollars > MAX_DOLLARS or self.calls.total() > MAX_CALLS:
            self._stop()

    def _stop(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            pytest.exit(f"{self.calls.total()} calls, {self.dollars:.3f} dollars: that is enough")

    def _count_boto3(self) -> None:
        account, send = self, urllib3.HTTPConnectionPool.urlopen

        def urlopen(pool: Any, *args: Any, **kwargs: Any) -> Any:
            response = send(pool, *args, **kwargs)
            headers = kwargs.get("headers") or {}
            target = headers.get("X-Amz-Target", b"")
            target = target.decode() if isinstance(target, bytes) else target
            body = kwargs.get("body") or b""
            size = int(response.headers.get("Content-Length") or 0)
            account.count(target.removeprefix(_PREFIX), body, size)
            return response

        pool_class: Any = urllib3.HTTPConnectionPool
        pool_class.urlopen = urlopen

    def _count_wire(self) -> None:
        account, send = self, http.HTTPConnection.request

        def request(connection: Any, message: bytes, deadline: Any) -> Any:
            head, content = send(connection, message, deadline)
            _, _, rest = message.partition(b"X-Amz-Target: " + _PREFIX.encode())
            body = message.partition(b"\r\n\r\n")[2]
            account.count(rest.partition(b"\r\n")[0].decode(), body, len(content))
            return head, content

        connection_class: Any = http.HTTPConnection
        connection_class.request = request

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the outcomes of the tests."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Delete every table that was created, and write the report."""
        self._is_closing = True
        client = self.server.client()
        existing = {
            name
            for page in client.get_paginator("list_tables").paginate()
            for name in page["TableNames"]
        }
        left = sorted(self.tables & existing)
        for name in left:
            client.delete_table(TableName=name)
        client.close()
        report = {
            "region": AWS_REGION,
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started),
            "tests": dict(self.outcomes),
            "calls": dict(self.calls.most_common()),
            "read_units": math.ceil(self.reads),
            "write_units": math.ceil(self.writes),
            "dollars_at_most": round(self.dollars, 4),
            "tables_created": len(self.tables),
            "tables_deleted_at_the_end": left,
        }
        Path(REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
