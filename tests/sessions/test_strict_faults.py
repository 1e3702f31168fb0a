"""StrictSession while DynamoDB fails: no user is logged out, and no old id stays valid."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb import Unavailable, UnknownFormat
from tests.faults.fault_kinds import HTML, LoseReply, aws_error
from tests.proxy import FaultProxy
from tests.sessions.requests import Browser, Site, Visit, puts_tombstone

THROTTLED = aws_error("ProvisionedThroughputExceededException")
FAILING = aws_error("InternalServerError", status=500)


@pytest.fixture
def site(proxy: FaultProxy, table_name: str) -> Site:
    """Return an application with one attempt, so that the SDK repairs no fault."""
    return Site(proxy.url, table_name, max_attempts=1)


@pytest.fixture
def ann(site: Site, proxy: FaultProxy) -> Browser:
    """Return the browser of a logged-in user."""
    browser = Browser(site)
    browser.write(user="ann")
    proxy.clear()
    return browser


def pages(session: Any) -> str:
    """Read the session, as any page does."""
    return str(session.get("user"))


def rotate(visit: Visit) -> None:
    """Regenerate the id, and answer."""
    visit.session.regenerate_id()
    visit.end()


class TestALoadThatFailed:
    def test_a_row_of_a_newer_release_survives_a_rolling_deploy(
        self, site: Site, ann: Browser
    ) -> None:
        """An old server cannot read it: an error, no new cookie, and the row stays as it was."""
        data = site.rows()[ann.id]["data"]["B"]
        site.spoil(ann.id, bytes([data[0] + 1]) + data[1:])
        before = site.rows()
        visit = ann.begin()

        with pytest.raises(UnknownFormat):
            pages(visit.session)
        assert visit.end("500 Internal Server Error") is None
        assert site.rows() == before

    @pytest.mark.parametrize("fault", [THROTTLED, FAILING, HTML], ids=["400", "500", "html"])
    def test_an_outage_logs_nobody_out(
        self, site: Site, ann: Browser, proxy: FaultProxy, fault: Any
    ) -> None:
        """Beaker invalidates after a failed load; that removes nothing and sends nothing."""
        proxy.next(fault, times=None)
        visit = ann.begin()

        with pytest.raises(Unavailable):
            pages(visit.session)
        proxy.clear()
        assert visit.sent == []
        assert ann.read() == {"user": "ann"}

    def test_a_failed_load_sends_no_delete(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """Only reads go out: Beaker's own invalidate() does not remove a row that it never saw."""
        proxy.next(THROTTLED, operation="GetItem")
        with pytest.raises(Unavailable):
            pages(ann.begin().session)

        assert set(proxy.operations) == {"GetItem"}
        assert ann.read() == {"user": "ann"}

    def test_a_corrupt_row_gives_way_to_a_new_session(self, site: Site, ann: Browser) -> None:
        """It never heals: the user can log in again, under a new id and with a new cookie."""
        before = ann.id
        site.spoil(before, site.rows()[before]["data"]["B"][:-3])
        ann.write(user="ann again")

        assert ann.id != before
        assert ann.read() == {"user": "ann again"}


class TestALoginHalfDone:
    """A rotation writes twice: the new row, and as the page ends the tombstone over the old one."""

    # With neither a save() nor an access time, Beaker asks for nothing at the second attempt.
    @pytest.mark.parametrize(("saves", "atime"), [(True, True), (True, False), (False, True)])
    def test_the_old_row_goes_at_the_second_attempt(
        self, proxy: FaultProxy, table_name: str, saves: bool, atime: bool
    ) -> None:
        """The second write fails; the error page's start_response makes up for it."""
        site = Site(proxy.url, table_name, max_attempts=1, save_accessed_time=atime)
        ann = Browser(site)
        ann.write(user="ann")
        visit = ann.begin()
        if saves:
            visit.session.save()
        proxy.next(THROTTLED, where=puts_tombstone)
        with pytest.raises(Unavailable):
            rotate(visit)
        old = Browser(site, ann.cookie)
        ann.end(visit)

        assert list(site.rows()) == [ann.id]
        assert old.read() == {}
        assert ann.read() == {"user": "ann"}

    def test_the_old_session_lives_while_the_new_one_is_not_stored(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """The first of the two writes fails: the browser still has a session that opens."""
        visit = ann.begin()
        assert pages(visit.session) == "ann"
        proxy.next(THROTTLED, operation="PutItem")
        with pytest.raises(Unavailable):
            visit.session.regenerate_id()

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann"}

    @pytest.mark.parametrize(
        ("fault", "then"),
        [
            (THROTTLED, "ends"),
            (THROTTLED, "saves"),
            (THROTTLED, "clears and saves"),
            (LoseReply(), "ends"),
            (LoseReply(), "saves"),
        ],
    )
    def test_no_cookie_goes_out_before_its_session_is_stored(
        self, proxy: FaultProxy, table_name: str, fault: Any, then: str
    ) -> None:
        """Without an access time no save follows: the old cookie is valid until the next one."""
        site = Site(proxy.url, table_name, max_attempts=1, save_accessed_time=False)
        ann = Browser(site)
        ann.write(user="ann")
        visit = ann.begin()
        assert pages(visit.session) == "ann"
        proxy.next(fault, operation="PutItem")
        with pytest.raises(Unavailable):
            visit.session.regenerate_id()
        if then == "clears and saves":
            visit.session.clear()
        if then != "ends":
            visit.session["role"] = "admin"
            visit.session.save()
        sent = ann.end(visit)

        assert (sent is None) is (then == "ends")
        expected = {"ends": "user", "saves": "user role", "clears and saves": "role"}[then]
        assert sorted(ann.read()) == sorted(expected.split())

    def test_regenerate_id_again_after_a_failure_leaves_one_row(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """The page tries again after the second write has failed; the first row goes as well."""
        visit = ann.begin()
        proxy.next(THROTTLED, where=puts_tombstone)
        with pytest.raises(Unavailable):
            rotate(visit)
        visit.session.regenerate_id()
        visit.session.save()
        ann.end(visit)

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann"}

    def test_a_logout_deletes_the_row_that_a_failed_rotation_left(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """A copy of the old cookie opens no session after it."""
        old, visit = Browser(site, ann.cookie), ann.begin()
        proxy.next(THROTTLED, where=puts_tombstone)
        with pytest.raises(Unavailable):
            rotate(visit)
        assert len(site.rows()) == 2

        visit.session.delete()
        ann.end(visit)

        assert site.rows() == {}
        assert old.read() == {}

    def test_a_tombstone_whose_reply_is_lost_is_no_logout(
        self, proxy: FaultProxy, table_name: str
    ) -> None:
        """The SDK sends it again and is refused by our own tombstone; that is no logout."""
        site = Site(proxy.url, table_name)
        ann = Browser(site)
        ann.write(user="ann")
        proxy.next(LoseReply(), where=puts_tombstone)
        with ann.visit() as session:
            session.regenerate_id()
            session.save()

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann"}

    def test_a_tombstone_lost_beyond_the_retries_is_no_logout(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """It was applied, though the SDK gave up: the second start_response finds our own work."""
        visit = ann.begin()
        proxy.next(LoseReply(), where=puts_tombstone)
        with pytest.raises(Unavailable):
            rotate(visit)
        ann.end(visit)

        assert list(site.rows()) == [ann.id]
        assert ann.read() == {"user": "ann"}


class TestALogoutThatFailed:
    def test_it_is_an_error_and_the_second_attempt_deletes_the_row(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """The page does not say "logged out" before that; the error page deletes the row."""
        visit = ann.begin()
        proxy.next(THROTTLED, operation="DeleteItem")
        with pytest.raises(Unavailable):
            visit.session.delete()
        assert list(site.rows()) == [ann.id]
        visit.session.delete()
        ann.end(visit)

        assert site.rows() == {}

    def test_a_logout_whose_reply_is_lost_is_a_logout(
        self, proxy: FaultProxy, table_name: str
    ) -> None:
        """The second sending finds nothing: done."""
        site = Site(proxy.url, table_name)
        ann = Browser(site)
        ann.write(user="ann")
        proxy.next(LoseReply(), operation="DeleteItem")
        with ann.visit() as session:
            session.delete()

        assert site.rows() == {}

    def test_a_first_save_that_was_lost_is_removed_although_the_page_ends_in_between(
        self, site: Site, ann: Browser, proxy: FaultProxy
    ) -> None:
        """Beaker saves nothing for a new session as the page ends; the row is still to go."""
        visit = site.request(None)
        visit.session["user"] = "ann"
        proxy.next(LoseReply(), operation="PutItem")
        with pytest.raises(Unavailable):
            visit.session._session().save()
        assert len(site.rows()) == 2
        visit.end()
        visit.session.delete()

        assert list(site.rows()) == [ann.id]
