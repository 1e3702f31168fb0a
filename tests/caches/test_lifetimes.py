"""How long a cached value lives, and who is served what while a new one is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.caches.places import GUARD, Maker, Place, never, thread_of, together
from tests.instruments import Clock

DAY = 86400


def expiry_of(place: Place) -> float | None:
    """Read the only row's expiry."""
    (row,) = place.rows()
    return float(row["expires"]["N"]) if "expires" in row else None


@pytest.mark.parametrize("servers", [1, 2], ids=["one server", "two servers"])
def test_while_one_makes_a_new_value_all_others_get_the_old_one(
    place: Place, clock: Clock, wound: None, servers: int
) -> None:
    """20 threads ask for an expired value: one makes it, 19 have the old one before it is made.

    Half of them are another server: it is refused by the row of the lock, not by this process.
    """
    caches = [place.cache(), place.elsewhere().cache()][:servers]
    caches[0].put("k", "old", expiretime=30)
    clock.advance(40)
    begun, finish = threading.Event(), threading.Event()

    def make() -> str:
        begun.set()
        assert finish.wait(GUARD)
        return "new"

    with thread_of(lambda: caches[0].get("k", createfunc=make, expiretime=30)) as maker:
        assert begun.wait(GUARD)
        asks: list[Callable[[], object]] = [
            partial(caches[n % servers].get, "k", createfunc=never) for n in range(19)
        ]
        others = together(asks)
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
    plain: Place,
    clock: Clock,
    wound: None,
    options: dict[str, Any],
    expiretime: float | None,
    seconds: float | None,
) -> None:
    """A row expires `stale_for` after its value; without a lifetime after `ttl`, 0 is never."""
    plain.but(**options).cache().put("k", "v", expiretime=expiretime)

    assert expiry_of(plain) == (None if seconds is None else clock() + seconds)


def test_a_value_older_than_stale_for_is_not_served(
    plain: Place, clock: Clock, wound: None
) -> None:
    """The old value is there as long as `stale_for` says, and absent from then on.

    DynamoDB deletes days late: the row still stands.
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


def test_has_key_is_true_for_ever_of_a_value_without_a_lifetime(
    plain: Place, clock: Clock, wound: None
) -> None:
    """Under `ttl = 0` a value that was given no lifetime has none."""
    manager = plain.manager(ttl=0)
    manager["k"] = "v"

    clock.advance(1000 * DAY)

    assert manager.has_key("k")
    assert not manager.has_key("other")


def test_an_expired_value_that_nobody_refreshes_in_time_is_made_by_all_that_ask(
    plain: Place, clock: Clock, wound: None
) -> None:
    """Where even the old value is over, whoever asks waits for the one who makes the new one."""
    cache, make = plain.cache(), Maker("new")
    cache.put("k", "old", expiretime=30)

    clock.advance(30 + 60)

    assert (cache.get("k", createfunc=make), cache["k"], make.made) == ("new", "new", 1)


def test_the_attribute_timeout_is_what_beaker_handed_over(plain: Place) -> None:
    """`manager.timeout` is Beaker's own word, unread."""
    assert [plain.manager(timeout=given).timeout for given in (None, 30, "30")] == [None, 30, "30"]
