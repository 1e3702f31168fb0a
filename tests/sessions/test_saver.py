"""What one save writes, and what it remembers of writes whose outcome is unknown: no call is made.

What users see of it is tested with a real table, in the files whose names begin with test_stories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb import Unavailable
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.table import At, RefusedWrite
from beaker_dynamodb.item.decide import Content, Create, Delete, Replace, SaveState, Touch
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.revision import get_token, shorten
from beaker_dynamodb.runtime import REAL, Runtime
from beaker_dynamodb.sessions.saving import Saver, StoredRow, _get_stored_row, read_text
from tests.revisions import make_rev, make_token, replace_token
from tests.servers import REGION
from tests.sessions.test_store import HOUR, make_settings

ROW = Record(Key("sess:a"), b"sealed", make_rev("birth.mine"))
SURROGATE = b"\xed\xa0\x80"
NEW = Content("new", {"user": 5})


class Writes(list[Any]):
    """The writes of a test, and the response to each, the last one also from then on."""

    def __init__(self) -> None:
        self.responses: list[Any] = []

    def response(self) -> Any:
        """Return the next response, or raise it."""
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return response


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    """Respond to each write as the test says; None means that it is applied."""
    seen = Writes()

    def write(_rows: Rows, *given: object, is_raw: bool) -> Any:
        seen.append((*given, is_raw))
        return seen.response() or given[0]

    monkeypatch.setattr(Rows, "write", write)
    return seen


def make_saver(writes: Writes, token: Callable[[], bytes] = REAL.token) -> Saver:
    """Return a saver whose deletes get the same responses as its writes."""
    options = parse({"region": REGION}, "session")
    rows = build_rows(options, "session", Runtime(clock=lambda: 100.0, token=token))

    def delete_row(*given: object) -> Any:
        writes.append(given)
        return writes.response()

    return Saver(rows, ROW.key, delete_row, HOUR)


def make_state(ours: Content, row: Record | None = ROW) -> SaveState:
    """Return the state of a request that has loaded a row."""
    return SaveState(None, row, ours, None, 100.0, HOUR, 60.0)


@pytest.mark.parametrize(
    ("text", "value", "is_raw"),
    [("AAEC", b"\0\1\2", True), ("text?", b"text?", False), ("\ud800", SURROGATE, False)],
)
def test_a_text_is_written_without_its_base64(
    text: str, value: bytes, is_raw: bool, writes: Writes
) -> None:
    """Any other one as it is, also if it is no valid Unicode, and over the row that was read."""
    writes.responses = [None]
    make_saver(writes).save(Replace(ROW.rev), make_state(Content(text)), None)

    ((record, written, condition, old, raw),) = writes
    assert (written, condition, old, raw) == (value, At(ROW.rev), ROW, is_raw)
    assert (record.key, record.expires) == (ROW.key, 100 + HOUR)


def test_a_logout_that_another_session_refuses_leaves_nothing(writes: Writes) -> None:
    """That session has the same id and another birth; it is not the one that was to end."""
    writes.responses = [RefusedWrite(ROW._replace(rev=make_rev("other.theirs")))]
    saved = make_saver(writes).save(Delete(ROW.rev), make_state(Content("")), None)

    assert saved == ("stored", None)
    assert len(writes) == 1


def test_a_text_that_is_no_valid_unicode_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was written."""
    monkeypatch.setattr(Rows, "open", lambda *_: SURROGATE)

    assert read_text(make_settings().rows, ROW) == "\ud800"


def test_a_logout_deletes_what_was_read_and_leaves_nothing(writes: Writes) -> None:
    """The row that was read says which chunks there are."""
    writes.responses = [None]
    saved = make_saver(writes).save(Delete(ROW.rev), make_state(Content("")), None)

    assert writes == [(ROW.key, At(ROW.rev), ROW)]
    assert saved == ("stored", None)


@pytest.mark.parametrize(
    ("writes_of", "expected"),
    [([Touch], False), ([Replace], True), ([Replace, Touch], True), ([Touch, Touch], False)],
)
def test_a_write_without_a_response_is_remembered(
    writes_of: list[Any], expected: bool, writes: Writes
) -> None:
    """What it was to save, under its token; the next response ends that."""
    writes.responses = [Unavailable("no response")]
    saver = make_saver(writes)
    contents = [Content(str(number)) for number in range(len(writes_of))]
    first = saver.may_have_saved
    for write, content in zip(writes_of, contents, strict=True):
        with pytest.raises(Unavailable):
            saver.save(write(ROW.rev, *[True] * (write is Touch)), make_state(content), None)
    tokens = [shorten(get_token(record.rev)) for record, *_ in writes]
    remembered = dict(saver._uncertain)
    may_have_saved = saver.may_have_saved
    writes.responses = [None]
    saver.save(Replace(ROW.rev), make_state(NEW), None)

    assert remembered == dict(zip(tokens, contents, strict=True))
    assert may_have_saved is expected
    assert all(one.is_saved for one in contents)
    assert [first, saver.may_have_saved, saver._uncertain] == [False, False, {}]


@pytest.mark.parametrize("fails", [False, True])
def test_only_a_logout_without_a_response_lets_a_login_begin_anew(
    fails: bool, writes: Writes
) -> None:
    """Otherwise another request has logged the user out, and nothing comes back."""
    saver = make_saver(writes)
    if fails:
        writes.responses = [Unavailable("no response")]
        with pytest.raises(Unavailable):
            saver.save(Delete(ROW.rev), make_state(Content("")), None)
    del writes[:]
    writes.responses = [RefusedWrite(None), None]
    outcome, stored = saver.save(Replace(ROW.rev), make_state(NEW), None)

    assert len(writes) == (2 if fails else 1)
    assert (outcome, stored is not None) == (("stored", True) if fails else ("dropped", False))


def test_a_write_whose_response_was_lost_is_not_read_again(writes: Writes) -> None:
    """The row has its token: botocore repeated the write, and the condition refused that."""
    theirs = ROW._replace(rev=replace_token(ROW.rev, "again"))
    writes.responses = [RefusedWrite(theirs)]

    saver = make_saver(writes, lambda: make_token("again"))
    saved = saver.save(Replace(ROW.rev), make_state(NEW), None)

    assert saved == ("stored", StoredRow(theirs, "new"))


def test_the_row_that_replaced_an_applied_write_is_read() -> None:
    """And no other one."""
    found = _get_stored_row(
        Create(), ROW, make_token("other"), NEW, lambda row: Content(str(row is ROW))
    )

    assert found == StoredRow(ROW, "True")
