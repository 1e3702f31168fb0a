"""Split a value that is too large for one row into chunks, and join them again.

A *manifest* is stored in the place of the value. It holds the number of chunks and the SHA-256 of
the whole. A value is split after it was encrypted, so encryption covers the chunks. Their keys
hold the revision of the manifest, so no manifest finds the chunks of another write.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from beaker_dynamodb.item.codec import CHUNKS, FORMAT

#: The maximum size of a row's data in bytes. DynamoDB's limit of 409,600 counts keys, names and
#: the other attributes too (AWS: Constraints, "Item size").
MAX_ROW_DATA: Final = 390 * 1024
_ITEM_LIMIT: Final = 409_600
#: Bytes by which the other attributes may be larger than they are counted.
_MARGIN: Final = 512
#: Format, kind, flags and serializer, as in the codec's header; the number of chunks; the SHA-256.
_MANIFEST: Final = struct.Struct(">BBBBI32s")
#: The bytes that sealing adds to a value at most: the header, a key id, a nonce and a tag.
_MAX_SEAL: Final = 64


def compute_max_data(other_bytes: int) -> int:
    """Return how many bytes of data fit beside *other_bytes* of keys, names and attributes."""
    return min(MAX_ROW_DATA, _ITEM_LIMIT - _MARGIN - other_bytes)


def compute_max_chunks(max_value_size: int) -> int:
    """Return into how many chunks a value of up to *max_value_size* bytes is split at most."""
    return (max_value_size + _MAX_SEAL) // MAX_ROW_DATA + 1


def split(sealed: bytes) -> tuple[bytes, list[memoryview]]:
    """Return the manifest of a sealed value, and its chunks; each but the last fills a row.

    The chunks are views: as copies they would take the memory of the value once more.
    """
    size, view = MAX_ROW_DATA, memoryview(sealed)
    chunks = [view[start : start + size] for start in range(0, len(sealed), size)]
    kind, serializer = sealed[1], sealed[3]
    digest = hashlib.sha256(sealed).digest()
    return _MANIFEST.pack(FORMAT, kind, CHUNKS, serializer, len(chunks), digest), chunks


def join(manifest: bytes, chunks: Sequence[bytes | memoryview]) -> bytes | None:
    """Return the sealed value; None if these are not the chunks that the manifest names."""
    sealed = b"".join(chunks)
    return sealed if hashlib.sha256(sealed).digest() == _MANIFEST.unpack(manifest)[5] else None


def count_chunks(data: bytes, max_chunks: int) -> int:
    """Return the number of chunks that a row's data names; 0 if it holds the value itself.

    Anyone who can write to the table can claim four billion chunks, and every read and every delete
    would go by that number. So a larger number than *max_chunks* is returned as that and one: too
    many to be read, and few enough to be deleted.
    """
    is_manifest = len(data) == _MANIFEST.size and data[0] == FORMAT and data[2] == CHUNKS
    return min(int(_MANIFEST.unpack(data)[4]), max_chunks + 1) if is_manifest else 0
