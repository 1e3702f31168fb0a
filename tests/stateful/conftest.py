"""The bench of the session machines: real sites behind a fault proxy, and a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import beaker.session
import pytest

from beaker_dynamodb import StrictSession
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions.requests import Browser, Site
from tests.sessions.views import use_clock
from tests.stateful.machine import CLIENT, Bench
from tests.stateful.oracle import MAX_AGE, TIMEOUT

MakeBench: TypeAlias = Callable[[str, bool, bool], Bench]


@pytest.fixture
def make_bench(
    proxy: FaultProxy,
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeBench:
    """Return a function that makes the bench of a variant; no time passes but the clock's."""
    use_clock(monkeypatch, clock)
    monkeypatch.setattr("beaker_dynamodb.sessions.lifetime.time", SimpleNamespace(time=clock))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep))

    def make(transport: str, strict: bool, migrate: bool) -> Bench:
        old = {"type": "file", "data_dir": str(tmp_path), "timeout": TIMEOUT}
        source = {"migrate_from": "file", "migrate_from.data_dir": str(tmp_path)}
        kind = StrictSession if strict else beaker.session.Session
        options: dict[str, Any] = {
            **CLIENT,
            **(source if migrate else {}),
            "transport": transport,
            "session_class": kind,
            "timeout": TIMEOUT,
            "max_age": MAX_AGE,
            "special_keys": "user",
            "index_special_keys": "user",
        }
        raw = Server(dynamodb_local, Flavor.LOCAL).client()

        def make_site() -> Any:
            site: Any = Site(proxy.url, table_name, **options)
            site.raw = raw
            return site

        def make_old_site() -> Any:
            return Site("", table_name, **old, session_class=beaker.session.Session)

        bench = Bench(proxy, clock, make_site)
        bench.make_old_site = make_old_site if migrate else None
        Browser(make_site()).write(user="creates the table")
        return bench

    return make
