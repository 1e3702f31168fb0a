"""The serializer of a cache: pickle, JSON, or an object of the application's own."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.serializers import Serializer, get_serializer

OWN = SimpleNamespace(dumps=lambda value: repr(value).encode(), loads=lambda data: data.decode())


def get(option: object) -> Serializer:
    """Return the serializer of an option's value, as a cache does."""
    return get_serializer(option, import_object)


@pytest.mark.parametrize(
    ("option", "number", "expected"),
    [
        ("pickle", codec.PICKLE, pickle.dumps({"a": [1, 2]}, pickle.HIGHEST_PROTOCOL)),
        ("json", codec.JSON, b'{"a":[1,2]}'),
        (json, codec.CUSTOM, None),
        (OWN, codec.CUSTOM, b"{'a': [1, 2]}"),
        ("tests.item.test_serializers:OWN", codec.CUSTOM, b"{'a': [1, 2]}"),
    ],
    ids=["pickle", "json", "texts", "an object", "its path"],
)
def test_a_value_is_written_by_the_chosen_serializer(
    option: object, number: int, expected: bytes | None
) -> None:
    """Each has its own number in the row's header; what is no bytes is refused."""
    chosen = get(option)

    assert chosen.number == number
    if expected is None:
        with pytest.raises(OptionError) as caught:
            chosen.dumps({"a": [1, 2]})
        wrong = "option 'serializer' has an object whose dumps gives str; expected bytes"
        assert str(caught.value) == wrong
        return
    assert chosen.dumps({"a": [1, 2]}) == expected
    assert chosen.loads(expected) in ({"a": [1, 2]}, expected.decode(errors="replace"))


@pytest.mark.parametrize(
    "option", [None, SimpleNamespace(dumps=repr), SimpleNamespace(loads=repr, dumps="dumps")]
)
def test_what_cannot_read_and_write_is_refused(option: Any) -> None:
    """The error says what is expected."""
    with pytest.raises(OptionError) as caught:
        get(option)

    assert str(caught.value) == (
        f"option 'serializer' has {option!r}; expected pickle, json, or an object with"
        " dumps and loads, or the dotted path of one"
    )


@pytest.mark.parametrize("path", ["jso", "tests.item.test_serializers:NONE"])
def test_a_path_that_leads_nowhere_names_the_option(path: str) -> None:
    """And the words that it takes."""
    with pytest.raises(OptionError, match=r"option 'serializer' has .*expected pickle, json"):
        get(path)
