"""What must be true at the end of every history: a property for each sentence of consistency.md.

Each property yields what is wrong. A history ends when all requests have been answered and every
call that was delayed has been applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.item.keys import Key
from tests.model.explorer import Actor, World
from tests.model.pages import COOKIE, ID, Model, Visit
from tests.model.table import Item

Sessions: TypeAlias = dict[str, dict[str, Any]]
Property: TypeAlias = Callable[[Model, World, Sessions], Iterator[str]]


def check(model: Model, world: World) -> Iterator[str]:
    """Yield each violation at the end of a history."""
    try:
        sessions = _read_sessions(model, world)
    except DynamoDBBackendError as error:
        yield f"the session cannot be read afterwards: {error}"
        return
    for one in PROPERTIES:
        yield from one(model, world, sessions)


def keep_changes(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """Changes of different keys are both kept, whatever replies were lost."""
    del model
    visits = _visits(world)
    if any(visit.page.ends or visit.page.clears for _, visit in visits) or _has_events(world):
        return
    for actor, visit in visits:
        for key in visit.page.sets if visit.acknowledged else ():
            name = f"{actor.name}{key}"
            if not any(name in session for session in sessions.values()):
                yield f"the acknowledged change of {actor.name} is lost"


def change_nothing_by_reading(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """A request that only read changes nothing but the access time."""
    del sessions
    for actor, before, after in world.writes:
        if not isinstance(actor.visit, Visit) or not actor.visit.page.reads_only:
            continue
        for key in {*before, *after}:
            if _open(model, before.get(key)) != _open(model, after.get(key)):
                yield f"{actor.name}, which only read, has changed the session"


def end_for_good(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """A deleted session does not come back, and a logout wins."""
    del model
    if any(visit.page.ends and visit.acknowledged for _, visit in _visits(world)):
        for session in sessions.values():
            if session.get("user") == "ann":
                yield "the session lives on after its logout was acknowledged"


def keep_sessions_apart(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """Nobody reads another's session, and none moves into the session that replaced it."""
    del model
    if any(visit.page.clears for _, visit in _visits(world)):
        return  # a session that was emptied is still the same one
    seen = [("a request", visit.seen) for _, visit in _visits(world)]
    for reader, session in (*seen, *(("the store", one) for one in sessions.values())):
        for name, value in session.items():
            owner, user = str(value).partition(":")[0], session.get("user")
            if name != "user" and user is not None and owner not in {user, "None"}:
                yield f"{reader} has a value of {owner} in a session of {user}"


def revive_nothing(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """A timed-out login does not live again, unless a request was under way all the time."""
    del model
    if world.expired_at is None:
        return
    for actor, visit in _visits(world):
        if actor.log[0] >= world.expired_at and visit.seen.get("user") == "ann":
            old = (writer for writer, *_ in world.writes if writer.log[0] < world.expired_at)
            if not any(old):
                yield f"{actor.name} has read a login that had timed out"
    writers = [writer for writer, *_ in world.writes if isinstance(writer.visit, Visit)]
    if any(one.get("user") == "ann" for one in sessions.values()) and all(
        writer.log[0] >= world.expired_at for writer in writers
    ):
        yield "a login lives again after it has timed out"


def keep_chunks_whole(model: Model, world: World, sessions: Sessions) -> Iterator[str]:
    """At most one set of chunks is stored, unless a fault has left another to its expiry."""
    del model, sessions
    chunks = {key.rpartition("#")[2].rpartition(".")[0] for key in world.items.rows if "#" in key}
    if len(chunks) > 1 and not world.had_fault:
        yield f"{len(chunks)} sets of chunks are stored"


def replace_nothing_after_an_outage(
    model: Model, world: World, sessions: Sessions
) -> Iterator[str]:
    """A load that failed is never followed by a fresh session."""
    del model, sessions
    for actor, visit in _visits(world):
        if visit.error and not visit.loaded:
            if visit.cookie is not None:
                yield f"{actor.name} got a cookie although its session could not be loaded"
            if any(writer is actor for writer, *_ in world.writes):
                yield f"{actor.name} has written although its session could not be loaded"
        if visit.loaded and visit.acknowledged and visit.seen and visit.cookie and not (
            visit.page.rotates or visit.page.ends
        ):
            if visit.cookie != f"{COOKIE}={ID}":
                yield f"{actor.name} was logged in, and got the cookie of another session"


PROPERTIES: Final[tuple[Property, ...]] = (
    keep_changes,
    change_nothing_by_reading,
    end_for_good,
    keep_sessions_apart,
    revive_nothing,
    keep_chunks_whole,
    replace_nothing_after_an_outage,
)


def _visits(world: World) -> list[tuple[Actor, Visit]]:
    return [(one, one.visit) for one in world.actors if isinstance(one.visit, Visit)]


def _has_events(world: World) -> bool:
    return any(actor.visit is None for actor in world.actors)


def _read_sessions(model: Model, world: World) -> Sessions:
    """Read the session of the first id, and those of all cookies that were sent."""
    cookies = [visit.cookie for _, visit in _visits(world) if visit.cookie]
    ids = {ID, *(cookie.partition("=")[2] for cookie in cookies)}
    found = ((one, model.read_back(one)) for one in sorted(ids) if one)
    return {one: session for one, session in found if session is not None}


def _open(model: Model, item: Item | None) -> dict[str, Any] | None:
    """Return the values in an item, without the access time; None if there is no session in it."""
    if item is None or "data" not in item:
        return None
    manager = DynamoDBNamespaceManager(ID, timeout=None, digest_filenames=False, **model.options)
    rows: Rows = manager._store.rows  # noqa: SLF001  # it is of this package
    value = rows.open(rows.table.parse_item(Key(item["id"]["S"]), item))
    return None if value is None else model.decode(value)
