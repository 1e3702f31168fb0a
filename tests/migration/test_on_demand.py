"""The row that is written for an old session, and what becomes of it if there is one already."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import pytest
from beaker.container import FileNamespaceManager
from beaker.util import JsonSerializer, PickleSerializer

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Row, Rows, build_rows
from beaker_dynamodb.dynamodb.table import At, NoLiveRow
from beaker_dynamodb.errors import Unavailable
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import BIRTH_SIZE, TOKEN_SIZE, make_rev
from beaker_dynamodb.migration.on_demand import LegacySession, create_row, derive_birth
from beaker_dynamodb.provisioning import tables
from beaker_dynamodb.runtime import Runtime
from tests.instruments import Clock
from tests.servers import REGION

ID, KEY, NOW = "a" * 32, Key("sess:" + "a" * 32), 1_700_000_000.5
HOUR = 3600


@pytest.fixture
def options(dynamodb_local: str, table_name: str, tmp_path: Path) -> dict[str, Any]:
    """Return the options of an application that moves from files; its table is there."""
    own: dict[str, Any] = {"endpoint_url": dynamodb_local, "region": REGION, "table": table_name}
    tables.create(parse(own, "session"))
    place = {"migrate_from": "file", "migrate_from.data_dir": str(tmp_path)}
    return {**own, **place, "special_keys": "user:S"}


def make_rows(options: dict[str, Any]) -> Rows:
    """Return the rows of the table, at a moment that does not pass."""
    return build_rows(parse(options, "session"), "session", Runtime(clock=Clock(NOW)))


def make_record(token: str, **more: Any) -> Record:
    """Return the record of a session that began an hour ago."""
    rev = make_rev(token.encode() * BIRTH_SIZE, token.encode() * TOKEN_SIZE, NOW - HOUR)
    return Record(KEY, b"", rev, **{"expires": int(NOW) + HOUR, **more})


def store_old(folder: Path, text: str) -> None:
    """Store a session's text as Beaker's file backend does."""
    manager = FileNamespaceManager(ID, data_dir=str(folder), digest_filenames=False)
    manager.acquire_write_lock()
    manager["session"] = text
    manager.release_write_lock()


def write_text(created: float, accessed: float) -> str:
    """Return the text of a session of Ann's."""
    values = {"_creation_time": created, "_accessed_time": accessed, "user": "ann"}
    return base64.b64encode(JsonSerializer().dumps(values)).decode()


def migrate(options: dict[str, Any], timeout: float | None = 120 + HOUR) -> Row | None:
    """Look for the old session; *timeout* has Beaker's padding."""
    rows = make_rows(options)
    return LegacySession(rows, ID, timeout, timeout or rows.options.ttl).migrate()


def test_a_row_is_written_if_there_is_none(options: dict[str, Any]) -> None:
    """The value is sealed into it."""
    rows, record = make_rows(options), make_record("a")
    written, is_ours = create_row(rows, record, b"text")

    assert is_ours
    assert (written.key, written.rev, written.expires) == (KEY, record.rev, record.expires)
    assert rows.open(rows.table.get(KEY, consistent=True) or record) == b"text"


@pytest.mark.parametrize("more", [{}, {"expires": None}])
def test_a_row_that_is_alive_stays(options: dict[str, Any], more: dict[str, Any]) -> None:
    """It is another request's, or an earlier one's."""
    rows, theirs = make_rows(options), make_record("a", **more)
    create_row(rows, theirs, b"theirs")
    found, is_ours = create_row(rows, make_record("b"), b"ours")

    assert not is_ours
    assert found.rev == theirs.rev
    assert rows.open(found) == b"theirs"


def test_a_row_whose_response_was_lost_is_this_requests_own(options: dict[str, Any]) -> None:
    """It is refused by itself when it is sent again."""
    rows, record = make_rows(options), make_record("a")
    create_row(rows, record, b"text")
    found, is_ours = create_row(rows, record, b"text")

    assert is_ours
    assert found.rev == record.rev


@pytest.mark.parametrize(
    ("more", "ended"),
    [
        ({}, {"expires": int(NOW) - 1}),
        ({"max_age": 1800}, {}),
        ({"created_after": "2023-11-14T22:00:00+00:00"}, {}),
    ],
    ids=["expired", "too old", "too early"],
)
def test_a_row_that_has_ended_is_replaced(
    options: dict[str, Any], more: dict[str, Any], ended: dict[str, Any]
) -> None:
    """Its expiry says so, or an option, which the condition of a write cannot see."""
    create_row(make_rows(options), make_record("a", **ended), b"theirs")
    rows = make_rows({**options, **more})
    ours = make_record("b")._replace(rev=make_rev(b"b" * BIRTH_SIZE, b"b" * TOKEN_SIZE, NOW))
    found, is_ours = create_row(rows, ours, b"ours")

    assert is_ours
    assert found.rev == ours.rev
    assert rows.open(rows.table.get(KEY, consistent=True) or found) == b"ours"


def test_a_row_that_is_replaced_all_the_time_is_an_error(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time a row that an option has ended, by other servers."""
    rows = make_rows({**options, "max_age": 1800})
    write, tokens, stored = Rows.write, iter("cdefghijklmnopqrstuvwxyz"), list[Record]()

    def overtaken(self: Rows, *args: Any) -> Any:
        condition = At(stored[-1].rev) if stored else NoLiveRow(NOW)
        written = write(self, make_record(next(tokens)), b"theirs", condition, None)
        assert isinstance(written, Record)
        stored.append(written)
        return write(self, *args)

    monkeypatch.setattr(Rows, "write", overtaken)
    with pytest.raises(Unavailable, match="faster than"):
        create_row(rows, make_record("b"), b"ours")


@pytest.mark.parametrize("timeout", [120 + HOUR, None])
def test_an_old_session_keeps_its_times_and_special_keys(
    options: dict[str, Any], timeout: float | None, tmp_path: Path
) -> None:
    """Its row expires when the old one would have; it began when the session did."""
    text = write_text(NOW - 2000, NOW - 60)
    store_old(tmp_path, text)
    found = migrate(options, timeout)

    assert found is not None
    record, value = found
    expires = int(NOW) + 30 * 86400 + 1 if timeout is None else math.ceil(NOW - 60 + timeout)
    assert value == text.encode()
    assert (record.start, record.expires) == (int(NOW - 2000), expires)
    assert record.promoted == {"user": "ann"}
    assert record.birth == derive_birth(KEY, text, NOW - 2000)
    assert migrate(options, timeout) == found


def test_an_old_session_that_cannot_be_opened_begins_now(
    options: dict[str, Any], tmp_path: Path
) -> None:
    """Its text alone says which one it is."""
    store_old(tmp_path, "sealed by Beaker")
    found = migrate(options)

    assert found is not None
    assert found.value == b"sealed by Beaker"
    assert (found.record.start, found.record.expires) == (int(NOW), int(NOW) + 1 + 120 + HOUR)
    assert found.record.birth == derive_birth(KEY, "sealed by Beaker", None)


@pytest.mark.parametrize("idle", [HOUR + 0.5, 0.5])
def test_an_old_session_that_timed_out_is_none(
    options: dict[str, Any], idle: float, tmp_path: Path
) -> None:
    """Even at once; nothing is written."""
    store_old(tmp_path, write_text(NOW - 2 * HOUR, NOW - idle))

    assert migrate(options, 120 + math.floor(idle)) is None
    assert make_rows(options).table.get(KEY, consistent=True) is None


@pytest.mark.parametrize(("opens", "is_read"), [("auto", True), ("json", False)])
def test_an_old_pickle_is_opened_as_the_application_says(
    options: dict[str, Any], tmp_path: Path, opens: str, *, is_read: bool
) -> None:
    """Where sessions are JSON it is moved, and nothing of it is read."""
    values = {"_creation_time": NOW - 9, "_accessed_time": NOW, "user": "ann"}
    store_old(tmp_path, base64.b64encode(PickleSerializer().dumps(values)).decode())
    found = migrate({**options, "envelope": opens})

    assert found is not None
    assert found.record.promoted == ({"user": "ann"} if is_read else {})


def test_each_old_session_has_a_birth_of_its_own() -> None:
    """It depends on the key, and on when the session began, or else on its text."""
    births = [
        derive_birth(KEY, "text", 1.0),
        derive_birth(KEY, "text", 2.0),
        derive_birth(KEY, "text", None),
        derive_birth(KEY, "other", None),
        derive_birth(Key("sess:b"), "text", 1.0),
        derive_birth(Key("sess:a", "b"), "text", 1.0),
    ]

    assert len(set(births)) == len(births)
    assert derive_birth(KEY, "other", 1.0) == births[0]
