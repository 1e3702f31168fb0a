"""The demo as its visitor meets it: one session behind two frameworks, and a page that is true.

What it shows is compared with what stands in the table, with the calls that botocore really
made, and with what DynamoDB Local says it charged.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, time, timezone
from itertools import pairwise
from typing import Any
from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup
from webtest import TestApp

import beaker_dynamodb
from beaker_dynamodb.demo.app import make_app
from beaker_dynamodb.demo.markup import asset
from beaker_dynamodb.store import embedded
from tests.instruments import Clock, Recorder
from tests.servers import Flavor, Server, free_port

BOTH = [("bottle", "pyramid"), ("pyramid", "bottle")]
EACH = ["bottle", "pyramid"]
ITEM, CALLS = "The attributes of the item", "The calls of this request"
FORM = "The calls of the form before this page"
TYPES = {"S": "String", "N": "Number", "B": "Binary"}


@pytest.fixture
def table() -> str:
    """Give a name that no table of the embedded server has."""
    return f"demo-{uuid.uuid4().hex}"


@pytest.fixture
def app(table: str) -> Any:
    """Give a browser at the demo, on a table of its own."""
    return TestApp(make_app({"table": table}))


def send(app: Any, way: str, do: str, words: str = "") -> Any:
    """Fill in the page's form for *do* under *way*, and return the page that follows."""
    page = app.get(f"/{way}/?read=1")
    for button in page.html.select(f"button[name=do][value={do}]"):
        form = button.find_parent("form")
        fields = {field["name"]: field.get("value", "") for field in form.select("input")}
        if form.select("input:not([type=hidden])"):
            fields["words"] = words
        if fields.get("words", words) == words:
            page = app.post(urljoin(f"/{way}/", form["action"]), {**fields, "do": do})
            return page.follow()
    raise AssertionError(f"the page has no form for {do}")


def fact(page: Any, name: str) -> str:
    """Read one of the page's facts: the number of visits, or who is logged in."""
    return str(page.html.find("dt", string=name).find_next("dd").get_text(strip=True))


def user(page: Any) -> str:
    """Read who the page says is logged in."""
    return fact(page, "Logged in as")


def rows(page: Any, caption: str) -> list[list[str]]:
    """Read the body of a table on the page, cell by cell."""
    found = page.html.find("caption", string=caption)
    assert found is not None
    body = found.parent.find("tbody")
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in body.find_all("tr")
    ]


def operations(page: Any, caption: str = CALLS) -> list[str]:
    """Read the names of the calls that the page shows."""
    return [row[0] for row in rows(page, caption)]


def aside(page: Any) -> int:
    """Read how many calls the demo says that it made for itself."""
    if "The demo made no call of its own" in page:
        return 0
    told = re.search(r"the demo itself read the item (once|twice)", page.text)
    assert told is not None
    return ("once", "twice").index(told[1]) + 1


class TestOneSession:
    @pytest.mark.parametrize(("here", "there"), BOTH)
    def test_who_logs_in_at_one_is_logged_in_at_the_other(
        self, app: Any, here: str, there: str
    ) -> None:
        """The two frameworks have one session: a login at one is a login at both."""
        app.get(f"/{here}/")

        assert user(send(app, here, "login", "Ada")) == "Ada"
        assert user(app.get(f"/{there}/")) == "Ada"

    @pytest.mark.parametrize(("here", "there"), BOTH)
    def test_who_logs_out_at_one_is_logged_out_at_the_other(
        self, app: Any, table: str, here: str, there: str
    ) -> None:
        """A logout deletes the item, and the login at both; an old cookie is worth nothing."""
        app.get(f"/{here}/")
        send(app, there, "login", "Ada")
        kept = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in app.cookiejar)}
        assert user(app.get(f"/{there}/", headers=kept)) == "Ada"
        stored = count(table)

        page = send(app, here, "logout")

        assert "There is no session" in page
        assert "There is no session" in app.get(f"/{there}/?read=1")
        assert "There is no session" in TestApp(app.app).get(f"/{there}/?read=1", headers=kept)
        assert count(table) == stored - 1

    def test_visits_of_both_are_one_number(self, app: Any) -> None:
        """Each opening of the page counts, at either; a look that does not count says so."""
        app.get("/bottle/")
        app.get("/pyramid/")

        assert fact(app.get("/pyramid/?read=1"), "Visits, counted in the session") == "2"
        assert fact(app.get("/bottle/"), "Visits, counted in the session") == "3"

    def test_a_shopping_list_is_kept_and_shortened(self, app: Any) -> None:
        """What is put on the list at one is there at the other, and can be taken off there."""
        app.get("/bottle/")
        send(app, "bottle", "add", "milk")
        send(app, "pyramid", "add", "bread")
        page = send(app, "bottle", "remove", "milk")

        assert [one.get_text() for one in page.html.select(".things li > span")] == ["bread"]
        assert "bread" in app.get("/pyramid/")

    def test_a_list_that_is_full_says_so(self, app: Any) -> None:
        """The list takes twenty things, and the twenty-first is not lost without a word."""
        app.get("/bottle/")
        for number in range(20):
            send(app, "bottle", "add", f"thing {number}")

        assert "enough for a demo" in send(app, "bottle", "add", "one more")

    def test_two_visitors_have_two_sessions(self, app: Any) -> None:
        """Nobody sees what another one has typed."""
        app.get("/bottle/")
        send(app, "bottle", "login", "Ada")

        assert "Ada" not in TestApp(app.app).get("/bottle/")

    def test_a_login_survives_a_restart_of_the_application(
        self, dynamodb_local: str, table_name: str
    ) -> None:
        """On DynamoDB Local the session outlives the application, which needs no keys of AWS."""
        options = {"endpoint_url": dynamodb_local, "table": table_name}
        before = TestApp(make_app(options))
        before.get("/bottle/")
        send(before, "bottle", "login", "Ada")
        beaker_dynamodb.reset()

        after = TestApp(make_app(options), cookiejar=before.cookiejar)

        assert user(after.get("/pyramid/")) == "Ada"


def count(table: str) -> int:
    """Count the items that stand in a table of the embedded server."""
    client = Server(embedded.url(), Flavor.MOTO).client()
    return client.scan(TableName=table)["Count"]


class TestWhatIsShown:
    @pytest.mark.parametrize("way", EACH)
    def test_the_item_shown_is_the_item_that_stands_there(
        self, app: Any, table: str, way: str
    ) -> None:
        """Each attribute is shown with its type, value and bytes, and none is left out."""
        app.get(f"/{way}/")
        page = app.get(f"/{way}/")
        client = Server(embedded.url(), Flavor.MOTO).client()
        (item,) = client.scan(TableName=table)["Items"]
        total = 0

        shown = {name: (kind, size, value) for name, kind, size, value in rows(page, ITEM)}

        assert shown.keys() == item.keys() == {"id", "data", "rev", "prev", "expires"}
        for name, typed in item.items():
            ((kind, value),) = typed.items()
            raw = value if isinstance(value, bytes) else str(value).encode()
            size = len(name) + (len(raw) // 2 + 1 if kind == "N" else len(raw))
            total += size
            assert shown[name][:2] == (TYPES[kind], str(size))
            assert shown[name][2].startswith(raw[:8].hex(" ") if kind == "B" else str(value))
        assert page.html.select_one(".stacks tfoot .number").get_text() == str(total)
        assert f"The item has {total} bytes" in page

    def test_the_header_is_explained(self, app: Any, table: str) -> None:
        """The first eight bytes are those that stand there, and the sizes add up."""
        page = app.get("/bottle/")
        client = Server(embedded.url(), Flavor.MOTO).client()
        (item,) = client.scan(TableName=table)["Items"]
        data = bytes(item["data"]["B"])

        shown = rows(page, "The header of the data, byte by byte")

        codes = "".join(row[0] for row in shown[:-1])
        assert bytes.fromhex(codes) == data[:8]
        assert shown[-1][1] == f"{len(data) - 8} bytes of your session"
        assert f"{len(data)} bytes stand in the table" in " ".join(page.html.get_text(" ").split())

    @pytest.mark.parametrize("way", EACH)
    def test_the_calls_shown_are_the_calls_made(self, app: Any, way: str, calls: Recorder) -> None:
        """Of each request, all calls are shown, in order, but the demo's own, which are counted."""

        def made(answer: Callable[[], Any], caption: str = CALLS) -> list[str]:
            calls.clear()
            page = answer()
            shown = operations(page, caption)
            assert len(calls) == len(shown) + aside(page)
            assert sorted(calls.names) == sorted([*shown, *["GetItem"] * aside(page)])
            return shown

        first = made(lambda: app.get(f"/{way}/"))
        assert first[0] == first[-1] == "PutItem"
        assert "CreateTable" in first
        assert made(lambda: app.get(f"/{way}/")) == ["GetItem", "PutItem"]
        assert made(lambda: app.get(f"/{way}/?read=1")) == ["GetItem"]

    def test_a_request_without_a_session_makes_no_call(self, app: Any, calls: Recorder) -> None:
        """A stranger who only looks costs nothing, and the page says so."""
        page = app.get("/bottle/?read=1")

        assert calls == []
        assert "Nobody paid anything" in page
        assert "a request without a session makes no call" in page
        assert list(app.cookiejar) == []

    @pytest.mark.parametrize(
        ("consistent", "cost"), [("true", "1 read unit"), ("false", "1.5 read units")]
    )
    def test_a_cookie_that_leads_nowhere_is_looked_up(
        self, table: str, consistent: str, cost: str
    ) -> None:
        """A request with a cookie of a session that is gone costs a miss, and the page says so."""
        app = TestApp(make_app({"table": table, "consistent_read": consistent}))
        app.get("/bottle/")
        send(app, "bottle", "login", "Ada")
        kept = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in app.cookiejar)}
        send(app, "bottle", "logout")

        page = TestApp(app.app).get("/bottle/?read=1", headers=kept)

        together = page.html.find("caption", string=CALLS).parent.find("tfoot").find_all("td")[-1]
        assert together.get_text() == cost
        assert page.html.select_one("[aria-labelledby=next] .big").get_text() == cost

    @pytest.mark.parametrize("way", EACH)
    @pytest.mark.parametrize(
        ("do", "expected"),
        [
            ("login", ["GetItem", "PutItem"]),
            ("add", ["GetItem", "PutItem"]),
            ("logout", ["GetItem", "DeleteItem"]),
        ],
    )
    def test_the_page_after_a_form_shows_the_calls_of_the_form(
        self, app: Any, way: str, do: str, expected: list[str]
    ) -> None:
        """A form leads to the page by a redirect; the page shows both requests, told apart."""
        app.get(f"/{way}/")
        if do == "logout":
            send(app, way, "login", "Ada")

        page = send(app, way, do, "something")

        assert operations(page, FORM) == expected
        if do != "logout":
            assert operations(page) == ["GetItem"]

    def test_a_larger_item_costs_more(self, app: Any) -> None:
        """A write is charged by the KB of the larger item, before or after it."""
        app.get("/bottle/")
        for _ in range(20):
            page = send(app, "bottle", "add", secrets.token_hex(30))
        size = int(page.html.select_one(".stacks tfoot .number").get_text().replace(",", ""))
        assert 1024 < size <= 2048

        assert rows(app.get("/bottle/"), CALLS) == [
            ["GetItem", "ok", "1 read unit"],
            ["PutItem", "ok", "2 write units"],
        ]

    def test_units_are_those_that_dynamodb_charges(
        self, dynamodb_local: str, table_name: str, calls: Recorder
    ) -> None:
        """DynamoDB Local, which counts by AWS's rules, charges what the page has computed."""
        options = {"endpoint_url": dynamodb_local, "table": table_name}
        app = TestApp(make_app(options))
        app.get("/bottle/")
        for number in range(21):
            send(app, "bottle", "add", secrets.token_hex(30))
            calls.clear()
            page = app.get("/bottle/")
            told = {
                row[0]: float(row[2].split()[0]) for row in rows(page, CALLS) if row[2] != "none"
            }
            charged = {call.operation: call.units for call in calls}
            assert told == charged, number

    def test_an_eventually_consistent_read_is_charged_half(self) -> None:
        """With consistent_read = false the page says half the units, as AWS does."""
        name = f"demo-{uuid.uuid4().hex}"
        app = TestApp(make_app({"table": name, "consistent_read": "false"}))
        app.get("/bottle/")

        page = app.get("/bottle/?read=1")

        assert rows(page, CALLS) == [["GetItem", "ok", "0.5 read units"]]
        assert "an eventually consistent read" in page

    def test_the_page_says_from_when_on_a_read_writes(
        self, app: Any, calls: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page that only reads makes one call up to the second that is shown, then two."""
        app.get("/bottle/")
        told = re.search(r"writes nothing until (\d\d:\d\d:\d\d) UTC", app.get("/bottle/").text)
        assert told is not None
        now = datetime.now(timezone.utc)
        clock = Clock(now.replace(microsecond=0).timestamp())
        until = datetime.combine(now.date(), time.fromisoformat(told[1]), timezone.utc).timestamp()
        until += 0 if until > clock() else 86400  # midnight lies between
        manager = beaker_dynamodb.DynamoDBNamespaceManager
        around = dataclasses.replace(manager.surroundings, clock=clock)
        monkeypatch.setattr(manager, "surroundings", around)

        def made() -> list[str]:
            calls.clear()
            return operations(app.get("/bottle/?read=1"))

        clock.advance(until - clock() - 1)
        assert made() == ["GetItem"]
        clock.advance(1)
        assert made() == ["GetItem", "PutItem"]
        assert made() == ["GetItem"]

    def test_secrets_are_not_shown(self) -> None:
        """The page shows its configuration, but no secret of it."""
        app = TestApp(make_app({"aws_secret_access_key": "hidden-1", "aws_access_key_id": "hid2"}))

        page = app.get("/bottle/")

        assert "session.type = ext:dynamodb" in page
        assert "session.secret = …" in page
        assert "hid" not in page.html.find("pre").get_text()


class TestTrouble:
    def test_what_a_visitor_types_is_text(self, app: Any) -> None:
        """No browser runs what was typed as a name or put on the list."""
        evil = "<script>alert(1)</script>\"'&"
        app.get("/bottle/")
        send(app, "bottle", "add", evil)
        page = send(app, "pyramid", "login", evil)

        assert "<script" not in page
        assert page.html.select_one(".things li > span").get_text() == evil
        assert user(page) == evil
        assert "<script" not in send(app, "bottle", "remove", evil)

    @pytest.mark.parametrize("way", EACH)
    @pytest.mark.parametrize("token", [None, "", "wrong", "\udce4"])
    def test_a_form_of_another_site_does_nothing(self, app: Any, way: str, token: Any) -> None:
        """A form without the session's token is refused, and the page says so."""
        app.get(f"/{way}/")
        fields = {"do": "login", "words": "Mallory"}
        if token is not None:
            fields["token"] = token.encode("utf-8", "surrogateescape")

        page = app.post(f"/{way}/", fields, expect_errors=True)

        if page.status_int != 400:
            assert "nothing was done" in page.follow()
        assert user(app.get(f"/{way}/")) == "nobody yet"

    @pytest.mark.parametrize("way", EACH)
    def test_a_table_that_is_down_ends_no_session(self, way: str) -> None:
        """While nothing answers the page says so with 503, and the cookie is left alone."""
        app = TestApp(make_app({"endpoint_url": "embedded"}))
        app.get(f"/{way}/")
        port = free_port()
        down = {"endpoint_url": f"http://127.0.0.1:{port}", "max_attempts": "1"}
        broken = TestApp(make_app(down), cookiejar=app.cookiejar)

        page = broken.get(f"/{way}/", status=503)

        assert "Nobody is logged out by this" in page
        assert "once the table answers again" in page
        assert "Set-Cookie" not in page.headers
        assert fact(app.get(f"/{way}/"), "Visits, counted in the session") == "2"

    def test_a_wrong_option_is_said_before_anything_is_served(self) -> None:
        """A misspelled option ends the demo at once, with the name that was meant."""
        with pytest.raises(beaker_dynamodb.OptionError, match="did you mean 'table_name'"):
            make_app({"tablename": "x"})

    @pytest.mark.parametrize("missing", ["bottle", "pyramid_beaker"])
    def test_a_missing_framework_is_named(
        self, missing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra the demo says which one it is."""
        monkeypatch.setitem(sys.modules, missing, None)

        with pytest.raises(beaker_dynamodb.OptionError, match=r"beaker-dynamodb\[demo\]"):
            make_app({})

    def test_a_page_that_is_not_there_is_404(self, app: Any) -> None:
        """What is no application's is not found, without a session and without a call."""
        app.get("/favicon.ico", status=404)
        app.get("/bottle/nowhere", status=404)
        app.get("/pyramid/nowhere", status=404)
        assert app.get("/").location.endswith("/bottle/")
        assert app.get("/pyramid").location.endswith("/pyramid/")


class TestForEverybody:
    @pytest.fixture(params=["stranger", "visitor", "user"])
    def html(self, request: pytest.FixtureRequest, app: Any) -> Any:
        """Give each state of the page."""
        if request.param == "stranger":
            return app.get("/bottle/?read=1").html
        app.get("/bottle/")
        send(app, "bottle", "add", "milk")
        if request.param == "user":
            send(app, "bottle", "login", "Ada")
        return app.get("/bottle/").html

    def test_every_field_has_a_label(self, html: BeautifulSoup) -> None:
        """Who cannot see the page is told what each field and each button is for."""
        for field in html.select("input:not([type=hidden])"):
            assert html.select_one(f"label[for={field['id']}]") is not None
        names = [button.get_text(" ", strip=True) for button in html.select("button")]
        assert all(names)
        assert len(names) == len(set(names))

    def test_the_page_works_by_keyboard(self, html: BeautifulSoup) -> None:
        """The first stop is a link past the header; the order is that of the page."""
        stops = html.select("a[href], button, input:not([type=hidden])")

        assert stops[0]["href"] == "#main"
        assert html.select_one("main#main") is not None
        assert not html.select("[tabindex]:not([tabindex='0'], [tabindex='-1']), [autofocus]")

    def test_the_page_has_an_outline(self, html: BeautifulSoup) -> None:
        """A language, a title, one h1, no level left out, no id twice, every table a caption."""
        levels = [int(one.name[1]) for one in html.find_all(re.compile("^h[1-6]$"))]
        ids = [one["id"] for one in html.select("[id]")]
        named = [one["aria-labelledby"] for one in html.select("[aria-labelledby]")]
        root = html.find("html")

        assert root is not None
        assert root["lang"] == "en"
        assert html.title is not None
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert len(ids) == len(set(ids))
        assert set(named) <= set(ids)
        assert all(table.caption for table in html.find_all("table"))

    def test_nothing_comes_from_elsewhere(self, html: BeautifulSoup, app: Any) -> None:
        """The page and its style name no other host, and there is no script at all."""
        sources = [one.get("src") or one.get("href") for one in html.select("[src], link[href]")]

        assert sources == ["data:,", "/page.css"]
        assert not html.select("script, style, [style], iframe")
        assert app.get("/page.css").content_type == "text/css"
        assert not re.search(r"url\(|@import|https?:", asset("page.css"))

    def test_headers_keep_the_page_to_itself(self, app: Any) -> None:
        """No cache keeps it, no frame holds it, and its cookie is for this site's requests only."""
        page = app.get("/bottle/")

        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        for words in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert words in page.headers["Set-Cookie"]


class TestServing:
    @pytest.fixture
    def port(self) -> Iterator[int]:
        """Give the port of a demo that was started as its visitor starts it, and stop it."""
        command = [sys.executable, "-m", "beaker_dynamodb", "demo", "--port", "0"]
        # A shell's background job ignores Ctrl-C, and its children would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        signal.signal(signal.SIGINT, before)
        try:
            assert process.stdout is not None
            told = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert told is not None
            yield int(told[1])
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
            process.communicate()

    def test_the_address_that_is_printed_answers(self, port: int) -> None:
        """The demo prints where it is, serves the page there, and ends cleanly at Ctrl-C."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
            assert b"One session, two frameworks" in reply.read()

    def test_a_port_that_is_taken_is_said(self, port: int) -> None:
        """A second demo on the same port says in one sentence what to do."""
        command = [sys.executable, "-m", "beaker_dynamodb", "demo", "--port", str(port)]

        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert second.returncode != 0
        assert re.fullmatch(rf".*port {port} is in use; choose another one.*\n", second.stderr)
