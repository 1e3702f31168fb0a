"""Rows that are cut, altered, of another release or another kind: one of our errors, or absent."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Iterator

import pytest

from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, UnknownFormat
from beaker_dynamodb.item.chunks import split
from beaker_dynamodb.item.codec import (
    COMPRESSED,
    CUSTOM,
    DICTIONARY,
    FORMAT,
    JSON,
    PICKLE,
    SESSION,
    TEXT,
    VALUE,
    Codec,
    deflate,
)
from tests.item.test_codec import CONTEXT, ID, PLAIN


def outcome(codec: Codec, data: bytes) -> bytes | DynamoDBBackendError | None:
    """Open a row; hand on the value or the error, and let anything but ours fly."""
    try:
        return codec.open(data, CONTEXT)
    except DynamoDBBackendError as error:
        return error


def truncate(sealed: bytes) -> Iterator[bytes]:
    """Yield every truncation of a row, and the row with something after it."""
    yield from (sealed[:length] for length in range(len(sealed)))
    yield from (sealed + b"\0", sealed + sealed)


def alter_each_byte(sealed: bytes) -> Iterator[bytes]:
    """Yield a row once for every other value of every byte."""
    for place in range(len(sealed)):
        for flip in range(1, 256):
            yield sealed[:place] + bytes((sealed[place] ^ flip,)) + sealed[place + 1 :]


SEALED = {
    "plain": b"hello, world",
    "base64 undone": base64.b64encode(pickle.dumps({"user": "joe"}, 2)),
    "compressed": b"a" * 1100,
    "base64 undone and compressed": base64.b64encode(pickle.dumps({"user": "a" * 1100}, 2)),
}


@pytest.mark.parametrize("value", SEALED.values(), ids=SEALED)
def test_a_truncated_row_is_corrupt(value: bytes) -> None:
    """Every truncation is CorruptItem, never a wrong session and never another exception."""
    for spoiled in truncate(PLAIN.seal(value, CONTEXT)):
        assert isinstance(outcome(PLAIN, spoiled), CorruptItem)


@pytest.mark.parametrize("value", SEALED.values(), ids=SEALED)
def test_a_bit_that_flips_in_the_payload_makes_a_row_corrupt(value: bytes) -> None:
    """Every other value of every byte of the payload or its checksum is CorruptItem."""
    sealed = PLAIN.seal(value, CONTEXT)

    for spoiled in alter_each_byte(sealed):
        if spoiled[:4] == sealed[:4]:
            assert isinstance(outcome(PLAIN, spoiled), CorruptItem)


@pytest.mark.parametrize(
    ("stream", "wrong"),
    [
        (deflate(b"a" * 99)[:-1], "incomplete or too long"),
        (deflate(b"a" * 99) + b"\0", "incomplete or too long"),
        (b"no stream at all", "cannot be decompressed"),
    ],
    ids=["cut", "followed by more", "garbage"],
)
def test_a_stream_that_does_not_end_with_the_row_is_corrupt(stream: bytes, wrong: str) -> None:
    """Even with a correct checksum, which an attacker could compute."""
    header = bytes((FORMAT, SESSION, COMPRESSED, TEXT))

    found = outcome(PLAIN, header + zlib.crc32(header + stream).to_bytes(4, "big") + stream)

    assert isinstance(found, CorruptItem)
    assert wrong in str(found)
    assert found.item == CONTEXT.item


@pytest.mark.parametrize("version", [0, 2, 3, 128, 255])
def test_a_row_of_a_newer_release_is_not_corrupt(version: int) -> None:
    """An unknown version is UnknownFormat: it must not log anybody out, and is never guessed at."""
    sealed = bytes((version,)) + PLAIN.seal(b"hello", CONTEXT)[1:]

    with pytest.raises(UnknownFormat) as caught:
        PLAIN.open(sealed, CONTEXT)

    assert f"format {version}" in str(caught.value)


@pytest.mark.parametrize("value", [b"a" * 100, b"a" * 2000], ids=["plain", "compressed"])
@pytest.mark.parametrize("flag", [8, *range(32, 256, 16)])
def test_a_row_with_flags_of_a_newer_release_is_not_corrupt(flag: int, value: bytes) -> None:
    """An unknown flag or dictionary is UnknownFormat, beside known ones too."""
    sealed = bytearray(PLAIN.seal(value, CONTEXT))
    sealed[2] |= flag

    with pytest.raises(UnknownFormat):
        PLAIN.open(bytes(sealed), CONTEXT)


def test_a_dictionary_without_compression_is_of_a_newer_release() -> None:
    """No release writes that today; a later one may give it a meaning."""
    sealed = bytearray(PLAIN.seal(b"a" * 100, CONTEXT))
    sealed[2] |= DICTIONARY

    with pytest.raises(UnknownFormat):
        PLAIN.open(bytes(sealed), CONTEXT)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (Codec(VALUE), Codec(SESSION)),
        (Codec(SESSION), Codec(VALUE)),
        (Codec(VALUE, PICKLE), Codec(VALUE, JSON)),
        (Codec(VALUE, JSON), Codec(VALUE, PICKLE)),
        (Codec(VALUE, CUSTOM), Codec(VALUE, PICKLE)),
        (Codec(VALUE, PICKLE), Codec(SESSION, TEXT)),
    ],
)
def test_a_row_never_chooses_what_reads_it(written: Codec, read: Codec) -> None:
    """A row of another kind, or of another serializer, is absent: it is never opened."""
    sealed = written.seal(b"\x80\x04K\x05.", CONTEXT)

    assert read.open(sealed, CONTEXT) is None


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x01S\0\0", b"\0" * 8, b"\xff" * 100, b"garbage!"]
)
def test_garbage_in_a_row_is_one_of_our_errors(data: bytes) -> None:
    """It raises CorruptItem or UnknownFormat."""
    assert isinstance(outcome(PLAIN, data), (CorruptItem, UnknownFormat))


FLIPPED = bytearray(PLAIN.seal(b"hello", CONTEXT))
FLIPPED[-1] ^= 1


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"\x01S\0\0", "the data is shorter than its header"),
        (split(PLAIN.seal(b"hello", CONTEXT))[0], "its chunks are missing"),
        (bytes(FLIPPED), "its checksum is wrong"),
    ],
)
def test_the_error_says_what_is_wrong_with_a_row(data: bytes, wrong: str) -> None:
    """And which row it is, by its digest."""
    with pytest.raises(CorruptItem) as caught:
        PLAIN.open(data, CONTEXT)

    assert str(caught.value) == str(CorruptItem(CONTEXT.item, wrong))
    assert caught.value.item == CONTEXT.item


def test_no_error_shows_an_id_or_a_payload() -> None:
    """The errors of open and seal hold neither, in text, repr and arguments."""
    secret = b"top-secret-word " * 20
    sealed = PLAIN.seal(secret, CONTEXT)
    broken = bytearray(Codec(SESSION, compress=False).seal(secret, CONTEXT))
    broken[2] |= COMPRESSED
    small = Codec(SESSION, max_size=10)
    found = [
        outcome(PLAIN, data) for data in (*truncate(sealed), b"\2" + sealed[1:], bytes(broken))
    ]
    found += [outcome(small, sealed)]

    for error in found:
        assert isinstance(error, DynamoDBBackendError)
        said = json.dumps([str(error), repr(error), repr(error.args), repr(error.__dict__)])
        assert "secret" not in said
        assert ID not in said
        assert error.__context__ is None
