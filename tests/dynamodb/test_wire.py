"""The wire carries what goes well, as boto3 would; everything else it hands over."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaker_dynamodb import observe
from tests.dynamodb.doubles import failure
from tests.dynamodb.wire_clients import a_client, create, get, key, ports, put, wire_of
from tests.faults.kinds import LoseReply
from tests.proxy import FaultProxy

WORDS: Final = st.text(st.characters(codec="utf-8"), max_size=20)
BYTES: Final = st.binary(min_size=1, max_size=20)
NUMBERS: Final = st.integers(-(10**20), 10**20).map(str)
PLAIN: Final = st.one_of(
    WORDS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    BYTES.map(lambda some: {"B": some}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.lists(BYTES, min_size=1, max_size=3, unique=True).map(lambda some: {"BS": sorted(some)}),
    st.lists(NUMBERS, min_size=1, max_size=3, unique=True).map(lambda some: {"NS": some}),
)
VALUES: Final = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: {"L": some}),
        st.dictionaries(WORDS.filter(bool), inner, max_size=3).map(lambda some: {"M": some}),
    ),
    max_leaves=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(VALUES)
def test_an_item_is_the_same_by_either_transport(
    dynamodb_local: str, table: str, value: dict[str, Any]
) -> None:
    """Written by one and read by both: every type of DynamoDB's, however deep."""
    wire, boto3 = doors(dynamodb_local)
    put(wire, table, "bob", value=value)
    put(boto3, table, "carol", value=value)
    found = [get(client, table, name) for client in (wire, boto3) for name in ("bob", "carol")]
    request = create(table, "bob")
    refusals = [client.call("PutItem", request) for client in (wire, boto3)]
    olds = []
    for client in (wire, boto3):
        put(client, table, "bob", value=value)
        asked = {"TableName": table, "Key": key("bob"), "ReturnValues": "ALL_OLD"}
        olds.append(client.call("DeleteItem", asked).body["Attributes"])

    assert {json.dumps(item["value"], default=repr, sort_keys=True) for item in found} == {
        json.dumps(found[-1]["value"], default=repr, sort_keys=True)
    }
    assert refusals[0] == refusals[1]
    assert refusals[0].refused
    assert olds[0] == olds[1] == refusals[0].body["Item"]


def doors(url: str) -> tuple[Any, Any]:
    """Open a client over each transport, once a server."""
    if url not in _clients:
        _clients[url] = (a_client(url), a_client(url, "boto3"))
    return _clients[url]


_clients: dict[str, tuple[Any, Any]] = {}


def test_what_goes_well_needs_no_boto3(
    dynamodb_local: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads, writes, deletes, and a condition that does not hold, over one connection."""
    client, by_boto3 = a_client(dynamodb_local), list[object]()
    monkeypatch.setattr(client._get_clients().boto3, "_make_api_call", by_boto3.append)
    monkeypatch.setattr(client._get_clients().fallback, "_make_api_call", by_boto3.append)
    first = client.call("PutItem", create(table, "bob"))
    second = client.call("PutItem", create(table, "bob"))
    found = get(client, table, "bob")
    client.call("DeleteItem", {"TableName": table, "Key": key("bob")})

    assert (first.refused, second.refused, second.retried) == (False, True, False)
    assert second.body["Item"] == found == {**key("bob"), "mark": {"B": b"\x00\xff"}}
    assert get(client, table, "bob") is None
    assert (len(ports(client)), by_boto3) == (1, [])


def test_a_request_that_cannot_be_written_is_boto3s_to_refuse(
    proxy: FaultProxy, table: str
) -> None:
    """What is no JSON, or nothing of DynamoDB's: the same error as ever, and nothing is stored."""
    for value in (object(), {1, 2}, 5):
        errors = [
            failure(partial(put, a_client(proxy.url, by), table, "bob", mark=value))
            for by in ("wire", "boto3")
        ]

        assert type(errors[0]) is type(errors[1])
        assert str(errors[0]) == str(errors[1])
    assert get(a_client(proxy.url), table, "bob") is None


def test_credentials_are_asked_for_at_every_call(proxy: FaultProxy, table: str) -> None:
    """They are refreshed as they are asked for; what a provider raises is boto3's matter."""
    client = a_client(proxy.url)
    wire, asked = wire_of(client), list[str]()

    def fresh() -> ReadOnlyCredentials:
        asked.append(f"key{len(asked)}")
        if len(asked) == 2:
            raise KeyError("Expiration")
        return Credentials("testing", "testing", asked[-1]).get_frozen_credentials()

    wire._config = dataclasses.replace(wire._config, get_credentials=fresh)
    found = [get(client, table, "alice") for _ in range(3)]

    assert found == [found[0]] * 3
    assert asked == ["key0", "key1", "key2"]
    assert wire._signer._key is not None
    assert wire._signer._key.token == "key2"


def test_no_secret_stands_in_a_repr(dynamodb_local: str) -> None:
    """Neither of the wire nor of what the client has handed it."""
    client = a_client(dynamodb_local, aws_access_key_id="AKID", aws_secret_access_key="SECRET")
    get_frozen = wire_of(client)._config.get_credentials
    shown = repr(wire_of(client)) + repr(wire_of(client)._config) + repr(client._get_clients())

    assert get_frozen().access_key == "AKID"
    assert "AKID" not in shown
    assert "SECRET" not in shown


def test_threads_never_share_a_connection_in_use(proxy: FaultProxy, table: str) -> None:
    """Sixteen threads read an item each: none gets another's, and few connections rest."""
    client = a_client(proxy.url, max_pool_connections=4)
    for number in range(16):
        put(client, table, f"user{number}", mark={"N": str(number)})

    def read(number: int) -> list[Any]:
        return [get(client, table, f"user{number}")["mark"] for _ in range(20)]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(read, range(16)))

    assert found == [[{"N": str(number)}] * 20 for number in range(16)]
    assert 1 <= len(ports(client)) <= 4


def test_the_meter_counts_a_call_that_was_handed_over_once(proxy: FaultProxy, table: str) -> None:
    """One event a call, as of boto3's own retries; each names its outcome and its units."""
    seen: list[Any] = []
    observe(seen.append)
    client = a_client(proxy.url)
    proxy.next(LoseReply())
    get(client, table, "alice")
    get(client, table, "alice")
    client.call("PutItem", create(table, "alice"))

    assert [(event.operation, event.outcome) for event in seen] == [
        ("GetItem", "ok"),
        ("GetItem", "ok"),
        ("PutItem", "refused"),
    ]
    assert [event.read_units for event in seen] == [1.0, 1.0, 0.0]
