"""The demo in an outage, by keyboard, with a screen reader, and started from a shell."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from bs4 import BeautifulSoup

import beaker_dynamodb
from examples.demo.__main__ import main, make_parser
from examples.demo.templates import read_asset
from tests.demo.pages import FRAMEWORKS, OpenDemo, read_fact, read_user, send
from tests.servers import free_port


class TestErrors:
    def test_what_a_visitor_types_is_text(self, app: Any) -> None:
        """No browser runs what was typed as a name or as a thing of the list."""
        evil = "<script>alert(1)</script>\"'&"
        app.get("/bottle/")
        send(app, "bottle", "add", evil)
        page = send(app, "pyramid", "login", evil)

        assert "<script" not in page
        assert page.html.select_one(".things li > span").get_text() == evil
        assert read_user(page) == evil
        assert "<script" not in send(app, "bottle", "remove", evil)

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    @pytest.mark.parametrize("token", [None, "", "wrong", "\udce4"])
    def test_a_form_of_another_site_does_nothing(
        self, app: Any, framework: str, token: Any
    ) -> None:
        """A form without the session's token is refused, and the page says so."""
        app.get(f"/{framework}/")
        fields = {"action": "login", "text": "Mallory"}
        if token is not None:
            fields["token"] = token.encode("utf-8", "surrogateescape")

        page = app.post(f"/{framework}/", fields, expect_errors=True)

        if page.status_int != 400:
            assert "nothing was done" in page.follow()
        assert read_user(app.get(f"/{framework}/")) == "nobody yet"

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_a_table_that_is_down_ends_no_session(
        self, open_demo: OpenDemo, framework: str
    ) -> None:
        """If DynamoDB does not answer the page is a 503 that says so, and the cookie is kept."""
        app = open_demo({"endpoint_url": "embedded"})
        app.get(f"/{framework}/")
        port = free_port()
        down = {"endpoint_url": f"http://127.0.0.1:{port}", "max_attempts": "1"}
        broken = open_demo(down, cookiejar=app.cookiejar)

        page = broken.get(f"/{framework}/", status=503)

        assert "Nobody is logged out by this" in page
        assert "when the table responds again" in page
        assert "Set-Cookie" not in page.headers
        assert read_fact(app.get(f"/{framework}/"), "Visits in this session") == "2"

    def test_a_wrong_option_is_reported_before_the_demo_starts(self, open_demo: OpenDemo) -> None:
        """A misspelled option ends the demo at once, and the error names the nearest option."""
        with pytest.raises(beaker_dynamodb.OptionError, match="did you mean 'table_name'"):
            open_demo({"tablename": "x"})

    @pytest.mark.parametrize("missing", ["bottle", "pyramid_beaker"])
    def test_a_missing_framework_is_named(
        self, open_demo: OpenDemo, missing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If a required package is missing, the demo names it."""
        monkeypatch.setitem(sys.modules, missing, None)

        with pytest.raises(beaker_dynamodb.OptionError, match=r"examples/demo/requirements\.txt"):
            open_demo({})

    def test_a_page_that_is_not_there_is_404(self, app: Any) -> None:
        """What is no application's is not found, without a session and without a call."""
        app.get("/favicon.ico", status=404)
        app.get("/bottle/nowhere", status=404)
        app.get("/pyramid/nowhere", status=404)
        assert app.get("/").location.endswith("/bottle/")
        assert app.get("/pyramid").location.endswith("/pyramid/")


class TestAccessibility:
    @pytest.fixture(params=["stranger", "visitor", "user"])
    def html(self, request: pytest.FixtureRequest, app: Any) -> Any:
        """Return the page in each of its states."""
        if request.param == "stranger":
            return app.get("/bottle/?read=1").html
        app.get("/bottle/")
        send(app, "bottle", "add", "milk")
        if request.param == "user":
            send(app, "bottle", "login", "Ada")
        return app.get("/bottle/").html

    def test_every_field_has_a_label(self, html: BeautifulSoup) -> None:
        """A screen reader finds a label for each field, and a unique name for each button."""
        for field in html.select("input:not([type=hidden])"):
            assert html.select_one(f"label[for={field['id']}]") is not None
        names = [button.get_text(" ", strip=True) for button in html.select("button")]
        assert all(names)
        assert len(names) == len(set(names))

    def test_the_page_works_by_keyboard(self, html: BeautifulSoup) -> None:
        """The first Tab stop is a link past the header, and the order is that of the page."""
        stops = html.select("a[href], button, input:not([type=hidden])")

        assert stops[0]["href"] == "#main"
        assert html.select_one("main#main") is not None
        assert not html.select("[tabindex]:not([tabindex='0'], [tabindex='-1']), [autofocus]")

    def test_the_page_has_an_outline(self, html: BeautifulSoup) -> None:
        """It has a language, a title, one h1, no skipped level, unique ids, captioned tables."""
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
        """The page and its style sheet name no other host, and there is no script."""
        sources = [one.get("src") or one.get("href") for one in html.select("[src], link[href]")]

        assert sources == ["data:,", "/page.css"]
        assert not html.select("script, style, [style], iframe")
        assert app.get("/page.css").content_type == "text/css"
        assert not re.search(r"url\(|@import|https?:", read_asset("page.css"))

    def test_headers_forbid_caching_and_framing(self, app: Any) -> None:
        """The page is not cached or framed, and its cookie is for this site's requests only."""
        page = app.get("/bottle/")

        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        for words in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert words in page.headers["Set-Cookie"]


class TestServing:
    @pytest.fixture
    def port(self) -> Iterator[int]:
        """Start a demo by README's command, yield its port, and stop it by Ctrl-C."""
        command = [sys.executable, "-m", "examples.demo", "--port", "0"]
        # A shell's background job ignores Ctrl-C, and its children would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        signal.signal(signal.SIGINT, before)
        try:
            assert process.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert address is not None
            yield int(address[1])
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
            process.communicate()

    def test_the_address_that_is_printed_answers(self, port: int) -> None:
        """The demo prints its address, serves the page there, and ends cleanly at Ctrl-C."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
            assert b"One session, two frameworks" in reply.read()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--port", "70000"], "'70000' is not a port"),
            (["--port", "many"], "'many' is not a port"),
            (["--outage", "0"], "'0' is not a number from 1 to 600"),
            (["-o", "table"], "expected NAME=VALUE"),
            (["-o", "=t"], "expected NAME=VALUE"),
            (["-o", "tabel=t"], "did you mean 'table'"),
            (["--config", "production.ini"], "unrecognized arguments"),
        ],
    )
    def test_a_usage_error_has_exit_code_2_and_a_message(
        self, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A wrong argument or option ends the command, and stderr has the reason."""
        try:
            code: object = main(arguments)
        except SystemExit as ended:  # raised by argparse
            code = ended.code
        captured = capsys.readouterr()

        assert code == 2
        assert captured.out == ""
        assert message in captured.err

    def test_an_outage_leaves_the_terminal_clean(self) -> None:
        """Nothing is printed of a first visit and of a broken store, least of all a session id."""
        command = [sys.executable, "-m", "examples.demo", "--port", "0", "--outage", "60"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[4] + "bottle/"
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            page = BeautifulSoup(browser.open(url, timeout=60).read(), "html.parser")
            (token, *_) = [field["value"] for field in page.select("input[name=token]")]
            form = urllib.parse.urlencode({"token": token, "action": "refuse"}).encode()
            with pytest.raises(urllib.error.HTTPError) as refused:
                browser.open(url, form, timeout=30)
            refused.value.close()
        finally:
            process.terminate()
            _, printed = process.communicate(timeout=60)

        assert refused.value.code == 503
        assert printed == ""

    def test_a_port_in_use_is_reported(self, port: int) -> None:
        """A second demo on the same port prints one sentence that says what to do."""
        command = [sys.executable, "-m", "examples.demo", "--port", str(port)]

        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert second.returncode != 0
        assert re.fullmatch(rf".*port {port} is in use; choose another one.*\n", second.stderr)


def test_the_help_shows_an_example_that_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns no option is separated from its value by the end of a line."""
    monkeypatch.setenv("COLUMNS", "80")

    last = make_parser().format_help().splitlines()[-1]

    assert last.startswith("Example: python -m examples.demo")
