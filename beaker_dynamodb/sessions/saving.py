"""The loop that carries out a save, until a write holds or is given up.

Each write is conditional on what was seen. What follows a refused one is decided in
`item/refusal.py`, by values alone; nothing is decided here.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Absent, At, RefusedWrite
from beaker_dynamodb.errors import Conflict, CorruptItem, OptionError
from beaker_dynamodb.item.decide import (
    Content,
    Create,
    Delete,
    GiveUp,
    Replace,
    SaveState,
    Touch,
    Write,
    merge_contents,
    rebase,
)
from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import (
    Attribute,
    Record,
    promote,
    rev_of,
    token_of,
)
from beaker_dynamodb.item.refusal import (
    AlreadyApplied,
    Next,
    RaiseConflict,
    Refusal,
    Retry,
    after_refusal,
)
from beaker_dynamodb.runtime import Runtime

log = logging.getLogger(__name__)

#: Why a session was replaced and not merged, besides the reasons of `item/refusal.py`.
UNWRITABLE: Final = "it holds an object that can be opened but not pickled again"
#: For how many seconds a save goes on against other writers, and waits at most between two tries.
PATIENCE: Final = 3.0
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in the table, as far as this request knows: the row, and the text in it."""

    record: Record
    text: str = field(repr=False)


class Attempts:
    """Bounds how long, and how fast, a write is repeated against other writers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._started = runtime.monotonic()
        self._is_first = True

    def is_over(self) -> bool:
        """Tell whether 3 seconds have passed."""
        return self._runtime.monotonic() - self._started > PATIENCE

    def wait(self) -> None:
        """Sleep up to a tenth of a second; not at all before the first repetition.

        The first refusal is mostly the last: another request was just faster.
        """
        if not self._is_first:
            self._runtime.sleep(self._runtime.random() * JITTER)
        self._is_first = False


def warn_of_replacement(reason: str) -> None:
    """Log, once a minute, that what another request has saved was not merged."""
    logs.log_once_a_minute(log, f"a session was replaced, not merged: {reason}")


class Saver:
    """Carries out the saves of one session, in one request.

    Each turn of the loop in `save` writes *content* on condition that the row is still *old*. A
    refusal brings the row that is stored instead, and `after_refusal` says what the next turn does:

    * *write* becomes what it asks for, on condition of the row that was just found;
    * *old* becomes that row, so that its chunks are deleted when ours replaces it;
    * *content* is made anew from ours, merged into theirs or as it is. It is never made from the
      content of the turn before: that may hold what another request has deleted since.

    Each turn draws a new token. So a write that was applied although its reply was lost is
    recognized when the next attempt is refused by it.

    Args: *erase* deletes the row, on a condition; with `migrate_from` it leaves a tombstone.
    """

    def __init__(
        self,
        rows: Rows,
        key: Key,
        erase: Callable[[Key, At, Record | None], RefusedWrite | None],
    ) -> None:
        self.rows = rows
        self.key = key
        self.runtime = rows.runtime
        self.erase = erase
        #: Tokens of writes that ended in an error, and what was to be saved by them: they may have
        #: been applied all the same. Emptied by the next write whose end is known.
        self._unsure: dict[str, Content] = {}
        #: Whether one of them was of more than the access time.
        self.may_have_saved = False

    def save(
        self, write: Write, state: SaveState, before: Stored | None
    ) -> tuple[str, Stored | None]:
        """Write, and again over what each refusal shows, until a write holds or is given up.

        Args: *before* is what this request knows to be in the table.
        Returns the outcome (stored, merged, dropped), and what is in the table then.
        Raises: Conflict, after 3 seconds or as `after_refusal` says; ItemTooLarge; what the client
        raises.
        """
        envelope, old = state.envelope, state.stored
        base, content = state.base, state.ours
        if before is not None and base is not None and before.text != base.text:
            content = rebase(envelope, base, content, before.text)
        attempts: Attempts | None = None
        while True:
            token = self.runtime.token()
            answer = self._write(write, content, old, token, state)
            if not isinstance(answer, RefusedWrite):
                return self._finish(answer, content, state)
            if attempts is None:
                attempts, read = Attempts(self.runtime), self._reader(envelope)
            theirs = answer.theirs
            write, state = self._after_own(write, state, theirs)
            decided = self._decide(write, token, state, theirs, read)
            if isinstance(decided, GiveUp):
                return "dropped", before
            if isinstance(decided, AlreadyApplied):
                self._forget_unsure()
                return "stored", _applied(write, theirs, token, content, read)
            if isinstance(decided, RaiseConflict) or attempts.is_over():
                raise _conflict(theirs, read)
            attempts.wait()
            write, old = decided.write, theirs
            content = _next_content(decided, state, theirs, read)

    def _finish(
        self, written: Record | None, content: Content, state: SaveState
    ) -> tuple[str, Stored | None]:
        """Account for a write that was applied."""
        if self._unsure:
            self._forget_unsure()
        outcome = "stored" if content is state.ours else "merged"
        return outcome, None if written is None else Stored(written, content.text)

    def _forget_unsure(self) -> None:
        self._unsure.clear()
        self.may_have_saved = False

    def _after_own(
        self, write: Write, state: SaveState, theirs: Record | None
    ) -> tuple[Write, SaveState]:
        """Go on from an earlier write of our own whose reply was lost, if *theirs* holds one.

        What was set then and is gone now was taken away since: it is no change of another request.
        """
        if theirs is None or isinstance(write, Delete):
            return write, state
        tokens = (token_of(theirs.rev), *theirs.prev)
        lost = next((self._unsure[one] for one in tokens if one in self._unsure), None)
        if lost is None:
            return write, state
        after = Replace(theirs.rev) if isinstance(write, Create) else write
        return after, replace(state, base=lost)

    def _decide(
        self,
        write: Write,
        token: str,
        state: SaveState,
        theirs: Record | None,
        read: Callable[[Record], Content],
    ) -> Next:
        """Ask what follows. To meet an earlier write of our own is no conflict."""
        policy = self.rows.options.on_conflict
        if policy == "raise" and theirs is not None and token_of(theirs.rev) in self._unsure:
            policy = "merge"
        now = self.runtime.clock()
        return after_refusal(
            Refusal(write, token, state.base, state.ours, theirs, read, now, policy)
        )

    def _reader(self, envelope: Envelope | None) -> Callable[[Record], Content]:
        """Return a function that opens a row, each once; a corrupt one is opaque."""
        found: dict[str, Content] = {}

        def read(theirs: Record) -> Content:
            if theirs.rev not in found:
                try:
                    value = self.rows.open(theirs)
                except CorruptItem:
                    value = None
                text = (value or b"").decode("utf-8", "surrogatepass")
                found[theirs.rev] = Content(text, None, envelope)
            return found[theirs.rev]

        return read

    def _write(
        self,
        write: Write,
        content: Content,
        old: Record | None,
        token: str,
        state: SaveState,
    ) -> Record | RefusedWrite | None:
        """Make one write; None means that the row was deleted."""
        if isinstance(write, Delete):
            return self.erase(self.key, At(write.rev), old)
        now = self.runtime.clock()
        record = self._record(write, content, old, token=token, now=now, lifetime=state.lifetime)
        condition = Absent(now) if isinstance(write, Create) else At(write.rev)
        value = content.text.encode("utf-8", "surrogatepass")
        try:
            return self.rows.write(record, value, condition, old)
        except BaseException:  # a greenlet's time-out, too, leaves it unknown
            self._unsure[token] = state.ours
            self.may_have_saved = self.may_have_saved or not isinstance(write, Touch)
            raise

    def _record(  # noqa: PLR0913  # the values of one turn of the loop
        self,
        write: Create | Touch | Replace,
        content: Content,
        old: Record | None,
        *,
        token: str,
        now: float,
        lifetime: float | None,
    ) -> Record:
        """Return the row to be written, without its data."""
        expires = None if lifetime is None else math.ceil(now + lifetime)
        promoted = self._promoted(write, content, old) if self.rows.schema.special else {}
        prev: tuple[str, ...] = ()
        if isinstance(write, Create) or old is None:
            rev = rev_of(self.runtime.token(), token)
        elif isinstance(write, Touch) and not write.new_token:
            rev, prev = old.rev, old.prev
        else:
            rev, prev = old.successor(token)
        return Record(self.key, b"", rev, prev, expires, promoted=promoted)

    def _promoted(
        self, write: Create | Touch | Replace, content: Content, old: Record | None
    ) -> dict[str, Attribute]:
        """Copy the special keys out; an opaque session keeps those that an index takes.

        A mere reader is asked for none: a session begun before the option is not timed out.
        """
        schema = self.rows.schema
        if content.values is None:
            return promote(old.promoted, schema)[0] if old else {}
        found, missing = promote(content.values, schema)
        for name in missing:
            if self.rows.options.require_special_keys and not isinstance(write, Touch):
                raise OptionError(
                    f"option require_special_keys: the session has no usable {name!r}"
                )
            if name in content.values:
                kind = dict(schema.special)[name]
                logs.log_once_a_minute(
                    log, f"special key {name!r} cannot be an index key of type {kind}"
                )
        return found


def _next_content(
    decided: Retry, state: SaveState, theirs: Record | None, read: Callable[[Record], Content]
) -> Content:
    """Return what is written next: ours merged into theirs, or ours with a line in the log."""
    if decided.reason:
        warn_of_replacement(decided.reason)
    if not decided.merge or theirs is None:
        return state.ours
    merged = merge_contents(state.envelope, state.base, state.ours, read(theirs))
    if merged is state.ours:
        warn_of_replacement(UNWRITABLE)
    return merged


def _applied(
    write: Write,
    theirs: Record | None,
    token: str,
    content: Content,
    read: Callable[[Record], Content],
) -> Stored | None:
    """Return what is stored after a write that was applied, even if a later one is above it."""
    if isinstance(write, Delete) or theirs is None:
        return None
    is_ours = token_of(theirs.rev) == token
    return Stored(theirs, content.text if is_ours else read(theirs).text)


def _conflict(theirs: Record | None, read: Callable[[Record], Content]) -> Conflict:
    rotated = theirs is not None and theirs.is_rotated
    what = "given the session a new id" if rotated else "changed the session"
    error = Conflict(f"another request has {what} in the meantime; nothing was saved")
    error.theirs = read(theirs).text if theirs is not None else None
    return error
