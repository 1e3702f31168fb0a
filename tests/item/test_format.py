"""A row of format 1 as release 1.0 writes it is read for ever.

`golden_rows.json` holds one row of each kind: never change one, add. Bytes are in hex.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.item.codec import BASE64, CHUNKS, COMPRESSED, DICTIONARY, ENCRYPTED
from beaker_dynamodb.item.dictionary import DICTIONARIES
from beaker_dynamodb.item.record import Record

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("golden_rows.json").read_text("utf-8")
)
KEY = base64.b64encode(bytes(range(32))).decode()
FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "format.md"


def read_item(name: str) -> dict[str, dict[str, Any]]:
    """Return a golden row in AWS's types."""
    return {
        attribute: {kind: bytes.fromhex(one) if kind == "B" else one for kind, one in typed.items()}
        for attribute, typed in GOLDEN[name]["item"].items()
    }


def open_rows(name: str) -> Rows:
    """Return the rows of a session, or of a cache."""
    options = {"region": "us-east-1", "encryption_keys": KEY, "encryption_required": "false"}
    if GOLDEN[name]["kind"] in {"value", "lock"}:
        return build_rows(parse(options, "cache"), "cache")
    return build_rows(parse({**options, "special_keys": "userId:S,visits:N"}, "session"), "session")


def parse_row(name: str) -> Record:
    """Return a golden row as it is read."""
    rows, item = open_rows(name), read_item(name)
    return rows.table.parse_item(rows.table.parse_key(item), item)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_row_of_release_1_0_is_read(name: str) -> None:
    """Its key says what it is, its value opens, and its attributes are those that we write."""
    rows, record, golden = open_rows(name), parse_row(name), GOLDEN[name]

    assert rows.layout.classify(record.key) == golden["kind"]
    assert rows.table._serialize(record) == read_item(name)
    if golden["value"] is not None:
        assert rows.open(record) == golden["value"].encode("latin-1")


def test_the_parts_of_a_revision_are_read() -> None:
    """Start, birth and token, and four previous tokens, the latest first."""
    old, new = parse_row("a session with four previous tokens"), parse_row("a new session")

    assert (new.start, new.birth, new.prev) == (1_900_000_000, b"birth!", b"")
    assert (old.start, old.birth) == (1_900_000_000, b"birth!")
    assert [old.has_token(b"token--%d" % number) for number in (6, 5, 4, 3, 2)] == [True] * 5
    assert parse_row("a creation lock").start is None


def test_tombstones_and_manifests_are_recognized() -> None:
    """By the first bytes of their data."""
    deleted, rotated = parse_row("a deleted session"), parse_row("a rotated session")

    assert (deleted.is_tombstone, deleted.is_rotated) == (True, False)
    assert (rotated.is_tombstone, rotated.is_rotated) == (True, True)
    assert parse_row("the manifest of a large session").chunk_count == 2
    assert parse_row("a cache value").early == 250
    assert parse_row("a cache value with a long key").name == "caf\xe9"


def test_there_is_a_row_of_each_kind_flag_and_dictionary() -> None:
    """Whoever adds one adds a row."""
    whole = [name for name in GOLDEN if GOLDEN[name]["kind"] != "chunk"]
    flags = [read_item(name)["data"]["B"][2:3] for name in whole]
    found = {flag[0] for flag in flags if flag}

    assert {golden["kind"] for golden in GOLDEN.values()} == {
        *("session", "marker", "chunk", "value", "lock")
    }
    for flag in (COMPRESSED, ENCRYPTED, BASE64, CHUNKS):
        assert any(one & flag for one in found)
    assert {one // DICTIONARY for one in found} == set(DICTIONARIES)


def test_the_page_about_the_format_names_the_dictionary() -> None:
    """docs/format.md has the SHA-256 of each."""
    page = FORMAT_PAGE.read_text("utf-8")

    for number, dictionary in DICTIONARIES.items():
        assert number == 0 or f"`{hashlib.sha256(dictionary).hexdigest()}`" in page
