"""What follows when DynamoDB refuses a save, because its condition does not hold.

Decided here by one table, carried out by `sessions/store.py`. Whatever is found, a deleted session
is never written again, no change is lost without somebody being told, and a logout wins.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from beaker_dynamodb.item.decide import Content, Create, Delete, GiveUp, Replace, Touch, Write
from beaker_dynamodb.item.record import Record, get_birth

#: Why a session was replaced and not merged, as the log says it.
CLEARED: Final = "it was cleared while another request changed it"
UNOPENED: Final = "it cannot be opened here, so the later save wins"


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The write is in the table: an earlier attempt was applied and its reply was lost."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Carry out *write* next, with ours merged into theirs if `merge`, else with ours.

    `reason` is for the log: why theirs is replaced without being merged.
    """

    write: Create | Replace | Delete
    merge: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RaiseConflict:
    """Raise Conflict: the change cannot be saved, or the application asked to be told."""


Next: TypeAlias = AlreadyApplied | GiveUp | Retry | RaiseConflict


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that was refused, and what is stored instead.

    Args:
        write: what was to be written, and `token`, which the write drew.
        theirs: the row that is stored now; `read` opens it. None if there is none.
        now: epoch seconds.
        on_conflict: the option: merge, overwrite or raise.
    """

    write: Write
    token: str
    base: Content | None
    ours: Content
    theirs: Record | None
    read: Callable[[Record], Content]
    now: float
    on_conflict: str


class _Found(enum.Enum):
    """What a refused write found in the table."""

    OURS = "our own write: theirs holds our token, in its revision or among the last four"
    NOTHING = "no row; for a Create an expired one, too"
    ROTATED = "the marker of a rotation: the session goes on under another id"
    TOMBSTONE = "for a Create: a marker that an older session was deleted or rotated"
    ANOTHER = "a row of another birth: our session was deleted, and perhaps begun anew"
    EXPIRED = "our session, expired"
    LIVE = "a live session; for all but a Create: of our birth"


def after_refusal(refused: Refusal) -> Next:
    """Decide what follows a refused write, by the table of refused writes.

    | found     | Create      | Replace            | Touch   | Delete          |
    |-----------|-------------|--------------------|---------|-----------------|
    | OURS      | applied     | applied            | applied | (is not asked)  |
    | NOTHING   | create      | give up            | give up | applied         |
    | ROTATED   | (TOMBSTONE) | conflict (1)       | give up | applied         |
    | TOMBSTONE | replace it  | (ANOTHER)          | give up | (ANOTHER)       |
    | ANOTHER   | (LIVE)      | give up            | give up | applied         |
    | EXPIRED   | (NOTHING)   | replace it (2)     | give up | applied         |
    | LIVE      | resolve     | resolve            | give up | delete it       |

    A deleted session is never written again, a logout wins over every write, and a page that only
    read gives way. (1) Give up if it may have been a mere reader. (2) With ours, never merged:
    else a session that timed out would live again.
    """
    return _TABLE[type(refused.write)][_find(refused)](refused)


def _find(refused: Refusal) -> _Found:  # noqa: PLR0911  # one return a row of the table
    write, theirs = refused.write, refused.theirs
    if theirs is None:
        return _Found.NOTHING
    if not isinstance(write, Delete) and theirs.has_token(refused.token):
        return _Found.OURS
    is_live = theirs.is_live(refused.now)
    if isinstance(write, Create):
        if not is_live:
            return _Found.NOTHING
        return _Found.TOMBSTONE if theirs.is_tombstone else _Found.LIVE
    if theirs.is_rotated:
        return _Found.ROTATED
    if theirs.birth != get_birth(write.rev):
        return _Found.ANOTHER
    return _Found.LIVE if is_live else _Found.EXPIRED


def _accept(_: Refusal) -> Next:
    return AlreadyApplied()


def _give_up(_: Refusal) -> Next:
    return GiveUp()


def _create(_: Refusal) -> Next:
    return Retry(Create())


def _replace(refused: Refusal) -> Next:
    return Retry(Replace(_rev(refused)))


def _delete(refused: Refusal) -> Next:
    return Retry(Delete(_rev(refused)))


def _tell(refused: Refusal) -> Next:
    """Raise for a change: it cannot follow to the other id.

    A request from before a login would else write into the session after it. An opaque save may
    be a mere reader's.
    """
    opaque = refused.base is None or None in (refused.base.values, refused.ours.values)
    return GiveUp() if opaque else RaiseConflict()


def _resolve(refused: Refusal) -> Next:
    """Decide between two live sessions, by `on_conflict` and by what opens.

    A new session merges whatever the option says: it knows of nothing that it could overwrite.
    One that was cleared replaces theirs, for it would not be empty otherwise.
    """
    assert refused.theirs is not None  # noqa: S101  # for mypy: `_find` said LIVE
    base, ours, theirs = refused.base, refused.ours, refused.read(refused.theirs)
    write = Replace(refused.theirs.rev)
    opens = ours.values is not None and theirs.values is not None
    # A Create that meets a second writer is a Replace by then, and still has no base.
    if opens and (isinstance(refused.write, Create) or base is None):
        return Retry(write, merge=True)
    if opens and theirs.has_creation_time and not ours.has_creation_time:
        return Retry(write, reason=CLEARED)
    if refused.on_conflict == "raise":
        return RaiseConflict()
    if refused.on_conflict == "overwrite":
        return Retry(write)
    if opens and base is not None and base.values is not None:
        return Retry(write, merge=True)
    return Retry(write, reason=UNOPENED)


def _rev(refused: Refusal) -> str:
    assert refused.theirs is not None  # noqa: S101  # for mypy: these rows of the table have one
    return refused.theirs.rev


_Outcome: TypeAlias = Callable[[Refusal], Next]
_TABLE: Final[Mapping[type, Mapping[_Found, _Outcome]]] = {
    Create: {
        _Found.OURS: _accept,
        _Found.NOTHING: _create,
        _Found.TOMBSTONE: _replace,
        _Found.LIVE: _resolve,
    },
    Replace: {
        _Found.OURS: _accept,
        _Found.NOTHING: _give_up,
        _Found.ROTATED: _tell,
        _Found.ANOTHER: _give_up,
        _Found.EXPIRED: _replace,
        _Found.LIVE: _resolve,
    },
    Touch: dict.fromkeys(_Found, _give_up) | {_Found.OURS: _accept},
    Delete: dict.fromkeys(_Found, _accept) | {_Found.LIVE: _delete},
}
