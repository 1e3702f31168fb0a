"""The demo in a real browser: what a visitor sees, in two tabs and in an outage."""

from __future__ import annotations

import re
from threading import Event

from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningSite
from tests.browser.visitor import TIMEOUT_MS, Visitor, expect_user, log_in, log_out, start_script
from tests.faults.fault_kinds import Hold, LoseRequest


def add(page: Page, thing: str) -> None:
    """Add a thing to the shopping list."""
    page.get_by_label("What do you need?").fill(thing)
    page.get_by_role("button", name="Add").click()


def read_list(page: Page) -> list[str]:
    """Return the shopping list."""
    return page.locator(".things li > span").all_inner_texts()


def read_visits(page: Page) -> int:
    """Return how many visits the session has counted."""
    return int(page.locator(".facts dd").first.inner_text())


def hold_save(site: RunningSite, gate: Event) -> None:
    """Make the next save wait for *gate*, and clear the proxy's records."""
    site.proxy.clear()
    site.proxy.next(Hold(gate), operation="PutItem")


def test_a_user_who_logs_in_at_bottle_is_logged_in_at_pyramid(
    demo: RunningSite, visitor: Visitor
) -> None:
    """Two frameworks share one session: a login, a list and a logout of one hold at the other."""
    page = visitor.tab(f"{demo.url}/bottle/")
    log_in(page, "Ada")
    add(page, "milk")
    page.get_by_role("link", name="Pyramid").click()

    expect(page.get_by_role("heading", name="The application")).to_contain_text("Pyramid")
    expect_user(page, "Ada")
    assert read_list(page) == ["milk"]

    log_out(page)
    page.get_by_role("link", name="Bottle").click()
    expect_user(page, None)


def test_two_tabs_that_change_different_things_keep_both(
    demo: RunningSite, visitor: Visitor
) -> None:
    """A form is still being saved while the other tab counts a visit: neither is lost."""
    slow, other = visitor.tab(f"{demo.url}/bottle/"), visitor.tab(f"{demo.url}/pyramid/")
    counted, gate = read_visits(other), Event()
    slow.get_by_label("What do you need?").fill("milk")
    hold_save(demo, gate)
    start_script(slow, "document.querySelector('button[value=add]').click()")
    demo.proxy.wait_until(lambda: "PutItem" in demo.proxy.operations, TIMEOUT_MS / 1000)
    other.reload()
    assert read_visits(other) == counted + 1
    gate.set()

    expect(slow.get_by_role("status")).to_contain_text("milk", timeout=TIMEOUT_MS)
    expect(slow.locator("details")).to_contain_text("both changes were kept")
    assert read_list(slow) == ["milk"]
    assert read_visits(slow) == counted + 1


def test_a_logout_outlives_a_slower_tab(demo: RunningSite, visitor: Visitor) -> None:
    """A user who logs out in one tab stays logged out, although the other tab saves later."""
    slow, other = visitor.tab(f"{demo.url}/bottle/"), visitor.tab(f"{demo.url}/pyramid/")
    log_in(other, "Ada")
    gate = Event()
    slow.reload()
    slow.get_by_label("What do you need?").fill("milk")
    hold_save(demo, gate)
    start_script(slow, "document.querySelector('button[value=add]').click()")
    demo.proxy.wait_until(lambda: "PutItem" in demo.proxy.operations, TIMEOUT_MS / 1000)
    log_out(other)
    gate.set()

    expect(slow.locator("details")).to_contain_text("this save was dropped", timeout=TIMEOUT_MS)
    for tab in (slow, other):
        tab.goto(f"{demo.url}/pyramid/?read=1")
        expect_user(tab, None)


def test_an_outage_of_three_seconds_logs_nobody_out(demo: RunningSite, visitor: Visitor) -> None:
    """The page reports the outage; afterwards the visitor is still logged in."""
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
    expect_user(page, "Ada")
    visitor.expect_status(503)


def test_one_lost_answer_logs_nobody_out(demo: RunningSite, visitor: Visitor) -> None:
    """A failed load is an error page, although the next call would have succeeded."""
    page = visitor.tab(f"{demo.url}/bottle/")
    log_in(page, "Ada")
    demo.proxy.next(LoseRequest(), operation="GetItem")
    page.goto(f"{demo.url}/pyramid/")
    expect(page.locator("main")).to_contain_text("Nobody is logged out")
    visitor.expect_status(503)
    page.get_by_role("link", name="Try again").click()
    expect_user(page, "Ada")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    demo: RunningSite, visitor: Visitor
) -> None:
    """HttpOnly and SameSite=Lax; not Secure, because the demo is served on this machine only."""
    page = visitor.tab(f"{demo.url}/bottle/")
    cookie = visitor.cookie()

    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", False)
    assert cookie["expires"] == -1  # until the browser is closed
    assert page.evaluate("document.cookie") == ""


def test_the_calls_that_a_person_sees_are_those_that_dynamodb_got(
    demo: RunningSite, visitor: Visitor
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
