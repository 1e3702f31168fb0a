"""One keep-alive connection of the wire: bytes out, one whole HTTP reply in, before a deadline.

It knows HTTP/1.1 as DynamoDB speaks it, and no more: a reply with a Content-Length. Whatever
else arrives is broken. Nothing is made at import, for gevent may patch sockets after it.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb.errors import masked_repr

#: A GetItem's 400 KB, six bytes of JSON for each byte at worst, and room to spare.
MOST_BYTES: Final = 4 * 1024 * 1024
#: What a head may be, in bytes; DynamoDB's is about 300.
_MOST_HEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
#: How much too early a time-out may strike, in seconds.
_GRAIN: Final = 0.01


class BrokenReplyError(ValueError):
    """What arrived is no whole reply."""


class ReplyTooSlowError(Exception):
    """The call's time was up while its reply was still arriving."""


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """Where a line leads: an URL of a host and nothing else, and which certificates count.

    `certificates`: the file of those that are trusted; None trusts anybody.
    """

    url: str
    certificates: str | None

    __repr__ = masked_repr

    @property
    def tls(self) -> bool:
        """Tell whether it speaks TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        """Name the host and the port to connect to."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if self.tls else 80)

    @property
    def host(self) -> str:
        """Write the Host header; the port stands in it where it is not the usual one."""
        name, port = self.address
        name = f"[{name}]" if ":" in name else name
        return name if port == (443 if self.tls else 80) else f"{name}:{port}"

    def context(self) -> ssl.SSLContext | None:
        """Make the TLS context that botocore would use; None without TLS.

        Raises: OSError, where there is no such file, or no certificate in it; so for a folder.
        """
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.certificates)
        # From Python 3.13 on the default takes an intermediate's certificate for an authority's,
        # and refuses authorities that botocore trusts.
        context.verify_flags = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags
        if self.certificates is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take: until then in all, by the monotonic clock, and for each step.

    `connect` and `read` are seconds: for one connection or handshake, and one read or write.
    """

    until: float
    connect: float
    read: float

    def left(self, most: float) -> float:
        """Say how many seconds a step of at most *most* has.

        Raises: TimeoutError, if the time is up.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(most, left)


@dataclass(frozen=True, slots=True)
class Head:
    """A reply without its body: the status, and what the wire reads of the headers."""

    status: int
    headers: dict[bytes, bytes]
    again: bool

    @property
    def length(self) -> int:
        """Say how long the body is, in bytes.

        Raises: BrokenReplyError, if it is not told, too long, or written in another way.
        """
        told = self.headers.get(b"content-length", b"")
        if not told.isdigit() or self.headers.keys() & {b"transfer-encoding", b"content-encoding"}:
            raise BrokenReplyError("no plain length")
        if len(told) > len(str(MOST_BYTES)) or int(told) > MOST_BYTES:
            raise BrokenReplyError("too long")
        return int(told)


class Line:
    """A connection. Whoever has it has it alone, from `Wire`'s free list until it is put back."""

    __slots__ = ("_poll", "_socket", "rested")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._poll: Any = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(connected, select.POLLIN)
        #: Since when it rests, by the monotonic clock.
        self.rested: float = 0.0

    @classmethod
    def opened(
        cls, address: tuple[str, int], context: ssl.SSLContext | None, patience: Patience
    ) -> Line:
        """Connect, and shake hands where there is TLS.

        Raises: OSError; a certificate that does not fit is one, too.
        """
        connected = socket.create_connection(address, patience.connect)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if context is not None:
                connected.settimeout(patience.left(patience.connect))
                connected = context.wrap_socket(connected, server_hostname=address[0])
            return cls(connected)
        except BaseException:
            connected.close()
            raise

    @property
    def quiet(self) -> bool:
        """Tell whether nothing arrived while it rested: what does is the server's good-bye."""
        return self._poll is None or not self._poll.poll(0)

    def ask(self, message: bytes, patience: Patience) -> tuple[Head, bytes]:
        """Send a request and read its reply.

        Raises: BrokenReplyError, OSError; ReplyTooSlowError, if the time is up and a part of
        the reply is there.
        """
        rest = memoryview(message)
        while rest:
            self._socket.settimeout(patience.left(patience.read))
            rest = rest[self._socket.send(rest) :]
        data = bytearray()
        try:
            end = -1
            while end < 0:
                if len(data) > _MOST_HEAD:
                    raise BrokenReplyError("a head without an end")
                looked_at = max(0, len(data) - 3)
                data += self._more(patience)
                end = data.find(b"\r\n\r\n", looked_at)
            head, parts = _head_of(bytes(data[:end])), [bytes(data[end + 4 :])]
            missing = head.length - len(parts[0])
            while missing > 0:
                parts.append(self._more(patience))
                missing -= len(parts[-1])
        except TimeoutError:
            if data and time.monotonic() > patience.until - _GRAIN:
                raise ReplyTooSlowError from None
            raise
        if missing:
            raise BrokenReplyError("more than one reply")
        return head, parts[0] if len(parts) == 1 else b"".join(parts)

    def _more(self, patience: Patience) -> bytes:
        self._socket.settimeout(patience.left(patience.read))
        some = self._socket.recv(_CHUNK)
        if not some:
            raise BrokenReplyError("closed in mid-reply")
        return some

    def close(self) -> None:
        """Close it without a word: in a forked child the parent's connection stays as it is."""
        self._socket.close()


def _head_of(data: bytes) -> Head:
    """Read a status line and headers; HTTP/1.0 closes, unless it says otherwise.

    Raises: BrokenReplyError.
    """
    first, *lines = data.split(b"\r\n")
    version, _, status = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
        raise BrokenReplyError("no HTTP")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    told = headers.get(b"connection", b"").lower()
    again = told == b"keep-alive" or (version == b"HTTP/1.1" and told != b"close")
    return Head(int(status[:3]), headers, again)
