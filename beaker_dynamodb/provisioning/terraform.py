"""The table as a Terraform resource, drawn from the same blueprint that `table create` uses.

A pure function of the options; the text is laid out as `terraform fmt` would lay it out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning.features import AWS_MANAGED, NONE, Features
from beaker_dynamodb.provisioning.spec import ON_DEMAND, TableSpec, table_spec

#: A block: its header, its arguments, and the blocks inside it.
Block = tuple[str, Mapping[str, Any], list[Any]]


def resource(options: Options, features: Features = NONE) -> str:
    """Write the resource of the table, as HCL.

    Terraform refuses to destroy it (prevent_destroy): a plan that replaces the table would log
    everybody out.

    Raises: OptionError, as `blueprint`, and for a key that is not named by its ARN.
    """
    ought = table_spec(options, features)
    arguments: dict[str, Any] = {
        "name": ought.table,
        "billing_mode": "PROVISIONED" if ought.capacity else ON_DEMAND,
        "hash_key": ought.hash_key,
        "range_key": ought.range_key,
        **_units(ought),
        "deletion_protection_enabled": features.protection,
        "tags": dict(features.tags) or None,
    }
    header = 'resource "aws_dynamodb_table" "beaker"'
    return "\n".join(_lines((header, arguments, list(_blocks(ought))), "")) + "\n"


def _blocks(ought: TableSpec) -> Iterator[Block]:
    names = [ought.hash_key, *([ought.range_key] if ought.range_key else [])]
    kinds = dict.fromkeys(names, "S") | {one.attribute: one.kind for one in ought.indexes}
    for name, kind in kinds.items():
        yield "attribute", {"name": name, "type": kind}, []
    yield "ttl", {"attribute_name": ought.ttl_attribute, "enabled": True}, []
    for index in ought.indexes:
        projected = {"hash_key": index.attribute, "projection_type": index.projection}
        yield "global_secondary_index", {"name": index.name, **projected, **_units(ought)}, []
    asked = ought.features
    if asked.recovery is not None:
        yield "point_in_time_recovery", {"enabled": asked.recovery}, []
    if asked.key:
        yield "server_side_encryption", {"enabled": True, "kms_key_arn": _arn(asked.key)}, []
    if asked.ceilings:
        units = {
            "max_read_request_units": asked.most_reads,
            "max_write_request_units": asked.most_writes,
        }
        yield "on_demand_throughput", units, []
    yield "lifecycle", {"prevent_destroy": True}, []


def _units(ought: TableSpec) -> dict[str, int]:
    if ought.capacity is None:
        return {}
    read, write = ought.capacity
    return {"read_capacity": read, "write_capacity": write}


def _arn(key: str) -> str | None:
    """Name a key as Terraform does; the account's own needs no name."""
    if key == AWS_MANAGED:
        return None
    if not key.startswith("arn:"):
        raise OptionError(f"Terraform requires the ARN of a KMS key; {key!r} is not one")
    return key


def _lines(block: Block, margin: str) -> Iterator[str]:
    """Lay out a block: equal signs below each other, a blank line around blocks and maps."""
    header, arguments, inside = block
    given = {name: value for name, value in arguments.items() if value is not None}
    plain = {name: value for name, value in given.items() if not isinstance(value, dict)}
    yield f"{margin}{header} {{"
    yield from _aligned(plain, margin + "  ")
    for name, value in given.items():
        if isinstance(value, dict):
            yield ""
            yield f"{margin}  {name} = {{"
            yield from _aligned({_text(word): one for word, one in value.items()}, margin + "    ")
            yield f"{margin}  }}"
    for one in inside:
        yield ""
        yield from _lines(one, margin + "  ")
    yield f"{margin}}}"


def _aligned(arguments: Mapping[str, Any], margin: str) -> Iterator[str]:
    width = max(map(len, arguments), default=0)
    for name, value in arguments.items():
        yield f"{margin}{name:<{width}} = {_text(value)}"


def _text(value: object) -> str:
    """Write a value; in a text `${` and `%{` would begin a template."""
    written = json.dumps(value, ensure_ascii=False)
    return written.replace("${", "$${").replace("%{", "%%{")
