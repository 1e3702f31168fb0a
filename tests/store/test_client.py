"""One client per process and set of connection options: made late, shared rightly, never forked."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

import beaker_dynamodb
from beaker_dynamodb import AccessRefused, OptionError, Unavailable
from beaker_dynamodb.store.client import Door, door
from beaker_dynamodb.store.connection import Connection
from tests.beaker import apps
from tests.instruments import aws_error
from tests.proxy import FaultProxy
from tests.servers import Flavor, Server
from tests.store.doubles import chain, failure, in_a_child

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(dynamodb_local: str, table_name: str) -> str:
    """Create a table with a session `alice` in it."""
    apps.make_table(dynamodb_local, table_name)
    apps.manager(dynamodb_local, table_name, "alice")["session"] = "text"
    return table_name


def client_of(manager: Any) -> Any:
    """Look at the client that a manager uses."""
    return the_door(manager)._current()


def the_door(manager: Any) -> Door:
    """Look at the door that a manager uses."""
    found: Door = manager._session.rows.table.door
    return found


CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (CREDENTIALS, "no AWS credentials were found; boto3 looks for credentials in"),
        (CREDENTIALS[1:], "the AWS credentials are incomplete; boto3 looks for credentials in"),
    ],
)
def test_credentials_that_appear_later_work(
    missing: tuple[str, ...],
    sentence: str,
    dynamodb_local: str,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without credentials one sentence says where AWS looks; with them the next call succeeds."""
    manager = apps.manager(dynamodb_local, table, "alice", connect_timeout="21s")
    with monkeypatch.context() as without:
        for name in missing:
            without.delenv(name)
        errors = [failure(lambda: manager["session"]) for _ in range(2)]

    for error in errors:
        assert type(error) is OptionError
        assert str(error).startswith(sentence)
        assert list(chain(error)) == [error]
    assert manager["session"] == "text"


def test_without_a_region_a_sentence_says_where_aws_looks(
    dynamodb_local: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No region is an OptionError that names the option; once there is one, all is well."""
    manager = apps.manager(dynamodb_local, table, "alice")
    where = Door(Connection(endpoint_url=dynamodb_local))
    request = {"TableName": table, "Key": {"id": {"S": "sess:alice"}}}
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    error = failure(lambda: where.call("GetItem", request))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert type(error) is OptionError
    assert "option 'region'" in str(error)
    assert "AWS_DEFAULT_REGION" in str(error)
    assert list(chain(error)) == [error]
    assert "Item" in where.call("GetItem", request).body
    assert manager["session"] == "text"


@pytest.mark.parametrize(
    ("more", "word"), [({"profile": "nobodys"}, "profile"), ({"region": "no region!"}, "region")]
)
def test_what_aws_does_not_know_is_an_option_error(
    more: dict[str, str], word: str, dynamodb_local: str
) -> None:
    """A profile that AWS's files lack, or a region that is none, names the option."""
    given = {"endpoint_url": dynamodb_local, "region": "us-east-1", **more}

    error = failure(lambda: Door(Connection(**given)).call("ListTables", {}))  # type: ignore[arg-type]

    assert type(error) is OptionError
    assert f"option '{word}'" in str(error)
    assert list(chain(error)) == [error]


def test_whatever_a_provider_of_credentials_raises_is_an_outage(
    dynamodb_local: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's agent that answers nonsense makes botocore raise KeyError: not a miss."""
    told: dict[str, str] = {}

    def agent(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(told).encode()]

    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    manager = apps.manager(dynamodb_local, table, "alice", connect_timeout="21s")
    with apps.served(agent) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        error = failure(lambda: manager["session"])
        told |= {"AccessKeyId": "testing", "SecretAccessKey": "testing"}
        told |= {"Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        found = manager["session"]

    assert type(error) is Unavailable
    assert "KeyError" in str(error)
    assert error.call is not None  # the door's own words, not those of a floor above
    assert list(chain(error)) == [error]
    assert found == "text"


def test_credentials_that_aws_refuses_are_looked_up_anew(dynamodb_local: str, table: str) -> None:
    """After an ExpiredToken the next call is made by a new client."""
    with FaultProxy(dynamodb_local) as proxy:
        manager = apps.manager(proxy.url, table, "alice")
        before = client_of(manager)
        proxy.next(aws_error("ExpiredTokenException"), times=None)

        error = failure(lambda: manager["session"])

        proxy.clear()
        assert type(error) is AccessRefused
        assert manager["session"] == "text"
        assert client_of(manager) is not before


@pytest.mark.parametrize(
    ("environment", "options", "sent"),
    [
        ({}, {}, 3),
        ({"AWS_MAX_ATTEMPTS": "1"}, {}, 3),
        ({"AWS_MAX_ATTEMPTS": "7", "AWS_RETRY_MODE": "legacy"}, {}, 3),
        ({"AWS_RETRY_MODE": "adaptive"}, {"max_attempts": "2"}, 2),
        ({"AWS_MAX_ATTEMPTS": "5"}, {"max_attempts": "1"}, 1),
    ],
)
def test_our_options_win_over_awss_environment(
    environment: dict[str, str],
    options: dict[str, str],
    sent: int,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server is asked as often as the options say, whatever the machine is set to."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with FaultProxy("http://127.0.0.1:9") as proxy:
        proxy.next(aws_error("InternalServerError", status=500), times=None)
        usual = dict.fromkeys(apps.PATIENT)  # None: not given
        manager = apps.manager(proxy.url, table, "alice", **usual, **options)
        error = failure(lambda: manager["session"])
        config = client_of(manager).meta.config

    assert len(proxy.seen) == sent
    assert type(error) is Unavailable
    assert error.call is not None
    assert error.call.attempts == sent
    assert config.retries["mode"] == "standard"
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (1, 2, True)


def test_aws_is_told_who_calls(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each party once: what boto3 says of itself, the application's own name, and us."""
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    manager = apps.manager("http://127.0.0.1:1", table, "alice", max_attempts=1)
    sent: list[str] = []
    client_of(manager).meta.events.register(
        "before-send.dynamodb",
        lambda request, **_: sent.append(request.headers["User-Agent"].decode()),
    )
    failure(lambda: manager["session"])
    told = sent[0].split()

    names = [word.partition("/")[0] for word in told]
    assert names == ["Boto3", "Python", "Linux", "Botocore", "app", "beaker-dynamodb"]
    assert "app/shop" in told


OTHERWISE: Final[dict[str, Any]] = {
    "region": "eu-west-1",
    "profile": "other",
    "endpoint_url": "http://127.0.0.1:1",
    "aws_access_key_id": "other",
    "aws_secret_access_key": "other",
    "aws_session_token": "other",
    "client": "some.module:client",
    "connect_timeout": 7.0,
    "read_timeout": 7.0,
    "max_attempts": 7,
    "max_pool_connections": 7,
    "transport": "auto",
}


def test_only_equal_connections_share_a_client(dynamodb_local: str, table: str) -> None:
    """Managers of other tables share one client; any other connection option parts them."""
    fields = {field.name for field in dataclasses.fields(Connection)}
    usual = Connection(region="us-east-1", endpoint_url=dynamodb_local)
    others = [dataclasses.replace(usual, **{name: value}) for name, value in OTHERWISE.items()]

    one = apps.manager(dynamodb_local, table, "alice")
    two = apps.manager(dynamodb_local, "another-table", "bob", timeout=600, ttl="1h")
    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: client_of(two), range(32)))

    assert fields == OTHERWISE.keys()
    assert client_of(one) is client_of(two)
    assert clients == {client_of(one)}
    assert len({id(door(connection)) for connection in (usual, *others)}) == len(others) + 1


def make_client() -> Any:
    """Make a client, where a dotted path of the options names this function."""
    made.append(os.getpid())
    return Server(os.environ["TEST_DYNAMODB"], Flavor.LOCAL).client()


made: list[int] = []


def given_client(url: str) -> Any:
    """Make a client, as an application does that hands one over."""
    return Server(url, Flavor.LOCAL).client()


@pytest.mark.parametrize("way", ["object", "factory", "path"])
def test_an_application_may_bring_its_client(
    way: str, dynamodb_local: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client, a factory or a dotted path to one is used; a factory survives a fork."""
    monkeypatch.setenv("TEST_DYNAMODB", dynamodb_local)
    made.clear()
    given = {"object": given_client(dynamodb_local), "factory": make_client}.get(
        way, "tests.store.test_client:make_client"
    )
    manager = apps.manager("http://127.0.0.1:1", table, "alice", client=given)

    here = manager["session"]
    again = apps.manager("http://127.0.0.1:1", table, "alice", client=given)["session"]
    there = in_a_child(lambda: (manager["session"], made[-1:] == [os.getpid()]))

    assert here == again == "text"
    assert len(made) <= 1
    if way == "object":
        assert type(there) is OptionError
        assert "fork" in str(there)
        assert "factory" in str(there)
    elif way == "factory":
        assert there == ("text", True)
    else:
        assert there[0] == "text"


def test_a_path_that_leads_nowhere(dynamodb_local: str, table: str) -> None:
    """A dotted path that cannot be followed is an OptionError that shows it."""
    for path in ("no_such_module:client", "tests.store.test_client:nothing", "nonsense"):
        manager = apps.manager(dynamodb_local, table, "alice", client=path)
        error = failure(lambda manager=manager: manager["session"])  # type: ignore[misc]

        assert type(error) is OptionError
        assert path in str(error)


@pytest.mark.parametrize("forgotten", [False, True])
def test_each_forked_child_has_a_client_of_its_own(
    forgotten: bool, dynamodb_local: str, table: str
) -> None:
    """Children that share a socket read each other's sessions: here none does.

    Not even through a manager that outlived a `reset()`.
    """
    manager = apps.manager(dynamodb_local, table, "alice")
    if forgotten:
        beaker_dynamodb.reset()
    assert manager["session"] == "text"
    before = client_of(manager)

    def child() -> tuple[bool, str]:
        return client_of(manager) is before, manager["session"]

    told = [in_a_child(child) for _ in range(2)]

    assert told == [(False, "text")] * 2
    assert client_of(manager) is before
    assert manager["session"] == "text"


@pytest.fixture
def held() -> Iterator[Callable[[threading.Lock], None]]:
    """Have another thread hold a lock until the test ends."""
    done, threads = threading.Event(), list[threading.Thread]()

    def hold(lock: threading.Lock) -> None:
        has_it = threading.Event()

        def work() -> None:
            with lock:
                has_it.set()
                done.wait(30)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        has_it.wait(10)

    yield hold
    done.set()
    for thread in threads:
        thread.join()


def test_a_fork_while_a_thread_makes_the_client(
    held: Callable[[threading.Lock], None], dynamodb_local: str, table: str
) -> None:
    """A child forked while another thread held the door's lock does not wait for it."""
    manager = apps.manager(dynamodb_local, table, "alice", connect_timeout="21s")
    held(the_door(manager)._lock)

    assert in_a_child(lambda: manager["session"], within=10) == "text"


GREENLETS = """
from beaker_dynamodb.store.client import Door
from beaker_dynamodb.store.connection import Connection
import types

def factory():
    import gevent
    gevent.sleep(0.1)  # credentials over the network
    return types.SimpleNamespace(get_item=lambda **request: {"ConsumedCapacity": {}})

door = Door(Connection(client=factory))
from gevent import monkey
monkey.patch_all()
import gevent
calls = [gevent.spawn(door.call, "GetItem", {"TableName": "t"}) for _ in range(3)]
print(len(gevent.joinall(calls, timeout=20)), all(call.successful() for call in calls))
"""


def test_greenlets_make_a_client_together_although_the_door_is_older_than_the_patching() -> None:
    """No lock of before `patch_all()` is held while a client is made: it would stop them all."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GREENLETS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("3 True\n", 0)
