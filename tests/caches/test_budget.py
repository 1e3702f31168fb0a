"""The calls that each operation of a cache makes, and no more."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

import pytest

import beaker_dynamodb
from tests.caches.tables import Maker, Table, fail_if_called, run_concurrently, use_clock
from tests.instruments import Clock, Recorder

REFUSED = "ConditionalCheckFailedException"
#: An eventually consistent read of up to 4 KB, and the second look, which is consistent.
READ, LOOK, WRITE = ("GetItem", 0.5), ("GetItem", 1.0), ("PutItem", 1.0)
LOCK, UNLOCK, REMOVED = WRITE, ("DeleteItem", 1.0), ("DeleteItem", 1.0)
#: Two and a half rows of what zlib cannot make smaller.
LARGE = random.Random(4).randbytes(1_000_000)

Act = Callable[[Any, Table], object]


@dataclass(frozen=True)
class Row:
    """A row of the budget: an operation, its preparation, and its calls with their units."""

    what: str
    act: Act
    calls: tuple[tuple[str, float | str], ...]
    before: Act = lambda cache, table: cache.put("k", "old", expiretime=10)
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.what


def empty(cache: Any, table: Table) -> None:
    """Begin with nothing."""


def put_expired(cache: Any, table: Table) -> None:
    """Begin with a value whose time is over."""
    cache.put("k", "old", expiretime=0)


def refresh_by_another(cache: Any, table: Table) -> None:
    """Begin with an expired value of which another server makes a new one."""
    put_expired(cache, table)
    assert table.on_another_server().manager().get_creation_lock("k").acquire()


def large(cache: Any, table: Table) -> None:
    """Begin with a value in chunks."""
    cache.put("k", LARGE)


def make(cache: Any, table: Table) -> None:
    """Get a value, and create it if it is missing."""
    cache.get("k", createfunc=Maker("new"))


def in_scopes(cache: Any, table: Table) -> None:
    """Ask four times inside three read scopes, and once after them."""
    for _ in range(3):
        cache.namespace.acquire_read_lock()
    assert cache["k"] == "old"
    assert "k" in cache
    cache.namespace.release_read_lock()
    assert "k" in cache.namespace
    assert "j" not in cache
    for _ in range(2):
        cache.namespace.release_read_lock()
    assert "k" in cache


BUDGET = (
    Row("hit", lambda c, _: c["k"], (READ,)),
    Row("hit, where there is a maker", lambda c, _: c.get("k", createfunc=fail_if_called), (READ,)),
    Row("consistent hit", lambda c, _: c["k"], (LOOK,), options={"consistent_read": "true"}),
    Row("`in`", lambda c, _: "k" in c, (READ,)),
    Row("miss without a maker", lambda c, _: "k" in c, (READ,), empty),
    Row("miss", make, (READ, LOCK, LOOK, WRITE, UNLOCK), empty),
    Row("miss, lock = process", make, (READ, LOOK, WRITE), empty, {"lock": "process"}),
    Row("refresh", make, (READ, LOCK, LOOK, WRITE, UNLOCK), put_expired),
    Row("stale", make, (READ, ("PutItem", REFUSED)), refresh_by_another),
    Row("put", lambda c, _: c.put("k", "new"), (WRITE,)),
    Row("remove", lambda c, _: c.remove_value("k"), (("GetItem", ANY), REMOVED)),
    Row("nested read scopes", in_scopes, (READ, READ, READ)),
    Row(
        "a value in three chunks, written",
        lambda c, _: c.put("k", LARGE),
        (LOOK, *[("PutItem", ANY)] * 3, WRITE),
        empty,
    ),
    Row(
        "a value in three chunks, written over another",
        lambda c, _: c.put("k", LARGE),
        (LOOK, *[("PutItem", ANY)] * 3, WRITE, ("BatchWriteItem", ANY)),
        large,
    ),
    Row(
        "a small value, written over one in chunks",
        lambda c, _: c.put("k", "small"),
        (WRITE, ("BatchWriteItem", ANY)),
        large,
    ),
    Row(
        "a value in three chunks, read", lambda c, _: c["k"], (READ, *[("GetItem", ANY)] * 3), large
    ),
    Row(
        "a value in three chunks, removed",
        lambda c, _: c.remove_value("k"),
        (("GetItem", ANY), REMOVED, ("BatchWriteItem", ANY)),
        large,
    ),
)


@pytest.mark.parametrize(
    ("row", "table"),
    [(row, "hash") for row in BUDGET]
    + [(row, "range") for row in BUDGET if row.what.startswith(("hit", "miss", "a value"))],
    ids=str,
    indirect=["table"],
)
def test_an_operation_makes_exactly_the_calls_of_its_budget(
    row: Row, table: Table, clock: Clock, calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each operation makes the calls of its row, at their units, and no others.

    Each is the first one of a process, so a call that only a first client makes would show.
    """
    use_clock(monkeypatch, clock)
    row.before(table.cache(), table)
    beaker_dynamodb.reset()
    cache = table.cache(**row.options)
    calls.clear()

    row.act(cache, table)

    told = [(call.operation, call.error or call.units) for call in calls]
    assert told == list(row.calls)


def test_threads_that_share_a_manager_pay_one_read_a_hit(plain: Table, calls: Recorder) -> None:
    """Each thread makes one call for each hit, and gets its own value."""
    cache = plain.cache()
    for number in range(8):
        cache.put(str(number), number)
    calls.clear()

    def reader(number: int) -> Callable[[], list[Any]]:
        return lambda: [cache.get(str(number), createfunc=fail_if_called) for _ in range(10)]

    assert run_concurrently([reader(n) for n in range(8)]) == [[n] * 10 for n in range(8)]
    assert calls.names == ["GetItem"] * 80


def test_threads_on_one_miss_make_the_value_once(plain: Table, calls: Recorder) -> None:
    """Of many threads on one miss one makes the value and pays for the row of the lock."""
    cache, maker = plain.cache(), Maker()

    got = run_concurrently([lambda: cache.get("k", createfunc=maker)] * 8)

    assert (got, maker.made) == ([1] * 8, 1)
    puts = [
        call for call in calls if call.operation == "PutItem" and "data" in call.request["Item"]
    ]
    values = [call for call in puts if "#lock:" not in str(call.request["Item"]["id"])]
    assert len(values) == 1
