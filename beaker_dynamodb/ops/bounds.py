"""Limit the values of a row before they are printed. Pure.

A row can hold anything: impossible times, numbers of a million digits, nested lists that share
their members. The results of this module can be written as lines and as JSON, in a time that is
proportional to the size of the row. So the code that prints them needs no checks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from beaker_dynamodb.item.record import MAX_EXPIRES

#: DynamoDB's own limit (AWS: Constraints, "Nested attribute depth").
MAX_DEPTH: Final = 32
#: The number of characters and values of one session that are shown: the default limit of both.
MAX_SIZE: Final = 16 * 1024 * 1024
#: What replaces the rest if a limit is exceeded.
CUT: Final = "..."
#: Python writes integers of up to 4,300 digits; these bits are 3,010.
_MAX_BITS: Final = 10_000
#: About the largest exponent of a float.
_MAX_EXPONENT: Final = 300
_MAX_REPR: Final = 10_000
_CONTAINERS: Final = (dict, list, tuple, set, frozenset)


class Written(str):
    """The repr of a value that is neither text nor a number. Its own repr has no quotes.

    In JSON it is a string.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text itself."""
        return str.__str__(self)


def limit_time(value: Decimal | int | None) -> float | None:
    """Return a time in epoch seconds, as 1970 if it is earlier; None if it is after the year 9999.

    For the expiry of a row, None is never, and all that is before 1970 has passed.
    """
    return None if value is None or value > MAX_EXPIRES else max(0.0, float(value))


def copy_bounded(value: object) -> object:
    """Copy a value of any type into plain values, limited in depth and size.

    Texts, bytes, numbers, lists, tuples and dicts keep their types, sets become lists, and
    anything else becomes `Written`. A value that contains itself ends at the limit of depth.
    """
    return _Copy().copy(value, 0)


class _Copy:
    """One copy, and how much it may still hold. A value counts 1, a text also its length."""

    def __init__(self) -> None:
        self._left = MAX_SIZE

    def copy(self, value: Any, depth: int) -> object:
        if self._left <= 0:
            return Written(CUT)
        self._left -= 1
        kind = type(value)  # of an object with a `__class__` of its own, isinstance() runs code
        if issubclass(kind, _CONTAINERS):
            return self._copy_members(value, kind, depth) if depth < MAX_DEPTH else Written(CUT)
        if issubclass(kind, str):
            return self._copy_text(str.__str__(value))
        if issubclass(kind, (bytes, bytearray)):
            return self._copy_text(bytes(memoryview(value)))
        if kind in {bool, type(None)}:
            return value
        return (
            _limit_number(value)
            if kind in {int, float, Decimal}
            else self._copy_text(_write_repr(value))
        )

    def _copy_members(self, value: Any, kind: type, depth: int) -> object:
        """Copy a container's members by methods of its plain type, never of a subclass."""
        if issubclass(kind, dict):
            found: dict[object, object] = {}
            for name, one in dict.items(value):
                if self._left <= 0:
                    found[Written(CUT)] = Written(CUT)
                    break
                text = self.copy(name, MAX_DEPTH)
                key = text if isinstance(text, str) else Written(repr(text))
                found[key] = self.copy(one, depth + 1)
            return found
        plain: Any = next(one for one in _CONTAINERS if issubclass(kind, one))
        members: list[object] = []
        for one in plain.__iter__(value):
            members.append(self.copy(one, depth + 1))
            if self._left <= 0:
                break
        return tuple(members) if plain is tuple else members

    def _copy_text(self, text: str | bytes) -> str | bytes:
        """Copy a text up to the limit of size."""
        room = max(0, self._left)
        self._left -= len(text)
        if len(text) <= room:
            return text
        return Written(repr(text[:room]) + CUT)


def _limit_number(value: object) -> object:
    """Return a number if it can be written in digits, else a description."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return Written(f"an integer of {value.bit_length():,} bits")
    if isinstance(value, Decimal):
        few = value.is_finite() and len(value.as_tuple().digits) <= _MAX_BITS
        if not few or abs(value.adjusted()) > _MAX_EXPONENT:
            return Written(repr(value)[:_MAX_REPR])
    return value


def _write_repr(value: object) -> Written:
    try:
        return Written(repr(value)[:_MAX_REPR])
    except Exception:  # noqa: BLE001  # any class's own code runs here, and may do anything
        return Written(f"<a {type(value).__name__} that cannot be written>")
