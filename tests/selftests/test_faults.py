"""What each fault does to a plain botocore client is measured here.

So the tests of the package start from facts: several of these outcomes look like success.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ReadTimeoutError,
)

from tests.exchange import Fault
from tests.faults.fault_kinds import (
    BRACES,
    EMPTY,
    HTML,
    Answer,
    Delay,
    Drip,
    Duplicate,
    FlipBit,
    Hang,
    Hold,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    Rewrite,
    Stale,
    Truncate,
    aws_error,
)
from tests.selftests.bench import KEY, NEW, OLD, READ_TIMEOUT, Bench, a_client

# What a client that asks once sees of a GetItem of OLD. None is "no such session".
READS: dict[str, tuple[Fault, Any]] = {
    "request lost": (LoseRequest(), ConnectionClosedError),
    "reply lost": (LoseReply(), ConnectionClosedError),
    "hangs": (Hang(applied=True), ReadTimeoutError),
    "late": (Delay(0.1, applied=True), OLD),
    "reset mid-reply": (ResetMidReply(), ConnectionClosedError),
    "truncated, crc, honest": (Truncate(crc=True, honest=True), None),
    "truncated, crc, too long": (Truncate(crc=True, honest=False), None),
    "truncated, no crc, honest": (Truncate(crc=False, honest=True), None),
    "truncated, no crc, too long": (Truncate(crc=False, honest=False), None),
    "bit flipped, wrong crc": (
        FlipBit(crc=False, attribute="data"),
        {**KEY, "data": {"B": b"the old \xa2ytes"}},
    ),
    "bit flipped, right crc": (
        FlipBit(crc=True, attribute="id"),
        {**OLD, "id": {"S": "alhce"}},
    ),
    "html": (HTML, None),
    "empty": (EMPTY, None),
    "braces": (BRACES, None),
    "throttled": (
        aws_error("ThrottlingException", ThrottlingReasons=[{"reason": "x", "resource": "y"}]),
        "ThrottlingException",
    ),
    "503, nothing said": (Answer(b"", 503), "503"),
    "drips fast": (Drip(0.001), OLD),
    "asked twice": (Duplicate(), OLD),
    "rewritten": (Rewrite(lambda reply: {"Item": KEY} if "Item" in reply else reply), KEY),
}


@pytest.mark.parametrize("case", READS)
def test_a_read_under_a_fault(bench: Bench, case: str) -> None:
    """A GetItem meets its fault once, sees what the table says, and the next one is whole."""
    fault, expected = READS[case]
    bench.proxy.next(fault, operation="GetItem")

    assert bench.outcome(bench.get) == expected
    assert bench.proxy.pending == 0
    assert bench.get() == OLD
    assert [e.fault for e in bench.proxy.seen] == [fault, None]


# What a client that asks once sees of a PutItem of NEW over OLD, and what stands then.
REPLIED = "replied"
WRITES: dict[str, tuple[Fault, Any, Any, int]] = {
    "request lost": (LoseRequest(), ConnectionClosedError, OLD, 0),
    "reply lost": (LoseReply(), ConnectionClosedError, NEW, 1),
    "hangs before": (Hang(applied=False), ReadTimeoutError, OLD, 0),
    "hangs after": (Hang(applied=True), ReadTimeoutError, NEW, 1),
    "late": (Delay(0.1), REPLIED, NEW, 1),
    "html": (HTML, REPLIED, OLD, 0),
    "html, though applied": (Answer(HTML.body, applied=True), REPLIED, NEW, 1),
    "braces": (BRACES, REPLIED, OLD, 0),
    "500": (aws_error("InternalServerError", status=500), "InternalServerError", OLD, 0),
    "asked twice": (Duplicate(first=True), REPLIED, NEW, 2),
    "asked twice, on condition": (Duplicate(), "ConditionalCheckFailedException", NEW, 2),
}


@pytest.mark.parametrize("case", WRITES)
def test_a_write_under_a_fault(bench: Bench, case: str) -> None:
    """A PutItem meets its fault, and the table holds what the fault says, so often sent."""
    fault, expected, stands, forwarded = WRITES[case]
    bench.proxy.next(fault, operation="PutItem")
    condition: dict[str, Any] = {
        "ConditionExpression": "#d = :old",
        "ExpressionAttributeNames": {"#d": "data"},
        "ExpressionAttributeValues": {":old": OLD["data"]},
    }
    outcome = bench.outcome(lambda: bench.put(**condition))

    assert (REPLIED if isinstance(outcome, dict) else outcome) == expected
    assert bench.stored == stands
    assert [exchange.forwarded for exchange in bench.proxy.seen] == [forwarded]


def test_another_writer_comes_between_applied_and_lost(bench: Bench) -> None:
    """The callback of LoseReply runs when the request is applied and nobody knows it yet."""
    met: list[Any] = []

    def another() -> None:
        met.append(bench.stored)
        bench.direct.delete_item(TableName=bench.table, Key=KEY)

    bench.proxy.next(LoseReply(another), operation="PutItem")

    assert bench.outcome(bench.put) is ConnectionClosedError
    assert met == [NEW]
    assert bench.stored is None


def test_a_ghost_is_applied_when_its_writer_has_gone(bench: Bench) -> None:
    """A write that was held back lands late, when the gate opens, though its client gave up."""
    gate = threading.Event()
    bench.proxy.next(Hold(gate), operation="PutItem")

    assert bench.outcome(bench.put) is ReadTimeoutError
    assert bench.stored == OLD

    gate.set()
    bench.proxy.wait_until(lambda: bench.proxy.seen[0].forwarded)

    assert bench.stored == NEW


def test_a_drip_is_not_bound_by_the_read_timeout(bench: Bench) -> None:
    """A reply that drips holds a call for longer than its read_timeout: it bounds one read."""
    bench.proxy.next(Drip(0.03))
    began = time.monotonic()

    assert bench.get() == OLD
    assert time.monotonic() - began > READ_TIMEOUT


def test_a_stale_read_sees_the_item_before_its_last_change(bench: Bench) -> None:
    """Only an eventually consistent read is stale, of that key, by one change."""
    bench.proxy.next(Stale(), times=None)

    assert bench.get() == OLD
    bench.put()
    assert bench.get() == OLD
    assert bench.get(ConsistentRead=True) == NEW
    assert bench.get(ReturnConsumedCapacity="TOTAL") == OLD
    bench.client.delete_item(TableName=bench.table, Key=KEY)
    assert bench.get() == NEW
    other = {"id": {"S": "bob"}}
    assert "Item" not in bench.client.get_item(TableName=bench.table, Key=other)


def test_faults_are_met_in_order_by_those_that_fit(bench: Bench) -> None:
    """A fault waits for its operation and its body, and is used up after so many times."""
    bench.proxy.next(LoseRequest(), operation="PutItem", where=lambda body: body["Item"] == {})
    bench.proxy.next(aws_error("RequestLimitExceeded"), operation="GetItem", times=2)
    bench.proxy.next(HTML, operation="GetItem")

    assert isinstance(bench.put(OLD), dict)
    assert [bench.outcome(bench.get) for _ in range(4)] == [
        *["RequestLimitExceeded"] * 2,
        None,
        OLD,
    ]
    assert bench.proxy.operations == ["PutItem", *["GetItem"] * 4]
    assert bench.proxy.pending == 1


def test_an_error_carries_its_headers_and_its_members(bench: Bench) -> None:
    """What AWS tells of a throttled call reaches the client as it was programmed."""
    reasons = [{"reason": "TableReadKeyRangeThroughputExceeded", "resource": "arn"}]
    code = "ProvisionedThroughputExceededException"
    late = [("x-amz-retry-after", "5000")]
    bench.proxy.next(aws_error(code, headers=late, ThrottlingReasons=reasons))

    with pytest.raises(bench.client.exceptions.ProvisionedThroughputExceededException) as caught:
        bench.get()

    reply: Any = caught.value.response
    assert reply["ThrottlingReasons"] == reasons
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"] == "5000"


def test_botocore_retries_what_the_crc_tells(bench: Bench) -> None:
    """A bit that is flipped once under its old checksum costs one more request and no data."""
    patient = a_client(bench.proxy.url, attempts=2)
    bench.proxy.next(FlipBit(crc=False))

    assert patient.get_item(TableName=bench.table, Key=KEY)["Item"] == OLD
    assert len(bench.proxy.seen) == 2
    patient.close()
