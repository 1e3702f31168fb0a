"""The demo is accessible: on a narrow screen, by keyboard, in light and dark, by axe-core."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import find_overflow, find_serious_violations, find_small_targets
from tests.browser.conftest import RunningSite
from tests.browser.visitor import Visitor, expect_user, log_in, tab_to

STATES = ("stranger", "visitor", "user", "outage")


def open_in_state(state: str, demo: RunningSite, visitor: Visitor) -> Page:
    """Open the demo in one of its states."""
    page = visitor.tab(f"{demo.url}/bottle/" + ("?read=1" if state == "stranger" else ""))
    if state in {"user", "outage"}:
        log_in(page, "Ada")
        page.get_by_label("What do you need?").fill("a word-that-does-not-end-" + "x" * 30)
        page.get_by_role("button", name="Add").click()
        page.locator("summary").click()
    if state == "outage":
        demo.proxy.cut()
        page.goto(f"{demo.url}/bottle/")
        visitor.expect_status(503)
    return page


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious_in_light_and_dark(
    demo: RunningSite, visitor: Visitor, state: str
) -> None:
    """No state of the page has a serious or critical violation."""
    assert find_serious_violations(open_in_state(state, demo, visitor)) == []


def test_axe_finds_a_violation(demo: RunningSite, visitor: Visitor) -> None:
    """A field without a label and a text of low contrast are found: the check can fail."""
    page = open_in_state("visitor", demo, visitor)
    page.evaluate("document.querySelector('label').remove()")
    page.evaluate("document.querySelector('.lead').style.color = 'gray'")

    assert {found[2] for found in find_serious_violations(page)} == {"label", "color-contrast"}


@pytest.mark.parametrize("state", STATES)
def test_the_page_fits_a_telephone(
    demo: RunningSite, new_visitor: Callable[..., Visitor], state: str
) -> None:
    """At 360 pixels nothing extends beyond the window, and each button is large enough."""
    page = open_in_state(state, demo, new_visitor(width=360, height=740, mobile=True))

    assert find_overflow(page) == []
    assert find_small_targets(page) == []


def test_a_page_that_does_not_fit_is_found(
    demo: RunningSite, new_visitor: Callable[..., Visitor]
) -> None:
    """A line that does not wrap and a button that is too low are found: the checks can fail."""
    page = open_in_state("visitor", demo, new_visitor(width=360, height=740, mobile=True))
    page.evaluate("document.querySelector('.lead').style.whiteSpace = 'nowrap'")
    page.evaluate("document.querySelector('button').style = 'min-height: 0; height: 20px'")

    assert "the page scrolls sideways" in find_overflow(page)
    assert len(find_small_targets(page)) == 1


def test_the_page_is_used_by_keyboard_alone(demo: RunningSite, visitor: Visitor) -> None:
    """Skip the header, log in, add and remove a thing, change frameworks and log out."""
    page = visitor.tab(f"{demo.url}/bottle/")
    tab_to(page, "link", "Skip to the page")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "textbox", "Your name any, without a password")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect_user(page, "Ada")
    tab_to(page, "textbox", "What do you need?")
    page.keyboard.type("milk")
    tab_to(page, "button", "Add")
    page.keyboard.press("Space")
    expect(page.locator(".things")).to_contain_text("milk")
    tab_to(page, "link", "Pyramid")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The application")).to_contain_text("Pyramid")
    tab_to(page, "button", "Remove milk")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The list is empty.")).to_be_visible()
    tab_to(page, "button", "Log out")
    page.keyboard.press("Enter")
    expect_user(page, None)
