"""Switching the backend under running users: `migrate_from` (docs/migrating.md)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.revision import BIRTH_SIZE, get_birth, get_start
from beaker_dynamodb.migration.on_demand import derive_birth
from tests.instruments import Clock, Recorder
from tests.sessions.overlap import Site
from tests.sessions.views import contents, log_out, put, put_while, use_clock

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
only_files = pytest.mark.parametrize("kind", ["file"])
ENCRYPTED = {"encrypt_key": "k" * 32, "validate_key": "v" * 32}


@pytest.fixture(params=[{}, {"session_class": StrictSession}], ids=["Session", "StrictSession"])
def strictness(request: pytest.FixtureRequest) -> dict[str, object]:
    """Give Beaker's own session class, and ours."""
    return dict(request.param)


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_a_user_of_the_old_backend_stays_logged_in(
    old: Site, moving: Site, new: Site, serializer: str, strictness: dict[str, object]
) -> None:
    """Same cookie, same data; after one request the old backend is needed no more."""
    user = old.with_(data_serializer=serializer).begin_session(user="ann", cart=[1, 2])
    moving = moving.with_(data_serializer=serializer, **strictness)

    assert moving.read_session(user) == {"user": "ann", "cart": [1, 2]}
    moving.visit(user, put(seen=1))
    assert new.with_(data_serializer=serializer).read_session(user) == {
        "user": "ann",
        "cart": [1, 2],
        "seen": 1,
    }


def test_a_session_under_beakers_encryption_moves_as_it_is(old: Site, moving: Site) -> None:
    """Only the application can open it."""
    keys = {"encrypt_key": "k" * 32, "validate_key": "v" * 32}
    user = old.with_(**keys).begin_session(user="ann")

    assert moving.with_(**keys).read_session(user) == {"user": "ann"}


def test_a_session_that_was_moved_costs_what_any_other_costs(
    old: Site, moving: Site, calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GetItem alone, and no look into the old backend; the first load writes the row once."""
    moving = moving.with_(timeout=3600)
    user = old.with_(timeout=3600).begin_session(user="ann")

    del calls[:]
    moving.read_session(user)
    assert calls.names == ["GetItem", "PutItem"]

    del calls[:]
    monkeypatch.setattr("beaker_dynamodb.migration.source.SourceBackend.read", None)
    moving.read_session(user)
    assert calls.names == ["GetItem"]


def test_a_new_visitor_costs_no_look_into_the_old_backend(
    moving: Site, monkeypatch: pytest.MonkeyPatch, strictness: dict[str, object]
) -> None:
    """An id that was drawn here and now can have no session anywhere."""
    monkeypatch.setattr("beaker_dynamodb.migration.source.SourceBackend.read", None)

    user = moving.with_(**strictness).begin_session(user="ann")

    assert moving.read_session(user) == {"user": "ann"}


def test_special_keys_are_promoted_when_a_session_moves(old: Site, moving: Site) -> None:
    """An index finds it at once, not only after its next save."""
    user = old.begin_session(userId="ann")

    moving.with_(special_keys="userId").read_session(user)

    assert (moving.row(user) or {})["userId"] == {"S": "ann"}


@pytest.mark.parametrize("age", [3000, 3599])
def test_a_session_keeps_its_remaining_lifetime(
    old: Site, moving: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock, age: int
) -> None:
    """A row whose expiry ran ahead of its access time would not be touched, and time out early."""
    use_clock(monkeypatch, clock)
    moving = moving.with_(timeout=3600)
    user = old.with_(timeout=3600).begin_session(user="ann")
    began = int(clock())
    clock.advance(age)

    moving.visit(user.also(), lambda session: session.get("user"))
    moved = int((moving.row(user) or {})["expires"]["N"])
    clock.advance(3000)

    assert moved == began + age + 3720  # touched by the same request's save
    assert moving.read_session(user) == {"user": "ann"}


@only_files
@pytest.mark.parametrize(("keys", "start"), [({}, 0), (ENCRYPTED, 100)], ids=["plain", "encrypted"])
def test_a_session_keeps_its_start(
    old: Site,
    moving: Site,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    keys: dict[str, object],
    start: int,
) -> None:
    """Option `max_age` counts from it; of one that cannot be opened, from the move."""
    use_clock(monkeypatch, clock)
    user, began = old.with_(**keys).begin_session(user="ann"), int(clock())
    clock.advance(100)
    moving.with_(**keys).read_session(user)

    assert get_start((moving.row(user) or {})["rev"]["B"]) == began + start


@only_files
def test_a_session_that_is_moved_twice_has_one_birth(old: Site, moving: Site) -> None:
    """A logout recognizes it, although the source backend has saved it in between."""
    user = old.begin_session(user="ann")
    births = []
    for value in range(2):
        old.visit(user.also(), put(seen=value))
        moving.read_session(user)
        births.append(get_birth((moving.row(user) or {})["rev"]["B"]))
        moving.raw.delete_item(TableName=moving.table, Key={"id": {"S": f"sess:{user.id}"}})

    assert births[0] == births[1]


def test_each_session_has_a_birth_of_its_own() -> None:
    """The text tells sessions apart only if their creation time cannot be read."""
    key, other = Key("sess:a"), Key("sess:b")
    births = [
        derive_birth(*one)
        for one in (
            (key, "a", 1.0),
            (key, "a", 2.0),
            (other, "a", 1.0),
            (key, "a", None),
            (key, "b", None),
            (Key("sess:a", "#session"), "a", 1.0),
        )
    ]

    assert len(set(births)) == len(births)
    assert {len(birth) for birth in births} == {BIRTH_SIZE}
    assert derive_birth(key, "b", 1.0) == births[0]


@only_files
def test_a_logout_leaves_no_chunks_of_a_large_session(old: Site, moving: Site) -> None:
    """Only the tombstone is left, which keeps the old text from being moved again."""
    moving = moving.with_(compress=False)
    user = old.begin_session(big="x" * 500_000)
    moving.read_session(user)
    assert len(moving.rows()) > 1

    moving.visit(user.also(), log_out)

    assert len(moving.rows()) == 1


@only_files
def test_a_row_that_has_ended_makes_way_for_a_newer_session_of_its_id(
    old: Site, moving: Site, new: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The move was undone for a while: `created_after` ends the row, and not the session there."""
    use_clock(monkeypatch, clock)
    user = new.with_(compress=False).begin_session(big="x" * 500_000)
    clock.advance(60)
    moment = datetime.fromtimestamp(clock(), timezone.utc)
    clock.advance(60)
    old.visit(user.also(), put(user="ann"))

    moving = moving.with_(created_after=moment.isoformat())
    assert moving.read_session(user) == {"user": "ann"}
    assert len(moving.rows()) == 1


def test_a_session_that_timed_out_is_not_brought_back(
    old: Site, moving: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Files and databases keep it; no row is made of it."""
    use_clock(monkeypatch, clock)
    user = old.with_(timeout=3600).begin_session(user="ann")
    clock.advance(3601)

    assert moving.with_(timeout=3600).read_session(user) == {}
    assert moving.rows() == []


def test_a_session_that_was_deleted_before_the_move_stays_deleted(old: Site, moving: Site) -> None:
    """Beaker's own delete() leaves an empty session, which is not migrated."""
    user = old.begin_session(user="ann")
    before = user.also()
    old.visit(user, log_out)

    assert moving.read_session(before) == {}
    assert moving.rows() == []


def test_a_logout_is_one_in_both_backends(
    old: Site, moving: Site, new: Site, strictness: dict[str, object]
) -> None:
    """The old backend has nothing left, and no server finds the session again."""
    user = old.begin_session(user="ann")
    before = user.also()

    moving.with_(**strictness).visit(user, log_out)

    for site in (old, moving, moving.with_(**strictness), new):
        assert site.read_session(before) == {}
    assert len(moving.rows()) == 1  # the tombstone


def test_an_id_that_a_login_gave_up_is_not_moved_in_again(
    old: Site, moving: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Under StrictSession the tombstone of a rotation lasts as long as the old session could."""
    use_clock(monkeypatch, clock)
    strict = moving.with_(session_class=StrictSession)
    user = old.begin_session(user="ann")
    before = user.also()

    def log_in(session: Any) -> None:
        contents(session)
        session.regenerate_id()
        session["role"] = "admin"
        session.save()

    strict.visit(user, log_in)

    for _ in range(2):
        assert strict.read_session(user) == {"user": "ann", "role": "admin"}
        assert (
            strict.read_session(before)
            == moving.read_session(before)
            == old.read_session(before)
            == {}
        )
        clock.advance(3600)


def test_a_tombstone_lasts_as_long_as_the_old_session_could(
    old: Site, moving: Site, kind: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """An old server may write the session again; it is not migrated until it has timed out.

    In a database it cannot, because it updates a row, which was deleted.
    """
    use_clock(monkeypatch, clock)
    moving, old = moving.with_(timeout=3600), old.with_(timeout=3600)
    user = old.begin_session(user="ann")
    stale = user.also()
    slow = user.also()
    old.visit(slow, put_while(lambda: moving.visit(user, log_out), cart=1))

    written = {} if kind == "ext:database" else {"user": "ann", "cart": 1}
    assert old.read_session(stale) == written
    assert moving.read_session(stale) == {}
    assert int(moving.rows()[0]["expires"]["N"]) == int(clock()) + 3720


def test_regenerating_the_id_leaves_nothing_under_the_old_one(old: Site, moving: Site) -> None:
    """StrictSession's regenerate_id() deletes there, too: the old cookie is worth nothing."""

    def log_in(session: Any) -> None:
        session.regenerate_id()
        session["user"] = "ann"
        session.save()

    moving = moving.with_(session_class=StrictSession)
    visitor = old.begin_session(cart=1)
    before = visitor.also()
    moving.visit(visitor, log_in)

    assert moving.read_session(visitor) == {"cart": 1, "user": "ann"}
    assert moving.read_session(before) == {}
    assert old.read_session(before) == {}


def test_invalidating_leaves_nothing_under_the_old_id(old: Site, moving: Site) -> None:
    """Nor does StrictSession's invalidate()."""
    moving = moving.with_(session_class=StrictSession)
    user = old.begin_session(user="ann")
    before = user.also()

    moving.visit(user, lambda session: session.invalidate())

    assert moving.read_session(before) == {}
    assert old.read_session(before) == {}


def test_a_user_may_log_in_again_under_the_id_of_a_deleted_session(
    old: Site, moving: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Beaker keeps the id in a cookie; the new session replaces the tombstone."""
    for policy in ("merge", "overwrite", "raise"):
        site = moving.with_(on_conflict=policy)
        user = old.begin_session(user="ann")
        before = user.also()
        site.visit(user, log_out)

        site.visit(before, put(fresh=policy))

        assert site.read_session(before) == {"fresh": policy}
    assert caplog.messages == []
