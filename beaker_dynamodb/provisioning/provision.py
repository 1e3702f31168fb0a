"""Describe the table, and create it with its TTL: the control plane of DynamoDB.

For operators, and for a request whose call has just found no table. Several workers may do this
at once, and each succeeds. An existing table's settings are never changed here, except that TTL
is enabled.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.embedded import EMBEDDED
from beaker_dynamodb.dynamodb.table import Table
from beaker_dynamodb.errors import (
    AccessRefused,
    CallFacts,
    DynamoDBBackendError,
    Refused,
    TableMismatch,
    TableMissing,
    Unavailable,
    mask,
    say_table_missing,
)
from beaker_dynamodb.provisioning.description import SERVING, Description, Expiry
from beaker_dynamodb.provisioning.spec import TableSpec, table_spec
from beaker_dynamodb.runtime import REAL, Runtime

log: Final = logging.getLogger(__name__)

#: Seconds between the first attempts; then the last of them, again and again.
_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_LAST_PAUSE: Final = 2.0
#: What an emulator answers to an operation that it does not support.
UNSUPPORTED: Final = "UnknownOperationException"
IN_USE: Final = "ResourceInUseException"
#: Codes of UpdateTimeToLive if TTL is enabled already, or for another attribute, or was changed
#: within the hour, or the table is being changed (AWS: API_UpdateTimeToLive). The text that tells
#: them apart stays in the client.
_TTL_UNCHANGED: Final = frozenset({"ValidationException", IN_USE, "LimitExceededException"})
_UNKNOWN: Final = Expiry(None, "unknown")


@dataclass(frozen=True, slots=True)
class Waiter:
    """How long to wait for a change of a table: *timeout* is in seconds of *runtime*'s clock."""

    timeout: float
    runtime: Runtime = REAL

    def start(self) -> Callable[[], bool]:
        """Start to wait: return a function that sleeps, or returns False if the time is over."""
        until = self.runtime.monotonic() + self.timeout
        pauses = itertools.chain(_PAUSES, itertools.repeat(_LAST_PAUSE))

        def pause() -> bool:
            seconds = next(pauses)
            if self.runtime.monotonic() + seconds > until:
                return False
            self.runtime.sleep(seconds)
            return True

        return pause


#: An operator can wait; a request must answer before gunicorn's 30 seconds are over.
OPERATOR: Final = Waiter(300.0)
REQUEST: Final = Waiter(20.0)


def describe(client: Client, table: str) -> Description | None:
    """Describe a table and its TTL; return None if it does not exist."""
    response = fetch_table(client, table)
    if response is None:
        return None
    return Description.from_response(response, _fetch_expiry(client, table), region=client.region)


def measure(table: Table) -> Description:
    """Describe the table before a scan: its keys, `rows` and `size`.

    With keys other than the options', a scan would find nothing or take any row for a session,
    while every other call is refused. DynamoDB counts rows and bytes every six hours, those of
    other prefixes too.

    Raises: TableMismatch, if its keys are not those of the options; what the client raises.
    """
    response = table.call("DescribeTable", {}).body["Table"]
    description = Description.from_response(response, _UNKNOWN, region=table.client.region)
    expected = TableSpec(table.name, table.layout.hash_key, table.layout.range_key).schema()
    if description.schema() != expected:
        raise TableMismatch(
            "the table's key schema is not that of the options: it has"
            f" {description.schema()}, the options say {expected}",
            call=CallFacts("DescribeTable", table.name, table.client.region),
        )
    return description


def ensure(client: Client, expected: TableSpec, waiter: Waiter = OPERATOR) -> Description:
    """Create the table if there is none, wait until it serves requests, and enable its TTL.

    Other differences are left to `compare`. The TTL of a table with another key schema is not
    touched: it may belong to another application.

    Raises: TableMissing, if there is none and AWS refuses to create it; Unavailable, if it does
    not serve requests in time.
    """
    response = fetch_table(client, expected.table)
    created = response is None and _create(client, expected)
    response = _wait_until_serving(client, expected, waiter, response)
    expiry = _fetch_expiry(client, expected.table)
    actual = Description.from_response(response, expiry, created=created, region=client.region)
    if actual.schema() != expected.schema() or expiry.status != "disabled":
        return actual
    return replace(actual, expiry=_enable_ttl(client, expected))


def create_on_demand(client: Client, expected: TableSpec, waiter: Waiter = REQUEST) -> Description:
    """Create the table for a request that found none, and log that.

    A refusal to enable TTL does not fail the request: it reads expired rows as absent anyway.

    Raises: as `ensure`.
    """
    created = _create(client, expected)
    response = _wait_until_serving(client, expected, waiter)
    expiry, refusal = _UNKNOWN, ""
    try:
        expiry = _fetch_expiry(client, expected.table)
        if expiry.status == "disabled":
            expiry = _enable_ttl(client, expected)
    except DynamoDBBackendError as error:
        refusal = str(error)
    actual = Description.from_response(response, expiry, created=created, region=client.region)
    if created:
        facts = (actual.table, actual.region, actual.account, expiry)
        if expected.endpoint_url == EMBEDDED:  # each process that starts creates its own
            log.info("a table was created in memory: %r in region %s, account %s, TTL %s", *facts)
        else:
            log.warning("a missing table was created: %r in region %s, account %s, TTL %s", *facts)
    if refusal:
        command = mask(expected.command(client.region))
        log.warning("TTL may be off: table %r: %s; `%s`", actual.table, refusal, command)
    return actual


def create_missing_table(client: Client, options: Options) -> None:
    """Create the table of *options* for a request that found none, as `create_on_demand`.

    If no option names it, the log says so: a cache region reads no global `cache.*` option, and
    its values would go to this table silently.
    """
    actual = create_on_demand(client, table_spec(options))
    is_default = "table" not in options.places and options.table == Options().table
    if actual.created and is_default and options.endpoint_url != EMBEDDED:
        origin = (
            f"option 'region'{options.places.get('region', '')}"
            if options.region
            else "boto3's own"
        )
        log.warning(
            "no option sets the table, so %r in region %s (%s) was created; if it is for caches,"
            " their region reads cache.REGION.table or its url, not cache.table",
            *(actual.table, actual.region, origin),
        )


def fetch_table(client: Client, table: str) -> Mapping[str, Any] | None:
    """Return the `Table` of DescribeTable's response; None if the table does not exist."""
    try:
        return _fetch(client, "DescribeTable", table, "Table")
    except TableMissing:
        return None


def _fetch(client: Client, operation: str, table: str, member: str) -> Mapping[str, Any]:
    """Return a member of the response. botocore reads a truncated response as {}."""
    value = client.call(operation, {"TableName": table}).body.get(member)
    if not isinstance(value, Mapping):
        facts = CallFacts(operation, table, client.region)
        raise Unavailable("DynamoDB's response is invalid: it is empty", call=facts)
    return value


def _create(client: Client, expected: TableSpec) -> bool:
    """Create the table; return False if another worker was faster."""
    try:
        client.call("CreateTable", expected.to_create_request())
    except Refused as error:
        if get_code(error) != IN_USE:
            raise
        return False
    except AccessRefused as error:
        raise TableMissing(
            f"{say_table_missing(expected.table)}, and AWS does not let this role create it; run"
            f" `{expected.command(client.region)}` with a role that may",
            call=error.call,
        ) from error
    return True


def _wait_until_serving(
    client: Client,
    expected: TableSpec,
    waiter: Waiter,
    response: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Wait until the table serves requests; return the `Table` that says so.

    Args: *response* is a `Table` that was fetched just before, if any.
    """
    table, pause = expected.table, waiter.start()
    while True:
        # Right after CreateTable it may still be missing (AWS: API_DescribeTable, "Note").
        response = response or fetch_table(client, table)
        status = response["TableStatus"].lower() if response else "missing"
        if response and status in SERVING:
            return response
        facts = CallFacts("DescribeTable", table, client.region)
        if status == "deleting":
            raise TableMissing("the table is being deleted; try again when it is gone", call=facts)
        if not pause():
            raise Unavailable(
                f"the table is still {status} after {waiter.timeout:g} s; when it is active,"
                f" `{expected.command(client.region)}` turns its TTL on",
                call=facts,
            )
        response = None


def _fetch_expiry(client: Client, table: str) -> Expiry:
    try:
        ttl = _fetch(client, "DescribeTimeToLive", table, "TimeToLiveDescription")
    except Refused as error:
        if get_code(error) != UNSUPPORTED:
            raise
        return _UNKNOWN
    return Expiry.from_response(ttl)


def _enable_ttl(client: Client, expected: TableSpec) -> Expiry:
    """Enable TTL; if AWS refuses, return its state: another worker may have been faster."""
    ttl = {"Enabled": True, "AttributeName": expected.ttl_attribute}
    request = {"TableName": expected.table, "TimeToLiveSpecification": ttl}
    try:
        client.call("UpdateTimeToLive", request)
    except (Refused, Unavailable) as error:
        if get_code(error) == UNSUPPORTED:
            return _UNKNOWN
        if get_code(error) not in _TTL_UNCHANGED:
            raise
        return _fetch_expiry(client, expected.table)
    return Expiry(expected.ttl_attribute, "enabling")


def get_code(error: DynamoDBBackendError) -> str | None:
    """Return AWS's code of the failed call."""
    return error.call.code if error.call else None
