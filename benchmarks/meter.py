"""A proxy before DynamoDB Local that counts calls, and the units that DynamoDB reports.

It asks for the charge on behalf of clients that do not, so that all are counted alike. It changes
nothing else, and listens on loopback.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final, final
from urllib.parse import urlsplit

READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls, and capacity units as DynamoDB charged them."""

    calls: int = 0
    read_units: float = 0.0
    write_units: float = 0.0

    def add(self, operation: str, reply: dict[str, Any]) -> Tally:
        """Return the tally with one more call; calls of the control plane are not counted."""
        if operation not in READS | WRITES:
            return self
        charged = reply.get("ConsumedCapacity", [])
        entries = charged if isinstance(charged, list) else [charged]
        units = sum(float(entry["CapacityUnits"]) for entry in entries)
        read, write = (units, 0.0) if operation in READS else (0.0, units)
        return Tally(self.calls + 1, self.read_units + read, self.write_units + write)


@final
class Meter:
    """A metering proxy on a free loopback port, used as a context manager."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self._tally, self._lock = Tally(), Lock()

    def __enter__(self) -> Meter:
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def note(self, operation: str, status: int, body: bytes) -> None:
        """Count a successful call; a refusal has no charge."""
        if status == http.client.OK:
            with self._lock:
                self._tally = self._tally.add(operation, json.loads(body))

    def take(self) -> Tally:
        """Return what was counted since the last call of this method."""
        with self._lock:
            taken, self._tally = self._tally, Tally()
        return taken


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Forward the request with a question for the charge, and return the response."""
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if operation in READS | WRITES:
            content_with_question = {**json.loads(content), "ReturnConsumedCapacity": "TOTAL"}
            content = json.dumps(content_with_question).encode()
        upstream = http.client.HTTPConnection(*self.server.meter.upstream, timeout=30)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _LENGTHS}
        upstream.request("POST", self.path, content, {**kept, "Accept-Encoding": "identity"})
        reply = upstream.getresponse()
        body = reply.read()
        upstream.close()
        self.server.meter.note(operation, reply.status, body)
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in _LENGTHS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Do not log."""


_LENGTHS: Final = frozenset({"content-length", "transfer-encoding", "connection", "expect"})
