"""One row as a frozen value, and the attributes that it is stored as.

A row that has expired counts as absent everywhere, because DynamoDB deletes it days later. A row
with an attribute of another type is corrupt; what was meant is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from types import MappingProxyType, NoneType
from typing import Final, NamedTuple, TypeGuard, cast

from beaker_dynamodb.errors import CorruptItem, digest
from beaker_dynamodb.item.chunks import compute_max_chunks, count_chunks
from beaker_dynamodb.item.codec import CHUNKS, FORMAT, ROTATED, TOMBSTONE
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.revision import (
    BORN_SIZE,
    PREV_SIZE,
    REV_SIZE,
    SHORT_TOKEN,
    get_birth,
    get_start,
    get_token,
    make_rev,
    shorten,
)

#: The largest value of a special key, in bytes: that of a sort key (AWS: Constraints, "Sort key
#: length"). A partition key, as in the indexes that are made here, may have 2,048; but an operator
#: may have an index of the application's own, and no save must fail by the value that it holds.
MAX_INDEX_KEY: Final = 1024
#: The last second of the year 9999, in epoch seconds. No expiry that is read or written is later.
MAX_EXPIRES: Final = 253_402_300_799
#: The maximum characters of `pending`: the name of a special key has at most 255 bytes.
MAX_PENDING: Final = 320
_PREV_SIZES: Final = range(0, PREV_SIZE + 1, SHORT_TOKEN)
#: The codec's flags, the third byte of a row's data, if the row is a manifest.
_MANIFEST_FLAGS: Final = bytes((CHUNKS,))
#: How the data of a tombstone begins: of a deleted session, and of one with another id.
_TOMBSTONES: Final = frozenset({bytes((FORMAT, TOMBSTONE)), bytes((FORMAT, ROTATED))})

#: The bytes of the names that every row has, and of numbers of 12 and 3 digits: one for two digits,
#: and one more.
_NAMES: Final = len("data") + len("rev")
_EXPIRES_BYTES, _EARLY_BYTES = 7, 3
_SECOND: Final = 1000  # milliseconds
_MAX_DIGITS, _MIN_EXPONENT, _MAX_EXPONENT = 38, -130, 125
#: Wide enough to drop the zeros at the end of a number without rounding it.
_WIDE: Final = Context(prec=5000)

Attribute = str | int | Decimal | bytes


@dataclass(frozen=True, slots=True)
class Schema:
    """What the options say about a row's attributes.

    Args:
        ttl: the name of the attribute that holds the expiry.
        special: the session keys that are promoted to attributes, each with its type (S, N or B).
        max_chunks: into how many chunks a value is split at most; from option max_value_size.
        max_age: seconds after its start at which a session ends, whatever it is used; from the
            option. None for caches, and if there is no limit.
        created_after: epoch seconds; a session that began earlier has ended. From the option.
        key_names: the bytes of the names of the key's attributes.
    """

    ttl: str = "expires"
    special: tuple[tuple[str, str], ...] = ()
    max_chunks: int = compute_max_chunks(16 * 1024 * 1024)
    max_age: float | None = None
    created_after: float | None = None
    key_names: int = len("id")


class Record(NamedTuple):
    """A row of the table. A named tuple, because each call makes some.

    Args:
        data: the sealed value, or the manifest of a value that is too large for one row.
        rev, prev: the revision, and the tokens before it (`revision.py`).
        expires: epoch seconds, None for never. DynamoDB's TTL needs a whole number.
        name: a cache entry's key in clear, if the row's key is its hash.
        promoted: copies of session keys, for indexes.
        chunk_count: the number of chunks that a manifest names, else 0. At most one more than the
            schema's `max_chunks`.
        early: for caches, the milliseconds by which `expires` was rounded up.
        pending: what the session's next request has to repeat (`sessions/ending.py`), else "".
        ends_at: when options `max_age` and `created_after` end the session, in epoch seconds. Not
            stored: it follows from the start, which is in `rev`, and from the options.
    """

    key: Key
    data: bytes
    rev: bytes
    prev: bytes = b""
    expires: int | None = None
    name: str | None = None
    promoted: Mapping[str, Attribute] = MappingProxyType({})
    chunk_count: int = 0
    early: int = 0
    pending: str = ""
    ends_at: float | None = None

    def __repr__(self) -> str:
        """Return a text without what the application has stored."""
        return f"Record({self.key!r}, rev={self.rev!r}, prev={self.prev!r}, expires={self.expires})"

    @property
    def expires_exactly(self) -> float | None:
        """The expiry in epoch seconds, to the millisecond; None for never."""
        return None if self.expires is None else self.expires - self.early / _SECOND

    def is_live(self, now: float) -> bool:
        """Return whether the row has not expired at *now* (epoch seconds)."""
        if self.ends_at is not None and self.ends_at <= now:
            return False
        return self.expires is None or self.expires - self.early / _SECOND > now

    @property
    def is_tombstone(self) -> bool:
        """Return whether the session was deleted, or goes on under another id."""
        return self.data[:2] in _TOMBSTONES

    @property
    def is_rotated(self) -> bool:
        """Return whether the row is the tombstone of a rotation: the session has another id."""
        return self.data[:2] == bytes((FORMAT, ROTATED))

    @property
    def birth(self) -> bytes:
        """What tells sessions apart that had one id after another."""
        return get_birth(self.rev)

    @property
    def start(self) -> int | None:
        """When the session began, in epoch seconds; None if the row does not say it."""
        return get_start(self.rev)

    def advance_rev(self, token: bytes, start: float | None = None) -> tuple[bytes, bytes]:
        """Return `rev` and `prev` for a write of new data over this row, which drew *token*.

        Args: *start* is another start of the session than the row's.
        """
        born, last = self.rev[:BORN_SIZE], self.rev[BORN_SIZE : BORN_SIZE + SHORT_TOKEN]
        rev = born + token if start is None else make_rev(get_birth(self.rev), token, start)
        return rev, (last + self.prev)[:PREV_SIZE]

    def has_token(self, token: bytes) -> bool:
        """Return whether the write that drew *token* made this row, or one that it replaced."""
        return get_token(self.rev) == token or shorten(token) in self.list_previous_tokens()

    def list_previous_tokens(self) -> tuple[bytes, ...]:
        """Return the beginnings of the tokens of the last writes before, the latest first."""
        prev, size = self.prev, SHORT_TOKEN
        return tuple(prev[at : at + size] for at in range(0, len(prev), size))

    def count_other_bytes(self, schema: Schema) -> int:
        """Return the bytes of the row without its data, as DynamoDB counts them.

        A number may be counted too large, never too small (AWS, "DynamoDB item sizes and formats").
        """
        size = _NAMES + REV_SIZE + len(self.key.hash) + len(self.key.range or "")
        size += schema.key_names
        if self.prev:
            size += len("prev") + len(self.prev)
        if self.expires is not None:
            size += len(schema.ttl) + _EXPIRES_BYTES
        if self.early:
            size += len("early") + _EARLY_BYTES
        if self.name is not None:
            size += len("cache_key") + _count_bytes(self.name)
        if self.pending:
            size += len("pending") + _count_bytes(self.pending)
        if self.promoted:
            size += sum(_count_bytes(n) + _count_bytes(v) for n, v in self.promoted.items())
        return size

    def to_attributes(self, schema: Schema) -> dict[str, Attribute]:
        """Return all attributes but the key; those that are None or empty are left out."""
        attributes: dict[str, Attribute] = {"data": self.data, "rev": self.rev}
        if self.prev:
            attributes["prev"] = self.prev
        if self.expires is not None:
            attributes[schema.ttl] = self.expires
        if self.early:
            attributes["early"] = self.early
        if self.name is not None:
            attributes["cache_key"] = self.name
        if self.pending:
            attributes["pending"] = self.pending
        return attributes | dict(self.promoted)


def _count_bytes(value: Attribute) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(str(value)) // 2 + 2


def compute_end(rev: bytes, schema: Schema) -> float | None:
    """Return when the options end a session, in epoch seconds; None if they do not.

    A session whose start is unknown counts as begun before every `created_after`.
    """
    start = get_start(rev)
    if schema.created_after is not None and (start is None or start < schema.created_after):
        return 0.0
    return None if start is None or schema.max_age is None else start + schema.max_age


def compute_expiry(
    now: float, lifetime: float | None, start: float | None, max_age: float | None
) -> float | None:
    """Return when a session's row expires: after its lifetime, or at its longest age if earlier.

    Args: *lifetime* and *max_age* in seconds, None for ever; *start* in epoch seconds.
    Returns epoch seconds, None for never.
    """
    limits = [] if lifetime is None else [now + lifetime]
    if max_age is not None:
        limits.append((now if start is None else start) + max_age)
    return min(limits, default=None)


def promote(
    values: Mapping[str, object], schema: Schema
) -> tuple[dict[str, Attribute], tuple[str, ...]]:
    """Return a session's special keys as attributes, and the names of those that cannot be one.

    Such a key is absent from the session, or its value cannot be the key of an index.
    """
    found = {name: _to_index_key(values.get(name), kind) for name, kind in schema.special}
    promoted = {name: value for name, value in found.items() if value is not None}
    return promoted, tuple(name for name in found if name not in promoted)


def _to_index_key(given: object, kind: str) -> Attribute | None:
    """Return a session's value as the key of an index of that type; None if it cannot be one."""
    value = _to_plain(given)
    if kind == "N":
        return _to_number(value) if isinstance(value, (int, float, Decimal)) else None
    if kind == "S" and isinstance(value, int):
        value = None if _to_number(value) is None else str(value)
    if not isinstance(value, bytes if kind == "B" else str) or not value:
        return None
    try:
        size = len(value.encode() if isinstance(value, str) else value)
    except UnicodeEncodeError:  # a lone surrogate: DynamoDB would store another text
        return None
    return value if size <= MAX_INDEX_KEY else None


def _to_plain(value: object) -> str | bytes | int | float | Decimal | None:
    """Return a value as plain text, bytes or number; None if it is none of these.

    The value may be of a class of the application, whose code could raise or lie. None of it is
    run: the type is taken by `type()`, because `isinstance` asks the value.
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


def _to_number(value: float | Decimal) -> Decimal | None:
    """Return a number as DynamoDB stores it, 38 digits from 1E-130 to 9.9E+125 (AWS: Numbers).

    None if it would be rounded, or is no number.
    """
    try:
        number = Decimal(str(value))
    except (ValueError, InvalidOperation):  # too many digits for Python, or no number
        return None
    # Checked first, because `normalize` raises for a number beyond the context's range.
    if not is_in_range(number):
        return None
    if number.is_zero():
        return Decimal(0)  # whatever its exponent was
    if len(number.as_tuple().digits) <= _MAX_DIGITS:
        return number
    # It fits without the zeros at its end, or not at all. They have to go: DynamoDB takes minutes
    # to read them.
    plain = number.normalize(_WIDE)
    is_short = len(plain.as_tuple().digits) <= _MAX_DIGITS
    return plain if is_short and plain == number else None


def is_in_range(number: Decimal) -> bool:
    """Return whether a number is finite and within DynamoDB's range, with any number of digits."""
    if not number.is_finite():
        return False
    return _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT or number.is_zero()


def from_attributes(key: Key, item: Mapping[str, object], schema: Schema) -> Record:
    """Return the row that is stored under *key* as these attributes.

    Raises: CorruptItem, if a required attribute is missing, or one is of another type.
    """
    data, rev, prev = item.get("data"), item.get("rev"), item.get("prev", b"")
    expires, name = item.get(schema.ttl), item.get("cache_key")
    if not isinstance(data, bytes) or not isinstance(rev, bytes) or not isinstance(prev, bytes):
        raise CorruptItem(digest(key.hash), "an attribute is missing or of another type")
    if len(rev) != REV_SIZE or len(prev) not in _PREV_SIZES:
        raise CorruptItem(digest(key.hash), "its revision is of another length")
    if not isinstance(expires, (int, Decimal, NoneType)) or isinstance(expires, bool):
        raise CorruptItem(digest(key.hash), "its expiry is not a number")
    if not isinstance(name, (str, NoneType)):
        raise CorruptItem(digest(key.hash), "an attribute is of another type")
    if isinstance(expires, Decimal) and not expires.is_finite():
        raise CorruptItem(digest(key.hash), "its expiry is not a number")
    early = item.get("early", 0)
    if not _is_number(early) or not 0 <= early < _SECOND:
        raise CorruptItem(digest(key.hash), "it expires early by more than a second")
    # Bounded before it becomes an int: 10^125 would have 126 digits in every sum and text.
    until = None if expires is None else math.ceil(min(max(expires, 0), MAX_EXPIRES))
    promoted = read_promoted(item, schema) if schema.special else {}
    chunks = count_chunks(data, schema.max_chunks) if data[2:3] == _MANIFEST_FLAGS else 0
    ends_at = None
    if schema.max_age is not None or schema.created_after is not None:
        is_tombstone = data[:2] in _TOMBSTONES  # the end of a session must stay known
        ends_at = None if is_tombstone else compute_end(rev, schema)
    pending = item.get("pending", "")
    if not isinstance(pending, str) or len(pending) > MAX_PENDING:
        pending = ""  # not worth a user's session
    return Record(key, data, rev, prev, until, name, promoted, chunks, int(early), pending, ends_at)


def read_promoted(item: Mapping[str, object], schema: Schema) -> dict[str, Attribute]:
    """Return the promoted session keys among a row's attributes, but none of another type.

    A number is a Decimal again: an int of a session may be the text of an index, and this may not.
    """
    found = ((name, item.get(name)) for name, _ in schema.special)
    numbers = ((name, Decimal(value) if _is_number(value) else value) for name, value in found)
    return {name: value for name, value in numbers if isinstance(value, (str, bytes, Decimal))}


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    """Recognize a number as a row is read: an int, or a Decimal if it may be no whole number."""
    return type(value) is int or isinstance(value, Decimal)
