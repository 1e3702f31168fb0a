"""Sessions out of Beaker's own backends into the table, by `transfer` (docs/migrating.md)."""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from beaker_dynamodb.errors import OptionError, Unavailable, digest
from beaker_dynamodb.ops.origins import TYPES, origin
from beaker_dynamodb.ops.origins.origin import Found
from beaker_dynamodb.ops.transfer import Moved, Skipped, transfer
from beaker_dynamodb.options import Options
from beaker_dynamodb.sources import parse
from beaker_dynamodb.surroundings import Surroundings
from tests.beaker.overlap import Browser, Site
from tests.beaker.views import contents, log_out, put, wind
from tests.instruments import Clock, Recorder
from tests.servers import free_port

DAY = 86400
KEY = base64.b64encode(bytes(range(32))).decode()


def where(new: Site, **more: object) -> Options:
    """Name the table of a site, as its own options do."""
    return parse({"client": new.options["client"], "table": new.table, **more}, "session")


def moved(kind: str, options: Mapping[str, str], new: Site, **how: Any) -> list[Moved | Skipped]:
    """Move everything; in the order of the backend, which is none."""
    more = how.pop("more", {})
    done = transfer(origin(kind, options, how.get("timeout")), where(new, **more), **how)
    return sorted(done, key=lambda one: one.session)


def whys(done: list[Moved | Skipped]) -> list[str]:
    """Say what became of each, in short."""
    return sorted(one.why if isinstance(one, Skipped) else "moved" for one in done)


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_users_of_the_old_backend_stay_logged_in(
    kind: str, options: Mapping[str, str], old: Site, new: Site, serializer: str
) -> None:
    """Written by Beaker there, read by Beaker here, under the same cookies."""
    old, new = old.with_(data_serializer=serializer), new.with_(data_serializer=serializer)
    users = [old.begun(user=f"user {n}", cart=[n]) for n in range(5)]

    done = moved(kind, options, new)

    assert sorted(one.session for one in done) == sorted(digest(user.id) for user in users)
    assert whys(done) == ["moved"] * 5
    for n, user in enumerate(users):
        assert new.found(user) == {"user": f"user {n}", "cart": [n]}


def test_a_session_under_beakers_encryption_moves_as_it_is(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """It opens nowhere but in the application; the file or row says how old it is."""
    keys = {"encrypt_key": "k" * 32, "validate_key": "v" * 32}
    user = old.with_(**keys, timeout=3600).begun(user="ann")

    assert whys(moved(kind, options, new, timeout=3600)) == ["moved"]
    assert new.with_(**keys).found(user) == {"user": "ann"}


def test_a_session_keeps_the_time_that_it_had_left(
    kind: str, options: Mapping[str, str], old: Site, new: Site, clock: Clock
) -> None:
    """To the second of what Beaker would have given it there."""
    user = old.with_(timeout=3600).begun(user="ann")
    began = int(clock())
    clock.advance(600)

    (one,) = moved(kind, options, new, timeout=3600, around=Surroundings(clock=clock))

    assert isinstance(one, Moved)
    assert one.expires is not None
    assert abs(one.expires - (began + 3720)) <= 2
    assert (new.row(user) or {})["expires"] == {"N": str(one.expires)}


def test_without_a_timeout_a_session_gets_what_a_save_would_give_it(
    options: Mapping[str, str], kind: str, old: Site, new: Site, clock: Clock
) -> None:
    """Nobody asks how old it is; option `ttl` counts from now, and 0 is never."""
    old.begun(user="ann")
    around = Surroundings(clock=clock)

    (one,) = moved(kind, options, new, dry_run=True, around=around)
    (forever,) = moved(kind, options, new, around=around, more={"ttl": 0})

    assert one == Moved(one.session, int(clock()) + 30 * DAY)
    assert forever == Moved(one.session, None)


@pytest.mark.parametrize("kind", ["ext:redis"])
def test_redis_own_expiry_is_kept(
    options: Mapping[str, str], kind: str, old: Site, new: Site, clock: Clock
) -> None:
    """Without the application's timeout it is all that is known; with a shorter one, that wins."""
    old.with_(timeout=7200).begun(user="ann")
    around = Surroundings(clock=clock)

    (long,) = moved(kind, options, new, dry_run=True, around=around)
    (short,) = moved(kind, options, new, timeout=3600, around=around)

    for one, seconds in ((long, 7320), (short, 3720)):
        assert isinstance(one, Moved)
        assert one.expires is not None
        assert abs(one.expires - (clock() + seconds)) <= 2


def test_what_is_no_live_session_is_left_and_told(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    """Timed out, logged out: each says why, and no row is made."""
    wind(monkeypatch, clock)
    old = old.with_(timeout=3600)
    timed_out = old.begun(user="ann")
    clock.advance(3500)
    gone, live = old.begun(user="bob"), old.begun(user="eve")
    before = gone.also()
    old.visit(gone, log_out)
    clock.advance(200)

    done = moved(kind, options, new, timeout=3600, around=Surroundings(clock=clock))

    assert {one.session: getattr(one, "why", "moved") for one in done} == {
        digest(timed_out.id): "expired",
        digest(before.id): "logged out",
        digest(live.id): "moved",
    }
    assert len(new.rows()) == 1


def test_a_second_run_changes_nothing(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Nor does it overwrite what the application has written meanwhile."""
    user, other = old.begun(user="ann"), old.begun(user="bob")
    moved(kind, options, new)
    new.visit(user, put(cart=1))
    before = new.rows()
    late = old.begun(user="late")

    assert whys(moved(kind, options, new)) == ["already there", "already there", "moved"]
    assert [row for row in new.rows() if row in before] == before
    assert new.found(user) == {"user": "ann", "cart": 1}
    assert (new.found(other), new.found(late)) == ({"user": "bob"}, {"user": "late"})


def test_a_user_who_logged_out_while_moving_is_not_brought_back(
    kind: str, options: Mapping[str, str], old: Site, moving: Site, new: Site
) -> None:
    """Import and migrate_from go together: the tombstone keeps the import out, too."""
    user = old.begun(user="ann")
    stale, before = user.also(), user.also()
    moving.visit(user, log_out)
    old.visit(stale, put(user="ann"))  # an old server writes it once more

    assert whys(moved(kind, options, new, dry_run=True)) == ["logged out"]
    assert whys(moved(kind, options, new)) == ["logged out"]
    assert new.found(before) == {}


def test_a_dry_run_tells_the_same_and_writes_nothing(
    kind: str, options: Mapping[str, str], old: Site, new: Site, calls: Recorder
) -> None:
    """Not even the table, which a run would create."""
    there = old.begun(user="ann")
    new.visit(there.also(), put(user="ann"))
    old.begun(user="bob")
    del calls[:]

    assert whys(moved(kind, options, new, dry_run=True)) == ["already there", "moved"]
    elsewhere = new.with_()
    object.__setattr__(elsewhere, "table", new.table + "-none")
    assert whys(moved(kind, options, elsewhere, dry_run=True)) == ["moved", "moved"]
    assert set(calls.names) == {"GetItem"}


def test_special_keys_are_promoted(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """An index finds a session that was moved, also one that holds objects of other classes."""
    user = old.begun(userId="ann", when=Found("an object"))

    moved(kind, options, new, more={"special_keys": "userId"})

    assert (new.row(user) or {})["userId"] == {"S": "ann"}


class Bomb:
    """An object whose pickle runs a function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.putenv, ("EXPLODED", "yes")


def test_no_code_of_a_pickle_is_run(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The text is moved as it is; whether it is unpickled is the application's business."""
    old.begun(bomb=Bomb())
    ran: list[object] = []
    monkeypatch.setattr("os.putenv", lambda *args: ran.append(args))

    assert whys(moved(kind, options, new)) == ["moved"]
    assert ran == []


@pytest.mark.parametrize("kind", ["file", "ext:redis"])
def test_what_is_unreadable_or_no_session_is_told_and_passed_over(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """A cache's entries, garbage and what was deleted by its key stand among sessions."""
    user = old.begun(user="ann")
    entries = {
        "c" * 32: pickle.dumps(("a", "cache's", "value")),
        "d" * 32: b"garbage",
        "e" * 32: pickle.dumps(Bomb()),
    }
    if kind == "file":
        for name, content in entries.items():
            folder = Path(options["data_dir"]) / "container_file" / name[0] / name[:2]
            folder.mkdir(parents=True, exist_ok=True)
            # A session that was deleted by its key leaves an empty dict.
            empty: dict[str, str] = {}
            written = pickle.dumps(empty) if name[0] == "c" else content
            (folder / f"{name}.cache").write_bytes(written)
            (folder / "notes.txt").write_text("not Beaker's")
    else:
        client = redis.Redis.from_url(options["url"])
        for name, content in entries.items():
            client.set(f"beaker_cache:{name}:session", content)
        client.set("beaker_cache:another:key", b"")
        client.close()

    done = moved(kind, options, new)

    assert new.found(user) == {"user": "ann"}
    told = {one.session: getattr(one, "why", "moved") for one in done}
    assert told[digest("c" * 32)] == "no session"
    assert told[digest("d" * 32)] == "unreadable"
    assert len(done) == 4


def test_a_session_over_the_ceiling_is_told(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """It is not cut, and the rest goes on."""
    old.begun(text="x" * 3000)
    small = old.begun(text="y")

    for dry_run in (True, False):
        done = moved(kind, options, new, dry_run=dry_run, more={"max_value_size": 2000})
        assert whys(done) == ["moved", "too large"]
    assert new.found(small) == {"text": "y"}


def test_a_run_that_is_stopped_is_whole_and_goes_on_later(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """What was yielded stands; the writes that were under way are done or were never begun."""
    users = [old.begun(user=n) for n in range(12)]
    run = transfer(origin(kind, options), where(new), workers=2)
    first = next(iter(run))
    run.close()  # type: ignore[attr-defined]  # a generator's

    assert digest_of_rows(new) >= {first.session}
    assert set(whys(moved(kind, options, new))) == {"already there", "moved"}
    assert [new.found(user) for user in users] == [{"user": n} for n in range(12)]


def digest_of_rows(new: Site) -> set[str]:
    """Name the sessions that stand in the table."""
    return {digest(row["id"]["S"].removeprefix("sess:")) for row in new.rows()}


def test_a_session_written_under_hashed_ids_and_encryption_is_read_under_them(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """What is written is what the application's own options say."""
    more = {"hash_ids": "true", "encryption_keys": KEY}
    user = old.begun(user="ann")

    moved(kind, options, new, more=more)

    assert new.with_(**more).found(user) == {"user": "ann"}
    assert new.row(user) is None


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("file", {}, "data_dir"),
        ("dbm", {"file_dir": "x"}, "has no option 'file_dir'"),
        ("ext:redis", {}, "url"),
        ("ext:redis", {"url": "nowhere"}, "redis://"),
        ("ext:database", {}, "url"),
        ("ext:database", {"url": "nowhere"}, "does not name a database"),
        ("ext:memcached", {}, "file, dbm"),
        ("connect-dynamodb", {"tabel": "x"}, "'table'"),
        ("connect-dynamodb", {"something": "x"}, "'something'"),
        ("connect-dynamodb", {"serializer": "xml"}, "json or pickle"),
        ("dynamodb-beaker", {}, "table_name"),
    ],
)
def test_a_mistake_in_the_options_is_named(kind: str, options: dict[str, str], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(OptionError, match=words):
        origin(kind, options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("file", {"data_dir": "/nowhere/at/all"}),
        ("ext:redis", {"url": f"redis://127.0.0.1:{free_port()}/0"}),
        ("ext:database", {"url": "sqlite:////nowhere/at/all.db"}),
    ],
)
def test_an_origin_that_cannot_be_read_is_no_empty_one(
    kind: str, options: dict[str, str], new: Site
) -> None:
    """It raises, and so does its count."""
    for ask in (lambda: origin(kind, options).count(), lambda: moved(kind, options, new)):
        with pytest.raises(Unavailable):
            ask()


def test_the_count_is_that_of_the_sessions(
    kind: str, options: Mapping[str, str], old: Site
) -> None:
    """It is for a progress bar."""
    for n in range(3):
        old.begun(n=n)

    assert origin(kind, options).count() == 3


@pytest.mark.parametrize("kind", ["ext:redis", "ext:database"])
def test_every_page_is_read(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cursor that is forgotten after its first page is the classic defect."""
    for module in ("redis_keys", "database"):
        monkeypatch.setattr(f"beaker_dynamodb.ops.origins.{module}._PAGE", 5)
    for n in range(40):
        old.begun(n=n)

    assert whys(moved(kind, options, new, dry_run=True)) == ["moved"] * 40


def test_every_type_is_tried() -> None:
    """The types that there are have tests here or beside."""
    assert json.dumps([*TYPES]) == json.dumps(
        ["file", "dbm", "ext:redis", "ext:database", "connect-dynamodb", "dynamodb-beaker"]
    )


def test_an_id_stands_in_nothing_that_is_told(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """What is told of a session is a digest."""
    user = old.begun(user="ann")

    (found,) = origin(kind, options).sessions(lambda: 0.0)
    done = moved(kind, options, new)

    assert user.id not in repr((found, done))
    assert found.text not in repr(found)
    assert new.visit(Browser(user.cookie), contents).said == {"user": "ann"}
