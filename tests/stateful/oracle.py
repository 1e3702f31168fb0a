"""The oracle: what may be stored under each session id, as plain dictionaries.

A slot holds the set of all states that are still possible. An acknowledged operation changes each
of them; one whose response was lost adds the changed ones; a read keeps those that it confirms, and
finds a violation if there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

#: Seconds: Beaker's timeout of the sites, and the part of it that `touch_after` may take off.
TIMEOUT: Final = 3600
EARLY: Final = TIMEOUT // 10
#: What the package and Beaker may add to the timeout, such as a rounded second and the padding.
LATE: Final = 120
#: The option `max_age`, and by how much a start may differ from the one that is known: a request
#: takes less than that.
MAX_AGE: Final = 5 * TIMEOUT // 2
SLACK: Final = TIMEOUT // 2
#: The tombstone of a rotation: for this many seconds a slow writer must get a Conflict.
MARKER: Final = 60

Changes = Mapping[str, str | None]


class State(NamedTuple):
    """A live session: its birth, and its values. `rotated` says that it has another id now.

    It began between `earliest` and `latest`.
    """

    birth: str
    values: frozenset[tuple[str, str]]
    earliest: float
    latest: float
    rotated: float | None = None


@dataclass
class Slot:
    """What may be stored under one id; `sure` and `late` bound the time of the last access.

    `remembered` says that the session has a lifetime of its own, longer than any test; None that
    it may have it. `in_index` says that an index shows it.
    """

    states: set[State | None]
    sure: float
    late: float
    remembered: bool | None = False
    in_index: bool = True

    def expire(self, now: float) -> None:
        """End what has timed out by *now*, and what may have timed out, perhaps.

        "A session can time out early by up to that much" (`touch_after`).
        """
        self.end_at_max_age(now)
        if self.remembered:
            return
        live = {state for state in self.states if state is not None and state.rotated is None}
        if now - self.late > TIMEOUT + LATE and self.remembered is False:
            self.states = (self.states - live) | {None}
        elif live and now - self.sure > TIMEOUT - EARLY - 2:
            self.states.add(None)

    def end_at_max_age(self, now: float) -> None:
        """End what is older than `max_age`, and what may be, perhaps: "No session is loaded"."""
        live = {state for state in self.states if state is not None and state.rotated is None}
        over = {state for state in live if now - state.latest > MAX_AGE + SLACK}
        self.states -= over
        if over or any(now - state.earliest > MAX_AGE - SLACK for state in live):
            self.states.add(None)

    def end(self, user: str, *, certain: bool) -> None:
        """End the session of a user from elsewhere, or perhaps."""
        after = {None if get_user(state) == user else state for state in self.states}
        self.states = after if certain and self.in_index else self.states | after

    def confirm(self, seen: Mapping[str, str]) -> str | None:
        """Keep the states that a page may have seen; return the birth of the session.

        Raises: AssertionError, if there is none.
        """
        values = frozenset(seen.items())
        kept = {state for state in self.states if _read(state) == values}
        assert kept, f"read {dict(seen)}, but only possible were {self.states}"
        self.states = kept
        births = {None if state is None or state.rotated else state.birth for state in kept}
        (birth,) = births
        return birth

    def settle(self, after: set[State | None], *, acknowledged: bool, lost: bool) -> None:
        """Take over the states *after* an operation, or add them if its response was lost."""
        if acknowledged:
            self.states = after
        elif lost:  # "A lost response neither loses a write nor repeats it."
            self.states |= after


@dataclass
class Page:
    """What the page of an open request has done, until it is saved.

    `birth` is that of the session that it has loaded, None if there was none.
    """

    birth: str | None
    own: str
    begun: float
    cleared: bool = False
    changes: dict[str, str | None] = field(default_factory=dict)

    def save(self, states: Iterable[State | None]) -> set[State | None]:
        """Return the states after this page's changes were saved over each of *states*."""
        return {self._save(state) for state in states}

    def _save(self, state: State | None) -> State | None:
        if not self.changes:  # "A request that only reads changes nothing."
            return state
        if self.birth is None:
            if state is None or state.rotated is not None:
                values = apply_changes(frozenset(), self.changes)
                return State(self.own, values, self.begun, self.begun)
            old = frozenset() if self.cleared else state.values
            return state._replace(values=apply_changes(old, self.changes))
        if state is None or state.birth != self.birth or state.rotated is not None:
            return state  # "A deleted session does not come back", nor is a new one written into
        old = frozenset() if self.cleared else state.values
        return state._replace(values=apply_changes(old, self.changes))

    def log_out(self, states: Iterable[State | None], *, strict: bool) -> set[State | None]:
        """Return the states after a logout: "A logout wins", over its own session only.

        A page that has found no session ends, under StrictSession, what is there by now; Beaker's
        own session deletes nothing then.
        """
        mine = self.birth
        if mine is None and not strict:
            return set(states)
        return {
            state if state and mine is not None and state.birth != mine else None
            for state in states
        }


def get_user(state: State | None) -> str | None:
    """Return whose session it is; None if it is not live, or has no user."""
    return dict(_read(state)).get("user")


def apply_changes(
    values: frozenset[tuple[str, str]], changes: Changes
) -> frozenset[tuple[str, str]]:
    """Apply what a request set or deleted."""
    merged = {**dict(values), **changes}
    return frozenset((key, value) for key, value in merged.items() if value is not None)


def _read(state: State | None) -> frozenset[tuple[str, str]]:
    return frozenset() if state is None or state.rotated is not None else state.values
