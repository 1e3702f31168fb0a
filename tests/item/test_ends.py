"""When the options end a session, and rows and pickles that only an attacker writes."""

from __future__ import annotations

import base64

import pytest

from beaker_dynamodb.item.eligibility import _has_ended
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Schema, compute_expiry, from_attributes
from beaker_dynamodb.item.safe_load import load_session
from tests.revisions import make_rev


@pytest.mark.parametrize(
    ("created", "max_age", "created_after", "expected"),
    [
        (100.0, None, None, False),
        (100.0, None, 101.0, True),
        (101.0, None, 101.0, False),
        (None, None, 101.0, True),
        (None, 50.0, None, False),
        (100.0, 50.0, None, True),
        (100.0, 51.0, None, False),
    ],
)
def test_a_session_that_the_options_have_ended_is_not_imported(
    created: float | None, max_age: float | None, created_after: float | None, expected: bool
) -> None:
    """One without a start began before every `created_after`, and begins anew for `max_age`."""
    schema = Schema(max_age=max_age, created_after=created_after)

    assert _has_ended(created, schema, 150.0) is expected


@pytest.mark.parametrize(
    ("lifetime", "max_age", "expected"),
    [(None, None, None), (10.0, None, 160.0), (None, 70.0, 170.0), (10.0, 50.0, 150.0)],
)
def test_a_row_expires_at_the_earlier_limit(
    lifetime: float | None, max_age: float | None, expected: float | None
) -> None:
    """The lifetime counts from now on, the longest age from the start."""
    assert compute_expiry(150.0, lifetime, 100.0, max_age) == expected


@pytest.mark.parametrize("pending", [b"now", "x" * 400])
def test_a_note_that_cannot_be_one_is_dropped(pending: object) -> None:
    """It is not worth a user's session."""
    item = {"data": b"data", "rev": make_rev("birth.token"), "pending": pending}

    assert from_attributes(Key("sess:a"), item, Schema()).pending == ""


def test_a_pickle_that_pops_its_mark_is_read_without_it() -> None:
    """As `pickle` reads it: a POP on an empty stack takes the mark away."""
    text = base64.b64encode(b"\x80\x02}q\x01(0.").decode()

    assert load_session(text, "auto", 1000) == {}
