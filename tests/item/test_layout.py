"""The key of each kind of row, in both layouts."""

from __future__ import annotations

from collections.abc import Callable
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
    ("make", "expected"),
    [
        (lambda: HASH.make_session_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}")),
        (lambda: HASH.make_import_marker_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}#imported")),
        (lambda: HASH.make_value_key("ns", "k"), Key("sess:ns:k")),
        (lambda: HASH.make_value_key("ns", "session"), Key("sess:ns:session")),
        (lambda: HASH.make_lock_key("ns", "k"), Key("sess:ns#lock:k")),
        (
            lambda: HASH.make_chunk_key(HASH.make_value_key("ns", "k"), REV, 7),
            Key(f"sess:ns#chunk:k#{REV.hex()}.7"),
        ),
        (
            lambda: HASH.make_chunk_key(HASH.make_session_key("ns"), REV, 7),
            Key(f"sess:ns#chunk:#{REV.hex()}.7"),
        ),
        (lambda: RANGED.make_session_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}", "#session")),
        (lambda: RANGED.make_import_marker_key(PLAIN_ID), Key(f"sess:{PLAIN_ID}", "#imported")),
        (lambda: RANGED.make_value_key("ns", "k"), Key("sess:ns", "k")),
        (lambda: RANGED.make_lock_key("ns", "k"), Key("sess:ns", "#lock:k")),
        (
            lambda: RANGED.make_chunk_key(RANGED.make_value_key("ns", "k"), REV, 7),
            Key("sess:ns", f"#chunk:k#{REV.hex()}.7"),
        ),
        (
            lambda: RANGED.make_chunk_key(RANGED.make_session_key("ns"), REV, 7),
            Key("sess:ns", f"#chunk:#{REV.hex()}.7"),
        ),
    ],
)
def test_keys_are_those_of_the_manual(make: Callable[[], Key], expected: Key) -> None:
    """The keys of docs/architecture.md, which never change."""
    assert make() == expected


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


ID_HASH = "~35aaa80909fcd068c7b5584d3a0b954075b0b4e9682b239f13a33781a2062461"
ODD_HASH = "~957432544ecf561aa474d0e6209ffdb8c3383457a40983c67fd4f3ae83dc5a2c"
FIVE_HASH = "~5ffdeee41ec09fa3743a70eb7edb8b7835cc2a1c100fe66803be7584ea6225b1"
SURROGATE_HASH = "~b5bc6ffa6fd98df1a1c848ba5e6b8d1d0699242cad682aad89cbda649c763f00"


@pytest.mark.parametrize(
    ("layout", "id_", "stored"),
    [
        (HASH, "id", "id"),
        (HASH, b"id", "id"),
        (HASH, "6f1e d002", ODD_HASH),
        (HASH, "\ud800", SURROGATE_HASH),
        (HASH, 5, FIVE_HASH),
        (Layout("sess:", hash_ids=True), "id", ID_HASH),
        (Layout("sess:", hash_ids=True), b"id", ID_HASH),
        (Layout("sess:", hash_ids=True), 5, FIVE_HASH),
    ],
)
def test_the_key_of_an_id_never_changes(layout: Layout, id_: object, stored: str) -> None:
    """Another one would log its user out at the next deploy."""
    assert layout.make_session_key(id_) == Key(f"sess:{stored}")
    assert layout.make_hash_key(id_) == f"sess:{stored}"


def test_ids_of_two_classes_of_one_name_are_two_keys() -> None:
    """The module counts, and so does what the object says of itself."""

    def make_id(module: str, said: str) -> object:
        return type("Id", (), {"__module__": module, "__repr__": lambda _: said})()

    ids = [make_id("a", "1"), make_id("b", "1"), make_id("a", "2")]
    assert len({HASH.make_session_key(one) for one in ids}) == 3


@pytest.mark.parametrize(
    ("layout", "key", "kind", "cache_key"),
    [
        (HASH, Key("sess:id"), "session", None),
        (HASH, Key("sess:ns:k"), "value", "k"),
        (HASH, Key("sess:ns:a:b"), "value", "a:b"),
        (HASH, Key("sess:ns:a#b"), "value", "a#b"),
        (HASH, Key("sess:ns:a\nb"), "value", "a\nb"),
        (HASH, Key("sess:ns#lock:k"), "lock", None),
        (HASH, Key("sess:ns#chunk:k#00.1"), "chunk", None),
        (HASH, Key("sess:ns#chunk:a\nb#00.1"), "chunk", None),
        (HASH, Key("sess:id#imported"), "marker", None),
        (HASH, Key("sess:id#imported\nx"), "other", None),
        (HASH, Key("sess:id#session"), "other", None),
        (HASH, Key("sess:id#odd:k"), "other", None),
        (HASH, Key("cache:id"), "other", None),
        (RANGED, Key("sess:id", "#session"), "session", None),
        (RANGED, Key("sess:id", "#imported"), "marker", None),
        (RANGED, Key("sess:ns", "k"), "value", "k"),
        (RANGED, Key("sess:ns", "#lock:k"), "lock", None),
        (RANGED, Key("sess:ns", "#chunk:k#00.1"), "chunk", None),
        (RANGED, Key("sess:ns", "#odd:k"), "other", None),
        (RANGED, Key("cache:ns", "k"), "other", "k"),
    ],
)
def test_a_row_is_told_by_its_key(
    layout: Layout, key: Key, kind: str, cache_key: str | None
) -> None:
    """What has none of our forms, or another prefix, is not touched by any command."""
    assert layout.classify(key) == kind
    if kind in {"value", "lock", "chunk", "marker"}:
        assert layout.parse_cache_key(key) == cache_key
    assert repr(key) == "Key(...)"
