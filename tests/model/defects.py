"""Twelve deliberate defects in copies of the real code, each of which the checker must find.

A defect replaces a few lines in the source of one function, and puts the code that is compiled from
it in the function's place. So all that uses the function has the defect, under whatever name.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.item import refusal
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.migration.on_demand import LegacySession
from beaker_dynamodb.sessions import outage, rotation, saving
from tests.model import properties
from tests.model.explorer import Choice, Explored, Outcome, explore
from tests.model.pages import CHANGE, DROP, LOG_OUT, READ, ROTATE, SAVE_TWICE
from tests.model.scenarios import TIME, Model, Scenario, Start


@dataclass(frozen=True)
class Defect:
    """A mistake in one function, and the requests among which it does harm.

    Args:
        name: what is wrong, as the documentation lists it.
        function: the function that has the mistake.
        old: lines of its source.
        new: the lines in their place.
        violates: the property that the checker finds violated.
        scenario: what is explored.
    """

    name: str
    function: Callable[..., Any]
    old: str
    new: str
    violates: Callable[..., Any]
    scenario: Scenario

    def format_row(self, found: Explored) -> str:
        """Return the row of the table in docs/testing.md."""
        history = describe_history(found.shortest)
        return f"| {self.name} | `{self.violates.__name__}` | {history} |"

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the function's code by that of a copy with the defect."""
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.old) == 1, f"{self.name}: the function has changed"
        copy = "from __future__ import annotations\n" + source.replace(self.old, self.new)
        namespace: dict[str, Any] = {}
        exec(compile(copy, self.name, "exec"), self.function.__globals__, namespace)  # noqa: S102  # our own source
        monkeypatch.setattr(self.function, "__code__", namespace[self.function.__name__].__code__)


def find_violation(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> Explored:
    """Explore all histories of a scenario, until one violates a property."""
    model = Model(scenario)
    with model.install(monkeypatch):
        return explore(
            model,
            lambda world: properties.check(model, world),
            late_creates=scenario.late_creates,
        )


def describe_history(choices: tuple[Choice, ...]) -> str:
    """Describe a history in one line: the calls of each request, and what became of them."""
    return "; ".join(
        f"{one.actor} {one.call}" if one.outcome is Outcome.APPLIED else str(one).strip()
        for one in choices
    )


DEFECTS: Final = (
    Defect(
        "every write is unconditional",
        Table._write,
        "request |= self._format_condition(condition)",
        "pass",
        properties.keep_changes,
        Scenario((CHANGE, CHANGE)),
    ),
    Defect(
        "a refused write is merged from the wrong base",
        saving._make_content,
        "merge_contents(state.envelope, state.base, state.ours, read(theirs))",
        "merge_contents(state.envelope, read(theirs), state.ours, read(theirs))",
        properties.keep_changes,
        Scenario((CHANGE, CHANGE)),
    ),
    Defect(
        "births are not compared",
        refusal._classify,
        "theirs.birth != get_birth(write.rev)",
        "False",
        properties.end_for_good,
        Scenario((CHANGE, LOG_OUT, CHANGE), faults=0),
    ),
    Defect(
        "a refused delete is not repeated",
        refusal.after_refusal,
        "outcome = _TABLE[type(refused.write)][_classify(refused)]",
        "outcome = _APPLIED if isinstance(refused.write, Delete) else"
        " _TABLE[type(refused.write)][_classify(refused)]",
        properties.end_for_good,
        Scenario((CHANGE, LOG_OUT)),
    ),
    Defect(
        "a write that was repeated is not recognized by its token",
        Record.has_token,
        "return get_token(self.rev) == token or shorten(token) in self.list_previous_tokens()",
        "return False",
        properties.repeat_no_write,
        Scenario((CHANGE, DROP)),
    ),
    Defect(
        "a touch draws a new revision",
        saving.Saver._make_record,
        "isinstance(write, Touch) and not write.new_token",
        "False",
        properties.change_nothing_by_reading,
        Scenario((READ, READ)),
    ),
    Defect(
        "a logout leaves no tombstone",
        LegacySession.delete_with_tombstone,
        "refusal = self._put_tombstone(key, condition, old, kind)",
        "return self._rows.delete(key, condition, old)",
        properties.end_for_good,
        Scenario((READ, LOG_OUT), start=Start.OLD_BACKEND),
    ),
    Defect(
        "a conflict is resolved without regard to expiry",
        refusal._classify,
        "is_live = theirs.is_live(refused.now)",
        "is_live = True",
        properties.revive_nothing,
        Scenario((CHANGE, CHANGE), events=TIME),
    ),
    Defect(
        "a rotation puts its tombstone without a condition",
        rotation.put_rotation_tombstone,
        "return old.tombstones.put("
        "old.key, At(row.rev), row, lifetime=TOMBSTONE_LIFETIME, kind=ROTATED)",
        "return old.rows.drop(old.key)",
        properties.keep_changes,
        Scenario((CHANGE, ROTATE), is_strict=True),
    ),
    Defect(
        "a second save is not rebased",
        saving.Saver.save,
        "stored is not None and base is not None and stored.text != base.text",
        "False",
        properties.keep_changes,
        Scenario((CHANGE, SAVE_TWICE)),
    ),
    Defect(
        "a load that failed is followed by a new session",
        outage.refuse_in_place_of_another,
        "failed = _find_failed_load() if sys.exc_info()[1] else None",
        "failed = None",
        properties.replace_nothing_after_an_outage,
        Scenario((CHANGE, CHANGE)),
    ),
    Defect(
        "old chunks are deleted before the new manifest is stored",
        Rows.put,
        "refusal = self.table.put(manifest, condition)",
        "self._delete_chunks(old)\n    refusal = self.table.put(manifest, condition)",
        properties.keep_chunks_whole,
        Scenario((CHANGE,), has_chunks=True),
    ),
)
