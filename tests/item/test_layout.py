"""The key of each kind of row, in both layouts."""

from __future__ import annotations

from itertools import combinations

import pytest

from beaker_dynamodb.item.keys import Key, Layout, to_text
from tests.revisions import make_rev

PLAIN_ID = "6f1ed002ab5595859014ebf0951522d9"
HASH = Layout("sess:")
RANGED = Layout("sess:", range_key="range")
REV = make_rev("b.t")
LAYOUTS = [pytest.param(HASH, id="hash"), pytest.param(RANGED, id="hash+range")]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (HASH.make_session_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}")),
        (HASH.make_import_marker_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}#imported")),
        (HASH.make_value_key("ns", "k"), Key("sess:ns:k")),
        (HASH.make_value_key("ns", "session"), Key("sess:ns:session")),
        (HASH.make_lock_key("ns", "k"), Key("sess:ns#lock:k")),
        (
            HASH.make_chunk_key(HASH.make_value_key("ns", "k"), REV, 7),
            Key(f"sess:ns#chunk:k#{REV.hex()}.7"),
        ),
        (
            HASH.make_chunk_key(HASH.make_session_key("ns"), REV, 7),
            Key(f"sess:ns#chunk:#{REV.hex()}.7"),
        ),
        (RANGED.make_session_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}", "#session")),
        (RANGED.make_import_marker_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}", "#imported")),
        (RANGED.make_value_key("ns", "k"), Key("sess:ns", "k")),
        (RANGED.make_lock_key("ns", "k"), Key("sess:ns", "#lock:k")),
        (
            RANGED.make_chunk_key(RANGED.make_value_key("ns", "k"), REV, 7),
            Key("sess:ns", f"#chunk:k#{REV.hex()}.7"),
        ),
        (
            RANGED.make_chunk_key(RANGED.make_session_key("ns"), REV, 7),
            Key("sess:ns", f"#chunk:#{REV.hex()}.7"),
        ),
    ],
)
def test_keys_are_those_of_the_manual(found: Key, expected: Key) -> None:
    """The keys of docs/architecture.md, which never change."""
    assert found == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("text", ["k", "", "caf\xe9", "a:b", "\U0001f36a"])
def test_bytes_and_text_are_one_key(layout: Layout, text: str) -> None:
    """`b"k"` and `"k"` name one session, one value and one lock."""
    raw = text.encode()

    assert layout.make_session_key(raw) == layout.make_session_key(text)
    assert layout.make_value_key("ns", raw) == layout.make_value_key("ns", text)
    assert layout.make_lock_key("ns", raw) == layout.make_lock_key("ns", text)


def test_values_of_other_types_are_told_apart_by_type() -> None:
    """5, 5.0, "5", True and (5,) are five keys; None is one, too."""
    found = [HASH.make_value_key("ns", key) for key in (5, 5.0, "5", True, (5,), None, "None")]

    assert all(one != two for one, two in combinations(found, 2))


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        *((key, False) for key in ("k", b"k", "a b", "k" * 512, "a#", "a~")),
        *((key, True) for key in ("", "#k", "~k", 5, "caf\xe9", b"\xff", "k" * 513, "a\n")),
    ],
)
def test_only_a_hashed_cache_key_is_stored_in_clear_beside_it(key: object, hashed: bool) -> None:
    """`keys()` needs the attribute `cache_key` if the primary key holds only a hash."""
    word = HASH.make_value_key("ns", key).hash.removeprefix("sess:ns:")

    assert HASH.is_hashed(key) is hashed
    assert (word == to_text(key)) is not hashed


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (Layout("p:", "sid"), "hash key 'sid' (String)"),
        (Layout("p:", "sid", "kind"), "hash key 'sid' and range key 'kind' (String)"),
    ],
)
def test_a_mismatch_can_say_which_schema_is_expected(layout: Layout, expected: str) -> None:
    """The layout says its key schema in words."""
    assert layout.describe() == expected
