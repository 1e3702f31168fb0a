"""The table that is, read from AWS's words, and how it differs from the one that ought to be.

Pure: replies in, frozen values out. What a difference means for the operator is decided here,
once; what to do about it is for whoever asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from beaker_dynamodb.store.blueprint import (
    ON_DEMAND,
    Attribute,
    Blueprint,
    Index,
    schema_in_words,
)

#: A table in one of these states serves requests (AWS: API_TableDescription, "TableStatus").
SERVING: Final = frozenset({"active", "updating"})
#: error: loads or saves fail. warning: they work, but expiring or searching does not.
#: note: all works, perhaps at another price.
Severity = Literal["error", "warning", "note"]
_WORST_FIRST: Final = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Expiry:
    """What DynamoDB expires rows by: an attribute, and how far it is with that.

    `status` is enabled, enabling, disabled, disabling, or unknown where it cannot be asked.
    """

    attribute: str | None
    status: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Expiry:
        """Read what DescribeTimeToLive says under `TimeToLiveDescription`."""
        return cls(told.get("AttributeName"), told.get("TimeToLiveStatus", "unknown").lower())

    @property
    def works(self) -> bool:
        """Tell whether rows expire, or will within the hour that AWS takes to begin."""
        return self.status in {"enabled", "enabling"}

    def __str__(self) -> str:
        """Write it as a sentence needs it: on 'expires' (enabled)."""
        return f"on {self.attribute!r} ({self.status})" if self.attribute else self.status


@dataclass(frozen=True, slots=True)
class Description:
    """The table that is.

    `status` is active, creating, updating, deleting...; `capacity` is read and write units a
    second, None for on-demand; `created`: this process has just made it.
    """

    table: str
    region: str
    account: str
    status: str
    hash_key: Attribute
    range_key: Attribute | None
    expiry: Expiry
    indexes: tuple[Index, ...] = ()
    capacity: tuple[int, int] | None = None
    created: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any], expiry: Expiry, *, created: bool = False) -> Description:
        """Read what DescribeTable says under `Table`."""
        kinds = {a["AttributeName"]: a["AttributeType"] for a in told["AttributeDefinitions"]}
        keys = {
            part["KeyType"]: Attribute(part["AttributeName"], kinds[part["AttributeName"]])
            for part in told["KeySchema"]
        }
        # arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
        place = re.match(r"arn:[^:]*:dynamodb:([^:]*):([^:]*):", told.get("TableArn", ""))
        return cls(
            told["TableName"],
            place[1] if place else "",
            place[2] if place else "",
            told["TableStatus"].lower(),
            keys["HASH"],
            keys.get("RANGE"),
            expiry,
            tuple(_index(index, kinds) for index in told.get("GlobalSecondaryIndexes") or ()),
            _capacity(told),
            created,
        )

    def schema(self) -> str:
        """Say the key schema in words, as `Blueprint.ought` does."""
        return schema_in_words(self.hash_key, self.range_key)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the options ask: what, how it is, how it ought to be, how bad."""

    matter: str
    is_: str
    ought: str
    severity: Severity

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.severity}: {self.matter} is {self.is_}, ought to be {self.ought}"


def differences(is_: Description, ought: Blueprint) -> tuple[Difference, ...]:
    """Compare the table that is with the one that ought to be; the worst comes first."""
    found = [
        *_of_status(is_),
        *_of_keys(is_, ought),
        *_of_expiry(is_, ought),
        *_of_indexes(is_, ought),
        *_of_capacity(is_, ought),
    ]
    return tuple(sorted(found, key=lambda one: _WORST_FIRST.index(one.severity)))


def paid_for(capacity: tuple[int, int] | None) -> str:
    """Say how a table is paid for."""
    if capacity is None:
        return "on-demand"
    read, write = capacity
    return f"{read:,} read and {write:,} write units a second"


def _of_status(is_: Description) -> Iterator[Difference]:
    if is_.status not in SERVING:
        yield Difference("status", is_.status, "active", "error")


def _of_keys(is_: Description, ought: Blueprint) -> Iterator[Difference]:
    if is_.schema() != ought.ought():
        yield Difference("key schema", is_.schema(), ought.ought(), "error")


def _of_expiry(is_: Description, ought: Blueprint) -> Iterator[Difference]:
    if not (is_.expiry.works and is_.expiry.attribute == ought.ttl_attribute):
        severity: Severity = "note" if is_.expiry.status == "unknown" else "warning"
        wanted = Expiry(ought.ttl_attribute, "enabled")
        yield Difference("TTL", str(is_.expiry), str(wanted), severity)


def _of_indexes(is_: Description, ought: Blueprint) -> Iterator[Difference]:
    """Compare by attribute: an index of another name serves as well."""
    for wanted in ought.indexes:
        matter, key = f"index of {wanted.attribute!r}", Attribute(wanted.attribute, wanted.kind)
        having = [index for index in is_.indexes if index.attribute == wanted.attribute]
        other = [index for index in having if index.kind != wanted.kind]
        if not having:
            yield Difference(matter, "missing", f"{wanted.name!r} on {key}", "warning")
        elif other:
            # DynamoDB refuses a whole row if an attribute is not of the type of its index.
            yield Difference(matter, Attribute("", other[0].kind).type, key.type, "error")
        elif all(index.projection != wanted.projection for index in having):
            yield Difference(matter, having[0].projection, wanted.projection, "note")


def _of_capacity(is_: Description, ought: Blueprint) -> Iterator[Difference]:
    if is_.capacity != ought.capacity:
        yield Difference("capacity", paid_for(is_.capacity), paid_for(ought.capacity), "note")


def _index(told: Mapping[str, Any], kinds: Mapping[str, str]) -> Index:
    hashed = next(part["AttributeName"] for part in told["KeySchema"] if part["KeyType"] == "HASH")
    return Index(told["IndexName"], hashed, kinds[hashed], told["Projection"]["ProjectionType"])


def _capacity(told: Mapping[str, Any]) -> tuple[int, int] | None:
    """Read the units; a table that was never on-demand has no summary of its billing."""
    if (told.get("BillingModeSummary") or {}).get("BillingMode") == ON_DEMAND:
        return None
    units = told["ProvisionedThroughput"]
    return units["ReadCapacityUnits"], units["WriteCapacityUnits"]
