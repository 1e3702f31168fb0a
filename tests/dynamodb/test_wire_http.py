"""One connection of the wire: which responses it accepts, refuses, and gives up waiting for."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from botocore.httpsession import get_cert_path

from beaker_dynamodb.dynamodb.wire.http import (
    MAX_BODY,
    Deadline,
    Endpoint,
    HTTPConnection,
    InvalidResponseError,
    ResponseTooSlowError,
)
from tests.tls import Authority

Pair: TypeAlias = tuple[HTTPConnection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield a connection and the socket of its server."""
    client, server = socket.socketpair()
    connection = HTTPConnection(client)
    yield connection, server
    connection.close()
    server.close()


def within(seconds: float) -> Deadline:
    """Return a deadline in so many seconds, with half a second for each read."""
    return Deadline(time.monotonic() + seconds, 0.5, 0.5)


def exchange(pair: Pair, response: bytes, *, seconds: float = 5) -> object:
    """Send *response* and close; return the status, the body and `keep_alive` as parsed."""
    connection, server = pair
    server.sendall(response)
    server.shutdown(socket.SHUT_WR)
    head, body = connection.request(b"question", within(seconds))
    assert server.recv(100) == b"question"
    return head.status, body, head.keep_alive


WHOLE: Final = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", True),
    b"HTTP/1.1 400 Bad Request\r\ncontent-LENGTH:  2 \r\n\r\n{}": (400, b"{}", True),
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", False),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n": (200, b"", True),
    b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n": (503, b"", True),
}


@pytest.mark.parametrize("response", WHOLE)
def test_a_whole_response_is_accepted(pair: Pair, response: bytes) -> None:
    """Its status, its body, and whether the connection may be used again."""
    assert exchange(pair, response) == WHOLE[response]


AWS: Final = (
    b"HTTP/1.1 %s\r\nServer: Server\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %s\r\nConnection: %s\r\n"
    b"x-amzn-RequestId: ABC\r\n%sx-amz-crc32: 7\r\n\r\n{}"
)
RESPONSES: Final = (
    *WHOLE,
    AWS % (b"200 OK", b"2", b"keep-alive", b""),
    AWS % (b"200 OK", b"2", b"close", b""),
    AWS % (b"400 Bad Request", b"2", b"keep-alive", b"Via: 1.1 somebody\r\n"),
    AWS % (b"200 OK", b"2\r\nContent-Length: 1", b"keep-alive", b""),
    AWS % (b"200 OK", b"1\r\nContent-Length: 2", b"keep-alive", b""),
    AWS % (b"200 OK", b"2", b"keep-alive", b"x-amz-crc32: 8\r\n"),
    AWS % (b"200 OK", b"2", b"keep-alive", b"Transfer-Encoding: chunked\r\n"),
    AWS % (b"200 OK", b"2", b"keep-alive", b"Content-Encoding: gzip\r\n"),
    AWS % (b"200 OK", b"-2", b"keep-alive", b""),
    AWS % (b"200 OK", b"3", b"keep-alive", b""),
    AWS % (b"2000 OK", b"2", b"keep-alive", b""),
    AWS % (b"OK", b"2", b"keep-alive", b""),
    b"HTTP/1.1 200 OK\r\n\r\n{}",
)


def read(response: bytes, *, in_parts: bool) -> object:
    """Return what a connection makes of *response*: its parts, or the class of the error."""
    client, server = socket.socketpair()
    connection = HTTPConnection(client)
    server.sendall(response)
    server.shutdown(socket.SHUT_WR)
    with server:
        try:
            if in_parts:
                return connection._receive_rest(b"", within(5))
            return connection.request(b"question", within(5))
        except InvalidResponseError:
            return InvalidResponseError
        finally:
            connection.close()


@pytest.mark.parametrize("response", RESPONSES)
def test_a_response_is_read_alike_at_once_and_in_parts(response: bytes) -> None:
    """The regular expression for the usual head accepts nothing that the loop refuses."""
    assert read(response, in_parts=False) == read(response, in_parts=True)


INVALID: Final = {
    "nothing": b"",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "half the body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "more than the body": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
    "two responses": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 2,
    "without a length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "a strange length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "too long a length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{}" % (MAX_BODY + 1),
    "endless digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
    "another protocol": b"220 mail.example.com ESMTP\r\nContent-Length: 2\r\n\r\n{}",
    "without a status": b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("response", INVALID.values(), ids=[*INVALID])
def test_anything_but_one_whole_response_is_invalid(pair: Pair, response: bytes) -> None:
    """It is never accepted, and never read without a limit."""
    with pytest.raises(InvalidResponseError):
        exchange(pair, response)


def test_headers_without_an_end_fill_no_memory(pair: Pair) -> None:
    """A server that sends header after header is given up after 64 KB."""
    with pytest.raises(InvalidResponseError, match="headers without an end"):
        exchange(pair, b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)


def test_no_step_takes_longer_than_the_call() -> None:
    """A step may take its own timeout or what is left of the call, whichever is less."""
    now = time.monotonic()

    assert Deadline(now + 60, 1, 2).limit(2) == 2
    assert Deadline(now + 1, 1, 2).limit(2) <= 1
    with pytest.raises(TimeoutError):
        Deadline(now, 1, 2).limit(2)


def test_a_server_that_sends_nothing_is_a_timeout(pair: Pair) -> None:
    """After the time of one read, or at the deadline of the call if that comes first."""
    for seconds in (0.01, 60.0):
        with pytest.raises(TimeoutError):
            pair[0].request(b"question", within(seconds))


def test_a_tls_server_that_sends_nothing_is_a_timeout(tmp_path: Path) -> None:
    """Also after the handshake, where the operating system's own time-outs end no read."""
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(Authority.create().issue("127.0.0.1", (-1, 1)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as pool:
        accepted = pool.submit(lambda: context.wrap_socket(listener.accept()[0], server_side=True))
        untrusting = Endpoint("https://127.0.0.1", None).create_ssl_context()
        deadline = Deadline(time.monotonic() + 60, 5, 0.2)
        connection = HTTPConnection.open(listener.getsockname(), untrusting, deadline)
        answer = pool.submit(connection.request, b"question", deadline)
        silent = accepted.result()

        try:
            assert isinstance(answer.exception(timeout=10), TimeoutError)
        finally:
            silent.close()
            connection.close()


def test_a_response_that_has_begun_is_too_slow_at_the_deadline(pair: Pair) -> None:
    """In its headers or in its body. Before the deadline, silence is the timeout of one read."""
    connection, server = pair
    server.sendall(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(ResponseTooSlowError):
        connection.request(b"question", within(0.05))
    server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
    with pytest.raises(ResponseTooSlowError):
        connection.request(b"question", within(0.05))
    server.sendall(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(TimeoutError):
        connection.request(b"question", within(60))


def test_nothing_is_sent_after_the_deadline(pair: Pair) -> None:
    """The server receives no byte."""
    connection, server = pair
    server.setblocking(False)

    with pytest.raises(TimeoutError):
        connection.request(b"question", within(0))
    with pytest.raises(BlockingIOError):
        server.recv(1)


def test_an_idle_connection_has_pending_data_when_the_server_closes_it(pair: Pair) -> None:
    """What arrives without a request is not the response to the next one."""
    connection, server = pair

    assert not connection.has_pending_data
    server.close()
    assert connection.has_pending_data


ADDRESSES: Final = {
    "https://dynamodb.us-east-1.amazonaws.com": (
        ("dynamodb.us-east-1.amazonaws.com", 443),
        "dynamodb.us-east-1.amazonaws.com",
    ),
    "http://Example.com": (("example.com", 80), "example.com"),
    "http://127.0.0.1:8000/": (("127.0.0.1", 8000), "127.0.0.1:8000"),
    "https://[::1]:8443": (("::1", 8443), "[::1]:8443"),
    "https://h:80": (("h", 80), "h:80"),
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_url_names_the_address_and_the_host_header(url: str) -> None:
    """The port is in the Host header unless it is the default one."""
    endpoint = Endpoint(url, None)

    assert (endpoint.address, endpoint.host_header) == ADDRESSES[url]
    assert endpoint.is_tls is url.startswith("https")


def test_certificates_are_verified_unless_verification_is_switched_off() -> None:
    """Without TLS there is no context."""
    verified = Endpoint("https://h", get_cert_path(True)).create_ssl_context()
    unverified = Endpoint("https://h", None).create_ssl_context()

    assert verified is not None
    assert unverified is not None
    assert (verified.verify_mode, verified.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (unverified.verify_mode, unverified.check_hostname) == (ssl.CERT_NONE, False)
    assert Endpoint("http://h", None).create_ssl_context() is None
