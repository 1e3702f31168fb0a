"""A session that does not open for a while, as during a deploy, is there again after it.

A class that raises TypeError or KeyError is "no such session" to Beaker (beaker/session.py:440):
it begins an empty one under the same id, and would save that over the row.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import View, contents, log_out, put, put_while, record_saves


class Basket:
    """A class of the application's, which a deploy may break."""

    broken: type[Exception] | None = None

    def __init__(self) -> None:
        self.items = 3

    def __setstate__(self, state: dict[str, object]) -> None:
        if Basket.broken is not None:
            raise Basket.broken
        self.__dict__.update(state)


#: What a class or module raises that a deploy has broken, renamed or taken away.
ERRORS = (TypeError, KeyError, AttributeError, ModuleNotFoundError, ValueError)


@contextmanager
def deploy(error: type[Exception]) -> Iterator[None]:
    """Have this process unable to open a basket."""
    Basket.broken = error
    try:
        yield
    finally:
        Basket.broken = None


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.create(dynamodb_local, table_name)


def save_unchanged(session: dict[str, object]) -> None:
    """Save the loaded session unchanged."""
    contents(session)
    session.save()  # type: ignore[attr-defined]


VISITS: dict[str, tuple[View, dict[str, object]]] = {
    "only read": (contents, {}),
    "saved unchanged": (save_unchanged, {}),
    "under auto": (contents, {"auto": True}),
    "with a path of its own": (save_unchanged, {"cookie_path": "/" + "shop" * 100}),
    "with a time-out": (save_unchanged, {"timeout": 3600}),
}


@pytest.mark.parametrize("error", [TypeError, KeyError])
@pytest.mark.parametrize(("visit", "options"), VISITS.values(), ids=VISITS)
@pytest.mark.parametrize("user", ["x", "x" * 2000], ids=["small", "large"])
def test_a_visit_during_a_deploy_leaves_the_session_as_it_is(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
    visit: View,
    options: dict[str, object],
    user: str,
) -> None:
    """The row is written only if the page stores data; one warning is logged."""
    site = site.with_(**options)
    browser = site.begin_session(user=user, basket=Basket())
    before, saves = site.row(browser), record_saves()

    with deploy(error):
        for _ in range(3):
            site.visit(browser.also(), visit)

    assert site.row(browser) == before
    assert site.read_session(browser)["user"] == user
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    dropped = [event for event in saves if event.outcome == "dropped"]
    assert len(dropped) == (0 if (visit, options) == VISITS["only read"] else 3)
    assert len(said) == bool(dropped)
    assert all("it is kept unchanged" in record.message for record in said)


@pytest.mark.parametrize("error", [TypeError, KeyError])
def test_a_user_who_logs_in_again_during_a_deploy_has_that_session(
    site: Site, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    """A session with data replaces the row under the same id, with a warning."""
    browser = site.begin_session(user="ann", basket=Basket())

    with deploy(error):
        site.visit(browser, put(user="ann", again=True))
        assert site.read_session(browser) == {"user": "ann", "again": True}

    assert site.read_session(browser) == {"user": "ann", "again": True}
    assert len(site.rows()) == 1
    assert [r.levelno for r in caplog.records if "replaces it" in r.message] == [logging.WARNING]


def test_a_class_that_fails_once_costs_nobody_a_session(site: Site) -> None:
    """The load fails, and the save could open it: the new session has another creation time."""
    browser = site.begin_session(user="ann", basket=Basket())

    def view(session: dict[str, object]) -> None:
        with deploy(TypeError):
            contents(session)
        session.save()  # type: ignore[attr-defined]

    site.visit(browser, view)

    assert site.read_session(browser)["user"] == "ann"


def test_a_change_by_a_server_that_can_open_it_survives(site: Site) -> None:
    """During a rolling deploy the other servers go on with the session."""
    browser = site.begin_session(user="ann", basket=Basket())

    def elsewhere() -> None:
        Basket.broken = None
        site.visit(browser.also(), put(cart=1))

    def view(session: dict[str, object]) -> None:
        with deploy(TypeError):
            contents(session)
            elsewhere()
        session.save()  # type: ignore[attr-defined]

    site.visit(browser, view)

    assert site.read_session(browser)["cart"] == 1


@pytest.mark.parametrize("error", [TypeError, KeyError])
def test_a_logout_during_a_deploy_is_one(site: Site, error: type[Exception]) -> None:
    """The session that does not open here is deleted, for every server."""
    browser = site.begin_session(user="ann", basket=Basket())

    with deploy(error):
        site.visit(browser.also(), log_out)

    assert site.read_session(browser) == {}


def test_a_session_whose_last_key_is_deleted_is_saved(site: Site) -> None:
    """Also if only Beaker's own keys are left, because it could be opened."""
    browser = site.begin_session(user="ann")

    def view(session: dict[str, object]) -> None:
        del session["user"]
        session.save()  # type: ignore[attr-defined]

    site.visit(browser, view)
    assert site.read_session(browser) == {}
    site.visit(browser, put(cart=1))
    assert site.read_session(browser) == {"cart": 1}


class Shelf:
    """A class of the application's, whose objects cannot be pickled again once they are opened."""

    def __init__(self) -> None:
        self.books = 3

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, lock=threading.Lock())


def clear_shelf(session: Any) -> None:
    """Remove the value that cannot be saved, and set something else."""
    del session["shelf"]
    session["seen"] = {9}
    session.save()


def test_an_object_that_does_not_pickle_again_fails_no_save(site: Site) -> None:
    """An opened object holds a lock; the page that takes it out of the session saves."""
    browser = site.begin_session(user="ann", shelf=Shelf(), bag={1})

    site.visit(browser, clear_shelf)

    assert site.read_session(browser) == {"user": "ann", "bag": {1}, "seen": {9}}


def test_what_cannot_be_merged_is_replaced_and_the_log_says_so(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Another request's session holds such an object: the later save wins, and none fails."""
    browser = site.begin_session(user="ann")
    other = put(shelf=Shelf(), cart=1)

    site.visit(browser, put_while(lambda: site.visit(browser.also(), other), seen=9))

    assert site.read_session(browser) == {"user": "ann", "seen": 9}
    assert "replaced, not merged" in caplog.text


class TestStrictSession:
    @pytest.fixture
    def strict(self, site: Site) -> Site:
        """Give the same site under StrictSession."""
        return site.with_(session_class=StrictSession)

    @pytest.mark.parametrize("error", ERRORS)
    @pytest.mark.parametrize(
        "visit", [contents, save_unchanged, put(user="ben")], ids=["read", "save", "log in"]
    )
    def test_a_fresh_id_is_taken_and_the_old_row_is_left(
        self, strict: Site, visit: View, error: type[Exception]
    ) -> None:
        """A user who logs in again has another session; the old one opens after the deploy."""
        browser = strict.begin_session(user="ann", basket=Basket())
        before, other = strict.row(browser), browser.also()

        with deploy(error):
            strict.visit(other, visit)

        assert strict.row(browser) == before
        assert strict.read_session(browser)["user"] == "ann"
        assert (other.id == browser.id) is (len(strict.rows()) == 1)

    @pytest.mark.parametrize("error", ERRORS)
    @pytest.mark.parametrize("how", ["delete", "invalidate"])
    def test_a_logout_removes_the_row_that_does_not_open(
        self, strict: Site, how: str, error: type[Exception]
    ) -> None:
        """The old cookie is logged out for every server; also if a page says it twice."""
        browser = strict.begin_session(user="ann", basket=Basket())

        def leave(session: object) -> None:
            getattr(session, how)()
            getattr(session, how)()

        with deploy(error):
            strict.visit(browser.also(), leave)

        assert strict.row(browser) is None
        assert strict.read_session(Browser(browser.cookie)) == {}

    @pytest.mark.parametrize("error", ERRORS)
    def test_no_cookie_is_sent_and_it_is_logged_once(
        self, strict: Site, caplog: pytest.LogCaptureFixture, error: type[Exception]
    ) -> None:
        """Whatever the class raises: a user who only reads is logged in again after the deploy."""
        browser = strict.begin_session(user="ann", basket=Basket())
        caplog.clear()

        with deploy(error):
            for _ in range(3):
                assert strict.visit(browser.also(), contents).cookies == ()

        said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        assert len(said) == 1
        assert "cannot be opened in this process" in said[0]
        assert browser.id not in said[0]

    def test_who_wants_an_exception_gets_the_exception(self, strict: Site) -> None:
        """Beaker's invalidate_corrupt = false."""
        browser = strict.begin_session(user="ann", basket=Basket())

        with deploy(AttributeError), pytest.raises(AttributeError):
            strict.with_(invalidate_corrupt=False).visit(browser.also(), contents)

        assert strict.read_session(browser)["user"] == "ann"
