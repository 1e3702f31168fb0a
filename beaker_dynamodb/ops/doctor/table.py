"""The table as the application finds it: its shape, what it may do there, and a row that lives.

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
from beaker_dynamodb.provisioning.description import Description, paid_for
from beaker_dynamodb.provisioning.diff import differences
from beaker_dynamodb.provisioning.spec import TableSpec

#: Seconds. A call within one region takes a few milliseconds; more is felt on every page.
_SLOW: Final = 0.1
_REACH: Final = (
    "wait if AWS has an outage, nobody is logged out; else the network from here, a proxy,"
    " or option endpoint_url"
)


@dataclass(frozen=True, slots=True)
class Trip:
    """A row written, read and deleted: seconds each, units in all, and what went wrong."""

    seconds: tuple[float, ...] = ()
    read_units: float = 0
    write_units: float = 0
    wrong: str = ""
    error: DynamoDBBackendError | None = None


def embedded(lacking: str) -> Iterator[Finding]:
    """A table in the memory of the application's own process is out of everybody's reach."""
    if lacking:
        yield Finding("error", "table", lacking)
    else:
        said = (
            "lives inside the application's own process: from outside there is no more to look at"
        )
        yield Finding("note", "table", said, "DynamoDB Local, for a table that both can reach")


def shape(is_: Description, ought: TableSpec, command: str) -> Iterator[Finding]:
    """Whether the table is what the options name; what is as it ought to be, too.

    Args: the *command* that makes the table.
    """
    found = differences(is_, ought)
    wrong = {one.matter.partition(" ")[0] for one in found}
    account = f", account {is_.account}" if is_.account else ""
    if "status" not in wrong:
        rows = f"{is_.rows:,} row{'' if is_.rows == 1 else 's'}"
        holds = f"{is_.status}; {rows} and {is_.size:,} bytes, up to six hours ago"
        yield Finding("ok", "table", f"{is_.table!r}{account}: {holds}")
    if "key" not in wrong:
        yield Finding("ok", "keys", is_.schema())
    if "TTL" not in wrong:
        yield Finding("ok", "TTL", str(is_.expiry))
    if "capacity" not in wrong:
        yield Finding("ok", "capacity", paid_for(is_.capacity))
    if ought.indexes and "index" not in wrong:
        yield Finding("ok", "indexes", ", ".join(index.name for index in is_.indexes))
    for one in found:
        said = f"is {one.is_}, ought to be {one.ought}"
        remedy = command
        if one.matter == "key schema":
            remedy = "another table, or the names of its keys: hash_key = ..., range_key = ..."
        if one.matter == "TTL" and is_.expiry.attribute:
            remedy = f"ttl_attribute = {is_.expiry.attribute}, or aws dynamodb update-time-to-live"
        yield Finding(one.severity, one.matter, said, remedy)


def safety(is_: Description, command: str) -> Iterator[Finding]:
    """What protects the table, and what keeps what users deleted."""
    if not is_.protection:
        remedy = f"{command} --deletion-protection"
        yield Finding("note", "protection", "anybody with the right deletes it in one call", remedy)
    if is_.recovery:
        yield Finding(
            "note",
            "backups",
            "point-in-time recovery keeps sessions for 35 days after users deleted them",
            f"{command} --no-point-in-time-recovery",
        )


def missing(application: Application, command: str) -> Iterator[Finding]:
    """No table: the first request makes it, or nobody does."""
    creates = application.options.create_table
    then = "the first request creates it, if its role may" if creates else "nobody creates it"
    yield Finding(
        "error",
        "table",
        f"{say_table_missing(application.options.table)}; {then}",
        command,
    )


def undescribed(application: Application, error: AccessRefused) -> Iterator[Finding]:
    """A role that may not describe the table cannot create one either."""
    if error.call is not None and error.call.code != "AccessDeniedException":
        yield Finding("error", "credentials", str(error), "look at the key, and at the clock")
    elif application.options.create_table:
        yield Finding(
            "warning",
            "create_table",
            "is true, but this role may not describe a table, so it cannot make one",
            f"{application.kind}.create_table = false",
        )
    else:
        yield Finding(
            "note",
            "table",
            "this role may not describe it (it need not): keys, TTL and indexes were not compared",
            "run `beaker-dynamodb table check` with an operator's role",
        )


def permissions(role: str, made: Iterable[PermissionCheck]) -> Iterator[Finding]:
    """Each call that the application makes, made once on a key that nobody has."""
    may = []
    for check in made:
        if check.error is None:
            may.append(check.operation)
        elif isinstance(check.error, AccessRefused):
            yield Finding(
                "error",
                "permissions",
                f"the application needs dynamodb:{check.operation}, and AWS refuses it",
                role,
            )
        else:
            yield failed("permissions", check.error)
    if may:
        yield Finding("ok", "permissions", ", ".join(may))


def round_trip(trip: Trip) -> Iterator[Finding]:
    """A row of our own: written, read, compared, deleted."""
    if trip.error is not None:
        yield failed("round trip", trip.error)
        return
    if trip.wrong:
        yield Finding("error", "round trip", trip.wrong)
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


def failed(matter: str, error: DynamoDBBackendError) -> Finding:
    """Say an error of ours as a finding; all but an outage hold their own remedy."""
    if isinstance(error, Unavailable):
        return Finding("error", matter, str(error), _REACH, unreachable=True)
    return Finding("error", matter, str(error))
