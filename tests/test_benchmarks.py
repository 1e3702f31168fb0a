"""Each benchmark runs, and the documents show what a run has recorded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cost, figures, recorded, visitors
from benchmarks.meter import Meter, Tally
from tests.servers import Flavor, Server, missing
from tests.test_docs import load_printer

ROOT = Path(__file__).parents[1]
PRINTER = load_printer()
PARTS = PRINTER.DOCUMENTS[ROOT / "docs" / "performance.md"]
RECORDS = sorted(path.stem for path in recorded.FOLDER.glob("*.json"))


def run(folder: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """Run a benchmark from its command line; return what it printed and what it recorded."""
    record = folder / "record.json"
    command = [sys.executable, "-m", *words, "--json", str(record)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(record.read_text())


def test_the_performance_page_shows_what_was_recorded() -> None:
    """Every table of docs/performance.md is what `docs/print.py` prints from the records."""
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")

    assert PRINTER.render(text, PARTS) == text


def test_a_figure_typed_by_hand_is_found() -> None:
    """Printing restores a number that was changed in docs/performance.md."""
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    typed = re.sub(
        r"^(\| connect-dynamodb \|.*?)\d+\.\d\d", r"\g<1>99.99", text, flags=re.MULTILINE
    )

    assert typed != text
    assert PRINTER.render(typed, PARTS) == text


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_drawn_from_the_current_record(name: str) -> None:
    """A figure holds the digest of its record, so an outdated figure is found."""
    text = (ROOT / "docs" / "figures" / f"{name}.svg").read_text("utf-8")
    drawn = re.search(r"Drawn from (\w+)\.json, ([0-9a-f]{12})\.", text)

    assert drawn is not None
    assert drawn[2] == figures.digest(drawn[1])


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_describes_the_machine_without_its_name(name: str) -> None:
    """A record says when, where and how it was measured; it does not hold the host's name."""
    found = recorded.read(name)

    assert {"date", "machine", "how"} <= set(found)
    assert os.uname().nodename not in json.dumps(found)


def test_the_bill_is_under_a_third_and_a_fifth_of_connect_dynamodbs() -> None:
    """At 1.5 KB: under a third with every default, under a fifth with `touch_after = 900`."""
    rows = recorded.read("cost")["sizes"]["1500"]
    beside = rows[cost.CONNECT]["dollars"]

    assert rows[cost.DEFAULTS]["dollars"] < beside / 3
    assert rows["ours, timeout = 1800, touch_after = 900"]["dollars"] < beside / 5


@pytest.mark.parametrize("size", visitors.SIZES)
def test_every_store_gets_the_same_session_of_the_given_size(size: int) -> None:
    """A session depends only on its seed, and has exactly the given number of bytes."""
    first, second = visitors.make_session(size), visitors.make_session(size)

    assert first == second
    assert visitors.measure_size(first) == size
    assert visitors.make_session(size, seed=2) != first


def test_a_visit_is_thirty_requests_in_ten_minutes() -> None:
    """A login comes first, then three changes; the last request is at the end."""
    steps = cost.make_steps()

    assert [path for _, path in steps].count("/change") == 3
    assert (len(steps), steps[0], steps[-1]) == (30, (0.0, "/login"), (600.0, "/read"))


def test_the_meter_counts_what_dynamodb_charged(dynamodb_local: str, table_name: str) -> None:
    """A client that does not ask for the charge is counted too, and gets its item unchanged."""
    with Meter(dynamodb_local) as meter:
        client = Server(meter.url, Flavor.LOCAL).client()
        client.create_table(
            TableName=table_name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item: Any = {"id": {"S": "one"}, "data": {"B": b"x" * 1_500}}
        client.put_item(TableName=table_name, Item=item)
        written = meter.take()
        found = client.get_item(TableName=table_name, Key={"id": {"S": "one"}})["Item"]
        read = meter.take()
        client.close()

    assert (written, read) == (Tally(1, 0.0, 2.0), Tally(1, 0.5, 0.0))
    assert found == item


@pytest.mark.long
def test_peers_runs(tmp_path: Path) -> None:
    """A tiny run has this package, the bare client, and the stores that could be installed."""
    said, found = run(
        tmp_path, "benchmarks.peers", "--rounds", "2", "--calls", "2", "--sizes", "300"
    )

    assert {"ours, boto3, pickle", "boto3 client, bare"} <= set(found["sizes"]["300"]["save"])
    assert "a session of 300 bytes" in said


@pytest.mark.long
def test_cost_runs(tmp_path: Path) -> None:
    """A visit with this package costs 29 reads, and a write for each change."""
    _, found = run(tmp_path, "benchmarks.cost", "--sizes", "300", "--only", "every default")

    row = found["sizes"]["300"][cost.DEFAULTS]
    assert (row["calls"], row["read_units"], row["write_units"]) == (33, 29.0, 4.0)


@pytest.mark.long
def test_scale_runs(tmp_path: Path) -> None:
    """A real gunicorn answers wrk without an error, with more and with fewer rows."""
    if shutil.which("wrk") is None:
        missing("wrk is not installed: it sends the requests")
    counts = ("--rows", "50", "100", "--connections", "1", "4", "--seconds", "1", "--rounds", "1")
    _, found = run(tmp_path, "benchmarks.scale", *counts)

    assert [row["rows"] for row in found["rows"]] == [50, 100]
    assert [row["connections"] for row in found["connections"]] == [1, 4]


@pytest.mark.long
def test_worker_runs(tmp_path: Path) -> None:
    """A real gunicorn answers wrk without an error, with this package and with ext:redis."""
    if shutil.which("wrk") is None:
        missing("wrk is not installed: it sends the requests")
    _, found = run(tmp_path, "benchmarks.worker", "--rounds", "1", "--seconds", "2")

    assert {page: [row["name"] for row in rows] for page, rows in found["pages"].items()} == {
        "read": ["ours", "Beaker ext:redis"],
        "change": ["ours", "Beaker ext:redis"],
    }


@pytest.mark.long
def test_startup_and_overhead_run(tmp_path: Path) -> None:
    """Both measure this package over boto3, whatever else is installed."""
    _, found = run(tmp_path, "benchmarks.startup", "--rounds", "1")
    assert "ours, first request, boto3" in found["rows"]

    _, found = run(tmp_path, "benchmarks.overhead", "--rounds", "1", "--calls", "2")
    assert {(row["transport"], row["action"]) for row in found["rows"]} >= {
        ("boto3", "load"),
        ("boto3", "save"),
        ("boto3", "plain"),
    }


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        "caches --rounds 1 --calls 2",
        "lambda_start --rounds 1",
        "wire --rounds 2 --sizes 300 --threads 2",
        "wire --rounds 2 --sizes 300 --tls",
        "operators --rows 100",
        "outage --rounds 1",
        "large --rounds 1 --size 1000000",
    ],
)
def test_a_benchmark_runs(command: str) -> None:
    """It ends without an error on the smallest numbers."""
    if command.startswith("caches") and shutil.which("redis-server") is None:
        missing("redis-server is not installed: the benchmark compares with it")
    done = subprocess.run(
        [sys.executable, "-m", *f"benchmarks.{command}".split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
