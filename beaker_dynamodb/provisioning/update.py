"""What an operator does with a table that exists: indexes, features, all that is known, its end.

Never on the way of a request. One change at a time, as AWS demands, each waited for. Where a
server lacks a feature, as emulators do, that is a step that says so, and the next one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.errors import AccessRefused, CallFacts, Refused, TableMissing, Unavailable
from beaker_dynamodb.provisioning.description import Description
from beaker_dynamodb.provisioning.provision import (
    IN_USE,
    LACKING,
    Patience,
    code_of,
    describe,
    told_of,
)
from beaker_dynamodb.provisioning.spec import TableSpec, to_index_request

#: An index over many rows is built for minutes; a table is changed within one.
BUILDING: Final = Patience(6 * 3600.0)
_PAUSE: Final = 1.0
_ACTIVE: Final = "ACTIVE"
#: Right after CreateTable (AWS: API_UpdateContinuousBackups, "Errors").
_NOT_YET: Final = "ContinuousBackupsUnavailableException"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to a table, or `lacking`: this server has no such feature."""

    setting: str
    lacking: bool = False

    def __str__(self) -> str:
        """Write it as one line."""
        if self.lacking:
            return f"{self.setting}: not supported by this server; skipped"
        return f"{self.setting}: done"


def details(
    client: Client, table: str, *, recovery: bool = True, tags: bool = True
) -> Description | None:
    """Describe a table, and what a call more tells each; None if it does not exist."""
    is_ = describe(client, table)
    if is_ is None:
        return None
    return replace(
        is_,
        recovery=_recovery(client, table) if recovery else None,
        tags=_tags(client, is_.arn) if tags else None,
    )


def equip(
    client: Client,
    ought: TableSpec,
    is_: Description,
    tell: Callable[[str], object] = str,
    patience: Patience = BUILDING,
) -> Iterator[Step]:
    """Add the indexes and features that the table lacks; yield each step when it is done.

    A table of another key schema may be another application's: nothing is done to it.

    Args: *tell* is called with a sentence while something is waited for.
    """
    if is_.schema() != ought.ought():
        return
    kinds = is_.kinds()
    for index in ought.indexes:
        if all(index.attribute != one.attribute for one in is_.indexes):
            kinds[index.attribute] = index.kind
            request = to_index_request(ought.table, index, kinds, is_.capacity)
            yield _change(client, f"index {index.name!r}", request, tell, patience)
            _settled(client, ought.table, f"index {index.name!r}", tell, patience)
    for matter, change in _switches(ought, is_):
        yield _change(client, matter, {"TableName": ought.table, **change}, tell, patience)
    if ought.features.recovery is not None:
        yield from _recover(client, ought, patience)
    if ought.features.tags:
        yield from _tagged(client, ought, is_)


def _switches(ought: TableSpec, is_: Description) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say what UpdateTable is asked to change besides indexes, one change each."""
    asked = ought.features
    if asked.protection not in {None, is_.protection}:
        yield "deletion protection", {"DeletionProtectionEnabled": asked.protection}
    if asked.ceilings and asked.ceilings != is_.ceilings and is_.capacity is None:
        yield "limit of units", {"OnDemandThroughput": asked.to_ceilings()}


def remove(client: Client, table: str, tell: Callable[[str], object], patience: Patience) -> None:
    """Delete a table with all that is in it, and wait until it is gone.

    Raises: TableMissing.
    """
    client.call("DeleteTable", {"TableName": table})
    until = patience.monotonic() + patience.ceiling
    while told_of(client, table) is not None:
        if patience.monotonic() > until:
            facts = CallFacts("DescribeTable", table, client.region)
            raise Unavailable("the table is still being deleted", call=facts)
        tell(f"table {table}: being deleted")
        patience.sleep(_PAUSE)


def _change(
    client: Client,
    matter: str,
    request: Mapping[str, Any],
    tell: Callable[[str], object],
    patience: Patience,
) -> Step:
    """Change one thing of the table, when it takes changes."""
    table, until = request["TableName"], patience.monotonic() + patience.ceiling
    while True:
        _settled(client, table, matter, tell, patience)
        try:
            client.call("UpdateTable", request)
        except (Refused, Unavailable) as error:
            if code_of(error) == LACKING:
                return Step(matter, lacking=True)
            # Somebody else was faster: wait for that, and look again.
            later = code_of(error) in {IN_USE, "LimitExceededException"}
            if not later or patience.monotonic() > until:
                raise
            patience.sleep(_PAUSE)
            continue
        return Step(matter)


def _settled(
    client: Client, table: str, matter: str, tell: Callable[[str], object], patience: Patience
) -> None:
    """Wait until the table is active and no index is being built: one change at a time (AWS)."""
    until = patience.monotonic() + patience.ceiling
    while True:
        told = told_of(client, table)
        if told is None:
            facts = CallFacts("DescribeTable", table, client.region)
            raise TableMissing("the table was deleted meanwhile", call=facts)
        indexes = told.get("GlobalSecondaryIndexes") or ()
        status = {one.get("IndexStatus", _ACTIVE) for one in indexes} | {told["TableStatus"]}
        if status == {_ACTIVE}:
            return
        if patience.monotonic() > until:
            facts = CallFacts("DescribeTable", table, client.region)
            raise Unavailable(f"{matter}: the table is still being changed", call=facts)
        filling = any(one.get("Backfilling") for one in indexes)
        tell(f"{matter}: {'the index is being built' if filling else 'the table is being changed'}")
        patience.sleep(_PAUSE)


def _recovery(client: Client, table: str) -> bool | None:
    """Tell whether point-in-time recovery is on; None where nobody says."""
    try:
        told = client.call("DescribeContinuousBackups", {"TableName": table}).body
    except (Refused, AccessRefused):
        return None
    backups = told.get("ContinuousBackupsDescription") or {}
    recovery = backups.get("PointInTimeRecoveryDescription") or {}
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _recover(client: Client, ought: TableSpec, patience: Patience) -> Iterator[Step]:
    matter, wanted = "point-in-time recovery", ought.features.recovery
    if _recovery(client, ought.table) is wanted:
        return
    request = {
        "TableName": ought.table,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": wanted},
    }
    until = patience.monotonic() + patience.ceiling
    while True:
        try:
            client.call("UpdateContinuousBackups", request)
        except Refused as error:
            if code_of(error) == LACKING:
                yield Step(matter, lacking=True)
                return
            if code_of(error) != _NOT_YET or patience.monotonic() > until:
                raise
            patience.sleep(_PAUSE)
            continue
        yield Step(matter)
        return


def _tags(client: Client, arn: str) -> tuple[tuple[str, str], ...] | None:
    """Read the table's tags, page by page; None where nobody says."""
    request, found = {"ResourceArn": arn}, []
    while True:
        try:
            told = client.call("ListTagsOfResource", request).body
        except (Refused, AccessRefused):
            return None
        found += [(one["Key"], one["Value"]) for one in told.get("Tags") or ()]
        if not told.get("NextToken"):
            return tuple(sorted(found))
        request = {**request, "NextToken": told["NextToken"]}


def _tagged(client: Client, ought: TableSpec, is_: Description) -> Iterator[Step]:
    known = _tags(client, is_.arn)
    if known is not None and set(ought.features.tags) <= set(known):
        return
    try:
        client.call("TagResource", {"ResourceArn": is_.arn, "Tags": ought.features.to_tags()})
    except Refused as error:
        if code_of(error) != LACKING:
            raise
        yield Step("tags", lacking=True)
        return
    yield Step("tags")
