"""One keep-alive connection: sends a request and reads one whole response before a deadline.

It knows HTTP/1.1 only as far as DynamoDB uses it: a response with a Content-Length. Anything else
is an InvalidResponseError. Nothing is created at import: gevent may patch sockets after that.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from beaker_dynamodb.errors import masked_repr

#: Bytes of a body: a GetItem's 400 KB, at worst six bytes of JSON for each, and a reserve.
MAX_BODY: Final = 4 * 1024 * 1024
#: Bytes of a status line and headers; DynamoDB sends about 300.
_MAX_HEAD: Final = 64 * 1024
_MAX_RECEIVED: Final = 64 * 1024
#: Seconds by which a socket's timeout may fire too early.
_TIMEOUT_TOLERANCE: Final = 0.01
#: A head with no other headers than DynamoDB's: the status, the length and the checksum are all
#: that matters in it. `_parse_head` returns the same for it, and decides on every other head.
_USUAL_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([0-9]{3})[^\r\n]*\r\n"
    rb"(?:(?:Server|Date|Content-Type|x-amzn-RequestId|x-amzn-requestid): [^\r\n]*\r\n"
    rb"|Connection: keep-alive\r\n|Content-Length: ([0-9]{1,6})\r\n|x-amz-crc32: ([0-9]+)\r\n)+\r\n"
)


class InvalidResponseError(ValueError):
    """What was received is not one whole response."""


class ResponseTooSlowError(Exception):
    """The deadline of the call passed while its response was still arriving."""


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """A URL without a path, and the certificates that are trusted there.

    `certificates` is the path of a file of trusted certificates; None trusts any server.
    """

    url: str
    certificates: str | None

    __repr__ = masked_repr

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port to connect to."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if self.is_tls else 80)

    @property
    def host_header(self) -> str:
        """The Host header, which names the port unless it is the default one."""
        name, port = self.address
        name = f"[{name}]" if ":" in name else name
        return name if port == (443 if self.is_tls else 80) else f"{name}:{port}"

    def create_ssl_context(self) -> ssl.SSLContext | None:
        """Create the TLS context that botocore would use; None without TLS.

        Raises: OSError, if `certificates` is a folder, does not exist or holds no certificate.
        """
        if not self.is_tls:
            return None
        context = ssl.create_default_context(cafile=self.certificates)
        # Since Python 3.13 the default treats an intermediate certificate as an authority's, and
        # refuses authorities that botocore trusts.
        context.verify_flags = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags
        if self.certificates is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Deadline(NamedTuple):
    """When a call must end, and how long each of its steps may take.

    `at` is a time of the monotonic clock. The timeouts are in seconds: `connect_timeout` for a
    connection and for a handshake, `read_timeout` for each single send or receive.
    """

    at: float
    connect_timeout: float
    read_timeout: float

    def limit(self, timeout: float) -> float:
        """Return *timeout* in seconds, or what is left of the call if that is less.

        Raises: TimeoutError, if the deadline has passed.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, timeout)


class ResponseHead(NamedTuple):
    """What matters of a response besides its body: `checksum` is the header x-amz-crc32."""

    status: int
    content_length: int
    checksum: bytes | None
    keep_alive: bool


class HTTPConnection:
    """A connection that serves one call at a time. `WireClient` keeps those that are idle."""

    __slots__ = ("_poll", "_socket", "_timeout", "idle_since")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        #: The socket's timeout in seconds, as it was set last.
        self._timeout: float | None = None
        self._poll: Any = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(connected, select.POLLIN)
        #: A time of the monotonic clock.
        self.idle_since: float = 0.0

    @classmethod
    def open(
        cls, address: tuple[str, int], context: ssl.SSLContext | None, deadline: Deadline
    ) -> HTTPConnection:
        """Connect to *address*, and do the TLS handshake if there is a *context*.

        Raises: OSError, also for a certificate that is not trusted.
        """
        connected = socket.create_connection(address, deadline.connect_timeout)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if context is not None:
                connected.settimeout(deadline.limit(deadline.connect_timeout))
                connected = context.wrap_socket(connected, server_hostname=address[0])
            return cls(connected)
        except BaseException:
            connected.close()
            raise

    @property
    def has_pending_data(self) -> bool:
        """Whether something arrived that no request asked for, such as the end of the stream.

        An idle connection with pending data must not be used again: the server has closed it, or
        the next request would read a response that is not its own. Without `select.poll` this
        cannot be found out cheaply; then a closed connection fails when it is used.
        """
        return self._poll is not None and bool(self._poll.poll(0))

    def request(self, message: bytes, deadline: Deadline) -> tuple[ResponseHead, bytes]:
        """Send *message* and read the response: its head and its whole body.

        Raises: InvalidResponseError; OSError, which TimeoutError is; ResponseTooSlowError, if the
        deadline passes after a part of the response has arrived.
        """
        unsent = memoryview(message)
        while unsent:
            self._limit(deadline)
            unsent = unsent[self._socket.send(unsent) :]
        data = self._receive(deadline)
        if usual := _USUAL_HEAD.match(data):
            status, length, checksum = usual.groups()
            body = data[usual.end() :]
            if length and len(body) == int(length):
                return ResponseHead(int(status), len(body), checksum, keep_alive=True), body
        try:
            return self._receive_rest(data, deadline)
        except TimeoutError:
            if time.monotonic() > deadline.at - _TIMEOUT_TOLERANCE:
                raise ResponseTooSlowError from None
            raise

    def _receive_rest(self, begun: bytes, deadline: Deadline) -> tuple[ResponseHead, bytes]:
        """Return the response that begins with the bytes that have been received."""
        data, searched = bytearray(begun), 0
        while (end := data.find(b"\r\n\r\n", searched)) < 0:
            if len(data) > _MAX_HEAD:
                raise InvalidResponseError("headers without an end")
            searched = max(0, len(data) - 3)  # the separator may be received in two parts
            data += self._receive(deadline)
        head, body = _parse_head(bytes(data[:end])), data[end + 4 :]
        while len(body) < head.content_length:
            body += self._receive(deadline)
        if len(body) > head.content_length:
            raise InvalidResponseError("more than one response")
        return head, bytes(body)

    def _receive(self, deadline: Deadline) -> bytes:
        self._limit(deadline)
        received = self._socket.recv(_MAX_RECEIVED)
        if not received:
            raise InvalidResponseError("closed before the response was whole")
        return received

    def _limit(self, deadline: Deadline) -> None:
        """Set the timeout of the next send or receive; usually it is that of the one before."""
        timeout = deadline.limit(deadline.read_timeout)
        if timeout != self._timeout:  # to set it is a system call
            self._socket.settimeout(timeout)
            self._timeout = timeout

    def close(self) -> None:
        """Close the socket without a TLS goodbye.

        A forked child closes its copies of the parent's connections; these must stay usable for
        the parent.
        """
        self._socket.close()


def _parse_head(data: bytes) -> ResponseHead:
    """Parse a status line and headers. HTTP/1.0 closes the connection unless it says otherwise.

    The body must be transferred as it is, and have up to `MAX_BODY` bytes.

    Raises: InvalidResponseError.
    """
    first, *lines = data.split(b"\r\n")
    version, _, status = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
        raise InvalidResponseError("not HTTP/1")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or headers.keys() & {b"transfer-encoding", b"content-encoding"}:
        raise InvalidResponseError("no plain length")
    # The digits are counted first: int() takes quadratic time for a long number.
    if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        raise InvalidResponseError("too long")
    option = headers.get(b"connection", b"").lower()
    keep_alive = option == b"keep-alive" or (version == b"HTTP/1.1" and option != b"close")
    return ResponseHead(int(status[:3]), int(length), headers.get(b"x-amz-crc32"), keep_alive)
