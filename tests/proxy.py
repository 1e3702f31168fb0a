"""A proxy before a real DynamoDB that understands HTTP, so that it can break one request exactly.

It listens on loopback, keeps connections alive on both sides, and remembers every request. What
goes wrong is programmed with the faults of `tests/instruments.py`; without one it forwards. It
decides nothing about data, and when it is closed no thread, socket or hanging request is left.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Lock, Thread
from typing import Any, cast, final
from urllib.parse import urlsplit

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

    def altered(self, body: bytes) -> Reply:
        """Return the reply with another body, and with the checksum that fits it."""
        headers = (*self.without("x-amz-crc32").headers, ("x-amz-crc32", str(zlib.crc32(body))))
        return replace(self, headers=headers, body=body)


class Exchange:
    """One request on its way: what was asked, what was done to it, and what can still be done."""

    def __init__(self, handler: _Handler, content: bytes) -> None:
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
                return reply.altered(json.dumps(stale).encode())
        return reply


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class _Program:
    fault: Fault
    operation: str | None
    where: Callable[[Body], bool]
    times: int | None

    def fits(self, exchange: Exchange) -> bool:
        same = self.operation in {None, exchange.operation}
        return same and self.times != 0 and self.where(exchange.body)


@final
class FaultProxy:
    """A fault proxy on a loopback port, used as a context manager."""

    def __init__(self, upstream: str) -> None:
        """Listen before the server at the URL `upstream`."""
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        #: Every request, from the moment it came in.
        self.seen: list[Exchange] = []
        #: What a fault or its callback raised; the end of the `with` raises the first of them.
        self.failures: list[BaseException] = []
        self._programs: list[_Program] = []
        self._past: dict[str, list[Body | None]] = {}
        self._changed = Condition()
        self._listener: _Listener | None = None
        self._port = 0
        self.mend()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.cut()
        if self.failures and kind is None:
            raise self.failures[0]

    @property
    def url(self) -> str:
        """Where the clients are to connect."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def operations(self) -> list[str]:
        """The operations that came in, in order."""
        return [exchange.operation for exchange in self.seen]

    @property
    def pending(self) -> int:
        """How many programmed faults still wait for their request; endless ones do not count."""
        return sum(program.times or 0 for program in self._programs)

    def next(
        self,
        fault: Fault,
        *,
        operation: str | None = None,
        where: Callable[[Body], bool] = lambda body: True,
        times: int | None = 1,
    ) -> None:
        """Program a fault for the next `times` requests that fit; None: for all of them.

        A request meets the first fault that fits it, in the order in which they were programmed.
        """
        self._programs.append(_Program(fault, operation, where, times))

    def clear(self) -> None:
        """Forget the faults still programmed, and the requests seen."""
        with self._changed:
            self._programs.clear()
            self.seen.clear()

    def wait_until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        """Wait for a condition on what was seen and forwarded, such as `lambda: proxy.seen`."""
        with self._changed:
            if not self._changed.wait_for(condition, within):
                raise TimeoutError(f"waited in vain; seen: {self.seen}")

    def cut(self) -> None:
        """Refuse all connections, break the open ones, and release every request that hangs."""
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    #: For good: nothing of a proxy is left after a cut.
    close = cut

    def mend(self) -> None:
        """Listen again, on the same port."""
        if self._listener is None:
            self._listener = _Listener(self, self._port)
            self._port = self._listener.server_port

    def admit(self, exchange: Exchange) -> Fault | None:
        """Note a request that came in, and choose its fault."""
        with self._changed:
            program = next((p for p in self._programs if p.fits(exchange)), None)
            if program is not None:
                exchange.fault = program.fault
                program.times = program.times and program.times - 1
            self.seen.append(exchange)
            self._changed.notify_all()
        return exchange.fault

    def applied(self, exchange: Exchange, reply: Reply) -> None:
        """Note that the server has answered, and remember what an item was."""
        with self._changed:
            exchange.forwarded += 1
            if exchange.operation == "GetItem" and reply.status == 200:
                past, item = self.past(exchange), reply.document.get("Item")
                if not past or past[-1] != item:
                    past.append(item)
            self._changed.notify_all()

    def past(self, exchange: Exchange) -> list[Body | None]:
        """Return what GetItem has found under the same key and projection, oldest first."""
        asked = ("TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames")
        same = json.dumps([exchange.body.get(name) for name in asked], sort_keys=True)
        return self._past.setdefault(same, [])


class _Listener(ThreadingHTTPServer):
    """One life of the port, from a mend to a cut."""

    daemon_threads = False  # daemons are never joined by socketserver

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        self.proxy = proxy
        self.released = Event()
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def track(self, connection: socket.socket) -> None:
        """Have this connection broken at the end; after the end there is no new one."""
        with self._lock:
            if self.released.is_set():
                raise ConnectionAbortedError("the proxy was cut")
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """Close a connection that has served."""
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def end(self) -> None:
        """Break everything, and wait until every thread has ended."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            self.released.set()
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def shutdown_request(self, request: Any) -> None:
        """Close without socketserver's own FIN: it would come before a RST."""
        self.forget(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what a fault raised; broken connections are its trade and go unheard."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (OSError, http.client.HTTPException)):
            self.proxy.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One client's connection, and the connection to the server that belongs to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        self.server.track(self.request)
        self._upstream = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=30)
        super().setup()

    def finish(self) -> None:
        self._leave_upstream()
        super().finish()

    def do_POST(self) -> None:
        exchange = Exchange(self, self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.proxy.admit(exchange)
        if fault is None:
            exchange.answer(exchange.forward())
        else:
            fault(exchange)

    def ask_upstream(self, content: bytes) -> Reply:
        """Send the client's bytes on, over a connection that the server has not closed."""
        upstream = self._upstream
        # What is readable before a question was asked is the end of the connection.
        if upstream.sock is not None and select.select([upstream.sock], [], [], 0)[0]:
            self._leave_upstream()
        if upstream.sock is None:
            upstream.connect()
            self.server.track(cast("socket.socket", upstream.sock))
        upstream.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(content)
        reply = upstream.getresponse()
        kept = tuple(pair for pair in reply.getheaders() if pair[0].lower() not in _HOP_BY_HOP)
        return Reply(reply.status, kept, reply.read())

    def _leave_upstream(self) -> None:
        if self._upstream.sock is not None:
            self.server.forget(self._upstream.sock)
        self._upstream.close()

    def log_message(self, *args: object) -> None:
        """Say nothing: `FaultProxy.seen` says it all."""


#: Headers that speak of one connection, not of the reply.
_HOP_BY_HOP = frozenset({"content-length", "transfer-encoding", "connection"})
