"""Deliberate defects in copies of the real code, each of which the checker must find.

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

from beaker_dynamodb.dynamodb import user_rows
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.item import decide, refusal
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.migration.on_demand import LegacySession
from beaker_dynamodb.sessions import ending, outage, rotation, saving
from beaker_dynamodb.sessions.store import SessionStore
from tests.model import properties, user_properties
from tests.model.explorer import Choice, Explored, Outcome, explore
from tests.model.memoized import find_difference
from tests.model.pages import (
    CHANGE,
    CHANGE_ELSEWHERE,
    CLEAR,
    COME_BACK,
    DROP,
    END_OTHERS,
    LOG_OUT,
    READ,
    REMEMBER,
    ROTATE,
    ROTATE_ELSEWHERE,
    SAVE_TWICE,
)
from tests.model.scenarios import DUE, TIME, TOO_OLD, Model, Scenario, Start


@dataclass(frozen=True)
class Defect:
    """A mistake in one function, and the requests among which it does harm.

    Args:
        name: what is wrong, as the documentation lists it.
        function: the function that has the mistake.
        old: lines of its source.
        new: the lines in their place.
        violates: the property that the checker finds violated.
        scenario: what is explored, a Scenario, or a CacheScenario.
    """

    name: str
    function: Callable[..., Any]
    old: str
    new: str
    violates: Callable[..., Any]
    scenario: Any

    def format_row(self, found: Explored) -> str:
        """Return the row of the table in docs/verification.md."""
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


def find_violation(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, *, as_they_are: int = 0
) -> Explored:
    """Explore all histories of a scenario, until one violates a property.

    Then run so many histories *as_they_are*, and raise AssertionError if one was different.
    """
    model = Model(scenario)
    with model.install(monkeypatch):
        explored = explore(
            model,
            lambda world: properties.check(model, world),
            late_creates=scenario.late_creates,
        )
        different = find_difference(model, as_they_are)
    assert not different, f"{scenario}: a request did something else beside others: {different}"
    return explored


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
        "condition = None",
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
        "refusal = put(condition, old)",
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
        "failed = _find_failed_load()",
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
    Defect(
        "a session that is ended is not deleted again under the row that replaced it",
        user_rows.delete_until_gone,
        "record = refusal.theirs",
        "return True",
        user_properties.end_from_elsewhere,
        Scenario((END_OTHERS, CHANGE)),
    ),
    Defect(
        "a repetition that fails is not tried again",
        ending.repeat,
        'ended again: %s", error)\n        return False',
        'ended again: %s", error)\n        return True',
        user_properties.end_from_elsewhere,
        Scenario((COME_BACK, READ), note_age=DUE),
    ),
    Defect(
        "a new id loses the note of `end_others()`",
        SessionStore.continue_from,
        "if record is not None and record.pending and old.pending is None:",
        "if False:",
        user_properties.end_from_elsewhere,
        Scenario((END_OTHERS, ROTATE_ELSEWHERE), is_strict=True, is_lagging=True),
    ),
    Defect(
        "a merge under the new id loses the note of another request",
        rotation.replace_old_row,
        "if theirs.pending != row.pending:",
        "if False:",
        user_properties.end_from_elsewhere,
        Scenario((END_OTHERS, ROTATE_ELSEWHERE), is_strict=True, is_lagging=True),
    ),
    Defect(
        "a request removes a note that it has not loaded",
        saving._choose_pending,
        "state.pending is not None and old.pending == loaded",
        "state.pending is not None",
        user_properties.end_from_elsewhere,
        Scenario((END_OTHERS, CHANGE_ELSEWHERE), is_lagging=True, note_age=TOO_OLD),
    ),
    Defect(
        "`max_age` is not applied to a merge",
        saving.Saver._make_record,
        "if state.max_age is not None:\n        limit",
        "if state.max_age is not None and content is state.ours:\n        limit",
        user_properties.end_at_max_age,
        Scenario((CHANGE, CHANGE), has_max_age=True),
    ),
    Defect(
        "a merge takes its expiry from the lifetime of ours",
        saving.Saver._make_record,
        "if content is not state.ours and content.values is not None:",
        "if False:",
        user_properties.keep_lifetimes,
        Scenario((CHANGE, REMEMBER), is_strict=True),
    ),
    Defect(
        "a merge under the new id takes its expiry from the lifetime of ours",
        SessionStore.merge_from,
        "self.own_timeout = read_time(merged.values, LIFETIME)",
        "pass",
        user_properties.keep_lifetimes,
        Scenario((ROTATE, REMEMBER), is_strict=True),
    ),
    Defect(
        "a session that was cleared before is not seen to be cleared",
        decide.is_cleared,
        "not base.is_saved",
        "False",
        properties.keep_sessions_apart,
        Scenario((CLEAR, CLEAR, CLEAR), faults=0),
    ),
    Defect(
        "a second merge under the new id is made from the base of the first",
        SessionStore.merge_from,
        "old.merged is None",
        "True",
        properties.repeat_no_write,
        Scenario((CHANGE, DROP, ROTATE), is_strict=True, faults=0),
    ),
)
