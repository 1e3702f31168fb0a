"""Bytes to pieces under 400 KB, and back. The head is the commit: it names count and digest.

Pieces are cut from what is sealed already, so encryption covers them; they are named after the
revision, so a head never finds another write's pieces under its names.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.item.codec import FORMAT, PIECES

#: How many bytes of data one row takes: DynamoDB's limit of 409,600 counts keys, names and the
#: other attributes too (AWS: Constraints, "Item size").
MOST_IN_A_ROW: Final = 390 * 1024
_ITEM_LIMIT: Final = 409_600
_HEAD: Final = struct.Struct(">BBBBI32s")
#: What sealing adds to a value at most: the header, a key id, a nonce and a tag.
_MAX_SEAL: Final = 64


@dataclass(frozen=True, slots=True)
class Cut:
    """A sealed value in pieces, and the head that stands for it."""

    head: bytes
    pieces: tuple[bytes, ...] = field(repr=False)


def room_for_data(others: int) -> int:
    """Say how many bytes of data fit beside *others* bytes of keys, names and attributes."""
    return min(MOST_IN_A_ROW, _ITEM_LIMIT - others)


def cut(sealed: bytes) -> Cut:
    """Cut a sealed value; every piece but the last is as large as a row takes."""
    pieces = tuple(
        sealed[start : start + MOST_IN_A_ROW] for start in range(0, len(sealed), MOST_IN_A_ROW)
    )
    kind, serializer = sealed[1], sealed[3]
    digest = hashlib.sha256(sealed).digest()
    return Cut(_HEAD.pack(FORMAT, kind, PIECES, serializer, len(pieces), digest), pieces)


def max_chunks(max_value_size: int) -> int:
    """Return how many pieces a value of at most *max_value_size* bytes can have."""
    return (max_value_size + _MAX_SEAL) // MOST_IN_A_ROW + 1


def count(data: bytes, most: int) -> int:
    """Read how many pieces a row's data stands for; 0 if it holds the value itself.

    Whoever writes the table can claim four billion, and every reader, cleaner and operator's
    command goes by this number. So a claim of more than *most* is read as *most* and one: too
    many to be read, and not too many to be deleted.
    """
    is_head = len(data) == _HEAD.size and data[0] == FORMAT and data[2] == PIECES
    return min(int(_HEAD.unpack(data)[4]), most + 1) if is_head else 0


def joined(head: bytes, pieces: tuple[bytes, ...]) -> bytes | None:
    """Join pieces; None where they are not the ones that the head stands for."""
    sealed = b"".join(pieces)
    return sealed if hashlib.sha256(sealed).digest() == _HEAD.unpack(head)[5] else None
