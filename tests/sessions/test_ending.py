"""The note by which `end_others()` is repeated: when it is due, and whose it is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import ending
from tests.instruments import Clock
from tests.servers import REGION, free_port

SINCE = 1_000_000


def make_rows(now: float) -> Rows:
    """Return the rows of a table at a server that is not there, so that each call fails."""
    options = {
        "region": REGION,
        "endpoint_url": f"http://127.0.0.1:{free_port()}",
        "special_keys": "user:S",
    }
    return build_rows(parse(options, "session"), "session", Runtime(clock=Clock(now)))


def make_row(pending: str, value: Attribute = "ann") -> Record:
    """Return the row of a session with a note."""
    rev = make_rev(b"b" * 8, b"t" * 12, 0.0)
    return Record(Key("sess:a"), b"", rev, promoted={"user": value}, pending=pending)


NOTE = ending.make_note("user", "ann", SINCE + 0.9)


@pytest.mark.parametrize(
    ("seconds", "is_done", "is_tried"),
    [(1.9, False, False), (2, False, True), (600, False, True), (600.1, True, False)],
)
def test_a_note_is_due_from_two_seconds_until_ten_minutes_after(
    seconds: float, caplog: pytest.LogCaptureFixture, *, is_done: bool, is_tried: bool
) -> None:
    """Before, the index may not show all; what cannot be done is logged, and kept for later."""
    assert ending.repeat(make_rows(SINCE + seconds), make_row(NOTE)) is is_done

    start = "the other sessions of a user could not be ended again: DynamoDB did not answer at"
    assert [one.getMessage()[: len(start)] for one in caplog.records] == [start] * is_tried


@pytest.mark.parametrize(
    "row",
    [
        make_row(""),
        *[make_row(time + NOTE[7:]) for time in ("", "soon", "-1", "1.5", "\N{SUPERSCRIPT TWO}")],
        make_row(NOTE, "bob"),
        make_row(NOTE.replace("user", "name")),
    ],
    ids=["none", "no time", "word", "sign", "fraction", "no ASCII", "other user", "other key"],
)
def test_a_note_that_is_not_of_this_user_is_removed(row: Record) -> None:
    """A garbled one, too; no call is made for it."""
    assert ending.repeat(make_rows(SINCE + 60), row) is True


@pytest.mark.parametrize(
    ("value", "same", "other"),
    [
        ("ann", "ann", "bob"),
        (Decimal("1E+1"), Decimal("10.0"), Decimal(11)),
        (b"ann", b"ann", "ann"),
        ("\ud800", "\ud800", "\ud801"),
    ],
)
def test_a_note_belongs_to_one_user(value: Attribute, same: Attribute, other: Attribute) -> None:
    """However the number is written, and whatever characters the user's id has."""
    note = ending.make_note("user", value, SINCE)

    assert note == ending.make_note("user", same, SINCE)
    assert note != ending.make_note("user", other, SINCE)
