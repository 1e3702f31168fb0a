"""A request that runs while a login moves its session to a new id.

Its change must not follow, because a request from before a login must not write into the session
after it. But it must not be lost without an error either.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from beaker_dynamodb import Conflict, DynamoDBNamespaceManager, logs
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.table import RefusedWrite
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.ops import logout, purge, sessions
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions import rotation
from beaker_dynamodb.sessions.store import SessionStore
from tests.instruments import Clock, Recorder
from tests.servers import REGION
from tests.sessions.requests import Browser, Site, is_rotated

MINUTE = 60


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give an application with strict sessions."""
    return Site(dynamodb_local, table_name)


@pytest.fixture
def ann(site: Site) -> Browser:
    """Return the browser of a user with a cart."""
    browser = Browser(site)
    browser.write(cart=1)
    return browser


def log_in(browser: Browser) -> None:
    """Log in, under a fresh id."""
    with browser.visit() as session:
        session.regenerate_id()
        session["user"] = "ann"
        session.save()


@pytest.mark.parametrize("policy", ["merge", "overwrite", "raise"])
@pytest.mark.parametrize("beside", [False, True], ids=["plain", "beside a merge"])
def test_a_writer_that_a_login_overtakes_is_told(
    dynamodb_local: str, table_name: str, policy: str, beside: bool
) -> None:
    """It ends in Conflict, an honest 500; nothing of it is under the old id or the new one."""
    site = Site(dynamodb_local, table_name, on_conflict=policy)
    ann = Browser(site)
    ann.write(cart=1)
    old, slow = Browser(site, ann.cookie), ann.begin()
    assert slow.session["cart"] == 1
    if beside and policy == "merge":
        ann.write(coupon="spring")
    log_in(ann)

    slow.session["cart"] = 2
    slow.session.save()
    with pytest.raises(Conflict, match="a new id"):
        slow.end()

    assert ann.read()["cart"] == 1
    assert ann.read()["user"] == "ann"
    assert old.read() == {}
    assert list(site.rows()) == [ann.id]


def test_a_writer_that_is_faster_than_the_login_keeps_its_change(site: Site, ann: Browser) -> None:
    """A cart survives a login: a change that is saved before the old row is replaced is merged."""
    login, fast = ann.begin(), Browser(site, ann.cookie)
    assert login.session["cart"] == 1
    fast.write(coupon="spring")
    login.session.regenerate_id()
    fast.write(cart=2)
    ann.end(login)

    assert ann.read() == {"cart": 2, "coupon": "spring"}


@pytest.mark.parametrize("how", ["reads", "saves unchanged", "logs out"])
def test_whoever_changes_nothing_is_not_disturbed(
    site: Site, ann: Browser, how: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader, whose access time is due, and a logout of the old id: neither is an error."""
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", Runtime(clock=clock))
    slow = ann.begin()
    assert slow.session["cart"] == 1
    log_in(ann)
    clock.advance(40 * 86400 if how == "reads" else 0)

    if how == "saves unchanged":
        slow.session.save()
    if how == "logs out":
        slow.session.delete()
    slow.end()
    clock.advance(-40 * 86400 if how == "reads" else 0)

    assert ann.read() == {"cart": 1, "user": "ann"}


def test_an_opaque_session_gives_up_without_an_error(dynamodb_local: str, table_name: str) -> None:
    """An opaque session may have been read only."""
    site = Site(dynamodb_local, table_name, envelope="none")
    ann = Browser(site)
    ann.write(cart=1)
    slow = ann.begin()
    assert slow.session["cart"] == 1
    log_in(ann)
    slow.end()

    assert ann.read() == {"cart": 1, "user": "ann"}


@pytest.mark.parametrize("later", [0, MINUTE - 1, MINUTE, MINUTE + 1])
def test_the_tombstone_lives_a_minute_and_is_absent_for_every_load(
    site: Site, ann: Browser, clock: Clock, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    """An id that was rotated away opens nothing, before the tombstone expires and after it."""
    clock.advance(0.75)
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", Runtime(clock=clock))
    old = Browser(site, ann.cookie)
    log_in(ann)
    (tombstone,) = [item for item in site.items().values() if is_rotated(item["data"]["B"])]

    assert int(tombstone["expires"]["N"]) == int(clock() + MINUTE + 0.25)
    clock.advance(later)
    assert old.read() == {}
    old.write(user="ben")
    assert old.id not in {Browser(site, ann.cookie).id, tombstone["id"]["S"].partition(":")[2]}
    assert ann.read()["user"] == "ann"


def test_a_rotation_costs_the_write_units_of_a_delete(
    dynamodb_local: str, table_name: str, calls: Recorder
) -> None:
    """AWS bills the larger of the tombstone and the row that it replaces."""
    site = Site(dynamodb_local, table_name, compress=False)
    ann = Browser(site)
    ann.write(big="x" * 2500)
    calls.clear()
    log_in(ann)
    spent = [(call.operation, call.units) for call in calls]
    calls.clear()
    with ann.visit() as session:
        session.delete()
    log_out_units = [call.units for call in calls if call.operation == "DeleteItem"]

    # The session under its new id is saved twice: as it is made, and as the page ends.
    assert spent[-1] == ("PutItem", log_out_units[0])
    assert [operation for operation, _ in spent] == ["GetItem", "PutItem", "PutItem", "PutItem"]


def test_an_operator_sees_no_tombstone(site: Site, ann: Browser) -> None:
    """It is no session to list, count, show or revoke; once expired it is purged."""
    old = ann.id
    log_in(ann)
    options = {"endpoint_url": site.server.url, "table": site.table, "region": REGION}
    rows, now = open_rows(parse(options, "session")), Clock()()

    assert [one.id for one in sessions.list_sessions(rows, now)] == [ann.id]
    assert [*sessions.count_sessions(rows, now)][-1].live == 1
    assert logout.find_row(rows, old) is None
    [*_, done] = purge.purge(rows, now + 2 * MINUTE)
    assert (done.deleted_rows, list(site.items())) == (1, [ann.id])


class TestAPlantedId:
    def test_a_request_from_before_a_login_writes_nothing_into_the_session_after_it(
        self, site: Site
    ) -> None:
        """An attacker shares his id, keeps a request open, and waits for the victim to log in."""
        attacker = Browser(site)
        attacker.write(theme="dark")
        victim, slow = Browser(site, attacker.cookie), attacker.begin()
        assert slow.session["theme"] == "dark"
        log_in(victim)

        slow.session["role"] = "admin"
        slow.session.save()
        with pytest.raises(Conflict):
            slow.end()

        assert victim.read() == {"theme": "dark", "user": "ann"}


def test_the_message_names_no_session(site: Site, ann: Browser) -> None:
    """The error of a change that met a rotation holds neither an id nor a value."""
    old, slow = ann.id, ann.begin()
    slow.session["cart"] = "secret"
    log_in(ann)
    slow.session.save()
    with pytest.raises(Conflict) as caught:
        slow.end()

    assert old not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not caught.value.theirs


@contextlib.contextmanager
def write_before_each_tombstone(
    monkeypatch: pytest.MonkeyPatch, tab: Browser, times: int
) -> Iterator[list[int]]:
    """Let another request change the session whenever its old row is about to be replaced."""
    written: list[int] = []
    put_rotation_tombstone = rotation.put_rotation_tombstone

    def put_late(old: SessionStore, row: Record) -> RefusedWrite | None:
        if len(written) < times:
            written.append(len(written))
            tab.write(last=len(written))
        return put_rotation_tombstone(old, row)

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "put_rotation_tombstone", put_late)
        yield written


def test_a_login_against_a_permanent_writer_ends_within_seconds(
    site: Site, ann: Browser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises Conflict after three seconds; the old cookie is valid, and it can be repeated."""
    runtime = Runtime(clock, clock.monotonic, clock.sleep, lambda: 0.9)
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", runtime)
    started, before, tab = clock.monotonic(), ann.id, Browser(site, ann.cookie)
    visit = ann.begin()
    visit.session["user"] = "ann"
    visit.session.regenerate_id()
    with (
        write_before_each_tombstone(monkeypatch, tab, 300) as written,
        pytest.raises(Conflict) as caught,
    ):
        visit.end()

    assert 3 < clock.monotonic() - started < 4
    assert len(written) < 40
    assert visit.sent == []
    assert ann.read() == {"cart": 1, "last": len(written)}
    assert caught.value.theirs
    ann.end(visit)
    assert ann.id != before
    assert ann.read() == {"cart": 1, "user": "ann", "last": len(written)}
    assert list(site.rows()) == [ann.id]


@pytest.mark.parametrize(("writers", "seconds"), [(1, 0.0), (3, 0.1)])
def test_a_login_beside_a_few_writers_waits_for_none_of_them_at_first(
    site: Site,
    ann: Browser,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    writers: int,
    seconds: float,
) -> None:
    """The first repetition comes at once, as that of any save; the later ones after a pause."""
    runtime = Runtime(clock, clock.monotonic, clock.sleep, lambda: 0.5)
    monkeypatch.setattr(DynamoDBNamespaceManager, "runtime", runtime)
    started, visit, tab = clock.monotonic(), ann.begin(), Browser(site, ann.cookie)
    visit.session.regenerate_id()
    with write_before_each_tombstone(monkeypatch, tab, writers):
        ann.end(visit)

    assert clock.monotonic() - started == pytest.approx(seconds)
    assert ann.read() == {"cart": 1, "last": writers}


UNMERGED: dict[str, tuple[dict[str, object], bool, str]] = {
    "opaque": ({"envelope": "none"}, False, "cannot be opened"),
    "cleared": ({}, True, "cleared"),
}


@pytest.mark.parametrize("kind", UNMERGED)
def test_a_change_that_cannot_be_merged_at_a_login_is_logged_once_a_minute(
    dynamodb_local: str,
    table_name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """The login continues without it, like a save over such a change."""
    options, clears, words = UNMERGED[kind]
    site = Site(dynamodb_local, table_name, **options)
    ann = Browser(site)
    ann.write(cart=1)
    visit, tab = ann.begin(), Browser(site, ann.cookie)
    assert visit.session["cart"] == 1
    if clears:
        visit.session.clear()
        visit.session["user"] = "ann"
    visit.session.regenerate_id()
    logs.forget()
    caplog.clear()
    with write_before_each_tombstone(monkeypatch, tab, 2):
        ann.end(visit)

    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([one for one in said if "replaced, not merged" in one and words in one]) == 1
    assert ann.read() == ({"user": "ann"} if clears else {"cart": 1})
    assert list(site.rows()) == [ann.id]


def test_a_row_that_is_damaged_during_a_login_does_not_stop_the_login(
    site: Site, ann: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as opaque: the loaded session continues under the new id."""
    visit = ann.begin()
    assert visit.session["cart"] == 1
    visit.session.regenerate_id()
    Browser(site, ann.cookie).write(cart=2)
    site.spoil(ann.id, site.rows()[ann.id]["data"]["B"][:-3])
    logs.forget()
    ann.end(visit)

    assert "cannot be opened" in caplog.text
    assert ann.read() == {"cart": 1}
    assert list(site.rows()) == [ann.id]
