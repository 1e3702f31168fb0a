"""The loop that carries a plan out until it holds. Each write is conditional on what was seen.

What a refusal means is decided in `item/decide.py`. A write draws a fresh token, so that one
whose reply was lost knows itself when it is refused by its own row.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Absent, At, Refusal
from beaker_dynamodb.errors import Conflict, CorruptItem, OptionError
from beaker_dynamodb.item.decide import (
    AlreadyApplied,
    Content,
    Create,
    Delete,
    GiveUp,
    RaiseConflict,
    Replace,
    Touch,
    after_refusal,
)
from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import (
    REMEMBERED,
    Attribute,
    Record,
    birth,
    promote,
    rev_of,
    token_of,
)
from beaker_dynamodb.item.sides import Sides, Standing, merged_content, onto
from beaker_dynamodb.runtime import Runtime

log = logging.getLogger(__name__)

#: Why a session was replaced and not merged, besides the reasons of `item/plan.py`.
UNWRITABLE: Final = "it holds an object that opens and cannot be pickled again"
#: How many seconds a save goes on against other writers, and waits at most between two tries.
PATIENCE: Final = 3.0
JITTER: Final = 0.1

Step = Create | Touch | Replace | Delete


@dataclass(frozen=True, slots=True)
class Result:
    """How a save ended: stored, merged or dropped; and what stands in the table now."""

    outcome: str
    standing: Standing | None


class Attempts:
    """Bounds for how long, and how fast, a write is repeated against other writers."""

    def __init__(self, runtime: Runtime) -> None:
        self._around = runtime
        self._started = runtime.monotonic()
        self._is_first = True

    def is_over(self) -> bool:
        """Tell whether 3 seconds have passed."""
        return self._around.monotonic() - self._started > PATIENCE

    def wait(self) -> None:
        """Sleep up to a tenth of a second; not at all before the first repetition."""
        if not self._is_first:
            self._around.sleep(self._around.random() * JITTER)
        self._is_first = False


def warn_of_replacement(why: str) -> None:
    """Log, once a minute, that what another request has saved was not merged."""
    logs.warn(log, f"a session was replaced, not merged: {why}")


class Saver:
    """Carries out the saves of one session; a row is deleted by `erase`."""

    def __init__(
        self,
        rows: Rows,
        key: Key,
        lifetime: float | None,
        runtime: Runtime,
        erase: Callable[[Key, At, Record | None], Refusal | None] | None = None,
    ) -> None:
        self.rows = rows
        self.key = key
        self.lifetime = lifetime
        self.runtime = runtime
        self.erase = erase or rows.values.delete
        #: Tokens of writes that ended in an error, and what the session object held then: they may
        #: have been applied all the same. Emptied by the next write whose end is known.
        self._unsure: dict[str, Content] = {}
        #: Whether one of them was of more than the access time.
        self.may_have_saved = False

    def carry_out(self, step: Step, sides: Sides, standing: Standing | None) -> Result:
        """Write until the write holds or is given up.

        Raises: Conflict after 3 seconds, or at once under `on_conflict = raise`; ItemTooLarge;
        and whatever the client raises.
        """
        content, base = onto(standing, sides), standing.record if standing else None
        attempts = Attempts(self.runtime)
        while True:
            token = self.runtime.token()
            written, refusal = self._write(step, content, base, token, sides.mine)
            if refusal is None:
                self._note_sure()
                return _result(written, content, sides)
            theirs, opened = refusal.theirs, self._opener(sides.envelope)
            step, sides = self._after_own(step, sides, theirs)
            decided = after_refusal(
                step,
                token,
                sides.known,
                sides.mine,
                theirs,
                opened,
                now=self.runtime.clock(),
                on_conflict=self._policy(theirs),
            )
            if isinstance(decided, GiveUp):
                return Result("dropped", standing)
            if isinstance(decided, AlreadyApplied):
                self._note_sure()
                return _done(step, theirs, token, content, opened)
            if isinstance(decided, RaiseConflict) or attempts.is_over():
                raise _conflict(theirs, opened)
            if decided.word:
                warn_of_replacement(decided.word)
            attempts.wait()
            step, base, content = decided.plan, theirs, sides.mine
            if decided.merge and theirs is not None:
                content = merged_content(sides, opened(theirs))
                if content is sides.mine:
                    warn_of_replacement(UNWRITABLE)

    def _note_sure(self) -> None:
        self._unsure.clear()
        self.may_have_saved = False

    def _after_own(self, step: Step, sides: Sides, theirs: Record | None) -> tuple[Step, Sides]:
        """Go on from an earlier write of our own whose reply was lost, where *theirs* holds one.

        What was set then and is gone now was taken away since: it is no change of another request.
        """
        if theirs is None or isinstance(step, Delete):
            return step, sides
        tokens = (token_of(theirs.rev), *theirs.prev)
        lost = next((self._unsure[one] for one in tokens if one in self._unsure), None)
        if lost is None:
            return step, sides
        after = Replace(theirs.rev) if isinstance(step, Create) else step
        return after, replace(sides, known=lost)

    def _policy(self, theirs: Record | None) -> str:
        """Read the option; an earlier write of our own, whose reply was lost, is no conflict."""
        chosen = self.rows.options.on_conflict
        ours = theirs is not None and token_of(theirs.rev) in self._unsure
        return "merge" if ours and chosen == "raise" else chosen

    def _opener(self, envelope: Envelope | None) -> Callable[[Record], Content]:
        """Make a function that opens a row once, as mine's kind; what is corrupt is opaque."""
        found: dict[str, Content] = {}

        def read(theirs: Record) -> Content:
            if theirs.rev not in found:
                try:
                    value = self.rows.open(theirs)
                except CorruptItem:
                    value = None
                text = (value or b"").decode("utf-8", "surrogatepass")
                found[theirs.rev] = Content(text, envelope=envelope)
            return found[theirs.rev]

        return read

    def _write(
        self, step: Step, content: Content, base: Record | None, token: str, mine: Content
    ) -> tuple[Record | None, Refusal | None]:
        if isinstance(step, Delete):
            return None, self.erase(self.key, At(step.rev), base)
        now = self.runtime.clock()
        record = self._record(step, content, base, token, now)
        condition = Absent(now) if isinstance(step, Create) else At(step.rev)
        value = content.text.encode("utf-8", "surrogatepass")
        try:
            answer = self.rows.write(record, value, condition, base)
        except BaseException:  # a greenlet's time-out, too, leaves it unknown
            self._unsure[token] = mine
            self.may_have_saved = self.may_have_saved or not isinstance(step, Touch)
            raise
        return (None, answer) if isinstance(answer, Refusal) else (answer, None)

    def _record(
        self,
        step: Create | Touch | Replace,
        content: Content,
        base: Record | None,
        token: str,
        now: float,
    ) -> Record:
        expires = None if self.lifetime is None else math.ceil(now + self.lifetime)
        promoted = self._promoted(step, content, base)
        if isinstance(step, Create) or base is None:
            return Record(
                self.key, b"", rev_of(self.runtime.token(), token), (), expires, promoted=promoted
            )
        if isinstance(step, Touch) and not step.anew:
            # Nothing else of the row: whoever writes the table may have put it there.
            return Record(self.key, b"", base.rev, base.prev, expires, promoted=promoted)
        prev = (token_of(base.rev), *base.prev)[:REMEMBERED]
        rev = rev_of(birth(step.rev), token)
        return Record(self.key, b"", rev, prev, expires, promoted=promoted)

    def _promoted(
        self, step: Create | Touch | Replace, content: Content, base: Record | None
    ) -> dict[str, Attribute]:
        """Copy the special keys out; an opaque session keeps those that an index takes.

        Who only reads is asked for none: a session begun before the option is not timed out.
        """
        schema = self.rows.schema
        if not schema.special:  # then nothing needs to be opened
            return {}
        if content.values is None:
            return promote(base.promoted, schema)[0] if base else {}
        found, missing = promote(content.values, schema)
        for name in missing:
            if self.rows.options.require_special_keys and not isinstance(step, Touch):
                raise OptionError(
                    f"option require_special_keys: the session has no usable {name!r}"
                )
            if name in content.values:
                kind = dict(schema.special)[name]
                logs.warn(log, f"special key {name!r} cannot be an index key of type {kind}")
        return found


def _result(written: Record | None, content: Content, sides: Sides) -> Result:
    standing = None if written is None else Standing(written.holding(b""), content)
    return Result("stored" if content is sides.mine else "merged", standing)


def _done(
    step: Step,
    theirs: Record | None,
    token: str,
    content: Content,
    opened: Callable[[Record], Content],
) -> Result:
    """Account for a write that stands although it was refused, even below a later one."""
    if isinstance(step, Delete) or theirs is None:
        return Result("stored", None)
    ours = token_of(theirs.rev) == token
    return Result("stored", Standing(theirs.holding(b""), content if ours else opened(theirs)))


def _conflict(theirs: Record | None, opened: Callable[[Record], Content]) -> Conflict:
    rotated = theirs is not None and theirs.is_rotated
    what = "given the session another id" if rotated else "changed the session"
    error = Conflict(f"another request has {what} meanwhile; nothing was saved")
    error.theirs = opened(theirs).text if theirs is not None else None
    return error
