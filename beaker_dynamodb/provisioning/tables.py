"""Create, update, show, check and delete the table: what `beaker-dynamodb table` does.

For operators only. AWS accepts one change of a table at a time, so each is waited for. If a server
does not support a feature, as emulators do not, that is a step that says so, and the next follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client, get_client
from beaker_dynamodb.errors import AccessRefused, CallFacts, Refused, TableMissing, Unavailable
from beaker_dynamodb.provisioning import provision
from beaker_dynamodb.provisioning.description import TABLE, Description, Difference, compare
from beaker_dynamodb.provisioning.provision import Waiter
from beaker_dynamodb.provisioning.spec import (
    NONE,
    Features,
    TableSpec,
    table_spec,
    to_index_request,
)

#: Turns a table's deletion protection off.
UNPROTECTED: Final = Features(protection=False)
#: An index over many rows takes hours to build; other changes take less than a minute.
_UPDATE: Final = Waiter(6 * 3600.0)
_ACTIVE: Final = "ACTIVE"
#: Seconds. Calls that create a table are slow, and a second attempt would find the first one's.
_READ_TIMEOUT: Final = 30.0
#: Operations that may be refused for now, and the codes that say so. The last is the answer right
#: after CreateTable (AWS: API_UpdateContinuousBackups, "Errors").
_RETRY_CODES: Final = {
    "UpdateTable": (provision.IN_USE, "LimitExceededException"),
    "UpdateContinuousBackups": ("ContinuousBackupsUnavailableException",),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A change that was made to a table, or that this server does not support."""

    setting: str
    supported: bool = True

    def __str__(self) -> str:
        """Format it as one line."""
        done = "done" if self.supported else "not supported by this server; skipped"
        return f"{self.setting}: {done}"


@dataclass(frozen=True, slots=True)
class CreateResult:
    """The actual table, the changes that were made to it, and the differences that remain."""

    table: Description
    steps: tuple[Step, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """Whether the table was deleted, and a message that says so, or why not."""

    done: bool
    message: str


def create(
    options: Options, features: Features = NONE, tell: Callable[[str], object] = str
) -> CreateResult:
    """Create the table if there is none, and add the TTL, indexes and *features* that it misses.

    It can be run at every deploy, and by several processes at once.

    Args: *tell* is called with a sentence again and again while a change is waited for.
    Raises: as `provision.ensure`.
    """
    expected, client = table_spec(options, features), _connect(options)
    actual = provision.ensure(client, expected)
    steps = tuple(update_table(client, expected, actual, tell))
    recovery, tags = features.recovery is not None, bool(features.tags)
    if steps or recovery or tags:
        found = _describe(client, expected.table, recovery=recovery, tags=tags) or actual
        actual = replace(found, created=actual.created, expiry=actual.expiry)
    return CreateResult(actual, steps, compare(actual, expected))


def show(options: Options) -> Description | None:
    """Describe the table with all its settings; return None if it does not exist."""
    return _describe(_connect(options), options.table)


def check(options: Options, features: Features, *, create_command: str) -> tuple[Difference, ...]:
    """Compare the table with the options and *features*; that it is missing is a difference.

    Args: *create_command* creates the table, for the text.
    """
    expected, actual = table_spec(options, features), show(options)
    if actual is None:
        return (Difference(TABLE, "missing", f"`{create_command}`", "error"),)
    return compare(actual, expected)


def delete(
    options: Options, tell: Callable[[str], object], *, unprotect_command: str
) -> DeleteResult:
    """Delete the table with all its rows and wait until it is gone, unless it is protected.

    Args: *unprotect_command* turns the protection off, for the text.
    """
    actual = show(options)
    if actual is None:
        return DeleteResult(done=False, message=f"there is no table {options.table!r} to delete")
    if actual.protection:
        return DeleteResult(
            done=False,
            message=f"table {options.table!r} has deletion protection;"
            f" `{unprotect_command}` turns it off",
        )
    delete_table(_connect(options), options.table, tell)
    message = f"deleted: table {options.table!r}, region {actual.region}"
    return DeleteResult(done=True, message=message)


def delete_table(
    client: Client,
    table: str,
    tell: Callable[[str], object],
    waiter: Waiter = provision.OPERATOR,
) -> None:
    """Delete the table with all its rows, and wait until it is gone.

    Raises: TableMissing; Unavailable, if it is not gone in time.
    """
    client.call("DeleteTable", {"TableName": table})
    pause = waiter.start()
    while provision.fetch_table(client, table) is not None:
        tell(f"table {table}: being deleted")
        if not pause():
            facts = CallFacts("DescribeTable", table, client.region)
            raise Unavailable("the table is still being deleted", call=facts)


def update_table(
    client: Client,
    expected: TableSpec,
    actual: Description,
    tell: Callable[[str], object] = str,
    waiter: Waiter = _UPDATE,
) -> Iterator[Step]:
    """Add the indexes and features that the table misses; yield each step when it is done.

    A table with another key schema may belong to another application, and is not changed.

    Args: *tell* is called with a sentence again and again while a change is waited for.
    Raises: TableMissing, if the table is deleted meanwhile; Unavailable, if a change takes longer
    than the waiter waits; what the client raises.
    """
    if actual.schema() != expected.schema():
        return
    update, key_types = _Update(client, expected.table, tell, waiter), actual.key_types()
    for index in expected.indexes:
        if all(index.attribute != one.attribute for one in actual.indexes):
            setting, key_types[index.attribute] = f"index {index.name!r}", index.type
            request = to_index_request(expected.table, index, key_types, actual.capacity)
            yield update.apply(setting, "UpdateTable", request)
            update.wait_until_active(setting)
    for setting, operation, request in _list_changes(client, expected, actual):
        yield update.apply(setting, operation, request)


def _list_changes(
    client: Client, expected: TableSpec, actual: Description
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each change of a feature: the setting, the operation and its request."""
    table, features = {"TableName": expected.table}, expected.features
    if features.protection not in {None, actual.protection}:
        request = {**table, "DeletionProtectionEnabled": features.protection}
        yield "deletion protection", "UpdateTable", request
    if features.limits and features.limits != actual.limits and actual.capacity is None:
        request = {**table, "OnDemandThroughput": features.to_limits()}
        yield "limit of units", "UpdateTable", request
    recovery = features.recovery
    if recovery is not None and _fetch_recovery(client, expected.table) is not recovery:
        backups = {"PointInTimeRecoveryEnabled": recovery}
        request = {**table, "PointInTimeRecoverySpecification": backups}
        yield "point-in-time recovery", "UpdateContinuousBackups", request
    if features.tags and not set(features.tags) <= set(_fetch_tags(client, actual.arn) or ()):
        request = {"ResourceArn": actual.arn, "Tags": features.to_tags()}
        yield "tags", "TagResource", request


@dataclass(frozen=True, slots=True)
class _Update:
    """Changes one table, one setting at a time."""

    client: Client
    table: str
    tell: Callable[[str], object]
    waiter: Waiter

    def apply(self, setting: str, operation: str, request: Mapping[str, Any]) -> Step:
        """Change one setting, as soon as the table accepts changes."""
        pause = self.waiter.start()
        while True:
            if operation == "UpdateTable":
                self.wait_until_active(setting)
            try:
                self.client.call(operation, request)
            except (Refused, Unavailable) as error:
                code = provision.get_code(error)
                if code == provision.UNSUPPORTED:
                    return Step(setting, supported=False)
                # If another operator was faster, wait for that change and try again.
                if code not in _RETRY_CODES.get(operation, ()) or not pause():
                    raise
            else:
                return Step(setting)

    def wait_until_active(self, setting: str) -> None:
        """Wait until the table is active and no index is being built."""
        pause = self.waiter.start()
        while True:
            table = provision.fetch_table(self.client, self.table)
            facts = CallFacts("DescribeTable", self.table, self.client.region)
            if table is None:
                raise TableMissing("the table was deleted meanwhile", call=facts)
            indexes = table.get("GlobalSecondaryIndexes") or ()
            status = {one.get("IndexStatus", _ACTIVE) for one in indexes} | {table["TableStatus"]}
            if status == {_ACTIVE}:
                return
            building = any(one.get("Backfilling") for one in indexes)
            doing = "the index is being built" if building else "the table is being changed"
            self.tell(f"{setting}: {doing}")
            if not pause():
                raise Unavailable(f"{setting}: the table is still being changed", call=facts)


def _connect(options: Options) -> Client:
    """Return a client whose time-out is long enough for changes of the table."""
    return get_client(replace(options, read_timeout=max(options.read_timeout, _READ_TIMEOUT)))


def _describe(
    client: Client, table: str, *, recovery: bool = True, tags: bool = True
) -> Description | None:
    """Describe a table; *recovery* and *tags* take a call more each."""
    actual = provision.describe(client, table)
    if actual is None:
        return None
    return replace(
        actual,
        recovery=_fetch_recovery(client, table) if recovery else None,
        tags=_fetch_tags(client, actual.arn) if tags else None,
    )


def _fetch_recovery(client: Client, table: str) -> bool | None:
    """Return whether point-in-time recovery is on; None if the server or the role cannot tell."""
    try:
        response = client.call("DescribeContinuousBackups", {"TableName": table}).body
    except (Refused, AccessRefused):
        return None
    backups = response.get("ContinuousBackupsDescription") or {}
    recovery = backups.get("PointInTimeRecoveryDescription") or {}
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _fetch_tags(client: Client, arn: str) -> tuple[tuple[str, str], ...] | None:
    """Return the tags of all pages; None if the server or the role cannot tell."""
    request, tags = {"ResourceArn": arn}, []
    while True:
        try:
            response = client.call("ListTagsOfResource", request).body
        except (Refused, AccessRefused):
            return None
        tags += [(one["Key"], one["Value"]) for one in response.get("Tags") or ()]
        if not response.get("NextToken"):
            return tuple(sorted(tags))
        request = {**request, "NextToken": response["NextToken"]}
