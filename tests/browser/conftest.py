"""Start one chromium for this folder, and the demo and the examples on DynamoDB Local.

Playwright uses Debian's chromium, and downloads none. If a program is missing, these tests are
skipped; in continuous integration they fail.
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

#: No sandbox, because the tests may run as root in a container; and no background connections.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A site that is being served, and the proxy between it and DynamoDB Local."""

    url: str
    proxy: FaultProxy


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start a chromium with an empty profile; it ends after the last test of this folder."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("chromium is not installed: Debian's package of that name has it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=CHROMIUM_ARGUMENTS, timeout=120_000
        )
        yield launched
        launched.close()


@pytest.fixture
def new_visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Return a function that creates visitors; at the end no console may have a message."""
    with contextlib.ExitStack() as stack:
        visitors: list[Visitor] = []

        def create(**how: Any) -> Visitor:
            visitors.append(Visitor(browser, **how))
            stack.callback(visitors[-1].context.close)
            return visitors[-1]

        yield create
        messages = [text for one in visitors for text in one.messages]
        assert messages == []


@pytest.fixture
def visitor(new_visitor: Callable[..., Visitor]) -> Visitor:
    """Return one visitor with a desktop window."""
    return new_visitor()


@pytest.fixture(scope="package")
def proxy(dynamodb_local: str) -> Iterator[FaultProxy]:
    """Start the proxy before DynamoDB Local; a test can inject faults into it."""
    with FaultProxy(dynamodb_local) as started:
        yield started


@pytest.fixture(scope="package")
def demo(
    tmp_path_factory: pytest.TempPathFactory, proxy: FaultProxy, dynamodb_local: str
) -> Iterator[RunningSite]:
    """Serve the demo, on DynamoDB Local."""
    folder = tmp_path_factory.mktemp("demo")
    with (
        Server(dynamodb_local, Flavor.LOCAL).scratch("browser") as table,
        sites.serve_demo(folder, sites.make_options(proxy.url, table)) as url,
    ):
        yield RunningSite(url, proxy)


@pytest.fixture(scope="package")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a demo whose buttons break the store for six seconds; yield its address.

    Its table is in its memory, so that only the buttons, and no busy machine, cause an outage.
    """
    folder = tmp_path_factory.mktemp("breakable")
    options = {"read_timeout": "3s", "max_attempts": "1"}  # a request hangs for half of the outage
    with sites.serve_demo(folder, options, outage_seconds=6) as url:
        yield url


@pytest.fixture(scope="package", params=["gunicorn", "waitress"])
def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    proxy: FaultProxy,
    dynamodb_local: str,
) -> Iterator[tuple[RunningSite, RunningSite]]:
    """Serve two examples, Bottle's and Pyramid's, that share table, cookie and secret."""
    folder, server = tmp_path_factory.mktemp("shop"), request.param
    with (
        Server(dynamodb_local, Flavor.LOCAL).scratch("browser") as table,
        sites.serve_example(folder, server, "bottle_app.py", settings(proxy.url, table)) as bottle,
        sites.serve_example(
            folder, server, "development.ini", settings(proxy.url, table)
        ) as pyramid,
    ):
        yield RunningSite(bottle, proxy), RunningSite(pyramid, proxy)


def settings(url: str, table: str) -> dict[str, str]:
    """Return the ini settings that two applications share, the endpoint among them."""
    given = {f"session.{name}": value for name, value in sites.make_options(url, table).items()}
    return given | {"session.secret": "shared by both", "session.key": "shop"}


@pytest.fixture(autouse=True)
def repair_proxy(proxy: FaultProxy) -> Iterator[None]:
    """Repair the proxy after each test, and clear its records."""
    yield
    proxy.mend()
    proxy.clear()
