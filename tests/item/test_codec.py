"""A sealed value opens unchanged, compressed if that is smaller; rows of older releases open."""

from __future__ import annotations

import base64
import binascii
import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.codec import (
    BASE64,
    COMPRESSED,
    CUSTOM,
    JSON,
    PICKLE,
    SESSION,
    TEXT,
    VALUE,
    Codec,
    EncryptionContext,
    undo_base64,
)
from beaker_dynamodb.item.keys import Key
from tests.revisions import make_rev

STREAM = zlib.compress(b"a" * 99)
LAW = settings(max_examples=100, derandomize=True, deadline=None)

MB = 1024 * 1024
ID = "6f1ed002ab5595859014ebf0951522d9"
CONTEXT = EncryptionContext(Key(f"sess:{ID}"), make_rev("b.t"), 1000)
PLAIN = Codec(SESSION)

in_base64 = st.binary(max_size=200).map(base64.b64encode)
values = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=60).map(str.encode),
    in_base64,
    in_base64.map(lambda text: text + b"\n"),
    in_base64.map(lambda text: text.rstrip(b"=")),
    st.binary(min_size=1, max_size=20).map(lambda block: block * 50),
)


@LAW
@given(values, st.sampled_from([SESSION, VALUE]), st.booleans(), st.booleans())
def test_a_value_is_read_as_it_was_written(
    value: bytes, kind: int, compress: bool, fast: bool
) -> None:
    """Open undoes seal for any bytes: base64 or not, long or short, compressed or not."""
    sealed = Codec(kind, compress=compress, fast=fast).seal(value, CONTEXT)

    assert Codec(kind, compress=compress).open(sealed, CONTEXT) == value
    assert Codec(kind, compress=not compress).open(sealed, CONTEXT) == value


def test_what_was_compressed_fast_is_a_zlib_stream_like_any_other() -> None:
    """Servers without ISA-L can read it."""
    value = b"".join(b"%d green mugs, " % number for number in range(500))
    slow, fast = (Codec(VALUE, fast=by).seal(value, CONTEXT) for by in (False, True))

    assert slow[:4] == fast[:4] == bytes((1, VALUE, COMPRESSED, TEXT))
    assert slow != fast
    assert zlib.decompress(fast[8:]) == value


def test_a_json_session_is_not_compressed_twice() -> None:
    """Beaker has done it; a session that is not compressed yet is."""
    plain = b'{"user": "ann"}' * 100
    flags = [
        Codec(SESSION).seal(base64.b64encode(raw), CONTEXT)[2]
        for raw in (zlib.compress(plain, 1), plain)
    ]

    assert flags == [BASE64, BASE64 | COMPRESSED]


@LAW
@given(values)
def test_base64_is_undone_only_where_it_round_trips(value: bytes) -> None:
    """Base64 that would be encoded differently is stored as text."""
    raw = undo_base64(value)

    assert raw is None or base64.b64encode(raw) == value
    assert undo_base64(base64.b64encode(value)) == value


def round_trip(text: bytes) -> bytes | None:
    """Undo base64 slowly: encode all of it again, and compare."""
    try:
        raw = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == text else None


@pytest.mark.parametrize("length", range(9))
def test_the_short_look_at_base64_misses_nothing(length: int) -> None:
    """Every text of a small alphabet: bits to spare, padding in the middle, line ends, garbage."""
    alphabet = b"AQ=\n" if length > 6 else b"AQz=/\n-"
    for letters in itertools.product(alphabet, repeat=length):
        text = bytes(letters)
        assert undo_base64(text) == round_trip(text), text


def test_a_session_is_stored_raw_and_compressed_only_where_that_is_smaller() -> None:
    """No base64 is stored, and zlib only if it is smaller."""
    noise = bytes(range(256))
    long = b"\x80\x02}q\x00" + b"a" * 1000
    noisy, short = (PLAIN.seal(base64.b64encode(raw), CONTEXT) for raw in (noise, long))

    assert (noisy[2], len(noisy)) == (BASE64, 8 + len(noise))
    assert short[2] == BASE64 | COMPRESSED
    assert len(short) < 50
    assert Codec(SESSION, compress=False).seal(base64.b64encode(long), CONTEXT)[2] == BASE64
    assert Codec(VALUE).seal(base64.b64encode(noise), CONTEXT)[2] & BASE64 == 0


LONG = base64.b64encode(b"\x80\x02}q\x00" + b"a" * 1000)
#: Rows of format 1 as a release has written them: read for ever. Never change one; add.
GOLDEN = {
    "a plain text": (SESSION, TEXT, b"hello, world", "015300005949e0da68656c6c6f2c20776f726c64"),
    "an empty text": (SESSION, TEXT, b"", "01530400936eed94"),
    "base64 undone": (
        SESSION,
        TEXT,
        base64.b64encode(b"\x80\x02}q\x00."),
        "01530400b71d405080027d71002e",
    ),
    "compressed": (
        SESSION,
        TEXT,
        b"a" * 1000,
        "015305005404150c789ccb5c362b73148da2918100bddf9f1a",
    ),
    "base64 undone and compressed": (
        SESSION,
        TEXT,
        LONG,
        "0153050024671970789c6b60aa2d64481c05a360140c7b00009c987c68",
    ),
    "a pickled cache value": (VALUE, PICKLE, b"\x80\x04K\x05.", "015600014a8d956780044b052e"),
    "a JSON cache value": (VALUE, JSON, b'{"a": 1}', "01560002c00ee41f7b2261223a20317d"),
    "a cache value of its own": (VALUE, CUSTOM, b"custom", "0156000378ae9611637573746f6d"),
}


@pytest.mark.parametrize(("kind", "serializer", "value", "sealed"), GOLDEN.values(), ids=GOLDEN)
def test_rows_of_older_releases_open(kind: int, serializer: int, value: bytes, sealed: str) -> None:
    """Golden bytes of format 1 open for ever, whatever this release writes."""
    data = bytes.fromhex(sealed)

    assert Codec(kind, serializer).open(data, CONTEXT) == value
    assert Codec(kind, serializer, compress=False).open(data, CONTEXT) == value
