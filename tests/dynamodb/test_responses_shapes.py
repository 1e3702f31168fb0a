"""A reply that is JSON, and of a shape that DynamoDB never gives: an error of ours, or harmless."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beaker_dynamodb
from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.responses import count_units
from beaker_dynamodb.dynamodb.table import Table, deserialize
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable
from beaker_dynamodb.item.keys import Layout
from beaker_dynamodb.runtime import Runtime
from tests.dynamodb.rows import SCHEMA
from tests.dynamodb.scripted_client import Script
from tests.faults.kinds import Rewrite
from tests.proxy import FaultProxy
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
    optional=dict.fromkeys(("id", "data", "rev", "gone_at", "early", "name", "range"), typed),
)


def table_of(client: Script, range_key: str | None) -> Table:
    """Put a table behind a client that answers what a test wrote."""
    return Table(client.client, "sessions", Layout("sess:", "id", range_key), SCHEMA)


@LAW
@given(values)
def test_what_a_call_cost_is_read_from_any_shape(value: Any) -> None:
    """What is no number costs nothing; nothing is raised, for a page would fail over it."""
    for told in (value, [value], {"CapacityUnits": value}, [{"CapacityUnits": value}]):
        assert sum(count_units("GetItem", {"ConsumedCapacity": told})) >= 0


@LAW
@given(values)
def test_any_value_is_read(value: Any) -> None:
    """A typed value of another shape is not None: a missing expiry would mean for ever."""
    assert value or deserialize(value) is not None


@pytest.mark.parametrize("range_key", [None, "range"])
@LAW
@given(items)
def test_a_row_of_any_shape_is_a_row_or_an_error_of_ours(
    range_key: str | None, item: dict[str, Any]
) -> None:
    """One that is read, one that a refused write brings, and one that a query came by."""
    client = Script(GetItem={"Item": item}, Query={"Items": [item]}, Scan={"Items": [item]})
    table = table_of(client, range_key)

    with contextlib.suppress(DynamoDBBackendError):
        table.get(table.layout.session("a"), consistent=True)
    with contextlib.suppress(DynamoDBBackendError):
        table.parse_item(table.parse_key(item), item)
    for found in (pages.query_rows(table, "sess:a"), pages.scan_rows(table, ["sess:a"])):
        with contextlib.suppress(DynamoDBBackendError):
            assert all(isinstance(row.key.hash, str) for row in found)


@LAW
@given(values.filter(lambda value: value is not None))
def test_what_a_batch_leaves_undone_is_a_list_or_an_error_of_ours(left: Any) -> None:
    """A batch that would be repeated for ever, or for nothing, ends."""
    undone = {"UnprocessedKeys": {"sessions": left}, "UnprocessedItems": {"sessions": left}}
    table = table_of(Script(BatchGetItem=undone, BatchWriteItem=undone), None)
    key = table.layout.session("a")

    with contextlib.suppress(DynamoDBBackendError):
        pages.get_many(table, [key], AT_ONCE)
    with contextlib.suppress(DynamoDBBackendError):
        pages.delete_many(table, [key], AT_ONCE)


def test_pages_that_begin_anew_end() -> None:
    """A broken server that names the same page for ever keeps no page of the application waiting.

    So does botocore with the pages that it turns itself.
    """
    page = {"Items": [{"id": {"S": "sess:a"}}], "LastEvaluatedKey": {"id": {"S": "sess:a"}}}
    table = table_of(Script(Query=page, Scan=page), None)

    for pages_of in (
        pages.query_rows(table, "sess:a"),
        pages.scan_rows(table, ["sess:a"]),
        pages.paginate(table, "Scan", {}),
    ):
        with pytest.raises(Unavailable):
            list(itertools.islice(pages_of, 10))


@pytest.mark.parametrize("units", [5, "many", {"CapacityUnits": "many"}], ids=repr)
@pytest.mark.parametrize("transport", ["boto3", "wire"])
def test_a_save_that_is_observed_fails_over_no_figure(
    dynamodb_local: str, table_name: str, proxy: FaultProxy, transport: str, units: object
) -> None:
    """The metrics of an application raise nothing of their own out of a save."""
    site = Site.made(dynamodb_local, table_name)
    user = site.begun(user="ann")
    beaker_dynamodb.observe(lambda _: None)
    rewrite = Rewrite(lambda body: {**body, "ConsumedCapacity": units})
    proxy.next(rewrite, operation="PutItem", times=None)

    with contextlib.suppress(DynamoDBBackendError):  # boto3 cannot read some of them
        site.behind(proxy, transport=transport, max_attempts=2).visit(user, put(cart=1))

    assert site.found(user) == {"user": "ann", "cart": 1}
