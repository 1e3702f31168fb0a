"""The example "my devices", under both frameworks, with six browsers of one user."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from beaker.middleware import SessionMiddleware
from webtest import TestApp

from tests.servers import REGION

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "devices"
NAMES: Final = ("phone", "laptop", "tablet", "desk", "tv", "watch")


def load(name: str) -> ModuleType:
    """Import an example anew."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Pyramid looks there for the package of a caller
    spec.loader.exec_module(module)
    return module


def make_apps(url: str, table: str) -> list[Any]:
    """Make both applications on one table of DynamoDB Local, with one cookie's secret."""
    bottle, pyramid = load("bottle_app"), load("pyramid_app")
    where = {"endpoint_url": url, "table": table, "region": REGION}
    settings = {f"session.{name}": value for name, value in {**bottle.OPTIONS, **where}.items()}
    return [
        SessionMiddleware(bottle.pages, settings),
        pyramid.make_app({**pyramid.OPTIONS, **where}),
    ]


@pytest.fixture
def browsers(dynamodb_local: str, table_name: str) -> dict[str, Any]:
    """Sign six browsers in as one user: three at each framework."""
    both = make_apps(dynamodb_local, table_name)
    found = {}
    for number, name in enumerate(NAMES):
        agent = {"HTTP_USER_AGENT": name}
        found[name] = TestApp(both[number % 2], lint=False, extra_environ=agent)
        found[name].post("/in", {"user": "ann"}).follow()
    return found


def list_devices(browser: Any) -> dict[str, str]:
    """Return the handle of each device that the page lists; nothing if it shows the login."""
    page = " ".join(browser.get("/").text.split())
    return dict(re.findall(r"<li>(\w+)[^<]*<button formaction=\"/end/(\w+)\"", page))


def list_signed_in(browsers: dict[str, Any]) -> list[str]:
    """Return the browsers that are signed in."""
    return [name for name, browser in browsers.items() if "Hello, ann" in browser.get("/").text]


@pytest.mark.parametrize("viewer", ["phone", "laptop"])
def test_the_page_lists_six_and_ends_exactly_one(browsers: dict[str, Any], viewer: str) -> None:
    """Under either framework, whichever the other one is signed in at."""
    listed = list_devices(browsers[viewer])
    assert sorted(listed) == sorted(NAMES)

    browsers[viewer].post(f"/end/{listed['tv']}")

    assert list_signed_in(browsers) == [name for name in NAMES if name != "tv"]


@pytest.mark.parametrize("viewer", ["phone", "laptop"])
def test_a_password_change_ends_five(browsers: dict[str, Any], viewer: str) -> None:
    """The session at hand gets a new id, and goes on."""
    browsers[viewer].post("/password")

    assert list_signed_in(browsers) == [viewer]


def test_a_user_stays_signed_in(browsers: dict[str, Any]) -> None:
    """The cookie outlives the browser."""
    response = browsers["phone"].post("/in", {"user": "ann", "remember": "30"})

    assert "expires=" in response.headers["Set-Cookie"]
    browsers["phone"].post("/out")
    assert list_signed_in(browsers) == list(NAMES[1:])
