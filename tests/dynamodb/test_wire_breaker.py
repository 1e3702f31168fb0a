"""After some calls in a row that the wire could not make, it pauses, and boto3 makes all calls."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from beaker_dynamodb.dynamodb import client as client_module
from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.wire.transport import (
    CLOSED,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MAX_FAILURES,
    BreakerState,
)
from tests.dynamodb.doubles import run_in_child
from tests.dynamodb.wire_clients import create_client, get_item, get_wire
from tests.exchange import Fault
from tests.faults.fault_kinds import BRACES, LoseRequest, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy

NOW = 1000.0


def fail_often(
    state: BreakerState, times: int, now: float = NOW, cause: str = "HTTP 500"
) -> BreakerState:
    """Return the state after some failures at one time."""
    for _ in range(times):
        state = state.begin_call(now).fail(cause, now)
    return state


def test_a_few_failures_change_nothing() -> None:
    """The wire goes on, and a call that it makes resets the count."""
    state = fail_often(CLOSED, MAX_FAILURES - 1)

    assert not state.is_open(NOW)
    assert state.begin_call(NOW) is state


def test_it_pauses_twice_as_long_each_time_up_to_minutes() -> None:
    """After a pause one failure is enough for the next."""
    state, now, pauses = fail_often(CLOSED, MAX_FAILURES), NOW, list[float]()
    for _ in range(8):
        pauses.append(state.until - now)
        assert state.is_open(state.until - 0.01)
        assert not state.is_open(state.until)
        now = state.until
        state = state.begin_call(now).fail("HTTP 500", now)

    assert pauses == [10, 20, 40, 80, 160, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_after_a_pause_one_call_tries_and_the_others_wait() -> None:
    """If that call never ends, another one tries when as much time has passed again."""
    state = fail_often(CLOSED, MAX_FAILURES)
    now = state.until
    tried = state.begin_call(now)

    assert tried.is_open(now)
    assert tried.is_open(now + FIRST_PAUSE - 0.01)
    assert not tried.is_open(now + FIRST_PAUSE)


def test_calls_that_began_before_the_pause_do_not_prolong_it() -> None:
    """Forty threads meet the same outage: that is one pause, not forty."""
    state = fail_often(CLOSED, MAX_FAILURES)

    assert state.fail("HTTP 500", NOW + 1) is state


@pytest.mark.parametrize(
    ("cause", "is_reported"),
    [
        ("HTTP 500", False),
        ("HTTP 503", False),
        ("HTTP 400 ThrottlingException", False),
        ("HTTP 400 ProvisionedThroughputExceededException", False),
        ("HTTP 400 RequestLimitExceeded", False),
        ("HTTP 400 ResourceNotFoundException", False),
        ("HTTP 400 ValidationException", True),
        ("HTTP 403", True),
        ("a checksum does not match", True),
        ("TimeoutError", True),
    ],
)
def test_the_line_says_why_and_asks_for_a_report_of_what_dynamodb_did_not_refuse(
    cause: str, is_reported: bool
) -> None:
    """The number of calls, the last cause, the length, and the option."""
    text = fail_often(CLOSED, MAX_FAILURES, cause=cause).describe()

    for part in ("5 calls", cause, "10 s", "transport = boto3"):
        assert part in text
    assert ("please report" in text) is is_reported


@pytest.fixture
def time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the breaker read a clock that the test winds."""
    monkeypatch.setattr(client_module, "time", clock)
    return clock


def record_transports() -> list[str]:
    """Return a list of what makes each call from now on."""
    seen: list[str] = []

    def record(event: Any) -> None:
        seen.append(event.transport)

    metering.observe(record)
    return seen


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (aws_error("UnrecognizedClientException"), "HTTP 400 UnrecognizedClientException"),
        (aws_error("InternalServerError", status=503), "HTTP 503"),
        (LoseRequest(), "closed before the response was whole"),
        (BRACES, "a response that is not whole"),
    ],
    ids=["refused", "down", "lost", "braces"],
)
def test_a_wire_that_never_works_costs_next_to_nothing(
    proxy: FaultProxy,
    table: str,
    time: Clock,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    cause: str,
) -> None:
    """Whatever the cause. Every call succeeds; the wire tries five, and then one at each pause."""
    client = create_client(proxy.url, read_timeout=1.0)
    transports = record_transports()
    tries = [0]
    original = get_wire(client).call

    def call(operation: str, request: Any) -> Any:
        tries[0] += 1
        proxy.next(fault)
        return original(operation, request)

    get_wire(client).call = call  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert get_item(client, table, "alice")["mark"] == {"S": "hers"}
    during = client.get_transport()
    time.advance(FIRST_PAUSE)
    for _ in range(5):
        get_item(client, table, "alice")
    lines = [one.getMessage() for one in caplog.records if "the wire could not" in one.message]

    assert tries == [MAX_FAILURES + 1]
    assert transports.count("boto3") >= 19
    assert during.name == "boto3"
    assert cause in during.reason
    assert len(lines) == 2  # one for each pause
    assert all(cause in line for line in lines)


def test_the_wire_goes_on_after_a_pause(proxy: FaultProxy, table: str, time: Clock) -> None:
    """One call succeeds, and all is as before: the next pause would be a short one."""
    client = create_client(proxy.url)
    transports = record_transports()
    for _ in range(MAX_FAILURES):
        proxy.next(aws_error("InternalServerError", status=500))
        get_item(client, table, "alice")
    get_item(client, table, "alice")
    time.advance(FIRST_PAUSE)
    for _ in range(2):
        get_item(client, table, "alice")

    assert transports == ["fallback"] * MAX_FAILURES + ["boto3", "wire", "wire"]
    assert client._get_clients()._breaker is CLOSED


def test_a_forked_child_begins_anew(proxy: FaultProxy, table: str) -> None:
    """Its connections are its own, and so is what it knows of the wire."""
    client = create_client(proxy.url)
    for _ in range(MAX_FAILURES):
        proxy.next(aws_error("InternalServerError", status=500))
        get_item(client, table, "alice")
    paused = client.get_transport().name

    assert (paused, run_in_child(lambda: client.get_transport().name)) == ("boto3", "wire")


def test_a_failed_condition_is_no_failure_of_the_wire(dynamodb_local: str, table: str) -> None:
    """DynamoDB has answered: the wire works."""
    client = create_client(dynamodb_local)
    request = {
        "TableName": table,
        "Item": {"id": {"S": "alice"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    for _ in range(MAX_FAILURES + 1):
        assert client.call("PutItem", request).refused

    assert client.get_transport().name == "wire"
