"""A table under one prefix with another store's rows, connect-dynamodb's above all: they stay."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.ops import logout, purge, sessions, stats
from beaker_dynamodb.ops.cli import wording
from tests.instruments import Recorder
from tests.ops.example_apps import IDENT, LARGE, ExampleApp, Run
from tests.revisions import make_rev
from tests.servers import Flavor, Server

#: As connect-dynamodb 3.0.5 writes them; the special key is there by chance.
THEIRS = {"type": {"S": "connect-session"}, "sess": {"S": '{"cookie":{}}'}, "userId": {"S": "42"}}


@pytest.fixture(name="shared")
def shared_(shop: ExampleApp) -> ExampleApp:
    """Give the shop's table, with two live rows of Express and three that have expired."""
    later, before = (str(int(time.time()) + by) for by in (3600, -3600))
    for name, expires in (("e1", later), ("e2", later), *((f"x{n}", before) for n in range(3))):
        shop.put(id={"S": f"sess:{name}"}, expires={"N": expires}, **THEIRS)
    return shop


def theirs(site: ExampleApp) -> list[dict[str, Any]]:
    """Return the other store's rows."""
    client = Server(site.options["endpoint_url"], Flavor.LOCAL).client()
    items = client.scan(TableName=site.options["table"])["Items"]
    return sorted((i for i in items if "sess" in i), key=lambda item: str(item["id"]))


def test_no_command_touches_another_stores_rows(shared: ExampleApp, run: Run) -> None:
    """After all commands they are unchanged, attribute for attribute."""
    before = theirs(shared)

    for words in (
        *("list --expired", "count", "stats", "find --scan userId=42", "find userId=42"),
        *("show e1", "delete e1", "delete sess:x1", "revoke userId=42 --yes", "purge"),
        "revoke --scan userId=42 --yes",
    ):
        run(*words.split())

    assert theirs(shared) == before
    assert len(before) == 5
    assert shared.idents() == {"sess:" + "c" * 32, *(item["id"]["S"] for item in before)}
    run("revoke", "--all", "--yes")
    assert theirs(shared) == before
    assert shared.idents() == {item["id"]["S"] for item in before}


def test_a_count_counts_them_apart(shared: ExampleApp, run: Run) -> None:
    """They are no sessions, live or expired."""
    assert run("count") == (0, "3 live, 1 expired, 5 rows of another store\n", "")
    told = json.loads(run("count", "--json")[1])

    assert (told["live"], told["expired"], told["other_rows"], told["scanned_rows"]) == (3, 1, 5, 9)


def test_a_list_leaves_them_out_and_says_so(shared: ExampleApp, run: Run) -> None:
    """On stderr, so that each line of the result is a session."""
    code, out, err = run("list", "--expired", "--json")

    assert (code, err) == (0, "5 rows of another store left out\n")
    assert {json.loads(line)["id"] for line in out.splitlines()} == {
        *(IDENT, "b" * 32, "c" * 32, "gone"),
    }
    assert run("list")[2].endswith("\n2 rows of another store left out\n")


def test_figures_leave_them_out(shared: ExampleApp, run: Run) -> None:
    """They count neither as our bytes nor as unreadable."""
    told = json.loads(run("stats", "--json")[1])

    assert (told["live"], told["expired"], told["unreadable"], told["rows"]) == (3, 1, 0, 4)
    assert (told["other_rows"], told["scanned_rows"]) == (5, 9)
    assert "\n5 rows of another store\n" in run("stats")[1]


def test_a_purge_counts_them_apart(shared: ExampleApp, run: Run) -> None:
    """Expired rows of another store are not deleted, and not counted in a dry run."""
    assert "1 row would be deleted" in (out := run("purge", "--dry-run")[1])
    assert ", 3 rows of another store not touched; " in out
    told = json.loads(run("purge", "--json")[1])

    assert (
        told["deleted_rows"],
        told["expired_rows"],
        told["changed_rows"],
        told["other_rows"],
    ) == (1, 1, 0, 3)
    assert run("purge")[1].startswith("0 rows deleted, 3 rows of another store not touched; ")


@pytest.mark.parametrize("command", ["show", "delete"])
def test_a_row_of_another_store_is_reported_and_kept(
    shared: ExampleApp, run: Run, command: str
) -> None:
    """The answer is no; nothing of the row is shown."""
    for word in ("e1", "sess:e1", "x1"):
        code, out, err = run(command, word)
        assert (code, out, wording.OTHER_STORE in err) == (1, "", True)
        assert json.loads(run(command, word, "--json")[1]) == {
            "done": False,
            "message": wording.OTHER_STORE,
        }
    code, _, err = run("revoke", "userId=42", "--yes", "--except", "e1")
    assert (code, "nothing was revoked" in err) == (2, True)


def test_python_cannot_delete_one_of_theirs_either(shared: ExampleApp) -> None:
    """The row is marked as another store's, and a delete of it does nothing."""
    seen = logout.find_row(shared.rows, "e1")
    assert seen is not None
    assert (seen.is_own, seen.record) == (False, None)

    assert logout.delete(shared.rows, seen, time.time()).error == scan.ANOTHER_STORE
    assert "sess:e1" in shared.idents()


DAMAGED: list[dict[str, Any]] = [
    {"data": {"B": b"\1S\0\0\0\0\0\0"}},
    {"data": {"S": "x"}},
    {"rev": {"B": make_rev("birth.token")}},
    {"rev": {"N": "1"}},
    {"data": {"NULL": True}, "rev": {"L": []}},
]


@pytest.mark.parametrize("row", DAMAGED)
def test_a_damaged_row_of_ours_is_ours(row: dict[str, Any], shop: ExampleApp, run: Run) -> None:
    """It is listed as unreadable, found by its special key, and revoke deletes it."""
    shop.put(id={"S": "sess:bad"}, userId={"S": "13"}, **row)

    for words in (("list", "--json"), ("find", "userId=13", "--json")):
        told = {one["id"]: one for one in map(json.loads, run(*words)[1].splitlines())}
        assert (bool(told["bad"]["error"]), told["bad"]["special_keys"]) == (True, {"userId": "13"})
    assert json.loads(run("stats", "--json")[1])["unreadable"] == 1
    assert run("show", "bad")[0] == 0
    assert run("revoke", "userId=13", "--yes")[0] == 0
    assert "sess:bad" not in shop.idents()


def test_every_kind_of_row_that_we_write_is_ours(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions, pieces, tombstones, cache entries and creation locks."""
    site = ExampleApp.create(dynamodb_local, table_name, compress="false")
    site.save("large", text=LARGE)
    of = site.rows
    of.table.replace(of.make_tombstone(of.layout.make_session_key("dead"), None))
    options = {n: v for n, v in site.options.items() if n != "special_keys"}
    cache = type(site.manager("x"))("ns", **options, prefix="sess:")
    cache.set_value("key", 1, expiretime=60)
    assert cache.get_creation_lock("key").acquire()

    for whole in (False, True):
        pages = list(scan.scan(of.table, scan.ScanQuery("rows", whole=whole)))
        rows = [row for page in pages for row in page.rows]
        assert {row.sort for row in rows} == {"session", "chunk", "value", "lock"}
        assert all(row.is_own for row in rows)


def test_a_row_that_becomes_theirs_between_look_and_delete_stays(
    shop: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every delete is conditional: on the revision, or on the row being ours."""
    shop.put(id={"S": "sess:bad"}, rev={"B": make_rev("birth.token")})
    seen = [logout.find_row(shop.rows, word) for word in (IDENT, "bad")]
    for word in (IDENT, "bad"):
        shop.put(id={"S": f"sess:{word}"}, **THEIRS)

    for one in seen:
        assert one is not None
        logout.delete(shop.rows, one, time.time())

    assert [item["id"]["S"] for item in theirs(shop)] == [f"sess:{IDENT}", "sess:bad"]


def test_an_expired_row_that_becomes_theirs_is_spared(
    shop: ExampleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if its expiry stays the same."""
    original = scan.delete_expired

    def theirs_now(table: Table, key: Key, expires: Any) -> Any:
        shop.put(id={"S": key.hash}, expires={"N": str(expires)}, **THEIRS)
        return original(table, key, expires)

    monkeypatch.setattr(scan, "delete_expired", theirs_now)
    (*_, done) = purge.purge(shop.rows, time.time())

    assert (done.deleted_rows, done.changed_rows) == (0, 1)
    assert "sess:gone" in shop.idents()


def test_a_scan_moves_no_payload_for_them(shared: ExampleApp, calls: Recorder) -> None:
    """Key, expiry and rev alone come over the wire, in one scan."""
    of = shared.rows
    calls.clear()
    (*_, count) = sessions.count_sessions(of, time.time())
    (*_, found) = stats.stats(of, time.time())

    names = calls[1].request["ExpressionAttributeNames"]
    projected = {names[n] for n in calls[1].request["ProjectionExpression"].split(", ")}
    assert projected == {"id", "expires", "rev"}
    assert calls.names == ["DescribeTable", "Scan"] * 2
    assert (count.other_rows, found.other_rows) == (5, 5)
