"""The wire makes calls as boto3 does, and leaves to boto3 what it cannot do."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaker_dynamodb import observe
from tests.dynamodb.doubles import catch_error
from tests.dynamodb.wire_clients import (
    create_client,
    get_idle_ports,
    get_item,
    get_wire,
    make_create_request,
    make_key,
    put_item,
)
from tests.faults.fault_kinds import LoseReply
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
def test_an_item_is_the_same_over_either_transport(
    dynamodb_local: str, table: str, value: dict[str, Any]
) -> None:
    """Written by each and read by both: every type of DynamoDB, at any depth."""
    wire, boto3 = get_clients(dynamodb_local)
    put_item(wire, table, "bob", value=value)
    put_item(boto3, table, "carol", value=value)
    found = [get_item(client, table, name) for client in (wire, boto3) for name in ("bob", "carol")]
    request = make_create_request(table, "bob")
    refusals = [client.call("PutItem", request) for client in (wire, boto3)]
    olds = []
    for client in (wire, boto3):
        put_item(client, table, "bob", value=value)
        asked = {"TableName": table, "Key": make_key("bob"), "ReturnValues": "ALL_OLD"}
        olds.append(client.call("DeleteItem", asked).body["Attributes"])

    assert {json.dumps(item["value"], default=repr, sort_keys=True) for item in found} == {
        json.dumps(found[-1]["value"], default=repr, sort_keys=True)
    }
    assert refusals[0] == refusals[1]
    assert refusals[0].refused
    assert olds[0] == olds[1] == refusals[0].body["Item"]


def get_clients(url: str) -> tuple[Any, Any]:
    """Return a client of each transport, created once for each server."""
    if url not in _clients:
        _clients[url] = (create_client(url), create_client(url, "boto3"))
    return _clients[url]


_clients: dict[str, tuple[Any, Any]] = {}


def test_calls_that_succeed_need_no_boto3(
    dynamodb_local: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read, a write, a delete and a condition that does not hold, over one connection."""
    client, by_boto3 = create_client(dynamodb_local), list[object]()
    monkeypatch.setattr(client._get_clients().boto3, "_make_api_call", by_boto3.append)
    monkeypatch.setattr(client._get_clients().fallback, "_make_api_call", by_boto3.append)
    first = client.call("PutItem", make_create_request(table, "bob"))
    second = client.call("PutItem", make_create_request(table, "bob"))
    found = get_item(client, table, "bob")
    client.call("DeleteItem", {"TableName": table, "Key": make_key("bob")})

    assert (first.refused, second.refused) == (False, True)
    assert second.body["Item"] == found == {**make_key("bob"), "mark": {"B": b"\x00\xff"}}
    assert get_item(client, table, "bob") is None
    assert (len(get_idle_ports(client)), by_boto3) == (1, [])


def test_a_request_that_cannot_be_encoded_is_refused_by_boto3(
    proxy: FaultProxy, table: str
) -> None:
    """The error is the same as over boto3, and nothing is stored."""
    for value in (object(), {1, 2}, 5):
        errors = [
            catch_error(partial(put_item, create_client(proxy.url, by), table, "bob", mark=value))
            for by in ("wire", "boto3")
        ]

        assert type(errors[0]) is type(errors[1])
        assert str(errors[0]) == str(errors[1])
    assert get_item(create_client(proxy.url), table, "bob") is None


def test_credentials_are_read_at_every_call(proxy: FaultProxy, table: str) -> None:
    """So they are refreshed in time. If a provider raises, boto3 makes the call."""
    client = create_client(proxy.url)
    wire, asked = get_wire(client), list[str]()

    def fresh() -> ReadOnlyCredentials:
        asked.append(f"key{len(asked)}")
        if len(asked) == 2:
            raise KeyError("Expiration")
        return Credentials("testing", "testing", asked[-1]).get_frozen_credentials()

    wire._get_credentials = fresh
    found = [get_item(client, table, "alice") for _ in range(3)]

    assert found == [found[0]] * 3
    assert asked == ["key0", "key1", "key2"]
    assert wire._signer._key is not None
    assert wire._signer._key.token == "key2"


def test_no_repr_shows_a_secret(dynamodb_local: str) -> None:
    """Neither that of the wire, nor that of its options."""
    client = create_client(dynamodb_local, aws_access_key_id="AKID", aws_secret_access_key="SECRET")
    get_frozen = get_wire(client)._get_credentials
    shown = repr(get_wire(client)) + repr(get_wire(client)._options) + repr(client._get_clients())

    assert get_frozen().access_key == "AKID"
    assert "AKID" not in shown
    assert "SECRET" not in shown


def test_threads_never_share_a_connection_in_use(proxy: FaultProxy, table: str) -> None:
    """Each of 16 threads reads its own item, and few connections are kept."""
    client = create_client(proxy.url, max_pool_connections=4)
    for number in range(16):
        put_item(client, table, f"user{number}", mark={"N": str(number)})

    def read(number: int) -> list[Any]:
        return [get_item(client, table, f"user{number}")["mark"] for _ in range(20)]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(read, range(16)))

    assert found == [[{"N": str(number)}] * 20 for number in range(16)]
    assert 1 <= len(get_idle_ports(client)) <= 4


def test_observers_get_one_event_for_a_call_that_boto3_repeats(
    proxy: FaultProxy, table: str
) -> None:
    """As for boto3's own retries. Each event has its outcome and its units."""
    seen: list[Any] = []
    observe(seen.append)
    client = create_client(proxy.url)
    proxy.next(LoseReply())
    get_item(client, table, "alice")
    get_item(client, table, "alice")
    client.call("PutItem", make_create_request(table, "alice"))

    assert [(event.operation, event.outcome) for event in seen] == [
        ("GetItem", "ok"),
        ("GetItem", "ok"),
        ("PutItem", "refused"),
    ]
    assert [event.read_units for event in seen] == [1.0, 1.0, 0.0]
