"""A planted entry of a source backend ends no import, and blocks no request."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis

from beaker_dynamodb.errors import CorruptItem
from beaker_dynamodb.migration.source import SourceBackend
from tests.migration.runs import run_import, summarize
from tests.migration.source_backends import plant
from tests.sessions.overlap import Browser, Site

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
PLANTED = "e" * 32


@pytest.fixture
def user(old: Site) -> Browser:
    """Return a user who has logged in before the migration."""
    return old.begin_session(user="ann")


def backend(kind: str, options: Mapping[str, str]) -> SourceBackend:
    """Give the place of the planted session in the old backend."""
    return SourceBackend(kind, tuple(options.items()), PLANTED, None)


@contextlib.contextmanager
def table(options: Mapping[str, str]) -> Iterator[sqlite3.Connection]:
    """Open the database of the old backend behind Beaker's back."""
    with contextlib.closing(sqlite3.connect(options["url"].partition(":///")[2])) as database:
        yield database
        database.commit()


@pytest.mark.parametrize("kind", ["ext:database"])
@pytest.mark.parametrize(
    "row",
    [
        (PLANTED, "2026-01-01 00:00:00", 10**12),
        (PLANTED, "2026-01-01 00:00:00", "a text"),
        (PLANTED, "2026-01-01 00:00:00", 1.5),
        (PLANTED, "yesterday", b"N."),
        (PLANTED, 5, b"N."),
        (PLANTED, "9999-12-31 23:59:59", b"N."),
        (5, "0001-01-01 00:00:00", b"N."),
        (b"\xff", "2026-01-01 00:00:00", b"N."),
    ],
)
def test_a_row_of_other_types_is_unreadable_and_the_rest_is_moved(
    kind: str,
    options: Mapping[str, str],
    user: Browser,
    new: Site,
    row: tuple[object, ...],
) -> None:
    """A database may take anything in any column, as SQLite does; a number is no length."""
    with table(options) as database:
        insert = "INSERT INTO beaker_cache (namespace, accessed, created, data) VALUES (?, ?, 0, ?)"
        database.execute(insert, row)

    assert summarize(run_import(kind, options, new)) == ["imported", "unreadable"]
    assert new.read_session(user) == {"user": "ann"}
    if row[0] == PLANTED:
        with pytest.raises(CorruptItem):
            backend(kind, options).read()


@pytest.mark.parametrize("kind", ["ext:redis"])
def test_a_list_in_redis_is_unreadable_and_the_rest_is_moved(
    kind: str, options: Mapping[str, str], user: Browser, new: Site
) -> None:
    """GET is refused for it, and that is no outage of Redis."""
    client = redis.Redis.from_url(options["url"])
    client.rpush(f"beaker_cache:{PLANTED}:session", "x")
    client.set(b"beaker_cache:\xff\xfe:session", b"N.")
    client.close()

    assert summarize(run_import(kind, options, new)) == ["imported", "unreadable", "unreadable"]
    assert new.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize("kind", ["dbm"])
@pytest.mark.parametrize("index", [b"garbage(", b"'session', (0, 10000000000000)\n", b"[" * 5000])
def test_a_dbm_of_another_kind_is_unreadable_and_the_rest_is_moved(
    kind: str, options: Mapping[str, str], user: Browser, new: Site, index: bytes
) -> None:
    """Python finds out by itself which kind it is, and parses an index that is a text."""
    path = plant("file", {"data_dir": options["data_dir"]}, PLANTED, b"")
    folder = Path(options["data_dir"], "container_dbm", *path.parts[-3:-1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{PLANTED}.dbm.dat").write_bytes(b"")
    (folder / f"{PLANTED}.dbm.dir").write_bytes(index)

    assert "imported" in summarize(run_import(kind, options, new))
    assert new.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize("kind", ["dbm"])
@pytest.mark.parametrize("end", ["", ".pag", ".dir", ".db"])
def test_a_pipe_among_the_files_of_a_dbm_does_not_block(
    kind: str, options: Mapping[str, str], user: Browser, new: Site, end: str
) -> None:
    """The library would open it, and wait for a writer."""
    path = plant(kind, options, PLANTED, b"N.")
    planted = path.with_name(path.name + end)
    planted.unlink(missing_ok=True)
    os.mkfifo(planted)

    with pytest.raises(CorruptItem):
        backend(kind, options).read()
    assert "imported" in summarize(run_import(kind, options, new))
    assert new.read_session(user) == {"user": "ann"}
