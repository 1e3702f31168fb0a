"""The client that the options ask for: credentials, regions, endpoints, and who shares one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from beaker_dynamodb import AccessRefused, OptionError, Unavailable
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client, get_client
from beaker_dynamodb.dynamodb.connection import Connection
from tests.dynamodb.clients import client_of
from tests.dynamodb.doubles import chain, failure
from tests.faults.kinds import aws_error
from tests.proxy import FaultProxy
from tests.sessions import apps

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
    alice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without credentials one sentence says where AWS looks; with them the next call succeeds."""
    manager = apps.manager(dynamodb_local, alice, "alice", connect_timeout="21s")
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
    dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No region is an OptionError that names the option; once there is one, all is well."""
    manager = apps.manager(dynamodb_local, alice, "alice")
    where = Client(Connection(endpoint_url=dynamodb_local))
    request = {"TableName": alice, "Key": {"id": {"S": "sess:alice"}}}
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

    error = failure(lambda: Client(Connection(**given)).call("ListTables", {}))  # type: ignore[arg-type]

    assert type(error) is OptionError
    assert f"option '{word}'" in str(error)
    assert list(chain(error)) == [error]


def test_whatever_a_provider_of_credentials_raises_is_an_outage(
    dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's agent that answers nonsense makes botocore raise KeyError: not a miss."""
    told: dict[str, str] = {}

    def agent(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(told).encode()]

    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    manager = apps.manager(dynamodb_local, alice, "alice", connect_timeout="21s")
    with apps.served(agent) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        error = failure(lambda: manager["session"])
        told |= {"AccessKeyId": "testing", "SecretAccessKey": "testing"}
        told |= {"Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        found = manager["session"]

    assert type(error) is Unavailable
    assert "KeyError" in str(error)
    assert error.call is not None  # the client's own words, not those of a floor above
    assert list(chain(error)) == [error]
    assert found == "text"


def test_credentials_that_aws_refuses_are_looked_up_anew(dynamodb_local: str, alice: str) -> None:
    """After an ExpiredToken the next call is made by a new client."""
    with FaultProxy(dynamodb_local) as proxy:
        manager = apps.manager(proxy.url, alice, "alice")
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
    alice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server is asked as often as the options say, whatever the machine is set to."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with FaultProxy("http://127.0.0.1:9") as proxy:
        proxy.next(aws_error("InternalServerError", status=500), times=None)
        usual = dict.fromkeys(apps.PATIENT)  # None: not given
        manager = apps.manager(proxy.url, alice, "alice", **usual, **options)
        error = failure(lambda: manager["session"])
        config = client_of(manager).meta.config

    assert len(proxy.seen) == sent
    assert type(error) is Unavailable
    assert error.call is not None
    assert error.call.attempts == sent
    assert config.retries["mode"] == "standard"
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (1, 2, True)


def test_aws_is_told_who_calls(alice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each party once: what boto3 says of itself, the application's own name, and us."""
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    manager = apps.manager("http://127.0.0.1:1", alice, "alice", max_attempts=1)
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


def test_only_equal_connections_share_a_client(dynamodb_local: str, alice: str) -> None:
    """Managers of other tables share one client; any other connection option parts them."""
    fields = {field.name for field in dataclasses.fields(Connection)}
    options = Options(region="us-east-1", endpoint_url=dynamodb_local)
    others = [dataclasses.replace(options, **{name: value}) for name, value in OTHERWISE.items()]

    one = apps.manager(dynamodb_local, alice, "alice")
    two = apps.manager(dynamodb_local, "another-table", "bob", timeout=600, ttl="1h")
    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: client_of(two), range(32)))

    assert fields == OTHERWISE.keys()
    assert client_of(one) is client_of(two)
    assert clients == {client_of(one)}
    assert len({id(get_client(each)) for each in (options, *others)}) == len(others) + 1


made: list[int] = []
