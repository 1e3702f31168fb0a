"""Every interleaving of a few uses of one cache entry, on the real lock and store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beaker_dynamodb.caches import creation_lock
from beaker_dynamodb.caches.creation_lock import CreationLock
from beaker_dynamodb.caches.store import CacheStore
from beaker_dynamodb.dynamodb.table import NoLiveRow
from tests.model.cache_properties import (
    Property,
    check,
    read_nothing_made_before_a_removal,
    read_nothing_that_was_removed_or_is_late,
)
from tests.model.caches import CacheModel, CacheScenario, kill_the_first, let_the_lease_pass
from tests.model.explorer import Explored, explore

TWO = ("make", "make")
DEAD = CacheScenario(TWO, (kill_the_first,), faults=0)
PAUSED = CacheScenario(TWO, (let_the_lease_pass,), faults=0)
REMOVED = CacheScenario(("read", "remove", "read"), start=10, one_server=True)
EVENTUAL = CacheScenario(TWO, eventual=True, faults=0)
SCENARIOS = (
    CacheScenario(TWO, faults=0),
    DEAD,
    PAUSED,
    CacheScenario(TWO, (kill_the_first,), clocks=(100, 0), faults=0),
    CacheScenario(TWO, one_server=True, faults=0),
    CacheScenario(TWO, start=1500, faults=0),
    EVENTUAL,
    CacheScenario(("put", "make", "read"), start=1500, faults=0),
    CacheScenario(("put", "clear", "read")),
    CacheScenario(("put", "remove", "read")),
    REMOVED,
    CacheScenario(("read", "clear", "read"), start=10, one_server=True),
)
LONG = (
    CacheScenario(TWO),
    CacheScenario(TWO, (let_the_lease_pass,)),
    CacheScenario(TWO, one_server=True),
    CacheScenario(TWO, (let_the_lease_pass,), clocks=(0, 1.5), faults=0),
    CacheScenario(("make", "clear", "read")),
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


def _release_whatever_is_there(lock: CreationLock) -> None:
    if lock._owner is not None and lock._lock_key is not None:
        lock._table.drop(lock._lock_key)
    lock._owner = None
    lock._release_local()


DEFECTS = {
    "lock taken without condition": (
        PAUSED, creation_lock, "NoLiveRow", lambda now: NoLiveRow(now + 9e8)),
    "release without token": (PAUSED, CreationLock, "release", _release_whatever_is_there),
    "lease ignored": (DEAD, CreationLock, "_check_expiry", lambda *_: False),
    "stolen at once": (PAUSED, CreationLock, "_check_first_seen", lambda *_: True),
    "second look eventual": (EVENTUAL, creation_lock, "is_held_here", lambda *_: False),
    "removal asks the breaker": (
        REMOVED, CacheStore, "contains", lambda store, key: store.get(key) is not None),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_each_deliberate_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the lock or the store violates a property."""
    scenario, owner, attribute, mistake = DEFECTS[name]
    monkeypatch.setattr(owner, attribute, mistake)
    assert run(scenario, monkeypatch).violation
