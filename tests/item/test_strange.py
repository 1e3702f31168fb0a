"""Unusual rows and values: flipped header bits, zlib bombs of other windows, odd numbers."""

from __future__ import annotations

import base64
import contextlib
import enum
import sys
import zlib
from decimal import Decimal
from typing import Any

import pytest

from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat
from beaker_dynamodb.item.codec import ENCRYPTED, SESSION, Codec, EncryptionContext
from beaker_dynamodb.item.envelope import PickleEnvelope
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.merge import find_changed_keys
from beaker_dynamodb.item.record import Schema, from_attributes, promote
from tests.revisions import make_rev

CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 1000)
KEY = bytes(range(32))
NONCE = bytes(12)


def encrypting(required: bool) -> Codec:
    """Make a codec with a key, which refuses plain rows if *required*."""
    return Codec(SESSION, keys=(KEY,), require_encryption=required, random_bytes=lambda _: NONCE)


@pytest.mark.parametrize("codec", [Codec(SESSION), encrypting(True), encrypting(False)])
@pytest.mark.parametrize(
    "value", [b"hello, world", base64.b64encode(b"\x80\x02}q\x00."), b"a" * 300]
)
def test_a_bit_that_flips_anywhere_is_refused(codec: Codec, value: bytes) -> None:
    """Every other value of every byte, of header too: CorruptItem or UnknownFormat."""
    sealed = codec.seal(value, CONTEXT)
    bad = []
    for place in range(len(sealed)):
        for flip in range(1, 256):
            row = sealed[:place] + bytes((sealed[place] ^ flip,)) + sealed[place + 1 :]
            with contextlib.suppress(CorruptItem, UnknownFormat):
                bad.append((place, flip, codec.open(row, CONTEXT)))
    assert bad == []


def _bomb(window: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, window)
    return deflater.compress(b'{"a": "' + b"x" * 3_000_000 + b'"}') + deflater.flush()


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(_bomb(14)),
        base64.b64encode(_bomb(9)),
        base64.b64encode(_bomb(15))[:4] + b"\n" + base64.b64encode(_bomb(15))[4:],
    ],
    ids=["window 14", "window 9", "line end in the base64"],
)
def test_no_zlib_bomb_reaches_beaker(text: bytes) -> None:
    """Whatever Beaker's b64decode and zlib.decompress would inflate is counted first."""
    codec = Codec(SESSION, max_size=1_000_000)
    with pytest.raises(ItemTooLarge):
        codec.open(codec.seal(text, CONTEXT), CONTEXT)


def test_an_encrypted_row_without_the_extra_is_unknown_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server with neither key nor `cryptography` raises UnknownFormat, no ImportError."""
    sealed = encrypting(True).seal(b"hello", CONTEXT)
    assert sealed[2] & ENCRYPTED
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(UnknownFormat):
        Codec(SESSION).open(sealed, CONTEXT)


class Role(int, enum.Enum):
    ADMIN = 1


class NumpyLike(float):
    def __repr__(self) -> str:
        return "np.float64(1.5)"


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize(
    "value", [10**5000, Role.ADMIN, NumpyLike(1.5)], ids=["5001 digits", "enum", "float64"]
)
def test_a_strange_number_never_fails_a_save(kind: str, value: object) -> None:
    """promote() raises for nothing."""
    promote({"key": value}, Schema(special=(("key", kind),)))


def test_a_round_number_is_promoted() -> None:
    """10**40 has one significant digit: DynamoDB takes it."""
    assert promote({"key": 10**40}, Schema(special=(("key", "N"),)))[0] == {"key": Decimal(10**40)}


@pytest.mark.parametrize("expires", ["NaN", "sNaN", "Infinity"])
def test_an_expiry_that_is_no_number_is_corrupt(expires: str) -> None:
    """Not ValueError and not OverflowError."""
    found = {"data": b"d", "rev": make_rev("b.t"), "expires": Decimal(expires)}
    with pytest.raises(CorruptItem):
        from_attributes(Key("a"), found, Schema())


class Plain:
    def __init__(self, a: Any) -> None:
        self.a = a


def test_an_object_with_a_set_of_objects_is_not_changed_by_a_read() -> None:
    """find_changed_keys() is () for every load of a session that was only read."""
    envelope = PickleEnvelope()
    text = envelope.close({"cart": Plain({Plain(n) for n in range(5)})})
    kept: list[Any] = []
    for _ in range(20):
        mine, known = (envelope.open(envelope.close(envelope.open(text) or {})) or {} for _ in "ab")
        kept += [mine, known]
        assert find_changed_keys(known, mine) == ()


class Labeled:
    """Two equal texts: one object or two makes another pickle, and no other value."""

    def __init__(self, number: int) -> None:
        self.name = self.label = "tea"
        self.number = number


@pytest.mark.parametrize("size", range(1, 9))
def test_a_change_behind_objects_that_only_pickle_otherwise_is_saved(size: int) -> None:
    """Also if only the last of several objects was changed."""
    known, mine = [Labeled(1) for _ in range(size)], [Labeled(1) for _ in range(size)]
    for item in mine:
        item.label = "".join(reversed("aet"))

    assert find_changed_keys({"cart": known}, {"cart": mine}) == ()

    mine[-1].number = 2

    assert find_changed_keys({"cart": known}, {"cart": mine}) == ("cart",)
