"""A user's text costs no more than its length: no search, comparison or inflation is quadratic."""

from __future__ import annotations

import base64
import itertools
import json
import os
import pickle
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from beaker.util import PickleSerializer

from beaker_dynamodb.dynamodb.responses import read_failure
from beaker_dynamodb.errors import mask, mask_repr
from beaker_dynamodb.item.codec import SESSION, VALUE, Codec, EncryptionContext, inflates_beyond
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.merge import find_changed_keys, is_same
from beaker_dynamodb.item.record import Schema, from_attributes, promote
from beaker_dynamodb.ops import identity
from tests.growth import assert_linear
from tests.item.odd_values import Plain
from tests.revisions import make_rev

pytestmark = pytest.mark.no_cover  # the tests of each module cover the branches

CONTEXT = EncryptionContext(Key("sess:a"), make_rev("b.t"), 1000)
#: What users send, or what their browsers and files hold: each searches are known to stumble over.
TEXTS: dict[str, Callable[[int], str]] = {
    "one letter": lambda n: "c" * n,
    "random hex": lambda n: os.urandom(n // 2).hex(),
    "names of classes": lambda n: "cos\nsystem\n" * (n // 11),
    "line feeds": lambda n: "\na" * (n // 2),
    "quotes": lambda n: '"\\' * (n // 2),
    "digits": lambda n: "1" * n,
    "colons and hashes": lambda n: ":#" * (n // 2),
}
BEAKERS: dict[str, Any] = {"_accessed_time": 1.5, "_creation_time": 1.0}


def write_pickle(values: dict[str, Any]) -> str:
    """Write a session as Beaker does."""
    return base64.b64encode(PickleSerializer().dumps(values)).decode()


def in_json(values: dict[str, Any]) -> str:
    """Write a session as Beaker's JSON."""
    return base64.b64encode(zlib.compress(json.dumps(values).encode())).decode()


@pytest.mark.parametrize("shape", TEXTS)
def test_a_save_beside_a_users_text_takes_as_long_as_the_text(shape: str) -> None:
    """Another key of the session is changed; the text is only looked at."""

    def pickles(size: int) -> Callable[[], object]:
        known = {**BEAKERS, "note": TEXTS[shape](size)}
        return partial(
            PickleEnvelope().compare, write_pickle(known), write_pickle({**known, "a": 1})
        )

    def jsons(size: int) -> Callable[[], object]:
        known = {**BEAKERS, "note": TEXTS[shape](size)}
        envelope = JsonEnvelope(1 << 30)
        return partial(envelope.compare, in_json(known), in_json({**known, "a": 1}))

    assert_linear(pickles, 40_000)
    assert_linear(jsons, 40_000)


def _chain(length: int, end: object) -> Plain:
    """Make objects that hold one another, the last of which holds *end*."""
    for _ in range(length):
        end = Plain(next=end)
    assert isinstance(end, Plain)
    return end


def _cart(size: int, tags: object) -> Plain:
    """Make an object that holds others, each of which holds it."""
    cart = Plain(tags=tags)
    cart.__dict__["lines"] = [Plain(cart=cart, number=number) for number in range(size)]
    return cart


@pytest.mark.parametrize(
    "shape", ["a chain of objects", "many objects", "objects that hold one another", "sets"]
)
def test_comparing_objects_takes_as_long_as_they_are_large(shape: str) -> None:
    """If two pickles differ by the order of a set, each part is compared once."""
    some, others = {0, 8}, {8, 0}  # of one slot: the order is that of the insertions
    assert pickle.dumps(some) != pickle.dumps(others)

    def make(size: int) -> Callable[[], object]:
        if shape == "a chain of objects":
            return partial(is_same, _chain(size // 8, [some]), _chain(size // 8, [others]))
        if shape == "many objects":
            return partial(
                is_same,
                [Plain(a={0, 8, n}) for n in range(size)],
                [Plain(a={8, 0, n}) for n in range(size)],
            )
        if shape == "objects that hold one another":
            return partial(is_same, _cart(size, some), _cart(size, others))
        return partial(is_same, [set(range(size))], [set(range(size - 1, -1, -1))])

    assert_linear(make, 80)


def _members(shape: str, size: int) -> list[Plain]:
    """Make objects that share a list, hold one another in a chain, or hold all the others."""
    members = [Plain(number=number) for number in range(size)]
    shared = list(range(size)) if shape == "a shared list" else members
    for member, following in itertools.pairwise(members):
        member.__dict__["linked"] = following if shape == "a chain" else shared
    return members


@pytest.mark.parametrize("shape", ["a shared list", "a chain", "each refers to all"])
@pytest.mark.parametrize("kind", ["one set", "sets that share a member", "nested"])
def test_comparing_sets_of_objects_takes_as_long_as_they_are_large(shape: str, kind: str) -> None:
    """A member's pickle holds all that it refers to, so not every member is pickled."""

    def make_set(size: int) -> object:
        members = _members(shape, size)
        if kind == "nested":
            return {frozenset({(member, 1)}) for member in members}
        return set(members) if kind == "one set" else [{member} for member in members]

    def make(size: int) -> Callable[[], object]:
        size = size // 10 if shape == "a chain" else size  # a pickle goes only so deep
        return partial(is_same, [{0, 8}, make_set(size)], [{8, 0}, make_set(size)])

    assert_linear(make, 150)


def test_comparing_nested_frozensets_takes_as_long_as_they_are_large() -> None:
    """Two members in each, which share everything below: 2 ** depth paths."""

    def nested(depth: int, end: object) -> object:
        found = frozenset({end})
        for _ in range(depth):
            found = frozenset({found, (found,)})
        return found

    def make(size: int) -> Callable[[], object]:
        return partial(is_same, [{0, 8}, nested(size, 8)], [{8, 0}, nested(size, 8)])

    assert make(2)()
    assert make(20)()
    assert not is_same([nested(20, 8)], [nested(20, 0)])
    assert_linear(make, 2)


@pytest.mark.parametrize("shape", TEXTS)
def test_changed_keys_are_found_in_one_pass(shape: str) -> None:
    """A session of many keys, and one of one large text."""

    def make(size: int) -> Callable[[], object]:
        text = TEXTS[shape](size)
        one = {"note": text, "list": [text, 1]} | {str(n): n for n in range(size // 10)}
        other = {"note": text + "!", "list": [text, 2]} | {str(n): n for n in range(size // 10)}
        return lambda: find_changed_keys(one, other)

    assert_linear(make, 10_000)


@pytest.mark.parametrize(
    "filler",
    [
        os.urandom,  # as large as what comes out
        lambda n: b"\0" * n,  # a bomb
        lambda n: b"ab" * (n // 2),
    ],
    ids=["noise", "zeros", "pairs"],
)
@pytest.mark.parametrize("trailer", [0, 1], ids=["whole", "followed by more"])
def test_counting_what_a_json_session_inflates_to_is_linear(
    filler: Callable[[int], bytes], trailer: int
) -> None:
    """A row of the largest size takes time for its own length, even with bytes after the stream."""

    def make(size: int) -> Callable[[], object]:
        raw = zlib.compress(filler(size)) + os.urandom(trailer * size)
        return partial(inflates_beyond, raw, size - 1)

    assert_linear(make, 1_000_000)


@pytest.mark.parametrize("shape", TEXTS)
def test_sealing_opening_and_keying_are_linear(shape: str) -> None:
    """Whatever a cookie, a cache's key or a value is made of."""

    def seal(kind: int, size: int) -> Callable[[], object]:
        codec = Codec(kind, max_size=1 << 30)
        value = TEXTS[shape](size).encode()
        return lambda: codec.open(codec.seal(value, CONTEXT), CONTEXT)

    def keys(size: int) -> Callable[[], object]:
        text, layout = TEXTS[shape](size), Layout("sess:")

        def run() -> None:
            (
                layout.make_session_key(text),
                layout.make_value_key(text, text),
                layout.classify(Key("sess:" + text)),
            )
            identity.list_keys("a=" + text + "!", layout)
            identity.list_keys(text, layout)

        return run

    for kind in (SESSION, VALUE):
        assert_linear(partial(seal, kind), 40_000)
    assert_linear(keys, 40_000)


@pytest.mark.parametrize(
    "part", ["c", ":", "://", "a:b@", "?passw", "&key=", "'", "%40", "%3a%2f%2f", "a b:c@ "]
)
def test_hiding_passwords_is_linear(part: str) -> None:
    """A value of an ini file that is an error is shown masked, however long it is."""
    assert_linear(lambda size: lambda: (mask(part * size), mask_repr(part * size)), 5_000)


@pytest.mark.parametrize("shape", TEXTS)
def test_reading_a_row_and_a_refusal_is_linear(shape: str) -> None:
    """Also for long attributes of the row, and long texts in an error response."""

    class ClientError(Exception):
        def __init__(self, text: str) -> None:
            self.response = {"Error": {"Code": "ValidationException", "Message": text}}

    def row(size: int) -> Callable[[], object]:
        text = TEXTS[shape](size)
        found = {
            "data": text.encode(),
            "rev": make_rev("b.t"),
            "prev": bytes(10),
            "cache_key": text,
        }
        schema = Schema(special=(("a", "S"), ("b", "N")))
        return lambda: (
            from_attributes(Key("a"), found, schema),
            promote({"a": text, "b": text}, schema),
        )

    def refusal(size: int) -> Callable[[], object]:
        texts = [
            f"{begin}{TEXTS[shape](size)}" for begin in ("", "Missing the key ", "Type mismatch")
        ]
        return lambda: [read_failure(ClientError(text)) for text in texts]

    assert_linear(row, 40_000)
    assert_linear(refusal, 40_000)
