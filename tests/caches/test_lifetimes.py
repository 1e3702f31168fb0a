"""How long a cached value lives, and what is served while a new one is created."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.caches.tables import (
    TIMEOUT,
    Maker,
    Table,
    fail_if_called,
    run_concurrently,
    run_in_thread,
)
from tests.instruments import Clock

DAY = 86400


def expiry_of(table: Table) -> float | None:
    """Read the only row's expiry."""
    (row,) = table.rows()
    return float(row["expires"]["N"]) if "expires" in row else None


@pytest.mark.parametrize("servers", [1, 2], ids=["one server", "two servers"])
def test_while_one_makes_a_new_value_all_others_get_the_old_one(
    table: Table, clock: Clock, wound: None, servers: int
) -> None:
    """20 threads ask for an expired value: one makes it, 19 have the old one before it is made.

    Half of them are another server: it is refused by the row of the lock, not by this process.
    """
    caches = [table.cache(), table.on_another_server().cache()][:servers]
    caches[0].put("k", "old", expiretime=30)
    clock.advance(40)
    begun, finish = threading.Event(), threading.Event()

    def make() -> str:
        begun.set()
        assert finish.wait(TIMEOUT)
        return "new"

    with run_in_thread(lambda: caches[0].get("k", createfunc=make, expiretime=30)) as maker:
        assert begun.wait(TIMEOUT)
        asks: list[Callable[[], object]] = [
            partial(caches[n % servers].get, "k", createfunc=fail_if_called) for n in range(19)
        ]
        others = run_concurrently(asks)
        made_before = list(maker)
        finish.set()

    assert (others, made_before, maker) == (["old"] * 19, [], ["new"])
    assert [cache["k"] for cache in caches] == ["new"] * servers


@pytest.mark.parametrize(
    ("options", "expiretime", "seconds"),
    [
        ({}, 30, 30 + 60),
        ({}, 0.5, 0.5 + 60 + 0.5),  # in whole seconds, and never less
        ({}, 0, 60),
        ({}, -5, 60),
        ({"stale_for": "5m"}, 30, 30 + 300),
        ({"stale_for": "0"}, 30, 30),
        ({}, None, 30 * DAY + 60),
        ({"ttl": "2h"}, None, 7200 + 60),
        ({"ttl": "2h", "timeout": "90"}, None, 90 + 60),
        ({"ttl": "0", "timeout": 90}, None, 90 + 60),
        ({"ttl": "2h"}, 30, 30 + 60),
        ({"ttl": "0"}, 30, 30 + 60),
        ({"ttl": "0"}, None, None),
        ({}, float("inf"), None),
    ],
)
def test_a_row_outlives_its_value_by_stale_for(
    plain: Table,
    clock: Clock,
    wound: None,
    options: dict[str, Any],
    expiretime: float | None,
    seconds: float | None,
) -> None:
    """A row expires `stale_for` after its value; without a lifetime after `ttl`, 0 is never."""
    plain.with_options(**options).cache().put("k", "v", expiretime=expiretime)

    assert expiry_of(plain) == (None if seconds is None else clock() + seconds)


def test_a_value_older_than_stale_for_is_not_served(
    plain: Table, clock: Clock, wound: None
) -> None:
    """The old value is served for `stale_for` seconds, although its row exists longer.

    DynamoDB deletes expired rows days later.
    """
    manager = plain.manager(stale_for="20s")
    manager.set_value("k", "v", expiretime=10)

    served = []
    for _ in range(4):
        served.append(("k" in manager, manager.has_key("k"), manager.keys()))
        clock.advance(10)

    stale = (True, False, ["k"])
    assert served == [(True, True, ["k"]), stale, stale, (False, False, [])]
    assert len(plain.rows()) == 1


FRACTIONS = (0.0, 0.001, 0.25, 0.5, 0.999)


@pytest.mark.parametrize("begun", FRACTIONS)
@pytest.mark.parametrize("lifetime", [1, 0.5, 2.75])
def test_has_key_ends_with_the_value_and_not_with_the_second(
    plain: Table, clock: Clock, wound: None, begun: float, lifetime: float
) -> None:
    """A value has its lifetime to the millisecond, and so has its row, whenever it was stored.

    DynamoDB's TTL wants whole seconds; rounded up by itself a value would live on for most of one.
    """
    clock.advance(begun)
    manager = plain.manager(stale_for="20s")
    manager.set_value("k", "v", expiretime=lifetime)

    told = []
    for step in (lifetime - 0.01, 0.02, 20 - 0.02, 0.02):
        clock.advance(step)
        told.append((manager.has_key("k"), "k" in manager, manager.keys()))

    stale: tuple[bool, bool, list[str]] = (False, True, ["k"])
    gone: tuple[bool, bool, list[str]] = (False, False, [])
    assert told == [(True, True, ["k"]), stale, stale, gone]
    expires = expiry_of(plain)
    assert expires is not None
    assert expires.is_integer()


@pytest.mark.parametrize("early", [{"N": "1000"}, {"N": "-1"}, {"N": "1E+125"}, {"S": "1"}])
def test_an_entry_that_claims_to_expire_early_by_more_than_a_second_is_a_miss(
    plain: Table, early: dict[str, str]
) -> None:
    """No writer produces such a row; a new value replaces it."""
    cache = plain.cache()
    cache.put("k", "forged")
    plain.change(*plain.rows(), early=early)

    assert cache.get("k", createfunc=Maker("new")) == "new"
    assert "early" not in plain.rows()[0] or plain.rows()[0]["early"] != early


def test_a_lifetime_beyond_the_calendar_is_for_ever(plain: Table) -> None:
    """A number of seconds that DynamoDB could not hold never fails a page."""
    manager = plain.manager()
    for lifetime in (1e12, 1e300, float("nan")):
        manager.set_value("k", "v", expiretime=lifetime)

        assert expiry_of(plain) is None
        assert manager.has_key("k")


def test_has_key_is_true_for_ever_of_a_value_without_a_lifetime(
    plain: Table, clock: Clock, wound: None
) -> None:
    """Under `ttl = 0` a value that was given no lifetime has none."""
    manager = plain.manager(ttl=0)
    manager["k"] = "v"

    clock.advance(1000 * DAY)

    assert manager.has_key("k")
    assert not manager.has_key("other")


def test_requests_wait_for_a_new_value_after_stale_for(
    plain: Table, clock: Clock, wound: None
) -> None:
    """If the old value may not be served any more, requests wait until the new one is created."""
    cache, make = plain.cache(), Maker("new")
    cache.put("k", "old", expiretime=30)

    clock.advance(30 + 60)

    assert (cache.get("k", createfunc=make), cache["k"], make.made) == ("new", "new", 1)


def test_the_attribute_timeout_is_beakers_own(plain: Table) -> None:
    """`manager.timeout` is the argument that Beaker passed, unchanged."""
    assert [plain.manager(timeout=given).timeout for given in (None, 30, "30")] == [None, 30, "30"]
