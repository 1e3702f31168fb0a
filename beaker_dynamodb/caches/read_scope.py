"""What was read inside Beaker's read brackets: each key once, and no longer than the bracket.

A Beaker hit asks `in` and then `[]` inside nested brackets; remembering makes that one read.
Forgetting with the outermost bracket makes the second look after the creation lock an honest
one. A write bracket remembers nothing: what is read there decides about a write.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.runtime import on_fork

#: The most seconds that a read is remembered, however long its bracket stays open.
MEMORY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """A read: when it was made (monotonic seconds), and what it found."""

    at: float
    found: Any


@dataclass(frozen=True, slots=True)
class _Bracket:
    """The brackets that are open here: whose, how many, what was read, and those around them."""

    owner: object
    depth: int
    memo: dict[object, Remembered]
    outer: _Bracket | None


#: A ContextVar and no thread-local: one made before gevent's patching is shared by all greenlets.
_open: ContextVar[_Bracket | None] = ContextVar("beaker_dynamodb_brackets", default=None)

_writing: ContextVar[tuple[int, ...]] = ContextVar("beaker_dynamodb_writing", default=())


def enter(owner: object) -> None:
    """Open a bracket of *owner*; brackets nest."""
    top = _open.get()
    if top is not None and top.owner is owner:
        _open.set(_Bracket(owner, top.depth + 1, top.memo, top.outer))
    else:
        _open.set(_Bracket(owner, 1, {}, top))


def leave(owner: object) -> None:
    """Close a bracket of *owner*; the outermost one forgets what was read."""
    top = _open.get()
    if top is None or top.owner is not owner:
        return
    inner = _Bracket(owner, top.depth - 1, top.memo, top.outer)
    _open.set(inner if inner.depth else top.outer)


def enter_write(owner: object) -> None:
    """Open a write bracket of *owner*; write brackets nest, too."""
    _writing.set((*_writing.get(), id(owner)))


def leave_write(owner: object) -> None:
    """Close a write bracket of *owner*."""
    open_ = list(_writing.get())
    if id(owner) in open_:
        open_.remove(id(owner))
        _writing.set(tuple(open_))


def writing(owner: object) -> bool:
    """Tell whether *owner* has a write bracket open here: what it reads decides about a write."""
    return id(owner) in _writing.get()


def memo(owner: object) -> dict[object, Remembered] | None:
    """Return what *owner* has read in its open bracket; None outside of one."""
    top = _open.get()
    return top.memo if top is not None and top.owner is owner else None


def _forget_all() -> None:
    _open.set(None)
    _writing.set(())


on_fork(_forget_all)
