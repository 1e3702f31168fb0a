"""Faults: functions of one `Exchange` that decide what happens to the request and response.

There is no socket, thread or server here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event
from typing import Any

from tests.exchange import Exchange, Reply
from tests.instruments import nothing


@dataclass(frozen=True, slots=True)
class LoseRequest:
    """The request does not arrive, and the connection is closed."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.hang_up()


@dataclass(frozen=True, slots=True)
class LoseReply:
    """The request is applied, `then` is called, and the connection is closed without a reply."""

    then: Callable[[], object] = nothing

    def __call__(self, exchange: Exchange) -> None:
        exchange.forward()
        self.then()
        exchange.hang_up()


@dataclass(frozen=True, slots=True)
class Hang:
    """No reply is sent, and the connection stays open; the request may be `applied`."""

    applied: bool

    def __call__(self, exchange: Exchange) -> None:
        if self.applied:
            exchange.forward()
        exchange.wait()


@dataclass(frozen=True, slots=True)
class Delay:
    """The reply is late. The request is `applied` at once, or late, even if the client gave up."""

    seconds: float
    applied: bool = False

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward() if self.applied else None
        exchange.wait(self.seconds)
        exchange.answer(reply or exchange.forward())


@dataclass(frozen=True, slots=True)
class Hold:
    """The request waits until the test opens the gate, and is then answered normally."""

    gate: Event

    def __call__(self, exchange: Exchange) -> None:
        while not self.gate.is_set():
            exchange.wait(0.01)
        exchange.answer(exchange.forward())


@dataclass(frozen=True, slots=True)
class ResetMidReply:
    """Half of the body is sent, then the connection is reset."""

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.answer(reply, only=len(reply.body) // 2)
        exchange.hang_up(reset=True)


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half of the body is sent. `crc`: with the checksum of the whole. `honest`: with its length.

    Otherwise the length is that of the whole, and the connection is closed.
    """

    crc: bool
    honest: bool

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        half = len(reply.body) // 2
        sent = reply if self.crc else reply.without("x-amz-crc32")
        exchange.answer(sent, length=half if self.honest else len(reply.body), only=half)
        if not self.honest:
            exchange.hang_up()


@dataclass(frozen=True, slots=True)
class FlipBit:
    """One bit of a value is flipped in JSON that stays valid. `crc`: the checksum is adapted.

    The value is that of the item's `attribute` (S, N or B), or the last text of the reply.
    """

    crc: bool
    attribute: str | None = None

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        name = re.escape(self.attribute or "").encode()
        tagged = rb'"%s":\{"[SNB]":"([^"\\]+)"' % name if self.attribute else rb':"([^"\\]+)"'
        start, end = [found.span(1) for found in re.finditer(tagged, reply.body)][-1]
        # From the middle on: the last letter of base64 may contain unused bits.
        places = (*range((start + end) // 2, end), *range(start, end))
        at = next(i for i in places if reply.body[i] ^ 1 in _BASE64)
        spoiled = reply.body[:at] + bytes([reply.body[at] ^ 1]) + reply.body[at + 1 :]
        fitting = reply.with_body(spoiled)
        exchange.answer(fitting if self.crc else Reply(reply.status, reply.headers, spoiled))


_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True, slots=True)
class Answer:
    """Another response is sent; the request may be `applied`."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    applied: bool = False

    def __call__(self, exchange: Exchange) -> None:
        if self.applied:
            exchange.forward()
        exchange.answer(Reply(self.status, self.headers, self.body))


def aws_error(
    code: str,
    *,
    status: int = 400,
    headers: Iterable[tuple[str, str]] = (),
    applied: bool = False,
    **members: Any,
) -> Answer:
    """Return an error of AWS. `members` are added to the body: `ThrottlingReasons=[...]`."""
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    body = json.dumps({"__type": kind, "message": f"{code}, said the proxy", **members}).encode()
    fitting = Reply(status, (("Content-Type", "application/x-amz-json-1.0"),), b"").with_body(body)
    return Answer(body, status, (*fitting.headers, *headers), applied)


HTML = Answer(b"<html><body>It works!</body></html>", headers=(("Content-Type", "text/html"),))
EMPTY = Answer(b"")
BRACES = Answer(b"{}")


@dataclass(frozen=True, slots=True)
class Drip:
    """The body is sent byte by byte, each after `interval` seconds."""

    interval: float

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.answer(reply, only=0)
        for byte in reply.body:
            exchange.wait(self.interval)
            exchange.send(bytes([byte]))


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The request is applied twice; the client gets the second reply, or the `first`."""

    first: bool = False

    def __call__(self, exchange: Exchange) -> None:
        replies = [exchange.forward(), exchange.forward()]
        exchange.answer(replies[0 if self.first else 1])


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The body is replaced by `change(body)`, with the right checksum."""

    change: Callable[[dict[str, Any]], dict[str, Any]]

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.answer(reply.with_body(json.dumps(self.change(reply.document)).encode()))


@dataclass(frozen=True, slots=True)
class Stale:
    """An eventually consistent GetItem returns the item as it was before its last change.

    Only states that were read through the proxy are known. A consistent read is not changed.
    """

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        eventual = exchange.operation == "GetItem" and not exchange.body.get("ConsistentRead")
        exchange.answer(exchange.older(reply) if eventual else reply)
