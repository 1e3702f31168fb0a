"""Pages with a cache during an outage, or with a missing or wrong table."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb import AccessRefused, TableMismatch, TableMissing, Unavailable, logs
from beaker_dynamodb.caches import store
from tests.caches.tables import IMPATIENT, ONCE, Maker, Table, fail_if_called, use_clock
from tests.faults.fault_kinds import Answer, Hang, LoseRequest, aws_error
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server

DOWN = aws_error("InternalServerError", status=500)


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """Have Beaker, the package and its log live by the test's clock."""
    use_clock(monkeypatch, clock)
    defaults: dict[str, Any] = logs.log_once_a_minute.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "monotonic", clock.monotonic)
    return clock


OUTAGES = {
    "hangs": Hang(applied=False),
    "closes": LoseRequest(),
    "is down": DOWN,
    "is throttled": aws_error("ProvisionedThroughputExceededException"),
    "answers nonsense": Answer(b"{}"),
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
def test_pages_are_served_in_an_outage(plain: Table, fault: Any, clocked: Clock) -> None:
    """With DynamoDB away a page makes its values itself; once it is back the cache is used."""
    with FaultProxy(plain.url) as proxy:
        plain.cache()["k"] = "stored"
        cache = Table(proxy.url, plain.name).cache(**IMPATIENT)
        proxy.next(fault, times=None)

        served = [cache.get("k", createfunc=Maker("made")), cache.get("j", createfunc=Maker(1))]
        cache["j"] = "not stored"
        here = "k" in cache, cache.has_key("j"), cache.namespace.has_key("k")
        proxy.clear()
        clocked.advance(store.OPEN_SECONDS)

        assert (served, here) == (["made", 1], (False, False, False))
        assert cache.get("k", createfunc=fail_if_called) == "stored"
        assert cache.get("j", createfunc=Maker("new")) == "new"


def test_a_page_that_only_stores_is_served_in_an_outage(plain: Table, clocked: Clock) -> None:
    """The value is dropped, and after the first write the circuit breaker is open."""
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache(**ONCE)
        proxy.next(DOWN, times=None)

        cache.put("k", "not stored")
        cache.put("j", "not stored")

        assert proxy.operations == ["PutItem"]


def test_twenty_pages_in_an_outage_wait_for_one_time_out(plain: Table, clocked: Clock) -> None:
    """The circuit breaker opens after one time-out: 20 pages make one call, locks included."""
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache(**IMPATIENT)
        proxy.next(Hang(applied=False), times=None)

        served = [cache.get(str(n), createfunc=Maker(n)) for n in range(20)]

        assert served == list(range(20))
        assert proxy.operations == ["GetItem"]


def test_an_outage_is_one_line_a_minute_in_the_log(
    plain: Table, clocked: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage is logged once a minute, however many pages are served."""
    caplog.set_level(logging.WARNING, "beaker_dynamodb")
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache(**ONCE)
        proxy.next(DOWN, times=None)
        told = []
        for _ in range(3):
            for number in range(4):
                clocked.advance(6)
                cache.get(f"secret {number}", createfunc=Maker(1))
            told.append(len(caplog.records))
            clocked.advance(36)

    assert told == [1, 2, 3]
    assert "secret" not in caplog.text


def test_who_asks_for_errors_gets_them(plain: Table) -> None:
    """Under `cache_errors = raise` reads and writes raise in an outage, each time."""
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache(cache_errors="raise", **ONCE)
        proxy.next(DOWN, times=None)

        for _ in range(2):
            for act in (lambda: cache["k"], lambda: "k" in cache, lambda: cache.put("k", 1)):
                with pytest.raises(Unavailable):
                    act()


REFUSALS = {
    "AccessDeniedException": AccessRefused,
    "UnrecognizedClientException": AccessRefused,
    "ResourceNotFoundException": TableMissing,
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_no_waiting_heals_is_raised(plain: Table, code: str) -> None:
    """A missing table and refused rights are no outage: a cache that never works must be heard."""
    with FaultProxy(plain.url) as proxy:
        cache = Table(proxy.url, plain.name).cache(create_table="false")
        proxy.next(aws_error(code), times=None)

        with pytest.raises(REFUSALS[code]):
            cache.get("k", createfunc=fail_if_called)
        with pytest.raises(REFUSALS[code]):
            cache.put("k", 1)


def test_a_table_of_another_key_schema_is_raised(plain: Table, ranged_table: Table) -> None:
    """A cache that is configured for another key schema than the table's raises."""
    for table in (plain.with_options(range_key="part"), ranged_table):
        with pytest.raises(TableMismatch):
            table.cache().get("k", createfunc=fail_if_called)


@pytest.fixture
def ranged_table(dynamodb_local: str, plain: Table) -> Iterator[Table]:
    """Return a table with a range key, and options without one."""
    made = Table(dynamodb_local, f"{plain.name}-ranged", {"range_key": "part"}).make()
    yield Table(dynamodb_local, made.name)
    client = Server(dynamodb_local, Flavor.LOCAL).client()
    client.delete_table(TableName=made.name)
    client.close()


def test_the_circuit_breaker_of_caches_does_not_affect_sessions(
    plain: Table, clocked: Clock
) -> None:
    """While it is open, sessions of the same table and client are loaded and saved."""
    with FaultProxy(plain.url) as proxy:
        there = Table(proxy.url, plain.name).with_options(**ONCE)
        there.session()["session"] = "text"
        proxy.next(DOWN, operation="GetItem")
        assert "k" not in there.cache()
        manager: Any = there.manager()
        assert manager._store._is_open()

        assert there.session()["session"] == "text"
        there.session("other")["session"] = "text"

    assert len(plain.rows()) == 2


def test_caches_of_another_table_go_on(plain: Table, ranged_table: Table, clocked: Clock) -> None:
    """The circuit breaker is that of one table under one connection; others are asked."""
    with FaultProxy(plain.url) as proxy:
        here = Table(proxy.url, plain.name).with_options(**ONCE).cache()
        there = Table(proxy.url, ranged_table.name, {"range_key": "part", **ONCE}).cache()
        there["k"] = "v"
        proxy.next(DOWN, operation="GetItem")

        assert ("k" in here, there["k"]) == (False, "v")
