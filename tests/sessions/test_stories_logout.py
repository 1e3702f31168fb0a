"""Logout and time-out during another request: no session comes back (docs/consistency.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.item.revision import get_birth
from tests.instruments import Clock
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import (
    contents,
    log_out,
    put,
    put_while,
    read_while,
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


def birth_of(site: Site, user: Browser) -> bytes:
    """Return the birth of the stored row."""
    return get_birth((site.row(user) or {})["rev"]["B"])


def test_a_logout_removes_the_row_at_once(site: Site) -> None:
    """delete() leaves nothing in the table, and the old cookie finds no session."""
    user = site.begin_session(user="ann")
    before = user.also()

    site.visit(user, log_out)

    assert site.rows() == []
    assert site.read_session(before) == {}


def test_a_session_deleted_while_a_slow_request_changes_it_does_not_come_back(
    site: Site, saves: list[Saved]
) -> None:
    """The slow request's page is served; its write is dropped, and reported as dropped."""
    user = site.begin_session(user="ann")

    site.visit(user, put_while(lambda: site.visit(user.also(), log_out), cart=1))

    assert site.rows() == []
    assert saves[-2:] == [Saved("delete", "stored"), Saved("replace", "dropped")]


def test_a_session_deleted_while_a_slow_page_reads_it_does_not_come_back(
    site: Site, saves: list[Saved], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Not by a touch that is due, either."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=7200)
    user = site.begin_session(user="ann")
    clock.advance(3000)

    site.visit(user, read_while(lambda: site.visit(user.also(), log_out)))

    assert site.rows() == []
    assert saves[-1] == Saved("touch", "dropped")


def test_a_deleted_session_stays_deleted_when_the_slow_request_saves_twice(site: Site) -> None:
    """An error middleware calls start_response again, and that save is dropped as well."""
    user = site.begin_session(user="ann")

    def twice(session: Any) -> Iterator[None]:
        contents(session)
        site.visit(user.also(), log_out)
        session["cart"] = 1
        session.save()
        yield
        session["error"] = "500"
        yield

    site.visit(user, twice)

    assert site.rows() == []


def test_a_slow_login_is_not_saved_to_a_new_session_of_the_same_id(site: Site) -> None:
    """The session was deleted and another one created: it has another birth."""
    visitor = site.begin_session(cart=1)
    first = birth_of(site, visitor)

    def meanwhile() -> None:
        stale = visitor.also()
        site.visit(visitor.also(), log_out)
        site.visit(stale, put(stranger=True))

    site.visit(visitor, put_while(meanwhile, user="ann"))

    assert site.read_session(visitor) == {"stranger": True}
    assert birth_of(site, visitor) != first


def test_a_slow_logout_does_not_delete_a_new_session_of_the_same_id(site: Site) -> None:
    """The session that it deletes is already deleted; the new one has another birth."""
    user = site.begin_session(user="ann")

    def logout_late(session: Any) -> None:
        contents(session)
        stale = user.also()
        site.visit(user.also(), log_out)
        site.visit(stale, put(fresh=True))
        session.delete()

    stale = user.also()
    site.visit(user, logout_late)

    assert site.read_session(stale) == {"fresh": True}


def test_a_logout_wins_over_a_change_that_came_in_between(site: Site, saves: list[Saved]) -> None:
    """Refused and live: deleted again on theirs' rev."""
    user = site.begin_session(user="ann")

    def logout_late(session: Any) -> None:
        contents(session)
        site.visit(user.also(), put(cart=1))
        session.delete()

    site.visit(user, logout_late)

    assert site.rows() == []
    assert saves[-1] == Saved("delete", "stored")


def test_data_saved_after_a_delete_in_one_request_is_a_new_birth(site: Site) -> None:
    """Nothing is known after the delete: the farewell is a Create, not a Replace."""
    user = site.begin_session(user="ann")
    stale, first = user.also(), birth_of(site, user)

    def farewell(session: Any) -> Iterator[None]:
        contents(session)
        session.delete()
        yield
        session["flash"] = "bye"
        session.save()
        yield

    site.visit(user, farewell)

    assert site.read_session(stale) == {"flash": "bye"}
    assert birth_of(site, stale) != first


def test_deleting_twice_in_one_request_is_no_error(site: Site, saves: list[Saved]) -> None:
    """The second delete finds nothing stored and asks nothing of the table."""
    user = site.begin_session(user="ann")

    def twice(session: Any) -> Iterator[None]:
        session.delete()
        yield
        session.delete()
        yield

    site.visit(user, twice)

    assert site.rows() == []
    assert saves[-2:] == [Saved("delete", "stored"), Saved("leave", "left")]


def test_a_visitor_who_logs_out_without_a_session_stores_nothing(site: Site) -> None:
    """Beaker's own backends make a row of that."""
    site.visit(Browser(), log_out)

    assert site.rows() == []
