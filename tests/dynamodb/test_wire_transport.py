"""Which transport makes a call, under each value of option `transport`."""

from __future__ import annotations

from typing import Any, Final

import pytest

from beaker_dynamodb import OptionError
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb import clients
from beaker_dynamodb.dynamodb.client import read_connection
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire.transport import Transport, find_obstacles, select_transport
from tests.dynamodb.doubles import catch_error
from tests.dynamodb.wire_clients import create_client, get_wire, put_item
from tests.servers import Flavor, Server
from tests.sessions import apps

OBSTACLE, LISTENER = ("an obstacle",), ("a listener",)


@pytest.mark.parametrize(
    ("option", "obstacles", "bypassed", "name", "reason"),
    [
        ("boto3", (), (), "boto3", "option"),
        ("boto3", OBSTACLE, LISTENER, "boto3", "option"),
        ("wire", (), (), "wire", "option"),
        ("wire", (), LISTENER, "wire", "option"),
        ("auto", (), (), "wire", "nothing"),
        ("auto", (), LISTENER, "boto3", "a listener"),
        ("auto", OBSTACLE, (), "boto3", "an obstacle"),
        ("auto", OBSTACLE, LISTENER, "boto3", "an obstacle"),
    ],
)
def test_the_transport_follows_from_the_option_and_what_was_found(
    option: str, obstacles: tuple[str, ...], bypassed: tuple[str, ...], name: str, reason: str
) -> None:
    """Only `auto` takes account of listeners. There is always a reason."""
    transport = select_transport(option, obstacles, bypassed)

    assert transport.name == name
    assert transport.reason.startswith(reason)


@pytest.mark.parametrize("bypassed", [(), LISTENER])
def test_an_explicit_wire_is_refused_if_it_cannot_work(bypassed: tuple[str, ...]) -> None:
    """The error names the obstacle, and the value of the option that avoids it."""
    with pytest.raises(OptionError, match=r"an obstacle; transport = auto uses boto3 then"):
        select_transport("wire", OBSTACLE, bypassed)


def test_the_option_has_three_values(carried: str) -> None:
    """Auto is the default. Clients of different transports are different clients."""
    assert Options().transport == Connection().transport == "auto"
    for value, expected in (("boto3", "boto3"), ("wire", "wire"), ("auto", carried)):
        options = parse({"transport": value.upper()}, "session")
        assert read_connection(options).transport == expected
    with pytest.raises(OptionError, match="boto3 or wire or auto"):
        parse({"transport": "pigeon"}, "session")


OBSTACLES: Final[dict[str, tuple[dict[str, Any], dict[str, str], str]]] = {
    "one attempt": ({"max_attempts": 1}, {}, "max_attempts = 1"),
    "a proxy": ({}, {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}, "a proxy"),
    "a proxy in lower case": ({}, {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": ""}, "proxy"),
    "a path": ({"endpoint_url": "http://127.0.0.1:9/dynamodb"}, {}, "has a path"),
    "the account's endpoint": ({}, {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"}, "account"),
}


@pytest.mark.parametrize("case", OBSTACLES.values(), ids=[*OBSTACLES])
def test_each_obstacle_is_found(
    case: tuple[dict[str, Any], dict[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wire` is refused before anything is sent, `auto` uses boto3; both name the obstacle."""
    options, environment, obstacle = case
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = {"url": options.pop("endpoint_url", "http://127.0.0.1:9"), **options}

    refused = catch_error(lambda: create_client(**given).call("GetItem", {"TableName": "t"}))
    transport = create_client(transport="auto", **given).get_transport()

    assert type(refused) is OptionError
    assert obstacle in str(refused)
    assert transport.name == "boto3"
    assert obstacle in transport.reason


def test_a_proxy_that_is_not_used_for_the_endpoint_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NO_PROXY is read as botocore reads it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert create_client("http://127.0.0.1:9").get_transport().name == "wire"


def test_the_wire_names_the_application_that_boto3_would_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AWS_SDK_UA_APP_ID is a part of the user agent."""
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")

    lines = get_wire(create_client("http://127.0.0.1:9"))._first_lines

    assert "User-Agent: app/shop beaker-dynamodb/" in lines


def test_without_credentials_boto3_is_named_as_what_makes_the_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that has found none makes no call by the wire, whatever the option says."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setattr(clients, "get_credentials", lambda _: None)

    transport = create_client("http://127.0.0.1:9").get_transport()

    assert transport == Transport("boto3", "boto3 has found no credentials")


def test_a_client_of_the_application_is_used_as_it_is(dynamodb_local: str, table_name: str) -> None:
    """`auto` calls it. `wire` contradicts it, and is refused."""
    apps.make_table(dynamodb_local, table_name)
    boto3_client = Server(dynamodb_local, Flavor.LOCAL).client()
    client = create_client(dynamodb_local, "auto", client=boto3_client)
    put_item(client, table_name, "alice")
    refused = catch_error(
        lambda: create_client(dynamodb_local, "wire", client=boto3_client).get_transport()
    )

    reason = "option 'client' provides a client of its own"
    assert client.get_transport() == Transport("boto3", reason)
    assert type(refused) is OptionError
    assert "option 'client'" in str(refused)


def test_only_auto_avoids_bypassing_what_listens(dynamodb_local: str, table_name: str) -> None:
    """The process of the tests has imported moto, which registers a handler in each client."""
    transport = create_client(dynamodb_local, "auto").get_transport()

    assert transport.name == "boto3"
    assert "moto" in transport.reason
    assert create_client(dynamodb_local, "wire").get_transport().name == "wire"


def test_auto_uses_boto3_with_an_unknown_version_of_botocore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If its private attributes are missing, nothing is known of who listens or of a proxy."""
    client = create_client("http://127.0.0.1:9", "auto")
    boto3_client = client._get_clients().boto3
    monkeypatch.delattr(boto3_client.meta.events, "_emitter")
    transport = client.get_transport()
    monkeypatch.delattr(boto3_client._endpoint.http_session, "_proxy_config")

    assert transport == Transport(
        "boto3", "this version of botocore does not expose who listens to its calls"
    )
    assert [*find_obstacles(boto3_client, 3)] == [
        "this version of botocore does not expose its proxy and certificates"
    ]
