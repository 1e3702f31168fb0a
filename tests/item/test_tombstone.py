"""The row that a deleted session leaves while another backend may still hold it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beaker_dynamodb.item.codec import ROTATED, SESSION, TOMBSTONE, VALUE, Codec, EncryptionContext
from beaker_dynamodb.item.decide import Content, Create, Delete, GiveUp, Replace
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import AlreadyApplied, Refusal, Retry, after_refusal

#: As it stands in tables: format 1, kind T, no flags, no serializer, CRC-32 of those.
GOLDEN = bytes.fromhex("01540000f24d3e15")
CONTEXT = EncryptionContext(Key("sess:a"), "b.t", 2000)
TOMB = Record(CONTEXT.key, GOLDEN, "b.t", (), 2000)
KEYS = (bytes(range(32)),)


def test_its_bytes_are_written_and_known_for_ever() -> None:
    """A tombstone of any release is one."""
    assert Codec(TOMBSTONE).seal(b"", CONTEXT) == GOLDEN
    assert TOMB.is_tombstone
    assert not TOMB.is_rotated
    assert not replace(TOMB, data=b"").is_tombstone
    marker = replace(TOMB, data=Codec(ROTATED).seal(b"", CONTEXT))
    assert marker.is_tombstone
    assert marker.is_rotated
    assert not replace(TOMB, data=Codec(SESSION).seal(b"x", CONTEXT)).is_tombstone


@pytest.mark.parametrize("kind", [SESSION, VALUE])
@pytest.mark.parametrize("keys", [(), KEYS])
def test_it_is_absent_for_every_load(kind: int, keys: tuple[bytes, ...]) -> None:
    """Also where rows have to be encrypted, and for a process that knows of no move."""
    for data in (GOLDEN, Codec(TOMBSTONE, keys=KEYS, random_bytes=bytes).seal(b"", CONTEXT)):
        assert replace(TOMB, data=data).is_tombstone
        assert Codec(kind, keys=keys).open(data, CONTEXT) is None


@pytest.mark.parametrize("on_conflict", ["merge", "overwrite", "raise"])
def test_what_is_refused_by_it(on_conflict: str) -> None:
    """A new session takes its place, without a word; a slow save and a slow logout give way."""

    def decided(refused: Create | Replace | Delete, now: float = 1000) -> object:
        mine = Content("mine", {"a": 1})
        return after_refusal(
            Refusal(refused, "x", None, mine, TOMB, lambda _: Content(""), now, on_conflict)
        )

    assert decided(Create()) == Retry(Replace("b.t"))
    assert decided(Create(), now=3000) == Retry(Create())
    assert isinstance(decided(Replace("other.y")), GiveUp)
    assert decided(Delete("other.y")) == AlreadyApplied()
