"""How long a session lives: the longest lifetime, and one that a session has for itself."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
from beaker.exceptions import BeakerException
from beaker.middleware import SessionMiddleware

import beaker_dynamodb
from beaker_dynamodb import OptionError, StrictSession
from tests.sessions import apps
from tests.sessions.devices import CLASSES, TIMEOUT, VIEW, Site, application, get_user, log_in

HOUR: Final = 3600
DAY: Final = 86400
FORMATS: Final[dict[str, dict[str, str]]] = {
    "json": {"data_serializer": "json"},
    "pickle": {},
    "encrypt_key": {"encrypt_key": "k" * 32, "validate_key": "v" * 32},
    "encryption_keys": {"encryption_keys": "A" * 43 + "="},
}
Make = Callable[..., Site]


@pytest.fixture
def make(dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Give a function that makes an application, under StrictSession unless it says otherwise."""

    def make_site(session_class: str = "StrictSession", **more: Any) -> Site:
        return Site.create(dynamodb_local, table_name, monkeypatch, session_class, **more)

    return make_site


def change(session: Any) -> None:
    """Change the session."""
    session["visits"] = session.get("visits", 0) + 1
    session.save()


def regenerate(session: Any) -> None:
    """Give the session a new id."""
    session.regenerate_id()
    session.save()


def remember(session: Any) -> None:
    """Keep the user signed in, and leave it to Beaker to save that."""
    session.remember(days=30)


def last(site: Site, device: str, *, step: float = 60, until: float = 3 * HOUR) -> float:
    """Visit once a step until the user is signed out; return after how many seconds that was."""
    began = site.clock()
    while site.clock() - began < until:
        site.clock.advance(step)
        if site.at(device, get_user) is None:
            return site.clock() - began
    return until


@pytest.mark.parametrize("session_class", CLASSES)
@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("encrypted", ["plain", "encrypt_key", "encryption_keys"])
@pytest.mark.parametrize(("size", "step"), [(9, 60), (500_000, 300)], ids=["small", "chunked"])
def test_a_session_that_is_visited_all_the_time_ends_at_its_hour(
    session_class: str, serializer: str, encrypted: str, size: int, step: int, make: Make
) -> None:
    """Reads and changes do not move the end, whatever the format and the size.

    A small session is visited each minute; one in chunks every five minutes, to save time.
    """
    big = base64.b64encode(random.Random(1).randbytes(size)).decode()  # Beaker compresses JSON
    more = {"data_serializer": serializer, "compress": "false", **FORMATS.get(encrypted, {})}
    site = make(session_class, max_age=str(HOUR), **more)

    def fill(session: Any) -> None:
        session["big"] = big
        log_in("phone")(session)

    site.at("phone", fill)
    began = site.clock()
    assert (len(list(site.rows())) > 1) == (size == 500_000)
    for visit in range(HOUR // 2 // step):
        site.clock.advance(step)
        site.at("phone", get_user if visit % 4 else change)

    last(site, "phone", step=step)

    assert site.clock() - began == HOUR


@pytest.mark.parametrize("session_class", CLASSES)
@pytest.mark.parametrize("form", ["json", "pickle", "encryption_keys"])
def test_a_new_id_does_not_begin_the_hour_anew(session_class: str, form: str, make: Make) -> None:
    """Otherwise a stolen cookie could be renewed without end."""
    site = make(session_class, max_age="1h", **FORMATS[form])
    site.at("phone", log_in("phone"))
    site.clock.advance(1200)
    site.at("phone", regenerate)

    assert last(site, "phone") == HOUR - 1200


def test_an_opaque_session_keeps_its_start_under_a_new_id(make: Make) -> None:
    """Option envelope hides the creation time; StrictSession hands the start on."""
    site = make(max_age="1h", envelope="none")
    site.at("phone", log_in("phone"))
    site.clock.advance(1200)
    site.at("phone", regenerate)

    assert last(site, "phone") == HOUR - 1200


def test_a_login_begins_the_hour_anew(make: Make) -> None:
    """By `restart_lifetime()` alone, which Beaker saves at the end of the page."""
    site = make(max_age="1h")
    site.at("phone", log_in("phone"))
    site.clock.advance(1200)
    site.at("phone", lambda session: session.restart_lifetime())

    assert last(site, "phone") == HOUR


@pytest.mark.parametrize("form", FORMATS)
def test_a_login_with_a_new_id_begins_the_hour_anew(form: str, make: Make) -> None:
    """Before or after `regenerate_id()`."""
    site = make(max_age="1h", **FORMATS[form])

    def before(session: Any) -> None:
        session.restart_lifetime()
        session.regenerate_id()

    def after(session: Any) -> None:
        session.regenerate_id()
        session.restart_lifetime()

    for device, view in (("phone", before), ("laptop", after)):
        site.at(device, log_in(device))
        site.clock.advance(1200)
        site.at(device, view)

        assert last(site, device) == HOUR


def test_a_request_beside_a_restart_keeps_its_change(make: Make) -> None:
    """The session is the same one, so the two are merged."""
    site = make(max_age="1h")
    site.at("phone", log_in("phone"))
    site.clock.advance(1200)

    def change_slowly(session: Any) -> None:
        change(session)
        site.at("phone", lambda session: session.restart_lifetime())

    site.at("phone", change_slowly)

    assert site.at("phone", lambda session: session["visits"]) == 1
    assert last(site, "phone") == HOUR


def test_a_session_ends_if_the_option_is_made_shorter(make: Make) -> None:
    """Also one whose row expires later, and what is saved then is a new session."""
    site = make("Session", max_age="1h")
    site.at("phone", log_in("phone"))
    site.clock.advance(601)
    site.settings["session.max_age"] = "10m"
    beaker_dynamodb.reset()
    site.browsers["phone"].app = SessionMiddleware(application, dict(site.settings))

    assert site.at("phone", get_user) is None
    site.at("phone", change)
    site.at("phone", change)

    assert site.at("phone", lambda session: dict(session.items()).get("visits")) == 2
    assert site.at("phone", get_user) is None
    assert last(site, "phone") <= 600


@pytest.mark.parametrize("session_class", CLASSES)
def test_sessions_from_before_an_incident_are_absent_at_once(
    session_class: str, make: Make
) -> None:
    """Without a scan; a login after that is a session like any other."""
    site = make(session_class)
    site.at("phone", log_in("phone"))
    site.clock.advance(60)
    moment = datetime.fromtimestamp(site.clock(), timezone.utc)
    site.settings["session.created_after"] = moment.isoformat()
    beaker_dynamodb.reset()
    site.browsers["phone"].app = SessionMiddleware(application, dict(site.settings))

    assert site.at("phone", get_user) is None
    site.at("phone", log_in("phone", 7))
    site.at("laptop", log_in("laptop"))

    assert site.at("phone", get_user) == 7
    assert site.at("laptop", get_user) == 42


def cookie_expiry(site: Site, device: str, view: Any) -> datetime | None:
    """Send a request; return when the cookie that its response sets expires."""
    site.at(device, get_user)
    response = site.browsers[device].get("/", extra_environ={VIEW: view})
    lines = response.headers.getall("Set-Cookie")
    if not lines:
        return None
    parts = dict(part.partition("=")[::2] for part in lines[0].split("; "))
    return parsedate_to_datetime(parts["expires"])


@pytest.mark.parametrize("form", FORMATS)
def test_a_user_stays_signed_in_for_thirty_days(form: str, make: Make) -> None:
    """Though nothing else was changed; other sessions keep the setting."""
    site = make(**FORMATS[form])
    site.log_in("phone", "laptop")
    site.at("phone", remember)
    site.clock.advance(29 * DAY)

    assert site.at("phone", get_user) == 42
    assert site.at("laptop", get_user) is None
    site.clock.advance(29 * DAY)
    assert site.at("phone", get_user) == 42
    site.clock.advance(30 * DAY + 1)
    assert site.at("phone", get_user) is None


@pytest.mark.parametrize("form", FORMATS)
def test_it_survives_a_new_id_and_a_merge(form: str, make: Make) -> None:
    """A slow request that knows nothing of it saves after it."""
    site = make(**FORMATS[form])
    site.log_in("phone")

    def change_slowly(session: Any) -> None:
        change(session)
        site.at("phone", remember)

    site.at("phone", change_slowly)
    (row,) = site.rows()
    site.at("phone", regenerate)
    site.clock.advance(29 * DAY)

    assert int(row["expires"]["N"]) >= site.clock() + DAY
    assert site.at("phone", get_user) == 42


def test_a_new_id_keeps_the_lifetime_that_another_request_has_chosen(make: Make) -> None:
    """The login has loaded the session before that; its cookie follows with the next page."""
    site = make()
    site.log_in("phone")

    def log_in_slowly(session: Any) -> None:
        change(session)
        site.at("phone", remember)
        regenerate(session)

    site.at("phone", log_in_slowly)

    expiries = {int(row["expires"]["N"]) - site.clock() for row in site.rows()}
    assert expiries == {60, 30 * DAY + 120}  # the first is that of the old id's tombstone
    assert site.at("phone", lambda session: session.lifetime) == 30 * DAY


def test_a_session_that_begins_anew_has_a_new_creation_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In another backend it is all that tells the session's start."""
    session = StrictSession({}, type="memory")
    monkeypatch.setattr("beaker_dynamodb.sessions.lifetime.time", SimpleNamespace(time=lambda: 5.0))
    session.restart_lifetime()

    assert session["_creation_time"] == session.accessed_dict["_creation_time"] == 5.0


def test_a_user_is_remembered_for_a_month_if_nothing_else_is_said() -> None:
    """As the pages of most sites promise it."""
    session = StrictSession({}, type="memory")
    session.remember()

    assert session.lifetime == 30 * DAY


def test_a_shorter_lifetime_ends_earlier(make: Make) -> None:
    """Such as that of a terminal in public."""
    site = make()
    site.log_in("phone")

    def shorten(session: Any) -> None:
        session.lifetime = 300

    site.at("phone", shorten)
    site.clock.advance(299)
    assert site.at("phone", get_user) == 42
    site.clock.advance(301)
    assert site.at("phone", get_user) is None


@pytest.mark.parametrize("name", ["timeout", "lifetime"])
def test_an_assignment_does_what_it_says(name: str, make: Make) -> None:
    """Under Beaker's own class an assignment to `timeout` in a view is lost."""
    site = make()
    site.log_in("phone")
    site.at("phone", lambda session: setattr(session, name, 3 * HOUR))
    site.clock.advance(2 * HOUR)

    assert site.at("phone", lambda session: getattr(session, name)) == 3 * HOUR
    site.at("phone", lambda session: setattr(session, name, None))
    assert site.at("phone", lambda session: session.timeout) == TIMEOUT
    site.clock.advance(HOUR)
    assert site.at("phone", get_user) is None


def test_the_earlier_of_both_limits_holds(make: Make) -> None:
    """A remembered session ends at the longest lifetime all the same."""
    site = make(max_age="12h")
    site.log_in("phone")
    site.at("phone", remember)

    assert last(site, "phone", step=HOUR, until=2 * DAY) == 12 * HOUR


def test_the_cookie_follows(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent with the first response, again whenever the row is written, and not otherwise."""
    site = make()
    site.log_in("phone")

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(site.clock(), tz)

    monkeypatch.setattr("beaker.session.datetime", Now)
    now = datetime.fromtimestamp(site.clock(), timezone.utc)
    month = timedelta(days=30)

    assert cookie_expiry(site, "phone", remember) == now + month
    assert cookie_expiry(site, "phone", get_user) is None
    site.clock.advance(7 * DAY)
    week = now + timedelta(days=7)
    site.at("phone", get_user)
    site.clock.advance(3601)
    response = site.browsers["phone"].get("/", extra_environ={VIEW: get_user})
    sent = parsedate_to_datetime(response.headers["Set-Cookie"].split("expires=")[1].split(";")[0])
    assert sent == week + month + timedelta(seconds=3601)


@pytest.mark.parametrize("bad", [0, -1, "soon", float("nan"), True])
def test_a_lifetime_that_is_none_is_refused(bad: object) -> None:
    """The session keeps the one that it has."""
    session = StrictSession({}, type="memory", timeout=600)

    with pytest.raises(OptionError, match="lifetime: expected a duration"):
        session.lifetime = bad
    assert session.timeout == 600


def test_a_lifetime_needs_the_access_time() -> None:
    """As Beaker's own timeout does."""
    session = StrictSession({}, type="memory", save_accessed_time=False)

    with pytest.raises(BeakerException, match="save_accessed_time"):
        session.remember()


def test_an_invalidated_session_takes_the_setting_again(make: Make) -> None:
    """The next user of the browser is not remembered."""
    site = make()
    site.log_in("phone")
    site.at("phone", remember)
    site.at("phone", lambda session: session.invalidate())
    site.at("phone", log_in("phone", 7))
    site.clock.advance(TIMEOUT + 1)

    assert site.at("phone", get_user) is None


@pytest.mark.parametrize(
    "leave",
    [lambda session: session.delete(), lambda session: session.clear()],
    ids=["delete", "clear"],
)
def test_a_login_after_a_logout_in_one_request_is_not_remembered(leave: Any, make: Make) -> None:
    """Neither the row nor the cookie of the next user has the lifetime that the last one chose."""
    site = make()
    site.log_in("phone")
    site.at("phone", remember)

    def log_another_in(session: Any) -> None:
        leave(session)
        log_in("phone", 7)(session)

    response = site.browsers["phone"].get("/", extra_environ={VIEW: log_another_in})

    assert "expires=" not in response.headers["Set-Cookie"]
    assert [int(row["expires"]["N"]) for row in site.rows()] == [site.clock() + TIMEOUT + 120]


def test_a_slow_request_does_not_keep_a_lifetime_that_was_taken_back(make: Make) -> None:
    """Its save is merged, and the row then lives as long as the setting says."""
    site = make()
    site.log_in("phone")
    site.at("phone", lambda session: setattr(session, "lifetime", 300))

    def change_slowly(session: Any) -> None:
        change(session)
        site.at("phone", lambda session: setattr(session, "lifetime", None))

    site.at("phone", change_slowly)
    site.clock.advance(900)

    assert site.at("phone", get_user) == 42


@pytest.mark.parametrize(
    "bad", [None, "a month", 10**400, 0, float("inf")], ids=lambda bad: str(bad)[:9]
)
def test_remembering_for_no_number_of_days_is_refused(bad: Any) -> None:
    """By an error of ours, whatever was given; a number may be a text, as of an ini file."""
    session = StrictSession({}, type="memory", timeout=600)

    with pytest.raises(OptionError, match="expected a"):
        session.remember(days=bad)
    session.remember(days="2")  # type: ignore[arg-type]  # an application may not be typed
    assert session.timeout == 2 * DAY


def test_remembering_nobody_stores_nothing(make: Make) -> None:
    """A session without data is not stored."""
    site = make()

    def remember_and_save(session: Any) -> None:
        session.remember()
        session.save()

    site.at("phone", remember_and_save)

    assert list(site.rows()) == []


def test_a_remembered_session_moves_from_another_backend(make: Make, tmp_path: Any) -> None:
    """Its lifetime is in its text, and so is its start."""
    site = make(**{"migrate_from": "file", "migrate_from.data_dir": str(tmp_path)}, max_age="60d")
    old = {"session.type": "file", "session.data_dir": str(tmp_path), "session.timeout": "1800"}
    app = SessionMiddleware(application, {**old, "session.session_class": StrictSession})
    site.browsers["phone"] = apps.browser(app)
    site.at("phone", log_in("phone"))
    site.at("phone", remember)
    site.browsers["phone"].app = SessionMiddleware(application, dict(site.settings))
    site.clock.advance(20 * DAY)
    assert site.at("phone", get_user) == 42
    site.clock.advance(29 * DAY)

    assert site.at("phone", get_user) == 42
    site.clock.advance(11 * DAY)
    assert site.at("phone", get_user) is None


@pytest.mark.parametrize(
    ("stored", "lifetime"), [(-1, None), (0, None), (0.5, 0.5), (HOUR, HOUR), ("soon", None)]
)
def test_a_stored_lifetime_counts_if_it_is_above_zero(stored: Any, lifetime: float | None) -> None:
    """Any other one is not ours; the setting holds."""
    session = StrictSession({}, type="memory", timeout=DAY)
    session._adopt({"_lifetime": stored})

    assert session.lifetime == lifetime
    assert session.timeout == (lifetime or DAY)


@pytest.mark.parametrize(("row_expires", "left"), [(60, 60), (DAY, HOUR), (0, 0), (-60, 0)])
def test_the_cookie_of_a_session_with_a_lifetime_ends_with_its_row(
    row_expires: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row lives two minutes longer, but not beyond the session's longest age."""
    clock = SimpleNamespace(time=lambda: 1_000_000.0)
    monkeypatch.setattr("beaker_dynamodb.sessions.lifetime.time", clock)
    session = StrictSession({}, type="memory")
    session.lifetime = HOUR
    session.namespace = SimpleNamespace(row_expires=1_000_000 + row_expires)

    session._refresh_cookie(None)

    assert session.cookie_expires == timedelta(seconds=left)
