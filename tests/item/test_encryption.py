"""An encrypted row shows no data, opens only in its own place, and only unaltered."""

from __future__ import annotations

import base64
import dataclasses
import zlib
from itertools import count

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.errors import CorruptItem, DynamoDBBackendError, ItemTooLarge, UnknownFormat
from beaker_dynamodb.item.codec import (
    BASE64,
    COMPRESSED,
    ENCRYPTED,
    PICKLE,
    SESSION,
    VALUE,
    Codec,
    EncryptionContext,
)
from beaker_dynamodb.item.keys import Key
from tests.revisions import make_rev

LAW = settings(max_examples=100, derandomize=True, deadline=None)

MB = 1024 * 1024
ID = "6f1ed002ab5595859014ebf0951522d9"
CONTEXT = EncryptionContext(Key(f"sess:{ID}", "#session"), make_rev("b.t"), 1000)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
NONCE = bytes(range(12))
SECRET = base64.b64encode(b"\x80\x02}q\x00 top-secret-word " * 3)


class Dice:
    """Draws a new nonce each time, and counts."""

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self._numbers = count()

    def __call__(self, size: int) -> bytes:
        self.drawn.append(size)
        return next(self._numbers).to_bytes(size, "big")


def codec(*keys: bytes, required: bool = True, **others: int | str | bool) -> Codec:
    """Make a codec of the sessions' table that holds *keys*."""
    default = Codec(
        SESSION, table="sessions", keys=keys, require_encryption=required, random_bytes=Dice()
    )
    return dataclasses.replace(default, **others)  # type: ignore[arg-type]


def outcome(
    reader: Codec, data: bytes, place: EncryptionContext = CONTEXT
) -> bytes | DynamoDBBackendError | None:
    """Open a row; hand on the value or the error, and let anything but ours fly."""
    try:
        return reader.open(data, place)
    except DynamoDBBackendError as error:
        return error


@LAW
@given(
    st.binary(max_size=200) | st.binary(max_size=100).map(base64.b64encode),
    st.sampled_from([SESSION, VALUE]),
    st.booleans(),
)
def test_an_encrypted_value_is_read_as_it_was_written(
    value: bytes, kind: int, compress: bool
) -> None:
    """Open undoes seal for any bytes, and the row shows no run of eight bytes of them."""
    one = codec(OLD, kind=kind, compress=compress)
    sealed = one.seal(value, CONTEXT)

    assert one.open(sealed, CONTEXT) == value
    assert sealed[2] & ENCRYPTED
    assert not any(value[at : at + 8] in sealed for at in range(len(value) - 7))


#: Rows of format 1 under the key `OLD` and the nonce `NONCE`: read for ever. Never change one.
GOLDEN = {
    "a session": (
        SESSION,
        0,
        SECRET,
        "01530600a0a8dba7a29fc020fcd3ad34000102030405060708090a0b9e3f315eb21cb355ae6d70ecb345dad90268044d57628030ca79be51a16cfb1248a560450a800660829c912decac3028f3c7a4285eb7816f72355f9a003fd2a6f64baa00ca49d8be89470dbe984e4e550eda",
    ),
    "compressed": (
        SESSION,
        0,
        b"a" * 2000,
        "0153070085f9e0dfa29fc020fcd3ad34000102030405060708090a0bd5617a04c1284a988f7489cf01c7fdad8bbe265296e248b14f62766728a86b3c",
    ),
    "a pickled cache value": (
        VALUE,
        PICKLE,
        b"\x80\x04K\x05.",
        "0156020125341757a29fc020fcd3ad34000102030405060708090a0b9e39072a9cf9b8bd9b99805ec46ef5ec9750c72967",
    ),
}


@pytest.mark.parametrize(("kind", "serializer", "value", "sealed"), GOLDEN.values(), ids=GOLDEN)
def test_encrypted_rows_of_older_releases_open(
    kind: int, serializer: int, value: bytes, sealed: str
) -> None:
    """Golden bytes of encrypted rows open for ever: key id, nonce and associated data stay."""
    reader = codec(OLD, kind=kind, serializer=serializer)

    assert reader.open(bytes.fromhex(sealed), CONTEXT) == value


def test_an_encrypted_row_is_laid_out_as_format_1_says() -> None:
    """Header, key id of 8 bytes, nonce of 12, ciphertext with a tag of 16, CRC over all of it."""
    sealed = dataclasses.replace(codec(OLD), random_bytes=lambda _: NONCE).seal(b"hello", CONTEXT)

    assert sealed[16:28] == NONCE
    assert len(sealed) == 8 + 8 + 12 + 5 + 16
    assert sealed[2] == ENCRYPTED
    assert sealed[2] & (COMPRESSED | BASE64) == 0


def test_the_key_of_a_row_is_derived_by_hkdf() -> None:
    """As another program would: HKDF-Expand with SHA-256 (RFC 5869), from table, key and birth."""
    sealed = dataclasses.replace(codec(OLD), random_bytes=lambda _: NONCE).seal(b"hello", CONTEXT)
    parts = (b"sessions", f"sess:{ID}".encode(), b"#session")
    place = b"".join(len(part).to_bytes(4, "big") for part in parts) + b"".join(parts)
    info = b"beaker_dynamodb row key" + b"b\0\0\0\0\0" + place
    key = HKDFExpand(SHA256(), 32, info).derive(OLD)
    bound = sealed[:4] + CONTEXT.rev + place + b"1000"

    assert AESGCM(key).decrypt(NONCE, sealed[28:], bound) == b"hello"


def test_a_key_that_is_no_valid_unicode_is_encoded() -> None:
    """An emulator may return one: listing its rows must not end there."""
    places = [
        CONTEXT._replace(key=Key("sess:id", tail)).encode_place("t")
        for tail in ("\ud800", "\ud801")
    ]

    assert len(set(places)) == 2


def test_no_two_rows_have_one_aes_key() -> None:
    """Nor do two sessions that have one id after another, nor one id in two tables."""
    contexts = [
        CONTEXT,
        CONTEXT._replace(rev=make_rev("c.t")),
        CONTEXT._replace(key=Key(f"sess:{ID}")),
        CONTEXT._replace(key=Key(f"sess:{ID}#session")),
        CONTEXT._replace(key=Key(f"sess:{ID}#", "session")),
        CONTEXT._replace(key=Key("sess:other", "#session")),
    ]
    keys = {
        one.derive_key(key, one.encode_place(table))
        for one in contexts
        for key in (OLD, NEW)
        for table in ("a", "b")
    }
    later = CONTEXT._replace(rev=make_rev("b.u", 1.9e9), expires=2000)

    assert len(keys) == len(contexts) * 2 * 2
    assert keys.isdisjoint({OLD, NEW})
    assert later.derive_key(OLD, b"") == CONTEXT.derive_key(OLD, b"")  # the same session


def test_each_seal_draws_one_nonce() -> None:
    """A nonce is drawn inside the seal, of 12 bytes, once each time, and never while reading."""
    dice = Dice()
    writer = dataclasses.replace(codec(OLD), random_bytes=dice)
    rows = [writer.seal(SECRET, CONTEXT) for _ in range(5)]
    drawn = list(dice.drawn)
    found = {writer.open(row, CONTEXT) for row in rows}

    assert drawn == [12] * 5
    assert dice.drawn == drawn
    assert len(set(rows)) == 5
    assert found == {SECRET}


def test_a_plain_codec_draws_nothing() -> None:
    """Without keys no random byte is asked for."""
    dice = Dice()
    dataclasses.replace(codec(), random_bytes=dice).seal(SECRET, CONTEXT)

    assert dice.drawn == []


def test_every_bit_that_flips_is_refused() -> None:
    """Every other value of every byte, every truncation: never a session, old or altered.

    One of our errors; a row whose kind or serializer is another by its header is absent.
    """
    reader = codec(OLD)
    sealed = reader.seal(SECRET, CONTEXT)

    for length in range(len(sealed)):
        assert isinstance(outcome(reader, sealed[:length]), (CorruptItem, UnknownFormat))
    for place, byte in enumerate(sealed):
        for flip in range(1, 256):
            spoiled = sealed[:place] + bytes((byte ^ flip,)) + sealed[place + 1 :]
            found = outcome(reader, spoiled)
            absent = found is None and place in {1, 3}
            assert absent or isinstance(found, (CorruptItem, UnknownFormat))


def correct_checksum(row: bytes) -> bytes:
    """Correct the checksum, as an attacker would."""
    return row[:4] + zlib.crc32(row[8:], zlib.crc32(row[:4])).to_bytes(4, "big") + row[8:]


def test_an_altered_session_is_corrupt() -> None:
    """A row altered with care, its checksum made to fit, is CorruptItem wherever it was altered."""
    reader = codec(OLD)
    sealed = reader.seal(SECRET, CONTEXT)
    behind_key_id = 16

    for place in range(behind_key_id, len(sealed)):
        row = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
        assert isinstance(outcome(reader, correct_checksum(row)), CorruptItem)
    for length in range(behind_key_id, len(sealed)):
        assert isinstance(outcome(reader, correct_checksum(sealed[:length])), CorruptItem)
    for flags in (ENCRYPTED, ENCRYPTED | COMPRESSED, ENCRYPTED | COMPRESSED | BASE64):
        if flags != sealed[2]:
            row = sealed[:2] + bytes((flags,)) + sealed[3:]
            assert isinstance(outcome(reader, correct_checksum(row)), CorruptItem)


@pytest.mark.parametrize(
    ("reader", "place"),
    [
        (codec(OLD), CONTEXT._replace(key=Key("sess:other", "#session"))),
        (codec(OLD), CONTEXT._replace(key=Key(f"sess:{ID}", "#chunk:"))),
        (codec(OLD), CONTEXT._replace(key=Key(f"sess:{ID}#session"))),
        (codec(OLD), CONTEXT._replace(rev=make_rev("b.u"))),
        (codec(OLD), CONTEXT._replace(rev=make_rev("c.t"))),
        (codec(OLD), CONTEXT._replace(expires=1001)),
        (codec(OLD), CONTEXT._replace(expires=None)),
        (codec(OLD, table="other"), CONTEXT),
        (codec(OLD, table=""), CONTEXT),
    ],
    ids="id,range key,joined key,token,birth,expires,for ever,table,no table".split(","),
)
def test_a_row_copied_elsewhere_does_not_open(reader: Codec, place: EncryptionContext) -> None:
    """Bytes copied to another id, revision, expiry or table are CorruptItem."""
    sealed = codec(OLD).seal(SECRET, CONTEXT)

    assert codec(OLD).open(sealed, CONTEXT) == SECRET
    found = outcome(reader, sealed, place)
    wrong = CorruptItem(place.item, "it was altered, or copied here from another row")
    assert (type(found), str(found)) == (CorruptItem, str(wrong))


def test_a_bomb_under_our_own_key_is_refused() -> None:
    """The ceiling holds behind the encryption, too."""
    writer = codec(OLD, kind=VALUE)
    sealed = writer.seal(b"x" * (4 * MB), CONTEXT)

    assert isinstance(outcome(dataclasses.replace(writer, max_size=MB), sealed), ItemTooLarge)


def test_no_error_shows_a_key_an_id_or_a_payload() -> None:
    """Errors name the key by its digest, and have no context that holds the bytes."""
    sealed = codec(OLD).seal(SECRET, CONTEXT)
    elsewhere = CONTEXT._replace(rev=make_rev("x.y"))
    found = [outcome(codec(OLD), sealed, elsewhere), outcome(codec(NEW), sealed)]
    found += [outcome(codec(OLD), codec().seal(SECRET, CONTEXT)), outcome(codec(), sealed)]

    for error in found:
        assert isinstance(error, DynamoDBBackendError)
        said = f"{error} {error!r} {error.args} {error.__dict__}"
        assert not any(word in said for word in ("secret", ID, repr(OLD), OLD.hex(), NEW.hex()))
        assert (error.__context__, error.__cause__) == (None, None)
    assert repr(OLD) not in repr(codec(OLD))
