"""The loop that carries out a save, until a write is applied or given up.

Each write is conditional on the row that was seen last. What follows a refused one is decided in
`item/refusal.py`, by values alone. Decided here are only the time limit, and that an uncertain
write of this request is no conflict.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from beaker_dynamodb import logs
from beaker_dynamodb.dynamodb.rows import SMALL_DATA, Rows
from beaker_dynamodb.dynamodb.table import At, NoLiveRow, RefusedWrite
from beaker_dynamodb.errors import Conflict, CorruptItem, OptionError
from beaker_dynamodb.item.codec import undo_base64
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
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.item.envelope import LIFETIME, Envelope, read_time
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import (
    Attribute,
    Record,
    compute_expiry,
    promote,
)
from beaker_dynamodb.item.refusal import (
    CLEARED,
    UNOPENED,
    AlreadyApplied,
    RaiseConflict,
    RefusedSave,
    Retry,
    after_refusal,
)
from beaker_dynamodb.item.revision import NO_START, get_token, make_rev, shorten
from beaker_dynamodb.runtime import Runtime

log: Final = logging.getLogger(__name__)

#: Why a session was replaced and not merged, besides the reasons of `item/refusal.py`.
UNWRITABLE: Final = "it holds an object that can be opened but not pickled again"
#: For how many seconds a save is repeated against other writers, and the longest pause between two.
PATIENCE: Final = 3.0
JITTER: Final = 0.1

_Read: TypeAlias = Callable[[Record], Content]


class StoredRow(NamedTuple):
    """What is in the table, as far as this request knows: the row, and the text in it."""

    record: Record
    text: str

    def __repr__(self) -> str:
        """Return a text without the session."""
        return f"StoredRow({self.record!r})"


class Attempts:
    """Limits how long and how often a write is repeated against other writers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._started = runtime.monotonic()
        self._is_first = True

    def is_over(self) -> bool:
        """Return whether 3 seconds have passed."""
        return self._runtime.monotonic() - self._started > PATIENCE

    def wait(self) -> None:
        """Sleep up to a tenth of a second, but not before the first repetition.

        Most writes are refused once only, because one other request was just faster.
        """
        if not self._is_first:
            self._runtime.sleep(self._runtime.random() * JITTER)
        self._is_first = False


def warn_of_replacement(reason: str) -> None:
    """Log, once a minute, that what another request has saved was not merged."""
    logs.log_once_a_minute(log, f"a session was replaced, not merged: {reason}")


class Saver:
    """Carries out the saves of one session, in one request.

    Each pass of the loop in `save` writes *content* on condition that the row is still *old*. A
    refusal brings the row that is stored instead, and `after_refusal` says what the next pass does:

    * *write* becomes what it asks for, on condition of the row that was just found;
    * *old* becomes that row, so that its chunks are deleted when ours replaces it;
    * *content* is made again from ours, merged into theirs or as it is. It is never made from the
      content of the pass before: that may hold what another request has deleted since.

    Each pass draws a new token. So a write that was applied although its reply was lost is
    recognized when the next attempt is refused by it.

    Args: *delete_row* deletes the row, on a condition; with `migrate_from` it puts a tombstone.
    *lifetime* is that of a session without one of its own, in seconds; None for ever.
    """

    def __init__(
        self,
        rows: Rows,
        key: Key,
        delete_row: Callable[[Key, At, Record | None], RefusedWrite | None],
        lifetime: float | None,
    ) -> None:
        self.rows = rows
        self.key = key
        self.runtime: Runtime = rows.runtime
        self.delete_row = delete_row
        self.lifetime = lifetime
        #: The writes that ended in an error: how the token of each begins, and what it was to save.
        #: They may have been applied all the same. Emptied by the next one whose outcome is known.
        self._uncertain: dict[bytes, Content] = {}
        #: Whether one of them was of more than the access time.
        self.may_have_saved: bool = False
        #: Whether a delete ended in an error. It may have been applied all the same.
        self._may_have_deleted: bool = False

    def save(
        self, write: Write, state: SaveState, stored: StoredRow | None
    ) -> tuple[str, StoredRow | None]:
        """Write, and write again over what each refusal brings, until one is applied or given up.

        Args: *stored* is what this request knows to be in the table.
        Returns the outcome (stored, merged, dropped), and what is in the table then.
        Raises: Conflict, after 3 seconds or as `after_refusal` says; ItemTooLarge; what the client
        raises.
        """
        envelope, old = state.envelope, state.row
        base, content = state.base, state.ours
        if stored is not None and base is not None and stored.text != base.text:
            content = rebase(envelope, base, content, stored.text)
        attempts: Attempts | None = None
        while True:
            token = self.runtime.token()
            written = self._write(write, content, old, token, state)
            if not isinstance(written, RefusedWrite):
                self._forget_uncertain()
                outcome = "stored" if content is state.ours else "merged"
                return outcome, None if written is None else StoredRow(written, content.text)
            if attempts is None:
                attempts, read = Attempts(self.runtime), self._make_reader(envelope)
            theirs = written.theirs
            write, state = self._continue_from_own_write(write, state, theirs)
            step = after_refusal(self._describe_refusal(write, token, state, theirs, read))
            if isinstance(step, GiveUp):
                return "dropped", stored
            if isinstance(step, AlreadyApplied):
                self._forget_uncertain()
                return "stored", _get_stored_row(write, theirs, token, content, read)
            if isinstance(step, RaiseConflict) or attempts.is_over():
                raise _make_conflict(theirs, read)
            attempts.wait()
            write, old = step.write, theirs
            content = _make_content(step, state, theirs, read)

    def _forget_uncertain(self) -> None:
        self._uncertain.clear()
        self.may_have_saved = self._may_have_deleted = False

    def _continue_from_own_write(
        self, write: Write, state: SaveState, theirs: Record | None
    ) -> tuple[Write, SaveState]:
        """If *theirs* descends from an uncertain write of this request, take that as the base.

        It was applied, then. A key that it wrote and ours does not have was deleted by this
        request; compared with the old base it would look like a change of another request.

        If the row is gone after a logout of this request whose reply was lost, and the session
        object was cleared, ours is a new session: the page has logged somebody in since.
        """
        is_deleted = theirs is None or (theirs.is_tombstone and not theirs.is_rotated)
        is_new = state.ours.values is not None and not state.ours.has_access_time
        if self._may_have_deleted and is_deleted and is_new and isinstance(write, Replace):
            return Create(), state._replace(base=None)
        if theirs is None:
            return write, state
        tokens = (shorten(get_token(theirs.rev)), *theirs.list_previous_tokens())
        base = next((self._uncertain[one] for one in tokens if one in self._uncertain), None)
        if base is None:
            return write, state
        write = Replace(theirs.rev) if isinstance(write, Create) else write
        return write, state._replace(base=base)

    def _describe_refusal(
        self, write: Write, token: bytes, state: SaveState, theirs: Record | None, read: _Read
    ) -> RefusedSave:
        """Return what `after_refusal` needs; an uncertain write of our own is no conflict."""
        policy = self.rows.options.on_conflict
        if policy == "raise" and theirs is not None:
            is_own = shorten(get_token(theirs.rev)) in self._uncertain
            policy = "merge" if is_own else policy
        now = self.runtime.clock()
        return RefusedSave(write, token, state.base, state.ours, theirs, read, now, policy)

    def _make_reader(self, envelope: Envelope | None) -> _Read:
        """Return a function that opens a row, each one once; a corrupt one is opaque."""
        contents: dict[bytes, Content] = {}

        def read(theirs: Record) -> Content:
            if theirs.rev not in contents:
                contents[theirs.rev] = Content(read_text(self.rows, theirs), None, envelope)
            return contents[theirs.rev]

        return read

    def _write(
        self,
        write: Write,
        content: Content,
        old: Record | None,
        token: bytes,
        state: SaveState,
    ) -> Record | RefusedWrite | None:
        """Make one write; None means that the row was deleted."""
        if isinstance(write, Delete):
            try:
                return self.delete_row(self.key, At(write.rev), old)
            except BaseException:  # also a greenlet's time-out, which may come after the delete
                self._may_have_deleted = True
                raise
        now = self.runtime.clock()
        record = self._make_record(write, content, old, token, now, state)
        rev = write.ended if isinstance(write, Create) else write.rev
        condition = NoLiveRow(now) if rev is None else At(rev)
        if len(content.text) > SMALL_DATA:
            for one in (content, state.base):  # only a refused write needs them again
                if one is not None:
                    one.forget_values(state.envelope)
        if content.raw is None:  # undone here, so that no copy with the base64 is kept meanwhile
            content.raw = undo_base64(content.text.encode("utf-8", "surrogatepass"))
        is_raw, value = True, content.raw
        if value is None:
            is_raw, value = False, content.text.encode("utf-8", "surrogatepass")
        try:
            return self.rows.write(record, value, condition, old, is_raw=is_raw)
        except BaseException:  # also a greenlet's time-out, which may come after the write
            self._uncertain[shorten(token)] = state.ours
            state.ours.is_saved = True
            self.may_have_saved = self.may_have_saved or not isinstance(write, Touch)
            raise

    def _make_record(  # noqa: PLR0913  # the values of one pass of the loop
        self,
        write: Create | Touch | Replace,
        content: Content,
        old: Record | None,
        token: bytes,
        now: float,
        state: SaveState,
    ) -> Record:
        """Return the row to be written, without its data."""
        prior = None if isinstance(write, Create) else old
        has_start = prior is not None and not prior.rev.startswith(NO_START) and not state.restarts
        start = None
        if state.max_age is not None or not has_start:  # most saves do not need it
            start = state.find_start(prior)
        lifetime = state.lifetime
        if content is not state.ours and content.values is not None:  # they may have changed it
            own = read_time(content.values, LIFETIME)
            lifetime = self.lifetime if own is None else own + BEAKER_TIMEOUT_PADDING
        limit = None if lifetime is None else now + lifetime
        if state.max_age is not None:
            limit = compute_expiry(now, lifetime, start, state.max_age)
        expires = None if limit is None else math.ceil(limit)
        promoted = self._promote(write, content, old) if self.rows.schema.special else {}
        prev, pending = b"", state.pending or ""
        if prior is None:
            rev = make_rev(self.runtime.token(), token, start)
        elif isinstance(write, Touch) and not write.new_token:
            rev, prev = prior.rev, prior.prev
        else:
            rev, prev = prior.advance_rev(token, None if has_start else start)
        if prior is not None and prior.pending:
            pending = _choose_pending(state, prior)
        return Record(self.key, b"", rev, prev, expires, promoted=promoted, pending=pending)

    def _promote(
        self, write: Create | Touch | Replace, content: Content, old: Record | None
    ) -> dict[str, Attribute]:
        """Return the special keys as attributes; an opaque session keeps those of its old row.

        Raises: OptionError, if `require_special_keys` asks for one that is missing. A Touch never
        does: a session that is older than the option must not time out.
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


def _choose_pending(state: SaveState, old: Record) -> str:
    """Return the row's next `pending`: what this session asks for, or what is in the old row.

    It is removed only if it is what this request has loaded: another request may have left a later
    note since.
    """
    if state.pending:
        return state.pending
    loaded = "" if state.row is None else state.row.pending
    is_removed = state.pending is not None and old.pending == loaded
    return "" if is_removed else old.pending


def read_text(rows: Rows, row: Record) -> str:
    """Return the text in a row; a corrupt one is empty, and so does not open."""
    try:
        value = rows.open(row)
    except CorruptItem:
        value = None
    return (value or b"").decode("utf-8", "surrogatepass")


def _make_content(step: Retry, state: SaveState, theirs: Record | None, read: _Read) -> Content:
    """Return what is written next: ours merged into theirs, or ours with a line in the log."""
    if step.reason:
        warn_of_replacement(step.reason)
    if not step.merge or theirs is None:
        return state.ours
    merged = merge_contents(state.envelope, state.base, state.ours, read(theirs))
    if merged is state.ours:
        warn_of_replacement(UNWRITABLE)
    return merged


def merge_or_warn(
    envelope: Envelope | None, base: Content, ours: Content, theirs: Content, *, cleared: bool
) -> Content:
    """Merge ours into *theirs*; or return ours, with a line in the log that says why.

    Args: *cleared* says that this request has cleared the session, so that nothing is merged.
    """
    merged = ours if cleared else merge_contents(envelope, base, ours, theirs)
    if merged is ours:
        opens = None not in (ours.values, theirs.values)
        warn_of_replacement(CLEARED if cleared else UNWRITABLE if opens else UNOPENED)
    return merged


def _get_stored_row(
    write: Write, theirs: Record | None, token: bytes, content: Content, read: _Read
) -> StoredRow | None:
    """Return what is stored after a write that was applied: ours, or a later one over it."""
    if isinstance(write, Delete) or theirs is None:
        return None
    is_ours = get_token(theirs.rev) == token
    return StoredRow(theirs, content.text if is_ours else read(theirs).text)


def _make_conflict(theirs: Record | None, read: _Read) -> Conflict:
    rotated = theirs is not None and theirs.is_rotated
    what = "given the session a new id" if rotated else "changed the session"
    error = Conflict(f"another request has {what} in the meantime; nothing was saved")
    error.theirs = read(theirs).text if theirs is not None else None
    return error
