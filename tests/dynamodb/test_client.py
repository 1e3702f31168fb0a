"""The client of a set of options: credentials, regions, endpoints, and which managers share it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from botocore.credentials import CredentialResolver

from beaker_dynamodb import AccessRefused, OptionError, Unavailable
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client, get_client
from beaker_dynamodb.dynamodb.connection import Connection
from tests.dynamodb.clients import get_boto3_client
from tests.dynamodb.doubles import catch_error, walk_chain
from tests.faults.fault_kinds import aws_error
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
        errors = [catch_error(lambda: manager["session"]) for _ in range(2)]

    for error in errors:
        assert type(error) is OptionError
        assert str(error).startswith(sentence)
        assert "attach a role, or set a key (DynamoDB Local accepts any)" in str(error)
        assert list(walk_chain(error)) == [error]
    assert manager["session"] == "text"


@pytest.mark.parametrize("transport", ["boto3", "auto", "wire"])
def test_credentials_are_searched_for_once_a_call(
    transport: str, dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are none, a search waits two seconds for the machine's metadata service.

    The wire takes keys of the environment itself, so boto3 need not search for them.
    """
    searches = []
    search = CredentialResolver.load_credentials

    def record_search(self: CredentialResolver) -> Any:
        searches.append(transport)
        return search(self)

    monkeypatch.setattr(CredentialResolver, "load_credentials", record_search)
    manager = apps.manager(
        dynamodb_local, alice, "alice", transport=transport, connect_timeout="23s"
    )
    with monkeypatch.context() as without:
        for name in CREDENTIALS:
            without.delenv(name)
        catch_error(lambda: manager["session"])
        assert searches == [transport]

    assert manager["session"] == "text"
    assert searches == [transport] * (1 if transport == "wire" else 2)


def test_without_a_region_a_sentence_says_where_aws_looks(
    dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No region is an OptionError that names the option; once there is one, all is well."""
    manager = apps.manager(dynamodb_local, alice, "alice")
    where = Client(Connection(endpoint_url=dynamodb_local))
    request = {"TableName": alice, "Key": {"id": {"S": "sess:alice"}}}
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    error = catch_error(lambda: where.call("GetItem", request))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert type(error) is OptionError
    assert "option 'region'" in str(error)
    assert "AWS_DEFAULT_REGION" in str(error)
    assert list(walk_chain(error)) == [error]
    assert "Item" in where.call("GetItem", request).body
    assert manager["session"] == "text"


@pytest.mark.parametrize(
    ("more", "word"), [({"profile": "unknown"}, "profile"), ({"region": "no region!"}, "region")]
)
def test_an_unknown_profile_or_region_is_an_option_error(
    more: dict[str, str], word: str, dynamodb_local: str
) -> None:
    """The error names the option."""
    given = {"endpoint_url": dynamodb_local, "region": "us-east-1", **more}

    error = catch_error(lambda: Client(Connection(**given)).call("ListTables", {}))  # type: ignore[arg-type]

    assert type(error) is OptionError
    assert f"option '{word}'" in str(error)
    assert list(walk_chain(error)) == [error]


def test_an_exception_of_a_credential_provider_is_an_outage(
    dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the agent of a container answers garbage, botocore raises KeyError: no missing session."""
    answer: dict[str, str] = {}

    def agent(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    manager = apps.manager(dynamodb_local, alice, "alice", connect_timeout="21s")
    with apps.serve(agent) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        error = catch_error(lambda: manager["session"])
        answer |= {"AccessKeyId": "testing", "SecretAccessKey": "testing"}
        answer |= {"Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        found = manager["session"]

    assert type(error) is Unavailable
    assert "KeyError" in str(error)
    assert error.call is not None  # it was raised by the client
    assert list(walk_chain(error)) == [error]
    assert found == "text"


def test_credentials_that_aws_refuses_are_read_again(dynamodb_local: str, alice: str) -> None:
    """After an ExpiredToken the next call creates a new boto3 client."""
    with FaultProxy(dynamodb_local) as proxy:
        manager = apps.manager(proxy.url, alice, "alice")
        before = get_boto3_client(manager)
        proxy.next(aws_error("ExpiredTokenException"), times=None)

        error = catch_error(lambda: manager["session"])

        proxy.clear()
        assert type(error) is AccessRefused
        assert manager["session"] == "text"
        assert get_boto3_client(manager) is not before


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
def test_options_override_the_environment_of_aws(
    environment: dict[str, str],
    options: dict[str, str],
    sent: int,
    alice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request is sent as often as the options say."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with FaultProxy("http://127.0.0.1:9") as proxy:
        proxy.next(aws_error("InternalServerError", status=500), times=None)
        usual = dict.fromkeys(apps.PATIENT)  # None: not given
        manager = apps.manager(proxy.url, alice, "alice", **usual, **options)
        error = catch_error(lambda: manager["session"])
        config = get_boto3_client(manager).meta.config

    assert len(proxy.seen) == sent
    assert type(error) is Unavailable
    assert error.call is not None
    assert error.call.attempts == sent
    assert config.retries["mode"] == "standard"
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (1, 2, True)


def test_the_user_agent_names_each_party_once(alice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 and its parts, the application, and this package."""
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    manager = apps.manager("http://127.0.0.1:1", alice, "alice", max_attempts=1)
    sent: list[str] = []
    get_boto3_client(manager).meta.events.register(
        "before-send.dynamodb",
        lambda request, **_: sent.append(request.headers["User-Agent"].decode()),
    )
    catch_error(lambda: manager["session"])
    agents = sent[0].split()

    names = [word.partition("/")[0] for word in agents]
    assert names == ["Boto3", "Python", "Linux", "Botocore", "app", "beaker-dynamodb"]
    assert "app/shop" in agents


OTHER_VALUES: Final[dict[str, Any]] = {
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
    "transport": "boto3",
}


def test_only_equal_connections_share_a_client(dynamodb_local: str, alice: str) -> None:
    """Managers of different tables share one. Each other connection option makes a new one.

    Where the options are set makes no difference.
    """
    fields = {field.name for field in dataclasses.fields(Connection) if field.compare}
    options = Options(region="us-east-1", endpoint_url=dynamodb_local)
    others = [dataclasses.replace(options, **{name: value}) for name, value in OTHER_VALUES.items()]

    one = apps.manager(dynamodb_local, alice, "alice")
    two = apps.manager(dynamodb_local, "another-table", "bob", timeout=600, ttl="1h")
    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: get_boto3_client(two), range(32)))

    assert fields == OTHER_VALUES.keys()
    assert get_boto3_client(one) is get_boto3_client(two)
    assert clients == {get_boto3_client(one)}
    elsewhere = dataclasses.replace(options, places={"region": " set by configure()"})
    assert get_client(elsewhere) is get_client(options)
    assert len({id(get_client(each)) for each in (options, *others)}) == len(others) + 1


made: list[int] = []
