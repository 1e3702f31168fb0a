"""Sessions are compared by their bytes, without opening them and without missing a change."""

from __future__ import annotations

import base64
import pickle
import re
import struct
import zlib
from decimal import Decimal
from typing import Any

import pytest
from beaker.util import JsonSerializer, PickleSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import (
    Envelope,
    JsonEnvelope,
    PickleEnvelope,
    _find_access_time,
    _names_a_class,
    _read_creation_time,
    _read_times,
)
from beaker_dynamodb.item.merge import find_changed_keys

LAW = settings(max_examples=150, derandomize=True, deadline=None)
MOST = 1 << 20
BEAKERS: dict[str, Any] = {"_domain": None, "_path": "/", "_accessed_time": 1.5}
KINDS: dict[str, tuple[Any, Envelope]] = {
    "pickle": (PickleSerializer(), PickleEnvelope()),
    "json": (JsonSerializer(), JsonEnvelope(MOST)),
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
#: Of an application's own: names that begin with a line are Beaker's.
values = st.dictionaries(st.text(min_size=1).filter(lambda n: n[0] != "_"), plain, max_size=4)


def text(kind: str, session: dict[str, Any]) -> str:
    """Write a session as Beaker does."""
    return base64.b64encode(KINDS[kind][0].dumps(session)).decode()


def differs(kind: str, known: dict[str, Any], mine: dict[str, Any]) -> bool | None:
    """Compare two sessions by the texts that Beaker writes."""
    return KINDS[kind][1].compare(text(kind, known), text(kind, mine)).changed


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(values)
def test_a_session_that_was_only_read_does_not_differ(kind: str, session: dict[str, Any]) -> None:
    """Opened and written again, with a later access time, it is the same by its bytes."""
    envelope = KINDS[kind][1]
    opened = envelope.open(text(kind, {**BEAKERS, **session}))
    assert opened is not None
    once = text(kind, opened)

    compared = envelope.compare(once, text(kind, {**opened, "_accessed_time": 2.25}))
    assert (compared.changed, compared.idle) == (False, 0.75)


@pytest.mark.parametrize("stamp", ["1.2.3", "e", "-", "1e5e5"])
def test_a_json_access_time_that_is_no_number_is_left_to_the_opened_session(stamp: str) -> None:
    """Such JSON does not open, so the save counts as a change."""
    known, mine = (
        base64.b64encode(zlib.compress(b'{"_accessed_time": %s, "a": 1}' % at)).decode()
        for at in (b"1.5", stamp.encode())
    )

    assert KINDS["json"][1].compare(known, mine).changed is None
    assert KINDS["json"][1].compare(mine, known).changed is None


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(values, values)
def test_no_change_is_missed(kind: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    """If the bytes show no change, there is none in the values."""
    known, mine = {**BEAKERS, **one}, {**BEAKERS, **other, "_accessed_time": 9.75}
    envelope = KINDS[kind][1]
    opened = [envelope.open(text(kind, each)) for each in (known, mine)]
    assert opened[0] is not None
    assert opened[1] is not None
    changed = set(find_changed_keys(opened[0], opened[1])) - {"_accessed_time"}

    assert differs(kind, known, mine) in ({True, None} if changed else {True, False, None})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "head",
    [
        {"_creation_time": 1.0, "_accessed_time": 2.0},
        {"_accessed_time": 2.0, "_creation_time": 1.0},
        {"_domain": None, "_path": "/shop", "_accessed_time": 2.0, "_creation_time": 1.0},
        {"_domain": ".example.org", "_path": "/", "_creation_time": 1.0, "_accessed_time": 2.0},
    ],
    ids="+".join,
)
def test_the_access_time_is_found_where_beaker_puts_it(kind: str, head: dict[str, Any]) -> None:
    """In every order that Beaker's own keys come in, and with a cookie's domain and path."""
    known, later = {**head, "a": 1}, {**head, "a": 1, "_accessed_time": 3.0}
    changed = {**later, "a": 2}
    moved = {**later, "_creation_time": 1.5}

    assert differs(kind, known, later) is False
    assert differs(kind, known, changed) is True
    assert differs(kind, known, moved) is True


def test_a_users_text_cannot_pose_as_the_access_time() -> None:
    """Only Beaker's own first keys are searched for it."""
    mark = "X\x0e\x00\x00\x00_accessed_timeq\x04G"
    odd = {"note": mark + "AAAAAAAA", **BEAKERS}
    other = {"note": mark + "BBBBBBBB", **BEAKERS}
    within = {**BEAKERS, "note": '", "_accessed_time": 1'}
    beyond = {**BEAKERS, "note": '", "_accessed_time": 2'}

    assert differs("pickle", odd, other) is None
    assert differs("pickle", {**BEAKERS, "note": odd["note"]}, {**BEAKERS, "note": other["note"]})
    assert differs("json", within, beyond) is True


@pytest.mark.parametrize(
    "value", [Decimal(1), {1, 2}, frozenset("ab"), b"bytes", "classic\nlines of text"]
)
def test_what_names_a_class_is_opened(value: object) -> None:
    """Of an object or a set equal values may have other bytes; a text that looks like it counts."""
    for before in ({}, {"p": "p" * 1000}):
        known = {**BEAKERS, **before, "a": value, "b": 1}

        assert differs("pickle", known, {**known, "b": 2}) is None
        assert differs("pickle", known, {**known, "_accessed_time": 7.0}) is False


@LAW
@given(st.lists(st.sampled_from([b"c", b"a", b"_", b".", b"1", b"\n", b"\xff", b" "])))
def test_a_class_in_a_pickle_of_protocol_2_is_found(drawn: list[bytes]) -> None:
    """It is named by `c`, a module, a newline and a name, anywhere in the pickle."""
    raw = b"".join(drawn)

    forwards = re.search(rb"c[A-Za-z_][\w.]*\n[A-Za-z_]", raw)
    assert _names_a_class(raw) is bool(forwards)


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"cmodule\nName\n", True),
        (b"cmodule\na1\n", True),
        (b"cmodule\n_\n", True),
        (b"cmodule\n1\n", False),
        (b"cmodule\n", False),
        (b"cmodule", False),
        (b"c\nName\n", False),
    ],
)
def test_a_class_has_a_module_and_a_name(raw: bytes, named: bool) -> None:
    """The name is in the line after the module, and begins as a name does."""
    assert _names_a_class(raw) is named


@pytest.mark.parametrize(
    ("before", "after", "may_be_new"),
    [(1.0, 1.0, False), (1.0, 2.0, True), (1.0, None, True), (None, 1.0, True), (None, None, True)],
)
@pytest.mark.parametrize("change", [{}, {"a": 2}, {"_path": "/a"}, {"a": Decimal(1)}], ids=str)
def test_a_session_that_beaker_began_anew_has_another_creation_time(
    before: float | None, after: float | None, may_be_new: bool, change: dict[str, Any]
) -> None:
    """Whatever else the comparison finds: the same, changed, or to be opened."""
    known, mine = ({**BEAKERS, "_creation_time": created, "a": 1} for created in (before, after))
    for session in (known, mine):
        if session["_creation_time"] is None:
            del session["_creation_time"]

    compared = PickleEnvelope().compare(text("pickle", known), text("pickle", mine | change))
    assert compared.may_be_new is may_be_new


def test_the_first_creation_time_counts() -> None:
    """A text of the application that looks like another one does not."""
    mark = "X\x0e\0\0\0_creation_timeq\x01GAAAAAAAA"
    raw = pickle.dumps({**BEAKERS, "_creation_time": 1.5, "note": mark}, 2)

    assert _read_creation_time(raw) == struct.pack(">d", 1.5)


@pytest.mark.parametrize(
    ("head", "created"),
    [
        (b"\x0e\0\0\0_creation_timeq\x01G12345678", b"12345678"),
        (b"}\x0e\0\0\0_creation_timeq\x01G123456789", b"12345678"),
        (b"}\x0e\0\0\0_creation_timeq\x01G1234567", None),
        (b"}\x0e\0\0\0_creation_timeq\x01K12345678", None),
        (b"}\x0e\0\0\0_creation_timeq", None),
        (b"}\x0e\0\0\0_accessed_timeq\x01G12345678", None),
        (b"", None),
    ],
)
def test_a_creation_time_is_a_float_of_8_bytes(head: bytes, created: bytes | None) -> None:
    """The beginning of the pickle that is looked at may end within it."""
    assert _read_creation_time(head) == created


def test_the_session_without_its_base64_is_kept_for_the_codec() -> None:
    """It had to be undone for the comparison; a text that is not canonical is stored as it is."""
    long = {**BEAKERS, "note": "long" * 500}
    known, mine = text("pickle", {**long, "a": 1}), text("pickle", {**long, "a": 2})
    classic = text("pickle", {**long, "a": Decimal(1)})
    compare = PickleEnvelope().compare

    assert compare(known, mine).raw == base64.b64decode(mine)
    for odd, changed in ((mine + "\n", True), (classic + "\n", None), (mine + "\ud800", True)):
        compared = compare(known, odd)
        assert (compared.changed, compared.raw) == (changed, None)


@LAW
@given(st.data())
def test_the_usual_beginning_of_a_pickle_is_read_as_any_other(data: st.DataObject) -> None:
    """The regular expression finds the times where the loop over keys and values finds them."""
    keys = data.draw(st.permutations([*BEAKERS, "_creation_time", "other"]))
    odd = {"_path": st.sampled_from(["/", "", "/a", "é", "q"]), "_domain": st.none() | st.text()}
    times = st.sampled_from([1.5, 2.25, 7])
    session = {key: data.draw(odd.get(key, times)) for key in keys[: data.draw(st.integers(0, 5))]}
    raw = pickle.dumps(session, 2)
    for head in (raw, raw[: data.draw(st.integers(0, len(raw)))]):
        assert _read_times(head) == (_find_access_time(head), _read_creation_time(head))


def test_an_access_time_at_the_very_end_is_found() -> None:
    """All of its 8 bytes must be there, and nothing needs to follow them."""
    raw = pickle.dumps({"_accessed_time": 1.5, "n": 1}, 2)
    at = raw.index(b"G") + 1

    found = [_find_access_time(raw[:end]) for end in (at + 7, at + 8, at + 9)]
    assert found == [None, at, at]


def test_an_access_time_behind_an_applications_key_is_not_searched() -> None:
    """Only Beaker's own keys may be before it; a value that looks like its name is a value."""
    behind = pickle.dumps({"_path": "/", "other": "x", "_accessed_time": 1.5}, 2)
    posing = pickle.dumps({"_path": "_accessed_time", "other": 1.5}, 2)
    after = pickle.dumps({"_path": "_accessed_time", "_accessed_time": 1.5}, 2)

    assert _find_access_time(behind) is None
    assert _find_access_time(posing) is None
    assert _find_access_time(after) is None  # its name is a reference to the text before
    plain = pickle.dumps({"_path": "_creation_time", "_domain": None, "_accessed_time": 1.5}, 2)
    assert _find_access_time(plain) == plain.index(b"G?\xf8") + 1


@pytest.mark.parametrize("value", [Decimal(1), {1, 2}, b"bytes"])
def test_a_deleted_object_is_a_change(value: object) -> None:
    """A session without classes never equals one with a class, so none is opened."""
    known = {**BEAKERS, "a": value}

    assert differs("pickle", known, {**BEAKERS, "a": 1}) is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_far_behind_is_seen(kind: str) -> None:
    """Behind whatever a session begins with, to its last byte; a later access is no change."""
    known = {**BEAKERS, **{f"key {n}": f"value {n}" for n in range(200)}, "z": 1}

    assert differs(kind, known, {**known, "_accessed_time": 7.0}) is False
    assert differs(kind, known, {**known, "_accessed_time": 7.0, "z": 2}) is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_cookie_path_hides_no_change(kind: str) -> None:
    """The position of the access time does not matter."""
    for length in range(250, 420):
        known = {**BEAKERS, "_path": "/" + "p" * length, "a": 1}

        assert differs(kind, known, {**known, "_accessed_time": 7.0}) in (False, None)
        assert differs(kind, known, {**known, "a": 2}) in (True, None)


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_is_opened_and_not_compared(kind: str) -> None:
    """Every beginning of a session's text, and bytes that are none: an answer, never an error."""
    whole = text(kind, {**BEAKERS, "a": 1})
    envelope = KINDS[kind][1]

    for end in range(len(whole)):
        assert envelope.compare(whole[:end], whole).changed is not False
        assert envelope.compare(whole, whole[:end]).changed is not False
    for raw in (b"", b"\x80\x02}q\x00(X\xff\xff\xff\xff", pickle.dumps([], 2), b"\x78\x9c"):
        assert envelope.compare(base64.b64encode(raw).decode(), whole).changed is None
