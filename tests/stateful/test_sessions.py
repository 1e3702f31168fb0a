"""Sessions against plain dictionaries, on DynamoDB Local, through faults, over both transports.

`DYNAMODB_STATEFUL_SECONDS` says how long the `long` test runs: an hour if it is not set.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import beaker.session
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as use_seed
from hypothesis.stateful import run_state_machine_as_test

from beaker_dynamodb import StrictSession
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.sessions.requests import Site
from tests.sessions.views import use_clock
from tests.stateful.machine import CLIENT, Bench
from tests.stateful.oracle import TIMEOUT
from tests.stateful.sessions import make_machine

SECONDS = float(os.environ.get("DYNAMODB_STATEFUL_SECONDS") or 3600)
#: Examples of each test in CI, and steps of each example.
EXAMPLES, STEPS = 25, 30
#: Transport, StrictSession or Beaker's own, and whether sessions come from another backend.
VARIANTS = (
    ("boto3", False, True),
    ("boto3", True, False),
    ("wire", True, True),
    ("wire", False, False),
)
RunMachine = Callable[..., Bench]
# Beaker warns at each load that fails: expected here.
pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


def make_settings(examples: int, *, derandomize: bool) -> settings:
    """Return hypothesis' settings: no deadline, and nothing remembered between runs."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        derandomize=derandomize,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )


@pytest.fixture
def make_bench(
    proxy: FaultProxy,
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> RunMachine:
    """Return a function that makes the bench of a variant; no time passes but the clock's."""
    use_clock(monkeypatch, clock)
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
        }
        raw = Server(dynamodb_local, Flavor.LOCAL).client()

        def make_site() -> Any:
            site: Any = Site(proxy.url, table_name, **options)
            site.raw = raw
            return site

        def make_old_site() -> Any:
            site = Site("", table_name, **old, session_class=beaker.session.Session)
            return site

        bench = Bench(proxy, clock, make_site)
        bench.make_old_site = make_old_site if migrate else None
        from tests.sessions.requests import Browser

        Browser(make_site()).write(user="creates the table")
        return bench

    return make


@pytest.mark.parametrize(("transport", "strict", "migrate"), VARIANTS)
def test_sessions_are_what_dictionaries_would_be(
    make_bench: RunMachine, transport: str, strict: bool, migrate: bool
) -> None:
    """The same examples in each run, so that it does not fail by chance."""
    bench = make_bench(transport, strict, migrate)
    machine = make_machine(bench, strict=strict)
    run_state_machine_as_test(machine, settings=make_settings(EXAMPLES, derandomize=True))
    print(dict(bench.figures))


@pytest.mark.long
@pytest.mark.parametrize(("transport", "strict", "migrate"), VARIANTS)
def test_sessions_are_what_dictionaries_would_be_for_long(
    make_bench: RunMachine, transport: str, strict: bool, migrate: bool
) -> None:
    """Other examples in each run; the seeds are printed."""
    bench = make_bench(transport, strict, migrate)
    machine = make_machine(bench, strict=strict)
    end = time.monotonic() + SECONDS / len(VARIANTS)
    while time.monotonic() < end:
        seed = random.randrange(2**32)
        print(f"seed {seed}", flush=True)
        run_state_machine_as_test(
            use_seed(seed)(machine), settings=make_settings(100, derandomize=False)
        )
    print(dict(bench.figures))
