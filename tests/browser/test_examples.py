"""The examples in a real browser, under gunicorn and waitress, on DynamoDB Local.

Bottle's and Pyramid's listen on two ports of one host. A browser sends a cookie to every port, so
two applications with the same table, key and secret share one session.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Page

from tests.browser import sites
from tests.browser.checks import find_overflow, find_serious_violations
from tests.browser.conftest import RunningSite, settings
from tests.browser.visitor import (
    TIMEOUT_MS,
    Visitor,
    expect_user,
    log_in,
    log_out,
    start_script,
    tab_to,
)
from tests.faults.fault_kinds import Hold, LoseRequest
from tests.proxy import FaultProxy

Shop = tuple[RunningSite, RunningSite]


def slow_visit(page: Page, site: RunningSite, operation: str) -> Event:
    """Visit the page in a tab whose next call *operation* waits for the returned gate."""
    gate = Event()
    site.proxy.clear()
    site.proxy.next(Hold(gate), operation=operation)
    # Not the URL of the other tab: the browser makes a second request of one URL wait.
    start_script(page, "location.search = '?slow'")
    site.proxy.wait_until(lambda: operation in site.proxy.operations, TIMEOUT_MS / 1000)
    return gate


def test_a_user_who_logs_in_at_bottle_is_logged_in_at_pyramid(shop: Shop, visitor: Visitor) -> None:
    """Two servers share one session: a login and a logout at one hold at the other."""
    bottle, pyramid = shop
    page = visitor.tab(bottle.url)
    log_in(page, "Ada")
    page.goto(pyramid.url)
    expect_user(page, "Ada")
    log_out(page)
    page.goto(bottle.url)
    expect_user(page, None)


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_a_logout_outlives_a_slower_tab(
    shop: Shop, new_visitor: Callable[..., Visitor], side: int
) -> None:
    """One tab's save is delayed while the other logs out: even a stolen cookie is not accepted.

    The browser has deleted its cookie by then, so only the thief could find a row.
    """
    site, visitor, thief = shop[side], new_visitor(), new_visitor()
    slow, other = visitor.tab(site.url), visitor.tab(site.url)
    log_in(other, "Ada")
    thief.copy_cookie(visitor)
    stolen = thief.tab(site.url)
    expect_user(stolen, "Ada")
    slow.reload()
    gate = slow_visit(slow, site, "PutItem")
    start_script(other, "document.querySelector('[formaction=\"/out\"]').click()")
    site.proxy.wait_until(lambda: "DeleteItem" in site.proxy.operations, TIMEOUT_MS / 1000)
    expect_user(other, None)
    gate.set()
    slow.wait_for_url("**/?slow")
    for tab in (slow, other, stolen):
        tab.goto(site.url)
        expect_user(tab, None)


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_one_lost_answer_logs_nobody_out(shop: Shop, visitor: Visitor, side: int) -> None:
    """A failed load is an error page, although the next call would have succeeded."""
    site = shop[side]
    page = visitor.tab(site.url)
    log_in(page, "Ada")
    site.proxy.next(LoseRequest(), operation="GetItem")
    reply = page.goto(site.url)

    assert reply is not None
    assert reply.status == 500
    visitor.expect_status(500)
    page.goto(site.url)
    expect_user(page, "Ada")


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_a_login_outlives_a_slower_tab(shop: Shop, visitor: Visitor, side: int) -> None:
    """One tab's visit is still being counted while the other logs in: both changes are kept."""
    site = shop[side]
    slow, other = visitor.tab(site.url), visitor.tab(site.url)
    gate = slow_visit(slow, site, "PutItem")
    log_in(other, "Ada")
    gate.set()
    slow.wait_for_url("**/?slow")
    for tab in (slow, other):
        tab.goto(site.url)
        expect_user(tab, "Ada")


def test_an_outage_of_three_seconds_logs_nobody_out(shop: Shop, visitor: Visitor) -> None:
    """A page during the outage is a 500; the cookie and the login are kept."""
    site = shop[0]
    page = visitor.tab(site.url)
    log_in(page, "Ada")
    cookie = visitor.cookie()
    site.proxy.cut()
    for one in shop:
        reply = page.goto(one.url)
        assert reply is not None
        assert reply.status == 500
        assert visitor.cookie() == cookie
    page.wait_for_timeout(3000)
    site.proxy.mend()
    for one in shop:
        page.goto(one.url)
        expect_user(page, "Ada")
    visitor.expect_status(500)


@pytest.mark.parametrize(
    ("web_server", "example"), [("gunicorn", "wsgi_app.py"), ("waitress", "development.ini")]
)
def test_a_session_ends_when_its_time_is_over(
    tmp_path: Path,
    proxy: FaultProxy,
    table_name: str,
    visitor: Visitor,
    web_server: str,
    example: str,
) -> None:
    """A user who is inactive for longer than the timeout is logged out, and can log in again."""
    brief = settings(proxy.url, table_name) | {"session.timeout": "5"}
    with sites.serve_example(tmp_path, web_server, example, brief) as url:
        page = visitor.tab(url)
        log_in(page, "Ada")
        page.reload()
        expect_user(page, "Ada")
        page.wait_for_timeout(6000)
        page.reload()
        expect_user(page, None)
        log_in(page, "Bob")


def test_the_cookie_of_production_is_sent_over_tls_only(
    tmp_path: Path, proxy: FaultProxy, table_name: str, visitor: Visitor
) -> None:
    """production.ini sets Secure, HttpOnly and SameSite=Lax, and a login works over HTTPS."""
    given = settings(proxy.url, table_name)
    with sites.serve_example(tmp_path, "gunicorn", "production.ini", given, tls=tmp_path) as url:
        page = visitor.tab(url)
        log_in(page, "Ada")
        cookie = visitor.cookie()
        page.reload()
        expect_user(page, "Ada")

    assert url.startswith("https:")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_an_example_is_accessible(
    shop: Shop, new_visitor: Callable[..., Visitor], side: int
) -> None:
    """No serious violation, a width of 360 pixels is enough, and a login works by keyboard."""
    visitor = new_visitor(width=360, height=740)
    page = visitor.tab(shop[side].url)

    assert find_overflow(page) == []
    assert find_serious_violations(page) == []
    tab_to(page, "textbox", "Name")
    page.keyboard.type("Ada")
    tab_to(page, "button", "Log in")
    page.keyboard.press("Enter")
    expect_user(page, "Ada")
    cookie = visitor.cookie()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (False, True, "Lax")
