"""A session that is only read is kept alive by few writes (docs/consistency.md)."""

from __future__ import annotations

import math
import secrets
from typing import Any

import pytest
from beaker.session import Session

from beaker_dynamodb import OptionError, StrictSession, Unavailable
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.rows import build_rows
from beaker_dynamodb.runtime import REAL
from beaker_dynamodb.sessions import touches
from beaker_dynamodb.sessions.store import SessionSettings
from tests.faults.fault_kinds import aws_error
from tests.instruments import Clock, Recorder
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put, read_while, use_clock

Log = pytest.LogCaptureFixture

HOUR, DAY = 3600, 86400
#: More than a row holds, however well it is compressed.
LARGE = secrets.token_bytes(600_000)
#: What Beaker adds to a session's timeout before it hands it on.
GRACE = 120


@pytest.fixture
def site(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Site:
    """Give a site that lives by the test's clock, with a table of its own."""
    use_clock(monkeypatch, clock)
    return Site.create(dynamodb_local, table_name)


def expires(site: Site, user: Browser) -> int:
    """Read when the row expires."""
    return int((site.row(user) or {})["expires"]["N"])


def test_a_hundred_pages_that_only_read_are_a_hundred_reads_and_no_write(
    site: Site, clock: Clock, calls: Recorder
) -> None:
    """All of them within touch_after: one GetItem each."""
    site = site.with_(timeout=1800)
    user = site.begin_session(user="ann")
    calls.clear()

    for _ in range(100):
        clock.advance(1.7)
        assert site.visit(user, contents).said == {"user": "ann"}

    assert calls.names == ["GetItem"] * 100


def test_a_session_that_is_read_every_few_seconds_outlives_its_timeout(
    site: Site, clock: Clock, calls: Recorder
) -> None:
    """Three times as long; and it costs a write a minute, not one a page."""
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")
    calls.clear()

    for _ in range(180):
        clock.advance(10)
        assert site.visit(user, contents).said == {"user": "ann"}

    assert calls.names.count("GetItem") == 180
    assert calls.names.count("PutItem") == 180 * 10 // 60


@pytest.mark.parametrize(
    ("timeout", "touch_after", "most"),
    [
        (600, None, 60),
        (600, "10s", 10),
        (600, "59s", 59),
        (600, "1h", 300),
        (20 * HOUR, None, HOUR),
        (20 * HOUR, "2h", 2 * HOUR),
        (20 * HOUR, "1d", 10 * HOUR),
        (20 * HOUR, "1s", 1),
    ],
)
def test_a_touch_comes_after_a_tenth_of_the_timeout_or_what_the_option_says(
    site: Site, clock: Clock, timeout: int, touch_after: str | None, most: int
) -> None:
    """By default a tenth, at most an hour; an option says at most half."""
    site = site.with_(timeout=timeout, touch_after=touch_after or "")
    user = site.begin_session(user="ann")
    begun = expires(site, user)
    rev = (site.row(user) or {})["rev"]

    clock.advance(most - 1)
    site.visit(user, contents)
    assert expires(site, user) == begun

    clock.advance(1)
    site.visit(user, contents)
    assert expires(site, user) == begun + most
    assert (site.row(user) or {})["rev"] == rev


@pytest.mark.parametrize(("touch_after", "early"), [("", 60), ("2m", 120), ("1d", 300)])
def test_an_idle_timeout_comes_early_by_touch_after_at_most(
    site: Site, clock: Clock, touch_after: str, early: int
) -> None:
    """Reads within touch_after are not saved, so Beaker counts from the last touch."""
    site = site.with_(timeout=600, touch_after=touch_after)
    read_early, read_late = site.begin_session(user="ann"), site.begin_session(user="bob")

    clock.advance(early - 1)
    site.visit(read_early, contents)
    clock.advance(1)
    site.visit(read_late, contents)
    clock.advance(601 - early)

    assert site.read_session(read_early) == {}
    assert site.read_session(read_late) == {"user": "bob"}


def test_a_session_that_nobody_reads_times_out(site: Site, clock: Clock) -> None:
    """Beaker's timeout ends it; its row expires by itself two minutes later."""
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")

    assert expires(site, user) == clock() + 600 + GRACE
    clock.advance(601)
    assert site.read_session(user) == {}


def test_a_site_without_a_timeout_keeps_its_sessions_for_thirty_days(
    site: Site, clock: Clock
) -> None:
    """Option ttl is the lifetime if Beaker has no timeout; reads prolong it once an hour."""
    user = site.begin_session(user="ann")

    assert expires(site, user) == clock() + 30 * DAY
    clock.advance(HOUR)
    site.visit(user, contents)
    assert expires(site, user) == clock() + 30 * DAY
    clock.advance(30 * DAY)
    assert site.read_session(user) == {}


def test_sessions_without_a_ttl_never_expire_and_are_touched_once_an_hour(
    site: Site, clock: Clock, calls: Recorder
) -> None:
    """Ttl = 0: the row has no expiry at all, never 0, and its access time still moves on."""
    site = site.with_(ttl=0)
    user = site.begin_session(user="ann")
    assert "expires" not in (site.row(user) or {})
    calls.clear()

    clock.advance(HOUR - 1)
    site.visit(user, contents)
    clock.advance(1)
    site.visit(user, contents)
    site.visit(user, contents)

    assert calls.names == ["GetItem", "GetItem", "PutItem", "GetItem"]
    assert "expires" not in (site.row(user) or {})
    clock.advance(10_000 * DAY)
    assert site.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize(("before", "after"), [("30d", "0"), ("0", "30d")])
def test_a_changed_ttl_reaches_a_session_with_its_next_page(
    site: Site, clock: Clock, before: str, after: str
) -> None:
    """The next read gives a row without an expiry one, and removes it under ttl = 0."""
    user = site.with_(ttl=before).begin_session(user="ann")

    clock.advance(1)
    site.with_(ttl=after).visit(user, contents)

    expiry = (site.row(user) or {}).get("expires")
    assert expiry == (None if after == "0" else {"N": str(int(clock() + 30 * DAY))})


@pytest.mark.parametrize("session_class", [Session, StrictSession])
def test_a_shorter_timeout_logs_out_no_active_user(
    site: Site, clock: Clock, session_class: type[Session]
) -> None:
    """Rows that expire much later are touched as well, so readers stay logged in."""
    site = site.with_(session_class=session_class)
    user, idle = (site.with_(timeout=30 * DAY).begin_session(user="ann") for _ in range(2))
    site = site.with_(timeout=600)

    for _ in range(15):
        clock.advance(60)
        assert site.visit(user, contents).said == {"user": "ann"}
    assert expires(site, user) == clock() + 600 + GRACE
    assert site.read_session(idle) == {}


@pytest.mark.parametrize("before", [601, 700, 1000, 1080, 1190])
@pytest.mark.parametrize("away", [0, 100, 299, 500])
def test_a_slightly_shorter_timeout_logs_out_no_active_user(
    site: Site, clock: Clock, before: int, away: int
) -> None:
    """An expiry that is right by chance does not hide an access time that is old."""
    user = site.with_(timeout=before, touch_after="1d").begin_session(user="ann")
    clock.advance(away)
    site.with_(timeout=before, touch_after="1d").visit(user, contents)
    site = site.with_(timeout=600, touch_after="1d")

    for _ in range(15):
        assert site.visit(user, contents).said == {"user": "ann"}
        clock.advance(60)


def test_a_site_that_saves_no_access_time_never_touches(
    site: Site, clock: Clock, calls: Recorder
) -> None:
    """Beaker's save_accessed_time = false: a page that only reads hands nothing over."""
    site = site.with_(save_accessed_time=False)
    user = site.begin_session(user="ann")
    calls.clear()

    clock.advance(10 * HOUR)
    site.visit(user, contents)

    assert calls.names == ["GetItem"]


def test_a_newly_required_key_logs_out_no_reader(site: Site, clock: Clock) -> None:
    """A session from before the option is touched without the key."""
    user = site.with_(timeout=600).begin_session(cart=1)
    site = site.with_(timeout=600, special_keys="userId:S", require_special_keys=True)

    for _ in range(15):
        clock.advance(60)
        assert site.visit(user, contents).said == {"cart": 1}
    with pytest.raises(OptionError):
        site.visit(user, put(cart=2))


@pytest.mark.parametrize(
    ("fault", "told"),
    [("AccessDeniedException", True), ("ProvisionedThroughputExceededException", False)],
)
def test_a_touch_that_always_fails_is_logged(
    site: Site, clock: Clock, proxy: FaultProxy, caplog: Log, fault: str, told: bool
) -> None:
    """The page is served. An outage ends by itself, but a missing right would time readers out."""
    site = site.with_(timeout=600).behind(proxy)
    user = site.begin_session(user="ann")
    proxy.next(aws_error(fault), operation="PutItem", times=None)

    for _ in range(3):
        clock.advance(60)
        assert site.visit(user, contents).said == {"user": "ann"}

    lines = [line for line in caplog.messages if "access time" in line]
    assert [line.rpartition(" ")[2] for line in lines] == ["AccessRefused"] * told


@pytest.mark.parametrize("policy", ["merge", "overwrite", "raise"])
@pytest.mark.parametrize("beside", ["a change", "a login", "a logout"])
def test_a_touch_of_a_large_session_gives_up_for_any_other_write(
    site: Site, clock: Clock, policy: str, beside: str
) -> None:
    """Its chunks are written again for an access time, but never over a newer value."""
    site = site.with_(timeout=600, session_class=StrictSession, on_conflict=policy)
    user = site.begin_session(large=LARGE)
    clock.advance(60)

    def meanwhile() -> None:
        def view(session: Any) -> None:
            if beside == "a logout":
                session.delete()
                return
            if beside == "a login":
                session.regenerate_id()
            session["user"] = "ann"
            session.save()

        site.visit(user, view)

    assert site.visit(user.also(), read_while(meanwhile)).said == {"large": LARGE}
    assert site.read_session(user) == (
        {} if beside == "a logout" else {"large": LARGE, "user": "ann"}
    )


def test_who_only_reads_a_large_session_is_served_in_an_outage_and_asked_for_no_key(
    site: Site, clock: Clock, proxy: FaultProxy
) -> None:
    """The page is served, however many chunks the touch would write."""
    user = site.with_(timeout=600).begin_session(large=LARGE)
    clock.advance(60)
    site = site.with_(timeout=600, special_keys="userId:S", require_special_keys=True)
    broken = site.behind(proxy)
    proxy.next(aws_error("InternalServerError", status=500), operation="PutItem", times=None)

    assert broken.visit(user, contents).said == {"large": LARGE}
    proxy.clear()
    before = expires(site, user)
    assert site.visit(user, contents).said == {"large": LARGE}
    assert expires(site, user) == before + 60
    assert site.read_session(user) == {"large": LARGE}


def test_a_change_moves_the_expiry_too(site: Site, clock: Clock) -> None:
    """Every write of data gives the session its whole lifetime again."""
    site = site.with_(timeout=600)
    user = site.begin_session(cart=1)

    clock.advance(30)
    site.visit(user, put(cart=2))

    assert expires(site, user) == clock() + 600 + GRACE


@pytest.mark.parametrize(
    ("touch_after", "lifetime", "expected"),
    [
        (None, 600, 60),
        (None, 1, 0.1),
        (None, 36_000, 3600),
        (None, 10_000_000, 3600),
        (None, None, 3600),
        (0, 600, 0),
        (30, 600, 30),
        (61, 600, 61),
        (300, 600, 300),
        (301, 600, 300),
        (7200, 600, 300),
        (7200, 36_000, 7200),
        (7200, None, 7200),
        (30, None, 30),
    ],
)
def test_the_interval_of_touches(
    touch_after: float | None, lifetime: float | None, expected: float
) -> None:
    """By default it is a tenth of the lifetime, at most 1 h; an option can make it half at most."""
    rows = build_rows(Options(region="us-east-1", touch_after=touch_after, ttl=0), "session")
    timeout = None if lifetime is None else lifetime + GRACE

    assert SessionSettings.compute(rows, timeout).touch_after == pytest.approx(expected)


def test_a_touch_gives_way_after_a_write_that_was_throttled(
    site: Site, clock: Clock, proxy: FaultProxy
) -> None:
    """For five seconds no page waits for its touch; then the next page tries again."""
    site = site.with_(timeout=600).behind(proxy)
    ann, bob = site.begin_session(user="ann"), site.begin_session(user="bob")
    begun = expires(site, bob)
    clock.advance(70)
    proxy.next(aws_error("ProvisionedThroughputExceededException"), operation="PutItem", times=3)
    assert site.visit(ann, contents).said == {"user": "ann"}
    proxy.clear()

    assert site.visit(bob, contents).said == {"user": "bob"}
    clock.advance(4)
    assert site.visit(ann, contents).said == {"user": "ann"}
    assert proxy.operations == ["GetItem"] * 2
    clock.advance(1)
    site.visit(bob, contents)

    assert proxy.operations == [*["GetItem"] * 3, "PutItem"]
    assert expires(site, bob) == begun + 75


def test_a_change_that_was_throttled_lets_touches_give_way_too(
    site: Site, clock: Clock, proxy: FaultProxy
) -> None:
    """A change does not give way: it is tried again at once."""
    site = site.with_(timeout=600).behind(proxy)
    ann, bob = site.begin_session(user="ann"), site.begin_session(user="bob")
    clock.advance(70)
    proxy.next(aws_error("ProvisionedThroughputExceededException"), operation="PutItem", times=3)
    with pytest.raises(Unavailable):
        site.visit(ann, put(cart=1))
    proxy.clear()

    site.visit(bob, contents)
    assert site.visit(ann, put(cart=1)).said is None
    assert proxy.operations == ["GetItem", "GetItem", "PutItem"]


def test_a_touch_gives_way_for_a_third_of_the_timeout_only(
    site: Site, clock: Clock, proxy: FaultProxy
) -> None:
    """Then it is tried by every page, however long the table is throttled."""
    site = site.with_(timeout=600).behind(proxy)
    ann, bob = site.begin_session(user="ann"), site.begin_session(user="bob")
    fault = aws_error("ProvisionedThroughputExceededException")
    proxy.next(fault, operation="PutItem", times=None)
    clock.advance(199)
    site.visit(ann, contents)
    proxy.seen.clear()

    site.visit(bob, contents)
    assert proxy.operations == ["GetItem"]
    clock.advance(1)
    site.visit(bob, contents)

    assert "PutItem" in proxy.operations[2:]


@pytest.mark.parametrize(
    ("touch_after", "lifetime", "expected"),
    [(60, 720, 200), (60, 121, 60), (300, 720, 300), (3600, None, math.inf), (0, 720, 200)],
)
def test_how_long_a_touch_gives_way(
    touch_after: float, lifetime: float | None, expected: float, dynamodb_local: str
) -> None:
    """Beaker's padding of 120 seconds is not part of a time-out."""
    rows = build_rows(Options(endpoint_url=dynamodb_local, region="us-east-1"), "session", REAL)
    touches.pause(rows)
    try:
        assert touches.give_way(rows, touch_after, lifetime) == pytest.approx(expected)
    finally:
        touches.paused_until.clear()
    assert touches.give_way(rows, touch_after, lifetime) == touch_after
