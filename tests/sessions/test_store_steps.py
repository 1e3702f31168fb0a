"""What a session's store reads, decides by, writes and logs, in steps: no call is made here.

What users see of it is tested with a real table, in the other files of this folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from beaker_dynamodb import Conflict, Unavailable, logs, observe
from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.dynamodb.rows import Row, Rows
from beaker_dynamodb.item.decide import Content, GiveUp, Leave, Replace, SaveState, Touch
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import make_rev
from beaker_dynamodb.migration import on_demand
from beaker_dynamodb.sessions import ending, store, touches
from beaker_dynamodb.sessions.saving import StoredRow
from beaker_dynamodb.sessions.store import SessionSettings, SessionStore
from tests.sessions.test_store import HOUR, make_row, make_settings, make_store

FILE = {"migrate_from": "file", "migrate_from.data_dir": "/sessions"}
JSON, PICKLE, OPAQUE = "eJyrVkpUslIwrAUACeUCKQ==", "gAJ9cQAu", "text"


def make_record(**facts: Any) -> Record:
    """Return a record of the session "a" as it was read."""
    return Record(Key("sess:a"), b"sealed", make_rev(b"b" * 8, b"t" * 12, 7), **facts)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Answer each read of a row by what the test puts into `answers`; record it."""

    class Reads(list[Any]):
        answers: list[Row | Exception | None] = []  # noqa: RUF012  # of this test alone

    seen = Reads()

    def read(_rows: Rows, key: Key, *, consistent: bool, now: float) -> Row | None:
        seen.append((key.hash, consistent, now))
        answer = seen.answers[len(seen) - 1] if len(seen) <= len(seen.answers) else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Rows, "read", read)
    yield seen
    Reads.answers = []


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[SaveState]:
    """Record what each decision depends on; it is to write nothing."""
    states: list[SaveState] = []

    def decide(state: SaveState) -> Leave:
        states.append(state)
        return Leave()

    monkeypatch.setattr(store, "decide", decide)
    return states


@pytest.fixture
def saved() -> Iterator[list[tuple[str, str]]]:
    """Record what `observe` reports of each save."""
    events: list[tuple[str, str]] = []

    def record(event: object) -> None:
        assert isinstance(event, Saved)
        events.append((event.plan, event.outcome))

    end = observe(record)
    yield events
    end()


# Loading


def test_a_session_that_a_stale_read_does_not_show_is_read_again(reads: Any) -> None:
    """Consistently, and at the same moment; a new session would replace it."""
    one = make_store(consistent_read=False)
    reads.answers = [None, Row(make_record(), b"text")]
    now = one.runtime.clock()

    assert one.load() == "text"
    assert reads == [("sess:a", False, now), ("sess:a", True, now)]


@pytest.mark.parametrize(("consistent", "row"), [(True, None), (False, Row(make_record(), b""))])
def test_a_session_is_read_once_if_the_first_read_tells_enough(
    consistent: bool, row: Row | None, reads: Any
) -> None:
    """A consistent read, or one that found the row."""
    reads.answers = [row]

    assert make_store(consistent_read=consistent).load() == (None if row is None else "")
    assert len(reads) == 1


@pytest.mark.parametrize(("chunks", "kept"), [(0, b"sealed"), (2, b"")])
def test_a_large_session_is_kept_once_in_memory(chunks: int, kept: bytes, reads: Any) -> None:
    """As its text, which may hold what is no valid Unicode."""
    one = make_store()
    reads.answers = [Row(make_record(chunk_count=chunks), b"\xed\xa0\x80")]

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
    reads.answers = [Row(record, b"text")]
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
        reads.answers = [RuntimeError("secret")]
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
    reads.answers = [Row(make_record(), b"text")]
    entry = one.get(key)
    one.put(key, "new", None)

    assert entry is not None
    assert entry.value == "text"
    assert texts == ["new"]


def test_an_id_that_is_false_but_not_empty_is_a_session(
    reads: Any, decided: list[SaveState]
) -> None:
    """Only an empty one is no id."""
    one = make_store(0)
    one.load()
    one.save("text")

    assert len(reads) == len(decided) == 1


# The old backend


def test_the_old_backend_is_asked_as_the_options_say(
    reads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this session, with its timeout and lifetime, and only if there is no row."""
    made: list[Any] = []

    class Legacy:
        def __init__(self, *given: object) -> None:
            self.given, self.envelope = given, "auto"
            made.append(self)

        def migrate(self) -> Row:
            return Row(make_record(), b"old")

        def delete_with_tombstone(self) -> None:
            raise NotImplementedError

    monkeypatch.setattr(on_demand, "LegacySession", Legacy)
    settings = make_settings(HOUR, ttl=60, **FILE)
    one = SessionStore(settings, "a")
    (legacy,) = made
    loaded = [one.load()]
    reads.answers = [None, Row(make_record(), b"new")]
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


# Saving


def test_a_save_is_decided_by_what_the_request_knows(decided: list[SaveState]) -> None:
    """And, beside that, by the options."""
    one = SessionStore(make_settings(120 + HOUR, max_age="60d", envelope="none"), "a")
    one.save(OPAQUE)
    one.base, one.stored, one.start = "base", make_row(7), 5.0
    one.restarts, one.pending, one.own_timeout = True, "note", 600.0
    one.save(OPAQUE)
    now, age = one.runtime.clock(), 60 * 86400

    record = make_row(7).record
    assert [(state.base and state.base.text, state.ours.text) for state in decided] == [
        (None, OPAQUE),
        ("base", OPAQUE),
    ]
    assert [tuple(state[3:]) for state in decided] == [
        (None, now, 120 + HOUR, HOUR / 10, None, age, False, None, False),
        (None, now, 720, 60, 5.0, age, True, "note", False),
    ]
    assert [state.row for state in decided] == [None, record]


def test_touches_give_way_while_they_are_paused(
    decided: list[SaveState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the lifetime of this session permits."""
    one = SessionStore(make_settings(120 + HOUR), "a")
    table = one.rows.table
    monkeypatch.setitem(touches.paused_until, (table.client, table.name), math.inf)
    one.save(OPAQUE)

    assert [state.touch_after for state in decided] == [HOUR / 3]


class FakeSaver:
    """Records how it is made and used, and answers as the test says."""

    made: ClassVar[list[Any]] = []
    used: ClassVar[list[Any]] = []
    answer: ClassVar[Any] = None
    may_have_saved = True

    def __init__(self, *given: object) -> None:
        self.made.append(given)

    def save(self, *given: object) -> Any:
        self.used.append(given)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def saver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeSaver]]:
    """Carry out no decision."""
    monkeypatch.setattr(store, "Saver", FakeSaver)
    yield FakeSaver
    FakeSaver.made.clear()
    FakeSaver.used.clear()


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that says what the next saves decide."""
    return lambda decision: monkeypatch.setattr(store, "decide", lambda _: decision)


@pytest.mark.parametrize("migrates", [False, True])
def test_a_decision_is_carried_out_upon_the_row_that_was_read(
    migrates: bool, saver: type[FakeSaver], choose: Callable[[Any], None]
) -> None:
    """A row is deleted with a tombstone while sessions migrate."""
    row, write = make_row(7), Replace(b"rev")
    one = SessionStore(make_settings(HOUR, **(FILE if migrates else {})), "a")
    one.stored = row
    choose(write)
    saver.answer = ("stored", make_row(8))
    one.save(OPAQUE)
    one.save(OPAQUE)

    ((rows, key, delete_row, lifetime),) = saver.made
    source = one.source.delete_with_tombstone if one.source else one.rows.delete
    assert (rows, key, delete_row, lifetime) == (one.rows, one.key, source, HOUR)
    ((first, state, stored), (_, later, _)) = saver.used
    assert (first, stored, state.row) == (write, row, row.record)
    assert [state.may_have_saved, later.may_have_saved] == [False, True]


@pytest.mark.parametrize(
    ("outcome", "row", "base", "is_saved"),
    [
        ("stored", make_row(8), OPAQUE, True),
        ("deleted", None, None, True),
        ("dropped", make_row(8), "base", False),
    ],
)
def test_the_next_save_is_compared_with_what_was_stored(
    outcome: str,
    row: StoredRow | None,
    base: str | None,
    is_saved: bool,
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    saved: list[tuple[str, str]],
) -> None:
    """Unless nothing was; what the save was asked for besides is done."""
    one = make_store()
    one.base, one.restarts, one.pending = "base", True, "note"
    choose(Replace(b"rev"))
    saver.answer = (outcome, row)
    one.save(OPAQUE)

    kept: list[object] = [one.base, one.stored, one.restarts, one.pending, one._is_saved]
    assert kept == [base, row, False, None, is_saved]
    assert saved == [("replace", outcome)]


@pytest.mark.parametrize(
    ("decision", "event", "line"),
    [
        (Leave(), ("leave", "left"), None),
        (GiveUp(), ("replace", "dropped"), store.KEPT),
        (Replace(b"rev"), ("replace", "stored"), None),
        (Replace(b"rev", unopened=True), ("replace", "stored"), store.REPLACED),
        (Touch(b"rev"), ("touch", "stored"), None),
    ],
)
def test_each_decision_is_reported_and_an_unreadable_session_logged(
    decision: Any,
    event: tuple[str, str],
    line: str | None,
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    saved: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`observe` hears of each; a log has only what an operator must know."""
    one = make_store(envelope="none")
    saver.answer = ("stored", None)
    choose(decision)
    one.save(OPAQUE)

    assert saved == [event]
    assert caplog.messages == ([] if line is None else [line])
    assert bool(saver.used) is (decision not in (Leave(), GiveUp()))


@pytest.mark.parametrize(
    ("error", "pauses", "lines"),
    [
        (Unavailable("down"), True, []),
        (Conflict("busy"), False, [f"{store.UNTOUCHED}: Conflict"]),
    ],
)
@pytest.mark.parametrize("decision", [Touch(b"rev"), Replace(b"rev")])
def test_a_page_that_only_read_does_not_fail_with_its_touch(
    decision: Any,
    error: Exception,
    pauses: bool,
    lines: list[str],
    *,
    saver: type[FakeSaver],
    choose: Callable[[Any], None],
    saved: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Any other save does. An outage lets touches give way; a mistake is logged."""
    one = make_store(envelope="none")
    saver.answer = error
    choose(decision)
    if isinstance(decision, Replace):
        with pytest.raises(type(error)):
            one.save(OPAQUE)
    else:
        one.save(OPAQUE)

    is_touch = isinstance(decision, Touch)
    table = one.rows.table
    assert ((table.client, table.name) in touches.paused_until) is pauses
    assert saved == ([("touch", "dropped")] if is_touch else [])
    assert caplog.messages == (lines if is_touch else [])


def test_a_change_beside_a_login_may_change_the_lifetime(
    saver: type[FakeSaver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other request may have set it; it holds for the row of the new id."""
    merged = Content("merged", {"_lifetime": 600.0})
    monkeypatch.setattr(store, "merge_or_warn", lambda *_, **__: merged)
    saver.answer = ("stored", make_row(9))
    old, new = make_store("a"), make_store("b")
    old.base, new.base, new.stored = "{}", "text", make_row(8)
    new.merge_from(old, "theirs")

    ((write, state, _),) = saver.used
    assert new.own_timeout == 600
    assert (write, state.ours, state.lifetime) == (Replace(make_row(8).record.rev), merged, 720)
    assert (old.merged, new.base) == ("theirs", "text")


def test_the_settings_keep_beakers_timeout() -> None:
    """The old backend is asked with it."""
    settings = make_settings(HOUR)

    assert settings.timeout == HOUR
    assert SessionSettings.compute(settings.rows, None).timeout is None
