"""Capacity is granted as AWS documents it, under a clock that the test winds."""

from __future__ import annotations

import pytest

from tests.instruments import Clock
from tests.throttle.buckets import Capacity, Kind, get_kind


def grant(capacity: Capacity, kind: Kind, key: str, clock: Clock, seconds: int) -> int:
    """Ask 100 times a second for a unit; return how often it was granted."""
    granted = 0
    for _ in range(seconds * 100):
        if capacity.refuse(kind, key, clock()) is None:
            capacity.charge(kind, key, 1)
            granted += 1
        clock.advance(0.01)
    return granted


@pytest.mark.parametrize("kind", ["Read", "Write"])
def test_what_was_not_used_for_five_minutes_can_be_used_at_once(kind: Kind) -> None:
    """Then the provisioned units are granted, and not more; reads and writes have buckets each."""
    clock, capacity = Clock(), Capacity(5, 5)

    assert grant(capacity, kind, "a", clock, 10) == 1000  # of 1,500 + 50
    assert grant(capacity, kind, "a", clock, 10) == pytest.approx(600, abs=2)
    assert grant(capacity, kind, "a", clock, 60) == pytest.approx(300, abs=2)
    assert capacity.refuse("Read" if kind == "Write" else "Write", "a", clock()) is None


def test_a_pause_fills_the_bucket_again_but_not_above_five_minutes() -> None:
    """After an hour there are 1,500 units, as after 300 seconds."""
    clock, capacity = Clock(), Capacity(5, 5)
    grant(capacity, "Write", "a", clock, 30)
    clock.advance(20)
    assert grant(capacity, "Write", "a", clock, 10) == pytest.approx(150, abs=2)

    clock.advance(3600)

    assert grant(capacity, "Write", "a", clock, 30) == pytest.approx(1650, abs=2)


def test_one_hot_row_is_throttled_by_its_partition() -> None:
    """The table has units left, and another partition serves."""
    clock, capacity = Clock(), Capacity(1000, 1000, each=(30, 10))

    assert grant(capacity, "Write", "hot", clock, 10) == pytest.approx(110, abs=2)
    assert capacity.refuse("Write", "hot", clock()) == "TableWriteKeyRangeThroughputExceeded"
    reasons = {capacity.refuse("Write", f"row {n}", clock()) for n in range(20)}
    assert reasons == {None, "TableWriteKeyRangeThroughputExceeded"}


def test_a_large_item_is_admitted_and_paid_for_afterwards() -> None:
    """Its units are known when it is stored, so a bucket may owe some."""
    clock, capacity = Clock(), Capacity(1, 1)
    capacity.charge("Write", "a", 299)
    assert capacity.refuse("Write", "a", clock()) is None
    capacity.charge("Write", "a", 400)

    clock.advance(390)
    assert capacity.refuse("Write", "a", clock()) == "TableWriteProvisionedThroughputExceeded"
    clock.advance(10)
    assert capacity.refuse("Write", "a", clock()) is None


def test_only_operations_on_rows_consume_units() -> None:
    """Those on tables do not."""
    assert [get_kind(name) for name in ("GetItem", "PutItem", "CreateTable")] == [
        *("Read", "Write", None)
    ]
