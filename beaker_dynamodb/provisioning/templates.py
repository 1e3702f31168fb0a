"""The table as a template of CloudFormation or Terraform, from the `TableSpec` of `table create`.

Pure functions of the options. Terraform's text has the layout that `terraform fmt` gives it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning.features import AWS_MANAGED, NONE, Features
from beaker_dynamodb.provisioning.spec import ON_DEMAND, TableSpec, table_spec

_RESOURCE: Final = "BeakerTable"
#: A block: its header, its arguments, and the blocks inside it.
Block = tuple[str, Mapping[str, Any], list[Any]]


def to_cloudformation(options: Options, features: Features = NONE) -> str:
    """Write the CloudFormation template of the table, as JSON.

    The table outlives its stack (DeletionPolicy Retain): a stack that is deleted, or a key that
    is renamed, must not log everybody out.

    Raises: OptionError, as `table_spec`.
    """
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The table of Beaker's sessions or caches",
        "Resources": {
            _RESOURCE: {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": _properties(options, features),
            }
        },
        "Outputs": {
            "TableName": {"Value": {"Ref": _RESOURCE}},
            "TableArn": {"Value": {"Fn::GetAtt": [_RESOURCE, "Arn"]}},
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _properties(options: Options, features: Features) -> dict[str, Any]:
    """Turn CreateTable's request into a template's properties, of which a few have other names."""
    properties = table_spec(options, features).to_create_request()
    if "SSESpecification" in properties:
        at_rest = properties["SSESpecification"]
        properties["SSESpecification"] = {"SSEEnabled": at_rest.pop("Enabled"), **at_rest}
    properties["TimeToLiveSpecification"] = {
        "AttributeName": options.ttl_attribute,
        "Enabled": True,
    }
    if features.recovery is not None:
        properties["PointInTimeRecoverySpecification"] = {
            "PointInTimeRecoveryEnabled": features.recovery
        }
    return properties


def to_terraform(options: Options, features: Features = NONE) -> str:
    """Write the Terraform resource of the table, as HCL.

    Terraform refuses to destroy it (prevent_destroy): a plan that replaces the table would log
    everybody out.

    Raises: OptionError, as `table_spec`; also for a KMS key that is not given by its ARN.
    """
    spec = table_spec(options, features)
    arguments: dict[str, Any] = {
        "name": spec.table,
        "billing_mode": "PROVISIONED" if spec.capacity else ON_DEMAND,
        "hash_key": spec.hash_key,
        "range_key": spec.range_key,
        **_units(spec),
        "deletion_protection_enabled": features.protection,
        "tags": dict(features.tags) or None,
    }
    header = 'resource "aws_dynamodb_table" "beaker"'
    return "\n".join(_lines((header, arguments, list(_blocks(spec))), "")) + "\n"


def _blocks(spec: TableSpec) -> Iterator[Block]:
    names = [spec.hash_key, *([spec.range_key] if spec.range_key else [])]
    kinds = dict.fromkeys(names, "S") | {one.attribute: one.kind for one in spec.indexes}
    for name, kind in kinds.items():
        yield "attribute", {"name": name, "type": kind}, []
    yield "ttl", {"attribute_name": spec.ttl_attribute, "enabled": True}, []
    for index in spec.indexes:
        projected = {"hash_key": index.attribute, "projection_type": index.projection}
        yield "global_secondary_index", {"name": index.name, **projected, **_units(spec)}, []
    features = spec.features
    if features.recovery is not None:
        yield "point_in_time_recovery", {"enabled": features.recovery}, []
    if features.key:
        yield "server_side_encryption", {"enabled": True, "kms_key_arn": _arn(features.key)}, []
    if features.ceilings:
        units = {
            "max_read_request_units": features.most_reads,
            "max_write_request_units": features.most_writes,
        }
        yield "on_demand_throughput", units, []
    yield "lifecycle", {"prevent_destroy": True}, []


def _units(spec: TableSpec) -> dict[str, int]:
    if spec.capacity is None:
        return {}
    read, write = spec.capacity
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
