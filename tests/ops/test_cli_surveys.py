"""Purge and stats at the command line: what they say before, meanwhile, and when interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.ops import purge
from beaker_dynamodb.ops.cli import sessions, wording
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.stats import Bar
from tests.ops.example_apps import ExampleApp, Run


def test_purge_purges(run: Run, shop: ExampleApp) -> None:
    """A dry run prices it, the run does it, and both say before what the reading costs."""
    code, out, err = run("purge", "--dry-run")
    assert (code, "1 row would be deleted" in out) == (0, True)
    assert err.startswith("reading 4 rows: about ")
    assert "sess:gone" in shop.idents()

    code, out, _ = run("purge", "--json", "--segments", "2", "--rate", "1000")
    told = json.loads(out)
    assert (code, told["deleted_rows"], told["expired_rows"], told["dry_run"]) == (0, 1, 1, False)
    assert told["dollars"] > 0
    assert "sess:gone" not in shop.idents()
    assert run("purge")[1].startswith("0 rows deleted; ")


@pytest.mark.parametrize("rate", ["nan", "-nan", "0", "-1", "fast"])
def test_a_rate_that_is_none_is_a_wrong_call(rate: str, run: Run, shop: ExampleApp) -> None:
    """A purge that was to be held must not run as fast as it goes: it would throttle the site."""
    before = shop.idents()

    code, out, err = run("purge", f"--rate={rate}")

    assert (code, out, "--rate" in err) == (2, "", True)
    assert shop.idents() == before


def test_an_interrupted_purge_says_how_far_it_came(
    run: Run, shop: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """130, exact figures on stderr, and what is left goes with the next run."""
    for number in range(3):
        shop.expire(f"old{number}")
    original, turns = scan.delete_expired, iter(range(9))

    def interrupted(*args: Any) -> Any:
        if next(turns) == 2:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(scan, "delete_expired", interrupted)
    code, out, err = run("purge", "--segments", "1")

    assert (code, out) == (130, "")
    assert "so far: 2 rows deleted" in err
    assert run("purge")[1].startswith("2 rows deleted")


def test_an_interruption_between_two_pages_says_what_is_true(
    run: Run, shop: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads continue while the bar is drawn, and end before the figures are printed."""
    for number in range(250):
        shop.expire(f"old{number}")
    turns = iter(range(9))

    @contextmanager
    def interrupted(*_: object) -> Iterator[Callable[[float], None]]:
        def move(_: float) -> None:
            if next(turns) == 2:
                raise KeyboardInterrupt

        yield move

    monkeypatch.setattr(Output, "progress", interrupted)
    code, _, err = run("purge", "--segments", "2")

    gone = 254 - len(shop.idents())
    assert (code, 0 < gone < 251) == (130, True)
    assert f"so far: {gone} row" in err


def test_stats_draws(run: Run) -> None:
    """Bars for people, figures for machines."""
    code, out, err = run("stats")
    assert (code, err) == (0, wording.EXPIRES_LATER + "\n")
    assert "3 live sessions, 1 expired, 0 unreadable" in out
    assert "█" in out

    told = json.loads(run("stats", "--json", "--sample", "100")[1])
    assert (told["live"], told["expired"], told["share"]) == (3, 1, 1)
    assert {"label": "to 6 hours", "count": 3} in told["ages"]


def test_bars_keep_their_proportions_on_a_narrow_terminal() -> None:
    """Bars that are cut off at the edge would look equally long."""
    title, *lines = sessions._histogram("age", (Bar("to 1 hour", 5), Bar("to 6 hours", 10)), 40)
    first, second = (len(line.split()[-1]) for line in lines)

    assert "age" in title
    assert max(map(len, lines)) <= 40
    assert second == 2 * first


def test_the_tally_is_what_python_reads_too(shop: ExampleApp) -> None:
    """What the command line can do, Python can do."""
    progress = list(purge.purge(shop.rows, time.time()))[-1]

    assert (progress.deleted_rows, shop.idents() & {"sess:gone"}) == (1, set())


def test_ctrl_c_ends_a_purge_in_threads(shop: ExampleApp) -> None:
    """A process that is interrupted while it waits for its rate prints its progress."""
    for number in range(30):
        shop.expire(f"old{number}")
    words = shop.argv("sessions", "purge", "--rate", "1")
    command = [sys.executable, "-m", "beaker_dynamodb", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        assert it.stderr.readline().startswith("reading ")
        while len(shop.idents()) == 34:
            assert it.poll() is None
        it.send_signal(signal.SIGINT)
        out, err = it.communicate(timeout=30)

    gone = 34 - len(shop.idents())
    assert (it.returncode, out) == (130, "")
    assert f"so far: {gone} row" in err
    assert 0 < gone < 31
    assert "Traceback" not in err
