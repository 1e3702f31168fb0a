"""Listing, counting and finding sessions, on a real DynamoDB Local, in both layouts."""

from __future__ import annotations

import base64
import time
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.errors import OptionError, TableMissing
from beaker_dynamodb.ops import sessions
from tests.instruments import Recorder
from tests.ops.example_apps import LARGE, SPECIAL, ExampleApp
from tests.revisions import make_rev
from tests.servers import Server


def count_all(site: ExampleApp) -> sessions.Count:
    """Count to the end."""
    return list(sessions.count_sessions(site.rows, time.time()))[-1]


def list_ids(site: ExampleApp, **how: Any) -> dict[str, sessions.Session]:
    """List by id."""
    return {one.id: one for one in sessions.list_sessions(site.rows, time.time(), **how)}


def find_ids(site: ExampleApp, word: str, **how: Any) -> set[str]:
    """Find by a special key."""
    return {one.id for one in sessions.find_sessions(site.rows, word, time.time(), **how)}


def test_a_list_says_what_a_row_says(site: ExampleApp) -> None:
    """Id, expiry, age, bytes, special keys, pieces: of every live session, and of no other row."""
    site.save("plain", userId=42, visits=3, token=b"\0\1")
    site.save("json", json=True, userId="é")
    site.save("large", userId=42, text=LARGE)
    site.save("gone", timeout=1)
    now = time.time() + 5

    rows = {one.id: one for one in sessions.list_sessions(site.rows, now)}

    assert set(rows) == {"plain", "json", "large"}
    assert rows["plain"].special_keys == {"userId": "42", "visits": Decimal(3), "token": b"\0\1"}
    assert [3590 < now - (row.created or 0) < 3620 for row in rows.values()] == [True] * 3
    assert [rows[name].chunks for name in rows if name != "large"] == [0, 0]
    assert rows["large"].chunks > 2
    assert all(one.live and not one.error and one.size > 80 for one in rows.values())
    assert all(3600 < (one.expires or 0) - now < 3730 for one in rows.values())


def test_expired_sessions_are_listed_if_asked_for(site: ExampleApp) -> None:
    """What has expired is absent, until an operator asks."""
    site.save("live")
    site.save("gone", timeout=1)
    now = time.time() + 5

    live, all_ = (
        {one.id for one in sessions.list_sessions(site.rows, now, with_expired=with_expired)}
        for with_expired in (False, True)
    )

    assert (live, all_) == ({"live"}, {"live", "gone"})


@pytest.mark.parametrize("segments", [1, 4])
def test_a_table_read_in_segments_is_read_once(segments: int, site: ExampleApp) -> None:
    """However many threads read, each session is listed once and counted once."""
    for number in range(12):
        site.save(f"s{number}")
    now = time.time()

    rows = [one.id for one in sessions.list_sessions(site.rows, now, segments=segments)]
    count = list(sessions.count_sessions(site.rows, now, segments=segments))[-1]

    assert sorted(rows) == sorted(f"s{number}" for number in range(12))
    assert (count.live, count.scanned_rows) == (12, 12)


def test_a_limit_stops_the_scan(site: ExampleApp, calls: Recorder) -> None:
    """A look at a few sessions does not pay for a page of a megabyte."""
    for number in range(5):
        site.save(f"s{number}")
    calls.clear()

    assert len(list_ids(site, limit=2)) == 2
    assert [call.request.get("Limit") for call in calls if call.operation == "Scan"] == [100]


def test_a_limit_at_the_end_of_a_page_reads_no_further_page(
    site: ExampleApp, calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next page would be paid for, and none of it shown."""
    for number in range(4):
        site.save(f"s{number}")
    monkeypatch.setattr(scan, "_SMALL_PAGE", 2)
    calls.clear()

    assert len(list_ids(site, limit=2)) == 2
    assert calls.names.count("Scan") == 1
    assert list_ids(site, limit=0) == {}


def test_another_prefix_is_not_ours(site: ExampleApp) -> None:
    """Two applications in one table see their own sessions only, by scan and by index."""
    other = ExampleApp({**site.options, "prefix": "other:"})
    site.save("mine", userId=42)
    other.save("theirs", userId=42)

    assert set(list_ids(site)) == {"mine"}
    assert count_all(site).live == 1
    assert find_ids(site, "userId=42") == {"mine"}
    assert find_ids(other, "userId=42", scan=True) == {"theirs"}


def test_a_count_asks_for_keys_and_expiries_alone(site: ExampleApp, calls: Recorder) -> None:
    """Counting moves no payload over the wire."""
    site.save("a")
    site.save("b", timeout=1)
    calls.clear()

    told = list(sessions.count_sessions(site.rows, time.time() + 5))[-1]

    assert (told.live, told.expired) == (1, 1)
    assert told.read_units > 0
    scans = [call for call in calls if call.operation == "Scan"]
    assert scans
    assert all("#d" not in call.request["ProjectionExpression"] for call in scans)


@pytest.mark.parametrize("scan", [False, True], ids=["index", "scan"])
@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("userId=42", {"a", "b"}),
        ("userId=7", {"c"}),
        ("userId=0", set()),
        ("userId=a=b", {"d"}),
        ("visits=3", {"a"}),
        ("visits=3.0", {"a"}),
        (f"token={base64.b64encode(b'x').decode()}", {"c"}),
    ],
)
def test_sessions_are_found_by_a_special_key(
    word: str, ids: set[str], scan: bool, site: ExampleApp
) -> None:
    """Typed as the options say, by the index or by a scan, and expired ones never."""
    site.save("a", userId=42, visits=3)
    site.save("b", userId=42, visits=4)
    site.save("c", userId="7", token=b"x")
    site.save("d", userId="a=b")
    site.save("gone", userId=42, timeout=1)

    rows = {one.id for one in sessions.find_sessions(site.rows, word, time.time() + 5, scan=scan)}

    assert rows == ids


def test_a_row_that_an_index_still_shows_is_read_again(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index is late: what it shows is believed only after a consistent read."""
    site.save("now", userId=7)
    site.save("gone", userId=42)
    late = [site.key("now"), site.key("gone"), site.key("never was")]
    del site.manager("gone")["session"]
    monkeypatch.setattr("beaker_dynamodb.dynamodb.scan.query_index", lambda *_: iter([tuple(late)]))

    assert find_ids(site, "userId=42") == set()
    assert find_ids(site, "userId=7") == {"now"}


@pytest.mark.parametrize(
    ("word", "wrong"),
    [
        ("", "NAME=VALUE"),
        ("userId", "NAME=VALUE"),
        ("=42", "NAME=VALUE"),
        ("userId=", "NAME=VALUE"),
        ("colour=red", r"special_keys = colour \(colour:N for numbers\)"),
        ("userid=7", "did you mean 'userId'"),
        ("user_id=7", "did you mean 'userId'"),
        ("visits=many", "a number"),
        ("visits=NaN", "a number"),
        ("token=%", "base64"),
    ],
)
def test_a_search_that_cannot_be_says_what_to_do(word: str, wrong: str) -> None:
    """The refusal names the option, the type, or the form."""
    options = Options(special_keys=(("userId", "S"), ("visits", "N"), ("token", "B")))

    with pytest.raises(OptionError, match=wrong) as caught:
        sessions.parse_special_key(options, word)
    assert ("special_keys = " in str(caught.value)) is ("special_keys = " in wrong)


def test_without_an_index_a_scan_is_offered(dynamodb_local: str, table_name: str) -> None:
    """A table that was made without the index is searched only if the operator pays for it."""
    site = ExampleApp.create(dynamodb_local, table_name, index_special_keys="false")
    site.save("a", userId=42)

    with pytest.raises(OptionError, match="--scan"):
        find_ids(site, "userId=42")
    assert find_ids(site, "userId=42", scan=True) == {"a"}


def test_an_operator_never_makes_a_table(server: Server, table_name: str) -> None:
    """A mistyped table name is an error, and no table is created."""
    site = ExampleApp.at(server.url, table_name, special_keys=SPECIAL)

    for look in (list_ids, count_all, lambda one: find_ids(one, "userId=42")):
        with pytest.raises(TableMissing):
            look(site)
    assert table_name not in server.client().list_tables()["TableNames"]


def test_a_corrupt_row_is_listed_with_what_is_wrong(dynamodb_local: str, table_name: str) -> None:
    """One bad row hides none behind it."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("good")
    site.put(id={"S": "sess:empty"}, rev={"B": make_rev("a.b")})
    site.put(
        id={"S": "sess:typed"}, data={"S": "x"}, rev={"B": make_rev("a.b")}, expires={"S": "soon"}
    )
    site.put(id={"S": "sess:bytes"}, data={"B": b"garbage"}, rev={"B": make_rev("a.b")})

    wrong = {name: one.error for name, one in list_ids(site).items()}

    assert wrong == {
        "good": "",
        "empty": "an attribute is missing or of another type",
        "typed": "an attribute is missing or of another type",
        "bytes": "the data is shorter than its header",
    }
    assert count_all(site).live == 4


@pytest.mark.parametrize("moment", ["1h", "created"])
def test_a_session_that_an_option_has_ended_is_not_live(
    moment: str, dynamodb_local: str, table_name: str
) -> None:
    """Though its row has not expired: the commands see what a request would see."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("old", userId=42)
    soon = datetime.fromtimestamp(time.time() + 1, timezone.utc).isoformat()
    more = {"max_age": "59m"} if moment == "1h" else {"created_after": soon}
    rows = ExampleApp(site.options | more).rows

    (count,) = sessions.count_sessions(rows, time.time())

    assert (count.live, count.expired) == (0, 1)
    assert list(sessions.find_sessions(rows, "userId=42", time.time())) == []
    assert list(sessions.list_sessions(rows, time.time())) == []
    (ended,) = sessions.list_sessions(rows, time.time(), with_expired=True)
    assert not ended.live
