"""The table that is, read from AWS's words.

Pure: replies in, frozen values out. `diff.py` compares them with the table that ought
to be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.provisioning.spec import ON_DEMAND, Attribute, Index, schema_in_words

#: A table in one of these states serves requests (AWS: API_TableDescription, "TableStatus").
SERVING: Final = frozenset({"active", "updating"})
#: An emulator does not say how far it is.
_BUILT: Final = frozenset({"ACTIVE", None})


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
    second, None for on-demand; `created`: this process has just made it; `building`: indexes
    that do not answer yet; `key`: the ARN of a key of KMS, None for AWS's own. `rows` and `size`
    (bytes) are up to six hours old. What only further calls tell (`recovery`, `tags`) is None
    where it was not asked, or could not be.
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
    building: tuple[str, ...] = ()
    protection: bool = False
    key: str | None = None
    ceilings: tuple[int | None, int | None] | None = None
    rows: int = 0
    size: int = 0
    recovery: bool | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    arn: str = ""

    @classmethod
    def of(
        cls,
        told: Mapping[str, Any],
        expiry: Expiry,
        *,
        created: bool = False,
        region: str | None = None,
    ) -> Description:
        """Read what DescribeTable says under `Table`.

        Args: the *region* of the client, where it is known: an emulator's ARNs name none.
        """
        kinds = {a["AttributeName"]: a["AttributeType"] for a in told["AttributeDefinitions"]}
        keys = {
            part["KeyType"]: Attribute(part["AttributeName"], kinds[part["AttributeName"]])
            for part in told["KeySchema"]
        }
        indexes = told.get("GlobalSecondaryIndexes") or ()
        # arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
        place = re.match(r"arn:[^:]*:dynamodb:([^:]*):([^:]*):", told.get("TableArn", ""))
        return cls(
            told["TableName"],
            region or (place[1] if place else ""),
            place[2] if place else "",
            told["TableStatus"].lower(),
            keys["HASH"],
            keys.get("RANGE"),
            expiry,
            tuple(_index(index, kinds) for index in indexes),
            _capacity(told),
            created,
            tuple(one["IndexName"] for one in indexes if one.get("IndexStatus") not in _BUILT),
            bool(told.get("DeletionProtectionEnabled")),
            _key(told),
            _ceilings(told),
            told.get("ItemCount", 0),
            told.get("TableSizeBytes", 0),
            arn=told.get("TableArn", ""),
        )

    def kinds(self) -> dict[str, str]:
        """Name every attribute that is a key, of the table or of an index, with its type."""
        keys = (self.hash_key, *((self.range_key,) if self.range_key else ()))
        return {key.name: key.kind for key in keys} | {i.attribute: i.kind for i in self.indexes}

    def schema(self) -> str:
        """Say the key schema in words, as `TableSpec.ought` does."""
        return schema_in_words(self.hash_key, self.range_key)


def paid_for(capacity: tuple[int, int] | None) -> str:
    """Say how a table is paid for."""
    if capacity is None:
        return "on-demand"
    read, write = capacity
    return f"{read:,} read and {write:,} write units a second"


def in_a_word(switch: bool | None) -> str:  # noqa: FBT001  # the switch is the whole matter
    """Say on, off or unknown."""
    return "unknown" if switch is None else "on" if switch else "off"


def encrypted_by(key: str | None) -> str:
    """Say what a table is encrypted by at rest."""
    return f"by {key}" if key else "by a key of AWS's own"


def limited_to(ceilings: tuple[int | None, int | None] | None) -> str:
    """Say the ceiling of an on-demand table."""
    told = zip(("read", "write"), ceilings or (None, None), strict=True)
    named = [f"{units:,} {name} units a second" for name, units in told if units is not None]
    return " and ".join(named) or "none"


def _key(told: Mapping[str, Any]) -> str | None:
    at_rest = told.get("SSEDescription") or {}
    return at_rest.get("KMSMasterKeyArn") if at_rest.get("Status") != "DISABLED" else None


def _ceilings(told: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    units = told.get("OnDemandThroughput") or {}
    both = (units.get("MaxReadRequestUnits"), units.get("MaxWriteRequestUnits"))
    found = tuple(None if number in {None, -1} else number for number in both)  # -1: none (AWS)
    return None if found == (None, None) else (found[0], found[1])


def _index(told: Mapping[str, Any], kinds: Mapping[str, str]) -> Index:
    hashed = next(part["AttributeName"] for part in told["KeySchema"] if part["KeyType"] == "HASH")
    return Index(told["IndexName"], hashed, kinds[hashed], told["Projection"]["ProjectionType"])


def _capacity(told: Mapping[str, Any]) -> tuple[int, int] | None:
    """Read the units; a table that was never on-demand has no summary of its billing."""
    if (told.get("BillingModeSummary") or {}).get("BillingMode") == ON_DEMAND:
        return None
    units = told["ProvisionedThroughput"]
    return units["ReadCapacityUnits"], units["WriteCapacityUnits"]
