"""The markers of `import` are rows that operators do not meet, but for the purge and the sums."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from beaker.util import PickleSerializer

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.migration.bulk import Imported, import_sessions
from beaker_dynamodb.migration.readers.reader import Clock, SourceSession
from beaker_dynamodb.ops import purge
from beaker_dynamodb.ops.logout import find_row, revoke
from beaker_dynamodb.ops.sessions import count_sessions, find_sessions, list_sessions
from beaker_dynamodb.ops.stats import stats
from tests.ops.example_apps import IDENT, ExampleApp

DAY = 86400


@dataclass(frozen=True)
class Two:
    """An old backend with two sessions in it."""

    now: float

    def sessions(self, _clock: Clock) -> Iterator[SourceSession]:
        """Yield both."""
        values = {"_accessed_time": self.now, "_creation_time": self.now, "userId": "42"}
        text = base64.b64encode(PickleSerializer().dumps(values)).decode()
        yield SourceSession(IDENT, text)
        yield SourceSession("two", text)

    def count(self) -> int | None:
        """Count them."""
        return 2


@pytest.fixture(params=[{}, {"range_key": "part"}], ids=["hash", "hash+range"])
def site(request: pytest.FixtureRequest, dynamodb_local: str, table_name: str) -> ExampleApp:
    """Give an application whose two sessions were imported an hour ago."""
    site = ExampleApp.create(dynamodb_local, table_name, index_special_keys="true", **request.param)
    done = list(import_sessions(Two(time.time()), parse(site.options, "session"), timeout=3600))
    assert [type(one) for one in done] == [Imported, Imported]
    return site


def list_sorts(rows: Rows) -> list[str]:
    """Name the kind of each row of the table."""
    pages = scan.scan(rows.table, scan.ScanQuery("rows"))
    return sorted(row.sort for page in pages for row in page.rows)


def test_a_marker_is_no_session(site: ExampleApp) -> None:
    """It is not listed, not counted, not found by a user's name, and not logged out."""
    rows, now = site.rows, time.time()

    assert list_sorts(rows) == ["marker", "marker", "session", "session"]
    for with_expired in (False, True):
        assert len(list(list_sessions(rows, now, with_expired=with_expired))) == 2
    assert list(count_sessions(rows, now))[-1].live == 2
    for whole in (False, True):
        assert {one.id for one in find_sessions(rows, "userId=42", now, scan=whole)} == {
            IDENT,
            "two",
        }
    seen = find_row(rows, IDENT)
    assert seen is not None
    assert seen.sort == "session"
    assert len(list(revoke(rows, "userId=42", now, scan=True))) == 2
    assert list_sorts(rows) == ["marker", "marker"]
    assert find_row(rows, IDENT) is None


def test_a_marker_is_in_the_sums(site: ExampleApp) -> None:
    """Its bytes are paid for, so they are counted; beside the sessions, not among them."""
    last = list(stats(site.rows, time.time()))[-1]

    assert (last.rows, last.live, last.markers, last.unreadable) == (4, 2, 2, 0)


def test_a_marker_goes_when_it_has_expired(site: ExampleApp) -> None:
    """A purge removes it a month after the import, not with its session."""
    rows, now = site.rows, time.time()
    (early,) = list(purge.purge(rows, now + 29 * DAY))[-1:]
    assert (early.deleted_rows, list_sorts(rows)) == (2, ["marker", "marker"])

    (late,) = list(purge.purge(rows, now + 31 * DAY))[-1:]
    assert (late.deleted_rows, list_sorts(rows)) == (2, [])


def test_a_cache_that_is_cleared_leaves_markers_alone(site: ExampleApp) -> None:
    """Even one under the prefix of the sessions, and under the name of a session."""
    options = {n: v for n, v in site.options.items() if "special" not in n}
    cache = DynamoDBNamespaceManager(IDENT, **options, prefix="sess:", type="ext:dynamodb")
    cache.set_value("key", 1)
    assert cache.keys() == ["key"]

    cache.remove()

    assert list_sorts(site.rows) == ["marker", "marker", "session", "session"]
