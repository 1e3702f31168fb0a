"""Switching on encryption and rotating keys logs nobody out."""

from __future__ import annotations

import secrets

import pytest

from beaker_dynamodb.errors import UnknownFormat
from beaker_dynamodb.item.codec import ENCRYPTED, SESSION, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from tests.revisions import make_rev

CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 1000)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET = b"top-secret-word " * 3


def codec(*keys: bytes, required: bool = True) -> Codec:
    """Make a codec of the sessions' table that holds *keys*."""
    return Codec(
        SESSION,
        table="sessions",
        keys=keys,
        require_encryption=required,
        random_bytes=secrets.token_bytes,
    )


def refusal(reader: Codec, data: bytes) -> str:
    """Say how a row is refused as one of a format that is not known here."""
    with pytest.raises(UnknownFormat) as caught:
        reader.open(data, CONTEXT)
    return str(caught.value)


def test_keys_are_rotated_with_nobody_logged_out() -> None:
    """At each step, servers before and after it read each other's rows."""
    steps = [codec(OLD), codec(OLD, NEW), codec(NEW, OLD), codec(NEW)]

    for former, later in ((0, 1), (1, 2), (2, 3)):
        for writer, reader in ((former, later), (later, former)):
            assert steps[reader].open(steps[writer].seal(SECRET, CONTEXT), CONTEXT) == SECRET
    by_first = [step.seal(SECRET, CONTEXT)[8:16] for step in steps]
    assert by_first[0] == by_first[1] != by_first[2] == by_first[3]


@pytest.mark.parametrize("reader", [codec(NEW), codec(NEW, required=False), codec()])
def test_a_row_under_an_unknown_key_is_not_corrupt(reader: Codec) -> None:
    """It raises UnknownFormat, so by the outage rule nobody is logged out."""
    found = refusal(reader, codec(OLD).seal(SECRET, CONTEXT))

    assert "encryption_keys" in found


def test_a_plain_row_is_refused_where_encryption_is_required() -> None:
    """So an attacker with access to the table cannot plant a session; the error names the step."""
    found = refusal(codec(OLD), codec().seal(SECRET, CONTEXT))

    assert "encryption_required = false" in found


def test_plain_rows_open_while_encryption_is_being_switched_on() -> None:
    """With `encryption_required = false` old plain rows open, and new ones are encrypted."""
    moving = codec(OLD, required=False)

    assert moving.open(codec().seal(SECRET, CONTEXT), CONTEXT) == SECRET
    assert moving.seal(SECRET, CONTEXT)[2] & ENCRYPTED
    assert codec(OLD).open(moving.seal(SECRET, CONTEXT), CONTEXT) == SECRET


def test_encryption_is_switched_on_with_nobody_logged_out() -> None:
    """`plain` in the first place writes without and reads with: both neighbours of each step read.

    Plain, then ready to read, then writing with plain rows allowed, then required; and back.
    """
    steps = [codec(), codec(b"", OLD), codec(OLD, required=False), codec(OLD)]

    for former, later in ((0, 1), (1, 2)):
        for writer, reader in ((former, later), (later, former)):
            assert steps[reader].open(steps[writer].seal(SECRET, CONTEXT), CONTEXT) == SECRET
    assert steps[3].open(steps[2].seal(SECRET, CONTEXT), CONTEXT) == SECRET
    assert [step.seal(SECRET, CONTEXT)[2] & ENCRYPTED for step in steps] == [0, 0, 2, 2]
