"""The calls that showing and ending the sessions of a user makes, and what they cost.

The table in docs/user-sessions.md has the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest

import beaker_dynamodb
from beaker_dynamodb import UserSessions
from tests.instruments import Call, Recorder
from tests.sessions.devices import (
    CLASSES,
    TIMEOUT,
    Site,
    View,
    end,
    end_all,
    end_others,
    get_user,
    limit,
    list_devices,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "user-sessions.md"
HOUR: Final = 3600
#: The call of each request that uses its session, which the table leaves out.
LOAD: Final = ("GetItem", 1.0)
READS: Final = frozenset({"GetItem", "BatchGetItem", "Query"})
Step = Callable[[Site], View]


@dataclass(frozen=True)
class Row:
    """A row of the table: what is prepared with so many sessions of the user, and the view."""

    what: str
    sessions: int
    prepare: Step
    calls: str
    read: float
    write: float
    strict_only: bool = False

    def __str__(self) -> str:
        return f"| {self.what} | {self.calls} | {self.read:g} | {self.write:g} |"


def do(view: View) -> Step:
    """Return a preparation that does nothing, for a view that needs none."""
    return lambda site: view


def make_end(site: Site) -> View:
    """Return the view that ends the second device's session."""
    (handle,) = (one["handle"] for one in site.at("d0", list_devices) if one["device"] == "d1")
    return end(handle)


def repeat(site: Site) -> View:
    """End the others, and return the view of a request two seconds later."""
    site.at("d0", end_others)
    site.clock.advance(2)
    return get_user


def read_in_the_last_stretch(site: Site) -> View:
    """Read once a minute until the row expires at the longest lifetime."""
    began = site.clock()
    while site.clock() < began + HOUR - TIMEOUT + 180:
        site.clock.advance(60)
        site.at("d0", get_user)
    return get_user


BUDGET: Final = (
    Row("list 1 session", 1, do(list_devices), "Query, BatchGetItem", 1.5, 0),
    Row("list 10 sessions", 10, do(list_devices), "Query, BatchGetItem", 10.5, 0),
    Row("list 100 sessions", 100, do(list_devices), "Query, BatchGetItem", 101, 0),
    Row("`end(handle)`", 4, make_end, "Query, BatchGetItem, DeleteItem", 1.5, 2),
    Row(
        "`end_others()`, 3 others",
        4,
        do(end_others),
        "Query, BatchGetItem, 3 DeleteItem, PutItem",
        3.5,
        7,
    ),
    Row("the first request two seconds later", 4, repeat, "Query, PutItem", 0.5, 1),
    Row("`end_all()`, 3 others", 4, do(end_all), "Query, BatchGetItem, 4 DeleteItem", 3.5, 8),
    Row("`limit(2)`, 3 others", 4, do(limit(2)), "Query, BatchGetItem, 2 DeleteItem", 3.5, 4),
    Row("`limit(4)`, 3 others", 4, do(limit(4)), "Query, BatchGetItem", 3.5, 0),
    Row("`remember()`", 1, do(lambda session: session.remember()), "PutItem", 0, 1, True),
    Row(
        "a read in the last `timeout` before `max_age`",
        1,
        read_in_the_last_stretch,
        "none",
        0,
        0,
    ),
)


def describe(calls: list[Call]) -> str:
    """Return the operations of calls, as the table shows them."""
    runs = [(name, len(list(run))) for name, run in groupby(call.operation for call in calls)]
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in runs) or "none"


def sum_units(calls: list[Call], *, reads: bool) -> float:
    """Return what the reads, or the writes, consumed."""
    return sum(call.units or 0 for call in calls if (call.operation in READS) == reads)


@pytest.mark.parametrize("session_class", CLASSES)
@pytest.mark.parametrize("row", BUDGET, ids=lambda row: row.what)
def test_a_request_makes_exactly_the_calls_of_its_row(
    row: Row,
    session_class: str,
    dynamodb_local: str,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
    calls: Recorder,
) -> None:
    """Each is the first request of a process, so a call of a new client would show."""
    if row.strict_only and session_class != "StrictSession":
        pytest.skip("only StrictSession has it")
    more: dict[str, Any] = {"max_age": str(HOUR)} if "max_age" in row.what else {}
    site = Site.create(dynamodb_local, table_name, monkeypatch, session_class, **more)
    site.log_in(*(f"d{number}" for number in range(row.sessions)))
    view = row.prepare(site)
    beaker_dynamodb.reset()
    calls.clear()

    site.at("d0", view)

    load, *rest = calls
    assert (load.operation, load.units) == LOAD
    made = (describe(rest), sum_units(rest, reads=True), sum_units(rest, reads=False))
    assert made == (row.calls, row.read, row.write)


def test_the_last_stretch_is_only_reads(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """Each visit of it, up to the end of the session, at which the row expires."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, max_age=str(HOUR))
    site.log_in("d0")
    began = site.clock()
    read_in_the_last_stretch(site)
    (row,) = site.rows()
    assert int(row["expires"]["N"]) == began + HOUR
    calls.clear()

    for _ in range(26):
        site.clock.advance(60)
        assert site.at("d0", get_user) == 42

    assert [(call.operation, call.units) for call in calls] == [LOAD] * 26


def test_alone_no_session_is_read_to_end_the_others(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """Nor for a handle that no session of the user has."""
    site = Site.create(dynamodb_local, table_name, monkeypatch)
    site.log_in("d0")
    made = []
    for view in (end_others, limit(1), end("0" * 32)):
        calls.clear()
        site.at("d0", view)
        made.append(describe(list(calls)))

    assert made == ["GetItem, Query, PutItem", "GetItem, Query", "GetItem, Query"]


def test_another_users_sessions_are_found_without_a_read_of_the_own_one(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """An admin looks for a user who has none."""
    site = Site.create(dynamodb_local, table_name, monkeypatch)
    site.log_in("d0")
    calls.clear()
    site.at("d0", lambda session: list(UserSessions(session, "userId", 7)))

    assert describe(list(calls)) == "GetItem, Query"


def test_the_documents_table_has_the_rows_of_the_budget() -> None:
    """Each once, in this order."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index("|---|---|---|---|") + 1

    assert lines[start : start + len(BUDGET) + 1] == [*map(str, BUDGET), ""]
