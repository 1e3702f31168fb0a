"""What one request knows of its session, decided over values: no call is made here."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb import OptionError
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions.saving import StoredRow
from beaker_dynamodb.sessions.store import SessionSettings, SessionStore
from tests.instruments import Clock
from tests.servers import REGION, free_port

HOUR, MONTH = 3600, 30 * 86400


def make_settings(timeout: float | None = None, **options: Any) -> SessionSettings:
    """Return the settings of an application, whose table is not there."""
    parsed = parse({"region": REGION, **options}, "session")
    rows = build_rows(parsed, "session", Runtime(clock=Clock()))
    return SessionSettings.compute(rows, timeout)


def make_store(namespace: object = "a", **options: Any) -> SessionStore:
    """Return the store of a session that was not loaded."""
    return SessionStore(make_settings(**options), namespace)


def make_row(start: float, pending: str = "") -> StoredRow:
    """Return a row as it was loaded, of a session that began at *start*."""
    rev = make_rev(b"b" * 8, b"t" * 12, start)
    return StoredRow(Record(Key("sess:a"), b"", rev, pending=pending), "text")


@pytest.mark.parametrize(
    ("timeout", "options", "lifetime", "touch_after"),
    [
        (120 + HOUR, {}, 120 + HOUR, HOUR / 10),
        (120 + MONTH, {}, 120 + MONTH, HOUR),
        (120 + 0.5, {}, 120.5, 0.1),
        (120 + HOUR, {"touch_after": 600}, 120 + HOUR, 600),
        (120 + HOUR, {"touch_after": HOUR}, 120 + HOUR, HOUR / 2),
        (120 + HOUR, {"ttl": MONTH}, 120 + HOUR, HOUR / 10),
        (None, {"ttl": HOUR}, HOUR, HOUR / 10),
        (None, {"ttl": 0}, None, HOUR),
        (None, {"ttl": 0, "touch_after": 60}, None, 60),
    ],
)
def test_a_session_is_touched_well_before_it_would_time_out(
    timeout: float | None, options: dict[str, Any], lifetime: float | None, touch_after: float
) -> None:
    """At a tenth of its time, after an hour at most; or at half of it, if the option says more."""
    settings = make_settings(timeout, **options)

    assert (settings.lifetime, settings.touch_after) == (lifetime, touch_after)


@pytest.mark.parametrize(
    ("row", "start", "asked", "expected"),
    [
        (None, None, None, (None, None)),
        (None, 5.0, "note", (5.0, "note")),
        (make_row(7), 5.0, None, (7, None)),
        (make_row(7, "note"), None, None, (7, "note")),
        (make_row(7, "note"), None, "later", (7, "later")),
        (make_row(7, "note"), None, "", (7, "")),
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_new_id_keeps_the_start_and_the_note_of_the_old(
    row: StoredRow | None,
    start: float | None,
    asked: str | None,
    expected: tuple[float | None, str | None],
    *,
    restarts: bool,
) -> None:
    """Those of the row, or of the id before that, if nothing else was asked for since."""
    old, new = make_store("a"), make_store("b")
    old.stored, old.start, old.restarts, old.pending = row, start, restarts, asked

    new.continue_from(old)

    assert (new.start, new.pending) == expected
    assert new.restarts is restarts


@pytest.mark.parametrize("namespace", ["", b""])
def test_a_session_with_an_empty_id_makes_no_call(
    namespace: object, caplog: pytest.LogCaptureFixture
) -> None:
    """All clients with an empty cookie would share it."""
    store = make_store(namespace)

    assert store.load() is None
    store.save("text")
    assert store.keys() == []
    assert store.stored is None
    assert "an empty id is not stored" in caplog.text


@pytest.mark.parametrize(("key", "value"), [("other", "text"), ("session", b"text"), (5, "text")])
def test_only_one_text_is_saved(key: object, value: object) -> None:
    """A session is one value, under the key "session"; a removal of another key does nothing."""
    store = make_store()

    with pytest.raises(OptionError, match="one text, under the key 'session'"):
        store.put(key, value, None)
    store.remove("other")
    assert store.get("other") is None
    assert not store.contains("other")


@pytest.mark.parametrize(
    ("base", "row", "loaded"),
    [(None, make_row(7), "{}"), ("{}", None, "{}"), ("{}", make_row(7), None)],
)
def test_a_change_beside_a_login_is_dropped_if_there_is_nothing_to_merge_it_into(
    base: str | None, row: StoredRow | None, loaded: str | None
) -> None:
    """The session of the old id or of the new one was not loaded, or has no row any more."""
    old, new = make_store("a"), make_store("b")
    old.base, new.base, new.stored = loaded, base, row

    new.merge_from(old, '{"a": 1}')

    assert (new.base, new.stored, new.own_timeout, old.merged) == (base, row, None, None)


def test_a_timed_out_session_whose_row_cannot_be_deleted_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has ended for every request anyway; an operator can read what has failed."""
    caplog.set_level("INFO")
    store = make_store(endpoint_url=f"http://127.0.0.1:{free_port()}")
    store.stored, store.base = make_row(7), "text"

    store.delete_if_unchanged()

    assert [store.stored, store.base] == [None, None]
    (said,) = [one.getMessage() for one in caplog.records if "timed out" in one.getMessage()]
    start = "the row of a session that timed out could not be deleted, and will expire: "
    assert said.startswith(f"{start}DynamoDB did not answer at")
