"""Entries of a source backend: strategies for unusual ones, and for good ones."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

from hypothesis import strategies as st

#: Numbers that some type of some store cannot hold.
NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1_700_000_000,
    1_700_000_000_000,
    10**400,
    -(10**400),
    2**63,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
)
numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(), st.floats())
#: Texts that are no number, or that begin as one.
TEXTS = ("", " ", "soon", "NaN", "Infinity", "1e999", "9" * 5000, "1700000000", "\ud800", "\x00")
texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=20),
    numbers.map(lambda n: f"{n:.400}"[:400] if isinstance(n, float) else "9" * 400),
)
plain = st.one_of(st.none(), st.booleans(), numbers, texts, st.binary(max_size=20))
anything = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
values = st.fixed_dictionaries(
    {}, optional={"_accessed_time": anything, "_creation_time": anything, "user": anything}
)


def write_pickle(content: object) -> str:
    """Write a session's text as Beaker's pickle serializer does."""
    return base64.b64encode(pickle.dumps(content, 2)).decode()


def compress(words: str) -> str:
    """Write a session's text as Beaker's JSON serializer does, whatever the JSON is."""
    return base64.b64encode(zlib.compress(words.encode("utf-8", "surrogatepass"))).decode()


def write_json(content: object) -> str:
    """Return a session's text in JSON; values that JSON does not have are written as their repr."""
    try:
        return compress(json.dumps(content, default=repr))
    except ValueError:  # an int of more digits than Python writes
        return compress("{}")


#: JSON that nobody's encoder writes.
JSONS = (
    '{"_accessed_time": ' + "9" * 400 + "}",
    '{"_accessed_time": 1e999}',
    '{"_accessed_time": NaN}',
    '{"a": ' + "[" * 100_000,
    '{"a": ' + "9" * 10_000 + "}",
    '{"a": "\\ud800"}',
    "[]",
    "",
)
session_texts = st.one_of(
    values.map(write_pickle),
    values.map(write_json),
    st.sampled_from(JSONS).map(compress),
    texts,
    anything,
)
#: What files, redis and a database's column hold: the pickle of a dict or of a text, and garbage.
contents = st.one_of(
    session_texts.map(lambda text: pickle.dumps({"session": text}, 2)),
    session_texts.map(lambda text: pickle.dumps(text, 2)),
    anything.map(pickle.dumps),
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"\x80\x02" + b"(" * 1000,
            b"I" + b"9" * 10_000 + b"\n.",
            b"\x80\x04" + b"]\x94" * 3 + b".",
            pickle.dumps({"session": write_pickle({"_accessed_time": 10**400})}),
        ]
    ),
)
