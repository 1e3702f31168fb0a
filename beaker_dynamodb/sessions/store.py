"""One session's load, save and deletion, as one request needs them.

What a save does is decided in `item/decide.py` and carried out in `saving.py`. Three things must
stay true: an outage logs nobody out, a lost reply loses no write, and no write replaces a row that
the request has not read.
"""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from beaker.synchronization import null_synchronizer

from beaker_dynamodb import logs
from beaker_dynamodb.config.options import HOUR
from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.rows import Entry, Rows
from beaker_dynamodb.dynamodb.table import At
from beaker_dynamodb.errors import (
    DynamoDBBackendError,
    LoadOrigin,
    OptionError,
    Unavailable,
    digest,
    raise_clean,
)
from beaker_dynamodb.item.decide import (
    Content,
    Delete,
    GiveUp,
    Leave,
    Replace,
    SaveState,
    Touch,
    Write,
    decide,
    is_cleared,
)
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.item.envelope import LIFETIME, Envelope, choose_envelope, read_time
from beaker_dynamodb.item.keys import Key, to_text
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import outage, touches
from beaker_dynamodb.sessions.saving import Saver, StoredRow, merge_or_warn

if TYPE_CHECKING:
    from beaker_dynamodb.dynamodb.tombstones import Tombstones
    from beaker_dynamodb.migration.on_demand import LegacySession

log: Final = logging.getLogger(__name__)

OPAQUE: Final = (
    "this application's sessions are opaque (encrypt_key, or a custom serializer): they are"
    " replaced, not merged, and a slow request can undo a logout. StrictSession solves this, and so"
    " does option encryption_keys instead of Beaker's encrypt_key"
)
KEPT: Final = (
    "a stored session cannot be opened in this process (did a deploy remove a class?); it is kept"
    " unchanged, and its visitor is not logged in meanwhile"
)
REPLACED: Final = (
    "a stored session cannot be opened in this process; what its visitor saves now replaces it"
)
NOT_JSON: Final = (
    "the options say that sessions are JSON (envelope, or data_serializer), but this application"
    " saves others: they are replaced, not merged"
)
UNTOUCHED: Final = "the access time of sessions cannot be saved, so they time out too early"
_KEY: Final = "session"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What all sessions of one set of options share; built once a process.

    All in seconds: `timeout` is Beaker's, its padding included; the `lifetime` of a row and
    `touch_after` (see `SaveState`) follow from it. None is for ever. A session can time out early
    by `touch_after`, so it is at most half the timeout.
    """

    rows: Rows
    timeout: float | None
    lifetime: float | None
    touch_after: float

    @classmethod
    def compute(cls, rows: Rows, timeout: float | None) -> SessionSettings:
        """Compute the settings from the options and Beaker's timeout."""
        lifetime = timeout if timeout is not None else rows.options.ttl or None
        own = lifetime if timeout is None else max(timeout - BEAKER_TIMEOUT_PADDING, 1)
        option = rows.options.touch_after
        part, longest = (10, HOUR) if option is None else (2, option)
        return cls(rows, timeout, lifetime, min(own / part, longest) if own else longest)


class SessionStore:
    """One session, in one request.

    `base` is the text that the session object was loaded with, and `stored` is what is in the
    table. They differ after a save that merged a change of another request.
    """

    def __init__(self, settings: SessionSettings, namespace: object) -> None:
        self.settings = settings
        self.rows: Rows = settings.rows
        rows = self.rows
        self.runtime: Runtime = rows.runtime
        self.namespace = namespace
        self.key: Key = rows.layout.make_session_key(namespace)
        self.base: str | None = None
        self.stored: StoredRow | None = None
        self.envelope: Envelope | None = None
        self._opens = rows.options.envelope
        self.source: LegacySession | None = None
        if rows.options.migrate_from is not None:
            from beaker_dynamodb.migration.on_demand import LegacySession

            self.source = LegacySession(rows, namespace, settings.timeout, settings.lifetime)
        self.tombstones: Tombstones | None = None
        #: The timeout that this session alone has, in seconds, without Beaker's padding.
        self.own_timeout: float | None = None
        #: When the session began, in epoch seconds, if the row of its old id says it.
        self.start: float | None = None
        #: Whether the next save begins the session anew for option `max_age`.
        self.restarts: bool = False
        #: What the next save writes into the row's `pending`; None leaves that as it is.
        self.pending: str | None = None
        #: Whether this request has saved `base`, instead of loading it.
        self._is_saved = False
        #: The text of this row that was merged last into the row of the session's next id.
        self.merged: str | None = None
        self._saver: Saver | None = None

    # Beaker's verbs. A session is one value, under the key "session".

    def get(self, key: object) -> Entry | None:
        """Return the session's text; None if there is no live session."""
        text = self.load() if key == _KEY or _is_session(key) else None
        return None if text is None else Entry(text)

    def contains(self, key: object) -> bool:
        """Return whether there is a live session."""
        return self.get(key) is not None

    has_fresh = contains

    def put(self, key: object, value: object, expiretime: float | None) -> None:  # noqa: ARG002  # a cache's
        """Save the session's text; *expiretime* is for caches."""
        if not ((key == _KEY or _is_session(key)) and isinstance(value, str)):
            raise OptionError("a session's manager keeps one text, under the key 'session'")
        self.save(value)

    def remove(self, key: object) -> None:
        """Delete the session."""
        if _is_session(key):
            self.delete()

    def clear(self) -> None:
        """Delete the session."""
        self.delete()

    def keys(self) -> list[str]:
        """List the one key, if there is a live session."""
        return [_KEY] if self.contains(_KEY) else []

    def lock(self, key: object) -> null_synchronizer:  # noqa: ARG002  # a cache's
        """Return a lock that does nothing: concurrent saves are merged instead."""
        return null_synchronizer()

    # A session needs no scope, because it is loaded once a request.

    def open_scope(self) -> None:
        """Do nothing."""

    close_scope = open_scope
    open_write_scope = open_scope
    close_write_scope = open_scope

    # Loading

    def load(self) -> str | None:
        """Return the session's text as it was stored; None if there is no live session.

        Raises: one of our errors whatever goes wrong, never KeyError, TypeError or ValueError:
        Beaker takes those for "no such session" and overwrites it (beaker/session.py:440).
        """
        if not self.namespace and self._is_nameless():
            return None
        if sys.exc_info()[1] is not None:  # Beaker may be handling the error of another load
            outage.refuse_in_place_of_another(self._origin())
        try:
            return self._load()
        except DynamoDBBackendError as error:
            error.origin = self._origin()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not look like a miss
            failure = Unavailable(f"the session could not be read: {type(error).__name__}")
            failure.origin = self._origin()
            raise_clean(failure)

    def _load(self) -> str | None:
        consistent, now = self.rows.options.consistent_read, self.runtime.clock()
        row = self.rows.read(self.key, consistent=consistent, now=now)
        if row is None and not consistent:
            # The read may have been stale, for it is eventually consistent. Then Beaker would begin
            # a new session over the one that another request has just stored.
            row = self.rows.read(self.key, consistent=True, now=now)
        if row is None and self.source is not None:
            row = self.source.migrate()
        if row is None:
            return None
        self.base = row.value.decode("utf-8", "surrogatepass")
        record = row.record
        # A large value is not kept twice for the rest of the request.
        kept = record._replace(data=b"") if record.chunk_count else record
        self.stored = StoredRow(kept, self.base)
        if record.pending:
            from beaker_dynamodb.sessions import ending  # only after `end_others()`

            if ending.repeat(self.rows, record):
                self.pending = ""
        return self.base

    def continue_from(self, old: SessionStore) -> None:
        """Take over what the session keeps under its new id, besides its text."""
        record = None if old.stored is None else old.stored.record
        self.start = old.start if record is None else record.start
        self.restarts, self.pending = old.restarts, old.pending
        if record is not None and record.pending and old.pending is None:
            self.pending = record.pending

    def _is_nameless(self) -> bool:
        """Return whether the id is empty; all clients with an empty cookie would share it."""
        return to_text(self.namespace) == ""

    def _origin(self) -> LoadOrigin:
        options = self.rows.options
        table = (options.endpoint_url, options.region, options.table)
        return LoadOrigin(table, digest(self.key.hash, 64))

    # Saving

    def save(self, text: str) -> None:
        """Decide what a save of *text* does, and carry it out.

        Raises: Conflict, if `on_conflict` asks for it, if another request has rotated the id, or if
        other requests keep changing the session for 3 seconds; ItemTooLarge; what the client
        raises, unless only the access time was to be saved.
        """
        if not self.namespace and self._is_nameless():
            logs.log_once_a_minute(log, "a session with an empty id is not stored")
            return
        envelope = self._choose_envelope(text)
        base = None
        if self.base is not None:
            base = Content(self.base, None, envelope, is_saved=self._is_saved)
        ours = Content(text, None, envelope)
        state = self._state(base, ours, envelope)
        if state.may_have_saved and ours.is_emptied:
            self.delete()  # there may be a row, although this request has not seen it
            return
        decision = decide(state)
        if isinstance(decision, Leave):
            if metering.observers:
                _report(Leave, "left")
        elif isinstance(decision, GiveUp):
            logs.log_once_a_minute(log, KEPT)
            _report(Replace, "dropped")
        else:
            if isinstance(decision, Replace) and decision.unopened:
                logs.log_once_a_minute(log, REPLACED)
            self._carry_out(decision, state)

    def delete(self) -> None:
        """Delete the session's row; if another request changes it meanwhile, delete that too.

        Raises: what the client raises.
        """
        if self.stored is None:
            self.load()
        if self.stored is not None:
            state = self._state(None, Content("", {}), None)
            self._carry_out(Delete(self.stored.record.rev), state)

    def delete_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless it was written since it was loaded.

        If the delete fails, the page goes on: the session has ended for every request anyway.
        """
        if self.stored is None:
            return
        record, self.stored, self.base = self.stored.record, None, None
        try:
            self.rows.delete(self.key, At(record.rev, record.expires), record)
        except DynamoDBBackendError as error:
            log.info(
                "the row of a session that timed out could not be deleted, and will expire: %s",
                error,
            )

    def merge_from(self, old: SessionStore, theirs: str) -> None:
        """Merge *theirs*, the text under the id of *old*, into the row of this session.

        The session object does not have these changes; its next save is merged into them. Nothing
        is merged into a session that was cleared, because it must stay empty. Each change is merged
        from what was merged before, or what another request has removed since would come back.

        Raises: as `save`.
        """
        if self.base is None or self.stored is None or old.base is None:
            return
        text, envelope = self.base, self._choose_envelope(self.base)
        loaded = Content(old.base, None, envelope, is_saved=old._is_saved)
        base = loaded if old.merged is None else Content(old.merged, None, envelope)
        ours, other = (Content(one, None, envelope) for one in (self.stored.text, theirs))
        cleared = is_cleared(loaded, Content(text, None, envelope))
        merged = merge_or_warn(envelope, base, ours, other, cleared=cleared)
        if merged is not ours:
            old.merged = theirs
            if merged.values is not None:  # the other request may have set it, or removed it
                self.own_timeout = read_time(merged.values, LIFETIME)
        if merged is not ours or self.pending:
            state = self._state(ours, merged, envelope)
            self._carry_out(Replace(self.stored.record.rev), state)
            self.base = text

    def forbid_pickles(self) -> None:
        """Open no pickle for this session, unless option `envelope` says something else."""
        if self._opens == "auto":
            self._opens = "json"
            if self.source is not None:
                self.source.envelope = "json"

    def _state(self, base: Content | None, ours: Content, envelope: Envelope | None) -> SaveState:
        settings = self.settings
        if self.own_timeout is not None:  # of this session alone
            settings = settings.compute(self.rows, self.own_timeout + BEAKER_TIMEOUT_PADDING)
        lifetime, touch_after = settings.lifetime, settings.touch_after
        if touches.paused_until:
            touch_after = touches.give_way(self.rows, touch_after, lifetime)
        return SaveState(
            base,
            None if self.stored is None else self.stored.record,
            ours,
            envelope,
            self.runtime.clock(),
            lifetime,
            touch_after,
            self.start,
            self.rows.schema.max_age,
            self.restarts,
            self.pending,
            may_have_saved=self._saver is not None and self._saver.may_have_saved,
        )

    def _choose_envelope(self, text: str) -> Envelope | None:
        if self.envelope is not None or self._opens == "none":
            return self.envelope
        found = choose_envelope(text, self.rows.options.max_value_size, self._opens)
        if found is None:
            logs.log_once_a_minute(
                log, OPAQUE if self._opens == "auto" else NOT_JSON, period=math.inf
            )
        return found

    def _carry_out(self, write: Write, state: SaveState) -> None:
        if self._saver is None:
            delete_row = self.source.delete_with_tombstone if self.source else self.rows.delete
            self._saver = Saver(self.rows, self.key, delete_row, self.settings.lifetime)
        try:
            outcome, stored = self._saver.save(write, state, self.stored)
        except DynamoDBBackendError as error:
            if isinstance(error, Unavailable):
                touches.pause(self.rows)
            if not isinstance(write, Touch):
                raise
            # A page that only read never fails because its access time cannot be saved.
            _report(Touch, "dropped")
            if not isinstance(error, Unavailable):  # an outage ends by itself, a mistake does not
                logs.log_once_a_minute(log, f"{UNTOUCHED}: {type(error).__name__}")
            return
        if metering.observers:
            _report(type(write), outcome)
        self.stored, self.restarts, self.pending = stored, False, None
        if outcome != "dropped":
            self.base = None if stored is None else state.ours.text
            self._is_saved = True


def _is_session(key: object) -> bool:
    return to_text(key) == _KEY


def _report(decision: type[Write | Leave], outcome: str) -> None:
    metering.report(metering.Saved(decision.__name__.lower(), outcome))
