"""One connection of the wire: what is a whole reply, what is none, and whose time was up."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final

import pytest
from botocore.httpsession import get_cert_path

from beaker_dynamodb.dynamodb.wire.http import (
    MOST_BYTES,
    BrokenReplyError,
    Endpoint,
    Line,
    Patience,
    ReplyTooSlowError,
)


@pytest.fixture
def ends() -> Iterator[tuple[Line, socket.socket]]:
    """Give a line and the server's end of it; half a second of silence is too long."""
    ours, theirs = socket.socketpair()
    line = Line(ours)
    yield line, theirs
    line.close()
    theirs.close()


def within(seconds: float) -> Patience:
    """Give a call so much time, and half a second for each of its reads."""
    return Patience(time.monotonic() + seconds, 0.5, 0.5)


def asked(ends: tuple[Line, socket.socket], reply: bytes, *, seconds: float = 5) -> object:
    """Have the server answer this and hang up; return status, body and whether to go on."""
    line, theirs = ends
    theirs.sendall(reply)
    theirs.shutdown(socket.SHUT_WR)
    head, body = line.ask(b"question", within(seconds))
    assert theirs.recv(100) == b"question"
    return head.status, body, head.again


WHOLE: Final = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", True),
    b"HTTP/1.1 400 Bad Request\r\ncontent-LENGTH:  2 \r\n\r\n{}": (400, b"{}", True),
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}": (200, b"{}", False),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n": (200, b"", True),
    b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n": (503, b"", True),
}


@pytest.mark.parametrize("reply", WHOLE)
def test_a_whole_reply_is_read(ends: tuple[Line, socket.socket], reply: bytes) -> None:
    """Its status and body, and whether the connection may serve once more."""
    assert asked(ends, reply) == WHOLE[reply]


NONE: Final = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "more than a body": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
    "two replies": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 2,
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "a strange length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{}" % (MOST_BYTES + 1),
    "endless digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
    "another protocol": b"220 mail.example.com ESMTP\r\nContent-Length: 2\r\n\r\n{}",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("reply", NONE.values(), ids=[*NONE])
def test_what_is_no_whole_reply_is_broken(ends: tuple[Line, socket.socket], reply: bytes) -> None:
    """It is never taken for an answer, and never grows without bound."""
    with pytest.raises(BrokenReplyError):
        asked(ends, reply)


def test_a_head_without_an_end_is_not_waited_for(ends: tuple[Line, socket.socket]) -> None:
    """Whoever sends header after header fills no memory."""
    with pytest.raises(BrokenReplyError, match="a head without an end"):
        asked(ends, b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)


def test_no_step_outlasts_the_call() -> None:
    """A step has its own time, or what is left of the call's, whichever is less."""
    now = time.monotonic()

    assert Patience(now + 60, 1, 2).left(2) == 2
    assert Patience(now + 1, 1, 2).left(2) <= 1
    with pytest.raises(TimeoutError):
        Patience(now, 1, 2).left(2)


def test_silence_is_a_time_out_of_one_read(ends: tuple[Line, socket.socket]) -> None:
    """Without a byte it is the usual time-out, whose time is that of the call or of one read."""
    for seconds in (0.01, 60.0):
        with pytest.raises(TimeoutError):
            ends[0].ask(b"question", within(seconds))


def test_a_reply_that_has_begun_is_too_slow_when_the_time_is_up(
    ends: tuple[Line, socket.socket],
) -> None:
    """In the head or in the body; while the call has time left it is a time-out of one read."""
    line, theirs = ends
    theirs.sendall(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(ReplyTooSlowError):
        line.ask(b"question", within(0.05))
    theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
    with pytest.raises(ReplyTooSlowError):
        line.ask(b"question", within(0.05))
    theirs.sendall(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(TimeoutError):
        line.ask(b"question", within(60))


def test_a_call_without_time_is_not_sent(ends: tuple[Line, socket.socket]) -> None:
    """Nothing reaches the server after the deadline."""
    line, theirs = ends
    theirs.setblocking(False)

    with pytest.raises(TimeoutError):
        line.ask(b"question", within(0))
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_a_connection_is_quiet_until_the_server_says_something_or_leaves(
    ends: tuple[Line, socket.socket],
) -> None:
    """What arrives while nobody asks is no answer to the next question."""
    line, theirs = ends

    assert line.quiet
    theirs.close()
    assert not line.quiet


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
def test_where_an_url_leads(url: str) -> None:
    """The address to connect to, and the Host header."""
    endpoint = Endpoint(url, None)

    assert (endpoint.address, endpoint.host) == ADDRESSES[url]
    assert endpoint.tls is url.startswith("https")


def test_certificates_are_checked_unless_nobody_is_to_be() -> None:
    """Without TLS there is no context at all."""
    checked = Endpoint("https://h", get_cert_path(True)).context()
    anybody = Endpoint("https://h", None).context()

    assert checked is not None
    assert anybody is not None
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (anybody.verify_mode, anybody.check_hostname) == (ssl.CERT_NONE, False)
    assert Endpoint("http://h", None).context() is None
