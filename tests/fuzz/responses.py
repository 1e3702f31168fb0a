"""HTTP responses, as the wire reads them: from the bytes of a socket to the value of a session."""

from __future__ import annotations

import base64
import json
import re
import time
from binascii import crc32
from functools import cache, partial
from typing import Any

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.table import NoRow
from beaker_dynamodb.dynamodb.wire.client import _parse_response
from beaker_dynamodb.dynamodb.wire.http import Deadline, HTTPConnection, InvalidResponseError
from beaker_dynamodb.dynamodb.wire.transport import Fallback
from tests.fuzz import rows
from tests.fuzz.attempts import try_each

_LENGTH = re.compile(rb"(?im)^content-length:[^\r\n]*")
_CHECKSUM = re.compile(rb"(?im)^x-amz-crc32:[^\r\n]*")
_PIECES = (7, 100, 65_536)


class StubSocket:
    """A socket that takes everything, returns prepared bytes in pieces, and then has ended."""

    def __init__(self, content: bytes, piece: int) -> None:
        self._content, self._piece = content, piece

    def fileno(self) -> int:
        return 0

    def settimeout(self, _: float) -> None: ...

    def send(self, message: memoryview) -> int:
        return len(message)

    def recv(self, size: int) -> bytes:
        size = min(size, self._piece)
        received, self._content = self._content[:size], self._content[size:]
        return received


class StubClients:
    """The wire's result for one call; boto3 has none, so a repetition is invalid."""

    def __init__(self) -> None:
        self.wire: Any = self
        self.boto3: Any = self
        self.fallback: Any = self
        self.content = b""
        self.piece = 1

    def close(self) -> None: ...

    def call_wire(self, operation: str, request: Any) -> Any:
        """Read the response, as `WireClient.call` does; it would catch any exception at all."""
        stub: Any = StubSocket(self.content, self.piece)
        connection = HTTPConnection(stub)
        try:
            head, body = connection.request(b"POST", Deadline(time.monotonic() + 60, 60, 60))
        except InvalidResponseError:
            return Fallback("invalid")
        return _parse_response(operation, request, head, body)

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    put_item = delete_item = get_item


@cache
def _tables() -> tuple[StubClients, tuple[Any, ...]]:
    clients = StubClients()
    client: Any = Client(Connection(region="us-east-1"))
    client._clients = clients
    return clients, tuple(rows.open_rows(kind, client) for kind in ("session", "cache"))


def repair(content: bytes) -> bytes:
    """Return a response whose length and checksum are right, if it has any."""
    head, separator, body = content.partition(b"\r\n\r\n")
    head = _LENGTH.sub(b"Content-Length: %d" % len(body), head)
    head = _CHECKSUM.sub(b"x-amz-crc32: %d" % crc32(body), head)
    return head + separator + body


def read_response(content: bytes) -> bool:
    """Read a row, and a refused write, out of a response as it is and as it is repaired."""
    clients, tables = _tables()
    is_read = False
    table = tables[len(content) % len(tables)]
    for number, one in enumerate((content, repair(content))):
        clients.content, clients.piece = one, _PIECES[(len(content) + number) % len(_PIECES)]
        get = partial(table.read, rows.KEY, consistent=True, now=rows.NOW)
        delete = partial(table.delete, rows.KEY, NoRow(), None)
        is_read |= try_each((get, delete, partial(table.drop, rows.KEY)))
    return is_read


def list_responses() -> list[bytes]:
    """Return a response for each golden row, refused conditions, and errors."""
    bodies: list[tuple[int, dict[str, Any]]] = [
        (200, {"ConsumedCapacity": {"TableName": rows.TABLE, "CapacityUnits": 0.5}, **more})
        for item in rows.list_golden_items()
        for more in ({"Item": {**item, "id": {"S": rows.KEY.hash}}}, {"Attributes": item})
    ]
    failed = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    bodies += [
        (200, {"ConsumedCapacity": {"TableName": rows.TABLE, "CapacityUnits": 0.5}}),
        (400, {"__type": failed, "message": "m", "Item": next(rows.list_golden_items())}),
        (400, {"__type": "a#ThrottlingException", "message": "Rate exceeded"}),
        (500, {"__type": "InternalServerError"}),
    ]
    return [_format(status, body) for status, body in bodies]


def _format(status: int, body: Any) -> bytes:
    def encode(value: bytes) -> str:
        return base64.b64encode(value).decode()

    content = json.dumps(body, default=encode).encode()
    head = (
        f"HTTP/1.1 {status} OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(content)}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: A\r\nx-amz-crc32: {crc32(content)}\r\n\r\n"
    )
    return head.encode() + content
