"""Whatever a source backend holds, an import yields an outcome for it and continues."""

from __future__ import annotations

import math
import os
import pickle
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.table import deserialize
from beaker_dynamodb.errors import digest
from beaker_dynamodb.item.eligibility import Importable, ImportPolicy, decide_import
from beaker_dynamodb.item.record import Schema
from beaker_dynamodb.migration.bulk import Imported, import_sessions
from beaker_dynamodb.migration.readers import connect as connect_reader
from beaker_dynamodb.migration.readers import create_reader
from beaker_dynamodb.migration.readers.connect import ConnectReader, read_items
from beaker_dynamodb.migration.readers.reader import (
    YEAR_5000,
    SourceSession,
    parse_lifetime,
    parse_number,
    parse_timestamp,
)
from tests.dynamodb.scripted_client import Script
from tests.migration.odd_entries import anything, contents, plain, texts, write_pickle
from tests.migration.runs import where
from tests.migration.source_backends import create_backend
from tests.sessions.overlap import Site

NOW = 1_700_000_000.0
LAW = settings(max_examples=200, derandomize=True, deadline=None)
#: Each example meets real servers; the store is emptied before each.
REAL = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
GOOD = "good" * 8
WHYS = {
    "expired",
    "logged out",
    "no session",
    "unreadable",
    "too large",
    "already there",
    "rows of beaker_dynamodb",
}


def run(kind: str, options: Mapping[str, str], new: Site, timeout: float | None = None) -> None:
    """Import everything twice; the good session is moved, and each other one has its reason."""
    fresh = {row["id"]["S"] for row in new.rows()}
    for ident in fresh:
        new.raw.delete_item(TableName=new.table, Key={"id": {"S": ident}})
    done = list(import_sessions(create_reader(kind, options, timeout), where(new), timeout=timeout))

    assert digest(GOOD) in {one.session for one in done if isinstance(one, Imported)}
    for one in done:
        assert isinstance(one, Imported) or one.reason in WHYS
        assert isinstance(one, Imported) or one.reason != "unreadable" or one.detail


def good() -> str:
    """Write the text of a session that is live."""
    return write_pickle({"_accessed_time": time.time(), "_creation_time": 1.0, "user": "ann"})


# Numbers


@LAW
@given(st.one_of(anything, texts))
def test_a_number_of_a_foreign_store_is_finite_and_bounded(value: object) -> None:
    """Or it is None, for a value of any type."""
    number, stamp, life = parse_number(value), parse_timestamp(value), parse_lifetime(value)

    assert number is None or math.isfinite(number)
    assert stamp is None or 0 <= stamp <= YEAR_5000
    assert life is None or 0 < life < 1e10
    assert isinstance(value, (str, int, float)) or number is None


@LAW
@given(st.integers(100_000_000, 20_000_000_000))
def test_seconds_and_milliseconds_as_number_and_as_text_are_one_time(seconds: int) -> None:
    """From 1973 to 2603."""
    same = {parse_timestamp(form(one)) for one in (seconds, seconds * 1000) for form in (int, str)}

    assert same == {float(seconds)}


# connect-dynamodb


typed = st.recursive(
    st.one_of(
        st.sampled_from(
            ["0", "-1", "1E+125", "-9.9E+125", "1E-130", "9" * 38, "NaN", "sNaN", "Infinity"]
        ).map(lambda text: {"N": text}),
        st.sampled_from(["1E+999999", "x", "9" * 5000, "1700000000000"]).map(lambda t: {"N": t}),
        texts.map(lambda text: {"S": text}),
        st.binary(max_size=9).map(lambda raw: {"B": raw}),
        st.booleans().map(lambda answer: {"BOOL": answer}),
        st.just({"NULL": True}),
        st.just({}),
        st.just({"SS": ["a", "b"]}),
        st.just({"NS": ["1", "1E+125", "x"]}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: {"L": each}),
        st.dictionaries(st.text(max_size=5), inner, max_size=3).map(lambda each: {"M": each}),
    ),
    max_leaves=6,
)
SESS = (
    '{"user": "ann"}',
    '{"user": "\\ud800"}',
    '{"user": ' + "[" * 100_000,
    '{"user": ' + "[" * 900 + "]" * 900 + "}",
    '{"user": ' + "9" * 10_000 + "}",
    '{"user": 1e999, "_accessed_time": []}',
    *(
        f'{{"cookie": {{"originalMaxAge": {age}, "expires": 5}}}}'
        for age in ("0", "-1", "1e999", "NaN", "9" * 400, "true", '"3600000"', "null", "[]")
    ),
    '{"cookie": 5}',
    "[]",
    "null",
)


def connect(serializer: str, timeout: float | None) -> ConnectReader:
    """Give the reader of a table of connect-dynamodb; no call is made."""
    reader = create_reader("connect-dynamodb", {"serializer": serializer}, timeout)
    assert isinstance(reader, ConnectReader)
    return reader


def decide(session: SourceSession, timeout: float | None) -> Importable | str:
    """Decide about an entry that a reader has yielded, as an import does."""
    if session.error:
        return session.error
    policy = ImportPolicy(timeout, 86400 if timeout is None else timeout + 120, 10**6, Schema())
    return decide_import(session.text, policy, NOW, source_expires=session.expires)


@LAW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sess": st.one_of(typed, st.sampled_from(SESS).map(lambda text: {"S": text})),
            "expires": typed,
            "data": typed,
            "rev": typed,
        },
    ),
    st.sampled_from(["json", "pickle"]),
    st.sampled_from([None, 3600.0]),
)
def test_any_item_of_a_foreign_table_is_read_or_told(
    item: dict[str, Any], serializer: str, timeout: float | None
) -> None:
    """Each ends as a session with a time to live, or with a reason."""
    values = {name: deserialize(typed) for name, typed in item.items()}
    found = connect(serializer, timeout).read("a", values, NOW)
    decided = decide(found, timeout)

    assert isinstance(decided, Importable) or decided in WHYS
    assert found.error != "unreadable" or found.detail
    assert found.expires is None or 0 <= found.expires <= YEAR_5000


@pytest.mark.parametrize("number", ["9" * 10**6, "1E+999999", "nan", "many", None, ""])
def test_a_number_that_dynamodb_could_not_hold_is_no_expiry(number: Any) -> None:
    """A broken or hostile server in front of the old table ends no import."""
    item = {"sess": "{}", "expires": deserialize({"N": number})}
    read = connect("json", None).read("a", item, NOW)
    assert read.detail.startswith("its expiry is not a number")


KINDS = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "", "X")
#: What a broken server or an emulator may send in the place of a typed value.
untyped = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
    | st.binary(max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KINDS), st.integers()), inner, max_size=2),
    ),
    max_leaves=8,
)


@settings(LAW, max_examples=1000)
@given(untyped, st.sampled_from(KINDS))
@example(None, "NULL")
@example([None], "L")
@example({"S": None}, "M")
@example([[]], "SS")
@example("abc", "N")
@example(None, "N")
@example({}, "N")
def test_a_typed_value_of_any_shape_ends_no_import(content: object, kind: str) -> None:
    """Every item is read, and becomes a session or a reason; nothing is raised."""
    items = [
        {"id": {"S": "a"}, "sess": {kind: content}, "expires": {kind: content}},
        {"id": {"S": "a"}, "sess": {"S": "{}"}, "expires": {kind: content}},
        {"id": {"S": "a"}, "sess": content, "data": content, "rev": {kind: content}},
    ]
    script = Script(Scan={"Items": items})
    with patch.object(connect_reader, "get_client", lambda _: script.client):
        read = list(read_items(Options()))
    assert [item.keys() for item in read] == [item.keys() for item in items]
    for item in read:
        assert isinstance(
            decide(connect("json", None).read("a", item, NOW), None), (Importable, str)
        )


@pytest.mark.parametrize(
    ("expires", "became"),
    [
        ({"N": str(int(NOW) + 60)}, int(NOW) + 60),
        ({"S": str(int(NOW) + 60)}, int(NOW) + 60),
        ({"N": str((int(NOW) + 60) * 1000)}, int(NOW) + 60),
        ({"S": str((int(NOW) + 60) * 1000)}, int(NOW) + 60),
        ({"N": str((int(NOW) - 3600) * 1000)}, "expired"),
        ({"S": str(int(NOW) - 3600)}, "expired"),
        ({"N": "-1"}, "expired"),
        ({"N": "1E+125"}, "its expiry is not a number of seconds or milliseconds"),
        ({"S": "soon"}, "its expiry is not a number of seconds or milliseconds"),
        ({"BOOL": True}, "its expiry is not a number of seconds or milliseconds"),
        (None, "it has no expiry"),
    ],
)
def test_an_expiry_of_older_versions_of_connect_dynamodb_is_understood(
    expires: dict[str, Any] | None, became: int | str
) -> None:
    """As a text, in milliseconds, or both; otherwise the entry is unreadable, with the reason."""
    item: dict[str, object] = {"sess": '{"user": "ann"}'}
    if expires is not None:
        item["expires"] = deserialize(expires)
    found = connect("json", None).read("a", item, NOW)
    decided = decide(found, None)

    assert became == (
        decided.expires if isinstance(decided, Importable) else found.detail or decided
    )


# Files, redis and a database, with real ones


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for one example after the other."""
    yield tmp_path
    shutil.rmtree(tmp_path / "container_file", ignore_errors=True)


def file_of(folder: Path, name: str) -> Path:
    """Give the path of a session's file, as Beaker lays it."""
    path = folder / "container_file" / name[0] / name[:2] / f"{name}.cache"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("timeout", [None, 3600])
@REAL
@given(st.lists(contents, min_size=1, max_size=8))
def test_any_file_is_read_or_told(
    new: Site, folder: Path, timeout: float | None, entries: list[bytes]
) -> None:
    """Times of the file itself are odd, too; a folder or a pipe of that name cannot be read."""
    shutil.rmtree(folder / "container_file", ignore_errors=True)
    for n, entry in enumerate(entries):
        file_of(folder, f"{n:032x}").write_bytes(entry)
        os.utime(file_of(folder, f"{n:032x}"), (-(10**10), (-1, 0, 10**11, NOW)[n % 4]))
    file_of(folder, "d" * 32).mkdir()
    os.mkfifo(file_of(folder, "e" * 32))
    file_of(folder, "f" * 32).symlink_to(folder / "nowhere")
    file_of(folder, GOOD).write_bytes(good_pickle())

    run("file", {"data_dir": str(folder)}, new, timeout)


def good_pickle() -> bytes:
    """Return the good session as a file or a database's column holds it."""
    return pickle.dumps({"session": good()}, 2)


@pytest.mark.parametrize("timeout", [None, 3600])
@REAL
@given(st.lists(st.one_of(contents, st.just("a list"), st.just("a hash")), min_size=1, max_size=8))
def test_any_plain_value_redis_is_read_or_told(
    new: Site, redis_url: str, tmp_path: Path, timeout: float | None, entries: list[Any]
) -> None:
    """Types other than a string, and lives that end beyond all calendars."""
    options = create_backend("ext:redis", tmp_path, redis_url)
    client = redis.Redis.from_url(redis_url)
    for n, entry in enumerate(entries):
        key = f"beaker_cache:{n}:session"
        if entry == "a list":
            client.rpush(key, "x")
        elif entry == "a hash":
            client.hset(key, "session", "x")
        else:
            client.set(key, entry)
        if n % 2:
            client.pexpire(key, 2**52)
    client.set(b"beaker_cache:\xff\x00:session", b"x")
    client.set(f"beaker_cache:{GOOD}:session", pickle.dumps(good(), 2))
    client.close()

    run("ext:redis", options, new, timeout)


columns = st.one_of(
    plain.filter(lambda one: not isinstance(one, int) or abs(one) < 2**63), contents
)


@pytest.mark.parametrize("timeout", [None, 3600])
@REAL
@given(st.lists(st.tuples(columns, columns, st.one_of(columns, contents)), max_size=8))
@example([(None, None, None), ("a", "2024-13-45", b"x"), ("b", b"\xff", 10**15), ("c", 1.5, "x")])
def test_any_row_of_a_database_is_read_or_told(
    new: Site, tmp_path: Path, timeout: float | None, entries: list[tuple[Any, ...]]
) -> None:
    """NULL, other types than the columns', bytes that are no text: that row, and no other."""
    path = tmp_path / "sessions.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        database.execute(
            "create table beaker_cache (id integer primary key, namespace, accessed, data)"
        )
        insert = "insert into beaker_cache (namespace, accessed, data) values (?, ?, ?)"
        for entry in entries:
            database.execute(insert, [storable(one) for one in entry])
        database.execute(insert.replace("?", "cast(x'ff' as text)", 1), ("2024-01-01", b"x"))
        database.execute(insert, (GOOD, "2024-01-01 00:00:00.000000", good_pickle()))
    database.close()

    run("ext:database", {"url": f"sqlite:///{path}"}, new, timeout)


def storable(value: object) -> object:
    """Return a value that SQLite can bind: no text with a lone surrogate."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
