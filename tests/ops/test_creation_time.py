"""The age and serializer of a session, found without opening it."""

from __future__ import annotations

import base64
import pickle
import time
from typing import Any

import pytest
from beaker.util import JsonSerializer, PickleSerializer

from beaker_dynamodb.item import revision
from beaker_dynamodb.item.revision import REV_SIZE
from beaker_dynamodb.ops import sessions
from beaker_dynamodb.ops.inspection import detect_serializer
from tests.ops.example_apps import ExampleApp
from tests.ops.odd_rows import seal_text

MOST = 1 << 20
BEGAN = 1_700_000_000


@pytest.mark.parametrize(
    ("serializer", "kind"), [(PickleSerializer(), "pickle"), (JsonSerializer(), "json")]
)
def test_the_serializer_of_a_session_is_known(serializer: Any, kind: str) -> None:
    """By the first bytes of its text."""
    text = base64.b64encode(serializer.dumps({"user": "x"})).decode()

    assert detect_serializer(text, MOST) == kind


TEXTS = {
    "opaque": base64.b64encode(b"encrypted bytes").decode(),
    "without a time": base64.b64encode(pickle.dumps({"user": "x"}, 2)).decode(),
    "with another time": base64.b64encode(pickle.dumps({"_creation_time": 5}, 2)).decode(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("rev", "began"),
    [
        (revision.make_rev(b"birth!", b"a token.", BEGAN), BEGAN),
        (revision.make_rev(b"birth!", b"a token."), None),
        (b"\xff" * REV_SIZE, None),
    ],
    ids=["a start", "none", "after the year 9999"],
)
def test_the_age_of_a_session_is_that_of_its_row(
    text: str, rev: bytes, began: int | None, dynamodb_local: str, table_name: str
) -> None:
    """Whatever is in its text, which is not unpickled; also of a session that does not open."""
    site = ExampleApp.create(dynamodb_local, table_name)
    for name, data in (("a", seal_text(text.encode())), ("b", b"\1S\0\0damaged")):
        site.put(id={"S": f"sess:{name}"}, rev={"B": rev}, data={"B": data})

    found = [one.created for one in sessions.list_sessions(site.rows, time.time())]

    assert found == [began, began]


@pytest.mark.parametrize("option", ["max_age", "created_after"])
def test_a_row_with_a_damaged_revision_has_not_ended(
    option: str, dynamodb_local: str, table_name: str
) -> None:
    """It has no start that could be believed; it is listed with its error, and can be deleted."""
    value = {"max_age": "1h", "created_after": "2026-01-01T00:00:00Z"}[option]
    site = ExampleApp.create(dynamodb_local, table_name, **{option: value})
    site.put(id={"S": "sess:a"}, rev={"B": b"r"}, data={"B": seal_text(b"text")})

    (found,) = sessions.list_sessions(site.rows, time.time())

    assert (found.live, found.created) == (True, None)
    assert "length" in found.error
