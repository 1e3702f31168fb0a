"""StrictSession beside another request: rotation, logout, and loads that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import Conflict, Unavailable, UnknownFormat
from beaker_dynamodb.sessions import rotation
from tests.instruments import Clock
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import (
    Between,
    View,
    contents,
    log_out,
    put,
    put_while,
    read_while,
    use_clock,
)


@pytest.fixture
def plain(dynamodb_local: str, table_name: str) -> Site:
    """Give a site under Beaker's own session class."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def site(plain: Site) -> Site:
    """Give the same site under StrictSession."""
    return plain.with_(session_class=StrictSession)


def login(session: Any) -> None:
    """Log in as a careful application does: under a fresh id."""
    session.regenerate_id()
    session["user"] = "ann"
    session.save()


def login_while(step: Any) -> Any:
    """Make a login that has loaded its session before *step* happens."""

    def view(session: Any) -> None:
        contents(session)
        step()
        login(session)

    return view


def test_a_login_moves_to_a_fresh_id_and_leaves_no_row_behind(site: Site) -> None:
    """The old cookie finds no session, and the new one has all values."""
    user = site.begin_session(cart=1)
    before = user.also()

    site.visit(user, login)

    assert user.id != before.id
    assert len(user.id) == 32
    assert site.read_session(user) == {"cart": 1, "user": "ann"}
    assert site.read_session(before) == {}
    assert len(site.rows()) == 1


def test_a_change_beside_a_login_is_merged_into_the_new_row(site: Site) -> None:
    """The old row was changed after the login had loaded it: refused, live, merged."""
    user = site.begin_session(cart=1)
    before = user.also()

    site.visit(user, login_while(lambda: site.visit(before.also(), put(coupon="spring"))))

    assert site.read_session(user) == {"cart": 1, "coupon": "spring", "user": "ann"}
    assert site.row(before) is None


class Refused(Unavailable):
    """The tombstone is not stored."""


class Lost(Unavailable):
    """The tombstone is stored, and its reply is lost."""


@pytest.fixture
def before_tombstone(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Give a list of what happens before each tombstone of a rotation.

    `Refused` is raised in place of the tombstone, and `Lost` when it is stored.
    """
    steps = list[Callable[[], object]]()
    put_tombstone = rotation.put_rotation_tombstone

    def overtake(*args: Any) -> Any:
        error = steps.pop(0)() if steps else None
        if isinstance(error, Refused):
            raise error
        answer = put_tombstone(*args)
        if isinstance(error, Lost):
            assert answer is None
            raise error
        return answer

    monkeypatch.setattr(rotation, "put_rotation_tombstone", overtake)
    return steps


def test_what_others_add_and_remove_beside_a_login_is_added_and_removed(
    site: Site, before_tombstone: list[Callable[[], object]]
) -> None:
    """A key that was merged into the new row, and that another request has removed since, is gone.

    So is one that the login has loaded.
    """
    user = site.begin_session(cart=1, visits=1)
    before = user.also()

    def remove(session: Any) -> None:
        for key in ("coupon", "visits"):
            session.pop(key, None)
        session.save()

    views = (put(coupon="spring"), remove, put(seen=9))
    before_tombstone.extend(partial(site.visit, before.also(), view) for view in views)
    site.visit(user, login)

    assert before_tombstone == []
    assert site.read_session(user) == {"cart": 1, "user": "ann", "seen": 9}
    assert site.row(before) is None


def test_a_session_that_another_request_has_cleared_keeps_what_follows(
    site: Site, before_tombstone: list[Callable[[], object]]
) -> None:
    """The login itself has cleared nothing: each change of the others is merged into it."""
    user = site.begin_session(user="ann")
    before = user.also()

    def log_in_anew(session: Any) -> None:
        session.clear()
        session["user"] = "bob"
        session.save()

    views = (put(coupon="spring"), log_in_anew, put(seen=9))
    before_tombstone.extend(partial(site.visit, before.also(), view) for view in views)

    def rotate(session: Any) -> None:
        session["x"] = 1
        session.regenerate_id()
        session.save()

    site.visit(user, rotate)

    assert site.read_session(user) == {"user": "bob", "x": 1, "seen": 9}


def test_a_change_after_a_login_has_cleared_and_saved_is_kept(
    site: Site, before_tombstone: list[Callable[[], object]]
) -> None:
    """It is one of the new session: what the login cleared was gone before."""
    user = site.begin_session(user="ann")
    before = user.also()

    def log_in_anew(session: Any) -> None:
        real = session._session()
        real.clear()
        real["user"] = "bob"
        real.save()
        before_tombstone.append(partial(site.visit, before.also(), put(seen=9)))
        real.regenerate_id()
        session.save()

    site.visit(user, log_in_anew)

    assert site.read_session(user) == {"user": "bob", "seen": 9}


def test_a_change_under_the_new_id_is_kept_beside_one_under_the_old(
    site: Site, before_tombstone: list[Callable[[], object]]
) -> None:
    """A page may send its first bytes, and the new cookie with them, before it has ended."""
    user = site.begin_session(cart=1)
    before = user.also()

    def empty_cart(session: Any) -> None:
        del session["cart"]
        session.save()

    def view(session: Any) -> None:
        def change_both() -> None:
            site.visit(Browser(f"beaker.session.id={session.id}"), empty_cart)
            site.visit(before.also(), put(seen=9))

        before_tombstone.append(change_both)
        login(session)

    site.visit(user, view)

    assert site.read_session(user) == {"user": "ann", "seen": 9}


@pytest.mark.parametrize("is_new", [False, True], ids=["the same id", "another id"])
@pytest.mark.parametrize("error", [Refused("refused"), Lost("lost")], ids=["refused", "lost"])
def test_a_login_that_is_tried_again_in_its_request_keeps_what_it_has_merged(
    site: Site,
    before_tombstone: list[Callable[[], object]],
    *,
    error: Unavailable,
    is_new: bool,
) -> None:
    """The tombstone failed after another request's change was merged; also if it was stored."""
    user = site.begin_session(cart=1)
    before = user.also()

    def view(session: Any) -> None:
        real = session._session()
        real["a"] = 1
        site.visit(before.also(), put(b=1))
        real.save()
        real["user"] = "ann"
        before_tombstone.append(partial(site.visit, before.also(), put(coupon="spring")))
        before_tombstone.append(lambda: error)
        real.regenerate_id()
        with pytest.raises(Unavailable):
            real.save()
        if is_new:
            real.regenerate_id()
        session.save()

    site.visit(user, view)

    values = {"cart": 1, "a": 1, "b": 1, "coupon": "spring", "user": "ann"}
    assert site.read_session(user) == values
    assert site.row(before) is None


def test_a_logout_beside_a_login_removes_the_new_row_too(site: Site) -> None:
    """Nothing of the session lives on: not under the old id, and not under the new one."""
    user = site.begin_session(cart=1)
    before = user.also()

    def view(session: Any) -> None:
        contents(session)
        site.visit(before.also(), log_out)
        session.regenerate_id()

    site.visit(user, view)

    assert site.rows() == []
    assert site.read_session(user) == {}
    assert site.read_session(before) == {}


def test_a_change_that_comes_after_a_login_does_not_bring_the_old_row_back(site: Site) -> None:
    """A slow request under the old id finds its row gone; it is told that nothing was saved."""
    user = site.begin_session(cart=1)
    before = user.also()

    with pytest.raises(Conflict):
        site.visit(before.also(), put_while(lambda: site.visit(user, login), coupon="late"))

    assert site.row(before) is None
    assert site.read_session(user) == {"cart": 1, "user": "ann"}


def test_a_login_saved_twice_keeps_what_was_merged_into_the_new_row(site: Site) -> None:
    """The second start_response saves the session object, which never held their change."""
    user = site.begin_session(cart=1)
    before = user.also()

    def view(session: Any) -> Iterator[None]:
        contents(session)
        site.visit(before.also(), put(coupon="spring"))
        login(session)
        yield
        session["error"] = "500"
        yield

    site.visit(user, view)

    assert site.read_session(user) == {"cart": 1, "coupon": "spring", "user": "ann", "error": "500"}


@pytest.mark.parametrize("end", ["delete", "invalidate"])
def test_a_logout_under_strict_sessions_is_not_undone_by_a_slower_request(
    site: Site, end: str
) -> None:
    """The row is deleted at once, and the slow request's change is dropped."""
    user = site.begin_session(user="ann")
    before = user.also()

    site.visit(
        user, put_while(lambda: site.visit(before.also(), lambda s: getattr(s, end)()), cart=1)
    )

    assert site.row(before) is None


@pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
@pytest.mark.parametrize("strict", [True, False], ids=["StrictSession", "Beaker's Session"])
def test_a_load_that_fails_in_a_rolling_deploy_removes_nothing(
    site: Site, plain: Site, strict: bool
) -> None:
    """A row of a newer release is an honest 500; the cookie stays, and the session with it."""
    older = site if strict else plain
    user = older.begin_session(user="ann")
    cookie, good = user.cookie, (older.row(user) or {})["data"]
    newer = bytes([2]) + good["B"][1:]
    older.plant(user, data={"B": newer})

    with pytest.raises(UnknownFormat):
        older.visit(user, contents)
    with pytest.raises(UnknownFormat):
        older.visit(user, put(cart=1))

    assert user.cookie == cookie
    assert (older.row(user) or {})["data"] == {"B": newer}
    older.plant(user, data=good)
    assert older.read_session(user) == {"user": "ann"}


def test_an_id_that_nobody_stored_gets_a_fresh_one_with_the_first_save(site: Site) -> None:
    """No fixation; and a poll with a stale cookie sends none that could undo a login's."""
    attacker = Browser(f"beaker.session.id={'c' * 32}")

    assert site.visit(attacker, contents).cookies == ()
    site.visit(attacker, login)

    assert attacker.id != "c" * 32
    assert site.row_of("c" * 32) is None
    assert site.read_session(attacker) == {"user": "ann"}


def test_a_timed_out_session_is_removed_from_the_table(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The request that finds it deletes it, and begins a new session."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")
    clock.advance(601)

    assert site.visit(user, contents).said == {}
    assert site.rows() == []


@pytest.mark.parametrize("page", [put(cart=1), contents], ids=["changed", "touched"])
def test_a_timed_out_session_that_was_just_saved_is_not_removed(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock, page: View
) -> None:
    """The delete is conditional on the revision and expiry that were read."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")
    clock.advance(601)
    forbearing = site.with_(timeout=None)

    with FaultProxy(site.url) as proxy:
        proxy.next(Between(lambda: forbearing.visit(user.also(), page)))
        assert site.behind(proxy).visit(user.also(), contents).said == {}
        assert proxy.operations == ["GetItem", "DeleteItem"]

    assert forbearing.read_session(user)["user"] == "ann"


def test_a_page_that_only_reads_touches_under_strict_sessions_too(
    site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The row's expiry moves on, under the same rev, and a reader beside it is served."""
    use_clock(monkeypatch, clock)
    site = site.with_(timeout=600)
    user = site.begin_session(user="ann")
    before = site.row(user) or {}
    clock.advance(61)

    site.visit(user, read_while(lambda: site.visit(user.also(), contents)))

    after = site.row(user) or {}
    assert after["rev"] == before["rev"]
    assert int(after["expires"]["N"]) == int(before["expires"]["N"]) + 61
