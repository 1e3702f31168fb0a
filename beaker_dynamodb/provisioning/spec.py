"""The expected table: what the options and an operator's flags ask for.

Pure: values in, AWS's requests out. `provision.py` and `tables.py` send these, `description.py`
compares the actual table with the expected one, and `iam.py` and `templates.py` print it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.user_rows import make_index_name
from beaker_dynamodb.errors import OptionError, masked_repr

_TYPES: Final = {"S": "String", "N": "Number", "B": "Binary"}
#: AWS's name for on-demand.
ON_DEMAND: Final = "PAY_PER_REQUEST"
#: Characters of a tag's name and value (AWS: API_Tag).
_MAX_TAG: Final = (128, 256)
#: Asks for AWS's own KMS key of the account, whose use is billed by the call.
AWS_MANAGED: Final = "alias/aws/dynamodb"


@dataclass(frozen=True, slots=True)
class Features:
    """Settings of a table that no option holds, because no application depends on them.

    None leaves the setting as it is. `recovery` is point-in-time recovery, to any second of the
    last 35 days. `kms_key` is an id, ARN or alias; without one, AWS encrypts with a key of its
    own, free of charge. An on-demand table is throttled above `max_read_units` and
    `max_write_units` a second, which limits the bill.
    """

    tags: tuple[tuple[str, str], ...] = ()
    recovery: bool | None = None
    protection: bool | None = None
    kms_key: str | None = None
    max_read_units: int | None = None
    max_write_units: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that AWS would refuse after the table was created."""
        for number in self.limits or ():
            if number is not None and number < 1:
                raise OptionError(f"a limit of {number} units; expected 1 or more")
        for name, value in self.tags:
            if not name or len(name) > _MAX_TAG[0] or len(value) > _MAX_TAG[1]:
                raise OptionError(
                    f"tag {name[:40]!r}: expected a name of 1 to {_MAX_TAG[0]} characters and"
                    f" a value of up to {_MAX_TAG[1]}"
                )

    @property
    def limits(self) -> tuple[int | None, int | None] | None:
        """The limits of read and write units; None if neither is asked for."""
        limits = (self.max_read_units, self.max_write_units)
        return None if limits == (None, None) else limits

    def to_flags(self) -> list[str]:
        """Return the flags of `table create` that ask for these features, quoted for a shell."""
        switches = {
            "point-in-time-recovery": self.recovery,
            "deletion-protection": self.protection,
        }
        values = {
            "kms-key": self.kms_key,
            "max-read-units": self.max_read_units,
            "max-write-units": self.max_write_units,
        }
        return [
            *(f"--tag {shlex.quote(f'{name}={value}')}" for name, value in self.tags),
            *(f"--{'' if on else 'no-'}{name}" for name, on in switches.items() if on is not None),
            *(f"--{name} {shlex.quote(str(value))}" for name, value in values.items() if value),
        ]

    def to_create_request(self) -> dict[str, Any]:
        """Return this part of CreateTable's request, which cannot switch recovery."""
        request: dict[str, Any] = {}
        if self.protection is not None:
            request["DeletionProtectionEnabled"] = self.protection
        if self.limits:
            request["OnDemandThroughput"] = self.to_limits()
        if self.kms_key:
            named = {} if self.kms_key == AWS_MANAGED else {"KMSMasterKeyId": self.kms_key}
            request["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **named}
        if self.tags:
            request["Tags"] = self.to_tags()
        return request

    def to_limits(self) -> dict[str, int]:
        """Return the limits by AWS's names."""
        names = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
        limits = zip(names, self.limits or (None, None), strict=True)
        return {name: units for name, units in limits if units is not None}

    def to_tags(self) -> list[dict[str, str]]:
        """Return the tags as AWS writes them."""
        return [{"Key": name, "Value": value} for name, value in self.tags]


#: Leaves every setting as it is.
NONE: Final = Features()


@dataclass(frozen=True, slots=True)
class Attribute:
    """The name of a key attribute, and its type S, N or B."""

    name: str
    type: str = "S"

    def __str__(self) -> str:
        """Format it for a sentence: 'id' (String)."""
        return f"{self.name!r} ({format_type(self.type)})"


@dataclass(frozen=True, slots=True)
class Index:
    """A sparse global secondary index: it holds only the rows that have the attribute.

    By default it projects KEYS_ONLY, so that a save that leaves the attribute alone writes nothing
    to the index. With ALL every save would cost twice as much. One that is `building` cannot be
    queried yet.
    """

    name: str
    attribute: str
    type: str
    projection: str = "KEYS_ONLY"
    building: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class TableSpec:
    """The table that the options ask for.

    `capacity` is the provisioned read and write units a second, of the table and of each index;
    None is on-demand. `endpoint_url` and `profile` only serve to write the command that creates
    the table.
    """

    table: str
    hash_key: str = "id"
    range_key: str | None = None
    ttl_attribute: str = "expires"
    indexes: tuple[Index, ...] = ()
    capacity: tuple[int, int] | None = None
    features: Features = NONE
    endpoint_url: str | None = None
    profile: str | None = None

    __repr__ = masked_repr

    def schema(self) -> str:
        """Return the key schema in words."""
        return format_schema(
            Attribute(self.hash_key), Attribute(self.range_key) if self.range_key else None
        )

    def key_types(self) -> dict[str, str]:
        """Return the type of each attribute that is a key of the table or of an index."""
        keys = [self.hash_key, *([self.range_key] if self.range_key else [])]
        return dict.fromkeys(keys, "S") | {index.attribute: index.type for index in self.indexes}

    def command(self, region: str | None = None) -> str:
        """Return the command that creates this table, quoted for a shell."""
        read, write = self.capacity or (None, None)
        values = {
            "table": self.table,
            "hash_key": self.hash_key,
            "range_key": self.range_key,
            "ttl_attribute": self.ttl_attribute,
            "special_keys": ",".join(f"{i.attribute}:{i.type}" for i in self.indexes),
            "read_capacity_units": read,
            "write_capacity_units": write,
            "region": region,
            "endpoint_url": self.endpoint_url,
            "profile": self.profile,
        }
        usual = Options()
        options = [
            f"-o {shlex.quote(f'{name}={value}')}"
            for name, value in values.items()
            if value and (name == "table" or value != getattr(usual, name))
        ]
        return " ".join(("beaker-dynamodb table create", *options, *self.features.to_flags()))

    def to_create_request(self) -> dict[str, Any]:
        """Return CreateTable's request. It cannot enable TTL: that takes a second call."""
        keys = [{"AttributeName": self.hash_key, "KeyType": "HASH"}]
        if self.range_key:
            keys.append({"AttributeName": self.range_key, "KeyType": "RANGE"})
        request: dict[str, Any] = {
            "TableName": self.table,
            "AttributeDefinitions": _define(self.key_types()),
            "KeySchema": keys,
            "BillingMode": "PROVISIONED" if self.capacity else ON_DEMAND,
            **_to_throughput(self.capacity),
            **self.features.to_create_request(),
        }
        if self.indexes:
            request["GlobalSecondaryIndexes"] = [
                _to_index(index, self.capacity) for index in self.indexes
            ]
        return request


def table_spec(options: Options, features: Features = NONE) -> TableSpec:
    """Return the table that *options* and an operator's *features* ask for.

    Raises: OptionError, if the two contradict each other.
    """
    read, write = options.read_capacity_units, options.write_capacity_units
    if read is not None and features.limits:
        raise OptionError(
            "a limit of units is for on-demand tables only; the units of this table are provisioned"
            " by options 'read_capacity_units' and 'write_capacity_units'"
        )
    return TableSpec(
        options.table,
        options.hash_key,
        options.range_key,
        options.ttl_attribute,
        tuple(Index(make_index_name(name), name, kind) for name, kind in options.indexed_keys),
        None if read is None or write is None else (read, write),
        features,
        options.endpoint_url,
        options.profile,
    )


def to_index_request(
    table: str, index: Index, key_types: Mapping[str, str], capacity: tuple[int, int] | None
) -> dict[str, Any]:
    """Return UpdateTable's request that adds *index* to an existing table.

    Args:
        key_types: of all key attributes, the index's own included.
        capacity: the table's provisioned units, which the index gets too.
    """
    return {
        "TableName": table,
        "AttributeDefinitions": _define(key_types),
        "GlobalSecondaryIndexUpdates": [{"Create": _to_index(index, capacity)}],
    }


def _define(key_types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in key_types.items()]


def _to_index(index: Index, capacity: tuple[int, int] | None) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": [{"AttributeName": index.attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": index.projection},
        **_to_throughput(capacity),
    }


def _to_throughput(capacity: tuple[int, int] | None) -> dict[str, Any]:
    if capacity is None:
        return {}
    read, write = capacity
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def format_type(kind: str) -> str:
    """Return the name of a type: String, Number or Binary."""
    return _TYPES.get(kind, kind)


def format_schema(hash_key: Attribute, range_key: Attribute | None) -> str:
    """Format a key schema: hash key 'id' (String) and range key 'range_key' (String)."""
    ranged = f" and range key {range_key}" if range_key else ", no range key"
    return f"hash key {hash_key}{ranged}"
