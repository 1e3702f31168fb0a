"""A row that claims four billion chunks: nothing that meets it allocates or sends that many."""

from __future__ import annotations

import time
from typing import Any

import pytest

from beaker_dynamodb.errors import ItemTooLarge
from beaker_dynamodb.item.chunks import MAX_ROW_DATA, compute_max_chunks, count_chunks, split
from beaker_dynamodb.item.codec import SESSION, VALUE, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import logout, purge, sessions
from tests.caches import tables
from tests.instruments import Recorder
from tests.ops import example_apps
from tests.revisions import make_rev

#: As a manifest says it: 2^32 - 1, and what a table of small values could not hold either.
CLAIMS = [0xFFFF_FFFF, 0x7FFF_FFFF, 10_000]
#: What `remove` and the like may send at most: the row, and the chunks of a value of 16 MB.
MAX_CALLS = compute_max_chunks(16 * 1024 * 1024) + 10
NOW = time.time()


def forge_manifest(kind: int, claim: int) -> bytes:
    """Write a manifest that claims so many chunks."""
    manifest, _ = split(bytes((1, kind, 0, 0)) + b"x" * 100)
    return manifest[:4] + claim.to_bytes(4, "big") + manifest[8:]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("size", [1, 64 * 1024, 16 * 1024 * 1024])
def test_a_claim_is_bounded_where_it_is_read(claim: int, size: int) -> None:
    """Whoever goes by the number of chunks goes by at most one more than a value can have."""
    assert (
        count_chunks(forge_manifest(SESSION, claim), compute_max_chunks(size))
        <= compute_max_chunks(size) + 1
    )


@pytest.mark.parametrize("spare", [-50, -45, -44, -37, -36, -8, -7, -1, 0, 1])
@pytest.mark.parametrize("keys", [(), (b"k" * 32,)], ids=["plain", "encrypted"])
def test_a_value_of_the_largest_size_is_never_taken_for_a_forged_one(
    spare: int, keys: tuple[bytes, ...]
) -> None:
    """What sealing adds may take one more chunk: what is stored can be read again."""
    size = 2 * MAX_ROW_DATA + spare
    codec = Codec(VALUE, compress=False, max_size=size, keys=keys, random_bytes=bytes)
    sealed = codec.seal(b"x" * size, EncryptionContext(Key("a"), make_rev("b.t"), None))

    assert len(split(sealed)[1]) <= compute_max_chunks(size)


def plant(table: tables.Table, kind: int, claim: int) -> None:
    """Turn the only row of a table into a manifest that claims so many chunks."""
    (row,) = table.rows()
    table.change(row, data={"B": forge_manifest(kind, claim)})


REMOVALS: dict[str, Any] = {
    "put": lambda cache: cache.put("k", "new"),
    "remove_value": lambda cache: cache.remove_value("k"),
    "clear": lambda cache: cache.clear(),
    "get": lambda cache: cache.get("k", createfunc=lambda: "new"),
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("what", REMOVALS)
@pytest.mark.parametrize("range_key", ["", "part"])
def test_a_cache_goes_on_over_a_forged_row(
    dynamodb_local: str, table_name: str, calls: Recorder, claim: int, what: str, range_key: str
) -> None:
    """It is replaced or removed by as many calls as a real value would take at most."""
    options = {"range_key": range_key} if range_key else {}
    table = tables.Table(dynamodb_local, table_name, options).make()
    cache = table.cache()
    cache.put("k", "old")
    plant(table, VALUE, claim)
    calls.clear()

    REMOVALS[what](cache)

    assert len(calls) <= MAX_CALLS
    assert cache.get("k", createfunc=lambda: "made") in {"new", "made"}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("range_key", ["", "part"])
def test_all_sessions_of_a_user_are_logged_out_beside_a_forged_one(
    dynamodb_local: str, table_name: str, calls: Recorder, claim: int, range_key: str
) -> None:
    """A load says that it is too large; revoke, delete and purge end, and end every session."""
    options = {"range_key": range_key} if range_key else {}
    site = example_apps.ExampleApp.create(dynamodb_local, table_name, **options)
    for ident in ("a" * 32, "b" * 32, "c" * 32):
        site.save(ident, userId="ann")
    site.expire("gone", userId="ann")
    for row in tables.Table(dynamodb_local, table_name, options).rows():
        table = tables.Table(dynamodb_local, table_name, options)
        if "b" * 32 not in str(row["id"]):
            table.change(row, data={"B": forge_manifest(SESSION, claim)})

    with pytest.raises(ItemTooLarge):
        site.manager("a" * 32)["session"]
    rows = site.rows
    seen = logout.find_row(rows, "c" * 32)
    assert seen is not None
    calls.clear()
    logout.delete(rows, seen, NOW)
    assert len(calls) <= MAX_CALLS

    gone = list(logout.revoke(rows, "userId=ann", NOW))
    assert {one.id for one in gone} >= {"a" * 32, "b" * 32}
    assert list(sessions.find_sessions(rows, "userId=ann", NOW)) == []
    *_, done = purge.purge(rows, NOW * 2)
    assert done.changed_rows == 0
    assert len(calls) <= 4 * MAX_CALLS
    assert site.idents() == set()
