"""Live sessions out of another backend, into the table: same ids, same expiry, nobody logged out.

A generator yields what became of each. A row is written on condition that none stands there, so
a run may be stopped and begun again, and the application may write meanwhile. It draws nothing.

Beside each row stands a marker, which no request reads: the session was moved once. A later run
that finds it without the row does not move the session again, for its user has logged out.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.connection import OPERATOR_ATTEMPTS
from beaker_dynamodb.dynamodb.rows import Rows, rows
from beaker_dynamodb.dynamodb.table import Absent, At
from beaker_dynamodb.errors import (
    CorruptItem,
    ItemTooLarge,
    OptionError,
    TableMissing,
    Unavailable,
    digest,
)
from beaker_dynamodb.item import safe_load
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Record, Schema, promote, rev_of, token_of
from beaker_dynamodb.migration.readers.origin import NO_SESSION, UNREADABLE, Found, Origin
from beaker_dynamodb.migration.readers.tables import Place
from beaker_dynamodb.provisioning.provision import create_missing_table
from beaker_dynamodb.runtime import REAL, Runtime

#: Why a session is not moved; the origin has reasons of its own.
EXPIRED: Final = "expired"
THERE: Final = "already there"
LOGGED_OUT: Final = "logged out"
TOO_LARGE: Final = "too large"
#: Of these, an operator has to hear: somebody is logged out, if it was a live session.
LOST: Final = frozenset({UNREADABLE, TOO_LARGE})

_AHEAD: Final = 4
_MEETINGS: Final = 3
#: Seconds that a marker stands at least: a change of backends takes no longer.
_REMEMBERED: Final = 30 * 86400


@dataclass(frozen=True, slots=True)
class Moved:
    """A session that is in the table now; `expires` in epoch seconds, None for never."""

    session: str
    expires: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A session that was not moved, and why; `detail` says more where it cannot be read."""

    session: str
    why: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session that is to be moved."""

    expires: int | None
    promoted: dict[str, Attribute] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about a session: the application's time-out and options, in seconds and bytes.

    `timeout` is Beaker's own, None where the application has none; `ttl` is 0 for never.
    """

    timeout: float | None
    ttl: float
    most: int
    schema: Schema
    envelope: str = "auto"

    @property
    def lifetime(self) -> float | None:
        """How long a row lives from a save on, as Beaker would hand it over."""
        if self.timeout is not None:
            return self.timeout + safe_load.BEAKER_TIMEOUT_PADDING
        return self.ttl or None


def decide(found: Found, terms: Terms, now: float) -> Wanted | str:
    """Decide whether a session is moved, and until when it lives; else say why not.

    What the old backend itself says of the expiry is kept, but never beyond the application's
    time-out: a row that lived longer would not be touched in time.
    """
    if found.wrong or not found.id:
        return found.wrong or NO_SESSION
    values = safe_load.load_session(found.text, terms.envelope, terms.most)
    if safe_load.is_emptied(values):
        return LOGGED_OUT
    inside = safe_load.accessed(values)
    since = found.written if inside is None else inside
    over = found.expires is not None and found.expires <= now
    if over or safe_load.timed_out(since, terms.timeout, now):
        return EXPIRED
    promoted, _ = promote(values or {}, terms.schema)
    # Without a time-out nobody asks how old it is: it lives as if it were saved now.
    counted = None if terms.timeout is None else since
    expires = safe_load.expiry(counted, terms.lifetime, now)
    if found.expires is not None and (terms.timeout is None or expires is None):
        expires = math.ceil(found.expires)
    elif found.expires is not None and expires is not None:
        expires = min(expires, math.ceil(found.expires))
    return Wanted(expires, promoted)


def standing(marker: Record | None, row: Record | None, now: float) -> str:
    """Say why a session is not moved, by what stands in the table at *now*; "" where it is.

    A marker without a row is a logout. A row that ran out stands on until TTL removes it, and a
    logout would have removed it at once: that user went on in the old backend, and is moved again.
    """
    marked = marker is not None and marker.live(now)
    if row is None:
        return LOGGED_OUT if marked else ""
    if row.is_tombstone and (marked or row.live(now)):
        return LOGGED_OUT
    return THERE if row.live(now) else ""


def marked_until(expires: int | None, ttl: float, now: float) -> int | None:
    """Say until when a marker stands, beside a row that expires at *expires*.

    Epoch seconds, None for never. It outlives the row that was moved, because that row is
    prolonged by whoever uses the session, and so is its old copy.
    """
    return None if expires is None else max(expires, math.ceil(now + max(ttl, _REMEMBERED)))


def transfer(  # noqa: PLR0913  # from where, where to, and four terms by name
    origin: Origin,
    options: Options,
    *,
    timeout: float | None = None,
    dry_run: bool = False,
    workers: int = 8,
    runtime: Runtime = REAL,
) -> Iterator[Moved | Skipped]:
    """Move every live session of *origin* into the table; yield what became of each.

    Args:
        timeout: the application's `session.timeout` in seconds, None where it has none.
        dry_run: read both sides and write nothing; a table that does not exist is empty.
        workers: how many writes are under way at once. Closing the generator waits for those.

    Raises: OptionError; Unavailable, where the origin cannot be read; whatever the client raises.
        What was yielded before is done; the same call goes on from there.
    """
    place = getattr(origin, "place", None)
    if isinstance(place, Place) and place.is_that_of(options):
        raise OptionError(
            "source and destination are the same table with the same keys; use another table or"
            " another prefix"
        )
    patient = dataclasses.replace(
        options,
        max_attempts=max(options.max_attempts, OPERATOR_ATTEMPTS),
        create_table=options.create_table and not dry_run,
    )
    there = rows(patient, "session", runtime, create_missing_table)
    # Here boto3's client is made: else each thread would make one, of 10 MB.
    there.table.client.transport()
    mover = _Mover(there, timeout, runtime, dry_run=dry_run)
    return _carried_out(origin, mover, workers, runtime)


def _carried_out(
    origin: Origin, mover: _Mover, workers: int, runtime: Runtime
) -> Iterator[Moved | Skipped]:
    """Keep *workers* writes going and at most four times as many sessions in memory."""
    pool = ThreadPoolExecutor(workers, "transfer")
    ahead: deque[Future[Moved | Skipped]] = deque()
    try:
        for found in origin.sessions(runtime.clock):
            ahead.append(pool.submit(mover.one, found))
            if len(ahead) >= workers * _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Mover:
    """Moves one session after the other; safe in many threads."""

    def __init__(
        self, rows: Rows, timeout: float | None, runtime: Runtime, *, dry_run: bool
    ) -> None:
        options = rows.options
        self._rows = rows
        self._around = runtime
        self._dry_run = dry_run
        self._terms = Terms(
            timeout, options.ttl, options.max_value_size, rows.schema, options.envelope
        )

    def one(self, found: Found) -> Moved | Skipped:
        """Move a session, if it is wanted."""
        name = digest(found.id)
        wanted = decide(found, self._terms, self._around.clock())
        if isinstance(wanted, str):
            return Skipped(name, wanted, found.detail)
        try:
            why = self._look(found) if self._dry_run else self._move(found, wanted)
        except ItemTooLarge:
            why = TOO_LARGE
        except CorruptItem:
            return Skipped(
                name, UNREADABLE, "the row in the table was not written by beaker_dynamodb"
            )
        return Skipped(name, why) if why else Moved(name, wanted.expires)

    def _look(self, found: Found) -> str:
        """Say what a run would do, and write nothing."""
        layout = self._rows.layout
        try:
            marker, row = self._read(layout.moved(found.id)), self._read(layout.session(found.id))
        except TableMissing:
            marker = row = None
        if why := standing(marker, row, self._around.clock()):
            return why
        too_large = len(found.text.encode("utf-8", "surrogatepass")) > self._terms.most
        return TOO_LARGE if too_large else ""

    def _read(self, key: Key) -> Record | None:
        return self._rows.table.get(key, consistent=True)

    def _move(self, found: Found, wanted: Wanted) -> str:
        """Write the row and then its marker; "" if both stand, else why they do not.

        A run that ends in between leaves a row without a marker, and the next one completes it.
        """
        layout, now = self._rows.layout, self._around.clock()
        marker = self._read(layout.moved(found.id))
        if marker is not None and not marker.live(now):
            marker = None
        # The row is read only where there is a marker: else the write's condition answers.
        if marker and (why := standing(marker, self._read(layout.session(found.id)), now)):
            return why
        row, is_ours = self._write(found, wanted)
        if row.is_tombstone:
            return LOGGED_OUT
        clash = self._mark(found, row, marker, is_ours=is_ours)
        if clash is None or not is_ours:
            return "" if is_ours else THERE
        self._withdraw(row, clash)
        return LOGGED_OUT

    def _write(self, found: Found, wanted: Wanted) -> tuple[Record, bool]:
        """Write the row on condition that none stands; return what stands, and if it is ours."""
        token = self._around.token()
        record = Record(
            self._rows.layout.session(found.id),
            b"",
            rev_of(self._around.token(), token),
            (),
            wanted.expires,
            promoted=wanted.promoted,
        )
        value = found.text.encode("utf-8", "surrogatepass")
        for _ in range(_MEETINGS):
            now = self._around.clock()
            answer = self._rows.write(record, value, Absent(now), None)
            if isinstance(answer, Record):
                return answer, True
            theirs = answer.theirs
            if theirs is not None and theirs.wrote(token):  # its reply was lost
                return theirs, True
            if theirs is not None and theirs.live(now):
                return theirs, False
        raise Unavailable("a session's row is created and deleted faster than it can be read")

    def _mark(
        self, found: Found, row: Record, marker: Record | None, *, is_ours: bool
    ) -> Record | None:
        """Write the marker of a row, in place of *marker*; return another row's that stands.

        Its birth is the row's, and its token that of the copy, where this run has made the row.
        Another birth says that a second run moved and marked the session between our look and this
        write. One of the two rows was gone before the other could stand: a logout.
        """
        runtime = self._around
        now = runtime.clock()
        until = marked_until(row.expires, self._rows.options.ttl, now)
        rev = rev_of(row.birth, token_of(row.rev) if is_ours else runtime.token())
        record = Record(self._rows.layout.moved(found.id), b"", rev, (), until)
        refusal = self._rows.table.put(record, At(marker.rev) if marker else Absent(now))
        theirs = None if refusal is None else refusal.theirs
        return None if theirs is None or theirs.birth == row.birth else theirs

    def _withdraw(self, row: Record, clash: Record) -> None:
        """Delete our own row, or the other run's copy, whatever was saved to it meanwhile.

        A session that its user has begun anew under the same id is neither.
        """
        born = row.birth
        for _ in range(_MEETINGS):
            refusal = self._rows.delete(row.key, At(row.rev), row)
            theirs = None if refusal is None else refusal.theirs
            if theirs is None or not (theirs.birth == born or theirs.wrote(token_of(clash.rev))):
                return
            row = theirs
