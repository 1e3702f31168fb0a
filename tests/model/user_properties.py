"""What must be true of a user's sessions: of those that are ended from elsewhere, and of lifetimes.

They are the sentences of docs/user-sessions.md, checked like those in `properties`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.model.explorer import START, Actor
from tests.model.history import CHUNK, History, Values
from tests.model.pages import CART, DAYS
from tests.model.scenarios import AGE, DUE, MAX_AGE, Start

_DAY: Final = 86400


def end_from_elsewhere(history: History) -> Iterator[str]:
    """A session that another session of its user has ended does not come back.

    `end(handle)` has ended it if it returns True. `end_others()` has ended it at once if the index
    shows it, and otherwise when the session at hand comes back.

    Not guaranteed: "A login that takes longer than the index". The repetition may come before it.
    """
    scenario = history.model.scenario
    for actor, visit in history.visits:
        if not (visit.has_ended_other and visit.seen.get("user") == "ann"):
            continue
        is_shown = not scenario.is_lagging and scenario.start is not Start.OLD_BACKEND
        was_rotated = any(one.page.rotates for _, one in history.visits)
        if not visit.page.repeats or (is_shown and not was_rotated):
            yield from _find_old(history, actor, history.sessions, "right after")
        if visit.page.repeats:
            yield from _find_old(history, actor, history.later_sessions, "after the repetition of")

    if scenario.note_age == DUE and not (scenario.is_lagging or _was_rotated_late(history)):
        yield from _find_old(history, None, history.later_sessions, "after the repetition of")


def _was_rotated_late(history: History) -> bool:
    """Return whether the first device has got a new id while the end of the others was repeated.

    Not guaranteed: "A new id during the repetition". The index shows the old id, or none.
    """
    return any(
        rotating.page.rotates and actor.name not in one.finished_before
        for one, repeating in history.visits
        if repeating.page.is_elsewhere
        for actor, rotating in history.visits
        if not rotating.page.is_elsewhere
    )


def _find_old(
    history: History, actor: Actor | None, sessions: dict[str, Values], when: str
) -> Iterator[str]:
    """Yield the sessions of the first device that were to be ended by the request of *actor*.

    If it is None, the other device has ended them before the first step.
    """
    for session_id, session in sessions.items():
        if session_id in history.other_ids or session.get("user") != "ann":
            continue
        logins = [
            one
            for one, visit in history.visits
            if visit.page.begins_anew and f"{one.name}1" in session
        ]
        may_slip_through = (
            actor is None or history.model.scenario.events or not actor.visit.page.repeats
        )
        if logins and (may_slip_through or actor is None or logins[0].began_at > actor.began_at):
            continue
        by = actor.name if actor else "the other device"
        yield f"a session is there {when} the end of the others by {by}"


def end_at_max_age(history: History) -> Iterator[str]:
    """No session is loaded past its longest age, and no write moves that."""
    if not history.model.scenario.has_max_age:
        return
    start = int(START - AGE)
    for actor, visit in history.visits:
        if actor.began_at >= start + MAX_AGE and visit.seen.get("user") == "ann":
            yield f"{actor.name} has read a session past its longest age"
    is_over = history.world.now >= start + MAX_AGE
    if is_over and any(one.get("user") == "ann" for one in history.sessions.values()):
        yield "a session lives on past its longest age"
    yield from _find_moved(history, start)


def _find_moved(history: History, start: int) -> Iterator[str]:
    """Yield the writes of the first session that have changed its start, or its longest age."""
    for change in history.changes:
        for key in change.after:
            if CHUNK in key or change.before.get(key) == change.after[key]:
                continue
            values = history.values(change.after, key)
            if values.get("user") != "ann" and CART not in values:
                continue
            record = history.model.parse(change.after[key])
            if record.start != start:
                yield f"{change.actor.name} has moved the start of the session"
            elif record.expires is None or record.expires > start + MAX_AGE:
                yield f"{change.actor.name} has moved the session's end past its longest age"


def keep_lifetimes(history: History) -> Iterator[str]:
    """A lifetime that was acknowledged survives, in the session and in the expiry of its row."""
    for actor, visit in history.visits:
        is_kept = visit.is_acknowledged and visit.seen and history.is_undisturbed(actor)
        if not (visit.page.remembers and is_kept) or history.model.scenario.has_max_age:
            continue
        expiries = [_read_expiry(history, one) for one in sorted(history.ids)]
        if all(one is None for one in expiries):
            yield f"the lifetime that {actor.name} has set is lost"
        elif max(one or 0 for one in expiries) < actor.began_at + DAYS * _DAY:
            yield f"a row expires before the lifetime that {actor.name} has set"


def _read_expiry(history: History, session_id: str) -> int | None:
    """Return when the row expires of a session that has the lifetime; None if there is none."""
    rows, model = history.world.items.rows, history.model
    key = model.rows.layout.make_session_key(session_id).hash
    values = model.read_values(rows, key) or {}
    has_it = values.get("_lifetime") == DAYS * _DAY
    return model.parse(rows[key]).expires if has_it else None
