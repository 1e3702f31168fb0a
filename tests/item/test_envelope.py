"""Beaker's own texts are opened and closed as Beaker does; all others are opaque."""

from __future__ import annotations

import base64
import json
import math
import pickle
import sys
import tracemalloc
import types
import zlib
from pathlib import Path
from typing import Any

import pytest
from beaker.util import JsonSerializer, PickleSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, choose_envelope
from beaker_dynamodb.item.merge import is_same

LAW = settings(max_examples=100, derandomize=True, deadline=None)

MB = 1024 * 1024
SESSION = {"_accessed_time": 5.5, "_creation_time": 1.5, "user": "joe", "basket": [1, {"a": None}]}
PICKLE, JSON = PickleEnvelope(), JsonEnvelope(16 * MB)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
jsonable = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
sessions = st.dictionaries(st.text(max_size=8), jsonable, max_size=6)


def text_of(serializer: Any, values: object) -> str:
    """Write a session's text as Beaker does (beaker/session.py, `_encrypt_data`)."""
    return base64.b64encode(serializer.dumps(values)).decode()


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@LAW
@given(sessions)
def test_beakers_own_texts_open(values: dict[str, Any]) -> None:
    """Texts of Beaker's two serializers open, each by the envelope of its format."""
    for serializer, envelope in ((PickleSerializer(), PICKLE), (JsonSerializer(), JSON)):
        text = text_of(serializer, values)
        found = choose_envelope(text, 16 * MB, "auto")

        assert found == envelope
        assert found is not None
        assert is_same(found.open(text), values)


@LAW
@given(sessions)
def test_a_merged_session_is_readable_for_beaker(values: dict[str, Any]) -> None:
    """A closed text is the one that Beaker writes; it opens again, here and in Beaker."""
    for serializer, envelope in ((PickleSerializer(), PICKLE), (JsonSerializer(), JSON)):
        text = envelope.close(values)

        assert is_same(envelope.open(text), values)
        assert is_same(envelope.open(envelope.close(envelope.open(text) or {})), values)
        assert text == text_of(serializer, values)
        assert is_same(serializer.loads(base64.b64decode(text)), values)


OPAQUE = {
    "empty": "",
    "no base64": "hello, world",
    "base64 without its padding": "gAJ9cQA",
    "a lone surrogate": "\ud800",
    "beyond ASCII": "caf\xe9",
    "random bytes": base64.b64encode(bytes(range(256))).decode(),
    "a pickle of protocol 4": base64.b64encode(pickle.dumps(SESSION, 4)).decode(),
    "a pickle of protocol 0": base64.b64encode(pickle.dumps(SESSION, 0)).decode(),
    "a pickled list": base64.b64encode(pickle.dumps([1], 2)).decode(),
    "a pickled class": base64.b64encode(pickle.dumps(JSON, 2)).decode(),
    "a header that is cut": base64.b64encode(b"\x80\x02}q").decode(),
}


@pytest.mark.parametrize("text", OPAQUE.values(), ids=OPAQUE)
def test_a_session_of_no_plain_kind_is_opaque(text: str) -> None:
    """Only Beaker's exact protocol-2 header of a dict, or a zlib stream, in exact base64, opens."""
    assert choose_envelope(text, MB, "auto") is None
    assert PICKLE.open(text) is None
    assert JSON.open(text) is None


def in_base64(raw: bytes) -> str:
    """Write bytes as Beaker writes them."""
    return base64.b64encode(raw).decode()


SPOILED = {
    "a pickle that is cut": (PICKLE, in_base64(pickle.dumps(SESSION, 2)[:-3])),
    "a pickle of two objects": (PICKLE, in_base64(b"\x80\x02}q\x00K\x05.")),
    "a pickle of a missing module": (PICKLE, in_base64(b"\x80\x02}q\x00cno_module\nNo\n.")),
    "zlib that is cut": (JSON, in_base64(zlib.compress(b"{}")[:-2])),
    "zlib of no JSON": (JSON, in_base64(zlib.compress(b"{"))),
    "zlib of no text": (JSON, in_base64(zlib.compress(b"\xff\xfe\xfd"))),
    "zlib of a list": (JSON, in_base64(zlib.compress(b"[]"))),
    "JSON that nests too deep": (JSON, in_base64(zlib.compress(b"[" * 200_000))),
    "no zlib after its first byte": (JSON, in_base64(b"\x78hello")),
    "JSON under a pickle": (PICKLE, text_of(JsonSerializer(), SESSION)),
}


@pytest.mark.parametrize(("envelope", "text"), SPOILED.values(), ids=SPOILED)
def test_a_session_that_does_not_open_is_none(
    envelope: PickleEnvelope | JsonEnvelope, text: str
) -> None:
    """A damaged text, or one of another format, gives None and no exception."""
    assert envelope.open(text) is None


def test_a_json_application_never_unpickles(tmp_path: Path) -> None:
    """A pickle planted in the table does not run if this process writes JSON."""
    planted = tmp_path / "planted"
    text = in_base64(pickle.dumps({"user": Bomb(planted)}, 2))
    mine = choose_envelope(text_of(JsonSerializer(), SESSION), MB, "auto")

    assert mine is not None
    assert mine.open(text) is None
    assert not planted.exists()

    assert PICKLE.open(text) == {"user": None}  # the bomb is live: under pickle it goes off
    assert planted.exists()


def test_the_option_chooses_what_may_open() -> None:
    """Under `json` every pickle is opaque; under `none` every session."""
    texts = [text_of(serializer, SESSION) for serializer in (PickleSerializer(), JsonSerializer())]
    opens = {
        option: [choose_envelope(text, MB, option) is not None for text in texts]
        for option in ("auto", "json", "none")
    }

    assert opens == {"auto": [True, True], "json": [False, True], "none": [False, False]}


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_a_pickle_with_another_header_is_never_loaded(tmp_path: Path, protocol: int) -> None:
    """Under a pickle envelope, too, only the exact header that Beaker writes is unpickled."""
    planted = tmp_path / "planted"

    assert PICKLE.open(in_base64(pickle.dumps({"user": Bomb(planted)}, protocol))) is None
    assert PICKLE.open(in_base64(pickle.dumps(Bomb(planted), 2))) is None
    assert not planted.exists()


def test_a_class_moved_by_a_deploy_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose class cannot be imported gives None, so that it can be replaced."""
    module = types.ModuleType("moved_by_a_deploy")
    cart = type("Cart", (list,), {"__module__": "moved_by_a_deploy"})
    module.__dict__["Cart"] = cart
    monkeypatch.setitem(sys.modules, "moved_by_a_deploy", module)
    text = PICKLE.close({"cart": cart([5])})

    assert PICKLE.open(text) == {"cart": cart([5])}
    del module.__dict__["Cart"]
    assert PICKLE.open(text) is None


def test_json_keeps_nan_as_beaker_does() -> None:
    """NaN and infinities in a JSON session survive, since Python's json writes them."""
    found = JSON.open(JSON.close({"nan": math.nan, "inf": -math.inf}))

    assert found is not None
    assert math.isnan(found["nan"])
    assert found["inf"] == -math.inf


@pytest.mark.parametrize(("spare", "opens"), [(-1, False), (0, True), (1, True)])
def test_a_json_session_opens_up_to_the_limit(spare: int, opens: bool) -> None:
    """The ceiling of an inflated JSON session is exact: at the limit it opens, above not."""
    values = {"a": "x" * 1000}
    text = JSON.close(values)

    assert JsonEnvelope(len(json.dumps(values)) + spare).open(text) == (values if opens else None)


def test_a_zlib_bomb_in_the_table_costs_no_memory() -> None:
    """A JSON text of 64 MB gives None at a limit of 1 MB, and takes a few MB of memory."""
    text = in_base64(zlib.compress(b'{"a": "' + b"x" * (64 * MB) + b'"}', 9))

    tracemalloc.start()
    try:
        assert JsonEnvelope(MB).open(text) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4 * MB
