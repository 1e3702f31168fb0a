"""What must be true at the end of every history: a property for each sentence of consistency.md.

Each property yields what is wrong. A history ends when all requests have been answered and every
call that was delayed has been applied. If a property makes an exception, it names the sentence
under "Not guaranteed" that says so, and excepts only the histories in which exactly that happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from beaker_dynamodb.errors import DynamoDBBackendError
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import get_token
from tests.model.explorer import Actor, Change, Outcome, World
from tests.model.history import CHUNK, History, Values
from tests.model.pages import Visit
from tests.model.scenarios import ID, TIMEOUT, Model, Start
from tests.model.table import TTL
from tests.model.user_properties import end_at_max_age, end_from_elsewhere, keep_lifetimes

Property: TypeAlias = Callable[[History], Iterator[str]]


def check(model: Model, world: World) -> Iterator[str]:
    """Yield each violation at the end of a history."""
    history = History(model, world)
    try:
        _ = history.sessions
    except DynamoDBBackendError as error:
        yield f"a session cannot be read afterwards: {error}"
        return
    for one in PROPERTIES:
        for problem in one(history):
            yield f"{one.__name__}: {problem}"


def keep_changes(history: History) -> Iterator[str]:
    """Changes of different keys are both kept, saving twice is harmless, no reply loses a write.

    A change may be gone if its session was ended, cleared, or timed out; not if that had happened
    before the request began.
    """
    for actor, visit in history.visits:
        if not visit.is_acknowledged or not history.is_undisturbed(actor):
            continue
        for name in (f"{actor.name}{key}" for key in visit.page.sets):
            droppers = [one.name for one, other in history.visits if name in other.seen]
            if not droppers and not any(name in one for one in history.sessions.values()):
                yield f"the acknowledged change {name} is lost"


def repeat_no_write(history: History) -> Iterator[str]:
    """A lost reply repeats no write: what a request has seen and removed does not come back."""
    for actor, visit in history.visits:
        if not (visit.page.drops and visit.is_acknowledged) or not history.is_undisturbed(actor):
            continue
        for name in visit.seen:
            if name != "user" and any(name in one for one in history.sessions.values()):
                yield f"{name}, which {actor.name} has removed, has come back"


def read_what_was_written(history: History) -> Iterator[str]:
    """A session is read as it was last written."""
    if any(visit.page.rotates or visit.page.drops for _, visit in history.visits):
        return
    for actor, visit in history.visits:
        for writer, written in history.visits:
            if not written.is_acknowledged or writer.name not in actor.finished_before:
                continue
            reached = written.cookie in {None, ID} and visit.loaded
            if written.page.is_elsewhere is not visit.page.is_elsewhere:
                continue
            if not reached or not history.is_undisturbed(writer):
                continue
            for name in (f"{writer.name}{key}" for key in written.page.sets):
                if name not in visit.seen and actor.began_at < history.world.expired_at:
                    yield f"{actor.name} has not read {name}, which was written before it began"


def change_nothing_by_reading(history: History) -> Iterator[str]:
    """A request that only read changes nothing but the access time.

    Nor does it draw a new revision, which would refuse the writes of others. It may move the
    session in from an old backend; and StrictSession deletes the row of a session that has timed
    out, if it was not written since: it "deletes the old rows" (README).
    """
    for change in history.changes:
        visit = change.actor.visit
        if not isinstance(visit, Visit) or not visit.page.reads_only:
            continue
        for key in {*change.before, *change.after}:
            before, after = change.before.get(key), change.after.get(key)
            if before == after or _has_timed_out(history, change, key):
                continue
            if before is None and history.model.scenario.start is Start.OLD_BACKEND:
                continue
            same_rev = CHUNK in key or (before or {}).get("rev") == (after or {}).get("rev")
            if history.model.scenario.has_chunks:
                same_rev = True  # a large value is touched under a new revision, for its chunks
            if not same_rev or history.values(change.before, key) != history.values(
                change.after, key
            ):
                yield f"{change.actor.name}, which only read, has changed the session"


def _has_timed_out(history: History, change: Change, key: str) -> bool:
    """Return whether a session that had timed out was deleted, or one of its chunks."""
    values = history.model.read_values(change.before, key.partition(CHUNK)[0]) or {}
    accessed = values.get("_accessed_time", math.inf)
    return key not in change.after and bool(change.actor.began_at - accessed > TIMEOUT)


def end_for_good(history: History) -> Iterator[str]:
    """A deleted session does not come back, and a logout wins."""
    for actor, visit in history.visits:
        if not (visit.page.ends and visit.is_acknowledged):
            continue
        if _came_first(history, actor) or history.missed(actor):
            continue
        for session_id, session in history.sessions.items():
            if session_id in history.other_ids:
                continue
            for name, value in session.items():
                author = history.find_author(name)
                was_answered = author is not None and author.name in actor.finished_before
                if was_answered and session_id == ID and author not in history.slow:
                    yield f"{name} has come back after the logout of {actor.name}"
                if author is actor or _is_of_late_login(history, name, session):
                    continue
                if str(value).partition(":")[0] == "ann":
                    yield f"{name} of ann lives on after the logout of {actor.name}"


def _came_first(history: History, actor: Actor) -> bool:
    """Return whether a logout met the tombstone of a rotation: it came as if it had been first.

    Not guaranteed: "A logout with an id that a login has just given up".
    """
    for change in history.changes:
        if change in history.tombstones:
            return True
        if change.actor is actor and not history.first(change.after):
            return False
    return False


def keep_sessions_apart(history: History) -> Iterator[str]:
    """Nobody reads another's session, and none moves into the session that was created after it."""
    if any(visit.page.logs_in and history.missed(actor) for actor, visit in history.visits):
        return
    reads = [(actor.name, visit.seen) for actor, visit in history.visits]
    for reader, session in (*reads, *(("the store", one) for one in history.sessions.values())):
        user = session.get("user")
        for name, value in session.items():
            owner = str(value).partition(":")[0]
            if name == "user" or owner in {user, "None"}:
                continue
            if not (
                _moved_into_cleared(history, name) or _is_of_late_login(history, name, session)
            ):
                yield f"{reader} has {name} of {owner} in the session of {user}"


def _moved_into_cleared(history: History, name: str) -> bool:
    """Return whether a slow request has brought its own change into a session that was cleared.

    See "What the options change": "A session that was emptied by `clear()` is still the same
    session".
    """
    author = history.find_author(name)
    if author is None or author.visit.page.clears:  # it has brought its own login, not a change
        return False
    cleared = False
    for change in history.changes:
        for key in change.after:
            before = history.values(change.before, key)
            after = history.values(change.after, key)
            visit = change.actor.visit
            if isinstance(visit, Visit) and visit.page.clears and before != after:
                cleared = True
            moved = name not in before or before.get("user") != after.get("user")
            if cleared and change.actor is author and name in after and moved:
                return True
    return False


def _is_of_late_login(history: History, name: str, session: Values) -> bool:
    """Return whether a session is all that a login has left, because the old id was gone.

    Not guaranteed: "Two logins at once". The later one continues with what was set after
    `regenerate_id()`, and without what the visitor had before.
    """
    author = history.find_author(name)
    only_own = all(history.find_author(other) is author for other in session)
    return author is not None and author.visit.page.rotates and only_own


def revive_nothing(history: History) -> Iterator[str]:
    """A timed-out login does not live again: it is replaced, never merged.

    A request that was under way all the time may write what it has seen or set itself.
    """
    world = history.world
    if world.expired_at < math.inf and not history.slow:
        for actor, visit in history.visits:
            if actor.began_at >= world.expired_at and visit.seen.get("user") == "ann":
                yield f"{actor.name} has read a login that had timed out"
        if any(one.get("user") == "ann" for one in history.sessions.values()):
            yield "a login lives again after it has timed out"
    for change in history.changes:
        for key in change.after:
            before = change.before.get(key)
            if change.now < world.expired_at or before is None or before == change.after[key]:
                continue
            if int(before[TTL]["N"]) <= change.now:
                yield from _find_merged(history, change, key)


def _find_merged(history: History, change: Change, key: str) -> Iterator[str]:
    """Yield what a write has taken over from the expired row under *key*.

    Nothing is wrong if the request had received that row before it expired, or if a write of its
    own is in it: that request took longer than the time-out.
    """
    actor, old = change.actor, change.before[key]
    responses = [entry for entry in actor.log[1:] if entry[2] < int(old[TTL]["N"])]
    record = history.model.parse(old)
    tokens = (get_token(record.rev), *record.list_previous_tokens())
    is_own = any(token.startswith(actor.name.encode()) for token in tokens)
    if is_own or any(_get_rev(response) == old["rev"] for _, response, _ in responses):
        return
    page = actor.visit.page
    before = history.values(change.before, key)
    for name, value in history.values(change.after, key).items():
        known = name in actor.visit.seen or name.startswith(actor.name)
        known = known or (name == "user" and page.logs_in)
        if before.get(name) == value and not known:
            yield f"{actor.name} has merged {name} of a session that had timed out"


def _get_rev(response: object) -> object:
    item = response.get("Item") if isinstance(response, dict) else None
    return None if item is None else item["rev"]


def keep_chunks_whole(history: History) -> Iterator[str]:
    """At most one set of chunks is stored for each session, and none is stored without a session.

    Not guaranteed: "Chunks of a value over 400 KB". A failed call may leave a set behind.
    `has_created_twice` has the other exception.
    """
    world = history.world
    stored = {key.rpartition(".")[0] for key in world.items.rows if CHUNK in key}
    named = set[str]()
    for key, item in world.items.rows.items():
        record: Record | None = None if CHUNK in key else history.model.parse(item)
        if record is not None and record.chunk_count:
            chunk = history.model.rows.layout.make_chunk_key(record.key, record.rev, 0)
            named.add(chunk.hash.rpartition(".")[0])
    if named - stored and not history.has_created_twice():
        yield "a set of chunks is missing"
    if len(stored - named) > world.faults_made:
        yield f"{len(stored)} sets of chunks are stored"


def replace_nothing_after_an_outage(history: History) -> Iterator[str]:
    """A load that failed is never followed by a fresh session."""
    for actor, visit in history.visits:
        first = actor.log[1][0] if len(actor.log) > 1 else ""
        if first != Outcome.FAILED.name:
            continue
        if visit.is_acknowledged or visit.cookie is not None:
            yield f"{actor.name} was answered although its session could not be loaded"
        if any(change.actor is actor for change in history.changes):
            yield f"{actor.name} has written although its session could not be loaded"


def answer_without_error(history: History) -> Iterator[str]:
    """Without a fault no request ends in an error.

    Not guaranteed: "A request that a login overtakes". It raises Conflict, and so does a request
    that has waited for others for 3 seconds.
    """
    at = history.world.expired_at
    for actor, visit in history.visits:
        was_slow = actor.began_at < at < math.inf
        if not visit.error or history.world.faults_made or history.tombstones or was_slow:
            continue
        yield f"{actor.name} has ended in {visit.error}, without a fault"


PROPERTIES: Final[tuple[Property, ...]] = (
    keep_changes,
    repeat_no_write,
    read_what_was_written,
    change_nothing_by_reading,
    end_for_good,
    keep_sessions_apart,
    revive_nothing,
    keep_chunks_whole,
    replace_nothing_after_an_outage,
    answer_without_error,
    end_from_elsewhere,
    end_at_max_age,
    keep_lifetimes,
)
