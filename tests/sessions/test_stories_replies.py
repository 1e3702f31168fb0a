"""Lost replies and late writes: each write is recognized by its token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from beaker.session import Session

from beaker_dynamodb import StrictSession
from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.errors import Unavailable
from tests.exchange import Fault
from tests.faults.fault_kinds import Hang, Hold, LoseReply, LoseRequest, Rewrite, aws_error
from tests.instruments import Clock, nothing
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import (
    change_while,
    contents,
    log_out,
    put,
    put_while,
    record_saves,
    use_clock,
)


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def saves() -> list[Saved]:
    """Collect the meter's reports of saves."""
    return record_saves()


def test_a_lost_reply_with_another_writer_in_between_is_a_success(
    site: Site, proxy: FaultProxy, saves: list[Saved]
) -> None:
    """Our token is in the `prev` of their row: ours was applied, and is not written again."""
    user = site.begin_session(cart=1)

    def rival() -> None:
        site.visit(user.also(), put(coupon="spring"))

    proxy.next(LoseReply(then=rival), operation="PutItem")

    site.behind(proxy).visit(user, put(seen=9))

    assert proxy.operations == ["GetItem", "PutItem", "PutItem"]
    assert saves[-2:] == [Saved("replace", "stored"), Saved("replace", "stored")]
    assert site.read_session(user) == {"cart": 1, "seen": 9, "coupon": "spring"}


@pytest.mark.parametrize("writers", [4, 5])
def test_a_lost_reply_is_known_again_below_four_later_writes(
    site: Site, proxy: FaultProxy, writers: int
) -> None:
    """The row remembers four tokens; below more it is merged again, and still nothing is lost."""
    user = site.begin_session(theme="light")

    def rivals() -> None:
        for number in range(writers):
            site.visit(user.also(), put(**{f"key{number}": number}))

    proxy.next(LoseReply(then=rivals), operation="PutItem")
    patient = site.behind(proxy)

    patient.visit(user, put(theme="blue"))

    assert proxy.operations[2:] == ["PutItem"] * (1 if writers == 4 else 2)
    assert site.read_session(user) == {"theme": "blue"} | {f"key{n}": n for n in range(writers)}


def test_saving_again_after_a_lost_reply_keeps_the_change_that_came_on_top(
    site: Site, proxy: FaultProxy
) -> None:
    """The second start_response merges its change into the stored row, not into our own."""
    user = site.begin_session(cart=1)

    def rival() -> None:
        site.visit(user.also(), put(coupon="spring"))

    def twice(session: Any) -> Iterator[None]:
        session["seen"] = 9
        session.save()
        yield
        session["error"] = "500"
        yield

    proxy.next(LoseReply(then=rival), operation="PutItem")
    site.behind(proxy).visit(user, twice)

    assert site.read_session(user) == {"cart": 1, "seen": 9, "coupon": "spring", "error": "500"}


@pytest.mark.parametrize("policy", ["merge", "overwrite", "raise"])
def test_a_save_whose_replies_are_all_lost_is_no_conflict_with_itself(
    site: Site, proxy: FaultProxy, policy: str
) -> None:
    """The page fails; its error page saves again, and is refused only by its own row."""
    user = site.begin_session(cart=1)
    proxy.next(LoseReply(), operation="PutItem", times=2)
    failed: list[str] = []

    def twice(session: Any) -> Iterator[None]:
        session["seen"] = 9
        session.save()
        try:
            yield
        except Unavailable as error:
            failed.append(type(error).__name__)
        session["error"] = "500"
        yield

    site.behind(proxy, on_conflict=policy).visit(user, twice)

    assert failed == ["Unavailable"]
    assert site.read_session(user) == {"cart": 1, "seen": 9, "error": "500"}


def test_after_a_write_that_is_found_applied_a_save_of_nothing_new_writes_nothing(
    site: Site, proxy: FaultProxy
) -> None:
    """Once a later write is known to be applied, what was uncertain before it is settled."""
    user = site.begin_session(cart=1)
    proxy.next(LoseReply(), operation="PutItem", times=2)
    proxy.next(Rewrite(lambda body: body), operation="PutItem")  # it is refused
    proxy.next(LoseReply(), operation="PutItem")

    def three_times(session: Any) -> Iterator[None]:
        session["seen"] = 9
        session.save()
        try:
            yield
        except Unavailable:
            session["error"] = "500"
        session.save()
        yield
        session.save()
        yield

    site.behind(proxy).visit(user, three_times)

    assert proxy.operations == ["GetItem", *["PutItem"] * 5]


def delete(session: Any) -> None:
    """Log out."""
    session.delete()


def clear(session: Any) -> None:
    """Empty the session."""
    session.clear()


def clear_and_go_on(session: Any) -> None:
    """Clear the session, and set something else."""
    session.clear()
    session["theme"] = "blue"


def take_back(session: Any) -> None:
    """Undo the changes of the previous save, and nothing else."""
    del session["user"]


#: What the error page does with a session {"user": "ann"}, with "cart" if it was begun before; and
#: what is to be found then.
SECOND_THOUGHTS: dict[str, tuple[Any, dict[str, object], dict[str, object]]] = {
    "delete": (delete, {}, {}),
    "clear": (clear, {}, {}),
    "clear and go on": (clear_and_go_on, {"theme": "blue"}, {"theme": "blue"}),
    "take back": (take_back, {}, {"cart": 1}),
}


@pytest.mark.parametrize("thought", SECOND_THOUGHTS)
@pytest.mark.parametrize("fault", [LoseReply(), LoseRequest()], ids=["reply", "request"])
@pytest.mark.parametrize("begun", [False, True], ids=["first save", "later save"])
@pytest.mark.parametrize("beside", [False, True], ids=["", "another request beside"])
@pytest.mark.parametrize("session_class", [Session, StrictSession])
def test_an_error_page_can_undo_a_save_whose_reply_was_lost(
    site: Site,
    proxy: FaultProxy,
    *,
    thought: str,
    fault: Fault,
    begun: bool,
    beside: bool,
    session_class: type[Session],
) -> None:
    """Whether that save was applied or not, the last save of the page is stored."""
    site = site.with_(session_class=session_class)
    user = site.begin_session(cart=1) if begun else Browser()
    act, first, later = SECOND_THOUGHTS[thought]

    def twice(session: Any) -> Iterator[None]:
        session["user"] = "ann"
        session.save()
        proxy.next(fault, operation="PutItem")
        with pytest.raises(Unavailable):
            yield
        if beside and (begun or isinstance(fault, LoseReply)):
            site.visit(Browser(f"beaker.session.id={session.id}"), put(coupon="spring"))
        act(session)
        session.save()
        yield

    site.behind(proxy, max_attempts=1).visit(user, twice)

    expected = dict(later if begun else first)
    if beside and thought == "take back" and (begun or isinstance(fault, LoseReply)):
        expected["coupon"] = "spring"
    users = [
        Browser("beaker.session.id=" + row["id"]["S"].partition(":")[2]) for row in site.rows()
    ]
    found = [site.read_session(one) for one in users]
    assert [one for one in found if one] == ([expected] if expected else [])
    assert thought not in {"delete", "clear"} or found == []


def gone(proxy: FaultProxy, operation: str, gate: threading.Event) -> None:
    """Let the late request go on, and wait until the server has applied or refused it."""
    gate.set()
    late = next(one for one in proxy.seen if one.operation == operation)
    proxy.wait_until(lambda: late.forwarded)


@pytest.mark.parametrize("anew", [False, True], ids=["changed", "begun anew"])
def test_a_logout_that_lands_late_removes_no_newer_row(
    site: Site, proxy: FaultProxy, anew: bool
) -> None:
    """The delete was given up, the user went on, and then it arrived: on condition of its rev."""
    gate, user = threading.Event(), site.begin_session(cart=1)
    stale = user.also()
    proxy.next(Hold(gate), operation="DeleteItem")

    with pytest.raises(Unavailable):
        site.behind(proxy, max_attempts=1, read_timeout=1).visit(user.also(), log_out)
    if anew:
        site.visit(user.also(), log_out)
    site.visit(stale.also(), put(seen=9))
    gone(proxy, "DeleteItem", gate)

    assert site.read_session(stale) == ({"seen": 9} if anew else {"cart": 1, "seen": 9})


def test_a_change_that_lands_late_overwrites_no_newer_row(site: Site, proxy: FaultProxy) -> None:
    """The same for a Replace that its caller has given up."""
    gate, user = threading.Event(), site.begin_session(cart=1)
    proxy.next(Hold(gate), operation="PutItem")

    with pytest.raises(Unavailable):
        site.behind(proxy, max_attempts=1, read_timeout=1).visit(user.also(), put(cart=2))
    site.visit(user, put(cart=3))
    gone(proxy, "PutItem", gate)

    assert site.read_session(user) == {"cart": 3}


@pytest.mark.parametrize("gap", [False, True], ids=["stopped by a row", "the one gap"])
def test_a_login_that_lands_late_is_stopped_unless_its_session_was_deleted_again(
    site: Site, proxy: FaultProxy, gap: bool
) -> None:
    """The one gap (docs/consistency.md): after a logout it comes back, until it expires."""
    gate, user = threading.Event(), Browser(f"beaker.session.id={'d' * 32}")
    proxy.next(Hold(gate), operation="PutItem")

    with pytest.raises(Unavailable):
        site.behind(proxy, max_attempts=1, read_timeout=1, timeout=600).visit(
            user.also(), put(user="ghost")
        )
    site.visit(user.also(), put(user="ann"))
    if gap:
        site.visit(user.also(), log_out)
    gone(proxy, "PutItem", gate)

    assert site.read_session(user) == {"user": "ghost" if gap else "ann"}
    assert "expires" in (site.row(user) or {})


FAILED_TOUCHES: dict[str, Fault] = {
    "throttled": aws_error("ProvisionedThroughputExceededException"),
    "throttled by the account": aws_error("RequestLimitExceeded"),
    "DynamoDB is down": aws_error("InternalServerError", status=500),
    "the request is lost": LoseRequest(),
    "the reply is lost": LoseReply(),
    "nobody answers": Hang(applied=False),
    "the role may not write": aws_error("AccessDeniedException"),
    "the table is gone": aws_error("ResourceNotFoundException"),
    "refused for a reason unknown": aws_error("ValidationException"),
}


@pytest.mark.parametrize("fault", FAILED_TOUCHES.values(), ids=FAILED_TOUCHES.keys())
def test_a_page_that_only_read_is_served_although_its_touch_fails(
    site: Site,
    proxy: FaultProxy,
    saves: list[Saved],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    fault: Fault,
) -> None:
    """The touch is dropped and reported, and the session is unchanged."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")
    clock.advance(61)
    proxy.next(fault, operation="PutItem", times=None)

    seen = site.behind(proxy, max_attempts=1, read_timeout=1).visit(user, contents).said

    assert seen == {"user": "ann"}
    assert saves[-1] == Saved("touch", "dropped")
    assert site.read_session(user) == {"user": "ann"}


def test_a_touch_between_load_and_save_is_no_conflict(site: Site, proxy: FaultProxy) -> None:
    """A touch keeps the revision, so a concurrent change is stored at the first attempt."""
    user = site.begin_session(cart=1)
    row = site.row(user) or {}

    def touch_row() -> None:
        site.plant(user, expires={"N": str(int(row["expires"]["N"]) + 100)})

    site.behind(proxy).visit(user, put_while(touch_row, cart=2))

    assert proxy.operations == ["GetItem", "PutItem"]
    assert site.read_session(user) == {"cart": 2}


def test_a_lost_delete_reply_is_a_logout(site: Site, proxy: FaultProxy) -> None:
    """The retry finds no row, as after a delete."""
    user = site.begin_session(user="ann")
    proxy.next(LoseReply(), operation="DeleteItem")

    site.behind(proxy).visit(user, change_while(nothing, log_out))

    assert site.rows() == []


def test_a_clear_after_a_first_save_whose_reply_was_lost_is_a_clear(
    site: Site, proxy: FaultProxy
) -> None:
    """What the first save has stored does not come back in the second, of the same request."""
    user = Browser()
    proxy.next(LoseReply(), operation="PutItem")

    def clear_after_an_error(session: Any) -> Iterator[None]:
        session["user"] = "ann"
        session.save()
        with pytest.raises(Unavailable):
            yield
        session.clear()
        session["notice"] = "welcome"
        session.save()
        yield

    site.behind(proxy, max_attempts=1).visit(user, clear_after_an_error)

    assert site.read_session(user) == {"notice": "welcome"}


def test_what_follows_a_clear_whose_reply_was_lost_is_merged(site: Site, proxy: FaultProxy) -> None:
    """The clear was applied. The second save of the request is a change, and clears nothing."""
    user = site.begin_session(user="ann", cart=1)
    proxy.next(
        LoseReply(then=lambda: site.visit(user.also(), put(coupon="spring"))), operation="PutItem"
    )

    def go_on_after_an_error(session: Any) -> Iterator[None]:
        session.clear()
        session["user"] = "bob"
        session.save()
        with pytest.raises(Unavailable):
            yield
        session["seen"] = 9
        session.save()
        yield

    site.behind(proxy, max_attempts=1).visit(user, go_on_after_an_error)

    assert site.read_session(user) == {"user": "bob", "coupon": "spring", "seen": 9}


@pytest.mark.parametrize("fault", [LoseReply(), LoseRequest()], ids=["applied", "not applied"])
@pytest.mark.parametrize("session_class", [Session, StrictSession])
def test_a_login_after_a_logout_whose_reply_was_lost_is_stored(
    site: Site, proxy: FaultProxy, session_class: type[Session], fault: Fault
) -> None:
    """Whether the row was deleted or not, the user who has logged in in its place is found."""
    site = site.with_(session_class=session_class)
    user = site.begin_session(user="ann", cart=1)
    proxy.next(fault, operation="DeleteItem")
    failed: list[Unavailable] = []

    def log_in_after_an_error(session: Any) -> Iterator[None]:
        try:
            session.delete()  # StrictSession deletes at once, Beaker's own when the response starts
            session.save()
            yield
        except Unavailable as error:
            failed.append(error)
        session.clear()
        session["user"] = "bob"
        session.save()
        yield

    site.behind(proxy, max_attempts=1).visit(user, log_in_after_an_error)

    assert len(failed) == 1
    (row,) = site.rows()
    assert site.read_session(Browser(f"beaker.session.id={row['id']['S'].partition(':')[2]}")) == {
        "user": "bob"
    }
