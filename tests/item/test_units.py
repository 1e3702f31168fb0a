"""How many write units a session takes, also after it has been saved often."""

from __future__ import annotations

import base64
import pickle
import secrets

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.dynamodb.scan import count_billed_bytes
from beaker_dynamodb.dynamodb.table import serialize
from beaker_dynamodb.item.codec import COMPRESSED
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from benchmarks.visitors import make_session

KEY = base64.b64encode(bytes(32)).decode()


def save_often(values: dict[str, object], options: dict[str, str], times: int) -> list[int]:
    """Return the bytes of a session's item after each of its saves, as AWS counts them."""
    rows = build_rows(parse({"region": "us-east-1", **options}, "session"), "session")
    stamped = {"_domain": None, "_path": "/", "_accessed_time": 1.9e9, "_creation_time": 1.9e9}
    text = base64.b64encode(pickle.dumps({**stamped, **values}, 2))
    key = rows.layout.make_session_key(secrets.token_hex(16))
    rev, prev, sizes = make_rev(secrets.token_bytes(6), secrets.token_bytes(8), 1.9e9), b"", []
    for _ in range(times):
        record = rows.seal(Record(key, b"", rev, prev, 1_900_003_600), text)
        item = {name: serialize(v) for name, v in record.to_attributes(rows.schema).items()}
        sizes.append(count_billed_bytes(item | rows.table.format_key(key)))
        rev, prev = record.advance_rev(secrets.token_bytes(8))
    return sizes


@pytest.mark.parametrize(
    "options",
    [{}, {"encryption_keys": KEY}, {"compress": "fast"}],
    ids=["plain", "encrypted", "fast"],
)
def test_a_session_of_1500_bytes_is_one_write_unit_however_often_it_was_saved(
    options: dict[str, str],
) -> None:
    """docs/performance.md: "one unit in 40 of 40 cases"."""
    sizes = [save_often(make_session(1500, seed), options, 6) for seed in range(40)]

    assert all(size <= 1024 for saved in sizes for size in saved)


def test_revisions_and_previous_tokens_take_46_bytes() -> None:
    """docs/format.md; after five saves they do not grow any more."""
    first, *_, fifth, sixth = save_often(make_session(300), {}, 6)

    assert (fifth - first, sixth - fifth) == (24, 0)
    assert len("rev") + 19 + 24 == 46


@pytest.mark.parametrize(("length", "compressed"), [(10, False), (500, True)])
def test_a_special_key_counts_for_the_decision_to_compress(length: int, compressed: bool) -> None:
    """A session of 700 bytes is one unit alone, and two beside a long special key."""
    rows = build_rows(parse({"region": "us-east-1", "special_keys": "email"}, "session"), "session")
    rev = make_rev(bytes(6), bytes(8))
    record = Record(Key("sess:a"), b"", rev, promoted={"email": "e" * length})

    sealed = rows.seal(record, base64.b64encode(pickle.dumps({"x": "ab" * 350}, 2)))

    assert bool(sealed.data[2] & COMPRESSED) is compressed
