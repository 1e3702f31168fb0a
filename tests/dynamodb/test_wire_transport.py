"""What carries a call, `boto3`, `wire` or `auto`: decided purely, looked at again at a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from beaker_dynamodb import OptionError
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.wire.transport import Facts, Transport, chosen, obstacles
from tests.dynamodb.doubles import failure
from tests.dynamodb.wire_clients import a_client, put
from tests.servers import Flavor, Server
from tests.sessions import apps

ROOT = Path(__file__).parents[2]
FREE, WAY, LISTENS = Facts(), Facts(("an obstacle",)), Facts(blind=("a listener",))
BOTH: Final = Facts(("an obstacle",), ("a listener",))


@pytest.mark.parametrize(
    ("wanted", "facts", "name", "why"),
    [
        ("boto3", FREE, "boto3", "option"),
        ("boto3", BOTH, "boto3", "option"),
        ("wire", FREE, "wire", "option"),
        ("wire", LISTENS, "wire", "option"),
        ("auto", FREE, "wire", "nothing"),
        ("auto", LISTENS, "boto3", "a listener"),
        ("auto", WAY, "boto3", "an obstacle"),
        ("auto", BOTH, "boto3", "an obstacle"),
    ],
)
def test_the_choice(wanted: str, facts: Facts, name: str, why: str) -> None:
    """`wire` passes listeners by; `auto` minds them; the reason is always told."""
    found = chosen(wanted, facts)

    assert found.name == name
    assert found.why.startswith(why)


@pytest.mark.parametrize("facts", [WAY, BOTH])
def test_the_wire_is_refused_where_it_cannot_work(facts: Facts) -> None:
    """The error names what stands in the way, and the option that copes with it."""
    with pytest.raises(OptionError, match=r"an obstacle; transport = auto uses boto3 then"):
        chosen("wire", facts)


def test_the_option_knows_three_words(carried: str) -> None:
    """It is part of what makes one client unlike another; boto3 is the default."""
    assert Options().transport == Connection().transport == "boto3"
    for word, kept in (("boto3", carried), ("wire", "wire"), ("auto", "auto")):
        assert Connection.of(parse({"transport": word.upper()}, "session")).transport == kept
    with pytest.raises(OptionError, match="boto3 or wire or auto"):
        parse({"transport": "pigeon"}, "session")


OBSTACLES: Final[dict[str, tuple[dict[str, Any], dict[str, str], str]]] = {
    "one attempt": ({"max_attempts": 1}, {}, "max_attempts = 1"),
    "a proxy": ({}, {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}, "a proxy"),
    "a proxy in small letters": ({}, {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": ""}, "proxy"),
    "a path": ({"endpoint_url": "http://127.0.0.1:9/dynamodb"}, {}, "has a path"),
    "the account's endpoint": ({}, {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"}, "account"),
}


@pytest.mark.parametrize("case", OBSTACLES.values(), ids=[*OBSTACLES])
def test_where_the_wire_cannot_work(
    case: tuple[dict[str, Any], dict[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wire` is refused before anything is sent, `auto` takes boto3; both say why."""
    options, environment, word = case
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = {"url": options.pop("endpoint_url", "http://127.0.0.1:9"), **options}

    refused = failure(lambda: a_client(**given).call("GetItem", {"TableName": "t"}))
    found = a_client(transport="auto", **given).transport()

    assert type(refused) is OptionError
    assert word in str(refused)
    assert found.name == "boto3"
    assert word in found.why


def test_a_proxy_that_is_bypassed_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY counts as it does for botocore."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert a_client("http://127.0.0.1:9").transport().name == "wire"


def test_a_client_of_the_applications_own_is_used_as_it_is(
    dynamodb_local: str, table_name: str
) -> None:
    """`auto` calls it; `wire` with it is a contradiction, and refused."""
    apps.make_table(dynamodb_local, table_name)
    boto3_client = Server(dynamodb_local, Flavor.LOCAL).client()
    client = a_client(dynamodb_local, "auto", client=boto3_client)
    put(client, table_name, "alice")
    refused = failure(lambda: a_client(dynamodb_local, "wire", client=boto3_client).transport())

    assert client.transport() == Transport("boto3", "option 'client' provides a client of its own")
    assert type(refused) is OptionError
    assert "option 'client'" in str(refused)


def test_the_wire_passes_by_what_listens(dynamodb_local: str, table_name: str) -> None:
    """The tests' own process has imported moto, whose handler `auto` minds and `wire` does not."""
    found = a_client(dynamodb_local, "auto").transport()

    assert found.name == "boto3"
    assert "moto" in found.why
    assert a_client(dynamodb_local, "wire").transport().name == "wire"


def test_a_botocore_of_another_build_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked into is not passed by: `auto` takes boto3, and says why."""
    client = a_client("http://127.0.0.1:9", "auto")
    boto3_client = client._current()
    monkeypatch.delattr(boto3_client.meta.events, "_emitter")
    deaf = client.transport()
    monkeypatch.delattr(boto3_client._endpoint.http_session, "_proxy_config")

    assert deaf == Transport(
        "boto3", "this version of botocore does not expose who listens to its calls"
    )
    assert obstacles(client.connection, boto3_client) == (
        "this version of botocore does not expose its proxy and certificates",
    )
