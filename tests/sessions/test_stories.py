"""Two concurrent requests of one session, and what the user finds afterwards (docs/consistency.md).

The whole second request runs between the load and the save of the first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from beaker_dynamodb.dynamodb.metering import Saved
from tests.instruments import Clock, Recorder
from tests.sessions.overlap import Site
from tests.sessions.views import (
    change_while,
    contents,
    put,
    put_while,
    read_while,
    record_saves,
    use_clock,
)

WRITERS = 6


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def saves() -> list[Saved]:
    """Collect the meter's reports of saves."""
    return record_saves()


def test_two_requests_that_change_different_keys_are_both_kept(
    site: Site, saves: list[Saved]
) -> None:
    """Both changes are stored, and the save is reported as merged."""
    user = site.begin_session(cart=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="spring")), seen=9))

    assert saves[1:] == [Saved("replace", "stored"), Saved("replace", "merged")]
    assert site.read_session(user) == {"cart": 1, "coupon": "spring", "seen": 9}


def test_json_sessions_are_merged_alike(site: Site) -> None:
    """The law holds for both of Beaker's plain kinds."""
    json_site = site.with_(data_serializer="json")
    user = json_site.begin_session(cart=1)

    json_site.visit(user, put_while(lambda: json_site.visit(user.also(), put(coupon="x")), seen=9))

    assert json_site.read_session(user) == {"cart": 1, "coupon": "x", "seen": 9}


def test_a_key_removed_here_and_a_key_set_there_are_both_kept(site: Site) -> None:
    """A deletion is a change like any other, on whichever side."""
    user = site.begin_session(cart=1, notice="new", old=2)

    def dismiss(session: Any) -> None:
        del session["notice"]

    def drop_old(session: Any) -> None:
        session["cart"] = 3
        del session["old"]
        session.save()

    site.visit(user, change_while(lambda: site.visit(user.also(), drop_old), dismiss))

    assert site.read_session(user) == {"cart": 3}


def test_of_two_requests_that_set_one_key_the_later_save_wins(site: Site) -> None:
    """The same key changed twice: the later save wins, and nothing else is lost."""
    user = site.begin_session(theme="light", cart=1)

    def earlier() -> None:
        site.visit(user.also(), put(theme="dark", cart=2))

    site.visit(user, put_while(earlier, theme="blue"))

    assert site.read_session(user) == {"theme": "blue", "cart": 2}


def test_six_writers_on_one_session_all_succeed(site: Site) -> None:
    """All six load before any of them saves; each keeps its own key, and none is refused."""
    user, loaded = site.begin_session(cart=1), threading.Barrier(WRITERS, timeout=20)

    def write(number: int) -> None:
        site.visit(user.also(), put_while(loaded.wait, **{f"key{number}": number}))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    assert site.read_session(user) == {"cart": 1} | {f"key{n}": n for n in range(WRITERS)}


def test_fifty_ajax_requests_at_once_keep_every_change(site: Site) -> None:
    """Six threads, fifty requests, each another key: every acknowledged change is found."""
    user = site.begin_session()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda n: site.visit(user.also(), put(**{f"key{n}": n})), range(50)))

    assert site.read_session(user) == {f"key{n}": n for n in range(50)}


@pytest.mark.parametrize("later", [0, 3000], ids=["at once", "when a touch is due"])
def test_a_slow_page_that_only_read_overwrites_nothing(
    site: Site, saves: list[Saved], monkeypatch: pytest.MonkeyPatch, clock: Clock, later: float
) -> None:
    """The reader's copy is older than the row; it is left, or its touch is refused and dropped."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=7200)
    user = site.begin_session(cart=1)
    clock.advance(later)

    seen = site.visit(user, read_while(lambda: site.visit(user.also(), put(cart=2)))).said

    assert seen == {"cart": 1}
    assert site.read_session(user) == {"cart": 2}
    assert saves[2] == (Saved("touch", "dropped") if later else Saved("leave", "left"))


def test_saving_twice_after_a_merge_deletes_nothing_that_was_merged_in(
    site: Site, calls: Recorder
) -> None:
    """An error middleware calls start_response twice; the session object does not have the key."""
    user = site.begin_session(cart=1)

    def twice(session: Any) -> Iterator[None]:
        contents(session)
        site.visit(user.also(), put(coupon="spring"))
        session["seen"] = 9
        session.save()
        yield
        session["error"] = "500"
        yield

    site.visit(user, twice)

    assert site.read_session(user) == {"cart": 1, "coupon": "spring", "seen": 9, "error": "500"}
    # One refusal: the second save knows the row that the first one has left.
    assert [call.error for call in calls if call.error] == ["ConditionalCheckFailedException"]


def test_a_second_save_that_changes_nothing_writes_nothing(site: Site, calls: Recorder) -> None:
    """The second start_response finds its own row, merged or not, and leaves it."""
    user = site.begin_session(cart=1)

    def twice(session: Any) -> Iterator[None]:
        contents(session)
        site.visit(user.also(), put(coupon="spring"))
        session["seen"] = 9
        session.save()
        yield
        calls.clear()
        yield

    site.visit(user, twice)

    assert calls.names == []
    assert site.read_session(user) == {"cart": 1, "coupon": "spring", "seen": 9}


def test_merging_keeps_the_promoted_attributes_right(site: Site) -> None:
    """The attributes are those of the merged session."""
    site = site.with_(special_keys="userId:S, visits:N")
    user = site.begin_session(visits=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(userId="ann")), cart=2))
    assert {n: (site.row(user) or {}).get(n) for n in ("userId", "visits")} == {
        "userId": {"S": "ann"},
        "visits": {"N": "1"},
    }

    def forget_user(session: Any) -> None:
        del session["userId"]

    site.visit(user, change_while(lambda: site.visit(user.also(), put(visits=5)), forget_user))
    row = site.row(user) or {}
    assert "userId" not in row
    assert row["visits"] == {"N": "5"}
