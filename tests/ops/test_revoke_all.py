"""Logging everybody out: every session of the table, and nothing else in it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beaker.container import FileNamespaceManager
from beaker.util import PickleSerializer

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import user_rows
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.errors import Unavailable
from beaker_dynamodb.item.codec import ROTATED
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import logout
from beaker_dynamodb.ops.sessions import open_rows
from beaker_dynamodb.runtime import Runtime
from tests.instruments import Clock, Recorder
from tests.ops.example_apps import IDENT, LARGE, ExampleApp, Run

USERS = {"sess:" + IDENT, "sess:" + "b" * 32, "sess:" + "c" * 32}


def revoke_all(site: ExampleApp, **how: Any) -> logout.RevokeProgress:
    """Log everybody out."""
    return list(logout.revoke_all(site.rows, time.time(), **how))[-1]


@pytest.mark.parametrize("segments", [1, 3])
def test_no_session_is_left_and_nothing_else_is_touched(segments: int, site: ExampleApp) -> None:
    """Large sessions go with their chunks, unreadable ones too; what is not a session stays."""
    for number in range(5):
        site.save(f"s{number}", userId=number)
    site.save("large", text=LARGE)
    part = {"part": {"S": "#session"}} if "range_key" in site.options else {}
    site.put(id={"S": "sess:unreadable"}, data={"S": "x"}, **part)
    site.expire("gone")
    site.put(id={"S": "sess:theirs"}, sess={"S": "{}"}, **part)
    ExampleApp({**site.options, "prefix": "other:"}).save("other")
    options = {n: v for n, v in site.options.items() if n != "special_keys"}
    cache = DynamoDBNamespaceManager("ns", **options, prefix="sess:")
    cache["key"] = "value"

    done = revoke_all(site, segments=segments)

    assert (done.revoked_sessions, done.busy_sessions, done.other_rows) == (7, 0, 1)
    assert {ident.partition(":")[2] for ident in site.idents()} == {
        *("gone", "theirs", "other"),
        "ns" if part else "ns:key",
    }
    assert cache["key"] == "value"
    assert revoke_all(site).revoked_sessions == 0


def test_a_session_that_is_saved_meanwhile_does_not_come_back(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is saved before its delete, nor one that is saved after it."""
    site.save("before", visits=1)
    site.save("after", visits=1)
    slow = site.manager("after")
    assert slow["session"]
    original = Table.delete
    refused: list[Key] = []

    def delete_after_a_save(table: Table, key: Key, condition: Any) -> Any:
        if not refused:
            refused.append(key)
            site.save("before", visits=2)
        return original(table, key, condition)

    monkeypatch.setattr(Table, "delete", delete_after_a_save)
    revoke_all(site)
    slow["session"] = site.text(visits=2)

    assert refused
    assert site.idents() == set()


def test_the_tombstone_of_a_rotation_is_kept(
    site: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login gives the session a new id between read and delete: a slow save must raise."""
    site.save("old", visits=1)
    rows, original = site.rows, Table.delete

    def delete_after_a_rotation(table: Table, key: Key, condition: Any) -> Any:
        rows.table.replace(rows.make_tombstone(key, None, ROTATED))
        return original(table, key, condition)

    monkeypatch.setattr(Table, "delete", delete_after_a_rotation)

    assert revoke_all(site).revoked_sessions == 0
    assert site.idents() == {"sess:old"}


def test_a_session_that_the_options_have_ended_does_not_return_without_them(
    site: ExampleApp,
) -> None:
    """`created_after` is set at once, the rows are deleted, and the line is removed later."""
    site.save("s", userId=1)
    later = ExampleApp({**site.options, "created_after": "2100-01-01T00:00Z"})
    assert "session" not in later.manager("s")

    assert revoke_all(later).revoked_sessions == 1
    assert site.idents() == set()


def test_a_session_of_the_old_backend_is_not_moved_in_again(
    dynamodb_local: str, table_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tombstone is left; the command says that the others remain in the old backend."""
    more = {"migrate_from": "file", "migrate_from.data_dir": str(tmp_path)}
    site = ExampleApp.create(dynamodb_local, table_name, **more)
    now = time.time()
    values = {"_accessed_time": now, "_creation_time": now}
    for ident in ("moved", "not moved"):
        old = FileNamespaceManager(ident, data_dir=str(tmp_path), digest_filenames=False)
        old.acquire_write_lock()
        old["session"] = base64.b64encode(PickleSerializer().dumps(values)).decode()
        old.release_write_lock()
    assert site.manager("moved")["session"]

    assert main(site.argv("sessions", "revoke", "--all", "--yes")) == 0

    assert "session" not in site.manager("moved")
    assert "session" in site.manager("not moved")
    assert "still in the old backend (file) may remain" in capsys.readouterr().err


def test_the_scan_misses_no_session_that_was_saved_before(
    site: ExampleApp, calls: Recorder
) -> None:
    """An eventually consistent page could; it costs one call for a session besides."""
    site.save("s")
    calls.clear()

    done = revoke_all(site)

    assert calls.names == ["DescribeTable", "Scan", "DeleteItem"]
    assert calls[1].request["ConsistentRead"] is True
    assert (done.read_units, done.write_units) == (calls[1].units, calls[2].units)


def test_a_rate_is_kept(site: ExampleApp) -> None:
    """The units that DynamoDB reports, chunks included, are spread over time."""
    site.save("large", text=LARGE)
    clock = Clock(time.time())
    runtime = Runtime(clock=clock, monotonic=clock.monotonic, sleep=clock.sleep)
    rows = open_rows(parse(site.options, "session"), runtime)
    began = clock.monotonic()

    *_, done = logout.revoke_all(rows, time.time(), rate=50)

    assert done.write_units > 800
    spent = done.read_units + done.write_units
    assert clock.monotonic() - began == pytest.approx(spent / 50, abs=0.01)


def test_a_session_that_is_written_all_the_time_delays_no_other(
    run: Run, shop: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others end; the command says that one is left, and fails."""
    busy, original = shop.key("b" * 32), Table.delete

    def delete_after_a_save(table: Table, key: Key, condition: Any) -> Any:
        if key == busy:
            shop.save("b" * 32, visits=time.time_ns())
        return original(table, key, condition)

    with monkeypatch.context() as patched:
        patched.setattr(Table, "delete", delete_after_a_save)
        patched.setattr(user_rows, "MAX_TRIES", 2)
        code, out, err = run("revoke", "--all", "--yes")

    assert (code, out) == (3, "")
    assert "so far: 2 sessions revoked, 1 session written too fast to be deleted" in err
    assert shop.idents() & USERS == {busy.hash}
    assert run("revoke", "--all", "--yes")[1].startswith("1 session revoked; ")


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (Unavailable("DynamoDB is down"), 3)],
    ids=["Ctrl-C", "outage"],
)
def test_after_an_interruption_it_can_be_run_again(
    error: BaseException,
    code: int,
    run: Run,
    shop: ExampleApp,
    make_fail: Callable[[object, str, BaseException], None],
) -> None:
    """It says how far it came, and the next run deletes what is left."""
    make_fail(logout, "delete_until_gone", error)

    ended, out, err = run("revoke", "--all", "--yes", "--segments", "1")

    assert (ended, out, len(shop.idents() & USERS)) == (code, "", 1)
    assert "so far: 2 sessions revoked" in err
    assert run("revoke", "--all", "--yes")[1].startswith("1 session revoked; ")
    assert shop.idents() == {"sess:gone"}


def test_the_name_of_the_table_confirms_it(
    run: Run, shop: ExampleApp, on_a_terminal: Callable[[str], None]
) -> None:
    """Then every session ends, the command says what it cost, and what may be left."""
    on_a_terminal(shop.options["table"])

    code, out, err = run("revoke", "--all")

    assert (code, out.startswith("3 sessions revoked; ")) == (0, True)
    assert "reading 4 rows: about " in err
    assert "session.created_after = 2" in err
    assert shop.idents() == {"sess:gone"}


@pytest.mark.parametrize("answer", ["", "y", "yes", "sessions"])
def test_any_other_answer_ends_no_session(
    answer: str, run: Run, shop: ExampleApp, on_a_terminal: Callable[[str], None]
) -> None:
    """A habit of typing y must not log everybody out."""
    before = shop.idents()
    on_a_terminal(answer or " ")

    code, out, err = run("revoke", "--all", "--json")

    message = "that is not the table's name; nothing was deleted"
    assert (code, json.loads(out)) == (1, {"done": False, "message": message})
    assert message in err
    assert shop.idents() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--all"], "without a terminal it requires --yes"),
        (["--yes"], "give either NAME=VALUE or --all"),
        (["userId=42", "--all", "--yes"], "give either NAME=VALUE or --all"),
        (["--all", "--scan", "--yes"], "--scan is for NAME=VALUE"),
        (["userId=42", "--rate", "9", "--yes"], "--rate is for --all"),
        (["userId=42", "--segments", "9", "--yes"], "--segments is for --all"),
        (["--all", "--rate", "nan", "--yes"], "it is not a number"),
        (["--all", "--except", "typo", "--yes"], "nothing was revoked"),
    ],
)
def test_a_usage_error_ends_no_session(
    words: list[str], message: str, run: Run, shop: ExampleApp
) -> None:
    """The message says what is expected."""
    before = shop.idents()

    code, out, err = run("revoke", *words)

    assert (code, out, message in err) == (2, "", True)
    assert shop.idents() == before


def test_the_operators_own_session_can_be_kept(run: Run, shop: ExampleApp) -> None:
    """As in a revoke of one user."""
    assert run("revoke", "--all", "--yes", "--except", IDENT)[0] == 0
    assert shop.idents() == {"sess:" + IDENT, "sess:gone"}
