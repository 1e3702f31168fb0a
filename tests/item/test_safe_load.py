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
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.opcodes import STUB
from beaker_dynamodb.item.safe_load import load_session, safe_load

MOST = 100_000
LAW = settings(max_examples=200, derandomize=True, deadline=None)
PROTOCOLS = st.integers(0, 5)


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
def test_plain_values_are_read_beside_objects_of_any_class(strange: object, protocol: int) -> None:
    """Objects are replaced by a stub, whatever the pickle does to them."""
    found = load_session(
        text_of({"strange": strange, "user": "ann", "n": 5}, protocol), "auto", MOST
    )

    assert found is not None
    assert (found["user"], found["n"]) == ("ann", 5)
    assert Running.ran is False
    assert found["strange"] is STUB


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
    assert load_session(text, "auto", MOST) is None
    assert Running.ran is False


def test_json_is_read() -> None:
    """As Beaker's `data_serializer = json` writes it."""
    text = base64.b64encode(zlib.compress(b'{"_accessed_time": 5.5}')).decode()

    assert load_session(text, "auto", MOST) == {"_accessed_time": 5.5}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=6,
)


@LAW
@given(values=st.dictionaries(st.text() | st.integers(), NESTED, max_size=8), protocol=PROTOCOLS)
def test_what_is_plain_is_read_as_pickle_reads_it(
    values: dict[str | int, object], protocol: int
) -> None:
    """Texts, numbers, bytes and booleans under a text are equal; other keys are known to be there.

    Below protocol 3 bytes are written as a call of a function, and so they are not plain.
    """
    found = safe_load(pickle.dumps(values, protocol))

    assert isinstance(found, dict)
    assert {key for key in found if key is not STUB} == {k for k in values if type(k) is str}
    assert (STUB in found) == any(type(key) is int for key in values)
    for key, value in values.items():
        if type(key) is str:
            is_plain = type(value) in {str, int, float, bool, type(None)}
            is_plain = is_plain or (type(value) is bytes and protocol > 2)
            assert found[key] == (value if is_plain else STUB)
            assert type(found[key]) is type(value if is_plain else STUB)


@LAW
@given(value=SCALARS, protocol=PROTOCOLS)
def test_a_scalar_is_read_as_pickle_reads_it(value: object, protocol: int) -> None:
    """Redis and dbm hold a session as a pickled text."""
    is_plain = type(value) is not bytes or protocol > 2
    assert safe_load(pickle.dumps(value, protocol)) == (value if is_plain else STUB)


@pytest.mark.parametrize("protocol", range(6))
def test_an_integer_is_read_up_to_255_bytes(protocol: int) -> None:
    """A larger one can be no time and no key of an index, and is not read."""
    values = {"fits": 2**2039 - 1, "negative": -(2**2039), "large": 2**6000, "after": 1}
    found = safe_load(pickle.dumps(values, protocol))

    assert found == {**values, "large": STUB}


#: As Python 2.7 wrote them: `str` for keys and texts, and cPickle counts its memo from 1.
PYTHON_2 = {
    "protocol 0": b"(dp1\nS'_accessed_time'\np2\nF5.5\nsS\"it's\"\np3\nS'ann'\np4\nsI5\nL6L\ns.",
    "protocol 1": b"}q\x01(U\x0e_accessed_timeq\x02G@\x16\0\0\0\0\0\0U\x04it'sq\x03U\x03ann"
    b"q\x04K\x05K\x06u.",
    "protocol 2": b"\x80\x02}q\x01(U\x0e_accessed_timeq\x02G@\x16\0\0\0\0\0\0T\x04\0\0\0it's"
    b"q\x03X\x03\0\0\0annq\x04K\x05K\x06u.",
}


@pytest.mark.parametrize("pickled", PYTHON_2.values(), ids=PYTHON_2)
def test_what_python_2_wrote_is_read(pickled: bytes) -> None:
    """Beaker ran on it for ten years, and its sessions may still be in the old backend."""
    assert pickle.loads(pickled) == {"_accessed_time": 5.5, "it's": "ann", 5: 6}
    assert safe_load(pickled) == {"_accessed_time": 5.5, "it's": "ann", STUB: 6}
    assert safe_load(b"S'gAJ9'\np1\n.") == "gAJ9"
    assert safe_load(b"S'caf\xc3\xa9'\n.") is STUB


@pytest.mark.parametrize(
    ("pickled", "value"),
    [
        (b"I00\n.", False),
        (b"I01\n.", True),
        (b"I1\n.", 1),
        (b"I" + b"9" * 640 + b"\n.", int("9" * 640)),
        (b"I" + b"9" * 641 + b"\n.", STUB),
        (b"L" + b"9" * 640 + b"L\n.", int("9" * 640)),
        (b"F" + b"0" * 639 + b"5\n.", 5.0),
        (b"F" + b"0" * 640 + b"5\n.", STUB),
        (b"I1\naI5\n.", None),
        (b"(I1\nimodule\nName\n.", STUB),
        (b"I5\np1\n.", 5),
        (b"I5\np2\n.", None),
        (b"I5\np" + b"0" * 640 + b"\n.", 5),
        (b"I5\np" + b"0" * 641 + b"\n.", None),
        (pickle.dumps({"k" * 255: 1}), {"k" * 255: 1}),
        (pickle.dumps({"k" * 256: 1}), {STUB: 1}),
    ],
)
def test_a_number_or_key_is_read_up_to_its_longest(pickled: bytes, value: object) -> None:
    """The cost of reading digits grows with the square of their number; no index skips two.

    An old-style instance is a stub, and what is appended to nothing ends the reading.
    """
    found = safe_load(pickled)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (b"'ann'", "ann"),
        (b'"ann"', "ann"),
        (b"''", ""),
        (b"'\\n'", STUB),
        (b"'", None),
        (b"", None),
        (b"ann", None),
        (b"'ann\"", None),
        (b"'ann", None),
        (b"xannx", None),
    ],
)
def test_a_text_of_python_2_is_read_between_its_quotes(literal: bytes, value: object) -> None:
    """One with an escape becomes a stub, and what is no literal ends the reading."""
    assert safe_load(b"S" + literal + b"\n.") == value


def test_a_dict_in_itself_is_a_stub() -> None:
    """Nothing in the result is nested."""
    endless: dict[str, object] = {"user": "ann"}
    endless["self"] = endless

    assert safe_load(pickle.dumps(endless)) == {"user": "ann", "self": STUB}


def test_no_pickle_is_read_where_the_option_forbids_it() -> None:
    """Under `envelope = json` JSON alone is read, and under `none` nothing is."""
    pickled = text_of({"_accessed_time": 5.5})
    json_text = base64.b64encode(zlib.compress(b'{"_accessed_time": 5.5}')).decode()

    read = {
        option: [load_session(text, option, MOST) is not None for text in (pickled, json_text)]
        for option in ("auto", "json", "none")
    }
    assert read == {"auto": [True, True], "json": [False, True], "none": [False, False]}


def test_garbage_has_no_values() -> None:
    """The outer pickle of a file, too."""
    assert safe_load(b"") is None
    assert safe_load(pickle.dumps({"session": "text"})) == {"session": "text"}


@pytest.mark.parametrize(
    "pickled",
    [
        b"(lp0\ng-1\n.",
        b"g" + b"9" * 700 + b"\n.",
        b"(e.",
        b"(1.",
        bytes((0x80, 6)) + b"N.",
    ],
    ids=[
        "a negative index",
        "an index of many digits",
        "no object",
        "an empty stack",
        "protocol 6",
    ],
)
def test_an_opcode_that_no_pickler_writes_ends_the_reading(pickled: bytes) -> None:
    """Nothing is read, and nothing but None comes out."""
    assert safe_load(pickled) is None


def test_a_stub_shows_nothing_of_what_it_replaces() -> None:
    """Its repr may be part of an error or a log line."""
    assert repr(STUB) == "<stub>"


def test_a_pickle_that_pops_its_mark_is_read_without_it() -> None:
    """As `pickle` reads it: a POP on an empty stack takes the mark away."""
    text = base64.b64encode(b"\x80\x02}q\x01(0.").decode()

    assert load_session(text, "auto", 1000) == {}
