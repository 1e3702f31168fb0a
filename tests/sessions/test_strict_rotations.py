"""A login that moves to a fresh id, call by call: whatever fails, the browser is logged in.

The last thing a rotation does is to put a tombstone over the old row, so until then the old cookie
opens it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from beaker.session import Session

from beaker_dynamodb import StrictSession, Unavailable
from tests.exchange import Fault
from tests.faults.fault_kinds import Answer, LoseReply, LoseRequest
from tests.proxy import FaultProxy
from tests.sessions.requests import Browser, Site, Visit, puts_tombstone


@pytest.fixture
def site(proxy: FaultProxy, table_name: str) -> Site:
    """Give an application of one attempt, so that each fault is one."""
    return Site(proxy.url, table_name, max_attempts=1)


@pytest.fixture
def ann(site: Site, proxy: FaultProxy) -> Browser:
    """Return the browser of a logged-in user."""
    browser = Browser(site)
    browser.write(user="ann", cart=1)
    proxy.clear()
    return browser


def login(session: Any) -> None:
    """Log in under a new id, as a careful application does."""
    assert session["user"] == "ann"
    session.regenerate_id()
    session["role"] = "admin"
    session.save()


LOGIN = ("GetItem", "PutItem", "PutItem", "PutItem")


@pytest.mark.parametrize("fault", [LoseRequest(), LoseReply()], ids=["request", "reply"])
@pytest.mark.parametrize(
    "failing", range(len(LOGIN)), ids=[f"{n}-{c}" for n, c in enumerate(LOGIN)]
)
@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
def test_a_call_that_fails_in_a_login_logs_nobody_out(
    site: Site, ann: Browser, proxy: FaultProxy, failing: int, fault: Fault
) -> None:
    """The page fails without a cookie, and the old cookie is still logged in."""
    old, visit = ann.cookie, ann.begin()
    proxy.next(fault, where=the(failing))

    with pytest.raises(Unavailable):
        whole(visit, login)

    assert [*proxy.operations] == [*LOGIN[: failing + 1]]
    if (failing, fault) == (len(LOGIN) - 1, LoseReply()):
        # The one gap: the old row is gone. The error page's start_response sends the new id.
        ann.end(visit)
        assert Browser(site, old).read() == {}
    assert ann.read().items() >= {"user": "ann", "cart": 1}.items()


def the(number: int) -> Callable[[object], bool]:
    """Make the condition that it is the request of that number, counted from 0."""
    counted = itertools.count()
    return lambda _: next(counted) == number


def whole(visit: Visit, view: Callable[[Any], None]) -> None:
    """Run a page from its first look to its answer."""
    view(visit.session)
    visit.end()


def test_a_gateways_page_in_place_of_the_tombstones_reply_is_no_logout(
    site: Site, ann: Browser, proxy: FaultProxy
) -> None:
    """The put was applied; it is sent again, and is refused by its own tombstone."""
    proxy.next(Answer(b"<html>403</html>", 403, applied=True), where=puts_tombstone)
    with ann.visit() as session:
        login(session)

    assert proxy.operations == [*LOGIN, "PutItem"]
    assert ann.read() == {"user": "ann", "cart": 1, "role": "admin"}


def test_a_page_that_fails_after_a_login_leaves_the_old_cookie_valid(
    site: Site, ann: Browser
) -> None:
    """The response with the new cookie was never sent."""
    visit = ann.begin()
    login(visit.session)

    assert ann.read() == {"user": "ann", "cart": 1}


def test_the_old_row_goes_at_once_where_beaker_saves_no_more(
    proxy: FaultProxy, table_name: str
) -> None:
    """Under save_accessed_time = false nothing is sure to be saved when the page ends."""
    site = Site(proxy.url, table_name, save_accessed_time=False)
    ann = Browser(site)
    ann.write(user="ann")
    visit = ann.begin()
    visit.session.regenerate_id()

    assert ann.id not in site.rows()
    ann.end(visit)
    assert ann.read() == {"user": "ann"}


def test_of_two_logins_at_once_both_are_logged_in(site: Site, ann: Browser) -> None:
    """A double click: the second request finds the old row replaced, and keeps what it set."""
    first, second = Browser(site, ann.cookie), Browser(site, ann.cookie)
    visits = [(browser, browser.begin()) for browser in (first, second)]
    for _, visit in visits:
        login(visit.session)
    for browser, visit in visits:
        browser.end(visit)

    assert first.read() == {"user": "ann", "cart": 1, "role": "admin"}
    assert second.read() == {"role": "admin"}
    assert sorted(site.rows()) == sorted([first.id, second.id])


@pytest.mark.parametrize("atime", [True, False])
def test_a_change_beside_a_request_that_rotates_twice_is_kept(
    proxy: FaultProxy, table_name: str, atime: bool
) -> None:
    """A change that was merged into the second row is in the third as well."""
    site = Site(proxy.url, table_name, save_accessed_time=atime)
    ann = Browser(site)
    ann.write(user="ann")
    visit = ann.begin()
    assert visit.session["user"] == "ann"
    Browser(site, ann.cookie).write(coupon="spring")
    visit.session.regenerate_id()
    visit.session.regenerate_id()
    visit.session.save()
    ann.end(visit)

    assert ann.read() == {"user": "ann", "coupon": "spring"}
    assert list(site.rows()) == [ann.id]


def test_what_an_earlier_save_merged_in_moves_to_the_fresh_id(site: Site, ann: Browser) -> None:
    """Answered, merged, and then the error page rotates: both changes are under the new id."""
    visit = ann.begin()
    visit.session["role"] = "admin"
    visit.session.save()
    Browser(site, ann.cookie).write(coupon="spring")
    visit.end()
    visit.session.regenerate_id()
    visit.session.save()
    ann.end(visit)

    assert ann.read() == {"user": "ann", "cart": 1, "role": "admin", "coupon": "spring"}
    assert list(site.rows()) == [ann.id]


@pytest.mark.parametrize("atime", [True, False], ids=["", "without an access time"])
@pytest.mark.parametrize("saves", [True, False], ids=["saves", "saves nothing"])
@pytest.mark.parametrize("fault", [LoseRequest(), LoseReply()], ids=["request", "reply"])
@pytest.mark.parametrize("failing", range(7))
def test_a_rotation_beside_a_logout_brings_nothing_back_whatever_call_fails(
    proxy: FaultProxy, table_name: str, failing: int, fault: Fault, saves: bool, atime: bool
) -> None:
    """The error page tries again, and has at most the values that the page itself has set."""
    site = Site(proxy.url, table_name, max_attempts=1, save_accessed_time=atime)
    ann = Browser(site)
    ann.write(user="ann", cart=1)
    visit, tab = ann.begin(), Browser(site, ann.cookie)
    assert visit.session["user"] == "ann"
    with tab.visit() as session:
        session.delete()

    proxy.clear()
    proxy.next(fault, where=the(failing))
    try:
        visit.session["cart"] = 2
        if saves:
            visit.session.save()
        visit.session.regenerate_id()
    except Unavailable:
        pass
    for _ in range(2):  # the page, and the error page
        with contextlib.suppress(Unavailable):
            ann.end(visit)
    proxy.clear()

    assert ann.read().items() <= {"cart": 2}.items()


@pytest.mark.parametrize("order", ["clear", "regenerate_id"], ids=["cleared", "moved"])
@pytest.mark.parametrize("merged", [False, True], ids=["beside", "merged in before"])
def test_a_session_that_a_login_clears_stays_empty(
    site: Site, ann: Browser, order: str, merged: bool
) -> None:
    """A concurrent change belongs to the session before clear()."""
    visit = ann.begin()
    visit.session["role"] = "admin"
    Browser(site, ann.cookie).write(secret="ann's")
    if merged:
        visit.session.persist()
    for step in sorted(("clear", "regenerate_id"), key=lambda one: one != order):
        getattr(visit.session, step)()
        visit.session["user"] = "ben"
    visit.session.save()
    ann.end(visit)

    assert ann.read() == {"user": "ben"}
    assert list(site.rows()) == [ann.id]


@pytest.mark.parametrize("session_class", [Session, StrictSession])
def test_a_failed_logout_is_never_reported_as_done(
    proxy: FaultProxy, table_name: str, session_class: type[Session]
) -> None:
    """If the response is sent, the old cookie opens no session."""
    site = Site(proxy.url, table_name, max_attempts=1, session_class=session_class)
    for failing in range(3):
        ann = Browser(site)
        ann.write(user="ann")
        proxy.next(LoseRequest(), where=the(failing))
        visit = ann.begin()
        try:
            whole(visit, lambda session: session.get("user") and session.delete())
        except Unavailable:
            told = False
        else:
            told = True
        proxy.clear()

        assert told is (failing == 2)
        assert ann.read() == ({} if told else {"user": "ann"})
