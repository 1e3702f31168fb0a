"""What goes wrong on the wire is boto3's, as often as the options say, and told as repeated."""

from __future__ import annotations

from typing import Final

import pytest

from beaker_dynamodb import Unavailable
from tests.dynamodb.doubles import elses, failure
from tests.dynamodb.wire_clients import a_client, create, get, key, ports
from tests.exchange import Exchange, Fault, Reply
from tests.faults.kinds import (
    BRACES,
    EMPTY,
    HTML,
    Answer,
    Drip,
    FlipBit,
    Hang,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    Rewrite,
    Truncate,
    aws_error,
)
from tests.instruments import Recorder
from tests.proxy import FaultProxy


def without_length(exchange: Exchange) -> None:
    """Answer in chunks, so that no length is told."""
    reply = exchange.forward()
    chunked = Reply(200, (*reply.headers, ("Transfer-Encoding", "chunked")), b"")
    exchange.answer(chunked)
    exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(reply.body), reply.body))
    exchange.hang_up()


#: What may happen to the wire's sending, once.
ONCE: Final[dict[str, Fault]] = {
    "throttled": aws_error("ProvisionedThroughputExceededException"),
    "an error of the server": aws_error("InternalServerError", status=500),
    "credentials that expired": aws_error("ExpiredTokenException"),
    "a clock that is wrong": aws_error("InvalidSignatureException"),
    "a transaction": aws_error("TransactionConflictException"),
    "a gateway's page": Answer(b"<html>Bad gateway</html>", 502),
    "a redirect": Answer(b"", 307, headers=(("Location", "http://127.0.0.1:9/"),)),
    "a refusal that is none": Answer(b'{"__type": "ConditionalCheckFailed"}', 400),
    "a refusal of a list": Answer(b"[]", 400),
    "a refusal that is no JSON": Answer(b"<html>", 400),
    "silence": Hang(applied=True),
    "a reset": ResetMidReply(),
    "a lost request": LoseRequest(),
    "a lost reply": LoseReply(),
    "half a reply, and its checksum": Truncate(crc=True, honest=True),
    "half a reply": Truncate(crc=False, honest=True),
    "half a reply, then silence": Truncate(crc=False, honest=False),
    "a flipped bit": FlipBit(crc=False),
    "a page of HTML": HTML,
    "nothing": EMPTY,
    "braces": BRACES,
    "null": Answer(b"null"),
    "another's item": Rewrite(elses),
    "base64 that is none": Rewrite(lambda body: {**body, "Item": {"mark": {"B": "x"}}}),
    "an item that is none": Rewrite(lambda body: {**body, "Item": ["x"]}),
    "chunks": without_length,
}


@pytest.mark.parametrize("fault", ONCE.values(), ids=[*ONCE])
def test_what_goes_wrong_once_is_boto3s(
    proxy: FaultProxy, table: str, calls: Recorder, fault: Fault
) -> None:
    """The same body is sent once more, nobody notices, and the connection is not used again."""
    client = a_client(proxy.url, read_timeout=1.0)
    before = get(client, table, "alice"), ports(client)
    proxy.clear()
    calls.clear()
    proxy.next(fault)

    found = get(client, table, "alice")
    after = ports(client)

    assert found == before[0] == {**key("alice"), "mark": {"S": "hers"}}
    assert [exchange.body for exchange in proxy.seen] == [proxy.seen[0].body] * 2
    assert (len(before[1]), after) == (1, [])
    assert get(client, table, "alice") == found
    assert calls.names[-2:] == ["GetItem"] * 2


@pytest.mark.parametrize("attempts", [2, 3, 5])
def test_a_call_is_sent_as_often_as_the_options_say(
    proxy: FaultProxy, table: str, attempts: int
) -> None:
    """The wire's sending is the first attempt of `max_attempts`, and counts in the error."""
    proxy.next(aws_error("InternalServerError", status=500), times=None)

    error = failure(lambda: get(a_client(proxy.url, max_attempts=attempts), table, "alice"))

    assert type(error) is Unavailable
    assert error.call is not None
    assert (len(proxy.seen), error.call.attempts) == (attempts, attempts)


APPLIED: Final[dict[str, Fault]] = {
    "a lost reply": LoseReply(),
    "a reset": ResetMidReply(),
    "braces": Answer(b"{}", applied=True),
    "silence": Hang(applied=True),
}


@pytest.mark.parametrize("fault", APPLIED.values(), ids=[*APPLIED])
def test_a_write_that_was_applied_and_handed_over_is_told_as_repeated(
    proxy: FaultProxy, table: str, fault: Fault
) -> None:
    """A refusal that boto3 then brings, by our own row: `retried` says that it may be ours."""
    proxy.next(fault)

    reply = a_client(proxy.url, read_timeout=1.0).call("PutItem", create(table, "bob"))

    assert (reply.refused, reply.retried) == (True, True)
    assert reply.body["Item"] == create(table, "bob")["Item"]
    assert proxy.seen[0].body == proxy.seen[1].body


def test_a_dripping_reply_ends_at_the_deadline(proxy: FaultProxy, table: str) -> None:
    """connect_timeout and read_timeout together: Unavailable, and boto3 is not held in turn."""
    proxy.next(Drip(0.05))
    client = a_client(proxy.url, connect_timeout=0.3, read_timeout=0.3)

    error = failure(lambda: get(client, table, "alice"))

    assert type(error) is Unavailable
    assert "ResponseTooSlow" in str(error)
    assert proxy.operations == ["GetItem"]
    assert ports(client) == []
