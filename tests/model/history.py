"""A history that has ended, as the properties read it: its requests, sessions and changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from tests.model.explorer import Actor, Change, World
from tests.model.pages import Visit
from tests.model.scenarios import DUE, ID, OTHER_ID, Model, Start
from tests.model.table import Item

Values: TypeAlias = dict[str, Any]
#: A chunk's key has this between those of the session and of the chunk.
CHUNK: Final = "#chunk:"
#: Seconds after which the other device comes back, so that its request repeats what is due.
LATER: Final = 3


@dataclass
class History:
    """A history that has ended, and what can be seen of it."""

    model: Model
    world: World

    @cached_property
    def visits(self) -> list[tuple[Actor, Visit]]:
        """The requests, and what came of each."""
        return [(one, one.visit) for one in self.world.actors if isinstance(one.visit, Visit)]

    @cached_property
    def changes(self) -> list[Change]:
        """The changes of the table, each with its actor as it is in the end."""
        world = self.world
        return [replace(one, actor=world.get_actor(one.actor.name)) for one in world.changes]

    @cached_property
    def sessions(self) -> dict[str, Values]:
        """The sessions that a browser can reach: that of the first id, and of all cookies sent.

        Not guaranteed: "A response that is lost for good". If a rotation has put its tombstone, and
        its request ended in an error, its new session counts as well.
        """
        return self._load(self.ids) | self._load(self.other_ids)

    @cached_property
    def later_sessions(self) -> dict[str, Values]:
        """The sessions of the first device, after the other one has come back 3 seconds later.

        Its first request then ends the others once more, if it has ended them before.
        """
        _ = self.sessions
        self.world.now += LATER
        self._load(self.other_ids)
        return self._load(self.ids)

    @cached_property
    def ids(self) -> set[str]:
        """The ids that the browser may have whose first request comes with the first id."""
        return self._list_ids(ID, is_elsewhere=False)

    @cached_property
    def other_ids(self) -> set[str]:
        """The ids that the other device may have."""
        is_used = self.model.scenario.has_devices
        return self._list_ids(OTHER_ID, is_elsewhere=True) if is_used else set()

    def _list_ids(self, first: str, *, is_elsewhere: bool) -> set[str]:
        visits = [one for _, one in self.visits if one.page.is_elsewhere is is_elsewhere]
        ids = {first, *(visit.cookie for visit in visits if visit.cookie)}
        for change in self.tombstones:
            if change.actor.visit in visits and change.actor.visit.error:
                ids |= {self.model.make_id(token) for token in change.actor.list_tokens()}
        return ids

    def _load(self, ids: set[str]) -> dict[str, Values]:
        found = ((one, self.model.load(one)) for one in sorted(ids))
        return {one: session for one, session in found if session is not None}

    def is_undisturbed(self, actor: Actor) -> bool:
        """Return whether nothing that may take its change away was under way with this request."""
        if self.slow or actor.began_at < self.world.expired_at < math.inf:
            return False
        page, pages = actor.visit.page, [visit.page for _, visit in self.visits]
        if self.model.scenario.note_age == DUE and not page.is_elsewhere:
            return False
        # Not guaranteed: "A new id while the others are ended". It may count as one of them.
        ends_new_id = self.model.scenario.note_age == DUE or any(one.ends_other for one in pages)
        if ends_new_id and page.is_elsewhere and any(o.is_elsewhere and o.rotates for o in pages):
            return False
        return all(
            one is actor
            or not visit.page.may_undo(page)
            or (
                visit.is_acknowledged
                and one.name in actor.finished_before
                and not visit.page.repeats
            )
            for one, visit in self.visits
        )

    def has_created_twice(self) -> bool:
        """Return whether one write has created its session twice, before and after a logout.

        Not guaranteed: "A first save over 400 KB that is sent again".
        """
        key = self.model.key.hash
        created = [one.after[key] for one in self.changes if key in one.after.keys() - one.before]
        return any(item in created[:number] for number, item in enumerate(created))

    @cached_property
    def tombstones(self) -> list[Change]:
        """The changes by which a rotation has replaced the row of an old id by its tombstone."""
        keys = [self.model.key.hash]
        if self.model.scenario.has_devices:
            keys.append(self.model.rows.layout.make_session_key(OTHER_ID).hash)
        return [
            change
            for change in self.changes
            for key in keys
            if self.is_rotated(change.after, key) and not self.is_rotated(change.before, key)
        ]

    @cached_property
    def slow(self) -> list[Actor]:
        """The requests that were under way while all sessions timed out, and wrote after that.

        Not guaranteed: "A request that takes longer than the timeout".
        """
        at = self.world.expired_at
        late = [change.actor for change in self.changes if change.now >= at]
        return [actor for actor in late if actor.began_at < at]

    def first(self, rows: dict[str, Item]) -> Values:
        """Return the values of the first session."""
        return self.values(rows, self.model.key.hash)

    def missed(self, actor: Actor) -> bool:
        """Return whether a request found no session because another's logout failed halfway.

        Not guaranteed: "A logout that fails halfway under `migrate_from`". The old backend has
        removed the session by then, and the row still exists, which did not when this request
        looked for it. StrictSession goes on under another id then.
        """
        failed = [visit for _, visit in self.visits if visit.error and visit.page.ends]
        is_halfway = not self.world.items.old_backend and bool(failed)
        scenario = self.model.scenario
        is_migrating = scenario.start is Start.OLD_BACKEND and not scenario.is_strict
        return is_migrating and is_halfway and actor.visit.loaded and not actor.visit.seen

    def is_rotated(self, rows: dict[str, Item], key: str) -> bool:
        """Return whether a row is the tombstone of a rotation."""
        item = rows.get(key)
        return item is not None and self.model.parse(item).is_rotated

    def values(self, rows: dict[str, Item], key: str) -> Values:
        """Return the values of a session without Beaker's own; empty if *key* holds none."""
        found = {} if CHUNK in key else self.model.read_values(rows, key) or {}
        return {name: value for name, value in found.items() if not name.startswith("_")}

    def find_author(self, name: str) -> Actor | None:
        """Return the request that has set a key; None for those of the first session."""
        return next((actor for actor, _ in self.visits if name[:1] == actor.name), None)
