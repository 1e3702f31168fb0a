"""What users lose in two Regions is counted; docs/global-tables.md has the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.regions.count import FAILOVER, LAGS, ROUTES, count, format_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "global-tables.md"
MOVES, EITHER = list(ROUTES)[2:]


@pytest.mark.parametrize("is_strict", [True, False], ids=["strict", "plain"])
def test_users_who_stay_in_one_region_lose_nothing(is_strict: bool) -> None:
    """Whatever the lag is."""
    found = count(next(iter(ROUTES)), 5.0, visitors=20, is_strict=is_strict)

    assert (found.visitors, found.pages) == (20, 400)
    assert found.changes > 60
    assert found.per_thousand() == (0, 0, 0, 0)


@pytest.mark.parametrize("route", [FAILOVER, MOVES, EITHER])
def test_users_who_move_lose_something(route: str) -> None:
    """A failover loses what had not arrived, but undoes no logout made afterwards."""
    found = count(route, 5.0, visitors=60)

    assert found.pages_signed_out
    assert found.visitors_signed_out
    assert found.changes_lost
    if route != MOVES:  # so few move that none may move between the logout and the old tab
        assert (found.logouts_undone > 0) is (route == EITHER)


@pytest.mark.parametrize("lag", LAGS)
def test_the_document_has_a_row_for_each_lag(lag: float) -> None:
    """Of each way in which requests find a Region."""
    text = DOCUMENT.read_text("utf-8")

    for route in ROUTES:
        assert f"\n| {route} | {lag:g} s | " in text


@pytest.mark.long
def test_the_document_has_what_is_counted() -> None:
    """The same visitors lose the same in each run: `python -m tests.regions.count`."""
    assert format_table() in DOCUMENT.read_text("utf-8")
