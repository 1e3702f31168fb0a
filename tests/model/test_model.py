"""The checker finds no violation in the real code, and finds those that it is shown.

What CI explores, and what only `--long` does, is the two tables below; docs/consistency.md says the
same. Each test explores all the histories of a few scenarios, and adds to the counts that are
printed at the end of the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.model.defects import describe_history, find_violation
from tests.model.explorer import FAULTS_OF_WRITES, Choice, Explored, Outcome
from tests.model.history import History
from tests.model.memoized import MemoizedWorld
from tests.model.pages import (
    CHANGE,
    CHANGE_ELSEWHERE,
    CLEAR,
    COME_BACK,
    DROP,
    END_ONE,
    END_OTHERS,
    LOG_IN,
    LOG_OUT,
    PAGES,
    READ,
    REMEMBER,
    ROTATE,
    ROTATE_ELSEWHERE,
    SIGN_IN,
    STRICT_PAGES,
    Page,
)
from tests.model.scenarios import (
    CATCH_UP,
    DUE,
    MAX_AGE_PASSES,
    TIME,
    TOO_OLD,
    TTL_DELETION,
    Scenario,
    Start,
)

#: How many histories of each scenario are run as they are.
AS_THEY_ARE: Final = 4
#: Requests that make few calls, so that all histories of a pair are few.
SHORT_PAGES = (READ, CHANGE, DROP, LOG_OUT, CLEAR)
MIGRATION = (Start.OLD_BACKEND,)
SHARED = (Start.NOBODY, Start.LOGGED_IN)
LOGGED_IN = (Start.LOGGED_IN,)
#: What a session does while another one of its user ends it.
ENDED_PAGES = (READ, CHANGE, REMEMBER, LOG_OUT, CLEAR, LOG_IN)
#: What the session does that has ended the others.
ENDING_PAGES = (COME_BACK, CHANGE_ELSEWHERE, ROTATE_ELSEWHERE, END_OTHERS)


@dataclass(frozen=True)
class Table:
    """A set of scenarios: every choice of `size` requests from `pages`, for each of the starts.

    If there are `others`, two requests are chosen: one from `pages`, and one from these.
    """

    name: str
    starts: tuple[Start, ...]
    pages: tuple[Page, ...] = PAGES
    scenario: Scenario = field(default_factory=lambda: Scenario(()))
    size: int = 2
    others: tuple[Page, ...] = ()

    def list_scenarios(self, start: Start, first: Page, *, is_strict: bool) -> Iterator[Scenario]:
        """List those that begin with one page, under one session class."""
        pages, others = (
            [one for one in group if is_strict or one not in STRICT_PAGES]
            for group in (self.pages, self.others)
        )
        choices = (
            itertools.product(pages, others)
            if others
            else itertools.combinations_with_replacement(pages, self.size)
        )
        for chosen in choices:
            if chosen[0] is first:
                yield replace(self.scenario, pages=chosen, is_strict=is_strict, start=start)


IN_CI = (
    Table("one fault", SHARED),
    Table("two faults", SHARED, (*SHORT_PAGES, ROTATE), Scenario((), faults=2)),
    Table("TTL deletion", SHARED, SHORT_PAGES, Scenario((), events=TTL_DELETION, faults=0)),
    Table("migration", MIGRATION, scenario=Scenario((), faults=0)),
    Table("migration, one fault", MIGRATION, SHORT_PAGES),
    Table("migration and a login, one fault", MIGRATION, (LOG_OUT,), others=(SIGN_IN,)),
    Table("expiry, one fault", SHARED, SHORT_PAGES, Scenario((), events=TIME)),
    Table("chunks", SHARED, SHORT_PAGES, Scenario((), faults=0, has_chunks=True)),
    Table("chunks, one fault", SHARED, SHORT_PAGES, Scenario((), has_chunks=True), size=1),
    Table("end others, one fault", LOGGED_IN, (END_OTHERS, END_ONE), others=ENDED_PAGES),
    Table(
        "end others, lagging index",
        LOGGED_IN,
        (END_OTHERS, END_ONE),
        Scenario((), is_lagging=True, faults=0),
        others=(*ENDED_PAGES, ROTATE),
    ),
    Table(
        "repetition, one fault",
        LOGGED_IN,
        (COME_BACK,),
        Scenario((), note_age=DUE),
        others=ENDED_PAGES,
    ),
    Table(
        "repetition and another request",
        LOGGED_IN,
        ENDING_PAGES[:-1],
        Scenario((), note_age=DUE, faults=0),
        others=(*ENDED_PAGES, ROTATE, *ENDING_PAGES),
    ),
    Table(
        "an old note, one fault",
        LOGGED_IN,
        (END_OTHERS,),
        Scenario((), note_age=TOO_OLD, is_lagging=True),
        others=(COME_BACK, CHANGE_ELSEWHERE),
    ),
    Table(
        "end others and another request",
        LOGGED_IN,
        (END_OTHERS,),
        Scenario((), is_lagging=True, faults=0),
        others=ENDING_PAGES,
    ),
    Table(
        "end others under migration",
        MIGRATION,
        (END_OTHERS, END_ONE),
        Scenario((), faults=0),
        others=(*ENDED_PAGES, ROTATE),
    ),
    Table(
        "three requests", LOGGED_IN, (CHANGE, DROP, CLEAR, ROTATE), Scenario((), faults=0), size=3
    ),
    Table("lifetimes, one fault", LOGGED_IN, (REMEMBER,), others=(*PAGES, REMEMBER)),
    Table(
        "max_age",
        LOGGED_IN,
        scenario=Scenario((), events=MAX_AGE_PASSES, has_max_age=True, faults=0),
        pages=(READ, CHANGE, LOG_OUT, CLEAR, ROTATE, REMEMBER),
    ),
    Table(
        "max_age, one fault",
        LOGGED_IN,
        (CHANGE,),
        Scenario((), events=MAX_AGE_PASSES, has_max_age=True),
        others=(READ, CHANGE, CLEAR, REMEMBER),
    ),
)
LONG = (
    Table(
        "end others, lagging index, one fault",
        LOGGED_IN,
        (END_OTHERS, END_ONE),
        Scenario((), is_lagging=True),
        others=(*ENDED_PAGES, ROTATE),
    ),
    Table(
        "end others while the index catches up",
        LOGGED_IN,
        (END_OTHERS,),
        Scenario((), is_lagging=True, events=CATCH_UP),
        others=ENDED_PAGES,
    ),
    Table(
        "repetition and another request, one fault",
        LOGGED_IN,
        ENDING_PAGES[:-1],
        Scenario((), note_age=DUE),
        others=(*ENDED_PAGES, ROTATE, *ENDING_PAGES),
    ),
    Table(
        "max_age, one fault, all requests",
        LOGGED_IN,
        (*PAGES, REMEMBER),
        Scenario((), events=MAX_AGE_PASSES, has_max_age=True),
    ),
    Table("expiry, one fault, all requests", SHARED, scenario=Scenario((), events=TIME)),
    Table("TTL deletion, one fault", SHARED, scenario=Scenario((), events=TTL_DELETION)),
    Table("migration, one fault, all requests", MIGRATION),
    Table(
        "migration and TTL deletion",
        MIGRATION,
        scenario=Scenario((), events=TTL_DELETION, faults=0),
    ),
    Table("migration and expiry, one fault", MIGRATION, SHORT_PAGES, Scenario((), events=TIME)),
    Table(
        "chunks, one fault, two requests",
        SHARED,
        (READ, CHANGE, LOG_OUT),
        Scenario((), has_chunks=True),
    ),
    Table("three requests, all kinds", SHARED, scenario=Scenario((), faults=0), size=3),
    Table("three requests, one fault", SHARED, (READ, CHANGE, LOG_OUT, CLEAR), size=3),
)


def list_cases(tables: tuple[Table, ...]) -> Iterator[object]:
    """List the parameters of one test for each table, start, session class and first page."""
    for table in tables:
        for start, is_strict, first in itertools.product(table.starts, (False, True), table.pages):
            scenarios = tuple(table.list_scenarios(start, first, is_strict=is_strict))
            if scenarios:
                kind = "StrictSession" if is_strict else "Session"
                name = f"{table.name}-{start.value}-{kind}-{first.name}".replace(" ", "_")
                yield pytest.param(scenarios, id=name)


def explore_all(
    scenarios: tuple[Scenario, ...],
    monkeypatch: pytest.MonkeyPatch,
    record_property: object,
) -> None:
    """Explore each scenario, and record the counts; a violation fails the test.

    Some histories of each scenario are run as they are, too.
    """
    explored = [find_violation(one, monkeypatch, as_they_are=AS_THEY_ARE) for one in scenarios]
    assert callable(record_property)
    record_property(
        "explored",
        (sum(one.histories for one in explored), sum(one.states for one in explored)),
    )
    found = [f"{one}: {e}" for one, e in zip(scenarios, explored, strict=True) if e.violation]
    assert not found, "\n".join(found)


@pytest.mark.no_cover  # it takes half the time, and the tests of each module cover the branches
@pytest.mark.parametrize("scenarios", list(list_cases(IN_CI)))
def test_no_history_breaks_a_guarantee(
    scenarios: tuple[Scenario, ...],
    monkeypatch: pytest.MonkeyPatch,
    record_property: object,
) -> None:
    """Whatever the order of two requests' calls, and whichever call fails, all properties hold."""
    explore_all(scenarios, monkeypatch, record_property)


@pytest.mark.long
@pytest.mark.parametrize("scenarios", list(list_cases(LONG)))
def test_no_longer_history_breaks_a_guarantee(
    scenarios: tuple[Scenario, ...],
    monkeypatch: pytest.MonkeyPatch,
    record_property: object,
) -> None:
    """Nor do they break with three requests and a fault, or a deletion by TTL and a fault."""
    explore_all(scenarios, monkeypatch, record_property)


def test_what_requests_share_in_a_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that depends on another one otherwise than by its responses fails the test.

    So the exploration may run the code of each request by itself.
    """
    last: list[str] = []

    def act(session: Any, actor: str) -> None:
        last[:] = [actor]
        session._session().save()
        session["last"] = f"ann:{last[0]}"
        session.save()

    share = Page("share", act)

    find_violation(Scenario((share,), faults=0), monkeypatch, as_they_are=10)
    with pytest.raises(AssertionError, match="something else"):
        find_violation(Scenario((share, share), faults=0), monkeypatch, as_they_are=10)


def test_a_late_creation_is_found_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented gap: a write that creates a session is applied again after a logout."""
    scenario = Scenario((CHANGE, LOG_OUT), start=Start.NOBODY)

    assert not find_violation(scenario, monkeypatch).violation
    found: Explored = find_violation(replace(scenario, late_creates=True), monkeypatch)

    assert found.violation == "end_for_good: A1 has come back after the logout of B"
    assert str(found.shortest[-1]) == "A PutItem applied after its answer"


@pytest.mark.parametrize(
    ("other", "violation"),
    [
        (LOG_OUT, "end_for_good: user of ann lives on after the logout of B"),
        (SIGN_IN, "keep_sessions_apart: the store has cart of ann in the session of bobB"),
    ],
    ids=lambda value: value.name if isinstance(value, Page) else "",
)
def test_a_logout_that_fails_halfway_is_found_if_asked_for(
    other: Page, violation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented gap of `migrate_from`: the row is there, and no longer the old session."""
    scenario = Scenario((LOG_OUT, other), start=Start.OLD_BACKEND)
    with monkeypatch.context() as patch:
        patch.setattr(History, "missed", lambda *_: False)
        found = find_violation(scenario, patch)
        strict = find_violation(replace(scenario, is_strict=True), patch)

    assert found.violation == violation
    text = (Path(__file__).parents[2] / "docs" / "consistency.md").read_text()
    assert describe_history(found.shortest).replace("; ", ", ") in " ".join(text.split())
    assert not strict.violation


def test_a_first_save_in_chunks_that_is_sent_again_is_found_if_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The documented gap: the logout in between has deleted the chunks, and the row is back."""
    scenario = Scenario((CHANGE, LOG_OUT), start=Start.NOBODY, has_chunks=True)
    with monkeypatch.context() as patch:
        patch.setattr(History, "has_created_twice", lambda _: False)
        found = find_violation(scenario, patch)
        strict = find_violation(replace(scenario, is_strict=True), patch)

    assert found.violation == "keep_chunks_whole: a set of chunks is missing"
    text = (Path(__file__).parents[2] / "docs" / "consistency.md").read_text()
    assert describe_history(found.shortest).replace("; ", ", ") in " ".join(text.split())
    assert not strict.violation
    assert not find_violation(scenario, monkeypatch).violation


def test_each_call_of_a_logout_meets_each_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `migrate_from` these are: load, read the old session, create its row, end both."""
    met = set[tuple[str, Outcome]]()
    take = MemoizedWorld.take

    def note(world: MemoizedWorld, choice: Choice) -> None:
        if choice.actor == "A":
            met.add((choice.call, choice.outcome))
        take(world, choice)

    monkeypatch.setattr(MemoizedWorld, "take", note)
    assert not find_violation(Scenario((LOG_OUT,), start=Start.OLD_BACKEND), monkeypatch).violation

    writes = {(call, fault) for call in ("PutItem", "Remove") for fault in FAULTS_OF_WRITES}
    reads = {(call, Outcome.FAILED) for call in ("GetItem", "Read")}
    harmless = {Outcome.BEGINS, Outcome.APPLIED, Outcome.APPLIED_LATE}
    assert {one for one in met if one[1] not in harmless} == writes | reads
