"""Check the table: its settings, the application's permissions, and a row's round trip.

Facts: the description, the permission checks, the round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from beaker_dynamodb.dynamodb.diagnostics import PermissionCheck
from beaker_dynamodb.errors import (
    AccessRefused,
    DynamoDBBackendError,
    Unavailable,
    say_table_missing,
)
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.doctor.finding import Finding
from beaker_dynamodb.provisioning.description import Description, compare, format_capacity
from beaker_dynamodb.provisioning.spec import TableSpec

#: Seconds. A call within one region takes a few milliseconds; more slows every page down.
_SLOW: Final = 0.1
_REACH: Final = (
    "if AWS has an outage, wait: nobody is logged out; else check the network, a proxy, and"
    " option endpoint_url"
)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A row written, read and deleted: seconds of each call, units of all, and what failed."""

    seconds: tuple[float, ...] = ()
    read_units: float = 0
    write_units: float = 0
    message: str = ""
    error: DynamoDBBackendError | None = None


def embedded(missing_extra: str) -> Iterator[Finding]:
    """A table in the memory of the application's own process cannot be reached from here."""
    if missing_extra:
        yield Finding("error", "table", missing_extra)
    else:
        message = (
            "exists only inside the application's own process, and cannot be checked from here"
        )
        yield Finding("note", "table", message, "DynamoDB Local, for a table that both can reach")


def shape(actual: Description, expected: TableSpec, command: str) -> Iterator[Finding]:
    """Compare the table with the options; what matches is reported too.

    Args: *command* creates the table.
    """
    found = compare(actual, expected)
    wrong = {one.setting.partition(" ")[0] for one in found}
    account = f", account {actual.account}" if actual.account else ""
    if "status" not in wrong:
        rows = f"{actual.rows:,} row{'' if actual.rows == 1 else 's'}"
        holds = f"{actual.status}; {rows} and {actual.size:,} bytes, up to six hours ago"
        yield Finding("ok", "table", f"{actual.table!r}{account}: {holds}")
    if "key" not in wrong:
        yield Finding("ok", "keys", actual.schema())
    if "TTL" not in wrong:
        yield Finding("ok", "TTL", str(actual.expiry))
    if "capacity" not in wrong:
        yield Finding("ok", "capacity", format_capacity(actual.capacity))
    if expected.indexes and "index" not in wrong:
        yield Finding("ok", "indexes", ", ".join(index.name for index in actual.indexes))
    for one in found:
        message = f"is {one.actual}, expected {one.expected}"
        remedy = command
        if one.setting == "key schema":
            remedy = "another table, or the names of its keys: hash_key = ..., range_key = ..."
        if one.setting == "TTL" and (attribute := actual.expiry.attribute):
            remedy = f"ttl_attribute = {attribute}, or aws dynamodb update-time-to-live"
        yield Finding(one.severity, one.setting, message, remedy)


def safety(actual: Description, command: str) -> Iterator[Finding]:
    """What protects the table, and backups that keep deleted sessions."""
    if not actual.protection:
        remedy = f"{command} --deletion-protection"
        yield Finding(
            "note",
            "protection",
            "off: whoever has the permission can delete the table in one call",
            remedy,
        )
    if actual.recovery:
        yield Finding(
            "note",
            "backups",
            "point-in-time recovery keeps sessions for 35 days after users deleted them",
            f"{command} --no-point-in-time-recovery",
        )


def missing(application: Application, command: str) -> Iterator[Finding]:
    """No table: whether the first request creates it."""
    creates = application.options.create_table
    then = "the first request creates it, if its role may" if creates else "no request creates it"
    yield Finding(
        "error",
        "table",
        f"{say_table_missing(application.options.table)}; {then}",
        command,
    )


def undescribed(application: Application, error: AccessRefused) -> Iterator[Finding]:
    """A role that may not describe the table cannot create one either."""
    if error.call is not None and error.call.code != "AccessDeniedException":
        yield Finding("error", "credentials", str(error), "check the key and the clock")
    elif application.options.create_table:
        yield Finding(
            "warning",
            "create_table",
            "is true, but this role may not describe a table, so it cannot create one",
            f"{application.kind}.create_table = false",
        )
    else:
        yield Finding(
            "note",
            "table",
            "this role may not describe it (it need not): keys, TTL and indexes were not checked",
            "run `beaker-dynamodb table check` with an operator's role",
        )


def permissions(role: str, made: Iterable[PermissionCheck]) -> Iterator[Finding]:
    """Each call that the application makes, made once on a key that does not exist."""
    may = []
    for check in made:
        if check.error is None:
            may.append(check.operation)
        elif isinstance(check.error, AccessRefused):
            yield Finding(
                "error",
                "permissions",
                f"the application needs dynamodb:{check.operation}, which AWS refuses",
                role,
            )
        else:
            yield failed("permissions", check.error)
    if may:
        yield Finding("ok", "permissions", ", ".join(may))


def round_trip(trip: RoundTrip) -> Iterator[Finding]:
    """A row of our own: written, read, compared, deleted."""
    if trip.error is not None:
        yield failed("round trip", trip.error)
        return
    if trip.message:
        yield Finding("error", "round trip", trip.message)
        return
    names = zip(("write", "read", "delete"), trip.seconds, strict=True)
    took = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in names)
    slow = max(trip.seconds) >= _SLOW
    yield Finding(
        "note" if slow else "ok",
        "round trip",
        f"{took}; units: {trip.write_units:g} write, {trip.read_units:g} read",
        "run the application in the table's region; give its network a VPC endpoint"
        if slow
        else "",
    )


def failed(check: str, error: DynamoDBBackendError) -> Finding:
    """Turn an error of ours into a finding; all but outages say their own remedy."""
    if isinstance(error, Unavailable):
        return Finding("error", check, str(error), _REACH, unreachable=True)
    return Finding("error", check, str(error))
