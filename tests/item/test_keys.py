"""Two ids never share a row, however hostile, and no row is taken for one of another kind."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.config import parsers
from beaker_dynamodb.item.keys import Key, Layout, to_text
from beaker_dynamodb.item.revision import REV_SIZE

LAW = settings(max_examples=200, derandomize=True, deadline=None)

#: DynamoDB's own limits, in bytes of UTF-8 (AWS: Constraints, "Partition and sort key length").
MOST_HASH, MOST_RANGE = 2048, 1024
REV = bytes(range(240, 240 + 15)) + b"#:.~"

HASH = Layout("sess:")
RANGED = Layout("sess:", range_key="range")
HIDDEN = Layout("sess:", hash_ids=True)
HIDDEN_RANGED = Layout("sess:", range_key="range", hash_ids=True)
LAYOUTS = [
    pytest.param(HASH, id="hash"),
    pytest.param(RANGED, id="hash+range"),
    pytest.param(HIDDEN, id="hash, hidden ids"),
    pytest.param(HIDDEN_RANGED, id="hash+range, hidden ids"),
]

PLAIN_ID = "6f1ed002ab5595859014ebf0951522d9"
HOSTILE: tuple[str, ...] = (
    "",
    "a",
    "A",
    "a" * 512,
    "a" * 513,
    "a" * 2049,
    "a" * 5000,
    "\0",
    "a\0",
    "a\r\nSet-Cookie: b",
    "\x1b[31m",
    "../../etc/passwd",
    "..",
    "caf\xe9",
    unicodedata.normalize("NFD", "caf\xe9"),
    "\ud800",
    "a\udfff",
    "\udce9",
    "\U0001f36a",
    "%00",
    "'",
    '"',
    " ",
    "a ",
    "a\n",
    "sess:",
    "sess:a",
    "cache:a",
    "lock#a",
    "#session",
    "#lock:",
    "#lock:a",
    "#imported",
    "a#imported",
    "#chunk:",
    f"#chunk:#{REV.hex()}.0",
    f"#chunk:a#{REV.hex()}.0",
    f"a#chunk:#{REV.hex()}.0",
    "a#lock:a",
    "a:a",
    ":",
    ":a",
    "a:",
    "a#",
    "#",
    "~",
    "~" + "0" * 64,
    HASH.encode_namespace("").removeprefix("sess:"),
    HASH.encode_namespace(5),
    f"a#{REV.hex()}.0",
    REV.hex(),
    "None",
    "5",
    "builtins.int:5",  # what the integer 5 is hashed as
    PLAIN_ID,
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.characters(), max_size=20),  # surrogates, too
    st.text(alphabet="a:#~. 0", max_size=12),
)
anything = st.one_of(
    texts,
    st.binary(max_size=12),
    st.integers(),
    st.tuples(st.integers(), texts),
    st.none(),
)
layouts = st.sampled_from([HASH, RANGED, HIDDEN, HIDDEN_RANGED])
revs = st.binary(min_size=19, max_size=19)
numbers = st.integers(0, 400)

Row = tuple[str, object, object, bytes, int]
rows = st.tuples(
    st.sampled_from(["session", "marker", "value", "lock", "chunk"]),
    anything,
    anything,
    revs,
    numbers,
)


def identity(value: object) -> object:
    """Say which values are one by the design: bytes are text, any other type is its repr."""
    text = to_text(value)
    return text if text is not None else (type(value).__name__, repr(value))


def meant(row: Row) -> object:
    """Return the identity of a row: only the parts that count for its kind."""
    kind, namespace, key, rev, number = row
    parts: dict[str, tuple[object, ...]] = {
        "session": (),
        "marker": (),
        "value": (identity(key),),
        "lock": (identity(key),),
        "chunk": (None if key is None else identity(key), rev, number),
    }
    return kind, identity(namespace), *parts[kind]


def make_key(layout: Layout, row: Row) -> Key:
    """Key a row of any kind."""
    kind, namespace, key, rev, number = row
    if kind == "session":
        return layout.make_session_key(namespace)
    if kind == "marker":
        return layout.make_import_marker_key(namespace)
    if kind == "value":
        return layout.make_value_key(namespace, key)
    if kind == "lock":
        return layout.make_lock_key(namespace, key)
    head = (
        layout.make_session_key(namespace) if key is None else layout.make_value_key(namespace, key)
    )
    return layout.make_chunk_key(head, rev, number)


def table_of_hostile_rows() -> list[Row]:
    """Cross every hostile text with every other, as namespace and key of every kind of row."""
    pairs = [(ns, key) for ns in (*HOSTILE, 5) for key in (*HOSTILE, 5)]
    return [
        *((kind, ns, "", b"", 0) for ns in HOSTILE for kind in ("session", "marker")),
        *((kind, ns, key, b"", 0) for ns, key in pairs for kind in ("value", "lock")),
        *(("chunk", ns, key, REV, n) for ns, key in pairs for n in (0, 11)),
        *(("chunk", ns, None, REV, n) for ns in HOSTILE for n in (0, 11)),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_hostile_id_reaches_the_row_of_another(layout: Layout) -> None:
    """No two rows that are meant to differ have one key, and none is too long for DynamoDB."""
    found: dict[Key, object] = {}

    for row in table_of_hostile_rows():
        key = make_key(layout, row)
        assert found.setdefault(key, meant(row)) == meant(row)
        assert len(key.hash.encode()) <= MOST_HASH
        assert len((key.range or "-").encode()) <= MOST_RANGE


@LAW
@given(layouts, rows, rows)
def test_two_rows_share_a_key_only_if_they_are_one_row(layout: Layout, one: Row, two: Row) -> None:
    """The map from (namespace, key, kind) to primary keys is injective, in every layout."""
    assert (make_key(layout, one) == make_key(layout, two)) is (meant(one) == meant(two))


@LAW
@given(layouts, rows)
def test_every_id_has_a_key_that_dynamodb_takes(layout: Layout, row: Row) -> None:
    """The map is total: UTF-8, not empty, and within DynamoDB's lengths, for any id at all."""
    key = make_key(layout, row)

    assert 0 < len(key.hash.encode()) <= MOST_HASH
    assert key.range is None or 0 < len(key.range.encode()) <= MOST_RANGE
    assert (key.range is None) is (layout.range_key is None)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "make",
    [
        Layout.make_value_key,
        Layout.make_lock_key,
        Layout.make_session_key,
        Layout.make_import_marker_key,
    ],
)
def test_the_longest_key_of_a_row_still_fits(layout: Layout, make: Callable[..., Key]) -> None:
    """The longest prefix, namespace and key, and their chunks.

    DynamoDB takes a range key of 1,024 bytes and a hash key of 2,048.
    """
    long = replace(layout, prefix=parsers.parse_prefix("p" * 63 + ":"))
    parts = ("a" * 512, "b" * 512)[
        : 2 if make in (Layout.make_value_key, Layout.make_lock_key) else 1
    ]
    head = make(long, *parts)
    key = long.make_chunk_key(head, bytes(REV_SIZE), 2**32)

    for one in (head, key):
        assert len(one.hash.encode()) <= MOST_HASH
        assert len((one.range or "").encode()) <= MOST_RANGE


@pytest.mark.parametrize("namespace", [*HOSTILE, 5, (PLAIN_ID,)])
@pytest.mark.parametrize("layout", [HIDDEN, HIDDEN_RANGED], ids=["hash", "hash+range"])
def test_whoever_reads_the_table_learns_no_id(layout: Layout, namespace: object) -> None:
    """With `hash_ids` every namespace is stored as a SHA-256, plain ones too."""
    stored = layout.encode_namespace(namespace)

    assert len(stored) == 65
    assert stored.startswith("~")
    assert layout.make_session_key(namespace).hash == f"sess:{stored}"
    assert PLAIN_ID not in stored


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_traceback_shows_no_id(layout: Layout) -> None:
    """The repr of a key holds neither the id nor its hash."""
    key = layout.make_value_key(PLAIN_ID, "secret-key")

    for said in (repr(key), str(key), f"{key}", repr((key,))):
        assert PLAIN_ID not in said
        assert "secret-key" not in said
        assert layout.encode_namespace(PLAIN_ID) not in said


@LAW
@given(layouts, rows)
def test_the_keys_of_a_cache_can_be_listed(layout: Layout, row: Row) -> None:
    """`keys()` reads a plain key back out of its row, and takes no other kind of row for one."""
    kind, namespace, key, *_ = row
    found = layout.parse_cache_key(make_key(layout, row))

    assert (found is not None) is (kind == "value")
    assert kind != "value" or layout.is_hashed(key) or found == to_text(key)
    assert make_key(layout, row).hash.startswith(layout.make_hash_key(namespace))


@LAW
@given(layouts, rows)
def test_a_key_tells_the_kind_of_its_row(layout: Layout, row: Row) -> None:
    """A key is classified as what it was made for, whatever text it holds."""
    assert layout.classify(make_key(layout, row)) == row[0]


@LAW
@given(st.sampled_from([HASH, HIDDEN]), anything, rows)
def test_clearing_a_cache_deletes_nothing_of_another_namespace(
    layout: Layout, namespace: object, row: Row
) -> None:
    """The prefixes of `clear()` match values and chunks of its own namespace only."""
    kind, other, *_ = row
    begins = make_key(layout, row).hash.startswith(layout.get_value_prefixes(namespace))
    is_chunk_or_value = kind in {"value", "chunk"}

    assert begins is (is_chunk_or_value and identity(other) == identity(namespace))
