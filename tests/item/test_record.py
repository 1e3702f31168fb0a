"""A row is read as it was written, no larger than it is counted, and expires to the second."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.errors import CorruptItem, digest
from beaker_dynamodb.item.codec import ROTATED, SESSION, TOMBSTONE, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import (
    MAX_EXPIRES,
    MAX_PENDING,
    Record,
    Schema,
    compute_expiry,
    from_attributes,
)
from beaker_dynamodb.item.revision import get_start
from tests.revisions import make_prev, make_rev, make_token

LAW = settings(max_examples=100, derandomize=True, deadline=None)

ID = "6f1ed002ab5595859014ebf0951522d9"
KEY = Key(f"sess:{ID}")
SCHEMA = Schema("ttl", (("userId", "S"), ("visits", "N"), ("token", "B")))

promoted = st.fixed_dictionaries(
    {},
    optional={
        "userId": st.text(min_size=1),
        "visits": st.decimals(allow_nan=False, allow_infinity=False),
        "token": st.binary(min_size=1),
    },
)
records = st.builds(
    lambda **fields: Record(**fields),  # noqa: PLW0108  # else all fields of the tuple are drawn
    key=st.just(KEY),
    data=st.binary(),
    rev=st.binary(min_size=19, max_size=19),
    prev=st.integers(0, 4).flatmap(lambda n: st.binary(min_size=5 * n, max_size=5 * n)),
    expires=st.none() | st.integers(1, MAX_EXPIRES),
    name=st.none() | st.text(),
    promoted=promoted,
    early=st.integers(0, 999),
    pending=st.text(max_size=MAX_PENDING),
)


def as_read(record: Record, schema: Schema = SCHEMA) -> dict[str, Any]:
    """Write a record's attributes as the client may read them: every number is a Decimal."""
    found = record.to_attributes(schema)
    return {n: Decimal(v) if isinstance(v, int) else v for n, v in found.items()}


@LAW
@given(records)
def test_a_row_is_read_as_it_was_written(record: Record) -> None:
    """Key, data, revision, previous tokens, expiry, name and promoted keys are unchanged."""
    assert from_attributes(KEY, as_read(record), SCHEMA) == record


def test_a_row_stores_only_what_it_has() -> None:
    """None and empty values are no attributes; without an expiry a row never expires."""
    record = Record(KEY, b"data", make_rev("b.t"))

    assert record.to_attributes(SCHEMA) == {"data": b"data", "rev": make_rev("b.t")}


def test_a_row_is_stored_under_the_documented_names() -> None:
    """The attributes' names are what other releases and `doctor` read; only the TTL's varies."""
    record = Record(KEY, b"d", make_rev("b.t"), make_prev("p q"), 100, "clear", {"userId": "joe"})

    assert record.to_attributes(SCHEMA) == {
        "data": b"d",
        "rev": make_rev("b.t"),
        "prev": make_prev("p q"),
        "ttl": 100,
        "cache_key": "clear",
        "userId": "joe",
    }


@pytest.mark.parametrize(
    ("expires", "now", "live"),
    [
        (100, 99, True),
        (100, 99.999, True),
        (100, 100, False),
        (100, 100.001, False),
        (100, 1e12, False),
        (None, 1e12, True),
        (0, 0.5, False),
        (-5, 0.5, False),
    ],
)
def test_an_expired_session_is_absent_from_its_second_on(
    expires: int | None, now: float, live: bool
) -> None:
    """A row is live before `expires` and absent at exactly `expires`; without one, for ever."""
    assert Record(KEY, b"", make_rev("b.t"), expires=expires).is_live(now) is live


GOOD: Mapping[str, object] = {
    "data": b"d",
    "rev": make_rev("b.t"),
    "prev": make_prev("p"),
    "ttl": Decimal(100),
    "cache_key": "n",
}
WRONG: tuple[object, ...] = (
    None,
    True,
    Decimal(5),
    5,
    5.0,
    "text",
    b"bytes",
    bytearray(b"bytes"),
    ["list"],
    {"map": "x"},
    {"NULL": True},
    {"x"},
)


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("name", GOOD)
def test_a_row_with_an_attribute_of_another_type_is_corrupt(name: str, value: object) -> None:
    """A wrong type is CorruptItem, never a guess and never another exception; it names no id."""
    wanted: dict[str, tuple[type, ...]] = {
        "data": (bytes,),
        "rev": (),  # bytes of another length
        "prev": (bytes,),
        "ttl": (int, Decimal, type(None)),
        "cache_key": (str, type(None)),
    }
    if type(value) in wanted[name]:
        assert from_attributes(KEY, {**GOOD, name: value}, SCHEMA).key == KEY
        return

    with pytest.raises(CorruptItem) as caught:
        from_attributes(KEY, {**GOOD, name: value}, SCHEMA)

    assert caught.value.item == digest(KEY.hash)
    assert ID not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("data", "text", "an attribute is missing or of another type"),
        ("rev", b"short", "its revision is of another length"),
        ("ttl", "soon", "its expiry is not a number"),
        ("ttl", Decimal("NaN"), "its expiry is not a number"),
        ("cache_key", b"bytes", "an attribute is of another type"),
        ("early", "x", "it expires early by more than a second"),
        ("early", -1, "it expires early by more than a second"),
        ("early", 1000, "it expires early by more than a second"),
    ],
)
def test_the_error_of_a_corrupt_row_says_what_is_wrong(
    name: str, value: object, wrong: str
) -> None:
    """The operator who looks for the row gets its digest and the reason."""
    with pytest.raises(CorruptItem) as caught:
        from_attributes(KEY, {**GOOD, name: value}, SCHEMA)

    assert str(caught.value) == str(CorruptItem(digest(KEY.hash), wrong))
    assert caught.value.item == digest(KEY.hash)


@pytest.mark.parametrize("name", ["data", "rev"])
def test_a_row_without_data_or_rev_is_corrupt(name: str) -> None:
    """A row of another program raises CorruptItem, never a KeyError."""
    with pytest.raises(CorruptItem):
        from_attributes(KEY, {n: v for n, v in GOOD.items() if n != name}, SCHEMA)


@pytest.mark.parametrize("name", ["rev", "prev"])
def test_a_row_whose_revisions_are_of_another_length_is_corrupt(name: str) -> None:
    """A revision has 19 bytes, and the previous tokens 5 each, at most four.

    Under a longer `rev` no chunk could be read: AWS refuses such a key, and a cache would raise.
    """
    right = {"rev": {19}, "prev": {0, 5, 10, 15, 20}}[name]

    for size in (*range(30), 1000):
        row = {**GOOD, name: bytes(size)}
        if size in right:
            assert from_attributes(KEY, row, SCHEMA)
            continue
        with pytest.raises(CorruptItem):
            from_attributes(KEY, row, SCHEMA)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_promoted_attribute_of_a_wrong_type_is_left_out(value: object) -> None:
    """Sessions are never read from promoted copies, so a wrong one does no harm."""
    found = from_attributes(KEY, {**GOOD, "userId": value}, SCHEMA)

    kept = type(value) in {str, bytes, int, Decimal}
    assert found.promoted == ({"userId": value} if kept else {})


def test_a_fraction_of_a_second_lets_nobody_out_early() -> None:
    """An expiry that is no integer, of another program, is rounded up."""
    assert from_attributes(KEY, {**GOOD, "ttl": Decimal("100.2")}, SCHEMA).expires == 101


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (MAX_EXPIRES, MAX_EXPIRES),
        (MAX_EXPIRES + 1, MAX_EXPIRES),
        (Decimal("9.9e125"), MAX_EXPIRES),
        (Decimal("-9.9e125"), 0),
        (-1, 0),
        (0, 0),
        (Decimal("0.5"), 1),
    ],
)
def test_an_expiry_beyond_all_measure_is_read_as_the_last_or_the_first_second(
    stored: Decimal | int, read: int
) -> None:
    """A number that DynamoDB can store has up to 126 digits; no sum and no text gets so long."""
    assert from_attributes(KEY, {**GOOD, "ttl": stored}, SCHEMA).expires == read


@pytest.mark.parametrize("early", [0, 999, Decimal(999)])
def test_a_cache_row_expires_to_the_millisecond(early: Decimal | int) -> None:
    """The milliseconds by which its expiry was rounded up are taken from it again."""
    row = from_attributes(KEY, {**GOOD, "early": early}, SCHEMA)
    end = 100 - int(early) / 1000

    assert (row.early, row.expires_exactly) == (early, end)
    assert (row.is_live(end - 0.0005), row.is_live(end)) == (True, False)


@pytest.mark.parametrize(
    ("start", "max_age", "created_after", "ends_at"),
    [
        (1000, None, None, None),
        (1000, 60.0, None, 1060.0),
        (1000, None, 1000.0, None),
        (1000, None, 1000.5, 0.0),
        (1000, 60.0, 999.0, 1060.0),
        (1000, 60.0, 1001.0, 0.0),
        (None, 60.0, None, None),
        (None, None, 5.0, 0.0),
    ],
)
@pytest.mark.parametrize("kind", [SESSION, TOMBSTONE, ROTATED])
def test_the_options_end_a_session_by_its_start(
    start: float | None,
    max_age: float | None,
    created_after: float | None,
    ends_at: float | None,
    kind: int,
) -> None:
    """A session without a start began before every `created_after`; a tombstone does not end."""
    rev = make_rev("b.t", start)
    data = Codec(kind).seal(b"", EncryptionContext(KEY, rev, None))
    schema = Schema(max_age=max_age, created_after=created_after)

    row = from_attributes(KEY, {"data": data, "rev": rev}, schema)

    assert row.ends_at == (ends_at if kind == SESSION else None)
    if row.ends_at:
        assert (row.is_live(row.ends_at - 1), row.is_live(row.ends_at)) == (True, False)


def test_a_lost_reply_is_recognized_by_its_token() -> None:
    """`wrote` finds a token in rev and in each of prev, and neither the birth nor a part of one."""
    record = Record(KEY, b"", make_rev("birth.last", 1.9e9), make_prev("former older"))
    unknown = [*(make_token(name) for name in ("birth", "las", "x")), b"", record.rev, b"oldermer"]

    assert (record.birth, record.start) == (b"birth\0", 1_900_000_000)
    assert [record.has_token(make_token(t)) for t in ("last", "former", "older")] == [True] * 3
    assert [record.has_token(token) for token in unknown] == [False] * 5 + [True]
    assert record.list_previous_tokens() == (b"forme", b"older")


@pytest.mark.parametrize(("start", "expected"), [(None, 1000), (5000.5, 5000), (0.0, 1), (1.9, 1)])
def test_a_write_keeps_the_birth_and_remembers_the_last_token(
    start: float | None, expected: int
) -> None:
    """A session that begins anew has another start, and is the same session."""
    old = Record(KEY, b"", make_rev("birth.last", 1000), make_prev("a b c d"))

    rev, prev = old.advance_rev(make_token("new"), start)

    assert (rev, get_start(rev)) == (make_rev("birth.new", expected), expected)
    assert prev == make_prev("last a b c")


@LAW
@given(records, st.none() | st.text(alphabet="#:ab"))
def test_a_row_is_never_larger_than_it_is_counted(record: Record, range_key: str | None) -> None:
    """The count of everything but the data is never too low, by AWS's rules, nor far too high."""
    record = record._replace(key=Key(KEY.hash, range_key))
    found = {**record.to_attributes(SCHEMA), "data": b"", "id": KEY.hash}
    if range_key is not None:
        found |= {"": range_key}
    numbers = [len(str(value)) for value in found.values() if isinstance(value, (int, Decimal))]
    texts = [v.encode() if isinstance(v, str) else v for v in found.values()]
    plain = sum(len(value) for value in texts if isinstance(value, bytes))
    actual = sum(len(name) for name in found) + plain + sum(1 + (n + 1) // 2 for n in numbers)

    assert actual <= record.count_other_bytes(SCHEMA) <= actual + sum(numbers) + 23


def test_a_log_line_shows_no_payload_of_a_row() -> None:
    """The repr of a record shows neither id, data, name nor promoted values."""
    said = repr(
        Record(KEY, b"secret", make_rev("b.t"), name="secret", promoted={"userId": "secret"})
    )

    assert "secret" not in said
    assert ID not in said


@pytest.mark.parametrize(
    ("lifetime", "max_age", "expected"),
    [(None, None, None), (10.0, None, 160.0), (None, 70.0, 170.0), (10.0, 50.0, 150.0)],
)
def test_a_row_expires_at_the_earlier_limit(
    lifetime: float | None, max_age: float | None, expected: float | None
) -> None:
    """The lifetime counts from now on, the longest age from the start."""
    assert compute_expiry(150.0, lifetime, 100.0, max_age) == expected
    if max_age is not None:  # one whose start is unknown begins now
        assert compute_expiry(100.0, None, None, max_age) == 100.0 + max_age


@pytest.mark.parametrize("pending", [b"now", "x" * 400])
def test_a_note_that_cannot_be_one_is_dropped(pending: object) -> None:
    """It is not worth a user's session."""
    item = {"data": b"data", "rev": make_rev("birth.token"), "pending": pending}

    assert from_attributes(KEY, item, SCHEMA).pending == ""
    longest = "x" * MAX_PENDING
    assert from_attributes(KEY, item | {"pending": longest}, SCHEMA).pending == longest
