"""One row as a frozen value, and the attributes that it is stored as.

A row whose expiry has passed is absent, everywhere: DynamoDB deletes days late. An attribute
of a wrong type makes the row corrupt; it is never guessed at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from typing import Final, cast

from beaker_dynamodb.errors import CorruptItem, digest
from beaker_dynamodb.item.chunks import count, max_chunks
from beaker_dynamodb.item.codec import FORMAT, PIECES, ROTATED, TOMBSTONE
from beaker_dynamodb.item.keys import Key

#: How many former tokens a row remembers, so that a write whose reply was lost knows itself.
REMEMBERED: Final = 4
#: The largest value of a special key, in bytes: that of a sort key (AWS: Constraints, "Sort key
#: length"). A partition key, as in the indexes that are made here, may have 2,048; but an operator
#: may have an index of the application's own, and no save must fail by the value that it holds.
MOST_INDEXED: Final = 1024
#: The last second of the year 9999, in epoch seconds. No expiry that is read or written is later.
MAX_EXPIRES: Final = 253_402_300_799
#: The most bytes of a `rev`; ours have 25. The keys of a value's pieces hold it, and DynamoDB
#: takes keys of 1,024 bytes: under a longer one nothing could be read or deleted.
MAX_REV: Final = 128
#: The most bytes of a `prev`; the next save writes it once more, into a row of at most 400 KB.
MAX_PREV: Final = REMEMBERED * (MAX_REV + 1)
_EPOCH, _LATEST = Decimal(0), Decimal(MAX_EXPIRES)
#: The third byte of a manifest's data, the codec's flags; of any other row it is another one.
_MANIFEST_FLAGS: Final = bytes((PIECES,))

_SECOND: Final = 1000  # milliseconds
_MOST_DIGITS, _LEAST_EXPONENT, _MOST_EXPONENT = 38, -130, 125
#: Wide enough to drop the zeros at the end of a number without rounding it.
_WIDE: Final = Context(prec=5000)

Attribute = str | int | Decimal | bytes


@dataclass(frozen=True, slots=True)
class Schema:
    """The names that the options may choose: the TTL attribute and the promoted session keys.

    `max_chunks`: of how many pieces a value is at most, by option max_value_size.
    """

    ttl: str = "expires"
    special: tuple[tuple[str, str], ...] = ()
    max_chunks: int = max_chunks(16 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Record:
    """A row: its key, its sealed bytes, which revision they are, and when it expires.

    `expires` is in epoch seconds, None for never. DynamoDB's TTL wants it whole, so it is rounded
    up; `early` says by how many milliseconds that is too late, for caches (a session's expiry is
    the whole second itself). `rev` is `birth.token`. `pieces`: of how many the value is, if it is
    too large for one row and this one is only its head; never more than one above the schema's
    `max_chunks`.
    """

    key: Key
    data: bytes = field(repr=False)
    rev: str
    prev: tuple[str, ...] = ()
    expires: int | None = None
    name: str | None = field(default=None, repr=False)
    promoted: Mapping[str, Attribute] = field(default_factory=dict, repr=False)
    pieces: int = 0
    early: int = 0

    def holding(self, data: bytes, pieces: int | None = None) -> Record:
        """Return the same row with other bytes in it, in as many pieces if no number is given.

        It is called thrice a save, where `dataclasses.replace` would take four times as long.
        """
        return Record(
            self.key,
            data,
            self.rev,
            self.prev,
            self.expires,
            self.name,
            self.promoted,
            self.pieces if pieces is None else pieces,
            self.early,
        )

    @property
    def expires_exactly(self) -> float | None:
        """When the row expires, in epoch seconds and to the millisecond; None for never."""
        return None if self.expires is None else self.expires - self.early / _SECOND

    def live(self, now: float) -> bool:
        """Tell whether the row is there at all at *now* (epoch seconds)."""
        return self.expires is None or self.expires - self.early / _SECOND > now

    @property
    def is_tombstone(self) -> bool:
        """Tell whether it stands for a session that is not here any more, and is none."""
        return self.is_rotated or self.data[:2] == bytes((FORMAT, TOMBSTONE))

    @property
    def is_rotated(self) -> bool:
        """Tell whether it stands for a session that goes on under another id."""
        return self.data[:2] == bytes((FORMAT, ROTATED))

    @property
    def birth(self) -> str:
        """Name the Create that this row descends from."""
        return birth(self.rev)

    def successor(self, token: str) -> tuple[str, tuple[str, ...]]:
        """Return `rev` and `prev` of a write of other data over this row, which drew *token*."""
        born, _, last = self.rev.partition(".")
        return f"{born}.{token}", (last, *self.prev)[:REMEMBERED]

    def wrote(self, token: str) -> bool:
        """Tell whether the write that drew *token* is in this row, even below a later one."""
        return token_of(self.rev) == token or token in self.prev

    def size_of_others(self, schema: Schema) -> int:
        """Count the bytes of everything but the data, names included, a little too high."""
        found = self.attributes(schema) | {"data": b"", "id": self.key.hash}
        range_ = len((self.key.range or "").encode())
        return range_ + sum(len(name) + _size(value) for name, value in found.items()) + 512

    def attributes(self, schema: Schema) -> dict[str, Attribute]:
        """Write everything but the key as attributes; what is None or empty is left out."""
        found: dict[str, Attribute] = {"data": self.data, "rev": self.rev}
        if self.prev:
            found["prev"] = " ".join(self.prev)
        if self.expires is not None:
            found[schema.ttl] = self.expires
        if self.early:
            found["early"] = self.early
        if self.name is not None:
            found["name"] = self.name
        return found | dict(self.promoted)


def _size(value: Attribute) -> int:
    if isinstance(value, bytes):
        return len(value)
    return len(str(value).encode("utf-8", "surrogatepass"))


def rev_of(born: str, token: str) -> str:
    """Write a rev: the birth of the row, and the token that its last write of data drew."""
    return f"{born}.{token}"


def birth(rev: str) -> str:
    """Read the birth out of a rev."""
    return rev.partition(".")[0]


def token_of(rev: str) -> str:
    """Read out of a rev the token that its last write of data drew."""
    return rev.partition(".")[2]


def promote(
    values: Mapping[str, object], schema: Schema
) -> tuple[dict[str, Attribute], tuple[str, ...]]:
    """Copy the special keys of a session out as attributes.

    Returns the attributes, and the names of those that are absent or cannot be an index's key.
    """
    found = {name: _indexable(values.get(name), kind) for name, kind in schema.special}
    kept = {name: value for name, value in found.items() if value is not None}
    return kept, tuple(name for name in found if name not in kept)


def _indexable(given: object, kind: str) -> Attribute | None:
    """Turn a session's value into a key of an index, None where it cannot be one."""
    value = _plain(given)
    if kind == "N":
        return _number(value) if isinstance(value, (int, float, Decimal)) else None
    if kind == "S" and isinstance(value, int):
        value = None if _number(value) is None else str(value)
    wanted = bytes if kind == "B" else str
    if not isinstance(value, wanted) or not value:
        return None
    try:
        size = len(value.encode() if isinstance(value, str) else value)
    except UnicodeEncodeError:  # a lone surrogate: DynamoDB would store another text
        return None
    return value if size <= MOST_INDEXED else None


def _plain(value: object) -> str | bytes | int | float | Decimal | None:
    """Return the plain text, bytes or number that a value is, None where it is none.

    It may be of a class of the application's, whose code could raise or lie: none of it runs, so
    it is told by its type and not by `isinstance`, which would ask the value.
    """
    kind = type(value)
    if kind is bool:
        return None
    if issubclass(kind, str):
        return str.__str__(cast("str", value))
    if issubclass(kind, bytes):
        return bytes.__getitem__(cast("bytes", value), slice(None))
    if issubclass(kind, int):
        return int.__int__(cast("int", value))
    if issubclass(kind, float):
        return float.__float__(cast("float", value))
    return Decimal(cast("Decimal", value)) if issubclass(kind, Decimal) else None


def _number(value: float | Decimal) -> Decimal | None:
    """Write a number as DynamoDB can hold it: 38 digits, 1E-130 to 9.9E+125 (AWS: Numbers)."""
    try:
        number = Decimal(str(value))
    except (ValueError, InvalidOperation):  # too many digits for Python, or no number after all
        return None
    # The range first: a number beyond what a context holds cannot be normalized.
    if not in_range(number):
        return None
    if number.is_zero():
        return Decimal(0)  # whatever its exponent was
    if len(number.as_tuple().digits) <= _MOST_DIGITS:
        return number
    # Rounded it would be another number, and with all its zeros DynamoDB reads it for minutes.
    plain = number.normalize(_WIDE)
    is_short = len(plain.as_tuple().digits) <= _MOST_DIGITS
    return plain if is_short and plain == number else None


def in_range(number: Decimal) -> bool:
    """Tell whether DynamoDB could hold a number of this size, however many digits it has."""
    if not number.is_finite():
        return False
    return _LEAST_EXPONENT <= number.adjusted() <= _MOST_EXPONENT or number.is_zero()


def from_attributes(key: Key, found: Mapping[str, object], schema: Schema) -> Record:
    """Read a row's attributes, without those of the key.

    Raises: CorruptItem, where one that must be there is not, or is of another type.
    """
    data, rev, prev = found.get("data"), found.get("rev"), found.get("prev", "")
    expires, name = found.get(schema.ttl), found.get("name")
    if not isinstance(data, bytes) or not isinstance(rev, str) or not isinstance(prev, str):
        raise CorruptItem(digest(key.hash), "an attribute is missing or of another type")
    # A character takes 4 bytes at most: ours are counted without being encoded.
    is_long = 4 * len(rev) > MAX_REV and _size(rev) > MAX_REV
    if is_long or (4 * len(prev) > MAX_PREV and _size(prev) > MAX_PREV):
        raise CorruptItem(digest(key.hash), "its revision is too long")
    if not (expires is None or isinstance(expires, Decimal)) or not (
        name is None or isinstance(name, str)
    ):
        raise CorruptItem(digest(key.hash), "an attribute is of another type")
    if expires is not None and not expires.is_finite():
        raise CorruptItem(digest(key.hash), "its expiry is not a number")
    early = found.get("early", Decimal(0))
    if not isinstance(early, Decimal) or not 0 <= early < _SECOND:
        raise CorruptItem(digest(key.hash), "it expires early by more than a second")
    # Bounded before it is an int: one of 10^125 would be 126 digits in every sum and text.
    until = None if expires is None else math.ceil(min(max(expires, _EPOCH), _LATEST))
    promoted = promoted_of(found, schema) if schema.special else {}
    pieces = count(data, schema.max_chunks) if data[2:3] == _MANIFEST_FLAGS else 0
    return Record(key, data, rev, tuple(prev.split()), until, name, promoted, pieces, int(early))


def promoted_of(found: Mapping[str, object], schema: Schema) -> dict[str, Attribute]:
    """Read the promoted session keys out of a row's attributes; other types are left out."""
    promoted: dict[str, Attribute] = {}
    for special, _ in schema.special:
        value = found.get(special)
        if isinstance(value, (str, Decimal, bytes)):
            promoted[special] = value
    return promoted
