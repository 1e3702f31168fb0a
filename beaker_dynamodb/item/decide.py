"""What a save does. Decided here, carried out by `sessions/store.py`; refusals: `refusal.py`.

Values go in (the time among them), a small frozen object comes out. Every write of a decision is
conditional, so a late one cannot overwrite a newer row. The words are those of a three-way merge:
*base* is what the session object was loaded with, *ours* is what it holds now, *theirs* is what
is stored now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from beaker_dynamodb.item.envelope import (
    ACCESSED,
    BEAKER_KEYS,
    COOKIE_KEYS,
    CREATED,
    Comparison,
    Envelope,
    Values,
    read_time,
    rewrite,
)
from beaker_dynamodb.item.merge import find_changed_keys, has_objects, merge
from beaker_dynamodb.item.record import Record


@dataclass(eq=False, slots=True)
class Content:
    """A session's text, and the dict in it; `values` is None if it is opaque.

    With an *envelope* it is opened when somebody asks for the dict, and then once.
    """

    text: str = field(repr=False)
    _values: Values | None = field(default=None, repr=False)
    _envelope: Envelope | None = field(default=None, repr=False)

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
    def is_emptied(self) -> bool:
        """Tell whether nothing is left but what `delete()` and `clear()` leave."""
        return self.values is not None and self.values.keys() <= COOKIE_KEYS

    @property
    def is_without_data(self) -> bool:
        """Tell whether it holds nothing but what Beaker itself puts into a session."""
        return self.values is not None and self.values.keys() <= BEAKER_KEYS

    @property
    def has_creation_time(self) -> bool:
        """Tell whether it has a creation time: Beaker gives it once, `clear()` takes it away."""
        return self.values is not None and CREATED in self.values

    def open_like_a_saved_one(self, envelope: Envelope) -> None:
        """Close and open the values once more, so that they have the history of values to be saved.

        An object is compared by its pickle, and two equal objects may have different pickles if
        only one of them has been through its envelope in this process.
        """
        again = None if self.values is None else rewrite(envelope, self.values)
        if again is not None:
            self._values = envelope.open(again)


@dataclass(frozen=True, slots=True)
class SaveState:
    """All that the decision about a save depends on.

    Args:
        base: what the session object was loaded with; None if nothing was loaded.
        stored: the row in the table, as far as this request knows; None if no live row was loaded.
        ours: what Beaker hands over to be saved.
        envelope: opens and closes texts; None if they are opaque.
        now: epoch seconds.
        lifetime: seconds until a saved row expires, None for ever.
        touch_after: seconds by which a row's expiry may be wrong before it is written anew.
        may_be_saved: an earlier save of this request ended in an error. Its write may have been
            applied all the same, so this one has to be made even if nothing has changed since.
    """

    base: Content | None
    stored: Record | None
    ours: Content
    envelope: Envelope | None
    now: float
    lifetime: float | None
    touch_after: float
    may_be_saved: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """Write nothing: nothing has changed."""


@dataclass(frozen=True, slots=True)
class Create:
    """Put ours under a new birth, on condition that no row exists or that it has expired."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Put ours under the same revision, on condition that it is still that: only times differ.

    `new_token`: under a new token. The names of a large value's chunks hold the token, so it
    cannot be written over itself. It gives way to any other write all the same.
    """

    rev: str
    new_token: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Put ours under a new token, on condition that the row is at *rev*.

    `unopened`: this process could not open the session that ours replaces.
    """

    rev: str
    unopened: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the row, on condition that it is at *rev*."""

    rev: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not write, and let the page go on."""


Write: TypeAlias = Create | Touch | Replace | Delete
Decision: TypeAlias = Leave | GiveUp | Write
_UNKNOWN: Final = Comparison(None)


def decide(state: SaveState) -> Decision:
    """Decide what a save does.

    In this order:

    * An emptied session (`delete()`, `clear()`) is deleted, or left if it was never stored.
    * A session that Beaker began only because it could not open the stored one, as while a deploy
      is under way, is not saved if it holds no data: the stored one survives the deploy. If its
      user has logged in again meanwhile, it replaces the stored one.
    * Without a stored row it is created; if anything but its access time has changed, replaced.
    * Else only the access time has changed: it is touched if its expiry has become too wrong.
    """
    stored, ours = state.stored, state.ours
    comparison = _UNKNOWN
    if state.base is not None and state.envelope is not None:
        comparison = state.envelope.compare(state.base.text, ours.text)
    changed = True if state.may_be_saved else comparison.changed
    if changed is None and ours.is_emptied:
        return Delete(stored.rev) if stored else Leave()
    unopened = comparison.may_be_new and _was_not_opened(state)
    if unopened and ours.is_without_data:
        return GiveUp()
    if stored is None:
        return Create()
    if changed is None:
        changed = _differ_in_values(state)
    if changed:
        return Replace(stored.rev, unopened)
    if not _is_expiry_wrong(state, stored):
        return Leave()
    return Touch(stored.rev, new_token=stored.chunk_count > 0)


def _differ_in_values(state: SaveState) -> bool:
    """Tell whether more than the access time differs; what is opaque counts as changed."""
    base, ours = state.base, state.ours
    if base is None or base.values is None or ours.values is None:
        return True
    changed = find_changed_keys(base.values, ours.values)
    if state.envelope is not None and has_objects(changed, base.values, ours.values):
        base.open_like_a_saved_one(state.envelope)
        changed = find_changed_keys(base.values, ours.values)
    return any(key != ACCESSED for key in changed)


def _was_not_opened(state: SaveState) -> bool:
    """Tell whether Beaker began *ours* because it could not open *base*, which it had loaded.

    A class that raises TypeError or KeyError, as while a deploy is under way, is "no such session"
    to Beaker (beaker/session.py:440): it begins a new one under the same id. That shows in the
    creation time, which a session otherwise keeps, or loses by `clear()`.
    """
    base, ours = state.base, state.ours
    if base is None or ours.values is None or not ours.has_creation_time:
        return False
    return base.values is None or base.values.get(CREATED) != ours.values[CREATED]


def _is_expiry_wrong(state: SaveState, stored: Record) -> bool:
    """Tell whether the row's expiry is wrong by `touch_after` or more, in either direction.

    Too late as well: if another configuration gave it longer, its expiry says nothing of the
    access time that Beaker reads, and a user who only reads pages would be timed out. A row that
    never expires is touched by its access time.
    """
    if state.lifetime is None or stored.expires is None:
        if (state.lifetime is None) is not (stored.expires is None):
            return True
        base = 0.0 if state.base is None else _access_time(state.base)
        return _access_time(state.ours) - base >= state.touch_after
    return abs(state.now + state.lifetime - stored.expires) >= state.touch_after


def _access_time(content: Content) -> float:
    return read_time(content.values or {}, ACCESSED) or 0.0


# Merging


def merge_contents(
    envelope: Envelope | None, base: Content | None, ours: Content, theirs: Content
) -> Content:
    """Merge ours into theirs; return ours itself if one is opaque, or the merge cannot be written.

    Args: *base* is what both descend from; what is opaque counts as empty.
    """
    if envelope is None or ours.values is None or theirs.values is None:
        return ours
    values = merge((base.values if base else None) or {}, ours.values, theirs.values)
    text = rewrite(envelope, values)
    return ours if text is None else Content(text, values)


def rebase(envelope: Envelope | None, base: Content, ours: Content, stored: str) -> Content:
    """Put ours onto *stored*, the text that an earlier save of this request has written.

    After a merge it holds keys that the session object never had. Without this, the next save of
    the same request would delete them. A session that was cleared in between takes nothing in.
    """
    theirs = Content(stored, None, envelope)
    is_opaque = None in (base.values, ours.values, theirs.values)
    was_cleared = theirs.has_creation_time and not ours.has_creation_time
    return ours if is_opaque or was_cleared else merge_contents(envelope, base, ours, theirs)
