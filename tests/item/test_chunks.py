"""A value that is cut is joined again, whole, or not at all."""

from __future__ import annotations

import pytest

from beaker_dynamodb.errors import CorruptItem
from beaker_dynamodb.item.chunks import MOST_IN_A_ROW, count, cut, joined, room_for_data
from beaker_dynamodb.item.codec import PIECES, SESSION, VALUE, Codec, Place
from beaker_dynamodb.item.keys import Key

LIMIT_OF_AN_ITEM = 409_600
PLACE = Place(Key("sess:a"), "b.t", 1000)


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (1, 1),
        (MOST_IN_A_ROW - 1, 1),
        (MOST_IN_A_ROW, 1),
        (MOST_IN_A_ROW + 1, 2),
        (2 * MOST_IN_A_ROW, 2),
        (2 * MOST_IN_A_ROW + 1, 3),
    ],
)
@pytest.mark.parametrize("kind", [SESSION, VALUE])
def test_a_large_session_comes_back_from_its_pieces(kind: int, size: int, pieces: int) -> None:
    """Cut and joined is what it was; the head says kind, flag and count, and fits in any row."""
    sealed = bytes((1, kind, 0, 0)) + b"0123456789a" * (size // 11 + 1)
    sealed = sealed[: max(size, 4)]
    parts = cut(sealed)

    assert len(parts.pieces) == count(parts.head, 9) == pieces
    assert max(map(len, parts.pieces)) <= MOST_IN_A_ROW
    assert joined(parts.head, parts.pieces) == sealed
    assert (parts.head[1], parts.head[2], len(parts.head)) == (kind, PIECES, 40)


def test_pieces_of_another_write_are_never_joined() -> None:
    """A missing, foreign, altered or swapped piece gives None, never a wrong session."""
    sealed = b"\x01S\0\0" + b"a" * MOST_IN_A_ROW + b"b" * MOST_IN_A_ROW
    parts = cut(sealed)
    first, second, third = parts.pieces

    for spoiled in (
        (),
        (first, second),
        (second, first, third),
        (first, second, third + b"\0"),
        (first, second, third[:-1]),
        cut(sealed.replace(b"a", b"c")).pieces,
    ):
        assert joined(parts.head, spoiled) is None


def test_a_row_that_holds_its_value_is_no_head() -> None:
    """Only a head's exact length, version and flag make a head; what the codec seals never does."""
    head = cut(b"\x01S\0\0" + b"a" * 100).head

    assert count(head, 9) == 1
    for data in (b"", head[:-1], head + b"\0", b"\x02" + head[1:], head[:2] + b"\x09" + head[3:]):
        assert count(data, 9) == 0
    for size in range(64):
        assert count(Codec(SESSION).seal(b"x" * size, PLACE), 9) == 0


def test_a_head_without_its_pieces_is_corrupt() -> None:
    """A head that reaches the codec by itself is CorruptItem: it is no value."""
    with pytest.raises(CorruptItem):
        Codec(SESSION).open(cut(b"\x01S\0\0abc").head, PLACE)


@pytest.mark.parametrize("others", [0, 512, 10_000, 10_240, 10_241, 100_000])
def test_a_row_with_large_attributes_leaves_less_room(others: int) -> None:
    """Data and everything else together stay below DynamoDB's 400 KB."""
    assert room_for_data(others) == min(MOST_IN_A_ROW, LIMIT_OF_AN_ITEM - others)
    assert room_for_data(others) + others <= LIMIT_OF_AN_ITEM
