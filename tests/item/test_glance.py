"""A session's plain values, read without running any class's code."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import json
import pickle
import time
import zlib
from collections import OrderedDict, deque
from typing import Any

import pytest

from beaker_dynamodb.item.glance import (
    accessed,
    expiry,
    glance,
    is_emptied,
    plain_values,
    timed_out,
)

MOST = 100_000


class Color(str, enum.Enum):
    RED = "red"


class Slotted:
    __slots__ = ("one",)

    def __init__(self) -> None:
        self.one = 1


class Growing(list[int]):
    pass


class Running:
    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Running, "ran", True)


def text_of(values: object, protocol: int = 2) -> str:
    """Write a session as Beaker does."""
    return base64.b64encode(pickle.dumps(values, protocol)).decode()


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "strange",
    [
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
        decimal.Decimal(1),
        OrderedDict(a=1),
        deque([1, 2]),
        {1, 2},
        frozenset({1}),
        Color.RED,
        Slotted(),
        Growing([1, 2, 3]),
        Running(),
        print,
        time.struct_time(range(9)),
        [{"deep": [Slotted()]}],
        bytearray(b"x"),
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_plain_is_read_beside_objects_of_any_class(strange: object, protocol: int) -> None:
    """Whatever a pickle does to an object happens to a stand-in."""
    found = glance(text_of({"strange": strange, "user": "ann", "n": 5}, protocol), MOST)

    assert found is not None
    assert (found["user"], found["n"]) == ("ann", 5)
    assert Running.ran is False
    assert not isinstance(found["strange"], (str, int, float, bytes, bytearray)) or (
        type(found["strange"]) is bytearray
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64 \xe9",
        "QUJD",
        text_of([1]),
        text_of(Running()),
        base64.b64encode(b"\x80\x02garbage").decode(),
        base64.b64encode(b"\x80\x02cbuiltins\nexit\n(tR.").decode(),
        base64.b64encode(zlib.compress(b"[1]")).decode(),
        base64.b64encode(zlib.compress(json.dumps("x" * MOST).encode())).decode(),
        base64.b64encode(zlib.compress(b'{"x": "' + b"x" * MOST + b'"}')).decode(),
    ],
)
def test_what_is_no_plain_session_is_opaque(text: str) -> None:
    """Garbage, another type, a bomb: nothing is read out of it, and nothing happens."""
    assert glance(text, MOST) is None
    assert Running.ran is False


def test_json_is_read() -> None:
    """As Beaker's `data_serializer = json` writes it."""
    text = base64.b64encode(zlib.compress(b'{"_accessed_time": 5.5}')).decode()

    assert accessed(glance(text, MOST)) == 5.5


@pytest.mark.parametrize(
    ("values", "since"),
    [
        (None, None),
        ({}, None),
        ({"_accessed_time": 5}, 5.0),
        ({"_accessed_time": "5"}, None),
        ({"_accessed_time": True}, None),
        ({"_accessed_time": float("nan")}, None),
        ({"_accessed_time": float("inf")}, None),
    ],
)
def test_only_a_number_is_a_time(values: dict[str, Any] | None, since: float | None) -> None:
    """What else stands there says nothing."""
    assert accessed(values) == since


@pytest.mark.parametrize(
    ("since", "lifetime", "expires"),
    [(900.5, 100, 1001), (None, 100, 1100), (5000, 100, 1100), (900.5, None, None)],
)
def test_a_row_expires_when_its_last_save_would_have_it(
    since: float | None, lifetime: float | None, expires: int | None
) -> None:
    """An access time of the future, of a clock that was wrong, counts as now."""
    assert expiry(since, lifetime, 1000) == expires


@pytest.mark.parametrize(
    ("since", "timeout", "ended"),
    [(900, 100, False), (899, 100, True), (None, 100, False), (0, None, False)],
)
def test_a_session_ends_when_beaker_would_end_it(
    since: float | None, timeout: float | None, ended: bool
) -> None:
    """Later than its time-out, not at it."""
    assert timed_out(since, timeout, 1000) is ended


def test_what_delete_leaves_is_empty() -> None:
    """Beaker's bookkeeping alone; an opaque session is not known to be."""
    assert is_emptied({"_domain": None, "_path": "/"})
    assert is_emptied({})
    assert not is_emptied({"_accessed_time": 1})
    assert not is_emptied(None)


def test_garbage_has_no_values() -> None:
    """The outer pickle of a file, too."""
    assert plain_values(b"") is None
    assert plain_values(pickle.dumps({"session": "text"})) == {"session": "text"}
