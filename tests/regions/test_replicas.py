"""The simulated global table does what AWS documents."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.instruments import Clock
from tests.model.table import CREATES, MemoryClient
from tests.regions.replicas import GlobalTable


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test winds."""
    return Clock(1000.0)


@pytest.fixture
def table(clock: Clock) -> GlobalTable:
    """Return a table of two Regions, whose writes arrive after a second."""
    return GlobalTable(clock, 1.0, "eu", "us")


def put(client: MemoryClient, value: str, **condition: object) -> None:
    """Write the only item."""
    client.put_item(Item={"id": {"S": "k"}, "v": {"S": value}}, **condition)


def read(client: MemoryClient) -> str | None:
    """Read the only item by a consistent read; None if there is none."""
    item = client.get_item(Key={"id": {"S": "k"}}, ConsistentRead=True).get("Item")
    return str(item["v"]["S"]) if item else None


def test_a_write_arrives_after_the_lag(table: GlobalTable, clock: Clock) -> None:
    """A consistent read of the other Region does not find it before."""
    put(table.client("eu"), "1")
    clock.advance(0.9)
    assert (read(table.client("eu")), read(table.client("us"))) == ("1", None)

    clock.advance(0.1)
    assert read(table.client("us")) == "1"


@pytest.mark.parametrize(("first", "last"), [("eu", "us"), ("us", "eu")])
def test_the_last_writer_wins_in_both_regions(
    first: str, last: str, table: GlobalTable, clock: Clock
) -> None:
    """An older write that arrives later does not replace a newer one."""
    put(table.client(first), "old")
    clock.advance(0.5)
    put(table.client(last), "new")
    clock.advance(2)

    assert [read(table.client(one)) for one in (first, last)] == ["new", "new"]


@pytest.mark.parametrize("deletes_last", [True, False])
def test_a_deletion_is_a_write(table: GlobalTable, clock: Clock, *, deletes_last: bool) -> None:
    """It wins over an older write, and loses to a newer one."""
    put(table.client("eu"), "first")
    clock.advance(2)

    def delete() -> None:
        table.client("eu").delete_item(Key={"id": {"S": "k"}})

    def write() -> None:
        put(table.client("us"), "again")

    for step in (write, delete) if deletes_last else (delete, write):
        step()
        clock.advance(0.5)
    clock.advance(2)

    expected = None if deletes_last else "again"
    assert [read(table.client(one)) for one in ("eu", "us")] == [expected, expected]


def test_a_condition_is_evaluated_in_its_own_region(table: GlobalTable, clock: Clock) -> None:
    """So both Regions can create the same row."""
    condition = {
        "ConditionExpression": CREATES,
        "ExpressionAttributeValues": {":now": {"N": "1000"}},
    }
    put(table.client("eu"), "1", **condition)
    put(table.client("us"), "2", **condition)

    clock.advance(2)
    with pytest.raises(ClientError):
        put(table.client("us"), "3", **condition)


def test_a_lost_region_takes_its_last_writes_along(table: GlobalTable, clock: Clock) -> None:
    """What has arrived is kept."""
    put(table.client("eu"), "1")
    clock.advance(1)
    put(table.client("eu"), "2")
    table.lose("eu")
    clock.advance(9)

    assert read(table.client("us")) == "1"
    with pytest.raises(AssertionError, match="eu, which is down"):
        read(table.client("eu"))
