"""The recorded ten minutes: what they must show, and that the figure and the page show them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.throttle.figure import FIGURE, draw
from tests.throttle.run import BUSY, RECORD, run

ROOT = Path(__file__).parents[2]
FOUND = json.loads(RECORD.read_text("utf-8"))
TOTALS = FOUND["totals"]


def test_the_run_was_above_the_capacity_for_ten_minutes() -> None:
    """Reads and writes were throttled, and both kinds of pages failed."""
    assert FOUND["load ended"] >= BUSY[1]
    for name in ("read throttled", "write throttled", "/read failed", "/change failed"):
        assert TOTALS[name] > 100, name


def test_nobody_was_signed_out_and_nothing_was_lost() -> None:
    """An error page is the worst that a visitor saw."""
    assert (TOTALS["signed out"], FOUND["changes lost"]) == (0, 0)


def test_every_cached_part_was_served() -> None:
    """Its table was throttled all the time."""
    assert TOTALS["/part served"] > 500
    assert TOTALS["part created"] > 100


def test_the_recovery_took_no_longer_than_the_throttle() -> None:
    """The last error page came within ten seconds of the last throttled request."""
    assert FOUND["last failed"] <= FOUND["last throttled"] + 10
    assert FOUND["last throttled"] <= FOUND["load ended"] + 30


def test_the_figure_is_drawn_from_the_record() -> None:
    """`python -m tests.throttle.figure` draws it; it is valid XML."""
    text = FIGURE.read_text("utf-8")

    assert text == draw(FOUND)
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  # drawn above


def test_the_page_has_the_numbers_of_the_record() -> None:
    """docs/verification.md says what was found, and when."""
    page = " ".join((ROOT / "docs" / "verification.md").read_text("utf-8").split())

    assert FOUND["date"] in page
    for number in (
        TOTALS["/read failed"] + TOTALS["/change failed"],
        TOTALS["touch dropped"],
        TOTALS["/part served"],
        TOTALS["write throttled"],
        TOTALS["read throttled"],
    ):
        assert f" {number:,} " in page


@pytest.mark.long
def test_a_run_of_ten_minutes_signs_nobody_out() -> None:
    """The command of the record, run anew."""
    found = run(BUSY[1], 120)

    assert (found["totals"]["signed out"], found["changes lost"]) == (0, 0)
    assert found["totals"]["/change failed"] > 100
    assert found["last failed"] <= found["last throttled"] + 10
