"""Values of every size: one that is too large for a row is stored in chunks."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from beaker_dynamodb import ItemTooLarge
from beaker_dynamodb.caches.store import MAX_NAME
from beaker_dynamodb.item.chunks import MAX_ROW_DATA
from tests.caches import subprocesses
from tests.caches.tables import RAW, Maker, Table, fail_if_called, text_of, values_of

MB = 1024 * 1024
#: The codec's header.
HEADER = 8
#: What just fits into one row, and into two.
ONE, TWO = MAX_ROW_DATA - HEADER, 2 * MAX_ROW_DATA - HEADER
SIZES = {
    1: 1,
    ONE: 1,
    ONE + 1: 3,
    409_600 - HEADER + 1: 3,
    TWO + 1: 4,
    2 * MB: 7,
}
LONG = {ONE - 1: 1, TWO: 3, 7 * MAX_ROW_DATA: 9, 10 * MB: 28, 16 * MB - 1: 44, 16 * MB: 44}


def a_value(size: int, seed: int = 0) -> bytes:
    """Make bytes that no compression makes smaller, unlike those of another seed."""
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize(
    ("size", "rows"),
    [*SIZES.items(), *(pytest.param(*one, marks=pytest.mark.long) for one in LONG.items())],
)
def test_a_cache_keeps_values_of_every_size(table: Table, size: int, rows: int) -> None:
    """From a byte to the ceiling a value comes back whole, from as many rows as it needs."""
    value = a_value(size)

    table.manager(serializer=RAW, compress=size == 2 * MB)["k"] = value

    assert table.on_another_server().manager(serializer=RAW)["k"] == value
    assert len(table.rows()) == rows


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        *((s, n) for s, n in SIZES.items() if s in {ONE, ONE + 1, 2 * MB}),
        *(pytest.param(*one, marks=pytest.mark.long) for one in LONG.items()),
    ],
)
def test_a_session_keeps_values_of_every_size(table: Table, size: int, rows: int) -> None:
    """Large sessions are stored in chunks like cache values; an opaque text is not changed."""
    text = "!" + a_value(size).hex()[: size - 1]

    table.session(compress="false")["session"] = text

    assert table.session()["session"] == text
    assert len(table.rows()) == rows


@pytest.mark.long
def test_more_pieces_than_one_batch_reads(table: Table) -> None:
    """Over a hundred chunks are read in several batches of up to 16 MB each."""
    value = a_value(120 * MAX_ROW_DATA)
    large: dict[str, Any] = {"serializer": RAW, "max_value_size": "64MB"}

    table.manager(**large)["k"] = value

    assert table.manager(**large)["k"] == value
    assert len(table.rows()) == 122
    table.manager(**large).remove()
    assert table.rows() == []


@pytest.mark.parametrize("size", range(ONE - 4000, ONE + 500, 900))
def test_long_keys_and_names_count_for_the_limit(ranged: Table, size: int) -> None:
    """DynamoDB's limit of 409,600 bytes counts keys and names, too; no value is refused by it.

    The key is so long that it is hashed, and stored in clear in the same row.
    """
    key, namespace = "x" * 12_000, "n" * 512
    value = a_value(size)

    ranged.manager(namespace, serializer=RAW, compress=False)[key] = value

    assert ranged.manager(namespace, serializer=RAW)[key] == value


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
@pytest.mark.parametrize("length", [100_000, MAX_NAME, MAX_NAME + 1, 3_000_000])
def test_a_key_of_any_length_keeps_its_value(ranged: Table, length: int, letter: str) -> None:
    """A visitor's text may be a key: no length of it is an error, and the value is found by it.

    In clear it is stored as long as it leaves room for a value, so `keys()` names it.
    """
    key, value = letter * length, a_value(ONE * 2)

    ranged.manager(serializer=RAW, compress=False)[key] = value

    assert ranged.manager(serializer=RAW)[key] == value
    fits = len(key.encode()) <= MAX_NAME
    assert (ranged.manager(serializer=RAW).keys() == [key]) is fits
    del ranged.manager(serializer=RAW)[key]
    assert ranged.rows() == []


@pytest.mark.parametrize("size", range(ONE - 13_000, ONE + 1000, 2500))
def test_promoted_attributes_count_for_the_limit(plain: Table, size: int) -> None:
    """A session's special keys are in the row twice; no session is refused by that."""
    names = [f"key{n}" for n in range(10)]
    special = {name: random.Random(n).randbytes(1000).hex() for n, name in enumerate(names)}
    values = {"_creation_time": 1.0, **special, "rest": a_value(size).hex()[: size - 20_000]}
    options = {"special_keys": ", ".join(f"{n}:S" for n in names), "index_special_keys": "false"}

    plain.session(**options, compress="false")["session"] = text_of(values)

    assert values_of(plain.session(**options)["session"]) == values
    assert any(special["key9"] in str(row) for row in plain.rows())


def test_a_value_is_overwritten_by_smaller_and_larger_ones(table: Table) -> None:
    """After each write the last value is returned, and no chunk of the previous one is left."""
    rng = random.Random(7)
    sizes = [1, 3 * ONE, ONE, 2 * ONE, 2 * ONE, 10, ONE + 1]
    cache, session = table.manager(serializer=RAW, compress=False), "!"
    for size in sizes:
        value = rng.randbytes(size)
        cache["k"] = value
        table.session(compress="false")["session"] = session = "!" + value.hex()[:size]

        own = 1 if size <= ONE else 2 + (size + HEADER - 1) // MAX_ROW_DATA
        text = 1 if size < ONE else 2 + (size + HEADER) // MAX_ROW_DATA
        assert len(table.rows()) == own + text
        assert (cache["k"], table.session()["session"]) == (value, session)


def test_a_value_over_the_limit_is_refused_and_the_old_one_is_kept(table: Table) -> None:
    """Nothing over `max_value_size`, measured uncompressed, is stored; the error has both sizes."""
    cache = table.manager(serializer=RAW, max_value_size="1MB")
    cache["k"] = old = a_value(MB)
    table.session(max_value_size="1MB")["session"] = "old"
    before = table.keys()

    with pytest.raises(ItemTooLarge) as refused:
        cache["k"] = b"x" * (MB + 1)
    with pytest.raises(ItemTooLarge) as session:
        table.session(max_value_size="1MB")["session"] = "x" * (MB + 1)

    assert {(e.value.size, e.value.limit) for e in (refused, session)} == {(MB + 1, MB)}
    assert (table.keys(), cache["k"], table.session()["session"]) == (before, old, "old")


def test_compression_decides_first(table: Table) -> None:
    """2 MB of repetitive JSON is one row, for a cache and for a session."""
    rows = [{"name": "somebody", "role": "editor", "active": True}] * 40_000
    assert len(json.dumps(rows, separators=(",", ":"))) > 1.9 * MB

    table.cache(serializer="json")["k"] = rows
    table.session()["session"] = json.dumps(rows)

    assert table.cache(serializer="json")["k"] == rows
    assert json.loads(table.session()["session"]) == rows
    assert len(table.rows()) == 2


def test_a_reader_never_sees_a_mixture_of_two_writers(ranged: Table) -> None:
    """Two processes overwrite one large value again and again: each read is one of theirs, whole.

    At the end the value is one of the last two, and only its own chunks are left.
    """
    table = ranged.with_options(compress="false")
    cache = table.cache()
    cache["k"] = "o" * 900_000
    reads: list[str] = []
    with (
        subprocesses.worker("write", table, letter="a", size=900_000, times=6) as one,
        subprocesses.worker("write", table, letter="b", size=500_000, times=6) as other,
    ):
        assert [one.hear(), other.hear()] == [{"begun": True}] * 2
        while one.process.poll() is None or other.process.poll() is None:
            reads.append(cache.get("k", createfunc=Maker("miss")))
        assert [one.hear(), other.hear()] == [{"written": 6}] * 2

    sizes = {"o": 900_000, "a": 900_000, "b": 500_000}
    assert reads
    assert {len(set(read)) for read in reads} == {1}
    assert all(0 <= len(read) - sizes[read[0]] < 6 for read in reads)
    last = cache.get("k", createfunc=fail_if_called)
    assert len(last) == sizes[last[0]] + 5
    assert len(ranged.chunks) == -(-len(last) // MAX_ROW_DATA)
