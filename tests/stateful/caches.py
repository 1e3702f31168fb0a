"""A machine of one cache's namespace, used by two servers."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import beaker_dynamodb
from beaker_dynamodb.caches.store import OPEN_SECONDS
from tests.stateful.machine import Bench, Outcome, fault_counts, fault_names

LIFETIME: Final = 600
KEYS: Final = ("k1", "k2", "k3")
keys = st.sampled_from(KEYS)
servers = st.integers(min_value=0, max_value=1)

#: A value and the time at which it expires; None if nothing is stored.
Entry = tuple[str, float] | None


class CacheMachine(RuleBasedStateMachine):
    """Three keys. `bench.make_site()` returns the cache of each server.

    No operations overlap, so each key has one entry, or those that a lost response leaves open. If
    the caches are bypassed in an outage (`cache_errors = bypass`), nothing is read or stored while
    a circuit breaker may be open; removals are real, or raise.
    """

    bench: Bench
    bypass: bool
    #: Until when a circuit breaker may be open.
    open_until: float = 0

    def __init__(self) -> None:
        super().__init__()
        self.bench.proxy.clear()
        self.bench.figures["examples"] += 1
        self.restarted = self.bench.serial
        self.namespace = self.bench.draw("namespace")
        self.caches: list[Any] = self.bench.make_site()(self.namespace)
        self.entries: dict[str, set[Entry]] = {key: {None} for key in KEYS}

    @rule(key=keys, server=servers)
    def put(self, key: str, server: int) -> None:
        """Store a value."""
        value, expires = self.bench.draw("v"), self.bench.clock() + LIFETIME
        with self.bench.operation("put") as outcome:
            self.caches[server].put(key, value)
        assert outcome.acknowledged or not self.bypass
        if self._may_be_bypassed(outcome):
            self.entries[key].add((value, expires))
        else:
            self._settle(key, (value, expires), outcome)

    @rule(key=keys, server=servers)
    def remove(self, key: str, server: int) -> None:
        """Remove a key: "A removal is never lost without an error"."""
        with self.bench.operation("remove") as outcome:
            self.caches[server].remove_value(key)
        self._settle(key, None, outcome)

    @rule(server=servers)
    def clear(self, server: int) -> None:
        """Remove all keys."""
        with self.bench.operation("clear") as outcome:
            self.caches[server].clear()
        for key in KEYS:
            if outcome.acknowledged:
                self.entries[key] = {None}
            elif outcome.lost:  # three keys are one batch: it is applied as a whole, or not at all
                self.entries[key].add(None)

    @rule(key=keys, server=servers)
    def get(self, key: str, server: int) -> None:
        """Read a key."""
        with self.bench.operation("get") as outcome:
            try:
                found = self.caches[server].get(key)
            except KeyError:
                found = None
        assert outcome.acknowledged or not self.bypass
        if outcome.acknowledged and not (self._may_be_bypassed(outcome) and found is None):
            self._confirm(key, found)

    @rule(key=keys, server=servers)
    def ask(self, key: str, server: int) -> None:
        """Ask whether a key has a fresh value."""
        with self.bench.operation("has_key") as outcome:
            has = self.caches[server].has_key(key)
        assert outcome.acknowledged or not self.bypass
        if outcome.acknowledged and not (self._may_be_bypassed(outcome) and not has):
            kept = {one for one in self.entries[key] if (self._value(one) is not None) == has}
            assert kept, f"has_key({key}) is {has}; possible were {self.entries[key]}"
            self.entries[key] = kept

    @rule(key=keys, server=servers)
    def create(self, key: str, server: int) -> None:
        """Read a key, and have its value made if there is none."""
        made, expires = self.bench.draw("made"), self.bench.clock() + LIFETIME
        calls: list[str] = []

        def createfunc() -> str:
            calls.append(made)
            return made

        with self.bench.operation("create") as outcome:
            found = self.caches[server].get(key, createfunc=createfunc)
        assert outcome.acknowledged or not self.bypass
        if self._may_be_bypassed(outcome) and calls:
            assert found == made
            self.entries[key].add((made, self.bench.clock() + LIFETIME))
        elif not outcome.acknowledged:
            if calls and outcome.lost:
                self.entries[key].add((made, expires))
        elif calls:
            self._confirm(key, None)
            assert found == made
            self.entries[key] = {(made, self.bench.clock() + LIFETIME)}
        else:
            self._confirm(key, found)

    @rule(seconds=st.sampled_from([1, 6, LIFETIME // 2, LIFETIME + 1]))
    def let_time_pass(self, seconds: int) -> None:
        """Let time pass."""
        self.bench.clock.advance(seconds)

    @rule(name=fault_names, times=fault_counts)
    @precondition(lambda self: not self.bench.proxy.pending)
    def arm(self, name: str, times: int) -> None:
        """Break the next calls."""
        self.bench.arm(name, times)

    @rule()
    @precondition(lambda self: self.bench.serial - self.restarted > 5)
    def restart(self) -> None:
        """Forget what the process knows, as a new one does."""
        self.restarted = self.bench.serial
        beaker_dynamodb.reset()
        self.bench.figures["restarts"] += 1
        self.caches = self.bench.make_site()(self.namespace)

    @invariant()
    def count(self) -> None:
        """Count the steps."""
        self.bench.figures["steps"] += 1

    def _may_be_bypassed(self, outcome: Outcome) -> bool:
        """Return whether a circuit breaker may have been open at the end of an operation."""
        if self.bypass and outcome.faults:
            self.open_until = self.bench.clock() + OPEN_SECONDS
            self.bench.figures["bypassed"] += 1
        return self.bench.clock() < self.open_until

    def _settle(self, key: str, entry: Entry, outcome: Outcome) -> None:
        if outcome.acknowledged:
            self.entries[key] = {entry}
        elif outcome.lost:
            self.entries[key].add(entry)

    def _confirm(self, key: str, found: object) -> None:
        kept = {one for one in self.entries[key] if self._value(one) == found}
        assert kept, f"read {key} = {found!r}; possible were {self.entries[key]}"
        self.entries[key] = kept

    def _value(self, entry: Entry) -> str | None:
        return entry[0] if entry is not None and self.bench.clock() < entry[1] else None

    def teardown(self) -> None:
        """Read every key once more, without faults."""
        self.bench.proxy.clear()
        self.bench.clock.advance(OPEN_SECONDS)
        for key in KEYS:
            try:
                found = self.caches[0].get(key)
            except KeyError:
                found = None
            self._confirm(key, found)


def make_machine(bench: Bench, *, bypass: bool) -> Any:
    """Return a class of machines for one bench, as hypothesis wants it."""
    return type("Caches", (CacheMachine,), {"bench": bench, "bypass": bypass})
