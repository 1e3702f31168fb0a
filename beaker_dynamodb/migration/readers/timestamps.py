"""Numbers out of foreign stores: when a session ends, and how long it lives. Pure.

Every one of them goes through here once, where it is read: nobody says what type it has, and what
stands in a foreign store must not end an import. What comes out is finite and within bounds.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

#: 5000-01-01, in epoch seconds. No session lives that long, so a larger number is one of
#: milliseconds: read as such it lies after January 1973, as every session's does.
YEAR_5000: Final = 95_617_584_000
_MILLISECONDS: Final = 1000
_MAX_LIFETIME: Final = 100 * 366 * 86400
#: Characters of a number written as text: DynamoDB's longest has 38 digits, a point and a sign.
_MAX_CHARACTERS: Final = 48


def parse_number(value: object) -> float | None:
    """Return a finite number, also one that is written as text; None where it is none."""
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
    """Return a time in epoch seconds, given in seconds or milliseconds, as a number or a text.

    None where it is no number, or lies beyond the year 5000 in milliseconds, too. A negative one
    is as long ago as the epoch.
    """
    number = parse_number(value)
    if number is not None and number > YEAR_5000:
        number /= _MILLISECONDS
    return None if number is None or number > YEAR_5000 else max(number, 0.0)


def parse_lifetime(value: object) -> float | None:
    """Return a duration given in milliseconds in seconds; None where it is none, or a century."""
    number = parse_number(value)
    if number is None or not 0 < number <= _MAX_LIFETIME * _MILLISECONDS:
        return None
    return number / _MILLISECONDS


def parse_datetime(value: object) -> float | None:
    """Return a column's date and time in epoch seconds, None where it is none.

    SQLite has it as a text. One without a time zone is this machine's local time, as Beaker
    writes it.
    """
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        return bound(when.timestamp()) if isinstance(when, datetime) else None
    except (ValueError, OverflowError, OSError):  # no time, or the platform's calendar is shorter
        return None


def bound(seconds: float) -> float:
    """Return a time that is known to be in epoch seconds within 1970 and the year 5000."""
    return min(max(seconds, 0.0), YEAR_5000)
