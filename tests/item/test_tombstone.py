"""The tombstone of a deleted session, while another backend may still hold that session."""

from __future__ import annotations

import pytest

from beaker_dynamodb.item.codec import ROTATED, SESSION, TOMBSTONE, VALUE, Codec, EncryptionContext
from beaker_dynamodb.item.decide import Content, Create, Delete, GiveUp, Replace
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.refusal import AlreadyApplied, RefusedSave, Retry, after_refusal
from tests.revisions import make_rev

#: As it is stored: format 1, kind T, no flags, no serializer, CRC-32 of those.
GOLDEN = bytes.fromhex("01540000f24d3e15")
CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 2000)
TOMB = Record(CONTEXT.key, GOLDEN, make_rev("b.t"), expires=2000)
KEYS = (bytes(range(32)),)


def test_the_bytes_of_a_tombstone_never_change() -> None:
    """A tombstone that another release has written is recognized."""
    assert Codec(TOMBSTONE).seal(b"", CONTEXT) == GOLDEN
    assert TOMB.is_tombstone
    assert not TOMB.is_rotated
    assert not TOMB._replace(data=b"").is_tombstone
    rotated = TOMB._replace(data=Codec(ROTATED).seal(b"", CONTEXT))
    assert rotated.is_tombstone
    assert rotated.is_rotated
    assert not TOMB._replace(data=Codec(SESSION).seal(b"x", CONTEXT)).is_tombstone


@pytest.mark.parametrize("kind", [SESSION, VALUE])
@pytest.mark.parametrize("keys", [(), KEYS])
def test_a_tombstone_is_no_session_for_any_load(kind: int, keys: tuple[bytes, ...]) -> None:
    """Also if rows must be encrypted, and for a process without `migrate_from`."""
    for data in (GOLDEN, Codec(TOMBSTONE, keys=KEYS, random_bytes=bytes).seal(b"", CONTEXT)):
        assert TOMB._replace(data=data).is_tombstone
        assert Codec(kind, keys=keys).open(data, CONTEXT) is None


@pytest.mark.parametrize("on_conflict", ["merge", "overwrite", "raise"])
def test_a_save_or_logout_that_a_tombstone_refuses(on_conflict: str) -> None:
    """A new session replaces it, and nothing is logged; a slow save or logout gives up."""

    def decide_after(refused: Create | Replace | Delete, now: float = 1000) -> object:
        ours = Content("ours", {"a": 1})
        return after_refusal(
            RefusedSave(refused, b"x", None, ours, TOMB, lambda _: Content(""), now, on_conflict)
        )

    assert decide_after(Create()) == Retry(Replace(make_rev("b.t")))
    assert decide_after(Create(), now=3000) == Retry(Create())
    assert isinstance(decide_after(Replace(make_rev("other.y"))), GiveUp)
    assert decide_after(Delete(make_rev("other.y"))) == AlreadyApplied()
