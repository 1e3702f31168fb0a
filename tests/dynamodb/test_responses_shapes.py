"""JSON responses that DynamoDB never sends: each is harmless or one of our errors."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beaker_dynamodb
from beaker_dynamodb.dynamodb import pages, scan
from beaker_dynamodb.dynamodb.responses import count_units
from beaker_dynamodb.dynamodb.table import Table, deserialize
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable
from beaker_dynamodb.item.keys import Layout
from beaker_dynamodb.runtime import Runtime
from tests.dynamodb.rows import SCHEMA
from tests.dynamodb.scripted_client import Script
from tests.faults.fault_kinds import Rewrite
from tests.proxy import FaultProxy
from tests.revisions import make_rev
from tests.sessions.overlap import Site
from tests.sessions.views import put

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")

LAW = settings(max_examples=300, derandomize=True, deadline=None)
AT_ONCE = Runtime(sleep=lambda _: None)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["S", "N", "Keys", "CapacityUnits"]), inner, max_size=2)
    ),
    max_leaves=4,
)
#: botocore gives None for what is null within a map, and a text or number as it came.
typed = st.none() | st.dictionaries(st.sampled_from(["S", "N", "B"]), values, max_size=1)
items = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "data", "rev", "gone_at", "early", "cache_key", "range"), typed),
)


def create_table(client: Script, range_key: str | None) -> Table:
    """Return a table with a scripted client."""
    return Table(client.client, "sessions", Layout("sess:", "id", range_key), SCHEMA)


@LAW
@given(values)
def test_consumed_units_of_any_shape_are_counted(value: Any) -> None:
    """What is not a number counts as 0. Nothing is raised: a page would fail."""
    for told in (value, [value], {"CapacityUnits": value}, [{"CapacityUnits": value}]):
        assert sum(count_units("GetItem", {"ConsumedCapacity": told})) >= 0


@LAW
@given(values)
def test_a_value_of_any_shape_is_deserialized(value: Any) -> None:
    """It does not become None: a missing expiry would mean that the row never expires."""
    assert value or deserialize(value) is not None


@pytest.mark.parametrize("range_key", [None, "range"])
@LAW
@given(items)
def test_an_item_of_any_shape_is_a_row_or_one_of_our_errors(
    range_key: str | None, item: dict[str, Any]
) -> None:
    """Whether it was read, returned by a refused write, or found by a query."""
    client = Script(GetItem={"Item": item}, Query={"Items": [item]}, Scan={"Items": [item]})
    table = create_table(client, range_key)

    with contextlib.suppress(DynamoDBBackendError):
        table.get(table.layout.make_session_key("a"), consistent=True)
    with contextlib.suppress(DynamoDBBackendError):
        table.parse_item(table.parse_key(item), item)
    for found in (pages.query_rows(table, "sess:a"), pages.scan_rows(table, ["sess:a"])):
        with contextlib.suppress(DynamoDBBackendError):
            assert all(isinstance(row.key.hash, str) for row in found)


@LAW
@given(values.filter(lambda value: value is not None))
def test_unprocessed_keys_of_any_shape_are_a_list_or_one_of_our_errors(left: Any) -> None:
    """No batch is repeated forever, or without keys."""
    undone = {"UnprocessedKeys": {"sessions": left}, "UnprocessedItems": {"sessions": left}}
    table = create_table(Script(BatchGetItem=undone, BatchWriteItem=undone), None)
    key = table.layout.make_session_key("a")

    with contextlib.suppress(DynamoDBBackendError):
        list(pages.get_items(table, [key], AT_ONCE))
    with contextlib.suppress(DynamoDBBackendError):
        pages.delete_many(table, [key], AT_ONCE)


def test_a_batch_that_returns_another_item_is_an_outage() -> None:
    """Responses were mixed up. A KeyError would be "no such session", and log the user out."""
    other = {"id": {"S": "sess:b"}, "data": {"B": b"data"}, "rev": {"B": make_rev("b.t")}}
    table = create_table(Script(BatchGetItem={"Responses": {"sessions": [other]}}), None)
    key = table.layout.make_session_key("a")

    with pytest.raises(Unavailable):
        list(scan.get_rows(table, [key], AT_ONCE))


def test_pages_that_repeat_end() -> None:
    """A server that returns the same page forever is an outage.

    botocore's own paginators do the same.
    """
    page = {"Items": [{"id": {"S": "sess:a"}}], "LastEvaluatedKey": {"id": {"S": "sess:a"}}}
    table = create_table(Script(Query=page, Scan=page), None)

    for pages_of in (
        pages.query_rows(table, "sess:a"),
        pages.scan_rows(table, ["sess:a"]),
        pages.paginate(table, "Scan", {}),
    ):
        with pytest.raises(Unavailable):
            list(itertools.islice(pages_of, 10))


@pytest.mark.parametrize("units", [5, "many", {"CapacityUnits": "many"}], ids=repr)
@pytest.mark.parametrize("transport", ["boto3", "wire"])
def test_a_save_succeeds_although_its_units_cannot_be_read(
    dynamodb_local: str, table_name: str, proxy: FaultProxy, transport: str, units: object
) -> None:
    """Counting units for the observers raises nothing."""
    site = Site.create(dynamodb_local, table_name)
    user = site.begin_session(user="ann")
    beaker_dynamodb.observe(lambda _: None)
    rewrite = Rewrite(lambda body: {**body, "ConsumedCapacity": units})
    proxy.next(rewrite, operation="PutItem", times=None)

    with contextlib.suppress(DynamoDBBackendError):  # boto3 cannot read some of them
        site.behind(proxy, transport=transport, max_attempts=2).visit(user, put(cart=1))

    assert site.read_session(user) == {"user": "ann", "cart": 1}
