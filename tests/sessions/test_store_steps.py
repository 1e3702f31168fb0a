"""What a session's store loads, from where, and what it logs, in steps: no call is made here.

What users see of it is tested with a real table, in the other files of this folder.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from beaker_dynamodb import Unavailable, logs
from beaker_dynamodb.dynamodb.rows import Row, Rows
from beaker_dynamodb.item.decide import Leave, SaveState
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.migration import on_demand
from beaker_dynamodb.sessions import ending, store
from beaker_dynamodb.sessions.store import SessionStore
from tests.sessions.test_store import HOUR, make_settings, make_store

FILE = {"migrate_from": "file", "migrate_from.data_dir": "/sessions"}
JSON, PICKLE, OPAQUE = "eJyrVkpUslIwrAUACeUCKQ==", "gAJ9cQAu", "text"


def make_record(**facts: Any) -> Record:
    """Return a record of the session "a" as it was read."""
    return Record(Key("sess:a"), b"sealed", make_rev(b"b" * 8, b"t" * 12, 7), **facts)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Respond to each read of a row with what the test puts into `responses`; record it."""

    class Reads(list[Any]):
        def __init__(self) -> None:
            self.responses: list[Row | Exception | None] = []

    seen = Reads()

    def read(_rows: Rows, key: Key, *, consistent: bool, now: float) -> Row | None:
        seen.append((key.hash, consistent, now))
        response = seen.responses[len(seen) - 1] if len(seen) <= len(seen.responses) else None
        if isinstance(response, Exception):
            raise response
        return response

    monkeypatch.setattr(Rows, "read", read)
    return seen


# Loading


def test_a_session_that_a_stale_read_does_not_show_is_read_again(reads: Any) -> None:
    """Consistently, and at the same moment; a new session would replace it."""
    one = make_store(consistent_read=False)
    reads.responses = [None, Row(make_record(), b"text")]
    now = one.runtime.clock()

    assert one.load() == "text"
    assert reads == [("sess:a", False, now), ("sess:a", True, now)]


@pytest.mark.parametrize(("consistent", "row"), [(True, None), (False, Row(make_record(), b""))])
def test_a_session_is_read_once_if_the_first_read_tells_enough(
    consistent: bool, row: Row | None, reads: Any
) -> None:
    """A consistent read, or one that found the row."""
    reads.responses = [row]

    assert make_store(consistent_read=consistent).load() == (None if row is None else "")
    assert len(reads) == 1


@pytest.mark.parametrize(("chunks", "kept"), [(0, b"sealed"), (2, b"")])
def test_only_a_large_session_is_kept_once_in_memory(chunks: int, kept: bytes, reads: Any) -> None:
    """As its text, which may hold what is no valid Unicode."""
    one = make_store()
    reads.responses = [Row(make_record(chunk_count=chunks), b"\xed\xa0\x80")]

    assert one.load() == "\ud800"
    assert one.base == "\ud800"
    assert one.stored is not None
    assert (one.stored.text, one.stored.record.data) == ("\ud800", kept)


@pytest.mark.parametrize(("done", "asked"), [(True, ""), (False, None)])
def test_a_note_is_carried_out_and_removed_by_the_next_save(
    done: bool, asked: str | None, reads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays if it could not be carried out."""
    seen: list[object] = []

    def repeat(*given: object) -> bool:
        seen.append(given)
        return done

    monkeypatch.setattr(ending, "repeat", repeat)
    one, record = make_store(), make_record(pending="note")
    reads.responses = [Row(record, b"text")]
    one.load()

    assert seen == [(one.rows, record)]
    assert one.pending == asked


def test_an_error_of_a_load_says_of_which_session_and_table(reads: Any) -> None:
    """By that a second load is known, of the session that Beaker begins in place of the first."""
    same = [make_store(), make_store()]
    others = [make_store("b"), make_store(table="other"), make_store(region="eu-west-1")]
    origins = []
    for one in (*same, *others):
        reads.clear()
        reads.responses = [RuntimeError("secret")]
        with pytest.raises(Unavailable, match=r"could not be read: RuntimeError$") as caught:
            one.load()
        assert caught.value.__cause__ is caught.value.__context__ is None
        origins.append(caught.value.origin)

    assert None not in origins
    assert origins[0] == origins[1]
    assert len(set(origins)) == 1 + len(others)


@pytest.mark.parametrize("key", ["session", b"session"])
def test_a_session_has_one_key(key: object, reads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a text, or as the bytes of it."""
    texts: list[str] = []
    monkeypatch.setattr(SessionStore, "save", lambda _, text: texts.append(text))
    one = make_store()
    reads.responses = [Row(make_record(), b"text")]
    entry = one.get(key)
    one.put(key, "new", None)

    assert entry is not None
    assert entry.value == "text"
    assert texts == ["new"]


def test_the_number_0_is_an_id(reads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an empty one is no id."""
    decided: list[SaveState] = []

    def decide(state: SaveState) -> Leave:
        decided.append(state)
        return Leave()

    monkeypatch.setattr(store, "decide", decide)
    one = make_store(0)
    one.load()
    one.save("text")

    assert len(reads) == len(decided) == 1


# The old backend


def test_the_old_backend_is_asked_as_the_options_say(
    reads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this session, with its timeout and lifetime, and only if there is no row."""
    created: list[Any] = []

    class Legacy:
        def __init__(self, *given: object) -> None:
            self.given, self.envelope = given, "auto"
            created.append(self)

        def migrate(self) -> Row:
            return Row(make_record(), b"old")

    monkeypatch.setattr(on_demand, "LegacySession", Legacy)
    settings = make_settings(HOUR, ttl=60, **FILE)
    one = SessionStore(settings, "a")
    (legacy,) = created
    loaded = [one.load()]
    reads.responses = [None, Row(make_record(), b"new")]
    loaded.append(one.load())
    one.forbid_pickles()

    assert legacy.given == (settings.rows, "a", HOUR, HOUR)
    assert loaded == ["old", "new"]
    assert legacy.envelope == "json"
    assert make_store().source is None


@pytest.mark.parametrize(
    ("envelope", "text", "opens"),
    [
        ("auto", JSON, True),
        ("auto", PICKLE, True),
        ("auto", OPAQUE, False),
        ("json", JSON, True),
        ("json", PICKLE, False),
        ("none", JSON, None),
    ],
)
def test_a_text_that_does_not_open_is_reported_once_a_process(
    envelope: str, text: str, opens: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says which option or serializer is the reason; `none` asks for it."""
    said: list[Any] = []

    def log_once_a_minute(*given: object, **more: object) -> None:
        said.append((*given, more))

    monkeypatch.setattr(logs, "log_once_a_minute", log_once_a_minute)
    found = make_store(envelope=envelope)._choose_envelope(text)

    line = store.OPAQUE if envelope == "auto" else store.NOT_JSON
    assert (found is not None) is bool(opens)
    assert said == ([(store.log, line, {"period": math.inf})] if opens is False else [])
