"""Sessions of an Express application, out of a table that connect-dynamodb itself has written."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from beaker.middleware import SessionMiddleware

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import OptionError, digest
from beaker_dynamodb.migration.bulk import Imported, Skipped, import_sessions
from beaker_dynamodb.migration.readers import create_reader
from tests.downloads import install_node_packages
from tests.instruments import Clock
from tests.servers import KEY, REGION, Flavor, Server
from tests.sessions.apps import application, browser
from tests.sessions.overlap import Browser, Site

HERE = Path(__file__).parent / "node"
CAFE = [1, {"name": "caf\xe9"}, None]


def node_modules() -> Path:
    """Return the folder of the Node packages."""
    return install_node_packages(HERE, "connect-dynamodb-3.0.5")


@pytest.fixture(scope="module")
def express(dynamodb_local: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Have three users visit an Express application; give its table and their cookies."""
    table = f"express-{uuid.uuid4().hex}"
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY}
    script = ["node", str(HERE / "visits.js"), str(node_modules().parent), dynamodb_local, table]
    done = subprocess.run(
        script, env={**os.environ, **keys}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)
    cookies = {user: SimpleCookie(line)["connect.sid"].value for user, line in sent.items() if line}
    yield table, cookies
    with contextlib.suppress(Exception):
        Server(dynamodb_local, Flavor.LOCAL).client().delete_table(TableName=table)


def get_documented(name: str) -> Any:
    """Return what the Python code of docs/migrating.md defines."""
    text = (HERE.parents[2] / "docs" / "migrating.md").read_text("utf-8")
    found: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, found)  # noqa: S102  # what the document shows is what is tried
    return found[name]


def sid(cookie: str) -> str:
    """Read the id out of Express's cookie."""
    return unquote(cookie).removeprefix("s:").rpartition(".")[0]


def run_import(new: Site, table: str, timeout: float | None = None, **more: str) -> dict[str, Any]:
    """Import an Express table; return a summary of the outcomes."""
    given = {"table": table, "endpoint_url": new.url, "region": REGION, **more}
    options = parse({"table": new.table, "endpoint_url": new.url, "region": REGION}, "session")
    done = import_sessions(
        create_reader("connect-dynamodb", given, timeout), options, timeout=timeout
    )
    return {one.session: one for one in done}


def test_the_data_and_the_ids_of_an_express_application_are_moved(
    new: Site, express: tuple[str, dict[str, str]]
) -> None:
    """Written by the Node package, read by Beaker with the JSON serializer, until the same time."""
    table, cookies = express
    theirs = {
        row["id"]["S"].removeprefix("sess:"): row for row in new.raw.scan(TableName=table)["Items"]
    }
    done = run_import(new, table)
    site = new.with_(data_serializer="json")

    for user in ("ann", "bob"):
        session = sid(cookies[user])
        found = site.read_session(Browser(f"beaker.session.id={session}"))
        expires = round(float(theirs[session]["expires"]["N"]))
        assert found == {"user": user, "cart": CAFE}
        assert isinstance(done[digest(session)], Imported)
        assert abs(done[digest(session)].expires - expires) <= 1
    ended = set(theirs) - {sid(cookies[user]) for user in ("ann", "bob")}
    assert {done[digest(session)] for session in ended} == {
        Skipped(digest(session), "expired") for session in ended
    }


@pytest.mark.parametrize("secret", [None, "beaker's secret"])
def test_with_the_example_before_it_a_browser_of_express_is_still_logged_in(
    new: Site, express: tuple[str, dict[str, str]], secret: str | None
) -> None:
    """The example checks Express's signature; a cookie that was tampered with opens nothing."""
    table, cookies = express
    run_import(new, table)
    config = {
        "session.type": "ext:dynamodb",
        "session.table": new.table,
        "session.endpoint_url": new.url,
        "session.data_serializer": "json",
    } | ({"session.secret": secret} if secret else {})
    site = get_documented("ExpressCookie")(
        SessionMiddleware(application, config), "express's secret", secret
    )

    def read_as(cookie: str) -> Any:
        return browser(site).get("/read", extra_environ={"HTTP_COOKIE": f"connect.sid={cookie}"})

    assert read_as(cookies["ann"]).json["values"] == {"user": "ann", "cart": CAFE}
    assert read_as(cookies["ann"][:-1] + "_").json["values"] == {}
    assert read_as(f"s%3A{sid(cookies['bob'])}.{cookies['ann'][-43:]}").json["values"] == {}


def test_beakers_own_timeout_counts_to_the_same_end(
    new: Site, express: tuple[str, dict[str, str]], clock: Clock
) -> None:
    """Express knows when a session ends, not when it was last used: that is counted back."""
    table, cookies = express
    run_import(new, table, timeout=7200)

    session = sid(cookies["ann"])
    found = new.with_(data_serializer="json", timeout=7200)
    read = found.visit(
        Browser(f"beaker.session.id={session}"), lambda one: (one["user"], one.last_accessed)
    ).said
    assert read[0] == "ann"
    assert abs(read[1] + 7200 - (clock() + 3600)) < 60


def test_an_application_that_pickles_gets_pickles(
    new: Site, express: tuple[str, dict[str, str]]
) -> None:
    """`serializer` must be the application's `data_serializer`."""
    table, cookies = express
    run_import(new, table, serializer="pickle")

    found = new.read_session(Browser(f"beaker.session.id={sid(cookies['ann'])}"))
    assert found == {"user": "ann", "cart": CAFE}


def test_what_is_no_session_of_express_is_told(new: Site, dynamodb_local: str) -> None:
    """Garbage in `sess`, an item without an expiry, and another prefix."""
    table = f"{new.table}-express"
    theirs = Site.create(dynamodb_local, table)
    rows = {
        "sess:garbled": {"sess": {"S": "{"}, "expires": {"N": "9999999999"}},
        "sess:endless": {"sess": {"S": "{}"}},
        "sess:list": {"sess": {"S": "[]"}, "expires": {"N": "9999999999"}},
        "other:one": {"sess": {"S": "{}"}, "expires": {"N": "9999999999"}},
    }
    for key, row in rows.items():
        theirs.raw.put_item(TableName=table, Item={"id": {"S": key}, **row})

    done = run_import(new, table)

    details = {
        "garbled": "its sess is not a JSON object",
        "endless": "it has no expiry",
        "list": "its sess is not a JSON object",
    }
    assert done == {
        digest(name): Skipped(digest(name), "unreadable", detail)
        for name, detail in details.items()
    }
    theirs.raw.delete_table(TableName=table)


@pytest.mark.parametrize("region", [{"region": REGION}, {}], ids=["named", "AWS's own"])
def test_a_table_is_not_moved_into_itself(
    new: Site, region: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Source and destination are the same, however the region is named."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    options = parse({"table": new.table, "endpoint_url": new.url, **region}, "session")
    source = create_reader(
        "connect-dynamodb", {"table": new.table, "endpoint_url": new.url, "region": REGION}
    )

    with pytest.raises(OptionError, match="are the same table"):
        import_sessions(source, options)


def test_beside_rows_of_our_own_an_express_table_is_read_to_its_end(
    new: Site, dynamodb_local: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both use the prefix `sess:`: sessions, chunks, locks and markers of ours are no loss."""
    table = f"{new.table}-both"
    both = Site.create(dynamodb_local, table)
    both.begin_session(user="bob")
    both.begin_session(text=random.Random(1).randbytes(600_000).hex())
    both.raw.put_item(TableName=table, Item=express_item("sess:ann"))
    given = {"table": table, "endpoint_url": new.url, "region": REGION}
    both.raw.put_item(TableName=table, Item=dict(express_item("express:eve")))
    run_import(both, table, prefix="express:")  # leaves a marker
    command = ["import", "--from", "connect-dynamodb", "--json"]
    for name, value in given.items():
        command += ["--from-option", f"{name}={value}"]
    for name, value in {**given, "table": new.table}.items():
        command += ["-o", f"{name}={value}"]

    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)

    rows = both.rows()
    assert told["imported"] == 1
    ours = [row for row in rows if "sess" not in row]
    assert told["skipped"] == {"rows of beaker_dynamodb": len(ours)}
    assert {row["id"]["S"].partition("#")[2].partition(":")[0] for row in ours} == {
        "",
        "chunk",
        "imported",
    }
    both.raw.delete_table(TableName=table)


def test_under_another_prefix_sessions_of_express_move_within_one_table(new: Site) -> None:
    """No two rows have the same key, and imported rows are not read as Express's."""
    new.raw.put_item(TableName=new.table, Item=express_item("express:ann"))

    for became in (Imported, Skipped):
        (one,) = run_import(new, new.table, prefix="express:").values()
        assert isinstance(one, became)
    site = new.with_(data_serializer="json")
    assert site.read_session(Browser("beaker.session.id=ann")) == {"user": "ann"}


def express_item(key: str) -> dict[str, Any]:
    """Write an item as connect-dynamodb does, for an hour from now."""
    expires = str(int(time.time()) + 3600)
    return {"id": {"S": key}, "sess": {"S": '{"user": "ann"}'}, "expires": {"N": expires}}
