"""Which sessions of a source backend are imported, and when their rows expire."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest

from beaker_dynamodb.item.eligibility import (
    EXPIRED,
    LOGGED_OUT,
    Importable,
    ImportPolicy,
    decide_import,
)
from beaker_dynamodb.item.record import Schema
from tests.item.test_safe_load import Color, text_of

NOW = 1000.0
SCHEMA = Schema(special=(("user", "S"),))
OPAQUE = "QUJD"


def policy(timeout: float | None = None, lifetime: float | None = 100) -> ImportPolicy:
    """Give the settings of an application."""
    return ImportPolicy(timeout, lifetime, 100_000, SCHEMA)


def expires(decision: Importable | str) -> int | str | None:
    """Return the row's expiry, or the reason why the session is not imported."""
    return decision if isinstance(decision, str) else decision.expires


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (900, 1020),
        (5000, 1120),  # an access time of the future, of a clock that was wrong, counts as now
        ("900", 1120),
        (True, 1120),
        (float("nan"), 1120),
        (float("inf"), 1120),
        (10**400, 1120),
        (879.9, EXPIRED),
        (880, 1000),  # later than its timeout, not at it
        (0, EXPIRED),
    ],
)
def test_a_row_expires_when_the_last_save_would_have_made_it_expire(
    stamp: object, expected: object
) -> None:
    """Only a number is a time; without one the session counts as saved now."""
    text = text_of({"_accessed_time": stamp})

    assert expires(decide_import(text, policy(120, 120), NOW)) == expected


@pytest.mark.parametrize(
    ("settings", "source_expires", "written", "expected"),
    [
        (policy(200, 320), None, None, 1320),
        (policy(200, 320), None, 900.5, 1221),
        (policy(200, 320), None, 700, EXPIRED),
        (policy(200, 320), 1100.5, 900.5, 1101),
        (policy(200, 320), 5000, 900.5, 1221),
        (policy(200, 320), 1000, None, EXPIRED),
        (policy(None, 300), None, 1, 1300),
        (policy(None, 300), 5000, 1, 5000),
        (policy(None, None), None, 1, None),
        (policy(None, None), 1100, 1, 1100),
    ],
)
def test_what_the_backend_says_counts_for_an_opaque_session(
    settings: ImportPolicy,
    source_expires: float | None,
    written: float | None,
    expected: object,
) -> None:
    """The earlier of two expiries holds under a timeout; without one the backend's own does."""
    decision = decide_import(OPAQUE, settings, NOW, source_expires=source_expires, written=written)

    assert expires(decision) == expected


def test_the_access_time_in_the_text_counts_before_the_time_of_the_write() -> None:
    """A file may be copied, which makes it look new."""
    text = text_of({"_accessed_time": 900})

    assert expires(decide_import(text, policy(200, 320), NOW, written=999)) == 1220


def test_an_importable_session_has_its_creation_time_and_promoted_keys() -> None:
    """The row needs them beside the text."""
    text = text_of({"_creation_time": 5.5, "user": "ann", "n": 1})

    assert decide_import(text, policy(), NOW) == Importable(1100, 5.5, {"user": "ann"})
    assert decide_import(OPAQUE, policy(), NOW) == Importable(1100)


def test_a_session_that_may_not_be_read_is_imported_as_opaque() -> None:
    """Under `envelope = json` no pickle is read: neither its times nor its keys count."""
    text = text_of({"_accessed_time": 1, "_creation_time": 5.5, "user": "ann"})
    settings = ImportPolicy(120, 120, 100_000, SCHEMA, envelope="json")

    assert decide_import(text, settings, NOW) == Importable(1120)


@pytest.mark.parametrize(
    ("accessed", "own", "expected"),
    [(900, 50, EXPIRED), (950, 50, 1120), (900, 500, 1520), (1, 2000, 2121)],
)
def test_a_session_with_a_lifetime_of_its_own_is_imported_with_it(
    accessed: float, own: float, expected: object
) -> None:
    """It is its timeout, and the row lives for Beaker's padding longer."""
    text = text_of({"_accessed_time": accessed, "_lifetime": own})

    assert expires(decide_import(text, policy(120, 240), NOW)) == expected


@pytest.mark.parametrize(("created", "expected"), [(990, 1040), (None, 1050), (1, EXPIRED)])
def test_the_row_of_an_imported_session_expires_at_its_longest_age(
    created: float | None, expected: object
) -> None:
    """It counts from the start; one that cannot be read is the import."""
    settings = ImportPolicy(None, 100, 100_000, Schema(max_age=50.0))

    text = text_of({"user": "ann", "_creation_time": created})
    assert expires(decide_import(text, settings, NOW)) == expected


@pytest.mark.parametrize("values", [{}, {"_domain": None, "_path": "/"}, {"_path": "/"}])
def test_what_delete_leaves_is_a_logout(values: dict[str, Any]) -> None:
    """Beaker's bookkeeping alone."""
    assert decide_import(text_of(values), policy(), NOW) == LOGGED_OUT


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("key", [5, None, True, 1.5, b"_path", ("_path",), Color.RED, "x" * 256])
def test_a_session_with_a_key_of_any_other_kind_is_not_empty(key: object, protocol: int) -> None:
    """The key itself is dropped, but the session must not count as logged out."""
    text = text_of({"_path": "/", key: 1}, protocol)

    assert isinstance(decide_import(text, policy(), NOW), Importable)


def test_an_opaque_session_is_not_known_to_be_empty() -> None:
    """It is imported."""
    text = base64.b64encode(b"encrypted").decode()

    assert isinstance(decide_import(text, policy(), NOW), Importable)


@pytest.mark.parametrize(
    ("values", "max_age", "created_after", "is_imported"),
    [
        ({"_creation_time": 100}, None, None, True),
        ({"_creation_time": 100}, None, 101.0, False),
        ({"_creation_time": 101}, None, 101.0, True),
        ({}, None, 101.0, False),
        ({}, 50.0, None, True),
        ({"_creation_time": 950}, 50.0, None, False),
        ({"_creation_time": 951}, 50.0, None, True),
    ],
)
def test_a_session_that_the_options_have_ended_is_not_imported(
    values: dict[str, Any], max_age: float | None, created_after: float | None, is_imported: bool
) -> None:
    """One without a start began before every `created_after`, and begins anew for `max_age`."""
    schema = Schema(max_age=max_age, created_after=created_after)
    settings = ImportPolicy(None, 100, 100_000, schema)

    decision = decide_import(text_of({"user": "ann", **values}), settings, NOW)

    assert isinstance(decision, Importable) is is_imported
    assert is_imported or decision == EXPIRED
