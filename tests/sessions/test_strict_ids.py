"""StrictSession's ids and rows: when one is created, replaced, and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.runtime import Runtime
from tests.exchange import Exchange
from tests.instruments import Clock, Recorder
from tests.proxy import FaultProxy
from tests.sessions.requests import KEY, Browser, Site, strip_beaker_keys


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give an application with strict sessions."""
    return Site(dynamodb_local, table_name)


def log_in(site: Site) -> Browser:
    """Log Ann in, and return her browser."""
    browser = Browser(site)
    browser.write(user="ann")
    return browser


class TestTimeOut:
    @pytest.fixture
    def clock(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
        wound = SimpleNamespace(time=clock, strftime=time.strftime)
        monkeypatch.setattr("beaker.session.time", wound)
        monkeypatch.setattr("beaker_dynamodb.sessions.strict.time", wound)
        monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", Runtime(clock=clock))
        return clock

    def test_a_time_out_removes_the_row(
        self, clock: Clock, dynamodb_local: str, table_name: str
    ) -> None:
        """The next request has an empty session, and the old row is deleted."""
        site = Site(dynamodb_local, table_name, timeout=600)
        ann = log_in(site)
        old = ann.id
        clock.advance(601)

        assert ann.read() == {}
        assert old not in site.rows()

    @pytest.mark.parametrize("wrote", [False, True], ids=["touched", "changed"])
    def test_a_time_out_does_not_delete_a_row_that_was_just_saved(
        self, clock: Clock, dynamodb_local: str, table_name: str, wrote: bool
    ) -> None:
        """Another request writes between the load and the delete: the row is kept."""
        site = Site(dynamodb_local, table_name, timeout=600, touch_after=0)
        ann = log_in(site)
        slow = ann.begin()
        slow.session["cart"] = 1
        if wrote:
            slow.session.save()
        clock.advance(601)

        def first(exchange: Exchange) -> None:
            slow.end()
            exchange.answer(exchange.forward())

        with FaultProxy(dynamodb_local) as proxy:
            proxy.next(first, operation="DeleteItem")
            there = Site(proxy.url, table_name, timeout=600)
            late = Browser(there, ann.cookie).read()

        assert late == {}
        assert list(site.rows()) == [ann.id]


class TestFixation:
    def test_an_id_without_a_row_is_replaced(self, site: Site) -> None:
        """An attacker who plants a cookie does not know the id under which the victim logs in."""
        victim = Browser(site, f"{KEY}=planted")
        victim.write(user="victim")

        assert victim.id != "planted"
        assert "planted" not in site.rows()
        assert victim.id in site.rows()

    def test_a_fresh_id_is_sent_only_with_a_save(self, site: Site) -> None:
        """A poll with an old cookie gets none: it could overwrite that of a concurrent login."""
        ann = log_in(site)
        poll = Browser(site, ann.cookie)
        login, slow_poll = ann.begin(), poll.begin()
        assert slow_poll.session["user"] == "ann"
        login.session.regenerate_id()
        assert ann.end(login) is not None

        late = poll.begin()
        assert strip_beaker_keys(late.session) == {}
        assert late.end() is None
        assert slow_poll.end() is None
        assert ann.read() == {"user": "ann"}

    def test_ids_carry_128_bits(self, site: Site) -> None:
        """Each of 128 bits takes both values; in a uuid4 six of them never change."""
        ids = [int(site.request(None).session.id, 16) for _ in range(200)]

        ever = never = 0
        for one in ids:
            ever |= one
            never |= ~one
        assert ever == never & ever == 2**128 - 1


@pytest.mark.parametrize("auto", [False, True], ids=["plain", "auto"])
def test_an_anonymous_visitor_is_not_stored(
    dynamodb_local: str, table_name: str, auto: bool, calls: Recorder
) -> None:
    """Reading costs no row, no call and no cookie, also with auto=true."""
    visit = Browser(Site(dynamodb_local, table_name, auto=auto)).begin()
    visit.session.get("user")

    assert visit.end() is None
    assert calls.names == []


def nothing_before(_session: Any) -> None:
    """Begin a session that has no row yet."""


def invalidate(session: Any) -> None:
    """Begin a new session."""
    assert session.get("user") == "ann"
    session.invalidate()


def move(session: Any) -> None:
    """Give the session a fresh id."""
    assert session.get("user") == "ann"
    session.regenerate_id()


def delete(session: Any) -> None:
    """Log out."""
    session.delete()


def clear(session: Any) -> None:
    """Empty the session, and save that."""
    session.clear()
    session.save()


@pytest.mark.parametrize("before", [nothing_before, invalidate, move])
@pytest.mark.parametrize("leave", [delete, clear, invalidate])
def test_a_logout_after_a_page_loads_what_it_has_saved_leaves_no_row(
    site: Site, before: Callable[[Any], None], leave: Callable[[Any], None]
) -> None:
    """The session is not new any more, because its row is stored."""
    user = Browser(site)
    if before is not nothing_before:
        user.write(user="ann")
    visit = user.begin()
    before(visit.session)
    visit.session["user"] = "ann"
    visit.session._session().save()  # at once, not as the page ends
    saved = visit.session.id
    visit.session.load()
    assert visit.session.id == saved
    assert not visit.session.is_new
    assert strip_beaker_keys(visit.session) == {"user": "ann"}
    leave(visit.session)
    user.end(visit)

    assert site.rows() == {}
    assert user.read() == {}


@pytest.mark.parametrize("before", [nothing_before, invalidate, move])
def test_a_page_that_loads_what_it_has_saved_goes_on_with_it(
    site: Site, before: Callable[[Any], None]
) -> None:
    """One row, under the id that the browser is sent."""
    user = Browser(site)
    if before is not nothing_before:
        user.write(user="ann")
    visit = user.begin()
    before(visit.session)
    visit.session["user"] = "ann"
    visit.session._session().save()  # at once, not as the page ends
    visit.session.load()
    visit.session["cart"] = 1
    visit.session.save()
    user.end(visit)

    assert list(site.rows()) == [user.id]
    assert user.read() == {"user": "ann", "cart": 1}
