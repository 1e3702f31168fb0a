"""The actual table, as AWS describes it, and how it differs from the expected one.

Pure: responses in, values out. What a difference means for an operator is decided here only;
callers decide what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from beaker_dynamodb.provisioning.spec import (
    ON_DEMAND,
    Attribute,
    Features,
    Index,
    TableSpec,
    format_schema,
    format_type,
)

#: A table in one of these states serves requests (AWS: API_TableDescription, "TableStatus").
SERVING: Final = frozenset({"active", "updating"})
#: The setting of a `Difference` that is the whole table, because there is none.
TABLE: Final = "table"
#: Emulators do not report an index's status.
_BUILT: Final = frozenset({"ACTIVE", None})

#: error: loads or saves fail. warning: they work, but expiry or searches do not.
#: note: everything works, perhaps at another price.
Severity = Literal["error", "warning", "note"]
_WORST_FIRST: Final = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Expiry:
    """The attribute by which DynamoDB's TTL expires rows, and the state of TTL.

    `status` is enabled, enabling, disabled or disabling; unknown if the server cannot tell.
    """

    attribute: str | None
    status: str

    @classmethod
    def from_response(cls, ttl: Mapping[str, Any]) -> Expiry:
        """Read the `TimeToLiveDescription` of DescribeTimeToLive's response."""
        return cls(ttl.get("AttributeName"), ttl.get("TimeToLiveStatus", "unknown").lower())

    @property
    def is_enabled(self) -> bool:
        """True also while TTL is being enabled, which takes AWS up to an hour."""
        return self.status in {"enabled", "enabling"}

    def __str__(self) -> str:
        """Format it for a sentence: on 'expires' (enabled)."""
        return f"on {self.attribute!r} ({self.status})" if self.attribute else self.status


@dataclass(frozen=True, slots=True)
class Description:
    """The actual table.

    `status` is active, creating, updating, deleting, ...; `capacity` is the provisioned read and
    write units a second, None for on-demand; `created` is true if this process has just created
    the table; `kms_key` is an ARN, None for AWS's own key. `rows` and `size` (bytes) are up to six
    hours old. `recovery` and `tags` take calls of their own, and are None if these were not made or
    failed. `replicas` are the other Regions of a global table; `is_strong` is true if its Regions
    are strongly consistent.
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
    protection: bool = False
    kms_key: str | None = None
    limits: tuple[int | None, int | None] | None = None
    rows: int = 0
    size: int = 0
    recovery: bool | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    arn: str = ""
    replicas: tuple[str, ...] = ()
    is_strong: bool = False

    @classmethod
    def from_response(
        cls,
        table: Mapping[str, Any],
        expiry: Expiry,
        *,
        created: bool = False,
        region: str | None = None,
    ) -> Description:
        """Read the `Table` of DescribeTable's response.

        Args: *region* is the client's, if known: the ARNs of emulators do not contain it.
        """
        types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
        keys = {
            key["KeyType"]: Attribute(key["AttributeName"], types[key["AttributeName"]])
            for key in table["KeySchema"]
        }
        home, account = _read_arn(table.get("TableArn", ""), region)
        return cls(
            table["TableName"],
            home,
            account,
            table["TableStatus"].lower(),
            keys["HASH"],
            keys.get("RANGE"),
            expiry,
            tuple(_read_index(one, types) for one in table.get("GlobalSecondaryIndexes") or ()),
            _read_capacity(table),
            created,
            bool(table.get("DeletionProtectionEnabled")),
            _read_kms_key(table),
            _read_limits(table),
            table.get("ItemCount", 0),
            table.get("TableSizeBytes", 0),
            arn=table.get("TableArn", ""),
            replicas=_read_replicas(table, home),
            is_strong=table.get("MultiRegionConsistency") == "STRONG",
        )

    def key_types(self) -> dict[str, str]:
        """Return the type of each attribute that is a key of the table or of an index."""
        keys = (self.hash_key, *((self.range_key,) if self.range_key else ()))
        return {key.name: key.type for key in keys} | {i.attribute: i.type for i in self.indexes}

    def schema(self) -> str:
        """Return the key schema in words, as `TableSpec.schema` does."""
        return format_schema(self.hash_key, self.range_key)


def _read_arn(arn: str, region: str | None) -> tuple[str, str]:
    """Return the region, by default the ARN's, and the account; "" for what is unknown."""
    # arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
    found = re.match(r"arn:[^:]*:dynamodb:([^:]*):([^:]*):", arn)
    return region or (found[1] if found else ""), found[2] if found else ""


def _read_kms_key(table: Mapping[str, Any]) -> str | None:
    at_rest = table.get("SSEDescription") or {}
    return at_rest.get("KMSMasterKeyArn") if at_rest.get("Status") != "DISABLED" else None


def _read_replicas(table: Mapping[str, Any], home: str) -> tuple[str, ...]:
    """Return the other Regions of a global table."""
    names = {one["RegionName"] for one in table.get("Replicas") or ()}
    return tuple(sorted(names - {home}))


def _read_index(index: Mapping[str, Any], types: Mapping[str, str]) -> Index:
    key = next(part["AttributeName"] for part in index["KeySchema"] if part["KeyType"] == "HASH")
    is_building = index.get("IndexStatus") not in _BUILT
    projection = index["Projection"]["ProjectionType"]
    return Index(index["IndexName"], key, types[key], projection, is_building)


def _read_capacity(table: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the units; a table that was never on-demand has no summary of its billing."""
    if (table.get("BillingModeSummary") or {}).get("BillingMode") == ON_DEMAND:
        return None
    units = table["ProvisionedThroughput"]
    return units["ReadCapacityUnits"], units["WriteCapacityUnits"]


def _read_limits(table: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    units = table.get("OnDemandThroughput") or {}
    limits = (units.get("MaxReadRequestUnits"), units.get("MaxWriteRequestUnits"))
    read, write = (None if number == -1 else number for number in limits)  # -1: no limit (AWS)
    return None if read is write is None else (read, write)


def format_capacity(capacity: tuple[int, int] | None) -> str:
    """Format the billing mode, and the units of a provisioned table."""
    if capacity is None:
        return "on-demand"
    read, write = capacity
    return f"{read:,} read and {write:,} write units a second"


def format_switch(switch: bool | None) -> str:  # noqa: FBT001  # the only thing to format
    """Return on, off or unknown."""
    return "unknown" if switch is None else "on" if switch else "off"


def format_encryption(kms_key: str | None) -> str:
    """Format the key that encrypts a table at rest."""
    return f"by {kms_key}" if kms_key else "by a key of AWS's own"


def format_limits(limits: tuple[int | None, int | None] | None) -> str:
    """Format the limits of an on-demand table."""
    named = zip(("read", "write"), limits or (None, None), strict=True)
    parts = [f"{units:,} {name} units a second" for name, units in named if units is not None]
    return " and ".join(parts) or "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting whose actual value is not the expected one, and how bad that is."""

    setting: str
    actual: str
    expected: str
    severity: Severity

    def __str__(self) -> str:
        """Format it as one line; for a missing table `expected` is the command that creates it."""
        if self.setting == TABLE:
            return f"{self.severity}: the table does not exist; {self.expected} creates it"
        return f"{self.severity}: {self.setting} is {self.actual}, expected {self.expected}"


def compare(actual: Description, expected: TableSpec) -> tuple[Difference, ...]:
    """Return the differences between the actual and the expected table, the worst first."""
    found = [
        *_compare_table(actual, expected),
        *_compare_indexes(actual, expected),
        *_compare_features(actual, expected.features),
    ]
    return tuple(sorted(found, key=lambda one: _WORST_FIRST.index(one.severity)))


def is_match(differences: tuple[Difference, ...]) -> bool:
    """Return whether all differences are only notes."""
    return all(one.severity == "note" for one in differences)


def _compare_table(actual: Description, expected: TableSpec) -> Iterator[Difference]:
    if actual.status not in SERVING:
        yield Difference("status", actual.status, "active", "error")
    if actual.schema() != expected.schema():
        yield Difference("key schema", actual.schema(), expected.schema(), "error")
    expiry = actual.expiry
    # AWS has no TTL in a table whose Regions are strongly consistent ("How global tables work").
    if not actual.is_strong and not (
        expiry.is_enabled and expiry.attribute == expected.ttl_attribute
    ):
        severity: Severity = "note" if expiry.status == "unknown" else "warning"
        wanted = Expiry(expected.ttl_attribute, "enabled")
        yield Difference("TTL", str(expiry), str(wanted), severity)
    if actual.capacity != expected.capacity:
        units, wanted_units = map(format_capacity, (actual.capacity, expected.capacity))
        yield Difference("capacity", units, wanted_units, "note")


def _compare_indexes(actual: Description, expected: TableSpec) -> Iterator[Difference]:
    """Compare by attribute: an index of another name serves as well."""
    for index in expected.indexes:
        setting, key = f"index of {index.attribute!r}", Attribute(index.attribute, index.type)
        found = [one for one in actual.indexes if one.attribute == index.attribute]
        of_other_type = [one for one in found if one.type != index.type]
        if not found:
            yield Difference(setting, "missing", f"{index.name!r} on {key}", "warning")
        elif of_other_type:
            # DynamoDB refuses a whole row if an attribute is not of the type of its index.
            types = format_type(of_other_type[0].type), format_type(index.type)
            yield Difference(setting, *types, "error")
        elif all(one.projection != index.projection for one in found):
            yield Difference(setting, found[0].projection, index.projection, "note")


def _compare_features(actual: Description, expected: Features) -> Iterator[Difference]:
    """Compare what is asked for. If a server ignored it on creation, it does not support it."""
    for setting, found, wanted in (
        ("deletion protection", actual.protection, expected.protection),
        ("point-in-time recovery", actual.recovery, expected.recovery),
    ):
        if wanted is not None and found is not wanted:
            severity: Severity = "note" if found is None else "warning"
            yield Difference(setting, format_switch(found), format_switch(wanted), severity)
    severity = "note" if actual.created else "warning"
    if expected.kms_key and not _is_same_key(actual.kms_key, expected.kms_key):
        encryption, wanted_key = map(format_encryption, (actual.kms_key, expected.kms_key))
        yield Difference("encryption", encryption, wanted_key, severity)
    if expected.limits and actual.limits != expected.limits:
        limits, wanted_limits = map(format_limits, (actual.limits, expected.limits))
        yield Difference("limit of units", limits, wanted_limits, severity)
    missing = [f"{n}={v}" for n, v in expected.tags if (n, v) not in (actual.tags or ())]
    if missing and actual.tags is None:
        yield Difference("tags", "unknown", ", ".join(missing), "note")
    elif missing:
        yield Difference("tags", "missing", ", ".join(missing), "warning")


def _is_same_key(arn: str | None, expected: str) -> bool:
    """Compare a KMS key's ARN with the id, ARN or alias asked for; an alias matches any key."""
    return arn is not None and (
        expected.startswith("alias/") or expected in arn or ":alias/" in expected
    )
