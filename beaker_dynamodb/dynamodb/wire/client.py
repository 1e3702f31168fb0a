"""The wire: a lean way for the calls that most requests make, as long as all goes well.

It signs, sends and reads GetItem, PutItem and DeleteItem itself. It knows a 200 that proves
itself whole, and a condition that did not hold. All else closes the connection and is handed
over to the boto3 client, which retries, refreshes and raises: nothing of that is done here.
"""

from __future__ import annotations

import json
import time
from binascii import a2b_base64, b2a_base64, crc32
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from beaker_dynamodb.dynamodb.connection import Connection, package_agent
from beaker_dynamodb.dynamodb.responses import CONDITION_FAILED, Failure, broken
from beaker_dynamodb.dynamodb.wire.http import Endpoint, Head, Line, Patience, ReplyTooSlowError
from beaker_dynamodb.dynamodb.wire.sigv4 import Frozen, Signer
from beaker_dynamodb.dynamodb.wire.transport import HandOver

if TYPE_CHECKING:
    import ssl

#: A connection that rested longer is not used again, in seconds. AWS publishes no figure for
#: DynamoDB; its storage service hangs up after 20.
MOST_REST: Final = 15.0
_OK, _REFUSED = 200, 400


Answer: TypeAlias = Mapping[str, Any] | Failure | HandOver


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the client hands over: where to, who asks, and how long it may take (seconds)."""

    endpoint: Endpoint
    region: str
    agent: str
    connect_timeout: float
    read_timeout: float
    most_resting: int
    credentials: Callable[[], Frozen] = field(repr=False)


def terminal(
    connection: Connection, client: Any, certificates: str | None, credentials: Callable[[], Frozen]
) -> Terminal:
    """Take over what boto3's *client* has found out; *certificates* as in `Endpoint`."""
    return Terminal(
        Endpoint(client.meta.endpoint_url, certificates),
        client.meta.region_name,
        f"{package_agent()} md/wire",
        connection.connect_timeout,
        connection.read_timeout,
        connection.max_pool_connections,
        credentials,
    )


class Wire:
    """Connections to one endpoint, of this process; in a fork each child has its own.

    A connection in use stands nowhere but in its call: neither two threads nor two greenlets
    can have one, and no thread-local is made that gevent's patching might come too late for.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._resting: deque[Line] = deque()
        self._terminal = terminal
        self._signer = Signer(terminal.endpoint.host, terminal.region)
        self._context: ssl.SSLContext | None = None
        self._constant = (
            f"POST / HTTP/1.1\r\nUser-Agent: {terminal.agent}\r\nAccept-Encoding: identity\r\n"
        )

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Make one call: a whole reply, a refused condition, or over to boto3.

        A reply that still drips when its time is up (`connect_timeout` and `read_timeout`
        together) is a `Failure`: boto3, whose time-outs are of single reads, would be held.
        """
        try:
            body = _ENCODE(request).encode()
            frozen = self._terminal.credentials()
            head = self._signer.head(operation, body, frozen, time.time())
            message = f"{self._constant}{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        except Exception:  # noqa: BLE001  # providers raise anything; boto3 says what is wrong
            return HandOver.UNTRIED
        connect, read = self._terminal.connect_timeout, self._terminal.read_timeout
        patience = Patience(time.monotonic() + connect + read, connect, read)
        line: Line | None = None
        try:
            line = self._taken() or self._opened(patience)
            told, content = line.ask(message, patience)
            answer = _read(operation, request, told, content)
            if told.again and answer and not isinstance(answer, HandOver):
                self._rest(line)
                line = None
        except ReplyTooSlowError:
            return Failure("ReplyTooSlow")
        except (OSError, ValueError):
            return HandOver.TRIED
        else:
            return answer
        finally:
            if line is not None:
                line.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close what rests; what is in use is closed by its call, or rests once more."""
        while line := self._popped():
            line.close()

    def _popped(self) -> Line | None:
        try:
            return self._resting.pop()
        except IndexError:
            return None

    def _taken(self) -> Line | None:
        """Take the connection that rested last, if it can still be used; close those that cannot.

        One that the server has closed is left before anything is sent, so nothing is sent twice.
        """
        oldest = time.monotonic() - MOST_REST
        while line := self._popped():
            if line.rested > oldest and line.quiet:
                return line
            line.close()
        return None

    def _opened(self, patience: Patience) -> Line:
        endpoint = self._terminal.endpoint
        if endpoint.tls and self._context is None:
            self._context = endpoint.context()
        return Line.opened(endpoint.address, self._context, patience)

    def _rest(self, line: Line) -> None:
        """Let a connection rest, and close what is too many or rested too long: the oldest."""
        line.rested = now = time.monotonic()
        resting = self._resting
        resting.append(line)
        with suppress(IndexError):  # others may take them meanwhile
            while len(resting) > self._terminal.most_resting or resting[0].rested < now - MOST_REST:
                resting.popleft().close()


def _base64(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError
    return b2a_base64(value, newline=False).decode()


_ENCODE: Final = json.JSONEncoder(default=_base64, separators=(",", ":")).encode


def _read(operation: str, request: Mapping[str, Any], head: Head, content: bytes) -> Answer:
    """Say what a reply is: whole, a condition that did not hold, or nothing for the wire.

    A 200 that cannot be trusted is empty, as botocore's would be: the client asks once more.
    """
    if head.status not in {_OK, _REFUSED}:
        return HandOver.TRIED
    checksum = head.headers.get(b"x-amz-crc32")
    if checksum is not None and checksum != b"%d" % crc32(content):
        return HandOver.TRIED
    try:
        body = json.loads(content)
        for name in ("Item", "Attributes"):
            for value in body.get(name, {}).values():
                _decode(value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {} if head.status == _OK else HandOver.TRIED
    if head.status == _OK:
        return {} if broken(operation, request, body) else body
    if str(body.get("__type")).rpartition("#")[2] != CONDITION_FAILED:
        return HandOver.TRIED
    return Failure(CONDITION_FAILED, head.status, attempts=1, item=body.get("Item"))


def _decode(value: dict[str, Any]) -> None:
    """Turn base64 into bytes where a value is binary, in place, as boto3 gives it."""
    for kind, content in value.items():
        if kind == "B":
            value[kind] = a2b_base64(content)
        elif kind == "BS":
            value[kind] = [a2b_base64(one) for one in content]
        elif kind == "L":
            for one in content:
                _decode(one)
        elif kind == "M":
            for one in content.values():
                _decode(one)
