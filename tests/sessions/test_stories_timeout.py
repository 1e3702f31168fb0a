"""Sessions that time out or no longer open beside another request (docs/consistency.md)."""

from __future__ import annotations

import logging
import sys
import types
from itertools import count

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.item.revision import get_birth
from tests.instruments import Clock
from tests.revisions import make_token
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import put, put_while, use_clock


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give a site with a table of its own."""
    return Site.create(dynamodb_local, table_name)


def birth_of(site: Site, user: Browser) -> bytes:
    """Return the birth of the stored row."""
    return get_birth((site.row(user) or {})["rev"]["B"])


def test_a_timed_out_session_is_absent_although_its_row_stands(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """DynamoDB deletes days late; a save over the old row is a new birth and merges nothing."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann", cart=1)
    first = birth_of(site, user)
    clock.advance(721)

    assert site.read_session(user) == {}
    site.visit(user, put(lang="de"))

    assert site.read_session(user) == {"lang": "de"}
    assert birth_of(site, user) != first


def test_a_session_that_times_out_under_a_slow_request_is_replaced_not_merged(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The save is refused by a row that has expired meanwhile, and replaces it without a merge."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(cart=1)

    def meanwhile() -> None:
        site.visit(user.also(), put(user="ann"))
        clock.advance(721)

    site.visit(user, put_while(meanwhile, cart=2))

    assert site.with_(timeout=None).read_session(user) == {"cart": 2}


def test_a_timed_out_login_does_not_live_again_in_a_new_session(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """A Create refused by a row that expires at that very moment: replaced, never merged."""
    user = Browser(f"beaker.session.id={'b' * 32}")
    site, tokens, lapse = site.with_(timeout=600), count(), [0.0]

    def token() -> bytes:
        clock.advance(lapse.pop() if lapse else 0.0)
        return make_token(f"t{next(tokens)}")

    use_clock(monkeypatch, clock, token=token)

    def meanwhile() -> None:
        lapse.clear()
        site.visit(user.also(), put(user="ann"))
        clock.advance(719)
        # Drawn before each put: the second is the birth, after the condition's now was taken.
        lapse.extend([2.0, 0.0])

    site.visit(user, put_while(meanwhile, lang="de"))

    assert lapse == []
    assert site.with_(timeout=None).read_session(user) == {"lang": "de"}


def test_a_large_session_that_timed_out_leaves_no_chunks(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """StrictSession deletes the row of a session that timed out, and the chunks with it."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600, compress=False, session_class=StrictSession)
    user = site.begin_session(big="x" * 500_000)
    assert len(site.rows()) > 1
    clock.advance(601)

    assert site.read_session(user) == {}
    assert site.rows() == []


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> type:
    """Give a class that only the newer release has."""
    module = types.ModuleType("shop_of_tomorrow")
    exec("class Basket:\n    pass", module.__dict__)  # noqa: S102  # a class of that module
    monkeypatch.setitem(sys.modules, "shop_of_tomorrow", module)
    basket: type = module.Basket
    return basket


def test_a_row_whose_class_a_deploy_has_moved_is_replaced_with_a_warning(
    site: Site, deployed: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer process has stored a class that this one cannot import; the later save wins."""
    user = site.begin_session(cart=1)

    def meanwhile() -> None:
        site.visit(user.also(), put(basket=deployed()))
        monkeypatch.delitem(sys.modules, "shop_of_tomorrow")

    site.visit(user, put_while(meanwhile, cart=2))

    assert site.read_session(user) == {"cart": 2}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "cannot be opened" in caplog.text


def test_a_stored_session_that_no_longer_opens_is_replaced_under_its_own_id(
    site: Site, deployed: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A load that Beaker takes for "new" (KeyError in a class): replaced, not created beside."""

    def broken(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(deployed, "__setstate__", broken, raising=False)
    monkeypatch.setattr(deployed, "__reduce__", lambda _: (deployed, (), {"a": 1}))
    user = site.begin_session(basket=deployed())

    site.visit(user, put(cart=2))

    assert site.read_session(user) == {"cart": 2}
    assert len(site.rows()) == 1
    assert "replaces it" in caplog.text
