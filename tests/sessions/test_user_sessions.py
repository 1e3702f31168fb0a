"""What users see of their sessions, and which sessions end when they or the application say so."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from beaker.session import CookieSession

import beaker_dynamodb
from beaker_dynamodb import AccessRefused, OptionError, Refused, StrictSession, UserSessions
from beaker_dynamodb.dynamodb import user_rows
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.revision import NO_START
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions.user_sessions import _make_handle
from tests.exchange import Exchange, Reply
from tests.faults.fault_kinds import aws_error
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.servers import REGION
from tests.sessions.devices import (
    CLASSES,
    TIMEOUT,
    LaggingIndex,
    Site,
    end,
    end_all,
    end_others,
    get_user,
    limit,
    list_devices,
    log_in,
)

SIX = ("phone", "laptop", "tablet", "desk", "tv", "watch")


@pytest.fixture(params=CLASSES)
def site(
    request: pytest.FixtureRequest,
    dynamodb_local: str,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """Give an application under Beaker's session class, and one under ours."""
    return Site.create(dynamodb_local, table_name, monkeypatch, request.param)


def test_a_user_sees_all_devices_and_no_session_id(site: Site) -> None:
    """Each with its label and times; the one at hand is used now, another user's is absent."""
    site.log_in("phone", "laptop")
    site.log_in("stranger", user=7)
    began = site.clock()
    site.clock.advance(300)
    site.at("phone", get_user)
    site.clock.advance(5)

    found = site.at("laptop", list_devices)

    ids = {row["id"]["S"].removeprefix("sess:") for row in site.rows()}
    assert [(one["device"], one["is_current"]) for one in found] == [
        ("laptop", True),
        ("phone", False),
    ]
    assert [one["created"] for one in found] == [began - 1, began - 2]
    assert [one["last_seen"] for one in found] == [began + 305, began + 300]
    assert found[1]["expires"] == began + 300 + TIMEOUT + 120
    assert not any(ident in str(found) for ident in ids)


def test_ending_one_device_ends_exactly_that_one(site: Site) -> None:
    """It is logged out at its next request; the handle ends nothing a second time."""
    site.log_in(*SIX)
    handle = next(s["handle"] for s in site.at("phone", list_devices) if s["device"] == "tv")

    results = [site.at("phone", end(handle)), site.at("phone", end(handle))]

    assert results == [True, False]
    assert site.list_signed_in() == [device for device in SIX if device != "tv"]


def test_ending_the_session_at_hand_is_a_logout(site: Site) -> None:
    """The page lists it too, so a user may choose it."""
    site.log_in("phone", "laptop")
    own = next(s["handle"] for s in site.at("phone", list_devices) if s["is_current"])

    assert site.at("phone", end(own)) is True
    assert site.list_signed_in() == ["laptop"]


def test_a_user_cannot_end_the_session_of_another(site: Site) -> None:
    """A handle counts only among the sessions of the user."""
    site.log_in("phone")
    site.log_in("stranger", user=7)
    handle = site.at("stranger", list_devices)[0]["handle"]

    assert site.at("phone", end(handle)) is False
    assert site.list_signed_in() == ["phone", "stranger"]


def test_a_password_change_ends_all_other_sessions(site: Site) -> None:
    """Of six devices one is left, and of another user all."""
    site.log_in(*SIX)
    site.log_in("stranger", user=7)

    assert site.at("phone", end_others) == 5
    assert site.list_signed_in() == ["phone", "stranger"]


def test_a_request_under_way_does_not_bring_an_ended_session_back(site: Site) -> None:
    """It has loaded the session before, and saves a change to it afterwards."""
    site.log_in("phone", "laptop")

    def change_slowly(session: Any) -> None:
        session["basket"] = ["tea"]
        site.at("phone", end_others)
        session.save()

    site.at("laptop", change_slowly)

    assert site.list_signed_in() == ["phone"]


def test_ending_all_sessions_ends_the_one_at_hand_too(site: Site) -> None:
    """As "log me out everywhere" does."""
    site.log_in(*SIX)

    assert site.at("phone", end_all) == 6
    assert site.list_signed_in() == []


def test_the_oldest_sessions_end_above_a_limit_and_never_the_own_one(site: Site) -> None:
    """The phone has the oldest session, and asks."""
    site.log_in(*SIX)

    assert site.at("phone", limit(3)) == 3
    assert site.list_signed_in() == ["phone", "tv", "watch"]
    assert site.at("phone", limit(3)) == 0


def test_sessions_of_the_same_second_end_in_the_same_order_for_all(site: Site) -> None:
    """Otherwise each login could keep two others, and together they would end all.

    Use since then does not change the order.
    """
    for device in SIX:
        site.at(device, log_in(device))
    ids = {row["device"]["S"]: row["id"]["S"] for row in site.rows()}
    others = sorted(SIX[1:], key=ids.__getitem__)
    site.clock.advance(400)
    site.at(others[0], get_user)

    site.at("phone", limit(3))

    kept = others[-2:]
    assert sorted(site.list_signed_in()) == sorted(["phone", *kept])


def test_sessions_of_an_unknown_start_end_by_their_last_use(site: Site) -> None:
    """The one that was used last is left, whatever its id is."""
    site.log_in(*SIX)
    ids = {row["device"]["S"]: row["id"]["S"] for row in site.rows()}
    last = min(SIX, key=ids.__getitem__)
    site.clock.advance(400)
    site.at(last, get_user)
    for row in site.rows():
        site.write_row(row | {"rev": {"B": NO_START + row["rev"]["B"][len(NO_START) :]}})

    assert UserSessions(site.settings, "userId", 42).limit(1) == 5
    assert site.list_signed_in() == [last]


def test_a_session_that_never_expires_is_listed(site: Site) -> None:
    """There is neither a timeout nor a ttl."""
    del site.settings["session.timeout"]
    site.settings["session.ttl"] = "0"
    site.log_in("phone")

    assert [one["expires"] for one in site.at("phone", list_devices)] == [None]


@pytest.fixture(params=CLASSES)
def lagging_site(
    request: pytest.FixtureRequest,
    proxy: FaultProxy,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """Give a site whose index shows a session a second after it was written."""
    site = Site.create(proxy.url, table_name, monkeypatch, request.param)
    proxy.next(LaggingIndex(proxy.url, site.clock), operation="Query", times=None)
    return site


def log_in_at_once(site: Site, names: list[str]) -> None:
    """Log all devices in at the same time; each login leaves three sessions of its user."""
    for name in names:
        site.at(name, get_user)

    def log_in_and_limit(name: str) -> None:
        def view(session: Any) -> None:
            log_in(name)(session)
            UserSessions(session, "userId").limit(3)

        site.at(name, view)

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(log_in_and_limit, names))


TEN: Final = [f"d{number}" for number in range(10)]


def test_ten_logins_at_once_leave_three(site: Site) -> None:
    """No login has ended all the others, and one more call leaves its own session too."""
    log_in_at_once(site, TEN)
    survivor = site.list_signed_in()[0]

    site.at(survivor, limit(3))

    left = site.list_signed_in()
    assert 2 <= len(left) <= 3
    assert survivor in left


def test_ten_logins_that_the_index_does_not_show_yet_end_at_the_next_login(
    lagging_site: Site,
) -> None:
    """No login sees another one of its second, so all ten are left until the index shows them."""
    log_in_at_once(lagging_site, TEN)
    before = lagging_site.list_signed_in()
    lagging_site.clock.advance(2)

    ended = lagging_site.at("d4", limit(3))

    left = lagging_site.list_signed_in()
    assert (sorted(before), ended, len(left)) == (sorted(TEN), 7, 3)
    assert "d4" in left


def test_what_a_lagging_index_does_not_show_ends_two_seconds_later(lagging_site: Site) -> None:
    """A session that began just before is ended by the next request of the session at hand.

    One that begins after the password change is a new login, and is kept.
    """
    site = lagging_site
    site.log_in("phone", "laptop", "thief")

    first = site.at("phone", end_others)
    site.clock.advance(1)
    site.log_in("new")
    before = site.at("thief", get_user)
    site.clock.advance(2)
    site.at("phone", get_user)

    assert first == 1
    assert before == 42
    assert site.list_signed_in() == ["phone", "new"]
    assert not any("pending" in row for row in site.rows())


@pytest.mark.parametrize(("seconds", "left"), [(600, ["phone"]), (601, ["phone", "thief"])])
def test_the_repetition_is_given_up_after_ten_minutes(
    lagging_site: Site, seconds: int, left: list[str]
) -> None:
    """The note is removed then, too."""
    site = lagging_site
    site.log_in("phone", "thief")
    site.at("phone", end_others)
    site.clock.advance(seconds)
    site.at("phone", get_user)

    assert site.list_signed_in() == left
    assert not any("pending" in row for row in site.rows())


def test_the_repetition_ends_a_session_whose_row_cannot_be_read(lagging_site: Site) -> None:
    """Nobody knows when it began."""
    site = lagging_site
    site.log_in("phone", "thief")
    site.at("phone", end_others)
    (row,) = (row for row in site.rows() if row["device"]["S"] == "thief")
    site.write_row(row | {"rev": {"B": b"?"}})
    site.clock.advance(2)

    assert site.at("phone", get_user) == 42
    assert [row["device"]["S"] for row in site.rows()] == ["phone"]


def test_what_the_repetition_ended_does_not_come_back(lagging_site: Site) -> None:
    """A slow request of that session saves after it."""
    site = lagging_site
    site.log_in("phone", "thief")
    assert site.at("phone", end_others) == 0
    site.clock.advance(2)

    def change_slowly(session: Any) -> None:
        session["basket"] = ["tea"]
        site.at("phone", get_user)
        session.save()

    site.at("thief", change_slowly)

    assert site.list_signed_in() == ["phone"]
    assert len(list(site.rows())) == 1


def test_an_index_that_still_shows_ended_sessions_changes_nothing(
    proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session is read before it is shown; an ended one is neither counted nor restored."""
    site = Site.create(proxy.url, table_name, monkeypatch)
    site.log_in("phone", "laptop", "tv")
    replies: list[Reply] = []

    def answer_as_before(exchange: Exchange) -> None:
        replies.append(replies[0] if replies else exchange.forward())
        exchange.answer(replies[0])

    proxy.next(answer_as_before, operation="Query", times=None)
    handle = next(s["handle"] for s in site.at("phone", list_devices) if s["device"] == "tv")
    assert site.at("phone", end_others) == 2

    assert [one["device"] for one in site.at("phone", list_devices)] == ["phone"]
    results = [site.at("phone", view) for view in (end(handle), end_others, limit(1))]
    site.clock.advance(2)

    assert results == [False, 0, 0]
    assert site.list_signed_in() == ["phone"]
    assert len(list(site.rows())) == 1


def test_the_repetition_is_one_query_and_then_costs_nothing(site: Site, calls: Recorder) -> None:
    """The note is removed with the access time."""
    site.log_in("phone", "laptop")
    site.at("phone", end_others)
    site.clock.advance(2)
    calls.clear()

    site.at("phone", get_user)
    repeated = list(calls.names)
    calls.clear()
    site.at("phone", get_user)

    assert repeated == ["GetItem", "Query", "PutItem"]
    assert calls.names == ["GetItem"]


def test_a_new_id_in_the_same_request_is_no_other_session(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of the old id is still stored then; it is neither listed nor ended."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, "StrictSession")
    site.log_in("phone", "laptop")

    def change_password(session: Any) -> list[Any]:
        session.regenerate_id()
        users = UserSessions(session, "userId")
        return [len(list(users)), users.limit(2), users.end_others()]

    assert site.at("phone", change_password) == [2, 0, 1]
    assert site.list_signed_in() == ["phone"]


def test_the_repetition_survives_a_new_id(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that gives the session a new id at the password change repeats it too."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, "StrictSession")
    site.log_in("phone")

    def change_password(session: Any) -> None:
        UserSessions(session, "userId").end_others()
        session.regenerate_id()
        session.save()

    site.at("phone", change_password)
    site.clock.advance(2)

    assert [row["pending"]["S"].split()[2] for row in site.rows() if "pending" in row] == ["userId"]


def test_nobody_is_logged_out_by_the_repetition_for_another_user(site: Site) -> None:
    """Another user logs in to the session at hand before it is due."""
    site.log_in("phone", "laptop")
    site.log_in("stranger", user=7)
    site.at("phone", end_others)
    site.at("phone", log_in("phone", 7))
    site.clock.advance(3)
    site.at("phone", get_user)

    assert site.list_signed_in() == ["phone", "stranger"]
    assert not any("pending" in row for row in site.rows())


def test_an_outage_of_the_repetition_fails_no_page(
    proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again by the next request."""
    site = Site.create(proxy.url, table_name, monkeypatch)
    site.log_in("phone", "laptop")
    site.at("phone", end_others)
    site.clock.advance(2)
    proxy.next(aws_error("AccessDeniedException"), operation="Query")

    assert site.at("phone", get_user) == 42
    assert any("pending" in row for row in site.rows())
    assert site.at("phone", get_user) == 42
    assert not any("pending" in row for row in site.rows())


def test_settings_alone_end_the_sessions_of_a_user(site: Site) -> None:
    """As a password reset by mail, an admin page or a job does."""
    site.log_in("phone", "laptop")
    site.log_in("stranger", user=7)
    found = UserSessions(site.settings, "userId", 42, labels=["device"])

    assert {(one.labels["device"], one.is_current) for one in found} == {
        ("phone", False),
        ("laptop", False),
    }
    assert found.limit(1) == 1
    assert found.end_all() == 1
    assert site.list_signed_in() == ["stranger"]


def test_settings_alone_show_no_session_that_they_have_ended(site: Site) -> None:
    """As the application does."""
    site.log_in("phone")
    later = dt.datetime.fromtimestamp(site.clock() + 1, dt.timezone.utc)
    site.settings["session.created_after"] = later.isoformat()

    assert list(UserSessions(site.settings, "userId", 42)) == []


def test_settings_alone_take_a_clock(site: Site) -> None:
    """An hour later the session has timed out."""
    site.log_in("phone")
    site.clock.advance(2 * TIMEOUT)
    later = Runtime(clock=site.clock)

    assert len(list(UserSessions(site.settings, "userId", 42))) == 1
    assert list(UserSessions(site.settings, "userId", 42, runtime=later)) == []


def test_a_login_can_end_the_others_before_its_own_session_is_stored(site: Site) -> None:
    """At most one session: each login ends the others."""
    site.log_in("phone", "laptop")

    def log_in_alone(session: Any) -> int:
        log_in("tablet")(session)
        return UserSessions(session, "userId").end_others()

    assert site.at("tablet", log_in_alone) == 2
    assert site.list_signed_in() == ["tablet"]


def test_a_login_that_is_saved_after_it_ended_the_others_repeats_it(lagging_site: Site) -> None:
    """The session has no row and no store yet; what it notes is saved with it."""
    site = lagging_site
    site.log_in("thief")

    def log_in_alone(session: Any) -> int:
        session["userId"], session["device"] = 42, "phone"
        ended = UserSessions(session, "userId").end_others()
        session.save()
        return ended

    assert site.at("phone", log_in_alone) == 0
    site.clock.advance(2)
    site.at("phone", get_user)

    assert site.list_signed_in() == ["phone"]


def test_a_session_whose_access_time_is_not_saved_repeats_it(lagging_site: Site) -> None:
    """The page saves nothing at its end, so `end_others()` saves what it notes."""
    site = lagging_site
    del site.settings["session.timeout"]  # Beaker permits only one of them
    site.settings["session.save_accessed_time"] = "false"
    site.log_in("phone", "thief")

    assert site.at("phone", end_others) == 0
    site.clock.advance(2)
    site.at("phone", get_user)

    assert site.list_signed_in() == ["phone"]


def test_an_administrator_who_ends_the_sessions_of_a_user_notes_nothing(site: Site) -> None:
    """The session at hand is of another user; it would end sessions of its own."""
    site.log_in("admin", user=1)
    site.log_in("phone", "laptop")

    ended = site.at("admin", lambda session: UserSessions(session, "userId", 42).end_others())

    assert ended == 2
    assert not any("pending" in row for row in site.rows())
    assert site.list_signed_in() == ["admin"]


def test_a_session_whose_row_cannot_be_read_is_shown_without_times(site: Site) -> None:
    """It can be ended like any other."""
    site.log_in("phone", "laptop")
    (row,) = (row for row in site.rows() if row["device"]["S"] == "laptop")
    site.write_row(row | {"rev": {"B": b"?"}})

    shown = {one["device"]: one for one in site.at("phone", list_devices)}

    assert [shown["laptop"][name] for name in ("created", "last_seen")] == [None, None]
    assert site.at("phone", end(shown["laptop"]["handle"])) is True


def test_no_pickle_is_read_where_sessions_are_json(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for the time of its last use."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, data_serializer="pickle")
    site.log_in("phone")
    json_site = Site(site.settings | {"session.data_serializer": "json"}, site.clock)
    json_site.log_in("laptop")
    settings = json_site.settings | {"session.envelope": "json"}

    found = UserSessions(settings, "userId", 42, labels=["device"])

    assert {one.labels["device"]: one.last_seen for one in found} == {
        "phone": None,
        "laptop": pytest.approx(site.clock(), abs=1),
    }


@pytest.mark.parametrize("session_class", CLASSES)
@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("encrypted", ["encrypt_key", "encryption_keys", ""])
def test_sessions_of_every_format_are_shown_and_ended(
    session_class: str,
    serializer: str,
    encrypted: str,
    dynamodb_local: str,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Times too: the row itself says when an encrypted session began."""
    if (encrypted, session_class) == ("encrypt_key", "Session"):
        pytest.skip("the backend sees no special key of such a session")
    secrets = {
        "encrypt_key": {"encrypt_key": "k" * 32, "validate_key": "v" * 32},
        "encryption_keys": {"encryption_keys": "A" * 43 + "="},
    }
    more = {"data_serializer": serializer, **secrets.get(encrypted, {})}
    site = Site.create(dynamodb_local, table_name, monkeypatch, session_class, **more)
    site.log_in("phone", "laptop")
    now = site.clock()

    found = site.at("laptop", list_devices)

    assert [one["created"] for one in found] == [now, now - 1]
    assert [round(one["last_seen"]) for one in found] == [now, now - 1]
    assert site.at("phone", end_others) == 1
    assert site.list_signed_in() == ["phone"]


def test_the_last_use_of_an_encrypted_session_is_true_or_not_shown(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lifetime of its own, and a longest age, move the expiry away from the last use.

    The application itself opens the session; a job that has only the settings cannot.
    """
    more = {"encrypt_key": "k" * 32, "validate_key": "v" * 32, "max_age": "40m"}
    site = Site.create(dynamodb_local, table_name, monkeypatch, "StrictSession", **more)
    site.log_in("phone", "laptop")
    site.at("laptop", lambda session: setattr(session, "lifetime", 300))
    site.clock.advance(240)
    site.at("laptop", get_user)
    seen = site.clock()
    site.clock.advance(240)

    shown = {one["device"]: one["last_seen"] for one in site.at("phone", list_devices)}
    by_settings = UserSessions(site.settings, "userId", 42)

    assert shown["laptop"] == pytest.approx(seen, rel=0, abs=1)
    assert [one.last_seen for one in by_settings] == [None, None]


def test_the_last_use_of_a_session_in_chunks_is_not_shown(site: Site) -> None:
    """To read it costs a hundred units; what its expiry says may be wrong."""
    site.settings["session.compress"] = "false"
    site.log_in("phone", "laptop")

    def grow(session: Any) -> None:
        session["big"] = "".join(map(chr, range(33, 127))) * 6000
        session.save()

    site.at("laptop", grow)
    found = {one["device"]: one for one in site.at("phone", list_devices)}

    assert found["laptop"]["last_seen"] is None
    assert found["laptop"]["created"] == site.clock()


def test_a_session_in_chunks_leaves_none_of_them(site: Site) -> None:
    """A session over 400 KB is listed and ended like any other."""
    site.settings["session.compress"] = "false"
    site.log_in("phone", "laptop")

    def grow(session: Any) -> None:
        session["big"] = "".join(map(chr, range(33, 127))) * 6000
        session.save()

    site.at("laptop", grow)
    assert len(list(site.rows())) > 3
    assert site.at("phone", end_others) == 1

    assert len(list(site.rows())) == 1


def test_an_ended_session_leaves_a_tombstone_while_sessions_migrate(
    dynamodb_local: str, table_name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the copy in the old backend would be moved in again."""
    (tmp_path / "container_file").mkdir()
    more = {"migrate_from": "file", "migrate_from.data_dir": str(tmp_path)}
    site = Site.create(dynamodb_local, table_name, monkeypatch, **more)
    site.log_in("phone", "laptop")

    assert site.at("phone", end_others) == 1
    assert site.list_signed_in() == ["phone"]
    assert len(list(site.rows())) == 2


def test_a_missing_permission_is_named(
    proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's policy has no Query by default."""
    site = Site.create(proxy.url, table_name, monkeypatch)
    proxy.next(aws_error("AccessDeniedException"), operation="Query")

    message = r"dynamodb:Query.*'userId-index'.*--user-sessions"
    with pytest.raises(AccessRefused, match=message) as caught:
        list(UserSessions(site.settings, "userId", 42))

    assert caught.value.call is not None
    assert caught.value.call.operation == "Query"


def test_a_missing_index_is_named(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option was set, and the table was not updated."""
    site = Site.create(dynamodb_local, table_name, monkeypatch)
    site.settings["session.index_special_keys"] = "userId, device"

    message = r"no index 'device-index' on 'device'.*table create"
    with pytest.raises(OptionError, match=message) as caught:
        list(UserSessions(site.settings, "device", "phone"))

    assert caught.value.call is not None
    assert caught.value.call.operation == "Query"


def test_a_query_that_dynamodb_refuses_for_another_reason_is_no_missing_index(
    proxy: FaultProxy, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy of a missing index would mislead."""
    site = Site.create(proxy.url, table_name, monkeypatch)
    proxy.next(aws_error("SomethingNewException"), operation="Query")

    with pytest.raises(Refused, match="SomethingNewException"):
        list(UserSessions(site.settings, "userId", 42))


def test_a_login_without_a_proxy_repeats_it_too(site: Site) -> None:
    """The session was saved before; Beaker saves no new session at the end of the page again."""
    site.log_in("laptop")

    def log_in_alone(proxied: Any) -> int:
        session = proxied._session()
        log_in("phone")(session)
        return UserSessions(session, "userId").end_others()

    assert site.at("phone", log_in_alone) == 1
    assert sum("pending" in row for row in site.rows()) == 1


@pytest.mark.parametrize("wrong", [uuid.UUID(int=5), {"id": 42}, "x" * 1025])
def test_an_id_that_no_index_holds_is_an_error_and_not_an_empty_list(
    site: Site, wrong: object
) -> None:
    """Otherwise a password change would end nothing, and nobody would know."""
    site.log_in("phone")
    kind = type(wrong).__name__

    def change_password(session: Any) -> None:
        session["userId"] = wrong
        with pytest.raises(OptionError, match=rf"type S does not hold this user's id, a {kind}"):
            UserSessions(session, "userId")

    site.at("phone", change_password)


@pytest.mark.parametrize("nobody", [None, False, ""])
def test_an_empty_id_is_nobody(site: Site, nobody: object) -> None:
    """Some applications keep the key after a logout."""
    site.at("phone", lambda session: session.update(userId=nobody))

    assert site.at("phone", end_others) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"session_class": "Session", "encrypt_key": "k" * 32, "validate_key": "v" * 32},
        {"session_class": "StrictSession", "envelope": "none"},
    ],
    ids=["encrypt_key", "envelope"],
)
def test_sessions_whose_keys_nobody_reads_are_an_error(
    options: dict[str, Any], dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index shows them, so no list would ever be complete."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, **options)
    site.log_in("phone")

    with pytest.raises(OptionError, match="can read none of these sessions"):
        site.at("phone", list_devices)


@pytest.mark.parametrize("wrong", [None, object(), CookieSession({}, validate_key="v")])
def test_what_is_neither_a_session_nor_settings_is_an_error(wrong: object) -> None:
    """Such as the request in place of its session."""
    with pytest.raises(OptionError, match=f"this is a {type(wrong).__name__}"):
        UserSessions(wrong, "userId", 42)


def test_a_single_label_may_be_a_text(site: Site) -> None:
    """Its letters would otherwise be taken for labels."""
    site.log_in("phone")

    def view(session: Any) -> list[Any]:
        return [one.labels["device"] for one in UserSessions(session, "userId", labels="device")]

    assert site.at("phone", view) == ["phone"]


SETTINGS = {
    "session.type": "ext:dynamodb",
    "session.region": REGION,
    "session.special_keys": "userId, device",
    "session.index_special_keys": "userId",
}


@pytest.mark.parametrize(
    ("key", "value", "labels", "message"),
    [
        ("userid", 42, [], "did you mean 'userId'"),
        ("user", 42, ["device"], "not one of the special keys"),
        ("userId", 42, ["colour"], "'colour' is not one of .*; write special_keys = colour:S"),
        ("device", "x", [], "has no index"),
        ("userId", "", [], "does not hold"),
        ("userId", None, [], "user's id"),
    ],
)
def test_a_mistake_is_an_error_before_any_call(
    key: str, value: object, labels: list[str], message: str
) -> None:
    """The message says what is expected."""
    with pytest.raises(OptionError, match=message):
        UserSessions(SETTINGS, key, value, labels=labels)


@pytest.mark.parametrize("count", [0, -1])
def test_a_limit_leaves_one_session_at_least(count: int) -> None:
    """The message names the method that ends all of them; no call is made."""
    with pytest.raises(OptionError, match=r"at least one session .* end_all\(\) ends all"):
        UserSessions(SETTINGS, "userId", 42).limit(count)


def test_another_backend_is_refused() -> None:
    """Its sessions have no index."""
    session = StrictSession({}, type="memory")

    with pytest.raises(OptionError, match="ext:dynamodb"):
        UserSessions(session, "userId")
    with pytest.raises(OptionError, match="ext:dynamodb"):
        UserSessions({"session.type": "memory"}, "userId", 42)


def test_settings_that_the_application_is_refused_are_refused_here() -> None:
    """A job must not end the sessions of another store by a mistake in its settings."""
    settings = {"session.type": "ext:dynamodb", "session.serializer": "json"}

    with pytest.raises(OptionError, match="'serializer' is for caches"):
        UserSessions(settings, "userId", 42)


def test_a_stranger_has_no_sessions(site: Site) -> None:
    """Nobody is logged in: no call is made."""
    assert site.at("new", list_devices) == []
    assert site.at("new", end_others) == 0
    assert site.at("new", end("x")) is False


def test_a_session_that_is_written_all_the_time_is_an_error(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application learns that one session could not be ended; the others are."""
    site.log_in("phone", "laptop", "tablet")
    monkeypatch.setattr(user_rows, "MAX_TRIES", 0)

    with pytest.raises(beaker_dynamodb.Unavailable, match="written faster"):
        site.at("phone", end_others)


def test_a_key_that_is_no_valid_unicode_has_a_handle() -> None:
    """An emulator may return one: the list of a user's sessions must not end there."""
    assert len({_make_handle(Key(f"sess:{tail}")) for tail in ("\ud800", "\ud801")}) == 2
