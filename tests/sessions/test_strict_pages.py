"""What Beaker saves at the end of a page under `StrictSession`: the access time, and no change."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.item.envelope import LIFETIME
from beaker_dynamodb.sessions.strict import SessionEnvelope
from tests.sessions import apps
from tests.sessions.devices import VIEW, Site

DAY = 86400


@pytest.fixture
def site(dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give an application, in which a user has logged in on a phone."""
    site = Site.create(dynamodb_local, table_name, monkeypatch, "StrictSession")
    site.log_in("phone")
    return site


def test_a_change_that_the_page_does_not_save_is_not_saved(site: Site) -> None:
    """Not even when the access time is."""
    before = list(site.rows())
    site.clock.advance(900)
    site.at("phone", lambda session: session.update(basket="tea"))

    assert list(site.rows()) != before
    assert site.at("phone", lambda session: session.get("basket")) is None


def test_a_page_that_clears_a_session_and_does_not_save_keeps_its_lifetime(site: Site) -> None:
    """Its user stays logged in for as long as was promised."""
    site.at("phone", lambda session: session.remember(days=30))
    site.clock.advance(2 * DAY)
    site.at("phone", lambda session: session.clear())
    site.clock.advance(2 * DAY)

    assert site.at("phone", lambda session: (session["userId"], session[LIFETIME])) == [
        42,
        30 * DAY,
    ]


def test_a_page_that_only_changes_a_session_sends_no_cookie(site: Site) -> None:
    """The browser has it; a slow response would overwrite a newer one."""

    def change(session: Any) -> None:
        session["basket"] = "tea"
        session.save()

    response = site.browsers["phone"].get("/", extra_environ={VIEW: change})

    assert apps.cookie_sent(response) is None


def test_a_session_that_opens_another_takes_no_lifetime_from_it() -> None:
    """As in a list of devices: the session at hand has the keys of all."""
    session, other = (StrictSession({}, type="memory") for _ in range(2))
    session.remember(days=30)
    text = other._encrypt_data({LIFETIME: 60.0})

    assert SessionEnvelope(session).open(text) == {LIFETIME: 60.0}
    assert session.lifetime == 30 * DAY
