"""What an operator pastes, and which row it means."""

from __future__ import annotations

import os

import pytest
from beaker.session import SignedCookie

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.ops.identity import format_id, list_keys, sign
from tests.revisions import make_rev

IDENT = "8c1f0e5d2b7a49c3a1f4d6e8b9075c21"
SECRET = "hush"
PLAIN = Layout("sess:")
HASHED = Layout("sess:", hash_ids=True)
RANGED = Layout("sess:", range_key="part")
SIGNED = sign(IDENT, SECRET) + IDENT
HOSTILE = "../:#session"


@pytest.mark.parametrize("layout", [PLAIN, HASHED, RANGED])
@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize(
    "word",
    [
        IDENT,
        f'"{IDENT}"',
        f" {IDENT}\n",
        SIGNED,
        f'"{SIGNED}"',
        f"beaker.session.id={SIGNED}",
        f"myapp={IDENT}",
    ],
)
def test_a_pasted_cookie_or_id_finds_its_session(
    word: str, secret: str | None, layout: Layout
) -> None:
    """Signed or not, quoted or not: the session's row is among those that are tried."""
    assert layout.make_session_key(IDENT) in list_keys(word, layout, secret)


@pytest.mark.parametrize("layout", [PLAIN, HASHED, RANGED])
@pytest.mark.parametrize("ident", [IDENT, HOSTILE, "é", "x" * 600])
def test_what_a_list_shows_can_be_pasted(ident: str, layout: Layout) -> None:
    """The id in a list, and the row's hash key, name the same row: hashed ones, too."""
    key = layout.make_session_key(ident)

    assert list_keys(format_id(key, layout), layout)[0] == key
    assert list_keys(key.hash, layout) == (key,)


def test_the_signature_is_beakers() -> None:
    """Beaker accepts what is signed here, and signs alike."""
    cookie = SignedCookie(SECRET)

    assert cookie.value_encode(IDENT)[1] == SIGNED
    assert cookie.value_decode(SIGNED)[0] == IDENT


def test_a_wrong_signature_is_said() -> None:
    """A forged cookie, or another application's, is not taken for a session."""
    with pytest.raises(OptionError, match="signature does not match the secret"):
        list_keys(SIGNED, PLAIN, "another secret")


@pytest.mark.parametrize("word", ["", " ", '""', "sess:a:b", "sess:a#lock:b", "sess:a#imported"])
def test_what_is_no_session_is_refused(word: str) -> None:
    """No command on sessions reaches a cache's row, a lock or a marker."""
    with pytest.raises(OptionError):
        list_keys(word, PLAIN)


SORTS = [
    (PLAIN.make_session_key(IDENT), "session"),
    (PLAIN.make_session_key(HOSTILE), "session"),
    (PLAIN.make_import_marker_key(HOSTILE), "marker"),
    (PLAIN.make_value_key(IDENT, "a#b:c"), "value"),
    (PLAIN.make_lock_key(IDENT, "a:b"), "lock"),
    (PLAIN.make_chunk_key(PLAIN.make_session_key(IDENT), make_rev("b.t"), 0), "chunk"),
    (PLAIN.make_chunk_key(PLAIN.make_value_key(IDENT, "k"), make_rev("b.t"), 0), "chunk"),
    (Key("other:a"), "other"),
    (Key("sess:a#session"), "other"),
    (Key("sess:a#what"), "other"),
]


@pytest.mark.parametrize(("key", "sort"), SORTS)
def test_a_key_tells_what_its_row_is(key: Key, sort: str) -> None:
    """Without a range key, the first colon or hash sign decides."""
    assert PLAIN.classify(key) == sort


@pytest.mark.parametrize(
    ("key", "sort"),
    [
        (RANGED.make_session_key(HOSTILE), "session"),
        (RANGED.make_import_marker_key(HOSTILE), "marker"),
        (RANGED.make_value_key(IDENT, "a#b:c"), "value"),
        (RANGED.make_lock_key(IDENT, "a:b"), "lock"),
        (RANGED.make_chunk_key(RANGED.make_session_key(IDENT), make_rev("b.t"), 0), "chunk"),
        (Key("other:a", "#session"), "other"),
        (Key("sess:a", "#what"), "other"),
    ],
)
def test_a_range_key_tells_what_its_row_is(key: Key, sort: str) -> None:
    """With a range key, that decides."""
    assert RANGED.classify(key) == sort


def test_a_word_that_is_no_key_is_a_wrong_call() -> None:
    """Longer than any key, it would be refused by DynamoDB with no word of why."""
    with pytest.raises(OptionError, match="longer than any hash key"):
        list_keys("sess:" + "é" * 1022, Layout("sess:"))
    assert list_keys("sess:" + "é" * 1021, Layout("sess:"))


def test_a_secret_of_any_bytes_is_taken() -> None:
    """The command line hands over bytes that are no UTF-8 as halves of surrogate pairs."""
    assert len(sign("id", os.fsdecode(b"\xff"))) == 40
