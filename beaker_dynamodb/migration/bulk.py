"""Import the live sessions of another backend into the table: same ids, same expiry, no logouts.

A generator yields an outcome for each session. A row is written on condition that there is none, so
a run may be stopped and repeated, and the application may write at the same time.

Beside each row a marker is written, which no request reads. It says that the session was imported
once. A later run that finds a marker without its row does not import the session again, because its
user has logged out.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.connection import OPERATOR_ATTEMPTS
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.table import At, NoLiveRow
from beaker_dynamodb.errors import (
    CorruptItem,
    ItemTooLarge,
    OptionError,
    TableMissing,
    digest,
    say_table_missing,
)
from beaker_dynamodb.item.eligibility import (
    BEAKER_TIMEOUT_PADDING,
    LOGGED_OUT,
    Importable,
    ImportPolicy,
    decide_import,
)
from beaker_dynamodb.item.envelope import PickleEnvelope, choose_envelope
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import get_token, make_rev
from beaker_dynamodb.migration.on_demand import MAX_ATTEMPTS, create_row
from beaker_dynamodb.migration.readers.connect import ConnectReader
from beaker_dynamodb.migration.readers.reader import (
    NO_SESSION,
    UNREADABLE,
    SessionReader,
    SourceSession,
)
from beaker_dynamodb.provisioning.provision import create_missing_table
from beaker_dynamodb.runtime import REAL, Runtime

log: Final = logging.getLogger(__name__)

#: Why a session is not imported; `eligibility` and the readers have reasons of their own.
ALREADY_THERE: Final = "already there"
TOO_LARGE: Final = "too large"
_PICKLES: Final = (
    "some of these sessions are pickles, which this application does not open: its sessions are"
    " JSON. Keep data_serializer as it was until the last of them has ended"
)
#: The reasons that an operator must see: if such a session was live, its user is logged out.
LOST: Final = frozenset({UNREADABLE, TOO_LARGE})

#: How many sessions are read ahead for each worker.
_READ_AHEAD: Final = 4
#: The minimum lifetime of a marker, in seconds: no switch of backends takes longer.
_MIN_MARKER_LIFETIME: Final = 30 * 86400


@dataclass(frozen=True, slots=True)
class Imported:
    """A session that is in the table now; `expires` in epoch seconds, None for never."""

    session: str
    expires: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A session that was not imported, and why; `detail` says what cannot be read."""

    session: str
    reason: str
    detail: str = ""


def check_rows(marker: Record | None, row: Record | None, now: float) -> str:
    """Return why a session is not imported, from what is in the table at *now*; "" if it is.

    A marker without a row is a logout. An expired row stays until TTL removes it, while a logout
    would have deleted it at once: its user went on in the source backend, and is imported again.
    """
    is_marked = marker is not None and marker.is_live(now)
    if row is None:
        return LOGGED_OUT if is_marked else ""
    if row.is_tombstone and (is_marked or row.is_live(now)):
        return LOGGED_OUT
    return ALREADY_THERE if row.is_live(now) else ""


def compute_marker_expiry(expires: int | None, ttl: float, now: float) -> int | None:
    """Return when a marker expires beside a row that expires at *expires*.

    Both in epoch seconds, None for never. The marker outlives the row as it was imported, because
    a user of the session prolongs the row, and may prolong the old copy too.
    """
    return (
        None if expires is None else max(expires, math.ceil(now + max(ttl, _MIN_MARKER_LIFETIME)))
    )


def import_sessions(  # noqa: PLR0913  # source, target, and four settings by name
    reader: SessionReader,
    options: Options,
    *,
    timeout: float | None = None,
    dry_run: bool = False,
    workers: int = 8,
    runtime: Runtime = REAL,
) -> Iterator[Imported | Skipped]:
    """Import every live session of *reader* into the table; yield an outcome for each.

    Args:
        timeout: the application's `session.timeout` in seconds, None if it has none.
        dry_run: read both sides and write nothing; a table that does not exist counts as empty,
            which is logged at the end.
        workers: the number of concurrent writes. Closing the generator waits for those under way.

    Raises: OptionError; Unavailable, if the source backend cannot be read; whatever the client
        raises. What was yielded before is done, and the same call continues from there.
    """
    if isinstance(reader, ConnectReader) and reader.has_same_keys(options):
        raise OptionError(
            "source and destination are the same table with the same keys; use another table or"
            " another prefix"
        )
    patient = dataclasses.replace(
        options,
        max_attempts=max(options.max_attempts, OPERATOR_ATTEMPTS),
        create_table=options.create_table and not dry_run,
    )
    target = build_rows(patient, "session", runtime, create_missing_table)
    # This makes boto3's client, which takes 10 MB. Else each worker thread would make its own.
    target.table.client.get_transport()
    importer = _Importer(target, timeout, dry_run=dry_run)
    return _run(reader, importer, workers)


def _run(reader: SessionReader, importer: _Importer, workers: int) -> Iterator[Imported | Skipped]:
    """Keep *workers* writes going, and at most four times as many sessions in memory."""
    pool = ThreadPoolExecutor(workers, "import")
    # Outcomes are yielded in the order of the reader. While the deque is full, nothing is read:
    # the consumer takes the oldest outcome, which waits for its worker, and then one more session
    # is read and submitted.
    pending: deque[Future[Imported | Skipped]] = deque()
    try:
        for number, session in enumerate(reader.sessions(importer.runtime.clock)):
            if number == 0:
                importer.find_table()
            pending.append(pool.submit(importer.import_one, session))
            if len(pending) >= workers * _READ_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
        for warning in importer.list_warnings():
            log.warning("%s", warning)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Importer:
    """Imports one session after the other; safe in many threads."""

    def __init__(self, rows: Rows, timeout: float | None, *, dry_run: bool) -> None:
        options = rows.options
        self._rows, self.runtime = rows, rows.runtime
        self._dry_run = dry_run
        self._is_table_missing = False
        self._has_pickles = False
        lifetime = options.ttl or None if timeout is None else timeout + BEAKER_TIMEOUT_PADDING
        self._policy = ImportPolicy(
            timeout, lifetime, options.max_value_size, rows.schema, options.envelope
        )

    def find_table(self) -> None:
        """Create the table where that is allowed; in a dry run, note that it does not exist.

        Otherwise each of the workers would meet a missing table with its first calls.
        """
        try:
            self._read(self._rows.layout.make_session_key(""))  # which no session has
        except TableMissing:
            if not self._dry_run:
                raise
            self._is_table_missing = True

    def list_warnings(self) -> Iterator[str]:
        """Yield what the counts do not show, for the end of a run."""
        if self._is_table_missing:
            missing = say_table_missing(self._rows.options.table)
            yield f"{missing}; this dry run counts it as empty"
        if self._has_pickles:
            yield _PICKLES

    def import_one(self, session: SourceSession) -> Imported | Skipped:
        """Import a session, if it is eligible."""
        name = digest(session.id)
        if session.error or not session.id:
            return Skipped(name, session.error or NO_SESSION, session.detail)
        decision = decide_import(
            session.text,
            self._policy,
            self.runtime.clock(),
            source_expires=session.expires,
            written=session.written,
        )
        if isinstance(decision, str):
            return Skipped(name, decision)
        if self._policy.envelope == "json":
            written_by = choose_envelope(session.text, self._policy.max_size, "auto")
            if isinstance(written_by, PickleEnvelope):  # shared by all threads, so never reset
                self._has_pickles = True
        try:
            reason = self._check(session) if self._dry_run else self._write(session, decision)
        except ItemTooLarge:
            reason = TOO_LARGE
        except CorruptItem:
            return Skipped(
                name, UNREADABLE, "the row in the table was not written by beaker_dynamodb"
            )
        return Skipped(name, reason) if reason else Imported(name, decision.expires)

    def _check(self, session: SourceSession) -> str:
        """Return why a run would skip the session, "" if it would not. Writes nothing."""
        layout = self._rows.layout
        marker = row = None
        if not self._is_table_missing:
            marker = self._read(layout.make_import_marker_key(session.id))
            row = self._read(layout.make_session_key(session.id))
        if reason := check_rows(marker, row, self.runtime.clock()):
            return reason
        size = len(session.text.encode("utf-8", "surrogatepass"))
        return TOO_LARGE if size > self._policy.max_size else ""

    def _read(self, key: Key) -> Record | None:
        return self._rows.table.get(key, consistent=True)

    def _write(self, session: SourceSession, decision: Importable) -> str:
        """Write the row and then its marker; return "" if both are stored, else why not.

        A run that ends between the two leaves a row without a marker; the next run adds it.
        """
        layout, now = self._rows.layout, self.runtime.clock()
        marker = self._read(layout.make_import_marker_key(session.id))
        if marker is not None and not marker.is_live(now):
            marker = None
        # The row is read only if there is a marker; otherwise the write's condition checks it.
        if marker and (
            reason := check_rows(marker, self._read(layout.make_session_key(session.id)), now)
        ):
            return reason
        row, is_ours = self._write_row(session, decision)
        if row.is_tombstone:
            return LOGGED_OUT
        other = self._write_marker(session, row, marker, is_ours=is_ours)
        if other is None or not is_ours:
            return "" if is_ours else ALREADY_THERE
        self._withdraw(row, other)
        return LOGGED_OUT

    def _write_row(self, session: SourceSession, decision: Importable) -> tuple[Record, bool]:
        """Write the row if there is none; return the stored row, and whether it is ours."""
        start = self.runtime.clock() if decision.created is None else decision.created
        record = Record(
            self._rows.layout.make_session_key(session.id),
            b"",
            make_rev(self.runtime.token(), self.runtime.token(), start),
            expires=decision.expires,
            promoted=decision.promoted,
        )
        return create_row(self._rows, record, session.text.encode("utf-8", "surrogatepass"))

    def _write_marker(
        self, session: SourceSession, row: Record, marker: Record | None, *, is_ours: bool
    ) -> Record | None:
        """Write the marker of *row* in place of *marker*; return another row's marker, if any.

        A marker has the birth of its row, and, if this run wrote the row, the row's token. If the
        write is refused by a marker with another birth, a second run imported and marked the
        session between our read of the marker and this write. Since both runs wrote a row, and a
        row is written only if there is none, the first of the two rows was deleted in between:
        the user has logged out.
        """
        now = self.runtime.clock()
        expires = compute_marker_expiry(row.expires, self._rows.options.ttl, now)
        rev = make_rev(row.birth, get_token(row.rev) if is_ours else self.runtime.token())
        key = self._rows.layout.make_import_marker_key(session.id)
        record = Record(key, b"", rev, expires=expires)
        refusal = self._rows.table.put(record, At(marker.rev) if marker else NoLiveRow(now))
        theirs = None if refusal is None else refusal.theirs
        return None if theirs is None or theirs.birth == row.birth else theirs

    def _withdraw(self, row: Record, other: Record) -> None:
        """Delete our row, or the one that the other run imported, even if it was saved to since.

        A new session with the same id is neither, and is kept: it has another birth, and its
        revisions do not include the token of the *other* marker.
        """
        birth = row.birth
        for _ in range(MAX_ATTEMPTS):
            refusal = self._rows.delete(row.key, At(row.rev), row)
            theirs = None if refusal is None else refusal.theirs
            if theirs is None or not (
                theirs.birth == birth or theirs.has_token(get_token(other.rev))
            ):
                return
            row = theirs
