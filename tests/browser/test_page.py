"""The demo for everybody: narrow, by keyboard alone, light and dark, and with axe-core's eyes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import grave_findings, outside, small_targets
from tests.browser.conftest import EncryptionContext
from tests.browser.visitor import Visitor, knows, log_in, press_to

STATES = ("stranger", "visitor", "user", "outage")


def in_state(state: str, demo: EncryptionContext, visitor: Visitor) -> Page:
    """Open the demo as each of its states shows it."""
    page = visitor.tab(f"{demo.url}/bottle/" + ("?read=1" if state == "stranger" else ""))
    if state in {"user", "outage"}:
        log_in(page, "Ada")
        page.get_by_label("What do you need?").fill("a word-that-does-not-end-" + "x" * 30)
        page.get_by_role("button", name="Add").click()
        page.locator("summary").click()
    if state == "outage":
        demo.proxy.cut()
        page.goto(f"{demo.url}/bottle/")
        visitor.forgive(503)
    return page


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious_in_light_and_dark(
    demo: EncryptionContext, visitor: Visitor, state: str
) -> None:
    """No serious and no critical finding, whatever the page shows."""
    assert grave_findings(in_state(state, demo, visitor)) == []


def test_axe_finds_what_is_spoiled(demo: EncryptionContext, visitor: Visitor) -> None:
    """A field without its label and a faint text are found: the check can fail."""
    page = in_state("visitor", demo, visitor)
    page.evaluate("document.querySelector('label').remove()")
    page.evaluate("document.querySelector('.lead').style.color = 'gray'")

    assert {found[2] for found in grave_findings(page)} == {"label", "color-contrast"}


@pytest.mark.parametrize("state", STATES)
def test_the_page_fits_a_telephone(
    demo: EncryptionContext, visit: Callable[..., Visitor], state: str
) -> None:
    """At 360 pixels nothing sticks out, nothing scrolls sideways, and a finger hits each button."""
    page = in_state(state, demo, visit(width=360, height=740, mobile=True))

    assert outside(page) == []
    assert small_targets(page) == []


def test_a_page_that_does_not_fit_is_found(
    demo: EncryptionContext, visit: Callable[..., Visitor]
) -> None:
    """One line that does not break and one flat button are found: the checks can fail."""
    page = in_state("visitor", demo, visit(width=360, height=740, mobile=True))
    page.evaluate("document.querySelector('.lead').style.whiteSpace = 'nowrap'")
    page.evaluate("document.querySelector('button').style = 'min-height: 0; height: 20px'")

    assert "the page scrolls sideways" in outside(page)
    assert len(small_targets(page)) == 1


def test_the_page_is_used_by_keyboard_alone(demo: EncryptionContext, visitor: Visitor) -> None:
    """Skip the header, log in, shop, change sides and log out, without a mouse."""
    page = visitor.tab(f"{demo.url}/bottle/")
    press_to(page, "link", "Skip to the page")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    press_to(page, "textbox", "Your name any name; there is no password")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    knows(page, "Ada")
    press_to(page, "textbox", "What do you need?")
    page.keyboard.type("milk")
    press_to(page, "button", "Add")
    page.keyboard.press("Space")
    expect(page.locator(".things")).to_contain_text("milk")
    press_to(page, "link", "Pyramid")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The application")).to_contain_text("Pyramid")
    press_to(page, "button", "Remove milk")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The list is empty.")).to_be_visible()
    press_to(page, "button", "Log out")
    page.keyboard.press("Enter")
    knows(page, None)
