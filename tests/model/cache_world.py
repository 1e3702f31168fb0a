"""A world of caches, which notices at each step what the creation lock must never do.

These promises are about a moment, such as "no two make the value now", so they are checked where
the moment is; those about what a reader gets are in `cache_properties`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import greenlet

from beaker_dynamodb.caches.creation_lock import CLOCK_TOLERANCE
from beaker_dynamodb.item.revision import get_token
from tests.model.explorer import Actor, Choice, Outcome, World, make_digest
from tests.model.table import TTL, Call, Item, Items, respond
from tests.revisions import make_token

#: The seconds that a sleep takes: a thread may be woken later than it asked for.
_SLEEP: Final = 2.0
_LOCK: Final = "#lock:"
#: The scheduling points that are no calls.
_INNER: Final = {"Sleep", "Wait", "Create"}
_LATE: Final = {Outcome.LATE, Outcome.TWICE}


@dataclass
class Use:
    """What an actor does with the cache, and what has come of it."""

    kind: str
    value: Any = None
    error: str = ""
    died: bool = False
    #: A call of it was answered by an error; its `createfunc` was; one of its writes is late.
    failed: bool = False
    create_failed: bool = False
    wrote_late: bool = False
    #: It is between the start of `createfunc` and the end of its put.
    is_making: bool = False
    has_made: bool = False
    #: When it began to wait for the lock, and asked for the row that it has put last.
    asked_at: float = math.inf
    locked_at: float = -math.inf
    #: The owner that it has read last, and since when it has read no other one.
    owner: Item | None = None
    owner_since: float = math.inf
    #: Whether a fresh value was stored when it looked last.
    was_stored: bool = False


class CacheItems(Items):
    """The items, with Scan; perhaps with eventually consistent reads at their worst."""

    def __init__(self, *, is_eventual: bool = False) -> None:
        super().__init__()
        self.is_eventual = is_eventual
        self.previous: dict[str, Item] = {}

    def _Scan(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        prefixes = [value["S"] for value in request["ExpressionAttributeValues"].values()]
        is_late = self.is_eventual and not request.get("ConsistentRead")
        rows = self.previous if is_late else self.rows
        found = [item for key, item in rows.items() if key.startswith(tuple(prefixes))]
        return respond(Items=[dict(item) for item in found])

    def _GetItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        if not self.is_eventual or request["ConsistentRead"]:
            return super()._GetItem(request)
        item = self.previous.get(request["Key"]["id"]["S"])
        return respond(**({"Item": dict(item)} if item else {}))


class CacheWorld(World):
    """What one history of caches happens in."""

    items: CacheItems

    def __init__(
        self, items: CacheItems, faults: int, clocks: dict[str, float], lease: float, wait: float
    ) -> None:
        super().__init__(items, faults)
        #: By how many seconds the clock of each server is ahead.
        self.clocks = clocks
        self.lease, self.max_wait = lease, wait
        self.local_locks: dict[Any, Any] = {}
        self.first_seen: dict[Any, Any] = {}
        self.open_until: dict[Any, float] = {}
        #: What the lock has done that it must not.
        self.problems: list[str] = []
        self.is_setup = self.has_ended = False
        #: The only operation whose calls meet a fault; empty for all.
        self.fails = ""

    @property
    def are_clocks_apart(self) -> bool:
        """Whether clocks differ by more than the lock promises to bear."""
        offsets = self.clocks.values()
        return max(offsets) - min(offsets) > CLOCK_TOLERANCE

    def switch(self, call: Call) -> Any:
        """Wait until the scheduler chooses this actor; return its response, or raise."""
        if self.has_ended or (self.current is None and not self.is_setup):
            raise greenlet.GreenletExit  # a `finally` of a history that nobody continues
        return super().switch(call)

    def end(self) -> None:
        """Leave all actors where they are, the dead ones too."""
        self.has_ended = True
        for actor in self.actors:
            if actor.run:
                actor.run.throw(greenlet.GreenletExit)

    def list_choices(self, *, late_creates: bool) -> list[Choice]:
        """List what may happen next."""
        found = super().list_choices(late_creates=late_creates)
        harmless = {Outcome.APPLIED, Outcome.BEGINS, Outcome.APPLIED_LATE}
        may_fail = {self.fails} if self.fails else {one.call for one in found} - {"Sleep", "Wait"}
        return [one for one in found if one.outcome in harmless or one.call in may_fail]

    def digest_state(self) -> bytes:
        """Return a digest of all that decides what can happen, and of what was noticed."""
        seen = [tuple(one) for one in self.first_seen.values()]
        uses = [str(actor.visit) for actor in self.actors]
        breaker = list(self.open_until.values())
        return make_digest((super().digest_state(), self.problems, sorted(seen), uses, breaker))

    def _apply(self, actor: Actor, call: Call) -> Any:
        if call.operation in _INNER:
            return self._apply_inner(call)
        use: Use = actor.visit
        count, before = len(self.changes), dict(self.items.rows)
        if call.operation == "GetItem" and not _is_lock(call):
            use.was_stored = any(_LOCK not in key for key in before)
        response = super()._apply(actor, call)
        if len(self.changes) > count:
            self.items.previous = before
            self._watch_the_row(actor, before)
        return response

    def _apply_inner(self, call: Call) -> bool | None:
        if call.operation == "Sleep":
            self.now += max(_SLEEP, call.request["seconds"])
        if call.operation != "Wait":
            return None
        lock = call.request["lock"]
        if lock.is_held:
            self.now = max(self.now, call.request["deadline"])
            return False
        lock.is_held = True
        return True

    def _watch_the_row(self, actor: Actor, before: dict[str, Item]) -> None:
        """Notice who takes or deletes the lock's row of another one."""
        for key in (key for key in before if _LOCK in key):
            old, new = before[key], self.items.rows.get(key)
            owner = _get_owner(old)
            if owner == actor.name or new == old:
                continue
            if new is None:
                self._note(f"{actor.name} has released the lock of {owner}")
            elif self.now + self.clocks[owner] < int(old[TTL]["N"]) and not self.are_clocks_apart:
                self._note(f"{actor.name} has taken the lock of {owner} before its lease ended")

    def _answer(self, actor: Actor, outcome: Outcome, number: int = 0) -> None:
        call = actor.pending
        assert call is not None
        use: Use = actor.visit
        use.wrote_late = use.wrote_late or outcome in _LATE
        if outcome in {Outcome.FAILED, Outcome.LOST, Outcome.LATE}:
            use.create_failed = use.create_failed or call.operation == "Create"
            use.failed = use.failed or call.operation != "Create"
        if call.operation == "PutItem" and not _is_lock(call) and outcome is not Outcome.RETRIED:
            use.is_making = False
        if call.operation == "Create":
            use.has_made = use.is_making = outcome is Outcome.APPLIED
        super()._answer(actor, outcome, number)
        if not actor.finished and actor.pending is not None and outcome is not Outcome.RETRIED:
            self._watch(actor, use, actor.pending)

    def _watch(self, actor: Actor, use: Use, call: Call) -> None:
        """Look at what an actor is about to do, after the response that it has just received."""
        response = actor.log[-1][1]
        if use.asked_at < math.inf and isinstance(response, dict) and "Item" in response:
            self._read_owner(use, response["Item"])
        if _is_lock(call) or call.operation == "Wait":
            use.asked_at = min(use.asked_at, self.now)
        if call.operation == "Wait" and call.request["deadline"] > use.asked_at + self.max_wait:
            self._note(f"{actor.name} waits longer than lock_wait for its own server")
        if _is_lock(call) and call.operation == "PutItem":
            use.locked_at = self.now
        if call.operation == "Sleep":
            self._check_wait(actor, use)
        if call.operation == "Create":
            self._check_making(actor, use)
            use.is_making = True

    def _read_owner(self, use: Use, item: Item) -> None:
        if _LOCK in item["id"]["S"]:
            if use.owner is None or use.owner["rev"] != item["rev"]:
                use.owner_since = self.now
            use.owner = item

    def _check_wait(self, actor: Actor, use: Use) -> None:
        assert use.owner is not None
        if self.now - use.asked_at >= self.max_wait:
            self._note(f"{actor.name} waits longer than lock_wait")
        if _get_owner(use.owner) == actor.name:
            self._note(f"{actor.name} waits for itself")
        lost_at = int(use.owner[TTL]["N"]) + CLOCK_TOLERANCE - self.clocks[actor.name]
        lost_at = min(lost_at, use.owner_since + self.lease + CLOCK_TOLERANCE + 0.001)
        if self.now >= lost_at:
            self._note(f"{actor.name} waits for an owner that has lost the lock")

    def _check_making(self, actor: Actor, use: Use) -> None:
        """Notice a value that is made although another one makes it, or has made it."""
        has_lost_it = self.now - use.locked_at >= self.lease and use.locked_at > -math.inf
        has_waited = self.now - use.asked_at >= self.max_wait
        if use.failed or has_lost_it or has_waited or self.are_clocks_apart:
            return
        if use.was_stored and self._is_fresh():
            self._note(f"{actor.name} makes the value although it is stored")
        for other in self.actors:
            them = other.visit
            if other is actor or not isinstance(them, Use) or not them.is_making or them.died:
                continue
            waited_out = them.locked_at == -math.inf
            lost = self.now - them.locked_at >= self.lease and not waited_out
            if not (lost or them.failed or them.create_failed or other.finished):
                self._note(f"{actor.name} makes the value while {other.name} makes it")

    def _is_fresh(self) -> bool:
        """Return whether the value that is stored was put in this history."""
        return any(
            _LOCK not in key and get_token(item["rev"]["B"]) != make_token("first")
            for key, item in self.items.rows.items()
        )

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _is_lock(call: Call) -> bool:
    row = call.request.get("Item") or call.request.get("Key")
    return row is not None and _LOCK in row["id"]["S"]


def _get_owner(item: Item) -> str:
    """Return the name of the actor whose token is the row's."""
    return get_token(item["rev"]["B"])[:1].decode()
