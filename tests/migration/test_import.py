"""Sessions from Beaker's own backends into the table (docs/migrating.md)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from beaker_dynamodb.errors import digest
from beaker_dynamodb.migration.bulk import Imported
from beaker_dynamodb.migration.readers import create_reader
from beaker_dynamodb.migration.readers.reader import SourceSession
from beaker_dynamodb.runtime import Runtime
from tests.instruments import Clock, Recorder
from tests.migration.runs import run_import, session_rows, summarize
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out, put, use_clock

DAY = 86400
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_users_of_the_old_backend_stay_logged_in(
    kind: str, options: Mapping[str, str], old: Site, new: Site, serializer: str
) -> None:
    """Written by Beaker there, read by Beaker here, under the same cookies."""
    old, new = old.with_(data_serializer=serializer), new.with_(data_serializer=serializer)
    users = [old.begin_session(user=f"user {n}", cart=[n]) for n in range(5)]

    done = run_import(kind, options, new)

    assert sorted(one.session for one in done) == sorted(digest(user.id) for user in users)
    assert summarize(done) == ["imported"] * 5
    for n, user in enumerate(users):
        assert new.read_session(user) == {"user": f"user {n}", "cart": [n]}


def test_a_session_under_beakers_encryption_moves_as_it_is(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Only the application can open it; its age is that of the file or row."""
    keys = {"encrypt_key": "k" * 32, "validate_key": "v" * 32}
    user = old.with_(**keys, timeout=3600).begin_session(user="ann")

    assert summarize(run_import(kind, options, new, timeout=3600)) == ["imported"]
    assert new.with_(**keys).read_session(user) == {"user": "ann"}


def test_a_session_keeps_its_remaining_lifetime(
    kind: str, options: Mapping[str, str], old: Site, new: Site, clock: Clock
) -> None:
    """To the second, as under Beaker."""
    user = old.with_(timeout=3600).begin_session(user="ann")
    began = int(clock())
    clock.advance(600)

    (one,) = run_import(kind, options, new, timeout=3600, runtime=Runtime(clock=clock))

    assert isinstance(one, Imported)
    assert one.expires is not None
    assert abs(one.expires - (began + 3720)) <= 2
    assert (new.row(user) or {})["expires"] == {"N": str(one.expires)}


def test_without_a_timeout_a_session_gets_what_a_save_would_give_it(
    options: Mapping[str, str], kind: str, old: Site, new: Site, clock: Clock
) -> None:
    """Its age does not count; option `ttl` counts from now, and 0 is never."""
    old.begin_session(user="ann")
    runtime = Runtime(clock=clock)

    (one,) = run_import(kind, options, new, dry_run=True, runtime=runtime)
    (forever,) = run_import(kind, options, new, runtime=runtime, more={"ttl": 0})

    assert one == Imported(one.session, int(clock()) + 30 * DAY)
    assert forever == Imported(one.session, None)


@pytest.mark.parametrize("kind", ["ext:redis"])
def test_redis_own_expiry_is_kept(
    options: Mapping[str, str], kind: str, old: Site, new: Site, clock: Clock
) -> None:
    """Without the application's timeout it is all that is known; with a shorter one, that wins."""
    old.with_(timeout=7200).begin_session(user="ann")
    runtime = Runtime(clock=clock)

    (long,) = run_import(kind, options, new, dry_run=True, runtime=runtime)
    (short,) = run_import(kind, options, new, timeout=3600, runtime=runtime)

    for one, seconds in ((long, 7320), (short, 3720)):
        assert isinstance(one, Imported)
        assert one.expires is not None
        assert abs(one.expires - (clock() + seconds)) <= 2


def test_a_session_that_has_ended_is_skipped_with_the_reason(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    """Timed out or logged out: no row is written."""
    use_clock(monkeypatch, clock)
    old = old.with_(timeout=3600)
    timed_out = old.begin_session(user="ann")
    clock.advance(3500)
    gone, live = old.begin_session(user="bob"), old.begin_session(user="eve")
    before = gone.also()
    old.visit(gone, log_out)
    clock.advance(200)

    done = run_import(kind, options, new, timeout=3600, runtime=Runtime(clock=clock))

    assert {one.session: getattr(one, "reason", "imported") for one in done} == {
        digest(timed_out.id): "expired",
        digest(before.id): "logged out",
        digest(live.id): "imported",
    }
    assert [row["id"]["S"] for row in session_rows(new)] == [f"sess:{live.id}"]


def test_a_second_run_changes_nothing(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """It does not overwrite a change of the application either."""
    user, other = old.begin_session(user="ann"), old.begin_session(user="bob")
    run_import(kind, options, new)
    new.visit(user, put(cart=1))
    before = new.rows()
    late = old.begin_session(user="late")

    assert summarize(run_import(kind, options, new)) == [
        "already there",
        "already there",
        "imported",
    ]
    assert [row for row in new.rows() if row in before] == before
    assert new.read_session(user) == {"user": "ann", "cart": 1}
    assert (new.read_session(other), new.read_session(late)) == ({"user": "bob"}, {"user": "late"})


def test_a_user_who_logged_out_while_moving_is_not_brought_back(
    kind: str, options: Mapping[str, str], old: Site, moving: Site, new: Site
) -> None:
    """Import and migrate_from go together: the tombstone keeps the import out, too."""
    user = old.begin_session(user="ann")
    stale, before = user.also(), user.also()
    moving.visit(user, log_out)
    old.visit(stale, put(user="ann"))  # an old server writes it once more

    assert summarize(run_import(kind, options, new, dry_run=True)) == ["logged out"]
    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == {}


def test_a_dry_run_tells_the_same_and_writes_nothing(
    kind: str, options: Mapping[str, str], old: Site, new: Site, calls: Recorder
) -> None:
    """Not even the table, which a run would create."""
    there = old.begin_session(user="ann")
    new.visit(there.also(), put(user="ann"))
    old.begin_session(user="bob")
    del calls[:]

    assert summarize(run_import(kind, options, new, dry_run=True)) == ["already there", "imported"]
    elsewhere = new.with_()
    object.__setattr__(elsewhere, "table", new.table + "-none")
    assert summarize(run_import(kind, options, elsewhere, dry_run=True)) == ["imported", "imported"]
    assert set(calls.names) == {"GetItem"}


def test_special_keys_are_promoted(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """An index finds a session that was moved, also one that holds objects of other classes."""
    user = old.begin_session(userId="ann", when=SourceSession("an object"))

    run_import(kind, options, new, more={"special_keys": "userId"})

    assert (new.row(user) or {})["userId"] == {"S": "ann"}


def test_a_session_written_under_hashed_ids_and_encryption_is_read_under_them(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Rows are written by the application's own options."""
    more = {"hash_ids": "true", "encryption_keys": KEY}
    user = old.begin_session(user="ann")

    run_import(kind, options, new, more=more)

    assert new.with_(**more).read_session(user) == {"user": "ann"}
    assert new.row(user) is None
    assert all(user.id not in row["id"]["S"] for row in new.rows())


def test_no_outcome_shows_an_id(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Outcomes hold a digest of it."""
    user = old.begin_session(user="ann")

    (found,) = create_reader(kind, options).sessions(lambda: 0.0)
    done = run_import(kind, options, new)

    assert user.id not in repr((found, done))
    assert found.text not in repr(found)
    assert new.visit(Browser(user.cookie), contents).said == {"user": "ann"}
