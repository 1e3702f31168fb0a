"""The proxy's port: its connections, to both sides, and how they are ended."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, cast

from tests.exchange import Exchange, Reply

if TYPE_CHECKING:
    from tests.proxy import FaultProxy


class Listener(ThreadingHTTPServer):
    """One life of the port, from a mend to a cut."""

    daemon_threads = False  # daemons are never joined by socketserver

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        self.proxy = proxy
        self.released = Event()
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", port), Handler)
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


class Handler(BaseHTTPRequestHandler):
    """One client's connection, and the connection to the server that belongs to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def setup(self) -> None:
        self.server.track(self.request)
        self._upstream = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=30)
        super().setup()

    def finish(self) -> None:
        self._leave_upstream()
        super().finish()

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        content = self.rfile.read(size)
        if len(content) < size:  # the client was killed while it sent
            self.close_connection = True
            return
        exchange = Exchange(self, content)
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
