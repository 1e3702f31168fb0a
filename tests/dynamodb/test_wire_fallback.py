"""Calls that fail on the wire are repeated by boto3, as often as the options allow."""

from __future__ import annotations

from typing import Final

import pytest

from beaker_dynamodb import Unavailable
from tests.dynamodb.doubles import catch_error, replace_item_key
from tests.dynamodb.wire_clients import (
    create_client,
    get_idle_ports,
    get_item,
    make_create_request,
    make_key,
)
from tests.exchange import Exchange, Fault, Reply
from tests.faults.fault_kinds import (
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
    """Send the response in chunks, without a length."""
    reply = exchange.forward()
    chunked = Reply(200, (*reply.headers, ("Transfer-Encoding", "chunked")), b"")
    exchange.answer(chunked)
    exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(reply.body), reply.body))
    exchange.hang_up()


#: What can happen to the request of the wire.
ONCE: Final[dict[str, Fault]] = {
    "throttled": aws_error("ProvisionedThroughputExceededException"),
    "an error of the server": aws_error("InternalServerError", status=500),
    "credentials that expired": aws_error("ExpiredTokenException"),
    "a wrong clock": aws_error("InvalidSignatureException"),
    "a conflict with a transaction": aws_error("TransactionConflictException"),
    "a gateway's page": Answer(b"<html>Bad gateway</html>", 502),
    "a redirect": Answer(b"", 307, headers=(("Location", "http://127.0.0.1:9/"),)),
    "an unknown refusal": Answer(b'{"__type": "ConditionalCheckFailed"}', 400),
    "a refusal of a list": Answer(b"[]", 400),
    "a refusal that is not JSON": Answer(b"<html>", 400),
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
    "another item": Rewrite(replace_item_key),
    "invalid base64": Rewrite(lambda body: {**body, "Item": {"mark": {"B": "x"}}}),
    "an invalid item": Rewrite(lambda body: {**body, "Item": ["x"]}),
    "chunks": without_length,
}


@pytest.mark.parametrize("fault", ONCE.values(), ids=[*ONCE])
def test_a_call_that_fails_on_the_wire_is_repeated_by_boto3(
    proxy: FaultProxy, table: str, calls: Recorder, fault: Fault
) -> None:
    """The same body is sent again, the call succeeds, and the connection is not used again."""
    client = create_client(proxy.url, read_timeout=1.0)
    before = get_item(client, table, "alice"), get_idle_ports(client)
    proxy.clear()
    calls.clear()
    proxy.next(fault)

    found = get_item(client, table, "alice")
    after = get_idle_ports(client)

    assert found == before[0] == {**make_key("alice"), "mark": {"S": "hers"}}
    assert [exchange.body for exchange in proxy.seen] == [proxy.seen[0].body] * 2
    assert (len(before[1]), after) == (1, [])
    assert get_item(client, table, "alice") == found
    assert calls.names[-2:] == ["GetItem"] * 2


@pytest.mark.parametrize("attempts", [2, 3, 5])
def test_a_call_is_sent_as_often_as_the_options_say(
    proxy: FaultProxy, table: str, attempts: int
) -> None:
    """The request of the wire is the first of `max_attempts`, also in the error."""
    proxy.next(aws_error("InternalServerError", status=500), times=None)

    error = catch_error(
        lambda: get_item(create_client(proxy.url, max_attempts=attempts), table, "alice")
    )

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
def test_a_write_that_the_wire_may_have_applied_is_refused_by_its_own_row(
    proxy: FaultProxy, table: str, fault: Fault
) -> None:
    """boto3 sends the same bytes again; the refusal holds the row, by which it is recognized."""
    proxy.next(fault)

    reply = create_client(proxy.url, read_timeout=1.0).call(
        "PutItem", make_create_request(table, "bob")
    )

    assert reply.refused
    assert reply.body["Item"] == make_create_request(table, "bob")["Item"]
    assert proxy.seen[0].body == proxy.seen[1].body


def test_a_response_that_arrives_byte_by_byte_ends_at_the_deadline(
    proxy: FaultProxy, table: str
) -> None:
    """connect_timeout and read_timeout together: Unavailable, and boto3 does not repeat it."""
    proxy.next(Drip(0.05))
    client = create_client(proxy.url, connect_timeout=0.3, read_timeout=0.3)

    error = catch_error(lambda: get_item(client, table, "alice"))

    assert type(error) is Unavailable
    assert "ResponseTooSlow" in str(error)
    assert proxy.operations == ["GetItem"]
    assert get_idle_ports(client) == []
