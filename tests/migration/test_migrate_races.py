"""Requests that overlap while a session moves: the table of interleavings in docs/migrating.md.

Each row of that table is a test. One request runs in a thread of its own and is held at the point
that its row names; the other one runs whole meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.dynamodb.table import NoLiveRow, RefusedWrite
from beaker_dynamodb.dynamodb.tombstones import Tombstones
from beaker_dynamodb.errors import Unavailable
from beaker_dynamodb.migration.source import SourceBackend
from tests.sessions.overlap import Browser, Site, Visit
from tests.sessions.views import contents, log_out, put, put_while, record_saves

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
WITHIN = 30.0


@pytest.fixture(params=["file", "ext:redis"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a backend that expires sessions by itself, and one that does not."""
    return str(request.param)


@pytest.fixture
def user(old: Site) -> Browser:
    """Return a user who has logged in before the migration."""
    return old.begin_session(user="ann")


class Held:
    """Holds the first thread that comes to a point, until it is let go."""

    def __init__(self) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()
        self._first = threading.Lock()

    def here(self) -> None:
        """Wait, if nobody came here before."""
        if self._first.acquire(blocking=False):
            self.arrived.set()
            assert self.go.wait(WITHIN)


@pytest.fixture
def before_look(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Hold a request that found no row, before it looks into the old backend."""
    held, read = Held(), SourceBackend.read

    def slow(backend: SourceBackend) -> str | None:
        held.here()
        return read(backend)

    monkeypatch.setattr(SourceBackend, "read", slow)
    return held


@pytest.fixture
def after_look(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Hold a request that has read the old text, before it makes the row."""
    held, read = Held(), SourceBackend.read

    def slow(backend: SourceBackend) -> str | None:
        text = read(backend)
        held.here()
        return text

    monkeypatch.setattr(SourceBackend, "read", slow)
    return held


@contextlib.contextmanager
def request_held(held: Held, ask: Callable[[], Visit]) -> Iterator[Future[Visit]]:
    """Run a request in a thread until it is held; let it go at the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        try:
            assert held.arrived.wait(WITHIN)
            yield answer
        finally:
            held.go.set()
        answer.result(WITHIN)


def test_1_a_logout_before_the_read_holds(
    moving: Site, old: Site, user: Browser, before_look: Held
) -> None:
    """The source backend is read after the logout, and has no text."""
    slow = user.also()
    with request_held(before_look, lambda: moving.visit(slow, contents)) as answer:
        moving.visit(user.also(), log_out)

    assert answer.result().said == {}
    assert moving.read_session(user) == {}
    assert old.read_session(user) == {}


def test_2_a_logout_between_look_and_create_is_not_undone(
    moving: Site, new: Site, user: Browser, after_look: Held
) -> None:
    """No row; look; logout; create: the tombstone refuses it."""
    slow = user.also()
    with request_held(after_look, lambda: moving.visit(slow, contents)) as answer:
        moving.visit(user.also(), log_out)

    assert answer.result().said == {}
    assert moving.read_session(user) == {}
    assert new.read_session(user) == {}


def test_2_a_slow_change_does_not_bring_a_logged_out_user_back(
    moving: Site, user: Browser, after_look: Held
) -> None:
    """It saves another session, in which no user is logged in."""
    slow = user.also()
    with request_held(after_look, lambda: moving.visit(slow, put(cart=1))):
        moving.visit(user.also(), log_out)

    assert moving.read_session(user) == {"cart": 1}


def test_3_a_change_between_look_and_create_is_kept(
    moving: Site, user: Browser, after_look: Held
) -> None:
    """No row; look; another request moves it and changes it; create is refused, that row read."""
    slow = user.also()
    with request_held(after_look, lambda: moving.visit(slow, put(b=2))):
        moving.visit(user.also(), put(a=1))

    assert moving.read_session(user) == {"user": "ann", "a": 1, "b": 2}


def test_4_requests_that_move_one_session_at_once_all_keep_their_changes(
    moving: Site, user: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight threads read the old text before the first of them makes the row."""
    all_read, read = threading.Barrier(8), SourceBackend.read

    def together(backend: SourceBackend) -> str | None:
        text = read(backend)
        all_read.wait(WITHIN)
        return text

    monkeypatch.setattr(SourceBackend, "read", together)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(moving.visit, user.also(), put(**{f"k{n}": n})) for n in range(8)]
        for one in done:
            one.result(WITHIN)

    assert moving.read_session(user) == {"user": "ann", **{f"k{n}": n for n in range(8)}}


def test_5_a_session_begun_anew_in_between_is_what_the_slow_request_finds(
    moving: Site, user: Browser, after_look: Held
) -> None:
    """No row; look; logout, and a new session under the id; create is refused, that one read."""
    slow, other = user.also(), user.also()
    with request_held(after_look, lambda: moving.visit(slow, contents)) as answer:
        moving.visit(user.also(), log_out)
        moving.visit(other, put(stranger=True))

    assert answer.result().said == {"stranger": True}


def test_9_a_slow_request_of_a_moved_session_does_not_undo_a_logout(
    moving: Site, user: Browser
) -> None:
    """Its save is on condition of the row that it moved or read."""
    saves = record_saves()

    moving.visit(user.also(), put_while(lambda: moving.visit(user.also(), log_out), cart=1))

    assert moving.read_session(user) == {}
    assert saves[-1] == Saved("replace", "dropped")


def test_10_a_logout_wins_over_a_change_that_came_in_between(moving: Site, user: Browser) -> None:
    """Refused and live: the tombstone is put over theirs."""

    def logout_late(session: Any) -> None:
        contents(session)
        moving.visit(user.also(), put(cart=1))
        session.delete()

    moving.visit(user.also(), logout_late)

    assert moving.read_session(user) == {}


def test_11_a_row_that_went_without_a_tombstone_is_followed_by_one(
    moving: Site, new: Site, old: Site, user: Browser, after_look: Held
) -> None:
    """A server that knows of no move deletes the row; the logout here still keeps the text out."""

    def logout_late(session: Any) -> None:
        contents(session)
        new.visit(user.also(), log_out)
        session.delete()

    slow, leaving = user.also(), user.also()
    with request_held(after_look, lambda: moving.visit(slow, contents)) as answer:
        moving.visit(leaving, logout_late)

    assert answer.result().said == {}
    assert moving.read_session(user) == {}


def test_12_two_logouts_at_once_are_both_done(moving: Site, user: Browser) -> None:
    """The later one meets the tombstone of the first."""

    def logout_late(session: Any) -> None:
        contents(session)
        moving.visit(user.also(), log_out)
        session.delete()

    moving.visit(user.also(), logout_late)

    assert moving.read_session(user) == {}
    assert len(moving.rows()) == 1


@pytest.mark.parametrize("saves", [False, True], ids=["reads", "changes"])
@pytest.mark.parametrize("refusals", [0, 1])
def test_13_a_logout_is_one_of_the_row_that_a_slow_request_makes_meanwhile(
    moving: Site,
    new: Site,
    user: Browser,
    after_look: Held,
    monkeypatch: pytest.MonkeyPatch,
    *,
    refusals: int,
    saves: bool,
) -> None:
    """As row 11, and A creates before B has put anything, or between its two tombstones."""
    slow, leaving = user.also(), user.also()
    puts, put_one = iter(range(9)), Tombstones.put
    answers: list[Future[Visit]] = []

    def put_late(*args: Any, **named: Any) -> RefusedWrite | None:
        if next(puts) == refusals:
            after_look.go.set()
            answers[0].result(WITHIN)
        return put_one(*args, **named)

    def logout_late(session: Any) -> None:
        contents(session)
        new.visit(user.also(), log_out)
        session.delete()

    view = put(cart=1) if saves else contents
    with request_held(after_look, lambda: moving.visit(slow, view)) as answer:
        answers.append(answer)
        monkeypatch.setattr(Tombstones, "put", put_late)
        moving.visit(leaving, logout_late)

    assert moving.read_session(user) == {}
    assert new.read_session(user) == {}


def test_13_a_session_begun_anew_meanwhile_is_not_logged_out(
    moving: Site, new: Site, old: Site, user: Browser
) -> None:
    """Only a row that was made of the same old session is."""

    def logout_late(session: Any) -> None:
        contents(session)
        new.visit(user.also(), log_out)
        old.visit(user.also(), log_out)
        new.visit(user.also(), put(stranger=True))
        session.delete()

    moving.visit(user.also(), logout_late)

    assert moving.read_session(user) == {"stranger": True}


@pytest.mark.parametrize("times", [2, 3])
def test_13_a_logout_against_rows_that_come_and_go_ends_or_raises(
    moving: Site, new: Site, user: Browser, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Three refusals by rows that are gone when they are looked at end in an error."""
    put_one, refused = Tombstones.put, iter([RefusedWrite(None)] * times)

    def put_refused(*args: Any, **named: Any) -> RefusedWrite | None:
        is_second = isinstance(args[2], NoLiveRow)
        return (next(refused, None) if is_second else None) or put_one(*args, **named)

    def logout_late(session: Any) -> None:
        contents(session)
        new.visit(user.also(), log_out)
        session.delete()

    monkeypatch.setattr(Tombstones, "put", put_refused)
    with pytest.raises(Unavailable) if times == 3 else contextlib.nullcontext():
        moving.visit(user.also(), logout_late)

    assert moving.read_session(user) == {}
