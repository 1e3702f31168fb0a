"""Figures of a table: right to the row when all is read, near to it in a sample."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterable

import pytest

from beaker_dynamodb.item.codec import ROTATED, TOMBSTONE
from beaker_dynamodb.ops import prices, stats
from beaker_dynamodb.provisioning import provision
from tests.instruments import Recorder
from tests.ops.example_apps import LARGE, ExampleApp
from tests.revisions import make_rev


def read_stats(site: ExampleApp, after: float = 5.0, **how: int) -> stats.Stats:
    """Read to the end."""
    luck = random.Random(1)
    return list(stats.stats(site.rows, time.time() + after, generator=luck, **how))[-1]


def list_filled_bars(bars: Iterable[stats.Bar]) -> dict[str, int]:
    """Leave the empty bars out."""
    return {bar.label: bar.count for bar in bars if bar.count}


def test_every_row_is_counted_once(site: ExampleApp) -> None:
    """Live and expired, pieces, sizes, expiries and ages; other prefixes not at all."""
    site.save("day", timeout=20 * 3600)
    site.save("hour", timeout=1800, text="x" * 3000)
    site.save("gone", timeout=1)
    site.save("large", text=LARGE, timeout=40 * 86400)
    site.manager("opaque", timeout=10 * 86400)["session"] = "Zm9vYmFyYmF6"
    ExampleApp({**site.options, "prefix": "other:"}).save("theirs")

    found = read_stats(site)

    assert (found.live, found.expired, found.unreadable) == (4, 1, 0)
    assert (found.cache_values, found.locks, found.share) == (0, 0, 1)
    assert found.chunks > 2
    assert found.rows == 5 + found.chunks
    assert found.scanned_rows == found.rows + 1
    assert found.size > 900_000
    assert list_filled_bars(found.sizes) == {"to 512 B": 2, "to 4 KB": 1, "in chunks": 1}
    assert list_filled_bars(found.expiries) == {
        "to 1 hour": 1,
        "to 1 day": 1,
        "to 30 days": 1,
        "to 90 days": 1,
    }
    assert list_filled_bars(found.ages) == {"to 1 hour": 1, "to 6 hours": 3}
    assert found.read_units > 900_000 / 4096 / 2
    assert found.dollars_per_month == pytest.approx(
        (found.size + 100 * found.rows) / 2**30 * prices.STORAGE
    )


def test_a_session_without_expiry_and_an_unreadable_one(
    dynamodb_local: str, table_name: str
) -> None:
    """Both are counted as what they are."""
    site = ExampleApp.create(dynamodb_local, table_name, ttl="0")
    site.manager("for ever", timeout=None)["session"] = "Zm9vYmFyYmF6"
    site.put(id={"S": "sess:bad"}, rev={"B": make_rev("a.b")})

    found = read_stats(site)

    assert (found.live, found.unreadable) == (2, 1)
    assert list_filled_bars(found.expiries) == {"never": 2}


@pytest.mark.parametrize("kind", [TOMBSTONE, ROTATED])
def test_a_tombstone_is_counted_apart(site: ExampleApp, kind: int) -> None:
    """It replaces a session that has ended, or has another id now: neither live nor expired."""
    key = site.rows.layout.make_session_key("ended")
    site.rows.table.replace(site.rows.make_tombstone(key, None, kind))

    found = read_stats(site)

    assert (found.rows, found.tombstones) == (1, 1)
    assert (found.live, found.expired, found.unreadable) == (0, 0, 0)
    assert not list_filled_bars(found.sizes)


def test_an_empty_table_has_figures_too(site: ExampleApp) -> None:
    """Nothing is counted, and nothing is divided by nothing."""
    for found in (read_stats(site), read_stats(site, sample=10)):
        assert (found.live, found.rows, found.dollars_per_month) == (0, 0, 0)


def test_a_sample_reads_a_part_and_says_which(
    dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """Random segments, until so many rows are read; the storage is scaled up."""
    site = ExampleApp.create(dynamodb_local, table_name)
    client_rows = 1000
    site.save("made")
    put(site, client_rows)
    calls.clear()

    whole, part = read_stats(site), read_stats(site, sample=200)

    assert whole.live == client_rows + 1
    assert part.scanned_rows == 200
    assert part.share is not None
    assert part.live / part.share == pytest.approx(whole.live, rel=0.3)
    assert part.dollars_per_month == pytest.approx(whole.dollars_per_month, rel=0.3)
    assert {call.request.get("TotalSegments") for call in calls} >= {50}


@pytest.mark.parametrize("sample", [1, 50, 153])
def test_a_sample_of_a_small_table_is_no_larger_than_asked_for(
    dynamodb_local: str, table_name: str, sample: int
) -> None:
    """So many rows are read and paid for, even if a segment of the table has more."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("made")
    put(site, 153)

    assert read_stats(site, sample=sample).scanned_rows == sample
    assert read_stats(site, sample=10**30).share == 1


def test_a_sample_says_if_the_size_of_the_table_is_unknown(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB counts a table's rows every six hours, so a new one has none."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("made")
    put(site, 20)
    uncounted = dataclasses.replace(provision.measure(site.rows.table), rows=0)
    monkeypatch.setattr(stats, "measure", lambda _: uncounted)

    found = read_stats(site, sample=10)

    assert (found.live, found.share, found.dollars_per_month) == (10, None, None)
    assert read_stats(site, sample=30).share == 1


def put(site: ExampleApp, rows: int) -> None:
    """Write many rows alike, in batches."""
    of = site.rows
    text = site.manager("made")["session"]
    assert isinstance(text, str)
    made = of.table.get(site.key("made"), consistent=True)
    assert made is not None
    for start in range(0, rows, 25):
        of.table.call(
            "BatchWriteItem",
            {
                "RequestItems": {
                    of.table.name: [
                        {"PutRequest": {"Item": {"id": {"S": f"sess:{n:032x}"}, **item(made)}}}
                        for n in range(start, start + 25)
                    ]
                }
            },
        )


def item(made: object) -> dict[str, dict[str, object]]:
    """Write a record's attributes as AWS types them."""
    return {
        "data": {"B": made.data},  # type: ignore[attr-defined]
        "rev": {"B": made.rev},  # type: ignore[attr-defined]
        "expires": {"N": str(made.expires)},  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize(
    ("size", "indexes", "units"),
    [(1, 0, 1), (1024, 0, 1), (1025, 0, 2), (400 * 1024, 0, 400), (300, 2, 3)],
)
def test_a_delete_costs_whole_kilobytes_and_a_write_an_index(
    size: int, indexes: int, units: int
) -> None:
    """AWS's rule, in units."""
    assert prices.count_delete_units(size, indexes) == units


def test_a_scan_costs_half_a_unit_for_four_kilobytes() -> None:
    """An eventually consistent one; and a million of each unit at the list price."""
    assert prices.estimate_scan(8 * 1024 * 1024) == 1024
    assert prices.Cost(1e6, 1e6).dollars == pytest.approx(0.125 + 0.625)
