"""A proxy before DynamoDB, on loopback, which a visitor can break for some seconds.

The applications know nothing of it: it is their endpoint, and what they meet in an outage is what
they would meet in one of DynamoDB.
"""

from __future__ import annotations

import http.client
import json
import math
import secrets
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, final
from urllib.parse import urlsplit

#: The kinds of outages, and what the store does in each.
OUTAGES: Final = {
    "refuse": "closes every connection",
    "hang": "accepts every request and does not answer",
    "throttle": "answers that there are too many requests",
}
#: What DynamoDB answers to a request that it throttles.
THROTTLED: Final = {
    "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "message": "The level of configured provisioned throughput for the table was exceeded.",
}
#: Headers that belong to one connection, and are not passed on.
_HOP_BY_HOP: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage that is going on: its kind, and the seconds that are left of it."""

    kind: str
    seconds_left: int


@final
class StoreProxy:
    """Pass requests on to another server. Use it as a context manager.

    Args:
        upstream: the URL of a DynamoDB.
        outage_seconds: how long an outage lasts.
    """

    def __init__(self, upstream: str, outage_seconds: int) -> None:
        self.outage_seconds: Final = outage_seconds
        parts = urlsplit(upstream)
        self.upstream: Final = (parts.hostname or "", parts.port or 80)
        self._kind = ""
        self._ends = 0.0
        self._closed = threading.Event()
        self._server = _Server(self)

    def __enter__(self) -> StoreProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The endpoint of the applications."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def outage(self) -> Outage | None:
        """The outage that is going on; None if there is none."""
        left = self._ends - time.monotonic()
        return Outage(self._kind, math.ceil(left)) if left > 0 else None

    def start_outage(self, kind: str) -> None:
        """Break the store from now on; *kind* is one of `OUTAGES`."""
        self._kind, self._ends = kind, time.monotonic() + self.outage_seconds

    def wait_for_end(self) -> None:
        """Wait until the outage is over, or the proxy is closed."""
        self._closed.wait(self._ends - time.monotonic())


class _Server(ThreadingHTTPServer):
    """Answer each connection in a thread of its own, which ends with the process."""

    daemon_threads = True

    def __init__(self, proxy: StoreProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, unless the client did not wait for the answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Pass one request on, or do what the outage does to it."""

    server: _Server
    protocol_version = "HTTP/1.1"  # keeps connections alive
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call: every call to DynamoDB is a POST."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        outage = self.server.proxy.outage
        if outage is None:
            self._forward(body)
        elif outage.kind == "throttle":
            self._respond(400, {"x-amzn-RequestId": secrets.token_hex(26)}, json.dumps(THROTTLED))
        else:
            if outage.kind == "hang":
                self.server.proxy.wait_for_end()
            self.close_connection = True

    def _forward(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=60)
        try:
            connection.request("POST", self.path, body, dict(self.headers))
            response = connection.getresponse()
            content = response.read()
        except OSError:
            self.close_connection = True  # the store itself is down
        else:
            self._respond(response.status, dict(response.getheaders()), content)
        finally:
            connection.close()

    def _respond(self, status: int, headers: dict[str, str], content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the demo's terminal is for its address, and for what goes wrong."""
