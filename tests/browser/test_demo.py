"""The demo in a real browser: what a visitor sees, in two tabs and in an outage."""

from __future__ import annotations

import re
from threading import Event

from playwright.sync_api import Page, expect

from tests.browser.conftest import EncryptionContext
from tests.browser.visitor import PATIENCE, Visitor, begin, knows, log_in, log_out
from tests.faults.fault_kinds import Hold, LoseRequest


def add(page: Page, thing: str) -> None:
    """Put something on the shopping list."""
    page.get_by_label("What do you need?").fill(thing)
    page.get_by_role("button", name="Add").click()


def list_of(page: Page) -> list[str]:
    """Read the shopping list."""
    return page.locator(".things li > span").all_inner_texts()


def visits(page: Page) -> int:
    """Read how many visits the session has counted."""
    return int(page.locator(".facts dd").first.inner_text())


def hold_save(place: EncryptionContext, gate: Event) -> None:
    """Let the next save wait for the gate, and forget what was seen before."""
    place.proxy.clear()
    place.proxy.next(Hold(gate), operation="PutItem")


def test_who_logs_in_at_bottle_is_logged_in_at_pyramid(
    demo: EncryptionContext, visitor: Visitor
) -> None:
    """One session behind two frameworks: a login, a list and a logout at one hold at the other."""
    page = visitor.tab(f"{demo.url}/bottle/")
    log_in(page, "Ada")
    add(page, "milk")
    page.get_by_role("link", name="Pyramid").click()

    expect(page.get_by_role("heading", name="The application")).to_contain_text("Pyramid")
    knows(page, "Ada")
    assert list_of(page) == ["milk"]

    log_out(page)
    page.get_by_role("link", name="Bottle").click()
    knows(page, None)


def test_two_tabs_that_change_different_things_keep_both(
    demo: EncryptionContext, visitor: Visitor
) -> None:
    """A form is still being saved while the other tab counts a visit: neither is lost."""
    slow, other = visitor.tab(f"{demo.url}/bottle/"), visitor.tab(f"{demo.url}/pyramid/")
    counted, gate = visits(other), Event()
    slow.get_by_label("What do you need?").fill("milk")
    hold_save(demo, gate)
    begin(slow, "document.querySelector('button[value=add]').click()")
    demo.proxy.wait_until(lambda: "PutItem" in demo.proxy.operations, PATIENCE / 1000)
    other.reload()
    assert visits(other) == counted + 1
    gate.set()

    expect(slow.get_by_role("status")).to_contain_text("milk", timeout=PATIENCE)
    expect(slow.locator("details")).to_contain_text("both changes were kept")
    assert list_of(slow) == ["milk"]
    assert visits(slow) == counted + 1


def test_a_logout_outlives_a_slower_tab(demo: EncryptionContext, visitor: Visitor) -> None:
    """Who logs out in one tab stays logged out, though the other tab saves later."""
    slow, other = visitor.tab(f"{demo.url}/bottle/"), visitor.tab(f"{demo.url}/pyramid/")
    log_in(other, "Ada")
    gate = Event()
    slow.reload()
    slow.get_by_label("What do you need?").fill("milk")
    hold_save(demo, gate)
    begin(slow, "document.querySelector('button[value=add]').click()")
    demo.proxy.wait_until(lambda: "PutItem" in demo.proxy.operations, PATIENCE / 1000)
    log_out(other)
    gate.set()

    expect(slow.locator("details")).to_contain_text("this save was dropped", timeout=PATIENCE)
    for tab in (slow, other):
        tab.goto(f"{demo.url}/pyramid/?read=1")
        knows(tab, None)


def test_an_outage_of_three_seconds_logs_nobody_out(
    demo: EncryptionContext, visitor: Visitor
) -> None:
    """The page says what happens; when the table answers again, the visitor is still logged in."""
    page = visitor.tab(f"{demo.url}/bottle/")
    log_in(page, "Ada")
    cookie = visitor.cookie()
    demo.proxy.cut()
    reply = page.reload()

    assert reply is not None
    assert reply.status == 503
    expect(page.locator("main")).to_contain_text("Nobody is logged out")
    assert visitor.cookie() == cookie
    page.wait_for_timeout(3000)
    demo.proxy.mend()
    page.get_by_role("link", name="Try again").click()
    knows(page, "Ada")
    visitor.forgive(503)


def test_one_lost_answer_logs_nobody_out(demo: EncryptionContext, visitor: Visitor) -> None:
    """A load that fails is an error page, though the very next call would have succeeded."""
    page = visitor.tab(f"{demo.url}/bottle/")
    log_in(page, "Ada")
    demo.proxy.next(LoseRequest(), operation="GetItem")
    page.goto(f"{demo.url}/pyramid/")
    expect(page.locator("main")).to_contain_text("Nobody is logged out")
    visitor.forgive(503)
    page.get_by_role("link", name="Try again").click()
    knows(page, "Ada")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    demo: EncryptionContext, visitor: Visitor
) -> None:
    """HttpOnly and SameSite=Lax; not Secure, for the demo is served on this machine alone."""
    page = visitor.tab(f"{demo.url}/bottle/")
    cookie = visitor.cookie()

    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", False)
    assert cookie["expires"] == -1  # until the browser is closed
    assert page.evaluate("document.cookie") == ""


def test_the_calls_that_a_person_sees_are_those_that_dynamodb_got(
    demo: EncryptionContext, visitor: Visitor
) -> None:
    """The page names each call of its own request, and says which it made to show the item."""
    page = visitor.tab(f"{demo.url}/bottle/")
    demo.proxy.clear()
    page.get_by_role("link", name="Open the page again").click()
    expect(page.locator(".facts dd").first).to_have_text("2")

    shown = page.locator("[aria-labelledby=calls] tbody th").all_inner_texts()
    aside = page.locator("[aria-labelledby=calls] .note").inner_text()

    assert shown == ["GetItem", "PutItem"]
    assert re.search("read the item twice", aside)
    assert sorted(demo.proxy.operations) == ["GetItem", "GetItem", "GetItem", "PutItem"]
