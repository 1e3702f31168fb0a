"""Purging: only our expired rows, at a rate, in threads, and stopped at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import purge
from beaker_dynamodb.ops.parallel import Bucket, Tally, run_parallel
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.runtime import Runtime
from tests.instruments import Clock, Recorder
from tests.ops.example_apps import LARGE, ExampleApp
from tests.revisions import make_rev

LATER = 10.0
DAY = 86400


def run_purge(site: ExampleApp, after: float = LATER, **how: Any) -> purge.Progress:
    """Purge to the end."""
    return list(purge.purge(site.rows, time.time() + after, **how))[-1]


def fill(site: ExampleApp) -> None:
    """Save what stays and what goes: live ones, expired ones, large ones, and another prefix's."""
    site.save("live", userId=42)
    site.save("long", text=LARGE)
    for number in range(7):
        site.save(f"gone{number}", timeout=1, userId=number)
    site.save("large", timeout=1, text=LARGE)
    ExampleApp({**site.options, "prefix": "other:"}).save("gone", timeout=1)


@pytest.mark.parametrize("segments", [1, 3])
def test_what_has_expired_goes_and_nothing_else(segments: int, site: ExampleApp) -> None:
    """Expired sessions with their pieces; live ones, and other applications' rows, stay."""
    fill(site)
    before = site.idents()

    done = run_purge(site, segments=segments)
    left = site.idents()

    gone = {ident.partition("#")[0] for ident in before - left}
    assert gone == {"sess:large", *(f"sess:gone{number}" for number in range(7))}
    assert {"sess:live", "sess:long", "other:gone"} <= left
    assert site.manager("long")["session"]
    assert (done.expired_rows, done.changed_rows) == (done.deleted_rows, 0)
    assert done.deleted_rows > 7 + 1 + 2
    assert done.write_units > done.deleted_rows


def test_a_dry_run_deletes_nothing_and_names_the_price(site: ExampleApp) -> None:
    """What it says beforehand is what the purge then costs, indexes included."""
    fill(site)
    before = site.idents()
    extent, cost = purge.estimate_scan_cost(site.rows)

    dry = run_purge(site, dry_run=True)
    assert site.idents() == before
    done = run_purge(site)

    assert (dry.expired_rows, dry.deleted_rows, dry.write_units) == (done.deleted_rows, 0, 0)
    assert dry.estimated_write_units == done.write_units
    assert extent.rows == done.scanned_rows
    assert cost.read_units == pytest.approx(done.read_units, rel=0.02, abs=1)


def test_a_session_that_is_touched_meanwhile_stays(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delete is conditional on the expiry that was read."""
    site.save("back", timeout=1)
    site.save("gone", timeout=1)
    original = scan.delete_expired

    def touched(table: Any, key: Key, expires: Decimal) -> Any:
        if key == site.key("back"):
            site.save("back")
        return original(table, key, expires)

    monkeypatch.setattr(scan, "delete_expired", touched)

    done = run_purge(site)

    assert (done.deleted_rows, done.changed_rows) == (1, 1)
    assert site.idents() == {"sess:back"}


def test_pieces_of_a_lost_write_go_when_their_head_would_have(site: ExampleApp) -> None:
    """A writer that died left pieces without a head; they are found by their own expiry."""
    manager = site.save("large", timeout=1, text=LARGE)
    rows, key = site.rows, site.key("large")
    rows.table.drop(key)
    assert manager is not None

    early, late = run_purge(site, after=-5), run_purge(site)

    assert (early.deleted_rows, late.deleted_rows > 1) == (0, True)
    assert site.idents() == set()


def test_a_creation_lock_is_kept_for_a_minute_after_its_expiry(
    dynamodb_local: str, table_name: str
) -> None:
    """A cache under the same prefix: its locks go late, its expired values at once."""
    site = ExampleApp.create(dynamodb_local, table_name)
    options = {n: v for n, v in site.options.items() if n != "special_keys"}
    cache = DynamoDBNamespaceManager("ns", **options, prefix="sess:", stale_for="0")
    lock = cache.get_creation_lock("key")
    assert lock.acquire()
    cache.set_value("value", 1, expiretime=1)
    cache.set_value("stays", 1, expiretime=3600)

    assert run_purge(site, after=30).deleted_rows == 1
    assert site.idents() == {"sess:ns#lock:key", "sess:ns:stays"}
    assert run_purge(site, after=30 + 60).deleted_rows == 1
    assert site.idents() == {"sess:ns:stays"}


def test_rows_of_no_form_of_ours_stay(dynamodb_local: str, table_name: str) -> None:
    """A row under our prefix that this package cannot have written is kept."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("a")
    rev = {"B": make_rev("birth.token")}
    site.put(id={"S": "sess:b#strange"}, rev=rev, expires={"N": "1"})
    site.put(id={"S": "sess:typed"}, rev=rev, expires={"S": "1"})
    site.put(id={"S": "sess:half"}, rev=rev, expires={"N": "1.5"})

    assert run_purge(site).deleted_rows == 1
    assert site.idents() == {"sess:a", "sess:b#strange", "sess:typed"}


def test_a_purge_reads_keys_and_expiries_alone(site: ExampleApp, calls: Recorder) -> None:
    """No payload comes over the wire, and live rows do not come at all."""
    site.save("live")
    site.save("gone", timeout=1)
    calls.clear()
    run_purge(site)

    assert calls.names == ["DescribeTable", "Scan", "DeleteItem"]
    assert "data" not in calls[1].request["ExpressionAttributeNames"].values()


def test_an_interruption_leaves_a_consistent_state_and_its_figures(site: ExampleApp) -> None:
    """What the tally says was deleted is gone, and nothing more; the next run does the rest."""
    for number in range(150):
        site.save(f"gone{number}", timeout=1)
    tally = Tally(purge.Progress())
    work = purge.purge(site.rows, time.time() + LATER, segments=2, tally=tally)

    for progress in work:
        if progress.deleted_rows:
            break
    work.close()

    assert threading.active_count() < 20
    assert len(site.idents()) == 150 - tally.progress.deleted_rows
    run_purge(site)
    assert site.idents() == set()


def test_a_rate_spreads_the_units_over_time() -> None:
    """Two threads share one bucket: together they spend no more than the rate."""
    clock = Clock(0)
    bucket = Bucket(10, Runtime(monotonic=clock.monotonic))
    waited = []
    for units in (128, 1, 1, 20):
        waited.append(bucket.spend(units))
        clock.advance(waited[-1])
    clock.advance(1000)
    waited.append(bucket.spend(15))

    assert waited == pytest.approx([12.8, 0.1, 0.1, 2.0, 0.5])
    assert Bucket(None, Runtime()).spend(1e9) == 0


def test_a_slow_purge_takes_the_time_that_its_units_ask_for(site: ExampleApp) -> None:
    """Units that DynamoDB reports, at a rate, are seconds; no test waits for them."""
    for number in range(5):
        site.save(f"gone{number}", timeout=1)
    clock = Clock(time.time())
    runtime = Runtime(clock=clock, monotonic=clock.monotonic, sleep=clock.sleep)
    rows = open_rows(parse(site.options, "session"), runtime)
    begun = clock.monotonic()

    done = list(purge.purge(rows, time.time() + LATER, rate=0.5))[-1]

    spent = done.read_units + done.write_units
    assert clock.monotonic() - begun == pytest.approx(spent / 0.5, abs=0.01)


def test_an_error_in_a_thread_is_the_callers() -> None:
    """The others stop, and none is left behind."""
    stopped = []

    def endless(stop: threading.Event) -> Iterator[int]:
        try:
            while not stop.is_set():
                yield 1
        finally:
            stopped.append(True)

    def failing(_: threading.Event) -> Iterator[int]:
        yield 2
        raise OSError("no")

    before = threading.active_count()
    with pytest.raises(OSError, match="no"):
        list(zip(run_parallel([endless, failing, endless]), range(10**9), strict=False))

    assert (stopped, threading.active_count()) == ([True, True], before)
