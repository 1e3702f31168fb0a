"""A sealed value opens unchanged, compressed if that is smaller; rows of older releases open."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import pickle
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.errors import CorruptItem, ItemTooLarge
from beaker_dynamodb.item.codec import (
    BASE64,
    COMPRESSED,
    CUSTOM,
    DICTIONARY,
    JSON,
    PICKLE,
    SESSION,
    TEXT,
    VALUE,
    Codec,
    EncryptionContext,
    deflate,
    encode_base64,
    inflate,
    inflate_fast,
    inflates_beyond,
    is_zlib,
    make_decoder,
    undo_base64,
)
from beaker_dynamodb.item.dictionary import DICTIONARIES, NEWEST
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


def test_what_was_compressed_fast_is_a_deflate_stream_like_any_other() -> None:
    """Servers without ISA-L can read it."""
    value = b"".join(b"%d green mugs, " % number for number in range(500))
    slow, fast = (Codec(VALUE, fast=by).seal(value, CONTEXT) for by in (False, True))

    assert slow[:4] == fast[:4] == bytes((1, VALUE, COMPRESSED, TEXT))
    assert slow != fast
    assert zlib.decompress(fast[8:], -15) == value
    assert {
        Codec(VALUE, fast=by).open(one, CONTEXT) for by in (False, True) for one in (slow, fast)
    } == {value}


@LAW
@given(values, st.binary(max_size=20), st.integers(0, 300), st.integers(0, 3000))
def test_what_is_decompressed_fast_is_what_zlib_decompresses(
    value: bytes, more: bytes, cut: int, max_size: int
) -> None:
    """The same bytes, and nothing if the stream is cut off, too long, too large or garbage."""
    dictionary = DICTIONARIES[NEWEST]
    stream = deflate(value, dictionary)

    for data in (stream, stream[:cut], stream + more, more):
        try:
            expected = inflate(data, max_size, -15, dictionary)
        except zlib.error:
            expected = None
        assert inflate_fast(data, max_size, dictionary) == expected


@pytest.mark.parametrize(("end", "damage"), [(-3, b""), (None, b"\xff")])
def test_a_stream_that_ends_too_early_or_too_late_is_corrupt_for_the_fast_codec(
    end: int | None, damage: bytes
) -> None:
    """As for the other one, with the same error."""
    codec = Codec(VALUE, fast=True)
    sealed = codec.seal(b"x" * 5000, CONTEXT)
    payload = sealed[8:end] + damage
    header = sealed[:4]
    sealed = header + zlib.crc32(payload, zlib.crc32(header)).to_bytes(4, "big") + payload

    with pytest.raises(CorruptItem, match="cannot be decompressed"):
        codec.open(sealed, CONTEXT)


def test_a_short_session_is_compressed_in_little_memory() -> None:
    """The largest window takes 256 KB, which malloc would fetch and return for each save."""
    value = b"".join(b"name%d=%d;" % (i, i * i) for i in range(100))
    tracemalloc.start()
    try:
        deflate(value, DICTIONARIES[NEWEST])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100 * 1024


@pytest.mark.parametrize("fast", [False, True])
def test_the_window_holds_all_of_the_dictionary_and_the_value(fast: bool) -> None:
    """A value that repeats the dictionary from its beginning is a few references to it."""
    dictionary = random.Random(1).randbytes(3000)

    assert len(deflate(dictionary, dictionary, fast=fast)) < 200


def test_a_bomb_costs_no_memory() -> None:
    """Neither inflater makes more bytes than one above the maximum."""
    bomb = deflate(b"x" * (64 * MB), DICTIONARIES[NEWEST])

    for inflate_bomb in (inflate_fast, lambda data, size, words: inflate(data, size, -15, words)):
        tracemalloc.start()
        try:
            assert inflate_bomb(bomb, MB, DICTIONARIES[NEWEST]) is None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * MB


@pytest.mark.parametrize(("spare", "is_compressed"), [(0, True), (1, False)])
def test_a_row_that_just_saves_a_write_unit_is_compressed(spare: int, is_compressed: bool) -> None:
    """Up to the last byte of the unit before."""
    value = random.Random(1).randbytes(1000) + b"a" * 200
    codec = Codec(VALUE)
    beside = 2048 - len(codec.seal(value, CONTEXT, 2000))

    sealed = codec.seal(value, CONTEXT, beside + spare)
    assert bool(sealed[2] & COMPRESSED) is is_compressed


def test_a_bomb_of_many_blocks_is_found() -> None:
    """Whichever block it goes off in, and if the block before reaches the limit exactly."""
    noise, block = random.Random(1).randbytes(300_000), 1 << 16
    raw = zlib.compress(noise + b"x" * MB)
    first = len(zlib.decompressobj().decompress(raw[:block]))

    for limit in (1000, first - 1, first, first + 1, len(noise), len(noise) + MB - 1):
        assert inflates_beyond(raw, limit)
    assert not inflates_beyond(raw, len(noise) + MB)
    assert not inflates_beyond(raw + raw, len(noise) + MB)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        *((zlib.compress(b"x", level), True) for level in (0, 1, 6, 9)),
        (b"\x78\x31 text", False),
        (b"\x75\x9c", False),
        (b"\x78", False),
        (b"", False),
    ],
)
def test_a_zlib_stream_is_recognized_by_its_header(raw: bytes, expected: bool) -> None:
    """A text that begins with an x is none."""
    assert is_zlib(raw) is expected


def test_a_cache_may_hold_a_value_that_is_compressed_already() -> None:
    """Only a session is inflated by Beaker when it is opened."""
    raw, codec = zlib.compress(b"x" * (64 * MB)), Codec(VALUE, max_size=MB)

    for value in (raw, base64.b64encode(raw)):
        assert codec.open(codec.seal(value, CONTEXT), CONTEXT) == value


def test_a_session_of_exactly_the_maximum_must_not_inflate_beyond_it() -> None:
    """The limit is for the text and for what is in it."""
    text = base64.b64encode(zlib.compress(b"x" * MB))
    codec = Codec(SESSION, max_size=len(text))

    with pytest.raises(ItemTooLarge) as caught:
        codec.seal(text, CONTEXT)
    assert str(caught.value) == str(ItemTooLarge(len(text) + 1, len(text), item=CONTEXT.item))


@pytest.mark.parametrize("fast", [False, True])
def test_the_error_of_a_value_too_large_names_its_row(fast: bool) -> None:
    """How large it is cannot be known; one byte too many is enough."""
    sealed = Codec(VALUE).seal(b"x" * 5000, CONTEXT)

    with pytest.raises(ItemTooLarge) as caught:
        Codec(VALUE, fast=fast, max_size=1000).open(sealed, CONTEXT)

    assert str(caught.value) == str(ItemTooLarge(1001, 1000, item=CONTEXT.item))


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


def test_a_session_is_stored_raw_and_compressed_only_where_that_saves_a_write_unit() -> None:
    """No base64 is stored, and zlib only if DynamoDB charges less for it."""
    noise = random.Random(1).randbytes(5000)
    long = b"\x80\x02}q\x00" + b"a" * 2000
    noisy, short = (PLAIN.seal(base64.b64encode(raw), CONTEXT) for raw in (noise, long))

    assert (noisy[2], len(noisy)) == (BASE64, 8 + len(noise))
    assert short[2] == BASE64 | COMPRESSED | DICTIONARY
    assert len(short) < 50
    assert Codec(SESSION, compress=False).seal(base64.b64encode(long), CONTEXT)[2] == BASE64
    assert Codec(VALUE).seal(base64.b64encode(noise), CONTEXT)[2] & BASE64 == 0


@pytest.mark.parametrize(
    ("keys", "others", "size", "compressed"),
    [
        ((), 0, 1016, False),
        ((), 0, 1017, True),
        ((), 200, 816, False),
        ((), 200, 817, True),
        ((), 1000, 17, True),
        ((), 1016, 100, False),  # two units in any case
        ((), 5000, 1000, True),
        ((bytes(32),), 0, 980, False),
        ((bytes(32),), 0, 981, True),
    ],
)
def test_the_whole_row_counts_for_the_decision_to_compress(
    keys: tuple[bytes, ...], others: int, size: int, compressed: bool
) -> None:
    """Header, encryption, names and other attributes too: at the edge one byte more decides."""
    codec = Codec(VALUE, keys=keys, random_bytes=bytes)

    assert bool(codec.seal(b"a" * size, CONTEXT, others)[2] & COMPRESSED) is compressed


def pickle_session(size: int) -> bytes:
    """Return the text of a session as Beaker pickles it."""
    values: dict[str, object] = {
        "_domain": None,
        "_path": "/",
        "_accessed_time": 1.9e9,
        "_creation_time": 1.9e9,
    }
    values |= {"user_id": 7, "csrf_token": "a1b2" * 8, "cart": [{"sku": "x", "quantity": 2}]}
    values["note"] = random.Random(2).randbytes(size).hex()
    return base64.b64encode(pickle.dumps(values, 2))


@pytest.mark.parametrize("fast", [False, True])
def test_a_pickled_session_is_compressed_with_the_dictionary(fast: bool) -> None:
    """It takes fewer bytes than without, and ISA-L writes what zlib reads."""
    text = pickle_session(500)
    sealed = Codec(SESSION, fast=fast).seal(text, CONTEXT)
    inflater = zlib.decompressobj(-15, zdict=DICTIONARIES[1])

    assert sealed[2] == BASE64 | COMPRESSED | 1 * DICTIONARY
    assert base64.b64encode(inflater.decompress(sealed[8:])) == text
    assert PLAIN.open(sealed, CONTEXT) == text
    assert len(sealed) < len(deflate(base64.b64decode(text), fast=fast)) - 60


def test_the_dictionaries_never_change() -> None:
    """A stored session can be read with exactly the bytes that it was written with. Add, only."""
    digests = {number: hashlib.sha256(one).hexdigest() for number, one in DICTIONARIES.items()}

    assert digests == {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "e3e0cd3475aaa9c8e073542874a8a9fe9a367f784e0c109d50a56f369584d3c8",
    }
    assert NEWEST in DICTIONARIES
    assert max(DICTIONARIES) < 16


LONG = base64.b64encode(b"\x80\x02}q\x00" + b"a" * 2000)
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
        b"a" * 2000,
        "0153050047cab2e5cb5c362b73148da251348a46d1f04200",
    ),
    "base64 undone and compressed": (
        SESSION,
        TEXT,
        base64.b64encode(b"{" + b"a" * 2000),
        "0153050027f35f33ab4e1c05a360148c8251300a46c1900700",
    ),
    "base64 undone and compressed with dictionary 1": (
        SESSION,
        TEXT,
        LONG,
        "015315001a505b7a031b9c380a46c1281805a360148c82210f00",
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


def decode_strictly(text: str | bytes, *, validate: bool) -> bytes:
    """Decode as pybase64 does: what is not base64 from end to end is an error."""
    given = text.encode() if isinstance(text, str) else text
    assert validate
    raw = base64.b64decode(given, validate=True)
    if base64.b64encode(raw) != given:
        raise binascii.Error("not canonical")
    return raw


def catch_value_error(decode: Callable[[str | bytes], bytes], text: str | bytes) -> object:
    """Return the decoded bytes, or the class of the ValueError."""
    try:
        return decode(text)
    except ValueError as error:
        return type(error)


@LAW
@given(in_base64 | st.binary(max_size=20) | st.text("QUJD=- \né", max_size=9), st.integers(0, 9))
def test_the_fast_base64_decodes_what_the_standard_librarys_does(
    text: str | bytes, end: int
) -> None:
    """Also what is not base64, or only the beginning of it."""
    for part in (text, text[:end]):
        fast = catch_value_error(make_decoder(decode_strictly), part)

        assert fast == catch_value_error(binascii.a2b_base64, part)


@LAW
@given(st.binary(max_size=200))
def test_base64_is_written_without_a_line_feed(raw: bytes) -> None:
    """Whether pybase64 is installed or not."""
    assert encode_base64(raw) == base64.b64encode(raw)
