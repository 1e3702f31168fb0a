"""What happens to a user when a request or a reply is lost or broken: cases 1, 2 and 4 to 9.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable
from tests.exchange import Fault
from tests.faults.fault_kinds import (
    BRACES,
    EMPTY,
    HTML,
    Answer,
    FlipBit,
    Hang,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    Truncate,
    aws_error,
)
from tests.faults.sites_under_fault import check_unavailable
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out, put

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


APPLIED: dict[str, Fault] = {
    "the connection closes": LoseReply(),
    "the connection is reset in mid-reply": ResetMidReply(),
    "no reply comes": Hang(applied=True),
    "a gateway answers 502": Answer(b"", 502, applied=True),
    "DynamoDB answers 500": aws_error("InternalServerError", status=500, applied=True),
}


@pytest.mark.parametrize("fault", APPLIED.values(), ids=[*APPLIED])
def test_1_a_login_whose_reply_is_lost_is_logged_in(
    site: Site, proxy: FaultProxy, fault: Fault
) -> None:
    """Case 1, a conditional creation: there is one row, and no error."""
    user = Browser()
    proxy.next(fault, operation="PutItem")

    site.behind(proxy, read_timeout=1).visit(user, put(user="ann"))

    assert site.read_session(user) == {"user": "ann"}
    assert len(site.rows()) == 1
    assert proxy.operations == ["PutItem", "PutItem"]


@pytest.mark.parametrize("fault", APPLIED.values(), ids=[*APPLIED])
def test_2_a_change_or_a_logout_whose_reply_is_lost_is_done(
    site: Site, proxy: FaultProxy, fault: Fault
) -> None:
    """Case 2: an update recognizes its own row by the token; a delete finds no row."""
    user = site.begin_session(cart=1)
    proxy.next(fault, operation="PutItem")
    proxy.next(fault, operation="DeleteItem")
    behind = site.behind(proxy, read_timeout=1)

    behind.visit(user, put(cart=2))
    assert site.read_session(user) == {"cart": 2}

    behind.visit(user.also(), log_out)
    assert site.rows() == []
    assert proxy.pending == 0


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "applied"])
def test_4_a_user_waits_a_bounded_time_and_stays_logged_in_when_nobody_answers(
    site: Site, proxy: FaultProxy, applied: bool
) -> None:
    """Case 4, on reads and writes: max_attempts, then Unavailable, and the cookie is kept."""
    user = site.begin_session(user="ann")
    proxy.next(Hang(applied), times=None)

    behind = site.behind(proxy, read_timeout=1)

    check_unavailable(behind, user, contents)
    assert proxy.operations == ["GetItem"] * 2

    proxy.clear()
    proxy.next(Hang(applied), operation="PutItem", times=None)
    check_unavailable(behind, user, put(cart=1))
    assert proxy.operations == ["GetItem", "PutItem", "PutItem"]
    assert site.read_session(user) == {"user": "ann"} | ({"cart": 1} if applied else {})


#: What a retry cures, and what is an honest 500 if it never ends; on reads and on writes.
PASSING: dict[str, Fault] = {
    "5 the request is lost": LoseRequest(),
    "5 the reply is cut off by a reset": ResetMidReply(),
    "6 the reply is truncated, its checksum of the whole": Truncate(crc=True, honest=True),
    "6 the reply is truncated in mid-air": Truncate(crc=True, honest=False),
    "6 the reply is truncated, without a checksum": Truncate(crc=False, honest=True),
    "7 the reply has a flipped bit": FlipBit(crc=False),
    "8 a proxy answers with a page of HTML": HTML,
    "8 a proxy answers with nothing": EMPTY,
    "8 a proxy answers with braces": BRACES,
    "9 DynamoDB answers 500": aws_error("InternalServerError", status=500),
    "9 a gateway answers 502 without a body": Answer(b"", 502),
    "9 a gateway answers 503 with HTML": Answer(b"<html>busy</html>", 503),
    "9 a gateway answers 504 without a body": Answer(b"", 504),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=[*PASSING])
def test_5_to_9_a_user_notices_nothing_when_it_happens_once(
    site: Site, proxy: FaultProxy, fault: Fault
) -> None:
    """Once on a read and once on a write: it is retried, and the change is kept."""
    user = site.begin_session(cart=1)
    proxy.next(fault, operation="GetItem")
    proxy.next(fault, operation="PutItem")

    site.behind(proxy, max_attempts=3).visit(user, put(cart=2))

    assert site.read_session(user) == {"cart": 2}
    assert proxy.operations == ["GetItem", "GetItem", "PutItem", "PutItem"]


@pytest.mark.parametrize("fault", PASSING.values(), ids=[*PASSING])
def test_5_to_9_a_user_stays_logged_in_when_it_never_ends(
    site: Site, proxy: FaultProxy, fault: Fault, pauses: list[float]
) -> None:
    """Always: Unavailable at load, one of our errors at save, and never a new session."""
    user = site.begin_session(user="ann")
    proxy.next(fault, operation="GetItem", times=None)
    check_unavailable(site.behind(proxy), user, contents)
    check_unavailable(site.behind(proxy), user, put(cart=1))

    proxy.clear()
    proxy.next(fault, operation="PutItem", times=None)
    cookie = user.cookie
    with contextlib.suppress(DynamoDBBackendError):  # a reply to a retry may prove it stored
        site.behind(proxy).visit(user, put(cart=1))
    assert user.cookie == cookie
    assert site.read_session(user)["user"] == "ann"
    assert sum(pauses) < 10


def test_5_a_user_stays_logged_in_when_the_server_hangs_up_before_a_request(
    site: Site, proxy: FaultProxy
) -> None:
    """Case 5: the idle connection was closed; the retry opens another one."""
    behind, user = site.behind(proxy), site.begin_session(cart=1)
    behind.visit(user, contents)
    proxy.cut()
    check_unavailable(behind, user, contents)
    proxy.mend()

    behind.visit(user, put(cart=2))

    assert site.read_session(user) == {"cart": 2}


@pytest.mark.parametrize("burst", [1, 3])
def test_9_a_short_burst_of_errors_is_retried(
    site: Site, proxy: FaultProxy, pauses: list[float], burst: int, carried: str
) -> None:
    """Case 9: as often as the option allows. After an attempt of the wire boto3 does not sleep."""
    user = site.begin_session(cart=1)
    proxy.next(aws_error("InternalServerError", status=500), times=burst)

    site.behind(proxy, max_attempts=burst + 2).visit(user, contents)

    assert proxy.operations == ["GetItem"] * (burst + 1)
    assert len(pauses) == burst - (carried == "wire")


@pytest.mark.parametrize("item", [{}, {"Item": {"id": {"S": "sess:other"}}}], ids=["bare", "item"])
def test_a_refusal_of_a_request_without_a_condition_logs_nobody_out(
    site: Site, proxy: FaultProxy, item: dict[str, Any]
) -> None:
    """A load whose response is "the condition did not hold" is repeated once.

    Where that is answered so, too, it is an outage, and the cookie stays.
    """
    user = site.begin_session(user="ann")
    refusal = aws_error("ConditionalCheckFailedException", **item)

    proxy.next(refusal, operation="GetItem")
    assert site.behind(proxy).read_session(user) == {"user": "ann"}

    proxy.next(refusal, operation="GetItem", times=2)
    with pytest.raises(Unavailable):
        site.behind(proxy).visit(user, contents)
    assert site.read_session(user) == {"user": "ann"}
