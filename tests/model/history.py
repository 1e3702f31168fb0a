"""A history that has ended, as the properties read it: its requests, sessions and changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from tests.model.explorer import Actor, Change, World
from tests.model.pages import Visit
from tests.model.scenarios import ID, Model, Start
from tests.model.table import Item

Values: TypeAlias = dict[str, Any]
#: A chunk's key has this between those of the session and of the chunk.
CHUNK: Final = "#chunk:"


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
    def sessions(self) -> dict[str, Values]:
        """The sessions that a browser can reach: that of the first id, and of all cookies sent.

        Not guaranteed: "A response that is lost for good". If a rotation has put its tombstone, and
        its request ended in an error, its new session counts as well.
        """
        ids = {ID, *(visit.cookie for _, visit in self.visits if visit.cookie)}
        for change in self.tombstones:
            if change.actor.visit.error:
                ids |= {self.model.make_id(token) for token in change.actor.list_tokens()}
        found = ((one, self.model.load(one)) for one in sorted(ids))
        return {one: session for one, session in found if session is not None}

    @cached_property
    def tombstones(self) -> list[Change]:
        """The changes by which a rotation has replaced the row of the first id by its tombstone."""
        return [
            change
            for change in self.world.changes
            if self.is_rotated(change.after) and not self.is_rotated(change.before)
        ]

    @cached_property
    def slow(self) -> list[Actor]:
        """The requests that were under way while all sessions timed out, and wrote after that.

        Not guaranteed: "A request that takes longer than the timeout".
        """
        at = self.world.expired_at
        late = [change.actor for change in self.world.changes if change.now >= at]
        return [actor for actor in late if actor.began_at < at]

    def first(self, rows: dict[str, Item]) -> Values:
        """Return the values of the first session."""
        return self.values(rows, self.model.key.hash)

    def missed(self, actor: Actor) -> bool:
        """Return whether a request found no session because another's logout failed halfway.

        Not guaranteed: "A logout that fails halfway under `migrate_from`". The old backend has
        removed the session by then, and the row still exists, which did not when this request
        looked for it.
        """
        failed = [
            visit
            for _, visit in self.visits
            if visit.error and (visit.page.ends or visit.page.rotates)
        ]
        is_halfway = not self.world.items.old_backend and bool(failed)
        is_migrating = self.model.scenario.start is Start.OLD_BACKEND
        return is_migrating and is_halfway and actor.visit.loaded and not actor.visit.seen

    def is_rotated(self, rows: dict[str, Item]) -> bool:
        """Return whether the row of the first id is the tombstone of a rotation."""
        item = rows.get(self.model.key.hash)
        return item is not None and self.model.parse(item).is_rotated

    def values(self, rows: dict[str, Item], key: str) -> Values:
        """Return the values of a session without Beaker's own; empty if *key* holds none."""
        found = {} if CHUNK in key else self.model.read_values(rows, key) or {}
        return {name: value for name, value in found.items() if not name.startswith("_")}

    def find_author(self, name: str) -> Actor | None:
        """Return the request that has set a key; None for those of the first session."""
        return next((actor for actor, _ in self.visits if name[:1] == actor.name), None)
