"""The example "my devices" in six browsers of one user, three under Bottle and three under Pyramid.

Both applications share one table on DynamoDB Local, and the settings in `devices/shared.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser import sites
from tests.browser.checks import find_overflow, find_serious_violations
from tests.browser.conftest import settings
from tests.browser.visitor import TIMEOUT_MS, Visitor, expect_user, log_in
from tests.servers import Flavor, Server

NAMES: Final = ("phone", "laptop", "tablet", "desk", "tv", "watch")


@pytest.fixture(scope="module")
def urls(
    tmp_path_factory: pytest.TempPathFactory, dynamodb_local: str
) -> Iterator[tuple[str, ...]]:
    """Serve Bottle's application by gunicorn and Pyramid's by waitress; yield both addresses."""
    folder = tmp_path_factory.mktemp("devices")
    with Server(dynamodb_local, Flavor.LOCAL).scratch("devices") as table:
        given = settings(dynamodb_local, table)
        with (
            sites.serve_example(folder, "gunicorn", "devices/bottle_app.py", given) as bottle,
            sites.serve_example(folder, "waitress", "devices/pyramid_app.py", given) as pyramid,
        ):
            yield bottle, pyramid


def list_signed_in(devices: dict[str, Page]) -> list[str]:
    """Load each device's page again; return the devices on which the user is signed in."""
    for page in devices.values():
        page.reload()
    return [name for name, page in devices.items() if "Hello, Ann." in page.content()]


def test_a_user_sees_six_devices_ends_one_and_then_all_others(
    urls: tuple[str, ...], new_visitor: Callable[..., Visitor]
) -> None:
    """Each framework's page lists the devices of both, and says which one it is shown on.

    The phone, at Bottle's, ends the TV, at Pyramid's; the desk, at Pyramid's, changes the password.
    What has ended is signed out at its next request.
    """
    devices: dict[str, Page] = {}
    for number, name in enumerate(NAMES):
        devices[name] = new_visitor(user_agent=name).tab(urls[number // 3])
        log_in(devices[name], "Ann")
    for name in ("phone", "desk"):
        devices[name].reload()
        listed = devices[name].get_by_role("listitem")
        expect(listed).to_have_count(6)
        for each in NAMES:
            expect(listed.filter(has_text=each)).to_have_count(1)
        expect(listed.filter(has_text="(this one)")).to_have_count(1)
        expect(listed.filter(has_text=f"{name} (this one)")).to_have_count(1)
    assert find_serious_violations(devices["phone"]) + find_overflow(devices["phone"]) == []

    listed = devices["phone"].get_by_role("listitem")
    listed.filter(has_text="tv").get_by_role("button", name="End").click()
    expect(listed).to_have_count(5, timeout=TIMEOUT_MS)

    assert list_signed_in(devices) == [name for name in NAMES if name != "tv"]
    expect_user(devices["tv"], None)
    log_in(devices["tv"], "Ann")

    devices["desk"].get_by_role("button", name="Change password").click()
    expect(devices["desk"].get_by_role("listitem")).to_have_count(1, timeout=TIMEOUT_MS)

    assert list_signed_in(devices) == ["desk"]


def test_another_sites_form_ends_nothing(
    urls: tuple[str, ...], new_visitor: Callable[..., Visitor]
) -> None:
    """It does not sign the user out either: the response sets no cookie."""
    devices = {}
    for url in urls:
        visitor = new_visitor()
        devices[url] = visitor.tab(url)
        log_in(devices[url], "Bob")
        page = visitor.context.new_page()
        page.goto(f"{url.replace('127.0.0.1', 'localhost')}/")
        page.set_content(f'<form method="post" action="{url}/password"><button>Win</button>')
        page.get_by_role("button", name="Win").click()
        expect(page.locator("body")).to_contain_text("not of this site", timeout=TIMEOUT_MS)
        visitor.expect_status(403)

    for page in devices.values():
        page.reload()
        expect(page.get_by_role("listitem")).to_have_count(2)
