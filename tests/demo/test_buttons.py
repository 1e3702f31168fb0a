"""The buttons of the demo's page: break the store, let two requests overlap, end a session."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urljoin

import pytest
from webtest import TestApp

from examples.demo.devices import describe_browser
from examples.demo.store_proxy import OUTAGES
from tests.demo.pages import (
    FORM,
    FRAMEWORKS,
    OpenDemo,
    count_items,
    read_fact,
    read_table,
    read_user,
    send,
)
from tests.instruments import Recorder

OUTAGE_SECONDS = 7
#: A request that hangs ends before the outage does, and a busy machine is no outage.
QUICK = {"read_timeout": "5s", "max_attempts": "1"}


def list_devices(page: Any) -> list[str]:
    """Return the browsers that the page lists, without their times."""
    return [
        one.get_text().split(" used at")[0]
        for one in page.html.select(".devices li > span:first-child")
    ]


class TestOutage:
    @pytest.mark.parametrize(
        ("framework", "kind"), [("bottle", "refuse"), ("pyramid", "hang"), ("bottle", "throttle")]
    )
    def test_a_user_stays_logged_in_while_the_store_is_broken(
        self, open_demo: OpenDemo, table: str, framework: str, kind: str
    ) -> None:
        """The page is a 503 that counts down and keeps the cookie; then the login is still there.

        Both frameworks are broken, and the first page afterwards says what has happened.
        """
        app = open_demo({"table": table, **QUICK}, outage_seconds=OUTAGE_SECONDS)
        app.get(f"/{framework}/")
        page = send(app, framework, "login", "Ada")
        cookies = [(one.name, one.value) for one in app.cookiejar]
        token = page.html.select_one("input[name=token]")["value"]

        redirect = app.post(f"/{framework}/", {"token": token, "action": kind})
        location = urljoin(f"/{framework}/", redirect.location)
        broken = app.get(location, status=503)

        text = " ".join(broken.html.get_text(" ").split())
        assert OUTAGES[kind] in text
        assert int(broken.html.select_one("[role=timer]").get_text()) in range(
            1, OUTAGE_SECONDS + 1
        )
        assert "Set-Cookie" not in broken.headers
        assert [(one.name, one.value) for one in app.cookiejar] == cookies
        assert broken.html.select_one("a.button")["href"] == ""
        after = wait_for_page(app, location)
        seconds = f"{OUTAGE_SECONDS} seconds"
        assert f"The store was broken for {seconds}, and you are still logged in as Ada" in after
        for each in FRAMEWORKS:
            assert read_user(app.get(f"/{each}/")) == "Ada"

    def test_an_endpoint_with_a_checked_signature_has_no_buttons(self, open_demo: OpenDemo) -> None:
        """AWS would refuse what a proxy passes on, so the page says what is needed instead."""
        keys = {"region": "us-east-1", "connect_timeout": "0.2s", "max_attempts": "1"}
        app = open_demo({"endpoint_url": "https://127.0.0.1:1", "create_table": "false", **keys})

        page = app.get("/bottle/?read=1")

        assert "This needs an endpoint with http://" in page
        assert page.html.select("button") == []


def wait_for_page(app: Any, location: str) -> Any:
    """Load the page until it is not an error page."""
    deadline = time.monotonic() + 20
    while (page := app.get(location, expect_errors=True)).status_int != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return page


class TestOverlap:
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_two_requests_that_overlap_both_keep_their_change(
        self, app: Any, framework: str
    ) -> None:
        """The visit of one and the fruit of the other are stored; the second save was refused."""
        app.get(f"/{framework}/")

        first, second = (send(app, framework, "overlap") for _ in range(2))

        assert "“apples” is on the list" in first
        listed = [one.get_text() for one in second.html.select(".things li > span")]
        assert listed == ["apples", "pears"]
        assert read_fact(second, "Visits in this session") == "3"
        calls = [["GetItem", "ok"], ["PutItem", "refused"], ["PutItem", "ok"]]
        shown = read_table(first, "The calls of the slow request")
        assert [row[:2] for row in shown] == calls
        shown = read_table(first, "The calls of the fast request")
        assert [row[:2] for row in shown] == [["GetItem", "ok"], ["PutItem", "ok"]]
        assert "both changes were kept" in first


class TestDevices:
    def test_a_user_ends_the_session_of_another_browser(self, app: Any, table: str) -> None:
        """Both browsers list both; the one that was ended is logged out, and its item deleted."""
        phone = TestApp(app.app, extra_environ={"HTTP_USER_AGENT": "iPhone Safari"})
        for browser, framework in ((app, "bottle"), (phone, "pyramid")):
            browser.get(f"/{framework}/")
            send(browser, framework, "login", "Ada")
        assert sorted(list_devices(phone.get("/pyramid/"))) == ["A browser", "Safari on iPhone"]
        stored = count_items(table)

        page = app.get("/bottle/")
        form = page.html.select_one("button[value=end]").find_parent("form")
        fields = {field["name"]: field["value"] for field in form.select("input")}
        page = app.post("/bottle/", {**fields, "action": "end"}).follow()

        assert list_devices(page) == ["A browser"]
        assert "One session was ended" in page
        assert count_items(table) == stored - 1
        assert "There is no session" in phone.get("/pyramid/?read=1")
        again = app.post("/bottle/", {**fields, "action": "end"}).follow()
        assert "There was no such session any more" in again

    def test_a_user_ends_all_other_sessions(self, app: Any) -> None:
        """Only the browser at hand stays logged in, and another user is left alone."""
        others = [TestApp(app.app) for _ in range(3)]
        for browser, user in zip((app, *others), ("Ada", "Ada", "Ada", "Bob"), strict=True):
            browser.get("/bottle/")
            send(browser, "bottle", "login", user)

        page = send(app, "bottle", "end-others")

        assert "2 sessions were ended" in page
        assert read_user(page) == "Ada"
        users = [one.get("/bottle/?read=1").text.count("Logged in as") for one in others]
        assert users == [0, 0, 1]

    def test_a_login_and_a_logout_are_charged_with_their_index(
        self, open_demo: OpenDemo, dynamodb_local: str, table_name: str, calls: Recorder
    ) -> None:
        """The units of the page are those that DynamoDB Local charges, the index included."""
        app = open_demo({"endpoint_url": dynamodb_local, "table": table_name})
        app.get("/bottle/")
        for action, operation in (("login", "PutItem"), ("logout", "DeleteItem")):
            calls.clear()
            page = send(app, "bottle", action, "Ada")
            (charged,) = (call.units for call in calls if call.operation == operation)
            shown = {row[0]: row[2] for row in read_table(page, FORM)}
            assert shown[operation] == f"{charged:g} write units"

    @pytest.mark.parametrize(
        ("user_agent", "name"),
        [
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140", "Edge on Windows"),
            ("Mozilla/5.0 (iPhone; like Mac OS X) Version/18 Safari/604", "Safari on iPhone"),
            ("Mozilla/5.0 (Android 15; Mobile) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
            ("curl/8.5", "A browser"),
        ],
    )
    def test_a_browser_is_named_as_people_name_it(self, user_agent: str, name: str) -> None:
        """The list shows a browser and its system, not a User-Agent of a hundred characters."""
        assert describe_browser(user_agent) == name
