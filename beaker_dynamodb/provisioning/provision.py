"""Make the table so, and describe it: the control plane of DynamoDB.

For operators, and for a request only where a data call has just found no table. Several workers
may do this at once, and each succeeds. What is there already is left as it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client
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
from beaker_dynamodb.provisioning.spec import Attribute, TableSpec, schema_in_words, table_spec

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
#: An emulator's word for an operation that it lacks.
LACKING: Final = "UnknownOperationException"
IN_USE: Final = "ResourceInUseException"
#: UpdateTimeToLive: on already, on for another attribute, changed within the hour, or the table
#: is being changed (AWS: API_UpdateTimeToLive). The text that tells them apart stays at the client.
_LATER: Final = frozenset({"ValidationException", IN_USE, "LimitExceededException"})


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # looked up at the call: gevent may have replaced it since our import


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a table, in seconds, and by which clock."""

    ceiling: float
    sleep: Callable[[float], object] = _sleep
    monotonic: Callable[[], float] = time.monotonic


#: An operator can wait; a request must answer before gunicorn's 30 seconds.
OPERATOR: Final = Patience(300.0)
REQUEST: Final = Patience(20.0)


def describe(client: Client, table: str) -> Description | None:
    """Describe a table and its TTL; None if it does not exist."""
    told = told_of(client, table)
    return (
        None if told is None else Description.of(told, _expiry(client, table), region=client.region)
    )


def measure(table: Table) -> Description:
    """Describe the table of a scan, before the scan: its `rows` and `size`, and its keys.

    Of a table of other keys a scan would find nothing, or take any row for a session, where every
    other call is refused. DynamoDB counts rows and bytes every six hours, other prefixes' too.

    Raises: TableMismatch, if its keys are not those of the options; what the client raises.
    """
    body = table.call("DescribeTable", {}).body
    description = Description.of(body["Table"], Expiry(None, "unknown"), region=table.client.region)
    layout = table.layout
    range_key = Attribute(layout.range_key) if layout.range_key else None
    expected = schema_in_words(Attribute(layout.hash_key), range_key)
    if description.schema() != expected:
        raise TableMismatch(
            "the table's key schema is not that of the options: it has"
            f" {description.schema()}, the options say {expected}",
            call=CallFacts("DescribeTable", table.name, table.client.region),
        )
    return description


def ensure(client: Client, table_spec: TableSpec, patience: Patience = OPERATOR) -> Description:
    """Create the table if there is none, wait until it serves, and make sure of its TTL.

    What else differs is left alone: `differences` tells it. A table of another key schema may
    be another application's, so its TTL is not touched.

    Raises: TableMissing, where there is none and AWS refuses to create it; Unavailable, if it
    does not serve within the patience.
    """
    told = told_of(client, table_spec.table)
    created = told is None and _create(client, table_spec)
    told = serving(client, table_spec, patience, told)
    expiry = _expiry(client, table_spec.table)
    is_ = Description.of(told, expiry, created=created, region=client.region)
    if is_.schema() != table_spec.ought() or is_.expiry.status != "disabled":
        return is_
    return replace(is_, expiry=_switched_on(client, table_spec))


def create_on_demand(
    client: Client, table_spec: TableSpec, patience: Patience = REQUEST
) -> Description:
    """Create the table for a request that found none, and say so in the log.

    A refused TTL does not fail the request: rows that have expired are absent to us anyway.

    Raises: as `ensure`.
    """
    created = _create(client, table_spec)
    told = serving(client, table_spec, patience, None)
    expiry, refusal = Expiry(None, "unknown"), ""
    try:
        expiry = _expiry(client, table_spec.table)
        if expiry.status == "disabled":
            expiry = _switched_on(client, table_spec)
    except DynamoDBBackendError as error:
        refusal = str(error)
    is_ = Description.of(told, expiry, created=created, region=client.region)
    if created:
        log.warning(
            "table %r did not exist in region %s, account %s: it was created, TTL %s",
            *(is_.table, is_.region, is_.account, is_.expiry),
        )
    if refusal:
        command = mask(table_spec.command(client.region))
        log.warning("TTL of table %r may be off: %s; `%s`", is_.table, refusal, command)
    return is_


def create_missing_table(client: Client, options: Options) -> None:
    """Create the table of these options for a request that found none; as `create_on_demand`."""
    create_on_demand(client, table_spec(options))


def told_of(client: Client, table: str) -> Mapping[str, Any] | None:
    """Return what DescribeTable says of a table, None if it does not exist."""
    try:
        return asked(client, "DescribeTable", table, "Table")
    except TableMissing:
        return None


def asked(client: Client, operation: str, table: str, member: str) -> Mapping[str, Any]:
    """Ask about a table. A reply without its member is a broken one: botocore reads it as {}."""
    told = client.call(operation, {"TableName": table}).body.get(member)
    if not isinstance(told, Mapping):
        facts = CallFacts(operation, table, client.region)
        raise Unavailable("DynamoDB's response is invalid: it is empty", call=facts)
    return told


def _create(client: Client, table_spec: TableSpec) -> bool:
    """Ask for the table; False if another worker was faster."""
    try:
        client.call("CreateTable", table_spec.to_create_request())
    except Refused as error:
        if code_of(error) != IN_USE:
            raise
        return False
    except AccessRefused as error:
        raise TableMissing(
            f"{say_table_missing(table_spec.table)}, and AWS does not let this role create it; run"
            f" `{table_spec.command(client.region)}` with a role that may",
            call=error.call,
        ) from error
    return True


def serving(
    client: Client, table_spec: TableSpec, patience: Patience, told: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Wait until the table serves requests, and return what DescribeTable says of it then.

    Args: what it has said already, if it was asked.
    """
    table, until = table_spec.table, patience.monotonic() + patience.ceiling
    pause = _FIRST_PAUSE
    while True:
        # Right after CreateTable it may be missing still: AWS, API_DescribeTable, "Note".
        told = told or told_of(client, table)
        status = told["TableStatus"].lower() if told else "missing"
        if told and status in SERVING:
            return told
        facts = CallFacts("DescribeTable", table, client.region)
        if status == "deleting":
            raise TableMissing("the table is being deleted; try again when it is gone", call=facts)
        if patience.monotonic() + pause > until:
            raise Unavailable(
                f"the table is still {status} after {patience.ceiling:g} s; when it is active,"
                f" `{table_spec.command(client.region)}` turns its TTL on",
                call=facts,
            )
        patience.sleep(pause)
        told, pause = None, min(pause * 2, _LONGEST_PAUSE)


def _expiry(client: Client, table: str) -> Expiry:
    try:
        told = asked(client, "DescribeTimeToLive", table, "TimeToLiveDescription")
    except Refused as error:
        if code_of(error) != LACKING:
            raise
        return Expiry(None, "unknown")
    return Expiry.of(told)


def _switched_on(client: Client, table_spec: TableSpec) -> Expiry:
    """Switch TTL on, or find what stands in the way: another worker may have been faster."""
    wanted = {"Enabled": True, "AttributeName": table_spec.ttl_attribute}
    request = {"TableName": table_spec.table, "TimeToLiveSpecification": wanted}
    try:
        client.call("UpdateTimeToLive", request)
    except (Refused, Unavailable) as error:
        if code_of(error) == LACKING:
            return Expiry(None, "unknown")
        if code_of(error) not in _LATER:
            raise
        return _expiry(client, table_spec.table)
    return Expiry(table_spec.ttl_attribute, "enabling")


def code_of(error: DynamoDBBackendError) -> str | None:
    """Read AWS's code out of one of our errors."""
    return error.call.code if error.call else None
