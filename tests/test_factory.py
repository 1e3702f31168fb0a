"""The parts that the stores of all requests share are built once for each set of options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from beaker_dynamodb import OptionError, configure
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.factory import create_store
from beaker_dynamodb.runtime import REAL, Runtime


def rows(
    given: Mapping[str, object],
    *,
    timeout: object = None,
    runtime: Runtime = REAL,
    is_session: bool = True,
) -> Rows:
    """Create a store, and return its rows."""
    return create_store("ns", timeout, given, runtime, is_session=is_session).rows


def test_shared_parts_are_built_once_for_each_set_of_options() -> None:
    """The order of options makes no difference; kind, timeout, types and runtime do."""
    first = rows({"table": "tab", "ttl": "5"})

    assert rows({"ttl": "5", "table": "tab"}) is first
    assert rows({"table": "tab", "ttl": "5"}, is_session=False) is not first
    assert rows({"table": "tab", "ttl": "5"}, timeout=60) is not first
    assert rows({"table": "tab", "ttl": "5"}, runtime=replace(REAL)) is not first
    assert rows({"table": "tab", "ttl": "6"}).options.ttl == 6
    unhashable = {"special_keys": [("a", "N")]}
    assert rows(unhashable).options.special_keys == (("a", "N"),)


def test_configure_takes_effect_at_the_next_request() -> None:
    """The end of its block does so, too."""
    with configure(table="other"):
        assert rows({"ttl": "5"}).options.table == "other"
    assert rows({"ttl": "5"}).options.table == "sessions"


def test_1_and_true_are_different_values() -> None:
    """1, True and 1.0 are one key of a dict, but True and 1.0 must be refused."""
    assert rows({"max_attempts": 1}).options.max_attempts == 1
    assert rows({"max_attempts": "1"}).options.max_attempts == 1
    for bad in (True, 1.0):
        with pytest.raises(OptionError):
            rows({"max_attempts": bad})
    with pytest.raises(OptionError):
        rows({}, timeout=True)


def test_the_number_of_kept_sets_is_limited() -> None:
    """An application that uses new options for each cache does not fill the memory."""
    first = rows({"table": "t-0"}, is_session=False)

    for number in range(300):
        assert rows({"table": f"t-{number}"}, is_session=False).options.table == f"t-{number}"
    assert rows({"table": "t-0"}, is_session=False) is not first
