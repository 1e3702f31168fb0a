"""`import`, a logout, and `import` again: imported sessions are remembered (docs/migrating.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.errors import DynamoDBBackendError, digest
from beaker_dynamodb.item.keys import IMPORTED, Layout
from beaker_dynamodb.migration.bulk import Imported
from beaker_dynamodb.runtime import Runtime
from tests.faults.fault_kinds import LoseReply, aws_error
from tests.instruments import Clock, Recorder
from tests.migration.runs import run_import, summarize
from tests.proxy import FaultProxy
from tests.sessions.overlap import Site
from tests.sessions.views import contents, log_out, put, use_clock

DAY = 86400
KEY = base64.b64encode(bytes(range(32))).decode()
LAYOUTS: dict[str, dict[str, str]] = {
    "hash": {},
    "hash+range": {"range_key": "part"},
    "hidden and encrypted": {"hash_ids": "true", "encryption_keys": KEY},
}


@pytest.fixture
def ranged(new: Site) -> Iterator[str]:
    """Give the name of a table that has a range key, too."""
    table = f"{new.table}-ranged"
    new.raw.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "part", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "part", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield table
    new.raw.delete_table(TableName=table)


def markers(site: Site) -> list[dict[str, Any]]:
    """Return the markers of a table without a range key."""
    return [row for row in site.rows() if row["id"]["S"].endswith(IMPORTED)]


def drop_markers(site: Site) -> None:
    """Leave the table as a run that was killed between a row and its marker would."""
    for row in markers(site):
        site.raw.delete_item(TableName=site.table, Key={"id": row["id"]})


@pytest.mark.parametrize("more", LAYOUTS.values(), ids=LAYOUTS)
def test_a_user_who_has_logged_out_stays_logged_out_after_the_next_import(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    ranged: str,
    more: dict[str, str],
) -> None:
    """The old cookie opens no session, in every layout; other users stay logged in."""
    if "range_key" in more:
        new = Site(new.url, ranged, new.options)
    site = new.with_(**more)
    ann, bob = old.begin_session(user="ann"), old.begin_session(user="bob")
    before = ann.also()
    assert summarize(run_import(kind, options, new, more=more)) == ["imported", "imported"]
    assert site.read_session(ann) == {"user": "ann"}

    site.visit(ann, log_out)

    for dry_run in (True, False):
        done = run_import(kind, options, new, more=more, dry_run=dry_run)
        assert {one.session: getattr(one, "reason", "imported") for one in done} == {
            digest(before.id): "logged out",
            digest(bob.id): "already there",
        }
    assert site.read_session(before) == {}
    assert site.read_session(bob) == {"user": "bob"}


def test_a_logout_holds_also_if_the_old_servers_still_use_the_session(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """The text in the source backend has changed, but the id is the same."""
    user = old.begin_session(user="ann")
    before, elsewhere = user.also(), user.also()
    run_import(kind, options, new)
    old.visit(elsewhere, put(cart=1))
    new.visit(user, log_out)
    old.visit(elsewhere, put(cart=2))

    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == {}


@pytest.mark.parametrize("kind", ["file", "ext:database"])
def test_a_logout_holds_hours_after_the_imported_row_would_have_expired(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests on both sides prolong the row and its old copy."""
    use_clock(monkeypatch, clock)
    old, site = old.with_(timeout=3600), new.with_(timeout=3600)
    runtime = Runtime(clock=clock)
    user = old.begin_session(user="ann")
    before = user.also()
    run_import(kind, options, new, timeout=3600, runtime=runtime)
    for _ in range(4):
        clock.advance(3000)
        old.visit(user, put(old=1))
        site.visit(user, put(new=1))
    site.visit(user, log_out)

    assert summarize(run_import(kind, options, new, timeout=3600, runtime=runtime)) == [
        "logged out"
    ]
    assert site.read_session(before) == {}


def test_a_run_that_broke_off_between_row_and_marker_is_completed_by_the_next(
    kind: str, options: Mapping[str, str], old: Site, new: Site, dynamodb_local: str
) -> None:
    """The session is there and unmarked; the next run marks it, and then a logout holds."""
    user = old.begin_session(user="ann")
    before = user.also()
    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(
            aws_error("AccessDeniedException"),
            operation="PutItem",
            where=lambda body: IMPORTED in body["Item"]["id"]["S"],
            times=None,
        )
        there = {"client": None, "endpoint_url": proxy.url, "region": "us-east-1"}
        with pytest.raises(DynamoDBBackendError):
            run_import(kind, options, new, more=there)
    assert (new.read_session(user), markers(new)) == ({"user": "ann"}, [])

    assert summarize(run_import(kind, options, new, dry_run=True)) == ["already there"]
    assert markers(new) == []
    assert summarize(run_import(kind, options, new)) == ["already there"]
    new.visit(user, log_out)

    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == {}


@pytest.mark.parametrize("kind", ["file"])
def test_a_marker_says_when_it_ends_and_names_nobody(
    kind: str, options: Mapping[str, str], old: Site, new: Site, clock: Clock
) -> None:
    """30 days at least, as long as the row, longer under `ttl`, for ever beside such a row."""
    runtime = Runtime(clock=clock)
    user = old.begin_session(user="ann", secret="x" * 50)
    now = int(clock())
    ends: list[str | None] = []
    for more, timeout in (
        ({}, 3600),
        ({"ttl": "60d"}, 3600),
        ({"ttl": 3600}, None),
        ({"ttl": 0}, None),
    ):
        (one,) = run_import(kind, options, new, timeout=timeout, runtime=runtime, more=more)
        assert isinstance(one, Imported)
        (marker,) = markers(new)
        assert marker.keys() <= {"id", "data", "rev", "expires"}
        assert marker["id"]["S"] == f"sess:{user.id}#imported"
        ends.append(marker.get("expires", {}).get("N"))
        for row in new.rows():
            new.raw.delete_item(TableName=new.table, Key={"id": row["id"]})

    assert ends == [str(now + 30 * DAY), str(now + 60 * DAY), str(now + 30 * DAY), None]


@pytest.mark.parametrize("kind", ["file", "ext:database"])
def test_a_user_of_the_old_servers_is_imported_again_after_the_copy_has_expired(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The expired copy is still in the table, so the user has not logged out.

    After DynamoDB has deleted it, it looks like a logout.
    """
    use_clock(monkeypatch, clock)
    old, site = old.with_(timeout=3600), new.with_(timeout=3600)
    runtime = Runtime(clock=clock)
    user = old.begin_session(user="ann")
    before = user.also()
    run_import(kind, options, new, timeout=3600, runtime=runtime)
    for _ in range(3):
        clock.advance(3000)
        old.visit(user, put(cart=1))

    assert summarize(
        run_import(kind, options, new, timeout=3600, runtime=runtime, dry_run=True)
    ) == ["imported"]
    assert summarize(run_import(kind, options, new, timeout=3600, runtime=runtime)) == ["imported"]
    assert site.read_session(user) == {"user": "ann", "cart": 1}
    site.visit(user, log_out)

    assert summarize(run_import(kind, options, new, timeout=3600, runtime=runtime)) == [
        "logged out"
    ]
    assert site.read_session(before) == {}


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
def test_two_imports_at_once_do_not_undo_the_logout_in_between(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
    again: bool,
) -> None:
    """A slow run has read no marker; another imports the session, and its user logs out."""
    user = old.begin_session(user="ann")
    before = user.also()
    if again:  # moved once, and run out
        run_import(kind, options, new)
        new.plant(user, expires={"N": "1"})
    write = Rows.write

    def write_late(rows: Rows, *given: Any) -> Any:
        monkeypatch.setattr(Rows, "write", write)
        assert summarize(run_import(kind, options, new)) == ["imported"]
        new.visit(user, log_out)
        return write(rows, *given)

    monkeypatch.setattr(Rows, "write", write_late)

    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == {}
    assert len(markers(new)) == len(new.rows()) == 1


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize("anew", [False, True], ids=["gone", "begun anew"])
def test_two_imports_at_once_do_not_undo_the_logout_between_a_row_and_its_marker(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
    anew: bool,
) -> None:
    """A run has written the row but no marker; the user logs out, and another run starts.

    If the user has logged in again under the same id, that session is kept.
    """
    user = old.begin_session(user="ann")
    before = user.also()
    write = Rows.write

    def write_and_wait(rows: Rows, *given: Any) -> Any:
        monkeypatch.setattr(Rows, "write", write)
        answer = write(rows, *given)
        new.visit(user.also(), log_out)
        if anew:
            new.visit(before, put(user="ann again"))
        assert summarize(run_import(kind, options, new)) == [
            "already there" if anew else "imported"
        ]
        new.visit(before, put(cart=1))
        return answer

    monkeypatch.setattr(Rows, "write", write_and_wait)

    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == ({"user": "ann again", "cart": 1} if anew else {})
    assert summarize(run_import(kind, options, new)) == ["already there" if anew else "logged out"]


@pytest.mark.parametrize("kind", ["file"])
def test_two_imports_at_once_leave_a_session_that_lives(
    kind: str, options: Mapping[str, str], old: Site, new: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that comes later finds the row, and marks it in the name of the first."""
    user = old.begin_session(user="ann")
    put_row = Rows.write

    def write_and_let_another_run(rows: Rows, *given: Any) -> Any:
        monkeypatch.setattr(Rows, "write", put_row)
        answer = put_row(rows, *given)
        assert summarize(run_import(kind, options, new)) == ["already there"]
        assert len(markers(new)) == 1
        return answer

    monkeypatch.setattr(Rows, "write", write_and_let_another_run)

    assert summarize(run_import(kind, options, new)) == ["imported"]
    assert new.read_session(user) == {"user": "ann"}


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize("suffix", ["", IMPORTED], ids=["row", "marker"])
@pytest.mark.parametrize(
    "fault", [LoseReply(), aws_error("ThrottlingException")], ids=["lost", "throttled"]
)
def test_a_write_whose_reply_is_lost_or_that_is_throttled_is_done_once(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    suffix: str,
    fault: Any,
) -> None:
    """The SDK sends it again, and is refused by its own row, or not."""
    user = old.begin_session(user="ann")
    with FaultProxy(new.url) as proxy:
        proxy.next(
            fault,
            operation="PutItem",
            where=lambda body: body["Item"]["id"]["S"] == f"sess:{user.id}{suffix}",
        )
        there = {"client": None, "endpoint_url": proxy.url, "region": "us-east-1"}
        assert summarize(run_import(kind, options, new, more=there)) == ["imported"]
        assert proxy.pending == 0

    assert new.read_session(user) == {"user": "ann"}
    assert len(markers(new)) == 1


@pytest.mark.parametrize("kind", ["file"])
def test_an_import_marks_sessions_that_were_migrated_on_demand(
    kind: str, options: Mapping[str, str], old: Site, new: Site, moving: Site
) -> None:
    """Requests write no markers, so an import must run before `migrate_from` is removed."""
    user = old.begin_session(user="ann")
    before = user.also()
    assert moving.read_session(user) == {"user": "ann"}
    assert markers(new) == []

    assert summarize(run_import(kind, options, new)) == ["already there"]
    new.visit(user, log_out)

    assert summarize(run_import(kind, options, new)) == ["logged out"]
    assert new.read_session(before) == {}


@pytest.mark.parametrize("kind", ["file"])
def test_a_marker_costs_a_read_and_a_write_and_spares_the_next_run_its_writes(
    kind: str, options: Mapping[str, str], old: Site, new: Site, calls: Recorder
) -> None:
    """As docs/migrating.md says: one read unit, one write unit, and 200 bytes of storage.

    A run finds the table by one read more. Requests pay nothing, because they read their own row
    only.
    """
    user = old.begin_session(user="ann", text="x" * 100)
    del calls[:]
    run_import(kind, options, new)
    assert [(call.operation, call.units) for call in calls] == [
        ("GetItem", 1),
        ("GetItem", 1),
        ("PutItem", 1),
        ("PutItem", 1),
    ]
    del calls[:]
    run_import(kind, options, new)
    assert [(call.operation, call.units) for call in calls] == [("GetItem", 1)] * 3
    del calls[:]
    new.visit(user, contents)
    assert all(IMPORTED not in str(call.request) for call in calls)

    (marker,) = markers(new)
    parts = [content for value in marker.values() for content in value.values()]
    assert sum(map(len, [*marker, *parts])) + 100 <= 200


@pytest.mark.parametrize("kind", ["file"])
def test_a_row_in_the_table_that_cannot_be_read_ends_no_run(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """It is reported, and the next session is imported."""
    corrupt, marked, fine = (old.begin_session(user=n) for n in range(3))
    new.plant(corrupt, what={"S": "is this"})
    key = Layout("sess:").make_import_marker_key(marked.id)
    new.raw.put_item(TableName=new.table, Item={"id": {"S": key.hash}})

    assert summarize(run_import(kind, options, new, dry_run=True)) == [
        "imported",
        "unreadable",
        "unreadable",
    ]
    assert summarize(run_import(kind, options, new)) == ["imported", "unreadable", "unreadable"]
    assert new.read_session(fine) == {"user": 2}
