"""The calls that each operation of a session makes, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import beaker_dynamodb
from tests.instruments import Clock, Recorder
from tests.sessions import apps

#: A timeout of 600 s: what was touched 60 s ago, a tenth of it, is due.
TIMEOUT, TENTH = "600", 60.0

REFUSED = "ConditionalCheckFailedException"
READ, WRITE = ("GetItem", 1.0), ("PutItem", 1.0)
SIZE = 5000


@dataclass(frozen=True)
class Visit:
    """A browser and the clock, with the steps of the budget's rows."""

    web: Any
    clock: Clock

    def get(self, path: str, **carried: Any) -> Any:
        """Ask for a page, five seconds after the last one."""
        self.clock.advance(5)
        return self.web.get(path, extra_environ={f"test.{k}": v for k, v in carried.items()})


def both_change(visit: Visit) -> None:
    """Let a second request change another key during the first one."""
    visit.get("/set?mine=1", meanwhile=lambda: visit.get("/set?theirs=2"))


def later(path: str, seconds: float) -> Callable[[Visit], None]:
    """Ask for a page after a while."""

    def act(visit: Visit) -> None:
        visit.clock.advance(seconds - 5)
        visit.get(path)

    return act


def ask(path: str) -> Callable[[Visit], None]:
    """Ask for a page."""
    return later(path, 5)


@dataclass(frozen=True)
class Row:
    """A row of the budget: an operation, its preparation, and its calls with their units."""

    what: str
    act: Callable[[Visit], None]
    calls: tuple[tuple[str, float | str], ...]
    known: bool = True
    options: dict[str, str] = field(default_factory=dict)


BUDGET = (
    Row("a request that does not touch the session", ask("/none"), ()),
    Row("the same of a stranger", ask("/none"), (), known=False),
    Row("an anonymous read", ask("/read"), (), known=False),
    Row("a new session, saved", ask("/set?k=v"), (WRITE,), known=False),
    Row("read, touched less than touch_after ago", ask("/read"), (READ,)),
    Row("read, touched just less than touch_after ago", later("/read", TENTH - 1), (READ,)),
    Row("read, touched longer ago", later("/read", TENTH + 1), (READ, WRITE)),
    Row(
        "read, touched longer ago than a touch_after of 20 s",
        later("/read", 21),
        (READ, WRITE),
        options={"touch_after": "20s"},
    ),
    Row(
        "read, under save_accessed_time = false",
        later("/read", 3600),
        (READ,),
        options={"save_accessed_time": "false", "timeout": ""},
    ),
    Row("saved, but nothing changed", ask("/set?k=v"), (READ,)),
    Row("session changed", ask("/set?k=other"), (READ, WRITE)),
    Row("a key deleted", ask("/del?k"), (READ, WRITE)),
    Row(
        "two requests change different keys",
        both_change,
        (READ, READ, WRITE, ("PutItem", REFUSED), WRITE),
    ),
    Row("logout", ask("/delete"), (READ, ("DeleteItem", 1.0))),
    Row("logout of a stranger", ask("/delete"), (), known=False),
    Row(
        "auto = true, anonymous request",
        ask("/read"),
        (WRITE,),
        known=False,
        options={"auto": "true"},
    ),
    Row(
        "auto = true, known visitor who only reads",
        ask("/read"),
        (READ,),
        options={"auto": "true"},
    ),
    Row(
        "a session of 5,000 incompressible bytes, changed",
        lambda visit: visit.get("/put", value={"k": "other", "big": "y" * SIZE}),
        (("GetItem", 2.0), ("PutItem", 6.0)),
        options={"compress": "false"},
    ),
    Row(
        "the layout with a range key costs the same",
        ask("/set?k=other"),
        (READ, WRITE),
        options={"range_key": "kind"},
    ),
)


@pytest.mark.parametrize("row", BUDGET, ids=lambda row: row.what)
def test_an_operation_makes_exactly_the_calls_of_its_budget(
    row: Row,
    dynamodb_local: str,
    table_name: str,
    clock: Clock,
    calls: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each operation makes the calls of its row, at their units, and no others.

    Each is the first one of a process, so a call that only a first client makes would show.
    """
    apps.use_clock(monkeypatch, clock)
    apps.make_table(dynamodb_local, table_name, row.options.get("range_key"))
    options = {"timeout": TIMEOUT, **row.options}
    given = {name: value for name, value in options.items() if value}
    web = apps.at(dynamodb_local, table_name, **given)
    visit = Visit(web, clock)
    if row.known:
        big = "x" * SIZE if "compress" in row.options else "small"
        visit.get("/put", value={"k": "v", "big": big})
    beaker_dynamodb.reset()
    calls.clear()

    row.act(visit)

    assert [(call.operation, call.error or call.units) for call in calls] == list(row.calls)


def test_the_second_of_two_changes_keeps_the_first(
    dynamodb_local: str, table_name: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The five calls of two requests at once buy this: both find both changes afterwards."""
    apps.use_clock(monkeypatch, clock)
    web = apps.at(dynamodb_local, table_name, timeout=TIMEOUT)
    visit = Visit(web, clock)
    visit.get("/set?k=v")

    both_change(visit)

    assert visit.get("/read").json["values"] == {"k": "v", "mine": "1", "theirs": "2"}
