"""Decide what a save does. `sessions/saving.py` carries it out; `refusal.py` decides on refusals.

Values go in, the time among them, and a small frozen object comes out. Each write is conditional,
so a late one cannot overwrite a newer row. The terms are those of a three-way merge: *base* is what
the session object was loaded with, *ours* is what it holds now, *theirs* is what is stored now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
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
from beaker_dynamodb.item.record import Record, compute_expiry


@dataclass(eq=False, slots=True)
class Content:
    """A session's text, and the dict in it; `values` is None if it is opaque.

    With an envelope the text is opened when `values` is first used, because most saves need not.
    """

    text: str = field(repr=False)
    _values: Values | None = field(default=None, repr=False)
    _envelope: Envelope | None = field(default=None, repr=False)
    #: The text without its base64, if that was undone already.
    raw: bytes | None = field(default=None, repr=False)
    #: Whether this request has saved it, so that a later save compares with it.
    is_saved: bool = False

    @property
    def values(self) -> Values | None:
        """The dict, None if the text does not open."""
        if self._envelope is not None:
            self._values, self._envelope = self._envelope.open(self.text), None
        return self._values

    def forget_values(self, envelope: Envelope | None) -> None:
        """Drop the dict, if *envelope* can open the text again when the dict is used."""
        if self._values is not None and envelope is not None:
            self._values, self._envelope = None, envelope

    @property
    def is_emptied(self) -> bool:
        """Return whether it holds no other keys than `delete()` and `clear()` leave."""
        return self.values is not None and self.values.keys() <= COOKIE_KEYS

    @property
    def is_without_data(self) -> bool:
        """Return whether it holds no other keys than those that Beaker itself sets."""
        return self.values is not None and self.values.keys() <= BEAKER_KEYS

    @property
    def has_access_time(self) -> bool:
        """Return whether it has an access time, which `clear()` removes."""
        return self.values is not None and ACCESSED in self.values


class SaveState(NamedTuple):
    """Everything that the decision about a save depends on.

    Args:
        base: what the session object was loaded with; None if nothing was loaded.
        row: what is in the table, as far as this request knows; None if no live row was loaded.
        ours: the session that Beaker saves.
        envelope: opens and closes texts; None if they are opaque.
        now: epoch seconds.
        lifetime: seconds until a saved row expires, None for ever.
        touch_after: by how many seconds a row's expiry may be wrong before the row is touched.
        start: when the session began, in epoch seconds, if there is no row that says it.
        max_age: the seconds after that at which it ends; None for never.
        restarts: the session begins anew at *now* for `max_age`.
        pending: what the session's next request has to repeat; "" is nothing any more, None leaves
            what the row says.
        may_have_saved: an earlier save of this request ended in an error, and may have been applied
            all the same. So this save has to write even if nothing has changed since.
    """

    base: Content | None
    row: Record | None
    ours: Content
    envelope: Envelope | None
    now: float
    lifetime: float | None
    touch_after: float
    start: float | None = None
    max_age: float | None = None
    restarts: bool = False
    pending: str | None = None
    may_have_saved: bool = False

    def find_start(self, old: Record | None) -> float:
        """Return when the session began that is written over *old*, in epoch seconds.

        The row says it, or the id before a rotation. Otherwise Beaker's own creation time counts,
        which a session keeps under a new id and in another backend; and *now* if it has none.
        """
        if self.restarts:
            return self.now
        start = self.start if old is None else old.start
        if start is not None:
            return start
        created = read_time(self.ours.values or {}, CREATED)
        return self.now if created is None else min(created, self.now)


@dataclass(frozen=True, slots=True)
class Leave:
    """Write nothing: nothing has changed."""


@dataclass(frozen=True, slots=True)
class Create:
    """Put ours under a new birth, on condition that no row exists or that it has expired.

    `ended` is the revision of a row that has not expired, but that `max_age` or `created_after` has
    ended. Then the condition is that the row is still at it.
    """

    ended: bytes | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """Put ours on condition that the row is at *rev*, and keep that: only the access time differs.

    `new_token` is for a large value, whose chunks have the token in their keys: it is written under
    a new one, next to its old chunks.

    An access time is never worth an error or a second attempt. So there are three places where it
    is dropped: `decide` returns Leave if the row's expiry is right; `after_refusal` returns GiveUp
    if the condition does not hold; `SessionStore._carry_out` drops it if the call fails.
    """

    rev: bytes
    new_token: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Put ours under a new token, on condition that the row is at *rev*.

    `unopened`: this process could not open the session that ours replaces.
    """

    rev: bytes
    unopened: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the row, on condition that it is at *rev*."""

    rev: bytes


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not write, and let the page go on."""


Write: TypeAlias = Create | Touch | Replace | Delete
Decision: TypeAlias = Leave | GiveUp | Write
_UNKNOWN: Final = Comparison(None)


def decide(state: SaveState) -> Decision:
    """Decide what a save does: the first line of this table that applies counts.

    | ours, compared with base                                  | there is a row  | there is none |
    |-----------------------------------------------------------|-----------------|---------------|
    | was emptied by `delete()` or `clear()`                    | Delete          | Leave         |
    | is new, because base did not open here, and holds no data | GiveUp          | GiveUp        |
    | differs in more than the access time                      | Replace         | Create        |
    | differs in the access time, and the row's expiry is wrong | Touch           | Create        |
    | differs in the access time or in nothing                  | Leave           | Create        |

    The second line is met during a deploy, if one server cannot import a class of the session:
    Beaker begins a new session under the same id. If that one holds no data, it must not replace
    the stored one, which other servers can open. If its user has logged in again, it does.

    After a save that may have been applied, the session counts as different, whatever it holds; if
    it was emptied since, `SessionStore.save` deletes the row, perhaps unseen, and does not ask.
    """
    row, ours = state.row, state.ours
    comparison = _compare_texts(state)
    changed = True if state.may_have_saved else comparison.changed
    # An emptied session has no access time either, so its text alone never tells what has changed.
    if changed is None and ours.is_emptied:
        return Delete(row.rev) if row else Leave()
    # The first two terms open no pickle.
    unopened = comparison.may_be_new and not state.restarts and _was_not_opened(state)
    if unopened and ours.is_without_data:
        return GiveUp()
    if row is None:
        return Create()
    must_write = state.restarts or state.pending  # the row, although the session may not differ
    if must_write or (_differ_in_values(state) if changed is None else changed):
        return Replace(row.rev, unopened)
    if state.pending is None and not _is_expiry_wrong(state, row, _find_idle(state, comparison)):
        return Leave()
    return Touch(row.rev, new_token=row.chunk_count > 0)


def _compare_texts(state: SaveState) -> Comparison:
    """Compare base with ours by their bytes; ours keeps what this has decoded, for the codec."""
    if state.base is None or state.envelope is None:
        return _UNKNOWN
    comparison = state.envelope.compare(state.base.text, state.ours.text)
    state.ours.raw = comparison.raw
    return comparison


def _differ_in_values(state: SaveState) -> bool:
    """Return whether more than the access time differs; an opaque session counts as changed."""
    base, ours = state.base, state.ours
    if base is None or base.values is None or ours.values is None:
        return True
    values = _make_comparable(state.envelope, base.values, ours.values)
    return any(key != ACCESSED for key in find_changed_keys(values, ours.values))


def _make_comparable(envelope: Envelope | None, base: Values, ours: Values) -> Values:
    """Return base as it can be compared with ours: written as text and opened, if it must be.

    Objects are compared by their pickles, and two equal objects may have different pickles if only
    one of them was pickled in this process: equal texts may be one object or two.
    """
    if envelope is None or not has_objects(find_changed_keys(base, ours), base, ours):
        return base
    text = rewrite(envelope, base)
    return base if text is None else envelope.open(text) or base


def _was_not_opened(state: SaveState) -> bool:
    """Return whether Beaker began *ours* because it could not open *base*, which it had loaded.

    Beaker takes a TypeError or KeyError of a load, as a class may raise during a deploy, for "no
    such session" (beaker/session.py:440), and begins a new one under the same id. It has another
    creation time; a session otherwise keeps that, or loses it by `clear()`.
    """
    base, ours = state.base, state.ours
    if base is None or ours.values is None or CREATED not in ours.values:
        return False
    return base.values is None or base.values.get(CREATED) != ours.values[CREATED]


def _is_expiry_wrong(state: SaveState, row: Record, idle: float) -> bool:
    """Return whether the row's expiry is wrong by `touch_after` or more, in either direction.

    It is too late if the lifetime was made shorter. Such a row is touched as well: Beaker times a
    session out by the access time in it, and would log out users whose requests change nothing.

    The access time in the row is *idle* seconds older than ours, and counts as well: an expiry that
    never moves does not show it, nor does one that is right by chance under a new timeout. Near the
    end of `max_age` it counts only while Beaker's time-out can still end the session earlier: the
    last stretch costs no writes.
    """
    expires = None if state.lifetime is None else state.now + state.lifetime
    if state.max_age is not None:
        start = state.find_start(row)
        expires = compute_expiry(state.now, state.lifetime, start, state.max_age)
    is_old = idle >= state.touch_after
    if expires is None or row.expires is None:
        return is_old or (expires is None) is not (row.expires is None)
    if abs(expires - row.expires) >= state.touch_after:
        return True
    lifetime = math.inf if state.lifetime is None else state.lifetime
    ends_by_max_age = expires < state.now + lifetime
    beaker_ends = state.now - idle + lifetime - BEAKER_TIMEOUT_PADDING
    return is_old and not (ends_by_max_age and min(row.expires, beaker_ends) >= expires)


def _find_idle(state: SaveState, comparison: Comparison) -> float:
    """Return the seconds between the access times of base and ours; one without it counts as 0."""
    if comparison.changed is False:
        return comparison.idle
    ours, base = (c and read_time(c.values or {}, ACCESSED) for c in (state.ours, state.base))
    return (ours or 0.0) - (base or 0.0)


# Merging


def merge_contents(
    envelope: Envelope | None, base: Content | None, ours: Content, theirs: Content
) -> Content:
    """Merge ours into theirs; return ours itself if one is opaque, or the merge cannot be written.

    Args: *base* is the session that both were made from; None and opaque count as empty.
    """
    if envelope is None or ours.values is None or theirs.values is None:
        return ours
    known = _make_comparable(envelope, (base.values if base else None) or {}, ours.values)
    values = merge(known, ours.values, theirs.values)
    text = rewrite(envelope, values)
    return ours if text is None else Content(text, values)


def rebase(envelope: Envelope | None, base: Content, ours: Content, saved: str) -> Content:
    """Merge ours into *saved*, the text that an earlier save of this request has written.

    If that save merged, the text holds keys that the session object does not have, and they would
    look deleted. If the session was cleared in between, ours is returned as it is.
    """
    theirs = Content(saved, None, envelope)
    is_opaque = None in (base.values, ours.values, theirs.values)
    if is_opaque or is_cleared(base, ours):
        return ours
    return merge_contents(envelope, base, ours, theirs)


def is_cleared(base: Content | None, ours: Content) -> bool:
    """Return whether this request has cleared the session since *base*: then it must stay empty.

    Beaker sets the access time of each session that it begins or loads, `clear()` removes it, and a
    save does not set it (beaker/session.py:239, 437 and 467 of 1.14.1). So a session without it was
    cleared in this request; since *base*, unless an earlier save of this request was without it
    too. The creation time tells less: a session that was cleared once never gets it back.

    Args: *base* is what ours was made from; None if ours is new.
    """
    if ours.values is None or ours.has_access_time:
        return False
    return base is None or base.has_access_time or not base.is_saved
