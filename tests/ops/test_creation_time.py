"""The creation time and serializer of a session, found without running any code of it."""

from __future__ import annotations

import base64
import os

import pytest
from beaker.util import JsonSerializer, PickleSerializer

from beaker_dynamodb.ops.inspection import detect_serializer
from beaker_dynamodb.ops.sessions import read_creation_time

MOST = 1 << 20
BEGUN = 1_700_000_000.25


class Bomb:
    """Unpickled, it would leave a trace."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, ("/nonexistent/folder",)


def text(serializer: object, values: object) -> str:
    """Write values as Beaker stores them."""
    return base64.b64encode(serializer.dumps(values)).decode()  # type: ignore[attr-defined]


FIRST = {"_accessed_time": BEGUN + 9, "_creation_time": BEGUN, "user": "x"}
LATE = {**{f"key{n}": n for n in range(300)}, "_creation_time": BEGUN}


@pytest.mark.parametrize("values", [FIRST, LATE], ids=["as Beaker begins", "after 300 keys"])
@pytest.mark.parametrize(
    ("serializer", "kind"), [(PickleSerializer(), "pickle"), (JsonSerializer(), "json")]
)
def test_the_age_of_a_plain_session_is_known(
    serializer: object, kind: str, values: dict[str, object]
) -> None:
    """Beaker's creation time is read from JSON, and from a pickle without unpickling it."""
    stored = text(serializer, values)

    assert detect_serializer(stored, MOST) == kind
    assert read_creation_time(stored, MOST) == BEGUN


def test_nothing_is_unpickled() -> None:
    """A pickle that runs code at its opening is harmless here, and its age is still known."""
    stored = text(PickleSerializer(), {**FIRST, "x": Bomb()})

    assert read_creation_time(stored, MOST) == BEGUN
    assert read_creation_time(stored, MOST, pickles=False) is None


def test_the_age_is_that_of_the_session_and_not_of_what_is_in_it() -> None:
    """A dict in a session may have a key of that name, too."""
    other = {"_creation_time": BEGUN - 5.5}

    assert read_creation_time(text(PickleSerializer(), {"x": other, **FIRST}), MOST) == BEGUN
    assert read_creation_time(text(PickleSerializer(), {"x": other}), MOST) is None


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "no base64!",
        base64.b64encode(b"encrypted bytes").decode(),
        text(PickleSerializer(), {"user": "x"}),
        text(JsonSerializer(), {"user": "x", "_creation_time": "yesterday"}),
        text(JsonSerializer(), {"user": "x", "_creation_time": 10**400}),
        text(PickleSerializer(), {"_creation_time": 5})[:16],
    ],
)
def test_an_age_that_the_session_does_not_hold_is_unknown(stored: str) -> None:
    """An opaque session, one without the time, a damaged one: not known, and no error."""
    assert read_creation_time(stored, MOST) is None
