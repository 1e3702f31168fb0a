"""A save after another request's, by option on_conflict and after clear()."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import Conflict
from tests.instruments import Clock
from tests.revisions import make_token, replace_token
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import (
    change_while,
    put,
    put_while,
    record_saves,
    use_clock,
)


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.create(dynamodb_local, table_name)


def test_a_session_cleared_with_a_flash_message_keeps_nothing_of_the_other_writer(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the flash message is left, and the log says so."""
    user = site.begin_session(user="ann", cart=1)

    def farewell(session: Any) -> None:
        session.clear()
        session["flash"] = "bye"

    site.visit(user, change_while(lambda: site.visit(user.also(), put(cart=2)), farewell))

    assert site.read_session(user) == {"flash": "bye"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "cleared" in caplog.text


def test_a_cleared_session_is_not_filled_again_by_a_slower_writer(site: Site) -> None:
    """The slow request adds its own change only."""
    user = site.begin_session(user="ann", cart=1)

    def farewell(session: Any) -> None:
        session.clear()
        session["flash"] = "bye"
        session.save()

    site.visit(user, put_while(lambda: site.visit(user.also(), farewell), seen=9))

    assert site.read_session(user) == {"flash": "bye", "seen": 9}


def log_in_anew(name: str, **values: object) -> Any:
    """Make a login that clears the session, and keeps its id."""

    def view(session: Any) -> None:
        session.clear()
        session.update(user=name, **values)
        session.save()

    return view


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("logins_before", [0, 1])
@pytest.mark.parametrize("policy", ["merge", "overwrite", "raise"])
def test_two_logins_that_clear_the_same_session_are_not_mixed(
    site: Site,
    policy: str,
    logins_before: int,
    serializer: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The later login is all that is left: nothing of the earlier one, which had cleared it too.

    Nor if the session had been cleared before, by the login of a day ago.
    """
    site = site.with_(on_conflict=policy, data_serializer=serializer)
    user = site.begin_session(user="ann", cart=1)
    for _ in range(logins_before):
        site.visit(user, log_in_anew("ann", cart=1))

    def earlier() -> None:
        site.visit(user.also(), log_in_anew("bob", address="Bob's"))

    site.visit(user, change_while(earlier, log_in_anew("eve")))

    assert site.read_session(user) == {"user": "eve"}
    assert "cleared" in caplog.text


def test_changes_are_merged_into_a_session_that_a_login_has_cleared(site: Site) -> None:
    """It is an ordinary session in the next request."""
    user = site.begin_session(user="ann", cart=1)
    site.visit(user, log_in_anew("bob"))

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert site.read_session(user) == {"user": "bob", "coupon": "x", "seen": 9}


def test_two_logins_that_restart_the_lifetime_are_not_mixed(site: Site) -> None:
    """`restart_lifetime()` sets the creation time, and the session was cleared all the same."""
    site = site.with_(session_class=StrictSession)
    user = site.begin_session(user="ann", cart=1)

    def log_in(name: str, **values: object) -> Any:
        def view(session: Any) -> None:
            session.clear()
            session.restart_lifetime()
            session.update(user=name, **values)
            session.save()

        return view

    def earlier() -> None:
        site.visit(user.also(), log_in("bob", address="Bob's"))

    site.visit(user, change_while(earlier, log_in("eve")))

    assert site.read_session(user) == {"user": "eve"}


def test_a_login_that_clears_and_saves_twice_writes_once(site: Site) -> None:
    """The second save has nothing new; a change after it is merged with those of others."""
    user = site.begin_session(user="ann", cart=1)
    saves = record_saves()

    def view(session: Any) -> None:
        log_in_anew("bob")(session)
        session._session().save()
        session._session().save()

    site.visit(user, view)
    assert [one.outcome for one in saves] == ["stored", "left", "left"]

    def save_between(session: Any) -> None:
        log_in_anew("eve")(session)
        session._session().save()
        site.visit(user.also(), put(coupon="x"))
        session["seen"] = 9

    site.visit(user, save_between)

    assert site.read_session(user) == {"user": "eve", "coupon": "x", "seen": 9}


@pytest.mark.parametrize(
    ("policy", "left"),
    [("merge", {"cart": 1, "coupon": "x", "seen": 9}), ("overwrite", {"cart": 1, "seen": 9})],
)
def test_on_conflict_says_whether_the_other_change_is_kept(
    site: Site, policy: str, left: dict[str, Any]
) -> None:
    """`merge` keeps both changes; `overwrite` puts mine, on condition of the row it overwrites."""
    site = site.with_(on_conflict=policy)
    user = site.begin_session(cart=1)

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert site.read_session(user) == left


def test_on_conflict_raise_tells_the_application_and_stores_nothing(site: Site) -> None:
    """Conflict holds theirs, as Beaker would load it; its text, repr and args do not."""
    site = site.with_(on_conflict="raise", data_serializer="json")
    user = site.begin_session(cart=1)

    with pytest.raises(Conflict) as caught:
        site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="secret")), seen=9))

    assert caught.value.theirs is not None
    assert _open_text(caught.value.theirs)["coupon"] == "secret"
    shown = f"{caught.value} {caught.value!r} {caught.value.args}"
    assert "secret" not in shown
    assert caught.value.theirs not in shown
    assert site.read_session(user) == {"cart": 1, "coupon": "secret"}


def _open_text(text: str) -> dict[str, Any]:
    import base64
    import zlib

    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found


def test_two_logins_of_one_new_id_are_merged(site: Site) -> None:
    """Create refused by a live row: merged with nothing known, so both keep their keys."""
    user = Browser(f"beaker.session.id={'a' * 32}")

    site.visit(user, put_while(lambda: site.visit(user.also(), put(coupon="x")), seen=9))

    assert site.read_session(user) == {"coupon": "x", "seen": 9}


def test_a_save_that_always_loses_ends_in_a_conflict_after_three_seconds(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Another request writes before each attempt. It pauses up to 0.1 s, and gives up after 3 s."""
    user = site.begin_session(cart=1)
    tokens = iter(range(10_000))

    def overtaken() -> bytes:
        name = next(tokens)
        clock.advance(0.2)
        rev = (site.row(user) or {})["rev"]["B"]
        site.plant(user, rev={"B": replace_token(rev, f"r{name}")})
        return make_token(f"t{name}")

    started = clock.monotonic()
    pauses: list[float] = []
    randomness = {"token": overtaken, "random": lambda: 0.5, "sleep": pauses.append}
    use_clock(monkeypatch, clock, **randomness)

    with pytest.raises(Conflict):
        site.visit(user, put(seen=9))

    assert 3 < clock.monotonic() - started < 4
    assert set(pauses) == {0.05}
    assert (site.row(user) or {})["rev"]["B"][11:12] == b"r"
