"""The proxy: it cuts and mends, leaves nothing behind, and hides no mistake."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.faults.fault_kinds import Hang
from tests.proxy import FaultProxy
from tests.selftests.bench import KEY, OLD, Bench, a_client
from tests.servers import Flavor, Server


def test_a_cut_refuses_and_a_mend_comes_back(bench: Bench) -> None:
    """A cut breaks hanging requests and refuses new ones; after it the same port serves again."""
    outcomes: list[Any] = []
    patient = Server(bench.proxy.url, Flavor.LOCAL).client(retries={"total_max_attempts": 1})
    slow = replace(bench, client=patient)
    bench.proxy.next(Hang(applied=False), operation="PutItem")
    writer = threading.Thread(target=lambda: outcomes.append(slow.outcome(slow.put)))
    writer.start()
    bench.proxy.wait_until(lambda: bench.proxy.seen)
    bench.proxy.cut()
    writer.join()

    assert outcomes == [ConnectionClosedError]
    assert bench.outcome(bench.get) is EndpointConnectionError

    bench.proxy.mend()

    assert bench.get() == OLD
    patient.close()


def test_nothing_is_left_of_a_proxy(bench: Bench, dynamodb_local: str) -> None:
    """When a proxy ends, its threads end, though clients are connected and requests hang."""
    before = set(threading.enumerate())
    with FaultProxy(dynamodb_local) as proxy:
        client = a_client(proxy.url)
        client.get_item(TableName=bench.table, Key=KEY)
        proxy.next(Hang(applied=True))
        outcome = bench.outcome(lambda: client.get_item(TableName=bench.table, Key=KEY))

        assert outcome is ReadTimeoutError
        assert set(threading.enumerate()) > before

    assert set(threading.enumerate()) == before
    client.close()


def test_a_mistake_in_a_fault_comes_out(dynamodb_local: str) -> None:
    """What a fault or its callback raises is raised at the end, not taken for the fault."""

    def mistaken(exchange: object) -> None:
        raise ZeroDivisionError

    def meet() -> None:
        with FaultProxy(dynamodb_local) as proxy:
            proxy.next(mistaken)
            client = a_client(proxy.url)
            with pytest.raises(ConnectionClosedError):
                client.list_tables()
            client.close()

    with pytest.raises(ZeroDivisionError):
        meet()


def test_connections_live_on(bench: Bench) -> None:
    """A client that asks a hundred times connects once, and each answer comes at once."""
    began = time.monotonic()
    for _ in range(100):
        assert bench.get() == OLD

    assert len(threading.enumerate()) <= 8
    assert time.monotonic() - began < 4  # with Nagle's delay it would be four and more
