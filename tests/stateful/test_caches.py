"""A cache against a plain dictionary, on DynamoDB Local, through faults, over both transports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.caches.tables import Table, use_clock
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.stateful.caches import LIFETIME, make_machine
from tests.stateful.machine import CLIENT, Bench
from tests.stateful.runs import run_briefly, run_for_long

pytestmark = pytest.mark.no_cover  # the tests of each module cover the branches


@pytest.fixture(params=["raise", "bypass"])
def cache_errors(request: pytest.FixtureRequest) -> str:
    """Return what caches do in an outage."""
    return str(request.param)


@pytest.fixture(params=["boto3", "wire"])
def bench(  # noqa: PLR0917  # fixtures
    request: pytest.FixtureRequest,
    cache_errors: str,
    proxy: FaultProxy,
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    """Return a bench over each transport; no time passes but the clock's."""
    use_clock(monkeypatch, clock)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep))
    layout = {"range_key": "part"}
    Table(dynamodb_local, table_name, layout).make()
    options: dict[str, Any] = {**layout, **CLIENT, "transport": request.param}
    here = Table(proxy.url, table_name, {**options, "cache_errors": cache_errors})

    def make_caches(namespace: str) -> list[Any]:
        return [
            table.cache(namespace, expire=LIFETIME) for table in (here, here.on_another_server())
        ]

    return Bench(proxy, clock, lambda: make_caches)


def test_a_cache_is_what_a_dictionary_would_be(bench: Bench, cache_errors: str) -> None:
    """Reads find what was stored, and nothing that was removed or has expired."""
    run_briefly(make_machine(bench, bypass=cache_errors == "bypass"))


@pytest.mark.long
def test_a_cache_is_what_a_dictionary_would_be_for_long(bench: Bench, cache_errors: str) -> None:
    """The same with other examples in each run."""
    run_for_long(make_machine(bench, bypass=cache_errors == "bypass"))
