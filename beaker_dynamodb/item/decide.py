"""What a save must do, and what to do when DynamoDB refuses it. Decided here, done elsewhere.

Values come in (`now` among them), a small frozen object comes out. No write of a plan is ever
unconditional, so a late one cannot land on a newer row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from beaker_dynamodb.item.bookkeeping import ACCESSED, BEAKERS_OWN, CREATED, PLACES, read_time
from beaker_dynamodb.item.envelope import Envelope, Values
from beaker_dynamodb.item.merge import changed_keys
from beaker_dynamodb.item.record import Record, birth


class Content:
    """A session's text, and the dict in it; `values` is None if it is opaque.

    With an *envelope* it is opened when somebody asks for the dict, and then once.
    """

    __slots__ = ("_envelope", "_values", "text")

    def __init__(
        self, text: str, values: Values | None = None, envelope: Envelope | None = None
    ) -> None:
        self.text = text
        self._values = values
        self._envelope = envelope

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return (self.text, self.values) == (other.text, other.values)

    __hash__ = None  # type: ignore[assignment]  # it holds a dict

    @property
    def values(self) -> Values | None:
        """Open it."""
        if self._envelope is not None:
            self._values, self._envelope = self._envelope.open(self.text), None
        return self._values

    @property
    def emptied(self) -> bool:
        """Tell whether nothing but Beaker's bookkeeping is left."""
        return self.values is not None and self.values.keys() <= PLACES

    @property
    def without_data(self) -> bool:
        """Tell whether it holds nothing but what Beaker itself puts into a session."""
        return self.values is not None and self.values.keys() <= BEAKERS_OWN

    @property
    def begun(self) -> bool:
        """Tell whether it has a creation time: `clear()` takes it away, Beaker gives it once."""
        return self.values is not None and CREATED in self.values


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Create:
    """Put a new birth, on condition that no row exists or that it has expired."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Put mine under the same rev, on condition that it is still that: only times differ.

    `anew`: under a new token, as its pieces are named by it; it gives way all the same.
    """

    rev: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Put mine under a new token, on condition that the row is at *rev*."""

    rev: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the row, on condition that it is at *rev*."""

    rev: str


#: Why a session was replaced and not merged, as the log says it.
CLEARED: Final = "it was cleared while another request changed it"
UNOPENED: Final = "it does not open here, so the later save wins"

Plan: TypeAlias = Leave | Create | Touch | Replace | Delete


def plan(  # noqa: PLR0913  # a decision over six values; each of them its own
    known: Content | None,
    stored: Record | None,
    mine: Content,
    *,
    now: float,
    lifetime: float | None,
    touch_after: float,
    changed: bool | None = None,
) -> Plan:
    """Plan a save.

    Args:
        known: what the session object held before this request changed it.
        stored: the row as it stands in the table, None if nothing live was loaded.
        mine: what Beaker hands over.
        now: epoch seconds; `lifetime` and `touch_after` are seconds, None is for ever.
        changed: whether more than the access time differs, where the bytes alone have told.
    """
    if changed is None and mine.emptied:
        return Delete(stored.rev) if stored else Leave()
    if stored is None:
        return Create()
    if changed is None:
        changed = _changed(known, mine)
    if changed or known is None:
        return Replace(stored.rev)
    if lifetime is None or stored.expires is None:
        behind = _accessed(mine) - _accessed(known)
        stale = behind >= touch_after or (lifetime is None) is not (stored.expires is None)
    else:
        # Ahead of it, too: where another configuration gave it longer, the expiry says nothing of
        # the access time that Beaker reads, and a visitor who only reads would time out.
        stale = abs(now + lifetime - stored.expires) >= touch_after
    if not stale:
        return Leave()
    # A touch keeps the rev, and so would its pieces' names: a large value is written anew.
    return Touch(stored.rev, anew=stored.pieces > 0)


def was_not_opened(known: Content, mine: Content) -> bool:
    """Tell whether Beaker began *mine* because it could not open *known*, which it had loaded.

    A class that raises TypeError or KeyError, as while a deploy is under way, is "no such session"
    to it (beaker/session.py:440): it begins a new one under the same id. That shows in the
    creation time, which a session otherwise keeps, or loses by `clear()`.
    """
    if mine.values is None or not mine.begun:
        return False
    return known.values is None or known.values.get(CREATED) != mine.values[CREATED]


def _changed(known: Content | None, mine: Content) -> bool:
    """Tell whether more than the access time differs; what is opaque has changed."""
    if known is None or known.values is None or mine.values is None:
        return True
    return any(key != ACCESSED for key in changed_keys(known.values, mine.values))


def _accessed(content: Content) -> float:
    return read_time(content.values or {}, ACCESSED) or 0.0


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The write stands: an earlier attempt was applied and its reply was lost."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The write is given up, and the page goes on."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Write once more, on condition that the row is at *rev*: `merged` if given, else mine.

    *word* says in the log why theirs was not merged, where somebody should know.
    """

    plan: Replace | Delete | Create
    merge: bool = False
    word: str = ""


@dataclass(frozen=True, slots=True)
class RaiseConflict:
    """Two writers, and the application asked to be told."""


Next: TypeAlias = AlreadyApplied | GiveUp | Retry | RaiseConflict


def after_refusal(  # noqa: PLR0911, PLR0913  # one return a row of the table of refusals
    refused: Create | Touch | Replace | Delete,
    token: str,
    known: Content | None,
    mine: Content,
    theirs: Record | None,
    read: Callable[[Record], Content],
    *,
    now: float,
    on_conflict: str,
) -> Next:
    """Decide what follows a refused write; the rows of the table of refusals, from the top.

    Args:
        refused: the plan whose condition did not hold, and the *token* that its write drew.
        theirs: the row that stands there; `read` opens it as mine's kind.
    """
    if theirs is not None and not isinstance(refused, Delete) and theirs.wrote(token):
        return AlreadyApplied()
    if isinstance(refused, Create):
        if theirs is None or not theirs.live(now):  # it expired between the two looks
            return Retry(refused)
        if theirs.is_tombstone:  # what it kept out is an older session, not this new one
            return Retry(Replace(theirs.rev))
    elif theirs is not None and theirs.is_rotated and isinstance(refused, Replace):
        # A request from before a login must not write into the session after it. An opaque save
        # may be a mere reader's.
        changed = known is not None and None not in (known.values, mine.values)
        return RaiseConflict() if changed else GiveUp()
    elif theirs is None or theirs.birth != birth(refused.rev):
        # The session was deleted.
        return AlreadyApplied() if isinstance(refused, Delete) else GiveUp()
    if isinstance(refused, Delete):
        return Retry(Delete(theirs.rev)) if theirs.live(now) else AlreadyApplied()
    if isinstance(refused, Touch):
        return GiveUp()  # another request has written it, and its times with it
    again = Replace(theirs.rev)
    if not theirs.live(now):
        return Retry(again)
    return _over_a_live_row(refused, again, known, mine, read(theirs), on_conflict)


def _over_a_live_row(  # noqa: PLR0913  # the second half of the table, over the same values
    refused: Create | Replace,
    again: Replace,
    known: Content | None,
    mine: Content,
    theirs: Content,
    on_conflict: str,
) -> Next:
    opens = mine.values is not None and theirs.values is not None
    # A Create that meets a third writer is a Replace by then, and still knows nothing.
    if opens and (isinstance(refused, Create) or known is None):
        return Retry(again, merge=True)
    if theirs.begun and not mine.begun and opens:
        return Retry(again, word=CLEARED)
    if on_conflict == "raise":
        return RaiseConflict()
    if on_conflict == "overwrite":
        return Retry(again)
    if opens and known is not None and known.values is not None:
        return Retry(again, merge=True)
    return Retry(again, word=UNOPENED)
