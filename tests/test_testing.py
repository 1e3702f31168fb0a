"""What the package gives to the tests of an application: an empty store each, and a later time.

docs/testing.md runs as it stands (tests/test_docs_blocks.py); here stands what it only promises.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from beaker.cache import CacheManager
from beaker.middleware import SessionMiddleware
from beaker.session import Session

import beaker_dynamodb
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.testing import dynamodb_local_url, embedded_dynamodb, later, outage
from tests.servers import free_port
from tests.sessions import apps

__all__ = ["dynamodb_local_url", "embedded_dynamodb"]
#: What a site's ini file says that knows nothing of tests.
LINES = {"session.type": "ext:dynamodb", "session.table": "myapp", "session.timeout": "600"}


@pytest.fixture(scope="module", autouse=True)
def stopped() -> Iterator[None]:
    """Stop the embedded server when the module is done."""
    yield
    embedded.stop()


def site(session_class: type[Session] = Session, app: apps.Wsgi = apps.application) -> Any:
    """Open a browser at a site that is configured as in production."""
    return apps.browser(SessionMiddleware(app, {**LINES, "session.session_class": session_class}))


def kind(strict: bool) -> type[Session]:
    """Choose between Beaker's session and ours."""
    return beaker_dynamodb.StrictSession if strict else Session


def test_without_a_table_the_error_names_the_option_and_no_command(embedded_dynamodb: str) -> None:
    """`create_table = false` of production: a command would create it in its own memory."""
    lines = {**LINES, "session.create_table": "false"}
    browser = apps.browser(SessionMiddleware(apps.application, lines))

    with pytest.raises(beaker_dynamodb.TableMissing, match="if option create_table is true") as it:
        browser.get("/set?user=alice")

    assert "table create" not in str(it.value)


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_an_empty_table(turn: int, embedded_dynamodb: str) -> None:
    """What a test stored is gone in the next one, and the ini file names the table itself."""
    client = boto3.session.Session().client("dynamodb", endpoint_url=embedded_dynamodb)
    before = client.list_tables()["TableNames"]

    site().get("/set?user=alice")

    assert before == []
    assert client.scan(TableName="myapp")["Count"] == 1


def test_a_machine_that_is_slow_for_a_moment_is_no_outage(embedded_dynamodb: str) -> None:
    """The server is in this process, which other programs may keep from the processor."""
    assert parse({"table": "sessions"}, "session").read_timeout == 30
    assert parse({"table": "sessions", "read_timeout": 2}, "session").read_timeout == 2


def test_other_services_of_moto_keep_what_they_have(embedded_dynamodb: str) -> None:
    """Emptying the tables empties no bucket that another fixture has made in this process."""
    s3 = boto3.session.Session().client("s3", endpoint_url=embedded_dynamodb)
    s3.create_bucket(Bucket="kept")

    embedded.empty()

    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]


@pytest.mark.parametrize("strict", [True, False])
def test_a_session_times_out_later(strict: bool, embedded_dynamodb: str) -> None:
    """Nine minutes later a user is logged in, eleven minutes after that not; nobody waits."""
    web = site(kind(strict))
    web.get("/set?user=alice")

    with later(540):
        in_time = web.get("/read").json["values"]
        with later(660):  # less than the row lives: it is Beaker's clock that decides
            too_late = web.get("/read").json["values"]

    assert (in_time, too_late) == ({"user": "alice"}, {})


@pytest.mark.parametrize("strict", [True, False])
def test_a_user_is_still_logged_in_after_an_outage(strict: bool, embedded_dynamodb: str) -> None:
    """In the block a load and a save raise `Unavailable`; the cookie that was sent before works."""
    web, other = site(kind(strict)), site(kind(strict))
    web.get("/set?user=alice")

    with outage():
        with pytest.raises(beaker_dynamodb.Unavailable, match="did not answer"):
            web.get("/read")
        with pytest.raises(beaker_dynamodb.Unavailable):
            other.get("/set?user=bob")

    assert web.get("/read").json["values"] == {"user": "alice"}
    assert other.get("/read").json["values"] == {}


def begin_session(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Begin a session, and say when that was."""
    session = environ["beaker.session"]
    session.invalidate()
    session["user"] = "alice"
    session.save()
    text = repr(session["_creation_time"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]


@pytest.mark.parametrize("strict", [True, False])
def test_a_session_that_begins_later_lives_from_then_on(
    strict: bool, embedded_dynamodb: str
) -> None:
    """A login of an hour later was made then, and its row expires a time-out after that."""
    web, soonest = site(kind(strict), begin_session), time.time() + 3600

    with later(3600):
        made = float(web.get("/").text)

    client = boto3.session.Session().client("dynamodb", endpoint_url=embedded_dynamodb)
    (row,) = client.scan(TableName="myapp")["Items"]
    assert soonest <= made <= soonest + 60
    assert soonest + 600 <= float(row["expires"]["N"]) <= soonest + 800


def restart_lifetime(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Log in as a page does that lets `max_age` begin anew, and say when that was."""
    session = environ["beaker.session"]
    session["user"] = "alice"
    session.restart_lifetime()
    session.save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(session["_creation_time"]).encode()]


def test_a_lifetime_that_is_restarted_later_begins_then(embedded_dynamodb: str) -> None:
    """`restart_lifetime()` takes the time of the block, also for a session of before."""
    web, soonest = site(beaker_dynamodb.StrictSession, restart_lifetime), time.time() + 3600
    web.get("/")

    with later(3600):
        began = float(web.get("/").text)

    assert soonest <= began <= soonest + 60


def test_settings_alone_show_the_sessions_of_later(embedded_dynamodb: str) -> None:
    """`UserSessions(settings, ...)` without a clock of its own takes the block's."""
    lines = {**LINES, "session.special_keys": "user"}
    web = apps.browser(SessionMiddleware(apps.application, lines))
    web.get("/set?user=alice")

    def count_sessions() -> int:
        return len(list(beaker_dynamodb.UserSessions(lines, "user", "alice")))

    with later(540):
        in_time = count_sessions()
        with later(660):
            too_late = count_sessions()

    assert (in_time, too_late, count_sessions()) == (1, 0, 1)


def test_before_the_first_session_the_error_says_what_creates_the_table(
    embedded_dynamodb: str,
) -> None:
    """`UserSessions(settings, ...)` creates no table: a wrong region would show no sessions."""
    lines = {**LINES, "session.special_keys": "user"}

    with pytest.raises(beaker_dynamodb.TableMissing, match="the first session that is loaded"):
        beaker_dynamodb.UserSessions(lines, "user", "alice").end_all()


def test_time_goes_on_as_it_was(embedded_dynamodb: str) -> None:
    """After the block the session is there again: only the block was later."""
    web = site()
    web.get("/set?user=alice")
    kept = apps.with_cookie(web.cookies[apps.COOKIE])

    with later(540):
        web.get("/none")

    assert web.get("/read", extra_environ=kept).json["values"] == {"user": "alice"}


CACHES = CacheManager(type="ext:dynamodb", table="pages", expire=60)
made: list[str] = []


@CACHES.cache("shop")  # type: ignore[untyped-decorator]  # Beaker's
def price() -> int:
    """Make a price: every application keeps its caches for as long as its process lives."""
    made.append("!")
    return len(made)


@pytest.mark.parametrize("turn", [1, 2])
def test_a_cache_that_the_application_holds_is_empty_too(turn: int, embedded_dynamodb: str) -> None:
    """A module's cache outlives the tests; what it holds finds the new, empty store."""
    made.clear()

    assert [price(), price()] == [1, 1]


SUITE = """
from beaker_dynamodb.testing import dynamodb_local, dynamodb_local_url

def test_one(dynamodb_local):
    import boto3.session
    session = boto3.session.Session()
    client = session.client("dynamodb", "us-east-1", endpoint_url=dynamodb_local)
    assert client.list_tables()["TableNames"] == []
    import tests.sessions.apps as apps
    site = apps.under_beaker(apps.application, {"session.type": "ext:dynamodb"})
    apps.browser(site).get("/set?user=alice")
    assert client.list_tables()["TableNames"] == ["sessions"]

test_two = test_one
"""


def run(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run the suite above in a pytest of its own."""
    (folder / "test_mine.py").write_text(SUITE, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    root = str(Path(__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "DYNAMODB_LOCAL_URL": url, "PYTHONPATH": root},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_each_test_has_a_database_of_its_own_in_dynamodb_local(
    tmp_path: Path, dynamodb_local: str
) -> None:
    """Two tests of one suite use one server and one table's name, and see nothing of each other."""
    done = run(tmp_path, dynamodb_local)

    assert "2 passed" in done.stdout, done.stdout


def test_a_server_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Nobody has to read a traceback of botocore's to learn that DynamoDB Local is not running."""
    url = f"http://127.0.0.1:{free_port()}"

    done = run(tmp_path, url)

    assert done.returncode == 1
    assert f"nothing responds at {url}: start DynamoDB Local there" in done.stdout
    assert "Traceback" not in done.stdout
