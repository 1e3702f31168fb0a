"""The buttons of the demo, pressed in a real browser: outages, an overlap, and two devices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.checks import find_overflow, find_serious_violations, find_small_targets
from tests.browser.conftest import RunningSite
from tests.browser.visitor import TIMEOUT_MS, Visitor, expect_user, log_in


@pytest.mark.parametrize(
    ("button", "does"),
    [
        ("Refuse", "closes every connection"),
        ("Hang", "does not answer"),
        ("Throttle", "there are too many requests"),
    ],
)
def test_a_visitor_breaks_the_store_and_stays_logged_in(
    breakable: str, visitor: Visitor, button: str, does: str
) -> None:
    """The page counts down and says what happens; after that the same login is still there."""
    page = visitor.tab(f"{breakable}/bottle/")
    log_in(page, "Ada")
    cookie = visitor.cookie()
    page.get_by_role("button", name=button, exact=True).click()

    expect(page.locator("h1:visible")).to_have_text(
        "The store is broken, and nobody is logged out", timeout=TIMEOUT_MS
    )
    expect(page.locator("#during")).to_contain_text(does)
    visitor.expect_status(503)
    left = int(page.get_by_role("timer").inner_text())
    expect(page.get_by_role("timer")).to_have_text(str(left - 1))
    expect(page.locator("h1:visible")).to_have_text("The store responds again", timeout=TIMEOUT_MS)
    assert visitor.cookie() == cookie
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("status")).to_contain_text("you are still logged in as Ada")
    expect_user(page, "Ada")
    page.get_by_role("link", name="Pyramid").click()
    expect_user(page, "Ada")


def test_a_visitor_who_is_impatient_sees_the_outage_again(breakable: str, visitor: Visitor) -> None:
    """During the outage the other framework's page and "Try again" are error pages, too."""
    page = visitor.tab(f"{breakable}/bottle/")
    page.get_by_role("button", name="Refuse", exact=True).click()
    expect(page.get_by_role("timer")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("timer")).to_be_visible()
    page.goto(f"{breakable}/pyramid/")
    expect(page.get_by_role("timer")).to_be_visible()
    visitor.expect_status(503)
    expect(page.locator("#after")).to_be_visible(timeout=TIMEOUT_MS)
    page.get_by_role("link", name="Try again").click()
    expect_user(page, None)


def test_the_page_of_a_broken_store_is_accessible(
    breakable: str, new_visitor: Callable[..., Visitor]
) -> None:
    """It fits a telephone and has no serious violation, during the outage and afterwards."""
    visitor = new_visitor(width=360, height=740, mobile=True)
    page = visitor.tab(f"{breakable}/bottle/")
    page.get_by_role("button", name="Refuse", exact=True).click()
    expect(page.get_by_role("timer")).to_be_visible()
    visitor.expect_status(503)
    for part in ("#during", "#after"):
        expect(page.locator(part)).to_be_visible(timeout=TIMEOUT_MS)
        assert find_overflow(page) == []
        assert find_small_targets(page) == []
        assert find_serious_violations(page) == []


def test_a_visitor_lets_two_requests_overlap(demo: RunningSite, visitor: Visitor) -> None:
    """The page shows the fruit of the fast request and the visit of the slow one, and the calls."""
    page = visitor.tab(f"{demo.url}/pyramid/")
    page.get_by_role("button", name="Send both requests").click()

    expect(page.get_by_role("status")).to_contain_text("Nothing was lost")
    expect(page.locator(".things")).to_contain_text("apples")
    expect(page.locator(".facts dd").first).to_have_text("2")
    page.locator("summary").click()
    expect(page.get_by_text("The calls of the slow request")).to_be_visible()
    expect(page.locator("details")).to_contain_text("both changes were kept")


def test_a_visitor_ends_the_login_of_another_browser(
    demo: RunningSite, new_visitor: Callable[..., Visitor]
) -> None:
    """Two browsers of one user list each other; what one ends is logged out at its next page."""
    desk, phone = new_visitor(user_agent="Firefox Linux"), new_visitor(user_agent="Safari iPhone")
    here, there = desk.tab(f"{demo.url}/bottle/"), phone.tab(f"{demo.url}/pyramid/")
    log_in(here, "Grace")
    log_in(there, "Grace")
    here.reload()
    listed = here.locator(".devices li")
    expect(listed).to_have_count(2)
    expect(listed.filter(has_text="Firefox on Linux")).to_contain_text("this browser")
    listed.filter(has_text="Safari on iPhone").get_by_role("button", name="End").click()

    expect(listed).to_have_count(1, timeout=TIMEOUT_MS)
    there.reload()
    expect_user(there, None)

    there.goto(f"{demo.url}/pyramid/")
    log_in(there, "Grace")
    here.goto(f"{demo.url}/bottle/")
    here.get_by_role("button", name="End all other sessions").click()
    expect(listed).to_have_count(1, timeout=TIMEOUT_MS)
    there.reload()
    expect_user(there, None)


def test_the_first_screen_of_a_telephone_shows_the_point(
    demo: RunningSite, new_visitor: Callable[..., Visitor]
) -> None:
    """Without scrolling a visitor reads the claim, and can log in and break the store."""
    page = new_visitor(width=360, height=740, mobile=True).tab(f"{demo.url}/bottle/")

    for seen in (
        page.get_by_text("An outage of the table logs nobody out"),
        page.get_by_role("heading", name="Try this"),
        page.get_by_role("button", name="Log in"),
        page.get_by_role("button", name="Refuse"),
    ):
        box = seen.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 740
