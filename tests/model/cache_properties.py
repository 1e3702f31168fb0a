"""What must be true of a cache at the end of every history: a property for each sentence about it.

`keep_the_lock` reports what `CacheWorld` has noticed on the way. Each of the others names the
sentence of docs/consistency.md, or of a docstring, that it checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from tests.model.cache_world import CacheWorld, Use
from tests.model.explorer import Actor

Property: TypeAlias = Callable[[CacheWorld], Iterator[str]]
#: Stored before the first step.
_OLD: Final = "old"


def list_uses(world: CacheWorld) -> list[tuple[Actor, Use]]:
    """List the actors that use the cache, and what has come of each; the dead ones are left out."""
    found = ((one, one.visit) for one in world.actors)
    return [(one, use) for one, use in found if isinstance(use, Use) and not use.died]


def keep_the_lock(world: CacheWorld) -> Iterator[str]:
    """One makes a missing value and the others wait, for no longer than they must.

    "Taken from another owner only on condition of that owner", "an owner that is late deletes
    nothing of the next one's", "every wait has a limit".
    """
    yield from world.problems


def answer_everyone(world: CacheWorld) -> Iterator[str]:
    """A page gets a value, also in an outage; only a removal, or `createfunc`, may fail."""
    for actor, use in list_uses(world):
        if not actor.finished:
            yield f"{actor.name} never ends"
        may_fail = use.create_failed or (use.kind in {"remove", "clear"} and use.failed)
        if use.error and not may_fail:
            yield f"{actor.name} has ended in {use.error}"
        if use.kind == "make" and not use.error and use.value is None:
            yield f"{actor.name} has got no value"


def tell_of_a_lost_removal(world: CacheWorld) -> Iterator[str]:
    """A removal that has failed is not acknowledged."""
    for actor, use in list_uses(world):
        if use.kind in {"remove", "clear"} and use.failed and not use.error:
            yield f"{actor.name} was acknowledged although a call has failed"


def read_only_what_was_made(world: CacheWorld) -> Iterator[str]:
    """Nobody gets a value that was not put, or made by himself."""
    writers = {change.actor.name for change in world.changes} | {_OLD}
    for actor, use in list_uses(world):
        own = actor.name if use.has_made else None
        if use.value is not None and use.value not in writers | {own}:
            yield f"{actor.name} has got {use.value}, which was never put"


def read_nothing_that_was_removed(world: CacheWorld) -> Iterator[str]:
    """What was put before a `clear()` or `remove_value()` began is not read after its end.

    "A cache's put or delete has no condition": a put that is applied again later brings it back.
    """
    yield from _find_removed(world, allow_late=True)


def read_nothing_that_was_removed_or_is_late(world: CacheWorld) -> Iterator[str]:
    """The same, without what is not guaranteed: a late put. The checker must find it."""
    yield from _find_removed(world, allow_late=False)


def _find_removed(world: CacheWorld, *, allow_late: bool) -> Iterator[str]:
    uses = {actor.name: (actor, use) for actor, use in list_uses(world)}
    for reader, read in uses.values():
        writer = read.value
        if writer is None or writer == reader.name:
            continue
        for name in sorted(reader.finished_before & uses.keys()):
            remover, use = uses[name]
            if use.kind not in {"remove", "clear"} or use.error:
                continue
            is_older = writer == _OLD or writer in remover.finished_before
            is_late = writer != _OLD and uses[writer][1].wrote_late
            if is_older and not (is_late and allow_late):
                yield f"{reader.name} has got {writer}, which {name} had removed"


def read_nothing_made_before_a_removal(world: CacheWorld) -> Iterator[str]:
    """What is not guaranteed: no value comes back that was being made during the removal."""
    uses = {actor.name: (actor, use) for actor, use in list_uses(world)}
    for reader, read in uses.values():
        for name in sorted(reader.finished_before & uses.keys()):
            remover, use = uses[name]
            writer = uses.get(read.value)
            if use.kind not in {"remove", "clear"} or use.error or writer is None:
                continue
            if writer[0].began_at <= remover.began_at and name not in writer[0].finished_before:
                yield f"{reader.name} has got {read.value}, which was being made when {name} began"


def read_the_last_put(world: CacheWorld) -> Iterator[str]:
    """Without a fault, whoever begins after a put gets that value, or a later one."""
    uses = {actor.name: (actor, use) for actor, use in list_uses(world)}
    removes = any(use.kind in {"remove", "clear"} for _, use in uses.values())
    if world.faults_made or removes or world.items.is_eventual:
        return
    for reader, read in uses.values():
        for name in sorted(reader.finished_before & uses.keys()):
            putter, use = uses[name]
            older = {_OLD, None, *putter.finished_before}
            if use.kind == "put" and read.kind != "put" and read.value in older:
                yield f"{reader.name} has got {read.value} after {name} was put"


PROPERTIES: Final[tuple[Property, ...]] = (
    keep_the_lock,
    answer_everyone,
    tell_of_a_lost_removal,
    read_only_what_was_made,
    read_nothing_that_was_removed,
    read_the_last_put,
)


def check(world: CacheWorld) -> Iterator[str]:
    """Yield what is wrong at the end of a history."""
    for find in PROPERTIES:
        for problem in find(world):
            yield f"{find.__name__}: {problem}"
