"""Two frameworks share one session: a user of one is the same user of the other."""

from __future__ import annotations

from typing import Any

import pytest
from webtest import TestApp

import beaker_dynamodb
from tests.demo.pages import BOTH_ORDERS, OpenDemo, count_items, read_fact, read_user, send


class TestOneSession:
    @pytest.mark.parametrize(("here", "there"), BOTH_ORDERS)
    def test_a_user_who_logs_in_at_one_is_logged_in_at_the_other(
        self, app: Any, here: str, there: str
    ) -> None:
        """A login at one framework is a login at both."""
        app.get(f"/{here}/")

        assert read_user(send(app, here, "login", "Ada")) == "Ada"
        assert read_user(app.get(f"/{there}/")) == "Ada"

    def test_a_second_login_from_an_older_tab_changes_nothing(self, app: Any) -> None:
        """It would get another id, and leave the old item behind, still logged in."""
        tabs = [app.get("/bottle/").forms for _ in range(2)]
        pages = []
        for forms, user in zip(tabs, ("Ada", "Bob"), strict=True):
            (form,) = [one for one in forms.values() if "text" in one.fields][:1]
            form["text"] = user
            pages.append(form.submit("action", value="login").follow())
        cookies = dict(app.cookies)

        assert [read_user(page) for page in pages] == ["Ada", "Ada"]
        assert "There was nothing to do." in pages[1]
        assert cookies == dict(app.cookies)

    @pytest.mark.parametrize(("here", "there"), BOTH_ORDERS)
    def test_a_user_who_logs_out_at_one_is_logged_out_at_the_other(
        self, app: Any, table: str, here: str, there: str
    ) -> None:
        """A logout deletes the item, and an old cookie is not accepted by either framework."""
        app.get(f"/{here}/")
        send(app, there, "login", "Ada")
        kept = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in app.cookiejar)}
        assert read_user(app.get(f"/{there}/", headers=kept)) == "Ada"
        stored = count_items(table)

        page = send(app, here, "logout")

        assert "There is no session" in page
        assert page.text.count("Start a session first: see step 1.") == 2  # in steps 2 and 3
        assert "There is no session" in app.get(f"/{there}/?read=1")
        assert "There is no session" in TestApp(app.app).get(f"/{there}/?read=1", headers=kept)
        assert count_items(table) == stored - 1

    def test_visits_of_both_are_one_number(self, app: Any) -> None:
        """Each visit of either page counts; `?read=1` shows the page without counting."""
        app.get("/bottle/")
        app.get("/pyramid/")

        assert read_fact(app.get("/pyramid/?read=1"), "Visits in this session") == "2"
        assert read_fact(app.get("/bottle/"), "Visits in this session") == "3"

    def test_a_shopping_list_is_kept_and_shortened(self, app: Any) -> None:
        """What is added at one framework is on the list at the other, and can be removed there."""
        app.get("/bottle/")
        send(app, "bottle", "add", "milk")
        send(app, "pyramid", "add", "bread")
        page = send(app, "bottle", "remove", "milk")

        assert [one.get_text() for one in page.html.select(".things li > span")] == ["bread"]
        assert "bread" in app.get("/pyramid/")

    def test_a_list_that_is_full_says_so(self, app: Any) -> None:
        """The list takes twenty things; the page says that it refuses another one."""
        app.get("/bottle/")
        for number in range(20):
            send(app, "bottle", "add", f"thing {number}")

        assert "The list is full" in send(app, "bottle", "add", "one more")

    def test_two_visitors_have_two_sessions(self, app: Any) -> None:
        """No visitor sees what another one has typed."""
        app.get("/bottle/")
        send(app, "bottle", "login", "Ada")

        assert "Ada" not in TestApp(app.app).get("/bottle/")

    def test_a_login_survives_a_restart_of_the_application(
        self, open_demo: OpenDemo, dynamodb_local: str, table_name: str
    ) -> None:
        """A new application finds the session in DynamoDB Local, and needs no AWS keys."""
        options = {"endpoint_url": dynamodb_local, "table": table_name}
        before = open_demo(options)
        before.get("/bottle/")
        send(before, "bottle", "login", "Ada")
        beaker_dynamodb.reset()

        after = open_demo(options, cookiejar=before.cookiejar)

        assert read_user(after.get("/pyramid/")) == "Ada"
