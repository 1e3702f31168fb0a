"""The table that ought to be, drawn from the options.

Pure: values in, values out, and no call is made. `provision.py` carries a blueprint out,
`description.py` compares it with what is, and `iam.py` and its neighbors print it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError, digest, masked_repr
from beaker_dynamodb.provisioning.features import NONE, Features

#: AWS: API_GlobalSecondaryIndex, "IndexName".
_INDEX_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_TYPES: Final = {"S": "String", "N": "Number", "B": "Binary"}
#: What AWS calls on-demand.
ON_DEMAND: Final = "PAY_PER_REQUEST"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that is a key: its name, and S, N or B."""

    name: str
    kind: str = "S"

    def __str__(self) -> str:
        """Write it as a sentence needs it: 'id' (String)."""
        return f"{self.name!r} ({self.type})"

    @property
    def type(self) -> str:
        """Say the kind in a word."""
        return _TYPES.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class Index:
    """A sparse index: only a row that has the attribute stands in it, and costs a write more.

    KEYS_ONLY, so that a save that leaves the attribute alone costs nothing more (with ALL every
    save would cost double).
    """

    name: str
    attribute: str
    kind: str
    projection: str = "KEYS_ONLY"


@dataclass(frozen=True, slots=True, repr=False)
class TableSpec:
    """The table that the options ask for.

    `capacity` is read and write units a second, for the table and for each index; None is
    on-demand. `endpoint_url` and `profile` say where the table is, for the command that makes it.
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

    def ought(self) -> str:
        """Say the key schema in words, for an error or a list."""
        ranged = Attribute(self.range_key) if self.range_key else None
        return schema_in_words(Attribute(self.hash_key), ranged)

    def command(self, region: str | None = None) -> str:
        """Write the command that makes this table, ready to be pasted into a shell."""
        read, write = self.capacity or (None, None)
        usual = Options()
        told = {
            "hash_key": (self.hash_key, usual.hash_key),
            "range_key": (self.range_key, usual.range_key),
            "ttl_attribute": (self.ttl_attribute, usual.ttl_attribute),
            "special_keys": (",".join(f"{i.attribute}:{i.kind}" for i in self.indexes), ""),
            "read_capacity_units": (read, None),
            "write_capacity_units": (write, None),
            "region": (region, None),
            "endpoint_url": (self.endpoint_url, None),
            "profile": (self.profile, None),
        }
        words = [f"{name}={is_}" for name, (is_, default) in told.items() if is_ != default]
        given = (f"-o {shlex.quote(word)}" for word in (f"table={self.table}", *words))
        return " ".join(("beaker-dynamodb table create", *given, *self.features.flags()))

    def to_create_request(self) -> dict[str, Any]:
        """Write the request of CreateTable. TTL cannot be part of it: that is a second call."""
        keys = [{"AttributeName": self.hash_key, "KeyType": "HASH"}]
        if self.range_key:
            keys.append({"AttributeName": self.range_key, "KeyType": "RANGE"})
        kinds = {key["AttributeName"]: "S" for key in keys}
        kinds |= {index.attribute: index.kind for index in self.indexes}
        request: dict[str, Any] = {
            "TableName": self.table,
            "AttributeDefinitions": _definitions(kinds),
            "KeySchema": keys,
            "BillingMode": "PROVISIONED" if self.capacity else ON_DEMAND,
            **_throughput(self.capacity),
            **self.features.to_create_request(),
        }
        if self.features.tags:
            request["Tags"] = self.features.to_tags()
        if self.indexes:
            request["GlobalSecondaryIndexes"] = [
                _to_request(index, self.capacity) for index in self.indexes
            ]
        return request


def to_index_request(
    table: str, index: Index, kinds: Mapping[str, str], capacity: tuple[int, int] | None
) -> dict[str, Any]:
    """Write the request of UpdateTable that adds *index* to a table that exists.

    Args: *kinds* of all attributes that are keys, those of the index among them; *capacity*,
    the units of the index, as the table has them.
    """
    return {
        "TableName": table,
        "AttributeDefinitions": _definitions(kinds),
        "GlobalSecondaryIndexUpdates": [{"Create": _to_request(index, capacity)}],
    }


def _definitions(kinds: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def _to_request(index: Index, capacity: tuple[int, int] | None) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": [{"AttributeName": index.attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": index.projection},
        **_throughput(capacity),
    }


def _throughput(capacity: tuple[int, int] | None) -> dict[str, Any]:
    if capacity is None:
        return {}
    read, write = capacity
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def table_spec(options: Options, features: Features = NONE) -> TableSpec:
    """Draw the table that *options* ask for, with the *features* that an operator asks for.

    Raises: OptionError, where the two contradict each other.
    """
    read, write = options.read_capacity_units, options.write_capacity_units
    special = options.special_keys if options.index_special_keys else ()
    if read is not None and features.ceilings:
        raise OptionError(
            "a limit of units is for on-demand tables only; the units of this table are provisioned"
            " by options 'read_capacity_units' and 'write_capacity_units'"
        )
    return TableSpec(
        options.table,
        options.hash_key,
        options.range_key,
        options.ttl_attribute,
        tuple(Index(index_name(name), name, kind) for name, kind in special),
        None if read is None or write is None else (read, write),
        features,
        options.endpoint_url,
        options.profile,
    )


def index_name(attribute: str) -> str:
    """Name the index of an attribute: always the same, and no other attribute's.

    `userId` gives `userId-index`; a name that AWS would refuse is cleaned, and told apart from
    others that come out alike by 8 hex digits.
    """
    name = f"{attribute}-index"
    if _INDEX_NAME.fullmatch(name):
        return name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", attribute)[:200] + f"-{digest(attribute)}-index"


def schema_in_words(hash_key: Attribute, range_key: Attribute | None) -> str:
    """Say a key schema: hash key 'id' (String) and range key 'range_key' (String)."""
    ranged = f" and range key {range_key}" if range_key else ", no range key"
    return f"hash key {hash_key}{ranged}"
