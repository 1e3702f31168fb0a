"""How many attempts a page makes before it fails; docs/deploying.md multiplies them by time-outs.

Attempts are counted, not timed. Beaker's second load makes none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.fault_kinds import Hang
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions import apps

HASTY = {"read_timeout": "0.5"}


@pytest.fixture(scope="module")
def table(dynamodb_local: str) -> Iterator[str]:
    """Create one table for all: each test has a session of its own in it."""
    with Server(dynamodb_local, Flavor.LOCAL).scratch("patience") as name:
        apps.make_table(dynamodb_local, name)
        yield name


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize(
    ("path", "silent", "asked"),
    [("/read", "GetItem", []), ("/set?k=v", "PutItem", ["GetItem"])],
)
def test_a_page_asks_no_oftener_than_it_was_told(
    path: str, silent: str, asked: list[str], attempts: int, proxy: FaultProxy, table: str
) -> None:
    """One call that is never answered is sent `max_attempts` times, and is the page's last."""
    apps.at(proxy.url, table).get("/set?user=alice", extra_environ=apps.with_cookie("a" * 32))
    web = apps.at(proxy.url, table, **HASTY, max_attempts=str(attempts))
    proxy.clear()
    proxy.next(Hang(applied=False), operation=silent, times=None)

    web.get(path, extra_environ=apps.with_cookie("a" * 32), status=500)

    assert proxy.operations == [*asked, *[silent] * attempts]


def test_the_default_is_three_attempts(proxy: FaultProxy, table: str) -> None:
    """The first row of the page's table."""
    web = apps.at(proxy.url, table, **HASTY)
    proxy.next(Hang(applied=False), times=None)

    web.get("/set?user=alice", status=500)

    assert proxy.operations == ["PutItem"] * 3
