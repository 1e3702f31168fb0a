"""A large value is split into chunks, and joined again whole or not at all."""

from __future__ import annotations

import pytest

from beaker_dynamodb.errors import CorruptItem
from beaker_dynamodb.item.chunks import (
    MAX_ROW_DATA,
    compute_max_chunks,
    compute_max_data,
    count_chunks,
    join,
    split,
)
from beaker_dynamodb.item.codec import CHUNKS, SESSION, VALUE, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from tests.revisions import make_rev

ITEM_LIMIT = 409_600
CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 1000)


@pytest.mark.parametrize(
    ("size", "number"),
    [
        (1, 1),
        (MAX_ROW_DATA - 1, 1),
        (MAX_ROW_DATA, 1),
        (MAX_ROW_DATA + 1, 2),
        (2 * MAX_ROW_DATA, 2),
        (2 * MAX_ROW_DATA + 1, 3),
    ],
)
@pytest.mark.parametrize("kind", [SESSION, VALUE])
def test_a_large_value_is_the_same_after_split_and_join(kind: int, size: int, number: int) -> None:
    """The manifest holds the kind, the flag and the number of chunks, in 40 bytes."""
    sealed = bytes((1, kind, 0, 0)) + b"0123456789a" * (size // 11 + 1)
    sealed = sealed[: max(size, 4)]
    manifest, chunks = split(sealed)

    assert len(chunks) == count_chunks(manifest, 9) == number
    assert max(map(len, chunks)) <= MAX_ROW_DATA
    assert join(manifest, chunks) == sealed
    assert (manifest[1], manifest[2], len(manifest)) == (kind, CHUNKS, 40)


def test_chunks_of_another_write_are_never_joined() -> None:
    """A chunk that is missing, altered, swapped or of another value gives None."""
    sealed = b"\x01S\0\0" + b"a" * MAX_ROW_DATA + b"b" * MAX_ROW_DATA
    manifest, parts = split(sealed)
    first, second, third = map(bytes, parts)

    for spoiled in (
        [],
        [first, second],
        [second, first, third],
        [first, second, third + b"\0"],
        [first, second, third[:-1]],
        list(map(bytes, split(sealed.replace(b"a", b"c"))[1])),
    ):
        assert join(manifest, spoiled) is None


def test_a_row_that_holds_its_value_is_no_manifest() -> None:
    """A manifest has an exact length, format and flag; nothing that the codec seals has."""
    manifest, _ = split(b"\x01S\0\0" + b"a" * 100)

    assert count_chunks(manifest, 9) == 1
    for data in (
        b"",
        manifest[:-1],
        manifest + b"\0",
        b"\x02" + manifest[1:],
        manifest[:2] + b"\x09" + manifest[3:],
    ):
        assert count_chunks(data, 9) == 0
    for size in range(64):
        assert count_chunks(Codec(SESSION).seal(b"x" * size, CONTEXT), 9) == 0


@pytest.mark.parametrize(
    ("claimed", "counted"), [(0, 0), (1, 1), (9, 9), (10, 10), (11, 10), (2**32 - 1, 10)]
)
def test_a_manifest_cannot_claim_billions_of_chunks(claimed: int, counted: int) -> None:
    """One more than the maximum is counted: too many to be read, and few enough to be deleted."""
    manifest, _ = split(b"\x01S\0\0abc")

    assert count_chunks(manifest[:4] + claimed.to_bytes(4, "big") + manifest[8:], 9) == counted


def test_a_value_of_the_maximum_has_the_maximum_of_chunks() -> None:
    """Encrypted it is longer by a header, a key id, a nonce and a tag."""
    most = 2 * MAX_ROW_DATA
    codec = Codec(VALUE, keys=(bytes(32),), max_size=most, compress=False, random_bytes=bytes)

    manifest, chunks = split(codec.seal(b"x" * most, CONTEXT))
    assert len(chunks) == count_chunks(manifest, 99) == compute_max_chunks(most) == 3
    assert compute_max_chunks(most - 64) == 3
    assert compute_max_chunks(most - 65) == 2


def test_a_manifest_without_its_chunks_is_corrupt() -> None:
    """The codec does not take a manifest for a value."""
    with pytest.raises(CorruptItem):
        Codec(SESSION).open(split(b"\x01S\0\0abc")[0], CONTEXT)


@pytest.mark.parametrize("others", [0, 512, 10_000, 10_240, 10_241, 100_000])
def test_other_attributes_leave_less_room_for_data(others: int) -> None:
    """Data and everything else together stay below DynamoDB's 400 KB."""
    assert compute_max_data(others) == min(MAX_ROW_DATA, ITEM_LIMIT - 512 - others)
    assert compute_max_data(others) + others <= ITEM_LIMIT
