"""What a save does, by what was loaded, what is stored, and what is saved."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb.item.decide import (
    Content,
    Create,
    Decision,
    Delete,
    GiveUp,
    Leave,
    Replace,
    SaveState,
    Touch,
    decide,
)
from beaker_dynamodb.item.envelope import Comparison, Envelope, JsonEnvelope
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record
from tests.revisions import make_rev

NOW = 1_000_000.0
LIFETIME, TOUCH_AFTER = 1000.0, 100.0
ROW = Record(Key("sess:a"), b"", make_rev("b.t"), expires=int(NOW + LIFETIME))

VALUES: dict[str, Any] = {"_accessed_time": NOW - 50, "_creation_time": NOW - 500, "user": "joe"}
OPAQUE = Content("opaque")


def text(**values: object) -> Content:
    """Open a session that holds *values*."""
    return Content(repr(values), values)


def decide_save(
    base: Content | None,
    stored: Record | None,
    ours: Content,
    *,
    lifetime: float | None = LIFETIME,
    touch_after: float = TOUCH_AFTER,
    envelope: Envelope | None = None,
) -> Decision:
    """Decide a save at NOW."""
    return decide(SaveState(base, stored, ours, envelope, NOW, lifetime, touch_after))


BASE = text(**VALUES)
READ = text(**VALUES | {"_accessed_time": NOW})
CHANGED = text(**VALUES | {"_accessed_time": NOW, "user": "ann"})
EMPTIED = text(_domain=None, _path="/")
CLEARED = text(_accessed_time=NOW, user="ann")

CASES: dict[str, tuple[Content | None, Record | None, Content, Decision]] = {
    "a new session": (None, None, READ, Create()),
    "a new opaque session": (None, None, OPAQUE, Create()),
    "a session that was read, and then deleted by another request": (BASE, None, READ, Create()),
    "an emptied session that was never stored": (None, None, EMPTIED, Leave()),
    "an emptied session with nothing at all in it": (None, None, text(), Leave()),
    "an emptied session": (BASE, ROW, EMPTIED, Delete(make_rev("b.t"))),
    "an emptied session with nothing left at all": (BASE, ROW, text(), Delete(make_rev("b.t"))),
    "an emptied session that did not open": (OPAQUE, ROW, EMPTIED, Delete(make_rev("b.t"))),
    "an emptied session that was not loaded": (None, ROW, EMPTIED, Delete(make_rev("b.t"))),
    "only a path left": (BASE, ROW, text(_path="/"), Delete(make_rev("b.t"))),
    "only times left": (BASE, ROW, text(_accessed_time=NOW), Replace(make_rev("b.t"))),
    "a changed key": (BASE, ROW, CHANGED, Replace(make_rev("b.t"))),
    "a new key": (BASE, ROW, text(**VALUES, cart=[]), Replace(make_rev("b.t"))),
    "a new key that is None": (BASE, ROW, text(**VALUES, cart=None), Replace(make_rev("b.t"))),
    "a deleted key": (text(**VALUES, cart=[]), ROW, READ, Replace(make_rev("b.t"))),
    "1 that became True": (
        text(**VALUES, a=1),
        ROW,
        text(**VALUES, a=True),
        Replace(make_rev("b.t")),
    ),
    "a new creation time": (
        BASE,
        ROW,
        text(**VALUES | {"_creation_time": NOW}),
        Replace(make_rev("b.t")),
    ),
    "cleared, and new data": (BASE, ROW, CLEARED, Replace(make_rev("b.t"))),
    "an opaque session": (OPAQUE, ROW, Content("opaque, changed"), Replace(make_rev("b.t"))),
    "an opaque session, unchanged": (OPAQUE, ROW, OPAQUE, Replace(make_rev("b.t"))),
    "a session that became opaque": (BASE, ROW, OPAQUE, Replace(make_rev("b.t"))),
    "a session that does not open any more": (OPAQUE, ROW, READ, Replace(make_rev("b.t"))),
    "a row that was not loaded": (None, ROW, READ, Replace(make_rev("b.t"))),
    "only read, just stored": (BASE, ROW, READ, Leave()),
    "not even read": (BASE, ROW, BASE, Leave()),
}


@pytest.mark.parametrize(("base", "stored", "ours", "expected"), CASES.values(), ids=CASES)
def test_a_save_does_what_the_session_needs(
    base: Content | None, stored: Record | None, ours: Content, expected: Decision
) -> None:
    """Each state of a session leads to one decision."""
    assert decide_save(base, stored, ours) == expected


TOUCHES: dict[str, tuple[float | None, float | None, float, float, Decision]] = {
    # lifetime, by how much expires is before now + lifetime (None: never), touch_after, accessed
    "just stored": (1000, 0, 100, 50, Leave()),
    "a moment before the edge": (1000, 99, 100, 50, Leave()),
    "at the edge": (1000, 100, 100, 50, Touch(make_rev("b.t"))),
    "behind the edge": (1000, 101, 100, 50, Touch(make_rev("b.t"))),
    "long ago": (1000, 999, 100, 50, Touch(make_rev("b.t"))),
    "at once": (1000, 0, 0, 50, Touch(make_rev("b.t"))),
    "a lifetime made shorter": (1000, -5000, 100, 50, Touch(make_rev("b.t"))),
    "a lifetime made a little shorter": (1000, -99, 100, 50, Leave()),
    "an expiry that is right by chance": (1000, 0, 100, 100, Touch(make_rev("b.t"))),
    "an expiry that is right by chance, a moment before": (1000, 0, 100, 99, Leave()),
    "never expires, a moment before the edge": (None, None, 100, 99, Leave()),
    "never expires, at the edge": (None, None, 100, 100, Touch(make_rev("b.t"))),
    "expires no more": (None, 0, 100, 0, Touch(make_rev("b.t"))),
    "expires from now on": (1000, None, 100, 0, Touch(make_rev("b.t"))),
}


@pytest.mark.parametrize(
    ("lifetime", "behind", "touch_after", "accessed", "expected"), TOUCHES.values(), ids=TOUCHES
)
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_session_that_was_only_read_is_touched_when_its_expiry_is_wrong(
    lifetime: float | None,
    behind: float | None,
    touch_after: float,
    accessed: float,
    expected: Decision,
    chunks: int,
) -> None:
    """A session in chunks is then written under a new token."""
    expires = None if behind is None else int(NOW + (lifetime or 0) - behind)
    row = ROW._replace(expires=expires, chunk_count=chunks)
    ours = text(**VALUES | {"_accessed_time": VALUES["_accessed_time"] + accessed})

    found = decide_save(BASE, row, ours, lifetime=lifetime, touch_after=touch_after)

    anew = bool(chunks) and expected == Touch(make_rev("b.t"))
    assert found == (Touch(make_rev("b.t"), new_token=True) if anew else expected)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, NOW, Touch(make_rev("b.t"))),
        (None, TOUCH_AFTER, Touch(make_rev("b.t"))),
        ("x", NOW, Touch(make_rev("b.t"))),
        (NOW, "x", Leave()),
        (None, 5, Leave()),
        (10**400, NOW, Touch(make_rev("b.t"))),
    ],
)
def test_an_access_time_that_is_no_number_does_not_break_a_save(
    before: object, after: object, expected: Decision
) -> None:
    """If rows never expire, the access times decide; one that is no number counts as long ago."""
    base, ours = (text(user="joe", _accessed_time=stamp) for stamp in (before, after))
    row = ROW._replace(expires=None)

    found = decide_save(base, row, ours, lifetime=None)

    assert found == expected


@pytest.mark.parametrize(
    ("content", "emptied", "accessed"),
    [
        (text(), True, False),
        (EMPTIED, True, False),
        (text(_domain=None), True, False),
        (text(user="ann"), False, False),
        (text(_accessed_time=1), False, True),
        (BASE, False, True),
        (OPAQUE, False, False),
    ],
)
def test_a_session_with_only_a_domain_and_a_path_is_emptied(
    content: Content, emptied: bool, accessed: bool
) -> None:
    """`delete()` and `clear()` leave these two keys; an opaque session is never emptied."""
    assert (content.is_emptied, content.has_access_time) == (emptied, accessed)


ANEW = text(_accessed_time=NOW, _creation_time=NOW)


class FixedEnvelope:
    """An envelope that returns the given comparison, and records the texts that it compares."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison, self.compared = comparison, list[tuple[str, str]]()

    def compare(self, base: str, ours: str) -> Comparison:
        """Record the texts."""
        self.compared.append((base, ours))
        return self.comparison

    def open(self, text: str) -> dict[str, Any] | None:
        """Open nothing: the contents of these tests are open."""
        raise AssertionError(text)

    def close(self, values: dict[str, Any]) -> str:
        """Close nothing."""
        raise AssertionError(values)


LOGGED_IN = text(_creation_time=NOW, user="ann")


@pytest.mark.parametrize(
    ("base", "ours", "expected"),
    [
        (OPAQUE, ANEW, GiveUp()),
        (BASE, ANEW, GiveUp()),
        (text(user="joe"), ANEW, GiveUp()),
        (OPAQUE, LOGGED_IN, Replace(make_rev("b.t"), unopened=True)),
        (BASE, LOGGED_IN, Replace(make_rev("b.t"), unopened=True)),
        (BASE, READ, Leave()),
        (BASE, CHANGED, Replace(make_rev("b.t"))),
        (
            BASE,
            text(_accessed_time=NOW, _creation_time=VALUES["_creation_time"]),
            Replace(make_rev("b.t")),
        ),
        (BASE, CLEARED, Replace(make_rev("b.t"))),
        (OPAQUE, CLEARED, Replace(make_rev("b.t"))),
        (OPAQUE, EMPTIED, Delete(make_rev("b.t"))),
        (BASE, OPAQUE, Replace(make_rev("b.t"))),
        (OPAQUE, OPAQUE, Replace(make_rev("b.t"))),
    ],
)
def test_a_session_that_does_not_open_survives_until_its_user_logs_in_again(
    base: Content, ours: Content, expected: Decision
) -> None:
    """Beaker begins a new session under the same id, with another creation time.

    It is not saved without data, so that the stored session survives a deploy.
    """
    found = decide_save(base, ROW, ours, envelope=FixedEnvelope(Comparison(None, may_be_new=True)))

    assert found == expected
    if isinstance(found, Replace) and isinstance(expected, Replace):
        assert found.unopened is expected.unopened


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ANEW, True),
        (EMPTIED, True),
        (text(_domain=None, _path="/", _accessed_time=1, _creation_time=1), True),
        (BASE, False),
        (OPAQUE, False),
    ],
)
def test_keys_that_beaker_sets_are_no_data(content: Content, expected: bool) -> None:
    """Any other key is data that its user would lose."""
    assert content.is_without_data is expected


@pytest.mark.parametrize(
    ("changed", "expected"), [(True, Replace(make_rev("b.t"))), (False, Leave()), (None, Leave())]
)
def test_values_are_compared_only_if_the_bytes_do_not_decide(
    changed: bool | None, expected: Decision
) -> None:
    """The texts are compared once, base first."""
    envelope = FixedEnvelope(Comparison(changed))

    assert decide_save(BASE, ROW, READ, envelope=envelope) == expected
    assert envelope.compared == [(BASE.text, READ.text)]


@pytest.mark.parametrize("envelope", [None, FixedEnvelope(Comparison(changed=False))])
@pytest.mark.parametrize(
    ("stored", "ours", "expected"),
    [
        (ROW, READ, Replace(make_rev("b.t"))),
        (ROW, BASE, Replace(make_rev("b.t"))),
        (None, READ, Create()),
    ],
)
def test_a_save_after_one_that_may_have_been_applied_is_always_made(
    stored: Record | None, ours: Content, expected: Decision, envelope: Envelope | None
) -> None:
    """What it wrote may have to be replaced, even if nothing has changed since the load."""
    state = SaveState(BASE, stored, ours, envelope, NOW, LIFETIME, TOUCH_AFTER, may_have_saved=True)

    assert decide(state) == expected


class Point:
    """An object without `__eq__`: it is compared by its pickle."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


class RewritingEnvelope(FixedEnvelope):
    """Closes base's values, and opens others instead, which have another pickle."""

    def __init__(self, before: dict[str, Any], after: dict[str, Any] | None) -> None:
        super().__init__(Comparison(None))
        self.before, self.after = before, after

    def close(self, values: dict[str, Any]) -> str:
        """Accept base's values only; without *after* they cannot be pickled again."""
        if values is not self.before or self.after is None:
            raise TypeError("cannot pickle")
        return "closed"

    def open(self, text: str) -> dict[str, Any] | None:
        """Open what was closed."""
        assert text == "closed"
        return self.after


@pytest.mark.parametrize(
    ("before", "again", "ours", "expected"),
    [
        (Point(a=1), Point(a=2), Point(a=2), Leave()),
        (Point(a=1), Point(a=2), Point(a=3), Replace(make_rev("b.t"))),
        (Point(a=1), None, Point(a=2), Replace(make_rev("b.t"))),
        (Point(a=1), None, Point(a=1), Leave()),
        ("text", "other", "other", Replace(make_rev("b.t"))),
    ],
)
def test_equal_objects_of_another_history_are_no_change(
    before: object, again: object, ours: object, expected: Decision
) -> None:
    """An object's pickle depends on its history, so base is closed and opened once more.

    That is not done for texts, and an object that cannot be pickled again is compared as it is.
    """
    base = {**VALUES, "point": before}
    envelope = RewritingEnvelope(base, None if again is None else {**VALUES, "point": again})
    later = Content("ours", {**VALUES, "point": ours, "_accessed_time": NOW})

    assert decide_save(Content("base", base), ROW, later, envelope=envelope) == expected


@pytest.mark.parametrize("base", [None, OPAQUE, BASE])
def test_a_new_session_is_saved_unless_it_replaces_one_that_was_loaded(
    base: Content | None,
) -> None:
    """Without a loaded session there is nothing that could be lost."""
    found = decide_save(base, None, ANEW, envelope=FixedEnvelope(Comparison(None, may_be_new=True)))

    assert found == (Create() if base is None else GiveUp())


def test_a_session_is_opened_at_first_use_and_once() -> None:
    """A save that does not need the values does not unpickle them."""
    opened: list[str] = []

    class Counting(JsonEnvelope):
        def open(self, text: str) -> dict[str, Any]:
            opened.append(text)
            return {"user": "joe"}

    content = Content("closed", None, Counting(1))
    before = list(opened)

    assert [content.values, content.values] == [{"user": "joe"}] * 2
    assert (before, opened) == ([], ["closed"])


@pytest.mark.parametrize(
    ("changed", "expected"), [(False, Leave()), (True, Replace(make_rev("b.t")))]
)
def test_a_save_that_is_decided_by_the_bytes_opens_no_session(
    changed: bool, expected: Decision
) -> None:
    """Most saves are: to unpickle a session twice would cost more than the rest of the save."""
    envelope = FixedEnvelope(Comparison(changed))
    base, ours = Content("base", None, envelope), Content("ours", None, envelope)

    assert decide_save(base, ROW, ours, envelope=envelope) == expected


def test_a_repr_shows_no_data_of_a_session() -> None:
    """Neither its text nor its values are in the repr of a content."""
    assert "joe" not in repr(BASE)


def test_a_dict_that_was_forgotten_is_made_again_when_it_is_used() -> None:
    """So a large session does not take memory for its text and for its dict while it is written."""
    envelope = JsonEnvelope(1000)
    content = Content(envelope.close({"user": "ann"}), {"user": "ann"})
    before = content.values

    content.forget_values(envelope)

    assert content.values == before
    assert content.values is not before


@pytest.mark.parametrize("envelope", [None, JsonEnvelope(1000)])
def test_what_could_not_be_made_again_is_not_forgotten(envelope: JsonEnvelope | None) -> None:
    """A dict without a text that opens, and a text that was not opened."""
    values: dict[str, object] = {"user": "ann"}
    text = JsonEnvelope(1000).close(values)
    opened, unopened = Content(text, values), Content(text)

    opened.forget_values(None)
    unopened.forget_values(envelope)

    assert opened.values is values
    assert unopened.values is None
