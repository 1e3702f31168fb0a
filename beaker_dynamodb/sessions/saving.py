"""The loop that carries out a save, until a write holds or is given up.

Each write is conditional on what was seen. What follows a refused one is decided in
`item/refusal.py`, by values alone; nothing is decided here.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Absent, At
from beaker_dynamodb.dynamodb.table import Refusal as RefusedWrite
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
    REMEMBERED,
    Attribute,
    Record,
    birth,
    promote,
    rev_of,
    token_of,
)
from beaker_dynamodb.item.refusal import AlreadyApplied, RaiseConflict, Refusal, after_refusal

log = logging.getLogger(__name__)

UNWRITABLE: Final = (
    "a session was replaced, not merged: it holds an object that opens and cannot be pickled again"
)
#: For how many seconds a save goes on against other writers, and waits at most between two tries.
PATIENCE: Final = 3.0
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in the table, as far as this request knows: the row, and the text in it."""

    record: Record
    text: str = field(repr=False)


class Saver:
    """Carries out the saves of one session, in one request.

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
        #: Tokens of writes that ended in an error: they may have been applied all the same.
        self._unsure: set[str] = set()

    def save(
        self, write: Write, state: SaveState, before: Stored | None
    ) -> tuple[str, Stored | None]:
        """Write, and again over what the refusal shows, until a write holds or is given up.

        Each turn of the loop writes *content* on condition that the row is still *old*. A refusal
        brings the row that is stored instead, and `after_refusal` says what the next turn does:

        * *write* becomes what it asks for, on condition of the row that was just found;
        * *old* becomes that row, so that its chunks are deleted when ours replaces it;
        * *content* is made anew from ours (never from the content of the turn before, which may
          hold what another request has deleted since), merged into theirs or as it is.

        Each turn draws a new token. So a write that was applied although its reply was lost is
        recognized when the next attempt is refused by it.

        Args: *before* is what this request knows to be in the table.
        Returns the outcome (stored, merged, dropped), and what is in the table then.
        Raises: Conflict, after 3 seconds or as `after_refusal` says; ItemTooLarge; what the client
        raises.
        """
        base, ours, envelope = state.base, state.ours, state.envelope
        old = state.stored
        content = rebase(envelope, base, ours, before.text if before else None)
        read = self._reader(envelope)
        started, tries = self.runtime.monotonic(), 0
        while True:
            token = self.runtime.token()
            answer = self._write(write, content, old, token, state.lifetime)
            if not isinstance(answer, RefusedWrite):
                outcome = "stored" if content is ours else "merged"
                return outcome, None if answer is None else Stored(answer, content.text)
            theirs = answer.theirs
            now, policy = self.runtime.clock(), self._policy(theirs)
            decided = after_refusal(Refusal(write, token, base, ours, theirs, read, now, policy))
            if isinstance(decided, GiveUp):
                return "dropped", before
            if isinstance(decided, AlreadyApplied):
                return "stored", _applied(write, theirs, token, content, read)
            if isinstance(decided, RaiseConflict) or self.runtime.monotonic() - started > PATIENCE:
                raise _conflict(theirs, read)
            if decided.reason:
                logs.warn(log, f"a session was replaced, not merged: {decided.reason}")
            if tries:  # the first refusal is mostly the last: another request was just faster
                self.runtime.sleep(self.runtime.random() * JITTER)
            tries += 1
            write, old, content = decided.write, theirs, ours
            if decided.merge and theirs is not None:
                content = merge_contents(envelope, base, ours, read(theirs))
                if content is ours:
                    logs.warn(log, UNWRITABLE)

    def _policy(self, theirs: Record | None) -> str:
        """Return `on_conflict`; it is no conflict to meet an earlier write of our own."""
        policy = self.rows.options.on_conflict
        is_ours = theirs is not None and token_of(theirs.rev) in self._unsure
        return "merge" if is_ours and policy == "raise" else policy

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
                found[theirs.rev] = Content(text, envelope=envelope)
            return found[theirs.rev]

        return read

    def _write(
        self,
        write: Write,
        content: Content,
        old: Record | None,
        token: str,
        lifetime: float | None,
    ) -> Record | RefusedWrite | None:
        """Make one write; None means that the row was deleted."""
        if isinstance(write, Delete):
            return self.erase(self.key, At(write.rev), old)
        now = self.runtime.clock()
        record = self._record(write, content, old, token=token, now=now, lifetime=lifetime)
        condition = Absent(now) if isinstance(write, Create) else At(write.rev)
        value = content.text.encode("utf-8", "surrogatepass")
        try:
            return self.rows.write(record, value, condition, old)
        except BaseException:  # a greenlet's time-out, too, leaves it unknown
            self._unsure.add(token)
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
            rev = rev_of(birth(write.rev), token)
            prev = (token_of(old.rev), *old.prev)[:REMEMBERED]
        return Record(self.key, b"", rev, prev, expires, promoted=promoted)

    def _promoted(
        self, write: Create | Touch | Replace, content: Content, old: Record | None
    ) -> dict[str, Attribute]:
        """Copy the special keys out; an opaque session keeps those of its row.

        A mere reader is asked for none: a session begun before the option is not timed out.
        """
        schema = self.rows.schema
        if content.values is None:
            return dict(old.promoted) if old else {}
        found, missing = promote(content.values, schema)
        for name in missing:
            if self.rows.options.require_special_keys and not isinstance(write, Touch):
                raise OptionError(
                    f"option require_special_keys: the session has no usable {name!r}"
                )
            if name in content.values:
                kind = dict(schema.special)[name]
                logs.warn(log, f"special key {name!r} cannot be an index key of type {kind}")
        return found


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
    what = "given the session another id" if rotated else "changed the session"
    error = Conflict(f"another request has {what} meanwhile; nothing was saved")
    error.theirs = read(theirs).text if theirs is not None else None
    return error
