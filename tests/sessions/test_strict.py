"""StrictSession with our backend: a logout leaves no row, and an old id opens no session."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.sessions.strict import SessionEnvelope
from tests.sessions.requests import Browser, Site, strip_beaker_keys


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give an application with strict sessions."""
    return Site(dynamodb_local, table_name)


@pytest.fixture
def ann(site: Site) -> Browser:
    """Return the browser of a logged-in user."""
    return log_in(site)


def log_in(site: Site) -> Browser:
    """Log Ann in, and return her browser."""
    browser = Browser(site)
    browser.write(user="ann")
    return browser


class TestLogout:
    def test_delete_removes_the_row_at_once(self, site: Site, ann: Browser) -> None:
        """The row is deleted before the page ends, not when it is saved."""
        visit = ann.begin()
        visit.session.delete()

        assert site.rows() == {}
        ann.end(visit)
        assert site.rows() == {}

    @pytest.mark.parametrize("wrote", [False, True], ids=["reader", "writer"])
    def test_a_slower_request_does_not_undo_a_logout(
        self, site: Site, ann: Browser, wrote: bool
    ) -> None:
        """A request that runs while the session is deleted saves nothing."""
        slow = ann.begin()
        slow.session["cart"] = 1
        if wrote:
            slow.session.save()
        old = Browser(site, ann.cookie)
        with ann.visit() as session:
            session.delete()
        old.end(slow)

        assert site.rows() == {}
        assert old.read() == {}

    def test_delete_of_an_anonymous_visitor_stores_nothing(self, site: Site) -> None:
        """Nothing was there, and nothing is left."""
        with Browser(site).visit() as session:
            session.delete()

        assert site.rows() == {}

    def test_delete_twice_and_a_save_are_one_logout(self, site: Site, ann: Browser) -> None:
        """The session stays deleted."""
        with ann.visit() as session:
            session.delete()
            session.delete()
            session.save()

        assert site.rows() == {}

    def test_what_is_saved_after_a_delete_begins_anew(self, site: Site, ann: Browser) -> None:
        """A farewell, or another login, is under a fresh id: the old cookie opens nothing of it."""
        old = ann.cookie
        with ann.visit() as session:
            session.delete()
            session["notice"] = "see you"
            session.save()

        assert ann.cookie != old
        assert ann.read() == {"notice": "see you"}
        assert Browser(site, old).read() == {}
        assert list(site.rows()) == [ann.id]


def invalidate(session: Any) -> None:
    """Begin a new session."""
    session.invalidate()


def regenerate(session: Any) -> None:
    """Rotate the id; the end of the request deletes the old row."""
    session.regenerate_id()


def regenerate_and_save(session: Any) -> None:
    """Rotate the id, and save."""
    session.regenerate_id()
    session.save()


class TestTheOldCookie:
    @pytest.mark.parametrize("leave", [invalidate, regenerate, regenerate_and_save])
    def test_the_old_cookie_opens_no_session(
        self, site: Site, ann: Browser, leave: Callable[[Any], None]
    ) -> None:
        """A copy of the old cookie finds no session, and its row is deleted."""
        old = Browser(site, ann.cookie)
        before = ann.id
        with ann.visit() as session:
            leave(session)

        assert before not in site.rows()
        assert old.read() == {}

    def test_invalidate_gives_an_empty_session_under_a_fresh_id(
        self, site: Site, ann: Browser
    ) -> None:
        """The page continues with a new session, which holds only what it saves then."""
        before = ann.id
        with ann.visit() as session:
            session.invalidate()
            assert strip_beaker_keys(session) == {}
            session["step"] = 2
            session.save()

        assert ann.id != before
        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"step": 2}

    @pytest.mark.parametrize("how", [regenerate, regenerate_and_save])
    @pytest.mark.parametrize("atime", [True, False], ids=["atime", "no-atime"])
    def test_regenerate_id_keeps_the_data(
        self,
        dynamodb_local: str,
        table_name: str,
        how: Callable[[Any], None],
        atime: bool,
    ) -> None:
        """Saved or not, and with save_accessed_time=false too, the data is under the new id."""
        ann = log_in(Site(dynamodb_local, table_name, save_accessed_time=atime))
        before = ann.id
        with ann.visit() as session:
            how(session)

        assert ann.id != before
        assert ann.read() == {"user": "ann"}

    @pytest.mark.parametrize("atime", [True, False], ids=["atime", "no-atime"])
    def test_what_regenerate_id_saved_stays_saved(
        self, dynamodb_local: str, table_name: str, atime: bool
    ) -> None:
        """regenerate_id() saves: the end of the request does not take that back."""
        ann = log_in(Site(dynamodb_local, table_name, save_accessed_time=atime))
        with ann.visit() as session:
            session["role"] = "admin"
            session.regenerate_id()

        assert ann.read() == {"user": "ann", "role": "admin"}

    def test_regenerate_id_twice_in_one_request(self, site: Site, ann: Browser) -> None:
        """Only the last id is left, and the data under it."""
        with ann.visit() as session:
            session.regenerate_id()
            session["role"] = "admin"
            session.regenerate_id()
            session.save()

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann", "role": "admin"}

    def test_login_from_nothing_regenerates_without_a_row_before(self, site: Site) -> None:
        """An anonymous user who logs in has one row, under the id that was sent."""
        browser = Browser(site)
        with browser.visit() as session:
            session["user"] = "bob"
            session.regenerate_id()
            session.save()

        assert list(site.rows()) == [browser.id]

    def test_a_concurrent_change_is_kept_by_regenerate_id(self, site: Site, ann: Browser) -> None:
        """A change that another request saves under the old id is found under the new one."""
        login, beside = ann.begin(), ann.begin()
        assert login.session["user"] == "ann"
        beside.session["cart"] = 1
        beside.session.save()
        beside.end()
        login.session["role"] = "admin"
        login.session.regenerate_id()
        login.session.save()
        ann.end(login)

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann", "cart": 1, "role": "admin"}

    def test_a_logout_beside_regenerate_id_wins(self, site: Site, ann: Browser) -> None:
        """Logged out meanwhile: nothing lives on under the new id."""
        login, logout = ann.begin(), ann.begin()
        assert login.session["user"] == "ann"
        logout.session.delete()
        logout.end()
        login.session.regenerate_id()
        login.session.save()
        ann.end(login)

        assert site.rows() == {}
        assert ann.read() == {}


class TestWithoutCookies:
    """`use_cookies = false`: the application itself hands the id over, in a header say."""

    @pytest.fixture
    def session(self, site: Site) -> StrictSession:
        """Give a session that was stored."""
        made = StrictSession({}, use_cookies=False, **self.options(site))
        made["user"] = "ann"
        made.save()
        return made

    def options(self, site: Site) -> dict[str, Any]:
        """Write the options of a session that Beaker's middleware does not make."""
        return {"type": "ext:dynamodb", "endpoint_url": site.server.url, "table": site.table}

    @pytest.mark.parametrize("leave", [invalidate, regenerate_and_save])
    def test_the_old_id_is_worth_nothing(
        self, site: Site, session: StrictSession, leave: Callable[[Any], None]
    ) -> None:
        """As with cookies; nothing is sent, for there is nowhere to send it."""
        before = session.id
        leave(session)

        assert session.id != before
        assert before not in site.rows()
        again = StrictSession({}, id=before, use_cookies=False, **self.options(site))
        assert again.get("user") is None

    def test_a_session_that_is_emptied_is_deleted(self, site: Site, session: StrictSession) -> None:
        """Saving a session without keys is a logout."""
        session.clear()
        session.save()

        assert site.rows() == {}


def test_an_invalidated_session_is_a_new_one_in_all_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The browser gets the new id at once, saved or not, and the next user may be remembered."""
    request: dict[str, Any] = {"cookie": ""}
    session = StrictSession(request, type="memory")
    session["user"] = "ann"
    session.save()
    request["set_cookie"] = False
    old = session.id
    monkeypatch.setattr("beaker_dynamodb.sessions.strict.time", SimpleNamespace(time=lambda: 5.0))

    session.invalidate()

    assert session.is_new is session.was_invalidated is request["set_cookie"] is True
    assert session.id != old
    assert session.id in request["cookie_out"]
    assert strip_beaker_keys(session) == {}
    assert session["_creation_time"] == session["_accessed_time"] == 5.0
    session.remember()
    assert session.accessed_dict["_lifetime"] == session["_lifetime"] > 0


def test_a_text_that_holds_no_dict_does_not_open() -> None:
    """Nothing could be merged into it; a serializer of the application's may return anything."""
    keys = {"encrypt_key": "k" * 32, "validate_key": "v" * 32}
    session = StrictSession({}, type="memory", **keys)
    envelope = SessionEnvelope(session)

    assert envelope.open(envelope.close({"a": 1})) == {"a": 1}
    assert envelope.open(session._encrypt_data(["a"])) is None
