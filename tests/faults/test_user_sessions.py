"""What happens to a user who ends the other sessions, or is remembered, when a call fails.

Each call of `end_others()` meets each kind of fault, and so does the save of `remember()`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

import pytest

from beaker_dynamodb.errors import DynamoDBBackendError
from tests.exchange import Exchange, Fault
from tests.faults.fault_kinds import (
    HTML,
    LoseReply,
    LoseRequest,
    ResetMidReply,
    Rewrite,
    aws_error,
)
from tests.proxy import FaultProxy
from tests.sessions.devices import TIMEOUT, Site, View, end_others, get_user

pytestmark = pytest.mark.usefixtures("pauses")

FAULTS: Final[dict[str, Fault]] = {
    "lost request": LoseRequest(),
    "lost reply": LoseReply(),
    "throttled": aws_error("ProvisionedThroughputExceededException"),
    "server error": aws_error("InternalServerError", status=500, applied=True),
    "reset": ResetMidReply(),
    "html": HTML,
}
#: The calls of `end_others()` after the load, with two other sessions.
STEPS: Final = ("Query", "BatchGetItem", "DeleteItem", "second DeleteItem", "PutItem")
#: A fault that lasts reaches the page; one that happens once is cured by another attempt, perhaps.
HOW_OFTEN: Final = {"once": 1, "lasting": None}
DAY: Final = 86400
MakeSite = Callable[..., Site]


def remember(session: Any) -> None:
    """Keep the user signed in, and leave it to Beaker to save that."""
    session.remember(days=30)


def get_lifetime(session: Any) -> Any:
    """Read the time-out that this session has."""
    return session.timeout


@pytest.fixture
def make_site(proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch) -> MakeSite:
    """Give a function that makes an application behind the proxy, with three devices."""

    def make(session_class: str, times: int | None) -> Site:
        more = {"max_attempts": "1" if times is None else "3"}
        site = Site.create(proxy.url, table_name, monkeypatch, session_class, **more)
        site.log_in("phone", "laptop", "tv")
        return site

    return make


def forward(exchange: Exchange) -> None:
    """Answer as the server does."""
    exchange.answer(exchange.forward())


def program(proxy: FaultProxy, fault: Fault, step: str, times: int | None) -> None:
    """Program a fault for the next call of a step, or for it and all that follow."""
    if step.startswith("second"):
        proxy.next(forward, operation="DeleteItem")
    proxy.next(fault, operation=step.rpartition(" ")[2], times=times)


def end_fault(proxy: FaultProxy) -> None:
    """End a fault, and check that a request has met it."""
    assert proxy.pending == 0
    assert any(exchange.fault not in {None, forward} for exchange in proxy.seen)
    proxy.clear()


def visit(site: Site, device: str, view: View) -> Any:
    """Return what the view returns, or the error of ours that its page raises."""
    try:
        return site.at(device, view)
    except DynamoDBBackendError as error:
        return error


def list_left(site: Site) -> set[str]:
    """Read from the table which devices still have a session."""
    return {row["device"]["S"] for row in site.rows()}


@pytest.mark.parametrize(("session_class", "times"), [("Session", None), ("StrictSession", 1)])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_a_second_call_ends_what_a_fault_has_left(
    fault: Fault,
    step: str,
    times: int | None,
    session_class: str,
    make_site: MakeSite,
    proxy: FaultProxy,
) -> None:
    """The page shows how many ended, or one of our errors; what has ended does not come back."""
    site = make_site(session_class, times)
    program(proxy, fault, step, times)

    first = visit(site, "phone", end_others)
    end_fault(proxy)
    left = list_left(site)
    if not isinstance(first, DynamoDBBackendError):
        assert first == 3 - len(left)
    signed_in = site.list_signed_in()
    second = site.at("phone", end_others)

    assert "phone" in left
    assert set(signed_in) == left
    assert second == len(left) - 1
    assert site.list_signed_in() == ["phone"]


@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_the_repetition_ends_what_a_fault_has_left(
    fault: Fault, step: str, make_site: MakeSite, proxy: FaultProxy
) -> None:
    """If the page catches the error, as the error page of a framework does."""
    site = make_site("Session", None)
    program(proxy, fault, step, None)

    def show_error(session: Any) -> None:
        with contextlib.suppress(DynamoDBBackendError):
            end_others(session)

    site.at("phone", show_error)
    end_fault(proxy)
    left = list_left(site)
    site.clock.advance(2)

    assert site.at("phone", get_user) == 42
    assert {"phone"} <= left
    assert site.list_signed_in() == ["phone"]
    assert not any("pending" in row for row in site.rows())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_a_fault_of_the_repetition_fails_no_page(
    fault: Fault, step: str, make_site: MakeSite, proxy: FaultProxy
) -> None:
    """The next request tries again."""
    site = make_site("StrictSession", None)
    proxy.next(Rewrite(lambda body: body | {"Items": [], "Count": 0}), operation="Query")
    assert site.at("phone", end_others) == 0
    proxy.clear()
    site.clock.advance(2)
    program(proxy, fault, step, None)

    during = site.at("phone", get_user)
    end_fault(proxy)
    after = site.at("phone", get_user)

    assert (during, after) == (42, 42)
    assert site.list_signed_in() == ["phone"]
    assert not any("pending" in row for row in site.rows())


@pytest.mark.parametrize("times", HOW_OFTEN.values(), ids=[*HOW_OFTEN])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_a_user_who_asks_again_is_remembered(
    fault: Fault, times: int | None, make_site: MakeSite, proxy: FaultProxy
) -> None:
    """The user stays signed in meanwhile, and has the lifetime if the page succeeded."""
    site = make_site("StrictSession", times)
    proxy.next(fault, operation="PutItem", times=times)

    first = visit(site, "phone", remember)
    end_fault(proxy)
    lifetime = site.at("phone", get_lifetime)
    assert site.list_signed_in() == ["phone", "laptop", "tv"]
    assert lifetime in {TIMEOUT, 30 * DAY}
    assert lifetime == 30 * DAY or isinstance(first, DynamoDBBackendError)

    site.at("phone", remember)
    site.clock.advance(29 * DAY)
    assert site.list_signed_in() == ["phone"]


@pytest.mark.parametrize("times", HOW_OFTEN.values(), ids=[*HOW_OFTEN])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_remembering_does_not_bring_an_ended_session_back(
    fault: Fault, times: int | None, make_site: MakeSite, proxy: FaultProxy
) -> None:
    """It is ended by another device between its load and its save, which meets the fault."""
    site = make_site("StrictSession", times)

    def remember_slowly(session: Any) -> None:
        remember(session)
        assert site.at("laptop", end_others) == 2
        proxy.next(fault, operation="PutItem", times=times)

    visit(site, "phone", remember_slowly)
    end_fault(proxy)

    assert list_left(site) == {"laptop"}
    assert site.list_signed_in() == ["laptop"]
