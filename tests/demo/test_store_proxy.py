"""The demo's proxy before the store: clients that do not wait, and stores that are down."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from examples.demo.store_proxy import StoreProxy
from tests.servers import free_port

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class SlowStore(HTTPServer):
    """A store that answers when the test opens the gate."""

    def __init__(self) -> None:
        self.asked, self.gate, self.done = threading.Event(), threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), SlowAnswer)

    def handle_one(self) -> None:
        self.handle_request()
        self.done.set()


class SlowAnswer(BaseHTTPRequestHandler):
    server: SlowStore

    def do_POST(self) -> None:
        self.server.asked.set()
        self.server.gate.wait(10)
        self.send_response(200)
        self.send_header("Content-Length", "2000000")
        self.end_headers()
        self.wfile.write(b"x" * 2_000_000)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[SlowStore]:
    """Serve one request of a slow store."""
    server = SlowStore()
    thread = threading.Thread(target=server.handle_one, daemon=True)
    thread.start()
    yield server
    server.gate.set()
    thread.join(10)
    server.server_close()


def test_a_client_that_gives_up_leaves_no_traceback(
    store: SlowStore, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that does not wait for a slow store is nothing to report in the terminal."""
    with StoreProxy(f"http://127.0.0.1:{store.server_port}", 20) as proxy:
        port = int(proxy.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(REQUEST)
            assert store.asked.wait(10)
        store.gate.set()
        assert store.done.wait(10)
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["", "refuse"])
def test_a_store_that_is_down_is_a_closed_connection(kind: str) -> None:
    """The proxy invents no answer: neither if nothing listens behind it, nor if it is broken."""
    with StoreProxy(f"http://127.0.0.1:{free_port()}", 20) as proxy:
        if kind:
            proxy.start_outage(kind)
        client = http.client.HTTPConnection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        client.request("POST", "/", b"{}")
        with pytest.raises(http.client.RemoteDisconnected):
            client.getresponse()
        client.close()


def test_a_request_that_hangs_ends_with_the_demo() -> None:
    """Ctrl-C during an outage does not wait for it."""
    with StoreProxy(f"http://127.0.0.1:{free_port()}", 600) as proxy:
        proxy.start_outage("hang")
        client = http.client.HTTPConnection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        client.request("POST", "/", b"{}")
    with pytest.raises(ConnectionResetError):  # RemoteDisconnected is one, too
        client.getresponse()
    client.close()
