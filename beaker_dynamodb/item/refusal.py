"""Decide what follows if DynamoDB refuses a save, because its condition does not hold.

Decided by one table, and carried out by `sessions/saving.py`. Three things must stay true: a
deleted session is never written again; a change is saved, logged or ends in an error, unless its
session was deleted; and a logout wins over every other write.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from beaker_dynamodb.item.decide import (
    Content,
    Create,
    Delete,
    GiveUp,
    Replace,
    Touch,
    Write,
    is_cleared,
)
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import get_birth

#: Why a session was replaced and not merged, as the log says it.
CLEARED: Final = "it was cleared while another request changed it"
UNOPENED: Final = "it cannot be opened here, so the later save wins"


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The write is in the table: an earlier attempt was applied and its reply was lost."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Make *write* next, of ours merged into theirs if `merge`, else of ours as it is.

    `reason` is for the log: why theirs is replaced without a merge.
    """

    write: Create | Replace | Delete
    merge: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RaiseConflict:
    """Raise Conflict: the change cannot be saved, or `on_conflict` asks for the error."""


Next: TypeAlias = AlreadyApplied | GiveUp | Retry | RaiseConflict


@dataclass(frozen=True, slots=True)
class RefusedSave:
    """A write that was refused, and what is stored instead.

    Args:
        write, token: the write, and the token that it drew.
        theirs: the row that is stored now, None if there is none; `read` opens it.
        now: epoch seconds.
        on_conflict: the option: merge, overwrite or raise.
    """

    write: Write
    token: bytes
    base: Content | None
    ours: Content
    theirs: Record | None
    read: Callable[[Record], Content]
    now: float
    on_conflict: str


class _RowState(enum.Enum):
    """What is stored in the place of a refused write."""

    OWN_WRITE = "this very write: the row has our token, in its revision or among the last four"
    NOTHING = "no row; for a Create also one that has expired"
    ROTATED = "the tombstone of a rotation: the session goes on under another id"
    TOMBSTONE = "for a Create: any tombstone, because it is of an older session"
    OTHER_BIRTH = "another session: ours was deleted, and perhaps a new one begun"
    EXPIRED = "our session, expired"
    LIVE = "our session, live; for a Create any live session"


def after_refusal(refused: RefusedSave) -> Next:
    """Decide what follows a refused write, by the table of refused writes.

    | stored now  | Create          | Replace         | Touch   | Delete        |
    |-------------|-----------------|-----------------|---------|---------------|
    | OWN_WRITE   | applied         | applied         | applied | (not checked) |
    | NOTHING     | create          | give up         | give up | applied       |
    | ROTATED     | (TOMBSTONE)     | conflict (1)    | give up | applied       |
    | TOMBSTONE   | replace it      | (OTHER_BIRTH)   | give up | (OTHER_BIRTH) |
    | OTHER_BIRTH | (LIVE)          | give up         | give up | applied       |
    | EXPIRED     | (NOTHING)       | replace it (2)  | give up | applied       |
    | LIVE        | `_resolve`      | `_resolve`      | give up | delete it     |

    A name in parentheses says which line counts instead. (1) Give up if the session is opaque, for
    then it may not have changed at all. (2) By ours, never merged: a session that has timed out
    must not live again.
    """
    outcome = _TABLE[type(refused.write)][_classify(refused)]
    return outcome(refused) if callable(outcome) else outcome


def _classify(refused: RefusedSave) -> _RowState:  # noqa: PLR0911  # one return a row of the table
    write, theirs = refused.write, refused.theirs
    if theirs is None:
        return _RowState.NOTHING
    if not isinstance(write, Delete) and theirs.has_token(refused.token):
        return _RowState.OWN_WRITE
    is_live = theirs.is_live(refused.now)
    if isinstance(write, Create):
        if not is_live:
            return _RowState.NOTHING
        return _RowState.TOMBSTONE if theirs.is_tombstone else _RowState.LIVE
    if theirs.is_rotated:
        return _RowState.ROTATED
    if theirs.birth != get_birth(write.rev):
        return _RowState.OTHER_BIRTH
    return _RowState.LIVE if is_live else _RowState.EXPIRED


def _create(refused: RefusedSave) -> Next:
    """Create again; over a row that has ended but not expired, on condition of that row."""
    theirs = refused.theirs
    has_ended = theirs is not None and theirs.ends_at is not None
    return Retry(Create(theirs.rev if theirs is not None and has_ended else None))


def _replace(refused: RefusedSave) -> Next:
    return Retry(Replace(_get_rev(refused)))


def _delete(refused: RefusedSave) -> Next:
    return Retry(Delete(_get_rev(refused)))


def _raise_or_give_up(refused: RefusedSave) -> Next:
    """Raise for a change: it must not follow the session to its new id.

    A request from before a login would else write into the session after it.
    """
    opaque = refused.base is None or None in (refused.base.values, refused.ours.values)
    return GiveUp() if opaque else RaiseConflict()


def _resolve(refused: RefusedSave) -> Next:
    """Decide between two live sessions, by `on_conflict` and by what opens.

    The first line that applies counts:

    | ours and theirs                                     | merge        | overwrite | raise    |
    |-----------------------------------------------------|--------------|-----------|----------|
    | both open, and ours was cleared: it must stay empty | ours, logged | the same  | the same |
    | both open, and ours is new: it has deleted no key   | merge        | merge     | merge    |
    | both open, and so does base                         | merge        | ours      | conflict |
    | any other                                           | ours, logged | ours      | conflict |
    """
    assert refused.theirs is not None  # noqa: S101  # for mypy: `_classify` said LIVE  # nosec B101
    base, ours, theirs = refused.base, refused.ours, refused.read(refused.theirs)
    write = Replace(refused.theirs.rev)
    both_open = ours.values is not None and theirs.values is not None
    if both_open and is_cleared(base, ours):
        return Retry(write, reason=CLEARED)
    # Ours is new if it was to be created. A Create that meets a second writer has become a Replace
    # by then, and still has no base.
    if both_open and (isinstance(refused.write, Create) or base is None):
        return Retry(write, merge=True)
    if refused.on_conflict == "raise":
        return RaiseConflict()
    if refused.on_conflict == "overwrite":
        return Retry(write)
    if both_open and base is not None and base.values is not None:
        return Retry(write, merge=True)
    return Retry(write, reason=UNOPENED)


def _get_rev(refused: RefusedSave) -> bytes:
    assert refused.theirs is not None  # noqa: S101  # for mypy: those rows have one  # nosec B101
    return refused.theirs.rev


_APPLIED: Final = AlreadyApplied()
_GIVE_UP: Final = GiveUp()
#: The table above: what follows, or a function that returns it.
_TABLE: Final[Mapping[type, Mapping[_RowState, Next | Callable[[RefusedSave], Next]]]] = {
    Create: {
        _RowState.OWN_WRITE: _APPLIED,
        _RowState.NOTHING: _create,
        _RowState.TOMBSTONE: _replace,
        _RowState.LIVE: _resolve,
    },
    Replace: {
        _RowState.OWN_WRITE: _APPLIED,
        _RowState.NOTHING: _GIVE_UP,
        _RowState.ROTATED: _raise_or_give_up,
        _RowState.OTHER_BIRTH: _GIVE_UP,
        _RowState.EXPIRED: _replace,
        _RowState.LIVE: _resolve,
    },
    Touch: dict.fromkeys(_RowState, _GIVE_UP) | {_RowState.OWN_WRITE: _APPLIED},
    Delete: dict.fromkeys(_RowState, _APPLIED) | {_RowState.LIVE: _delete},
}
