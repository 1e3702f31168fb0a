"""One request on its way through the proxy, and replies as values."""

from __future__ import annotations

import json
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.listener import Handler

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply as values; Content-Length is written when it is sent, never kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def document(self) -> Body:
        """The body, parsed."""
        parsed: Body = json.loads(self.body)
        return parsed

    def without(self, name: str) -> Reply:
        """Return the reply without that header."""
        return replace(self, headers=tuple(h for h in self.headers if h[0].lower() != name))

    def with_body(self, body: bytes) -> Reply:
        """Return the reply with another body, and with the checksum that fits it."""
        headers = (*self.without("x-amz-crc32").headers, ("x-amz-crc32", str(zlib.crc32(body))))
        return replace(self, headers=headers, body=body)


class Exchange:
    """One request on its way: what was asked, what was done to it, and what can still be done."""

    def __init__(self, handler: Handler, content: bytes) -> None:
        self.operation = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.body: Body = json.loads(content or b"{}")
        #: The fault that it met, and how often it went on to the server.
        self.fault: Fault | None = None
        self.forwarded = 0
        self._handler, self._content = handler, content
        self._proxy = handler.server.proxy

    def __repr__(self) -> str:
        return f"<{self.operation} {self.fault or 'untouched'}, forwarded {self.forwarded} times>"

    def forward(self) -> Reply:
        """Send the request on, as it came, and return the server's reply."""
        reply = self._handler.ask_upstream(self._content)
        self._proxy.applied(self, reply)
        return reply

    def answer(self, reply: Reply, *, length: int | None = None, only: int | None = None) -> None:
        """Send a reply, or `only` its first bytes; `length` is a lie about the body's length."""
        handler = self._handler
        handler.send_response_only(reply.status)
        for name, value in reply.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(reply.body[:only])

    def send(self, some: bytes) -> None:
        """Send more bytes of a body whose head is on its way."""
        self._handler.wfile.write(some)

    def wait(self, seconds: float | None = None) -> None:
        """Let the client wait so long, or until the proxy is cut or closed."""
        if self._handler.server.released.wait(seconds):
            raise ConnectionAbortedError("the proxy was cut or closed")

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection; `reset` sends RST, so that the client sees no orderly end."""
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._handler.close_connection = True

    def older(self, reply: Reply) -> Reply:
        """Return the reply as it was before the item's last change, if such a one was seen."""
        item = reply.document.get("Item")
        for past in reversed(self._proxy.past(self)):
            if past != item:
                rest = {k: v for k, v in reply.document.items() if k != "Item"}
                stale = rest if past is None else {"Item": past, **rest}
                return reply.with_body(json.dumps(stale).encode())
        return reply


Fault = Callable[[Exchange], None]
