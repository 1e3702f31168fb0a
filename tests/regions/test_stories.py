"""What happens to a user whose next request reaches the other Region before the write does.

docs/global-tables.md tells these stories, and what to do: keep each user in one Region.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beaker_dynamodb import UserSessions
from tests.regions.site import TIMEOUT, Browser, Site

LAG = 1.0


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Install a site under StrictSession, or under Beaker's Session if the parameter says so."""
    with Site(LAG, is_strict=getattr(request, "param", True)).install() as installed:
        yield installed


@pytest.fixture
def ann(site: Site) -> Browser:
    """Log Ann in, and let both Regions know."""
    browser = Browser(site)
    browser.log_in("eu")
    site.settle()
    return browser


BOTH = pytest.mark.parametrize("site", [True, False], indirect=True, ids=["strict", "plain"])


@BOTH
def test_nothing_is_lost_once_a_write_has_arrived(site: Site, ann: Browser) -> None:
    """Requests that move more slowly than the writes see everything, and can change everything."""
    ann.write("eu", cart=1)
    site.settle()
    assert ann.read("us") == {"user": "ann", "cart": 1}

    ann.write("us", theme="dark")
    site.settle()

    assert ann.read("eu") == ann.read("us") == {"user": "ann", "cart": 1, "theme": "dark"}


@BOTH
def test_a_login_is_not_seen_at_once(site: Site) -> None:
    """The page after it is a stranger's; if that page saves nothing, the login is there later."""
    browser = Browser(site)
    browser.log_in("eu")

    assert browser.read("us") == {}
    site.settle()
    assert browser.read("us") == {"user": "ann"}


@BOTH
def test_a_login_is_lost_if_the_next_page_saves(site: Site) -> None:
    """StrictSession sends another id; under Beaker's Session the new row replaces the login's."""
    browser = Browser(site)
    browser.log_in("eu")
    browser.write("us", flash="please log in")
    site.settle()

    assert browser.read("eu") == browser.read("us") == {"flash": "please log in"}


@BOTH
def test_of_two_changes_the_first_is_lost(site: Site, ann: Browser) -> None:
    """The later row replaces the other as a whole: nothing is merged, and no request fails."""
    ann.write("eu", cart=1)
    ann.write("us", theme="dark")
    site.settle()

    assert ann.read("eu") == ann.read("us") == {"user": "ann", "theme": "dark"}


@BOTH
def test_a_page_that_only_reads_can_undo_a_change(site: Site, ann: Browser) -> None:
    """It does if its access time is due to be saved: a touch writes the whole row that it read."""
    site.wait(TIMEOUT / 2)
    ann.write("eu", cart=1)
    ann.read("us")
    site.settle()

    assert ann.read("eu") == ann.read("us") == {"user": "ann"}


@BOTH
def test_a_logout_takes_effect_later_in_the_other_region(site: Site, ann: Browser) -> None:
    """Until its deletion has arrived, the old cookie is signed in there."""
    old = Browser(site, ann.cookie)
    ann.log_out("eu")

    assert old.read("us").get("user") == "ann"
    site.settle()
    assert "user" not in old.read("us")


@BOTH
def test_a_logout_is_undone_by_a_later_change(site: Site, ann: Browser) -> None:
    """The row that is written there afterwards replaces the deletion: the session is back."""
    old = Browser(site, ann.cookie)
    ann.log_out("eu")
    old.write("us", cart=1)
    site.settle()

    assert old.read("eu") == old.read("us") == {"user": "ann", "cart": 1}


def test_a_new_id_is_not_known_at_once_and_the_old_one_still_is(site: Site, ann: Browser) -> None:
    """After a login the cookie from before it stays signed in there until the write arrives."""
    old = Browser(site, ann.cookie)
    ann.log_in("eu", "ann as administrator")

    assert ann.read("us") == {}
    assert old.read("us") == {"user": "ann"}
    site.settle()
    assert ann.read("us") == {"user": "ann as administrator"}
    assert old.read("us") == {}


def test_a_login_elsewhere_is_not_found_by_end_others(site: Site, ann: Browser) -> None:
    """Its row is not in this Region's index yet. It is ended by the repetition, two seconds later.

    The repetition ends it only because the lag was shorter than that.
    """
    phone = Browser(site)
    phone.log_in("us")
    with ann.visit("eu") as session:
        UserSessions(session, "user").end_others()
    site.settle()
    assert phone.read("us") == {"user": "ann"}

    site.wait(2)
    ann.read("eu")
    site.settle()

    assert phone.read("us") == phone.read("eu") == {}


def test_writes_that_had_not_left_a_lost_region_are_lost(site: Site, ann: Browser) -> None:
    """The others are all in the other Region."""
    ann.write("eu", cart=1)
    site.settle()
    ann.write("eu", theme="dark")
    site.table.lose("eu")

    assert ann.read("us") == {"user": "ann", "cart": 1}
