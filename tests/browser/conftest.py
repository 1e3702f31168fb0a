"""One chromium for the folder, and before it the demo and the examples on DynamoDB Local.

Chromium is Debian's: Playwright drives it, and downloads none. Where one of them is missing, these
tests are skipped, and under continuous integration they fail.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import sites
from tests.browser.visitor import Visitor
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server, missing

#: No sandbox, for the tests may run as root in a container; and nothing that calls home.
WORDS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


@dataclass(frozen=True, slots=True)
class EncryptionContext:
    """A site, and the proxy between it and DynamoDB Local."""

    url: str
    proxy: FaultProxy


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give a chromium with a new, empty profile; it ends with the last test of this folder."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("chromium is not installed: Debian's package of that name has it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=WORDS, timeout=120_000
        )
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make visitors; in the end none of them may have heard a complaint of the console."""
    with contextlib.ExitStack() as stack:
        visitors: list[Visitor] = []

        def come(**how: Any) -> Visitor:
            visitors.append(Visitor(browser, **how))
            stack.callback(visitors[-1].context.close)
            return visitors[-1]

        yield come
        complaints = [text for one in visitors for text in one.complaints]
        assert complaints == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """Give one visitor, at a desk."""
    return visit()


@pytest.fixture(scope="package")
def proxy(dynamodb_local: str) -> Iterator[FaultProxy]:
    """Give the way to DynamoDB Local, which a test can break; each test begins with it whole."""
    with FaultProxy(dynamodb_local) as way:
        yield way


@pytest.fixture(scope="package")
def demo(
    tmp_path_factory: pytest.TempPathFactory, proxy: FaultProxy, dynamodb_local: str
) -> Iterator[EncryptionContext]:
    """Give the demo, on DynamoDB Local."""
    folder = tmp_path_factory.mktemp("demo")
    with (
        Server(dynamodb_local, Flavor.LOCAL).scratch("browser") as table,
        sites.demo(folder, sites.where(proxy.url, table)) as url,
    ):
        yield EncryptionContext(url, proxy)


@pytest.fixture(scope="package", params=["gunicorn", "waitress"])
def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    proxy: FaultProxy,
    dynamodb_local: str,
) -> Iterator[tuple[EncryptionContext, EncryptionContext]]:
    """Give two examples, Bottle's and Pyramid's, that share table, cookie and secret."""
    folder, server = tmp_path_factory.mktemp("shop"), request.param
    with (
        Server(dynamodb_local, Flavor.LOCAL).scratch("browser") as table,
        sites.site(folder, server, "bottle_app.py", settings(proxy.url, table)) as bottle,
        sites.site(folder, server, "development.ini", settings(proxy.url, table)) as pyramid,
    ):
        yield EncryptionContext(bottle, proxy), EncryptionContext(pyramid, proxy)


def settings(url: str, table: str) -> dict[str, str]:
    """Say in an ini file's words where DynamoDB answers, and what two applications share."""
    given = {f"session.{name}": value for name, value in sites.where(url, table).items()}
    return given | {"session.secret": "shared by both", "session.key": "shop"}


@pytest.fixture(autouse=True)
def mended(proxy: FaultProxy) -> Iterator[None]:
    """Leave the way whole, and forget what it has seen."""
    yield
    proxy.mend()
    proxy.clear()
