"""What a session reader is, the values that it yields, and how it reads foreign numbers. Pure.

Ids and texts are in no repr: output about a session holds a digest of its id only. Whatever an
entry of the source backend holds, reading it must not raise, for that would end the import. So
each number is parsed here, once, and is finite and within bounds from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

from beaker_dynamodb.errors import OptionError, mask_repr
from beaker_dynamodb.item.safe_load import safe_load

#: Why an entry is not imported.
NO_SESSION: Final = "no session"
UNREADABLE: Final = "unreadable"
OWN_ROW: Final = "rows of beaker_dynamodb"
_SESSION: Final = "session"
#: 5000-01-01, in epoch seconds. No session lives that long, so a larger number is in milliseconds:
#: as such it is after January 1973, as every session's time is.
YEAR_5000: Final = 95_617_584_000
_MILLISECONDS: Final = 1000
_MAX_LIFETIME: Final = 100 * 366 * 86400
#: Characters of a number written as text: DynamoDB's longest has 38 digits, a point and a sign.
_MAX_CHARACTERS: Final = 48
#: Returns epoch seconds. A reader calls it for every entry, because a run may take hours.
Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class SourceSession:
    """One entry of the source backend: a session's text as Beaker stored it, or an error.

    `expires` is when the backend itself would drop it, `written` when it was last written, both
    in epoch seconds and finite, None if the backend does not say. `error` is one of the reasons
    above, or "" for a session; `detail` says more about it.
    """

    id: str = field(repr=False)
    text: str = field(default="", repr=False)
    expires: float | None = None
    written: float | None = None
    error: str = ""
    detail: str = ""


class SessionReader(Protocol):
    """A source backend, as a stream of its sessions."""

    def sessions(self, clock: Clock) -> Iterator[SourceSession]:
        """Yield every session; some more than once, if the backend cannot avoid it.

        Raises: Unavailable, if the backend cannot be read; OptionError, if an option names nothing.
        """

    def count(self) -> int | None:
        """Return the number of entries for a progress bar, None if a count would cost.

        Raises: as `sessions`.
        """


def check_options(
    kind: str, source_options: Mapping[str, str], known: Collection[str]
) -> dict[str, str]:
    """Return a copy of the options; Beaker accepts its two folders with every backend.

    Raises: OptionError, for an unknown one.
    """
    for name in source_options:
        if name not in {*known, "data_dir", "lock_dir"}:
            raise OptionError(
                f"{kind} has no option {mask_repr(name)}; it has {', '.join(sorted(known))}"
            )
    return dict(source_options)


def reject(session: str, detail: str) -> SourceSession:
    """Return an unreadable entry; *detail* says what is wrong, and holds none of its data."""
    return SourceSession(session, error=UNREADABLE, detail=detail)


def read_pickle(session: str, pickled: object, written: float | None) -> SourceSession:
    """Read the pickled dict in which Beaker's files and databases keep a session's text."""
    entry = safe_load(pickled)
    if not isinstance(entry, dict):
        return reject(session, "it is not a pickled dict")
    if not entry:  # the session was deleted by its key
        return SourceSession(session, error=NO_SESSION)
    return read_value(session, entry.get(_SESSION), written=written)


def read_value(
    session: str, value: object, *, expires: float | None = None, written: float | None = None
) -> SourceSession:
    """Read the value under the key `session`; anything but a text is a cache's entry."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str) or not value:
        return SourceSession(session, error=NO_SESSION)
    return SourceSession(session, value, expires, written)


def parse_number(value: object) -> float | None:
    """Return a finite number, also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return None
    if isinstance(value, str) and len(value) > _MAX_CHARACTERS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if -float("inf") < number < float("inf") else None


def parse_timestamp(value: object) -> float | None:
    """Return epoch seconds, from a number or text in seconds or milliseconds.

    None if it is no number, or is after the year 5000 even as milliseconds. A negative one becomes
    the epoch.
    """
    number = parse_number(value)
    if number is not None and number > YEAR_5000:
        number /= _MILLISECONDS
    return None if number is None or number > YEAR_5000 else max(number, 0.0)


def parse_lifetime(value: object) -> float | None:
    """Return seconds, from milliseconds; None if it is no number, not positive, or a century."""
    number = parse_number(value)
    if number is None or not 0 < number <= _MAX_LIFETIME * _MILLISECONDS:
        return None
    return number / _MILLISECONDS


def parse_datetime(value: object) -> float | None:
    """Return epoch seconds, from a database column's date and time; None if it holds none.

    SQLite returns a text. A value without a time zone is this machine's local time, as Beaker
    writes it.
    """
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        return clamp_time(when.timestamp()) if isinstance(when, datetime) else None
    except (ValueError, OverflowError, OSError):  # no time, or the platform's calendar is shorter
        return None


def clamp_time(seconds: float) -> float:
    """Return epoch seconds, limited to the years from 1970 to 5000."""
    return min(max(seconds, 0.0), YEAR_5000)
