"""Entries of a cache that cannot be read: each is a miss, and nothing of it is run."""

from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from types import ModuleType
from typing import Any

import pytest

from beaker_dynamodb import OptionError
from beaker_dynamodb.caches.store import CacheStore
from beaker_dynamodb.item.record import Record
from tests.caches.tables import Maker, Table, fail_if_called
from tests.revisions import make_rev


class Planted:
    """An object that runs code when it is unpickled."""

    ran: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _plant, ()


def _plant() -> str:
    Planted.ran = (*Planted.ran, "ran")
    return "planted"


def put_under(table: Table, value: Any, **options: Any) -> dict[str, Any]:
    """Put a value under other options, and return its row."""
    table.with_options(**options).cache().put("k", value)
    (row,) = table.rows()
    return row


def spoil_entry(table: Table, data: bytes) -> None:
    """Leave an entry with other data."""
    row = put_under(table, "v")
    table.change(row, data={"B": data})


def half(table: Table) -> None:
    """Leave an entry of which the half is missing."""
    row = put_under(table, "v" * 1000)
    table.change(row, data={"B": row["data"]["B"][:-5]})


def of_a_later_release(table: Table) -> None:
    """Leave an entry of a format that only a later release knows."""
    row = put_under(table, "v")
    table.change(row, data={"B": b"\x63" + row["data"]["B"][1:]})


def without_data(table: Table) -> None:
    """Make the row one of another store."""
    row = put_under(table, "v")
    table.change(row, data={"S": "text"}, rev={"N": "5"})


def of_a_class_that_moved(table: Table) -> None:
    """Leave an entry whose class a deploy has moved."""
    module = ModuleType("moved")
    exec("class Thing: pass", module.__dict__)  # noqa: S102  # a class of a module to come and go
    sys.modules["moved"] = module
    try:
        put_under(table, module.Thing())
    finally:
        del sys.modules["moved"]


def of_a_session(table: Table) -> None:
    """Leave a session's bytes in the row of a cache."""
    row = put_under(table, "v")
    table.session("k")["session"] = "text"
    other = next(r for r in table.rows() if r["id"]["S"].startswith("sess:"))
    table.change(row, data=other["data"])
    table.drop(other["id"]["S"])


UNREADABLE = {
    "garbage": lambda table: spoil_entry(table, b"garbage that is long enough"),
    "empty": lambda table: spoil_entry(table, b""),
    "half": half,
    "a later release's": of_a_later_release,
    "no row of ours": without_data,
    "another serializer's": lambda table: put_under(table, "v", serializer="json"),
    "a class that moved": of_a_class_that_moved,
    "too large to read": lambda table: put_under(table, "v" * 3000, max_value_size="64KB"),
    "a session's": of_a_session,
    "encrypted": lambda table: put_under(table, "v", encryption_keys="A" * 43 + "="),
}


@pytest.mark.parametrize("leave", UNREADABLE.values(), ids=UNREADABLE)
def test_an_entry_that_cannot_be_read_is_created_again(plain: Table, leave: Any) -> None:
    """The page is served with a new value, and the next page has a hit."""
    leave(plain)
    cache = plain.cache(max_value_size="2000")

    assert "k" not in cache
    assert cache.get("k", createfunc=Maker("made")) == "made"
    assert cache.get("k", createfunc=fail_if_called) == "made"


@pytest.mark.parametrize("leave", UNREADABLE.values(), ids=UNREADABLE)
def test_an_entry_that_cannot_be_read_can_be_removed(plain: Table, leave: Any) -> None:
    """Other servers may be able to read it: a right that was revoked must not live on there."""
    leave(plain)

    plain.cache(max_value_size="2000").remove_value("k")

    assert plain.rows() == []


@pytest.mark.parametrize("value", [b"v" * 500_000, b"v"], ids=["large", "small"])
def test_a_value_of_any_size_replaces_garbage(plain: Table, value: bytes) -> None:
    """A large value is put on condition of the old revision, and garbage has none."""
    without_data(plain)
    options = {"serializer": "tests.caches.tables:RAW", "compress": False}

    plain.manager(**options)["k"] = value

    assert plain.manager(**options)["k"] == value


@pytest.mark.parametrize("given", ["nowhere:it", "tests.caches.tables:Maker", "nothing", 5])
def test_a_serializer_that_is_none_is_said(plain: Table, given: object) -> None:
    """A module, a name or a method that is not there: OptionError, when the cache is made."""
    with pytest.raises(OptionError, match=r"option 'serializer' has .*expected pickle, json"):
        plain.manager(serializer=given)


def test_an_entry_of_another_serializer_is_a_miss_even_if_it_would_load(plain: Table) -> None:
    """After a change of the option, old values are created again.

    This JSON is valid for the other serializer, too.
    """
    plain.manager(serializer="json")["k"] = {"a": [1, "b"]}

    assert "k" in plain.manager(serializer="json")
    assert "k" not in plain.manager(serializer="tests.caches.tables:LITERALS")


@pytest.mark.parametrize("serializer", ["json", "tests.caches.tables:LITERALS"])
def test_a_cache_without_pickle_never_unpickles(
    plain: Table, serializer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache with another serializer unpickles nothing in the table.

    The row is a pickle as we write it, and then one with the number of this serializer.
    """
    monkeypatch.setattr(Planted, "ran", ())
    put_under(plain, Planted())
    manager = plain.manager(serializer=serializer)
    store = manager._store
    assert isinstance(store, CacheStore)
    before = "k" in manager

    record = Record(store.rows.layout.make_value_key("ns", "k"), b"", make_rev("birth.token"))
    disguised = store.rows.seal(record, pickle.dumps(Planted()))
    store.rows.replace(disguised)

    assert (before, "k" in manager) == (False, False)
    assert Planted.ran == ()
    assert pickle.loads(pickle.dumps(Planted())) == "planted"


@dataclasses.dataclass
class Unhashable:
    """A serializer of the usual kind, without a hash."""

    encoding: str = "utf-8"

    def dumps(self, value: Any) -> Any:
        return json.dumps(value).encode(self.encoding)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Texts(Unhashable):
    """One that writes no bytes."""

    def dumps(self, value: Any) -> Any:
        return json.dumps(value)


def test_a_serializer_may_be_any_object(plain: Table) -> None:
    """Also a dataclass, which has no hash."""
    cache = plain.with_options(serializer=Unhashable()).cache()
    cache.put("k", {"a": 1})

    assert cache["k"] == {"a": 1}
    assert plain.with_options(serializer=Unhashable()).cache()["k"] == {"a": 1}


def test_a_serializer_that_writes_no_bytes_is_named(plain: Table) -> None:
    """The error names the option, and what is expected."""
    with pytest.raises(OptionError, match=r"'serializer'.*str; expected bytes"):
        plain.with_options(serializer=Texts()).cache().put("k", 1)

    assert plain.rows() == []
