"""Sessions out of a table of dynamodb-beaker 0.3.2, in the layout that its source shows.

The package itself needs boto 2 and Python 2 (`iteritems`, `types.NoneType`), so its rows are
written here as its `set_value` and `partial_save` would: an attribute for each key of the item.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import digest
from beaker_dynamodb.migration.bulk import Moved, Skipped, transfer
from beaker_dynamodb.migration.readers import origin
from tests.beaker.overlap import Browser, Site
from tests.servers import REGION

NOW = int(time.time())
TEXT_OF = {"user": "ann", "_creation_time": NOW - 60.5, "_accessed_time": NOW - 30.5}


@pytest.fixture
def theirs(new: Site) -> Iterator[str]:
    """Make a table such as theirs."""
    name = f"{new.table}-former"
    yield Site.made(new.url, name).table
    new.raw.delete_table(TableName=name)


def moved(new: Site, table: str, **given: str) -> dict[str, Any]:
    """Move all of their table; say what became of each."""
    where = {"endpoint_url": new.url, "region": REGION}
    source = origin("dynamodb-beaker", {"table_name": table, **where, **given})
    done = transfer(source, parse({"table": new.table, **where}, "session"), timeout=3600)
    return {one.session: one for one in done}


def test_a_session_that_was_kept_as_a_text_is_moved_as_it_is(
    new: Site, theirs: str, tmp_path: Any
) -> None:
    """Beaker 1.8 and later hand a text over; it stands in the attribute `session`."""
    old = new.with_(type="file", data_dir=str(tmp_path))
    user = old.begun(user="ann")
    (found,) = origin("file", {"data_dir": str(tmp_path)}).sessions(time.time)
    new.raw.put_item(TableName=theirs, Item={"id": {"S": user.id}, "session": {"S": found.text}})

    assert isinstance(moved(new, theirs)[digest(user.id)], Moved)
    assert new.found(user) == {"user": "ann"}


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_a_session_that_was_kept_as_attributes_becomes_a_text(
    new: Site, theirs: str, serializer: str
) -> None:
    """Older ones handed a dict over; `serializer` says how the application reads it now."""
    item: dict[str, Any] = {
        "id": {"S": "a" * 32},
        "_creation_time": {"N": str(NOW - 60.5)},
        "_accessed_time": {"N": str(NOW - 30.5)},
        "user": {"S": "ann"},
        "visits": {"N": "3"},
        "share": {"N": "0.25"},
        "roles": {"L": [{"S": "admin"}, {"NULL": True}]},
        "place": {"M": {"city": {"S": "Oslo"}}},
        "is_staff": {"BOOL": True},
    }
    new.raw.put_item(TableName=theirs, Item=item)

    (one,) = moved(new, theirs, serializer=serializer).values()

    assert one == Moved(digest("a" * 32), NOW - 30 + 3720)
    site = new.with_(data_serializer=serializer, timeout=3600)
    assert site.found(Browser("beaker.session.id=" + "a" * 32)) == {
        "user": "ann",
        "visits": 3,
        "share": 0.25,
        "roles": ["admin", None],
        "place": {"city": "Oslo"},
        "is_staff": True,
    }


def test_what_is_no_live_session_is_told(new: Site, theirs: str) -> None:
    """A cache's item, a session that timed out, and one that the serializer cannot write."""
    times: dict[str, Any] = {"_creation_time": {"N": "1"}, "_accessed_time": {"N": "1"}}
    fresh: dict[str, Any] = {"_accessed_time": {"N": str(NOW)}}
    for key, attributes in {
        "cache": {"some key": {"B": b"value"}},
        "old": times,
        "set": {**fresh, "tags": {"SS": ["a"]}},
    }.items():
        new.raw.put_item(TableName=theirs, Item={"id": {"S": key}, **attributes})

    assert moved(new, theirs, serializer="json") == {
        digest(key): Skipped(digest(key), *why)
        for key, why in (
            ("cache", ("no session",)),
            ("old", ("expired",)),
            ("set", ("unreadable", "its attributes cannot be written by this serializer")),
        )
    }


def test_more_than_one_page_is_read(new: Site, theirs: str) -> None:
    """A scan brings 1 MB at a time; none of the pages is forgotten."""
    for n in range(8):
        item = {"id": {"S": f"s{n}"}, "_accessed_time": {"N": str(NOW)}, "x": {"S": "x" * 300_000}}
        new.raw.put_item(TableName=theirs, Item=item)

    assert len(moved(new, theirs)) == 8
