"""Every interleaving of a few uses of one cache entry, on the real lock and store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.model.cache_defects import (
    AFTER_OUTAGE,
    APART,
    CLEARED,
    CLEARED_LATE,
    DEAD,
    DEAD_AHEAD,
    DEFECTS,
    EVENTUAL,
    IMPATIENT,
    PAUSED,
    REMOVED,
    THREADS,
    TWO,
)
from tests.model.cache_properties import (
    Property,
    check,
    read_nothing_made_before_a_removal,
    read_nothing_that_was_removed_or_is_late,
)
from tests.model.caches import CacheModel, CacheScenario, let_the_lease_pass
from tests.model.defects import Defect
from tests.model.explorer import Explored, explore

DOCUMENT = Path(__file__).parents[2] / "docs" / "verification.md"
SCENARIOS = (
    CacheScenario(TWO, faults=0),
    DEAD,
    PAUSED,
    DEAD_AHEAD,
    IMPATIENT,
    APART,
    THREADS,
    CacheScenario(TWO, start=1500, faults=0),
    EVENTUAL,
    CacheScenario(TWO, fails="Create"),
    CacheScenario(TWO, fails="Create", one_server=True),
    CacheScenario(("put", "make", "read"), start=1500, faults=0),
    CacheScenario(("put", "clear", "read")),
    CacheScenario(("put", "remove", "read")),
    CLEARED_LATE,
    CLEARED,
    AFTER_OUTAGE,
    REMOVED,
    CacheScenario(("make", "clear", "read")),
)
LONG = (
    CacheScenario(TWO),
    CacheScenario(TWO, (let_the_lease_pass,)),
    CacheScenario(TWO, one_server=True),
    CacheScenario(TWO, (let_the_lease_pass,), clocks=(0, 1.5), faults=0),
)


def run(scenario: CacheScenario, patch: pytest.MonkeyPatch, find: Property = check) -> Explored:
    """Explore a scenario, and print what was explored."""
    with CacheModel(scenario).install(patch) as model:
        explored = explore(model, find)  # type: ignore[arg-type]  # its worlds are ours
    print(f"{scenario}: {explored}")
    return explored


@pytest.mark.no_cover  # as in test_model.py
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_no_interleaving_breaks_a_promise_about_caches(
    scenario: CacheScenario,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """No history of a scenario violates a property."""
    explored = run(scenario, monkeypatch)
    record_property("explored", (explored.histories, explored.states))
    assert not explored.violation, str(explored)


@pytest.mark.long
@pytest.mark.parametrize("scenario", LONG, ids=str)
def test_no_longer_interleaving_breaks_a_promise_about_caches(
    scenario: CacheScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No history of a larger scenario violates a property."""
    explored = run(scenario, monkeypatch)
    assert not explored.violation, str(explored)


@pytest.mark.parametrize(
    ("scenario", "find"),
    [
        (CacheScenario(("make", "clear", "read"), faults=0), read_nothing_made_before_a_removal),
        (CacheScenario(("put", "clear", "read")), read_nothing_that_was_removed_or_is_late),
    ],
)
def test_what_is_not_guaranteed_is_found_when_asked(
    scenario: CacheScenario, find: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checker finds the two documented gaps."""
    assert run(scenario, monkeypatch, find).violation


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name.replace(" ", "_"))
def test_a_deliberate_defect_is_found(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shortest history breaks the property that guards against it, as the document says."""
    with monkeypatch.context() as patch:
        defect.put_in(patch)
        found = run(defect.scenario, patch)

    assert found.violation.startswith(f"{defect.violates.__name__}: "), str(found)
    assert defect.format_row(found) in DOCUMENT.read_text().splitlines()
