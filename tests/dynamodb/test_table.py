"""A table: conditions, refused writes that return the stored row, and other errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_dynamodb import CorruptItem, Unavailable
from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.dynamodb.table import At, Condition, NoLiveRow, Table
from beaker_dynamodb.dynamodb.wire.client import _encode
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema
from tests.dynamodb.doubles import catch_error
from tests.dynamodb.rows import NOW, make_record, open_creating_table, open_table
from tests.faults.fault_kinds import Rewrite, aws_error
from tests.proxy import FaultProxy
from tests.revisions import make_prev, make_rev
from tests.servers import Server
from tests.sessions import apps


@pytest.fixture(params=[None, "session"], ids=["hash", "hash+range"])
def table(request: pytest.FixtureRequest, server: Server, table_name: str) -> Table:
    """Create an empty table, in each layout and on each server; `session` is a reserved word."""
    apps.make_table(server.url, table_name, request.param)
    return open_table(server.url, table_name, request.param)


def test_a_row_is_read_as_it_was_written(table: Table) -> None:
    """All its attributes are there, and no others."""
    promoted = {"userId": "4711", "visits": 3, "mark": b"\x00\xff"}
    full = make_record(table, prev=make_prev("a b"), name="a key", promoted=promoted)
    bare = make_record(table, names="birth.later", expires=None, data=b"")

    table.put(full, NoLiveRow(NOW))
    first = table.get(full.key, consistent=True)
    table.put(bare, At(make_rev("birth.token")))
    second = table.get(full.key, consistent=False)
    other = table.get(table.layout.make_session_key("bob"), consistent=True)

    assert (first, second, other) == (full, bare, None)


#: The stored row, the condition of the write, and whether it holds.
CONDITIONS: Final[tuple[tuple[dict[str, Any] | None, Condition, bool], ...]] = (
    (None, NoLiveRow(NOW), True),
    (None, At(make_rev("birth.token")), False),
    ({}, NoLiveRow(NOW), False),
    ({"expires": int(NOW)}, NoLiveRow(NOW), True),
    ({"expires": int(NOW)}, NoLiveRow(NOW + 0.9), True),
    ({"expires": int(NOW) + 1}, NoLiveRow(NOW), False),
    ({"expires": None}, NoLiveRow(NOW), False),
    ({}, At(make_rev("birth.token")), True),
    ({}, At(make_rev("birth.other")), False),
    ({}, At(b"birth"), False),
    ({}, At(make_rev("birth.token"), int(NOW) + 60), True),
    ({}, At(make_rev("birth.token"), int(NOW) + 61), False),
    ({"expires": None}, At(make_rev("birth.token"), int(NOW)), False),
)


@pytest.mark.parametrize(("stored", "condition", "holds"), CONDITIONS)
def test_a_write_is_done_or_returns_the_stored_row(
    stored: dict[str, Any] | None, condition: Condition, holds: bool, table: Table
) -> None:
    """If the condition does not hold, nothing is changed, and the result has the stored row."""
    theirs = None if stored is None else make_record(table, **stored)
    if theirs is not None:
        assert table.put(theirs, NoLiveRow(NOW + 10**6)) is None
    ours = make_record(table, names="birth.ours")

    refusal = table.put(ours, condition)
    found = table.get(ours.key, consistent=True)
    deleted = table.delete(ours.key, At(make_rev("birth.ours" if holds else "birth.unknown")))

    assert found == (ours if holds else theirs)
    assert (refusal is None) is holds
    assert refusal is None or refusal.theirs == theirs
    assert (deleted is None) is holds
    assert deleted is None or deleted.theirs == theirs
    assert table.get(ours.key, consistent=True) == (None if holds else theirs)


def _remove_item(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in body.keys() - {"Item"}}


def _replace_key(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "Item": {**body["Item"], "id": {"S": "sess:mallory"}}}


@pytest.fixture
def proxied(dynamodb_local: str, table_name: str) -> Iterator[tuple[Table, FaultProxy]]:
    """Create a table with one row, and reach it through a proxy."""
    apps.make_table(dynamodb_local, table_name)
    with FaultProxy(dynamodb_local) as proxy:
        table = open_table(proxy.url, table_name)
        table.put(make_record(table), NoLiveRow(NOW))
        proxy.clear()
        yield table, proxy


def test_the_stored_row_is_read_if_an_emulator_does_not_return_it(
    proxied: tuple[Table, FaultProxy],
) -> None:
    """It is read consistently."""
    table, proxy = proxied
    proxy.next(Rewrite(_remove_item), operation="PutItem")

    refusal = table.put(make_record(table), NoLiveRow(NOW))

    assert refusal is not None
    assert refusal.theirs == make_record(table)
    assert proxy.operations == ["PutItem", "GetItem"]
    assert proxy.seen[1].body["ConsistentRead"] is True


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_a_response_with_another_item_is_an_outage(
    operation: str, proxied: tuple[Table, FaultProxy]
) -> None:
    """It is the response to another request."""
    table, proxy = proxied
    proxy.next(Rewrite(_replace_key), operation=operation, times=None)

    read = partial(table.get, make_record(table).key, consistent=True)
    write = partial(table.put, make_record(table), NoLiveRow(NOW))
    error = catch_error(read if operation == "GetItem" else write)

    assert type(error) is Unavailable
    assert "mallory" not in str(error)


def test_a_read_is_repeated_once_if_its_response_has_another_item(
    proxied: tuple[Table, FaultProxy],
) -> None:
    """The second response is valid."""
    table, proxy = proxied
    proxy.next(Rewrite(_replace_key), operation="GetItem")

    assert table.get(make_record(table).key, consistent=True) == make_record(table)
    assert proxy.operations == ["GetItem", "GetItem"]


def test_a_row_of_another_store_is_corrupt(dynamodb_local: str, table_name: str) -> None:
    """The error of a refused write contains nothing of it."""
    apps.make_table(dynamodb_local, table_name)
    table = open_table(dynamodb_local, table_name)
    apps.write_row(dynamodb_local, table_name, {"id": {"S": "sess:alice"}, "x": {"S": "secret"}})

    error = catch_error(lambda: table.put(make_record(table), NoLiveRow(NOW)))

    assert type(error) is CorruptItem
    assert "secret" not in f"{error}{error!r}"


def test_only_a_missing_table_is_created(proxied: tuple[Table, FaultProxy]) -> None:
    """A denied permission or an outage creates none."""
    table, proxy = proxied
    fresh = open_creating_table(proxy.url, table.name)
    for code in ("AccessDeniedException", "ValidationException", "InternalServerError"):
        proxy.next(aws_error(code))
        catch_error(lambda: fresh.get(Key("sess:alice"), consistent=True))

    assert proxy.operations == ["GetItem"] * 3


NAMES: Final = st.text(min_size=1, max_size=9)
RECORDS: Final = st.builds(
    lambda key, data, prev, expires, name, promoted: Record(
        key, data, make_rev("birth.token"), prev, expires, name, promoted
    ),
    st.builds(Key, NAMES, NAMES),
    st.binary(max_size=99),
    st.sampled_from([b"", make_prev("a b")]),
    st.none() | st.integers(0, 10**12),
    st.none() | NAMES,
    st.dictionaries(NAMES, NAMES | st.binary(max_size=9) | st.integers(-9, 9), max_size=3),
)


class RecordingClient:
    """Keeps the requests, and answers each with an empty success."""

    def __init__(self) -> None:
        self.known_tables: set[str] = set()
        self.requests: list[Any] = []

    def call(self, _: str, request: Any, **__: object) -> Response:
        self.requests.append(request)
        return Response({})


@settings(derandomize=True, deadline=None)
@given(RECORDS, NAMES, st.booleans(), st.none() | st.just("range"))
def test_a_request_is_the_same_as_json_and_for_boto3(
    record: Record, name: str, consistent: bool, range_key: str | None
) -> None:
    """The text that the wire sends says what the dict says, for every row and every name."""
    client = RecordingClient()
    table = Table(cast("Client", client), name, Layout("sess:", "id", range_key), Schema())
    table.get(record.key, consistent=consistent)
    table.put(record, At(record.rev))

    for request in client.requests:
        assert json.loads(request.text) == json.loads(_encode(dict(request)))
        assert request["ReturnConsumedCapacity"] == "TOTAL"
