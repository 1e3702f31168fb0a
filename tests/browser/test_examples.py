"""The examples in a real browser, under gunicorn and waitress, on DynamoDB Local.

Bottle's and Pyramid's listen on two ports of one host. A browser sends a cookie to every port, so
two applications with one table, key and secret have one session.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Page

from tests.browser import sites
from tests.browser.checks import grave_findings, outside
from tests.browser.conftest import EncryptionContext, settings
from tests.browser.visitor import PATIENCE, Visitor, begin, knows, log_in, log_out, press_to
from tests.faults.fault_kinds import Hold, LoseRequest
from tests.proxy import FaultProxy

Shop = tuple[EncryptionContext, EncryptionContext]


def slow_visit(page: Page, place: EncryptionContext, operation: str) -> Event:
    """Have a tab visit the page, and its call of that name wait for the gate that is returned."""
    gate = Event()
    place.proxy.clear()
    place.proxy.next(Hold(gate), operation=operation)
    # Another URL than that of the other tab: the browser would let the same one wait.
    begin(page, "location.search = '?slow'")
    place.proxy.wait_until(lambda: operation in place.proxy.operations, PATIENCE / 1000)
    return gate


def test_who_logs_in_at_bottle_is_logged_in_at_pyramid(shop: Shop, visitor: Visitor) -> None:
    """Two applications, two servers, one session: a login and a logout at one hold at the other."""
    bottle, pyramid = shop
    page = visitor.tab(bottle.url)
    log_in(page, "Ada")
    page.goto(pyramid.url)
    knows(page, "Ada")
    log_out(page)
    page.goto(bottle.url)
    knows(page, None)


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_a_logout_outlives_a_slower_tab(
    shop: Shop, visit: Callable[..., Visitor], side: int
) -> None:
    """One tab's save is still on its way while the other logs out: even a kept cookie is worthless.

    The browser has dropped the cookie by then, so only somebody who kept it would see the row.
    """
    place, visitor, thief = shop[side], visit(), visit()
    slow, other = visitor.tab(place.url), visitor.tab(place.url)
    log_in(other, "Ada")
    thief.take(visitor)
    stolen = thief.tab(place.url)
    knows(stolen, "Ada")
    slow.reload()
    gate = slow_visit(slow, place, "PutItem")
    begin(other, "document.querySelector('[formaction=\"/out\"]').click()")
    place.proxy.wait_until(lambda: "DeleteItem" in place.proxy.operations, PATIENCE / 1000)
    knows(other, None)
    gate.set()
    slow.wait_for_url("**/?slow")
    for tab in (slow, other, stolen):
        tab.goto(place.url)
        knows(tab, None)


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_one_lost_answer_logs_nobody_out(shop: Shop, visitor: Visitor, side: int) -> None:
    """A load that fails is an error page, though the very next call would have succeeded."""
    place = shop[side]
    page = visitor.tab(place.url)
    log_in(page, "Ada")
    place.proxy.next(LoseRequest(), operation="GetItem")
    reply = page.goto(place.url)

    assert reply is not None
    assert reply.status == 500
    visitor.forgive(500)
    page.goto(place.url)
    knows(page, "Ada")


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_a_login_outlives_a_slower_tab(shop: Shop, visitor: Visitor, side: int) -> None:
    """One tab's visit is still being counted while the other logs in: both are kept."""
    place = shop[side]
    slow, other = visitor.tab(place.url), visitor.tab(place.url)
    gate = slow_visit(slow, place, "PutItem")
    log_in(other, "Ada")
    gate.set()
    slow.wait_for_url("**/?slow")
    for tab in (slow, other):
        tab.goto(place.url)
        knows(tab, "Ada")


def test_an_outage_of_three_seconds_logs_nobody_out(shop: Shop, visitor: Visitor) -> None:
    """A page in the outage is an honest 500, the cookie stays, and so does the login."""
    place = shop[0]
    page = visitor.tab(place.url)
    log_in(page, "Ada")
    cookie = visitor.cookie()
    place.proxy.cut()
    for one in shop:
        reply = page.goto(one.url)
        assert reply is not None
        assert reply.status == 500
        assert visitor.cookie() == cookie
    page.wait_for_timeout(3000)
    place.proxy.mend()
    for one in shop:
        page.goto(one.url)
        knows(page, "Ada")
    visitor.forgive(500)


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
    """Who stays away for longer than the timeout is a stranger, and can log in again."""
    brief = settings(proxy.url, table_name) | {"session.timeout": "5"}
    with sites.site(tmp_path, web_server, example, brief) as url:
        page = visitor.tab(url)
        log_in(page, "Ada")
        page.reload()
        knows(page, "Ada")
        page.wait_for_timeout(6000)
        page.reload()
        knows(page, None)
        log_in(page, "Bob")


def test_the_cookie_of_production_travels_by_tls_alone(
    tmp_path: Path, proxy: FaultProxy, table_name: str, visitor: Visitor
) -> None:
    """production.ini says Secure, HttpOnly and SameSite=Lax, and a login holds over HTTPS."""
    given = settings(proxy.url, table_name)
    with sites.site(tmp_path, "gunicorn", "production.ini", given, tls=tmp_path) as url:
        page = visitor.tab(url)
        log_in(page, "Ada")
        cookie = visitor.cookie()
        page.reload()
        knows(page, "Ada")

    assert url.startswith("https:")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("side", [0, 1], ids=["bottle", "pyramid"])
def test_an_example_is_for_everybody(shop: Shop, visit: Callable[..., Visitor], side: int) -> None:
    """Nothing serious for axe-core, all of it on 360 pixels, and a login by keyboard alone."""
    visitor = visit(width=360, height=740)
    page = visitor.tab(shop[side].url)

    assert outside(page) == []
    assert grave_findings(page) == []
    press_to(page, "textbox", "Name")
    page.keyboard.type("Ada")
    press_to(page, "button", "Log in")
    page.keyboard.press("Enter")
    knows(page, "Ada")
    cookie = visitor.cookie()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (False, True, "Lax")
