"""Ten minutes above a table's capacity, under a time that is handed in: what visitors notice."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import beaker_dynamodb
from beaker_dynamodb.caches.store import OPEN_SECONDS
from beaker_dynamodb.sessions import touches
from tests.instruments import Clock
from tests.simulated_time import simulate
from tests.throttle.application import Application, Tally, Visitor
from tests.throttle.buckets import Capacity
from tests.throttle.gates import make_client

#: Pages a second, and for how many seconds; the second part is within the capacity.
BUSY, QUIET = (4, 600), (0.4, 150)
VISITORS = 60


@pytest.fixture(scope="module")
def run() -> Iterator[tuple[Application, list[Visitor]]]:
    """Run it once; its tally and its visitors tell what happened."""
    clock = Clock(1_700_000_000.0)
    with simulate(clock, clock.sleep, random.Random(1)):
        tally = Tally(clock)

        def tell_cache(_: object, units: float, reason: str | None) -> None:
            tally.add("cache units", units)
            tally.add("cache throttled", reason is not None)

        common = {"table": "sessions", "region": "us-east-1", "create_table": False}
        writes, reads = 0.6, 2
        application = Application(
            tally,
            {**common, "client": make_client(Capacity(reads, writes), tally.tell, clock)},
            {**common, "client": make_client(Capacity(0.2, 0.1), tell_cache, clock)},
            cache_expire=3600,
        )
        visitors = [Visitor(f"visitor {number}") for number in range(VISITORS)]
        for visitor in visitors:
            application.log_in(visitor)
        end = beaker_dynamodb.observe(tally.watch)
        for rate, seconds in (BUSY, QUIET):
            tally.add("load")  # its last second is when it became light
            for _ in range(int(rate * seconds)):
                application.visit(application.random.choice(visitors))
                clock.advance(1 / rate)
        end()
        tally.clock = lambda: clock() + 1e6  # what the tests request is not counted with the run
        yield application, visitors


def test_the_table_was_throttled(run: tuple[Application, list[Visitor]]) -> None:
    """First the burst is used up, then many reads and writes are refused."""
    tally = run[0].tally

    assert tally.sum("write throttled", end=60) == 0
    assert tally.sum("write throttled") > 100
    assert tally.sum("read throttled") > 200
    assert tally.sum("/change failed") > 50
    assert tally.sum("/read failed") > 50


def test_nobody_is_signed_out(run: tuple[Application, list[Visitor]]) -> None:
    """A page is an error, or it is that of the visitor; nothing that was acknowledged is lost."""
    application, visitors = run

    assert application.tally.sum("signed out") == 0
    assert {visitor.name: application.find_lost_changes(visitor) for visitor in visitors} == {
        visitor.name: [] for visitor in visitors
    }


def test_a_touch_that_is_throttled_fails_no_page(run: tuple[Application, list[Visitor]]) -> None:
    """A page that only reads fails only if the session cannot be read."""
    tally = run[0].tally

    assert tally.sum("touch dropped") > 20
    assert tally.sum("/read failed") + tally.sum("/change failed") == pytest.approx(
        tally.sum("read throttled") + tally.sum("write throttled") - tally.sum("touch dropped")
    )


def test_touches_give_way_to_changes(run: tuple[Application, list[Visitor]]) -> None:
    """Before, touches are more than half of the writes; then they are one of three at most."""
    tally = run[0].tally
    first, end = tally.first("write throttled"), tally.last("load")
    touched, changed = (
        (tally.sum(name, end=first), tally.sum(name, first, end))
        for name in ("touch stored", "/change served")
    )

    assert touched[0] > changed[0]
    assert touched[1] < changed[1] / 2
    assert tally.sum("touch dropped") <= (end - first) / touches.PAUSE + 1


def test_caches_are_bypassed(run: tuple[Application, list[Visitor]]) -> None:
    """While they serve, ten parts are created once; then parts are created instead of read.

    After a call that was throttled, none is made for five seconds, whatever is asked for.
    """
    tally, first = run[0].tally, run[0].tally.first("cache throttled")

    assert tally.sum("/part served", end=first) > 50
    assert tally.sum("part created", end=first) <= 10
    assert tally.sum("part created", begin=first + 1) > 50
    assert tally.sum("cache throttled") <= (tally.last("load") - first) / OPEN_SECONDS + 1


def test_the_errors_end_with_the_load(run: tuple[Application, list[Visitor]]) -> None:
    """Not later than two seconds after it: nothing is kept up by what was refused before."""
    tally = run[0].tally
    end = tally.last("load")

    for name in ("/read failed", "/change failed", "touch dropped", "write throttled"):
        assert tally.last(name) <= end + 2
    assert tally.sum("/read served", begin=end) + tally.sum("/change served", begin=end) > 40
