"""The example "my devices", under both frameworks, with six browsers of one user."""

from __future__ import annotations

import importlib
import re
import sys
from http.cookies import SimpleCookie
from typing import Any, Final

import pytest
from webtest import TestApp

from examples.devices.shared import SETTINGS
from tests.servers import REGION

NAMES: Final = ("phone", "laptop", "tablet", "desk", "tv", "watch")
#: A browser of each framework: they alternate in the order of NAMES.
BOTH: Final = ("phone", "laptop")


@pytest.fixture
def browsers(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Return six browsers, three at each framework; both have one table on DynamoDB Local."""
    where = {"endpoint_url": dynamodb_local, "table": table_name, "region": REGION}
    for name, value in where.items():
        monkeypatch.setitem(SETTINGS, f"session.{name}", value)
    both = []
    for name in ("bottle_app", "pyramid_app"):
        monkeypatch.delitem(sys.modules, f"examples.devices.{name}", raising=False)
        both.append(importlib.import_module(f"examples.devices.{name}").app)
    return {
        name: TestApp(both[number % 2], lint=False, extra_environ={"HTTP_USER_AGENT": name})
        for number, name in enumerate(NAMES)
    }


@pytest.fixture
def signed_in(browsers: dict[str, Any]) -> dict[str, Any]:
    """Sign all browsers in as one user."""
    for name in NAMES:
        log_in(browsers[name], "ann")
    return browsers


def submit(browser: Any, action: str, **form: str) -> Any:
    """Send a form to the application, and return the response that redirects to the page."""
    return browser.post(f"/{action}", form, status="3*")


def log_in(browser: Any, user: str, **form: str) -> Any:
    """Log in by the page's form."""
    return submit(browser, "in", user=user, **form)


def list_devices(browser: Any) -> dict[str, str]:
    """Return the handle of each device that the page lists."""
    page = " ".join(browser.get("/").text.split())
    return dict(re.findall(r"<li>(\w+)[^<]*<button [^>]* value=\"(\w+)\"", page))


def list_signed_in(browsers: dict[str, Any], user: str = "ann") -> list[str]:
    """Return the browsers in which the user is signed in."""
    return [name for name in browsers if f"Hello, {user}." in browsers[name].get("/").text]


@pytest.mark.parametrize("viewer", BOTH)
def test_the_page_lists_six_and_ends_exactly_one(signed_in: dict[str, Any], viewer: str) -> None:
    """Under either framework, whichever the other one is signed in at."""
    listed = list_devices(signed_in[viewer])
    assert sorted(listed) == sorted(NAMES)
    assert signed_in[viewer].get("/").text.count("(this one)") == 1

    submit(signed_in[viewer], "end", handle=listed["tv"])

    assert list_signed_in(signed_in) == [name for name in NAMES if name != "tv"]


@pytest.mark.parametrize("viewer", BOTH)
def test_a_password_change_ends_five(signed_in: dict[str, Any], viewer: str) -> None:
    """The session at hand gets a new id, and goes on."""
    before = dict(signed_in[viewer].cookies)

    submit(signed_in[viewer], "password")

    assert list_signed_in(signed_in) == [viewer]
    assert dict(signed_in[viewer].cookies) != before


@pytest.mark.parametrize("viewer", BOTH)
def test_ending_the_session_at_hand_logs_out(signed_in: dict[str, Any], viewer: str) -> None:
    """It is in the list as the others are."""
    submit(signed_in[viewer], "end", handle=list_devices(signed_in[viewer])[viewer])

    assert list_signed_in(signed_in) == [name for name in NAMES if name != viewer]


@pytest.mark.parametrize("viewer", BOTH)
def test_only_a_user_who_asked_for_it_stays_signed_in(
    browsers: dict[str, Any], viewer: str
) -> None:
    """The cookie outlives the browser; the next user's in the same browser does not."""
    remembered = log_in(browsers[viewer], "ann", remember="on")
    plain = log_in(browsers[viewer], "bob")

    assert "expires=" in remembered.headers["Set-Cookie"]
    assert "expires=" not in plain.headers["Set-Cookie"]
    assert list_signed_in(browsers, "bob") == [viewer]
    assert sorted(list_devices(browsers[viewer])) == [viewer]


@pytest.mark.parametrize("viewer", BOTH)
def test_a_cookie_from_before_a_login_is_not_logged_in(
    browsers: dict[str, Any], viewer: str
) -> None:
    """A session id that an attacker planted is not logged in, nor is the last user's."""
    log_in(browsers[viewer], "ann")
    planted = "; ".join(f"{name}={value}" for name, value in browsers[viewer].cookies.items())

    log_in(browsers[viewer], "ann")

    assert "stranger" in browsers["tv"].get("/", headers={"Cookie": planted})


@pytest.mark.parametrize("viewer", BOTH)
def test_no_other_site_can_use_the_cookie(browsers: dict[str, Any], viewer: str) -> None:
    """No form of another site sends it, no script reads it, and a link changes nothing."""
    (cookie,) = SimpleCookie(log_in(browsers[viewer], "ann").headers["Set-Cookie"]).values()

    for action in ("in", "end", "password"):
        browsers[viewer].get(f"/{action}", status=[404, 405])

    assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)
    assert list_signed_in(browsers) == [viewer]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8080"])
@pytest.mark.parametrize("viewer", BOTH)
def test_another_sites_form_neither_logs_in_nor_out(
    browsers: dict[str, Any], viewer: str, origin: str
) -> None:
    """The browser sends it without the cookie; the response sets none."""
    for action in ("in", "end", "password"):
        form = {"user": "mallory", "handle": "x"}
        refused = browsers[viewer].post(f"/{action}", form, headers={"Origin": origin}, status=403)
        assert "Set-Cookie" not in refused.headers

    form = {"user": "ann"}
    browsers[viewer].post("/in", form, headers={"Origin": "http://localhost:80"}, status="3*")
    assert list_signed_in(browsers) == [viewer]


@pytest.mark.parametrize("viewer", BOTH)
def test_what_a_browser_sends_is_text_and_not_markup(browsers: dict[str, Any], viewer: str) -> None:
    """The user's name, and the name of the device."""
    browsers[viewer].extra_environ["HTTP_USER_AGENT"] = "<i>phone</i>"
    log_in(browsers[viewer], "<script>alert(1)</script>")

    page = browsers[viewer].get("/").text

    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;phone" in page
    assert "<script" not in page
    assert "<i>" not in page
