"""The table as a template of CloudFormation or Terraform, from the `TableSpec` of `table create`.

Pure functions of the options. Terraform's text has the layout that `terraform fmt` gives it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning.spec import (
    AWS_MANAGED,
    NONE,
    ON_DEMAND,
    Features,
    TableSpec,
    table_spec,
)

_RESOURCE: Final = "BeakerTable"
#: A block of HCL: its header, its arguments, and the blocks in it.
Block = tuple[str, Mapping[str, Any], list[Any]]


def to_cloudformation(options: Options, features: Features = NONE) -> str:
    """Return the CloudFormation template of the table, as JSON.

    The table outlives its stack (DeletionPolicy Retain): deleting the stack or renaming a key must
    not log everybody out.

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
    """Return the properties: CreateTable's request, in which a few have other names."""
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
    """Return the Terraform resource of the table, as HCL.

    Terraform refuses to destroy it (prevent_destroy): a plan that replaces the table would log
    everybody out.

    Raises: OptionError, as `table_spec`; also if a KMS key is not given by its ARN.
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
    for name, kind in spec.key_types().items():
        yield "attribute", {"name": name, "type": kind}, []
    yield "ttl", {"attribute_name": spec.ttl_attribute, "enabled": True}, []
    for index in spec.indexes:
        projected = {"hash_key": index.attribute, "projection_type": index.projection}
        yield "global_secondary_index", {"name": index.name, **projected, **_units(spec)}, []
    features = spec.features
    if features.recovery is not None:
        yield "point_in_time_recovery", {"enabled": features.recovery}, []
    if features.kms_key:
        arn = _require_arn(features.kms_key)
        yield "server_side_encryption", {"enabled": True, "kms_key_arn": arn}, []
    if features.limits:
        names = ("max_read_request_units", "max_write_request_units")
        yield "on_demand_throughput", dict(zip(names, features.limits, strict=True)), []
    yield "lifecycle", {"prevent_destroy": True}, []


def _units(spec: TableSpec) -> dict[str, int]:
    if spec.capacity is None:
        return {}
    read, write = spec.capacity
    return {"read_capacity": read, "write_capacity": write}


def _require_arn(key: str) -> str | None:
    """Return the ARN of a KMS key; None for AWS's own key of the account, which needs none.

    Raises: OptionError, if the key is an id or another alias, which only the plan would refuse.
    """
    if key == AWS_MANAGED:
        return None
    if not key.startswith("arn:"):
        raise OptionError(f"Terraform requires the ARN of a KMS key; {key!r} is not one")
    return key


def _lines(block: Block, margin: str) -> Iterator[str]:
    """Yield the lines of a block: equal signs aligned, a blank line before each block and map."""
    header, arguments, inside = block
    given = {name: value for name, value in arguments.items() if value is not None}
    plain = {name: value for name, value in given.items() if not isinstance(value, dict)}
    yield f"{margin}{header} {{"
    yield from _align(plain, margin + "  ")
    for name, value in given.items():
        if isinstance(value, dict):
            yield ""
            yield f"{margin}  {name} = {{"
            yield from _align({_quote(key): one for key, one in value.items()}, margin + "    ")
            yield f"{margin}  }}"
    for one in inside:
        yield ""
        yield from _lines(one, margin + "  ")
    yield f"{margin}}}"


def _align(arguments: Mapping[str, Any], margin: str) -> Iterator[str]:
    width = max(map(len, arguments), default=0)
    for name, value in arguments.items():
        yield f"{margin}{name:<{width}} = {_quote(value)}"


def _quote(value: object) -> str:
    """Format a value. In a text, `${` and `%{` are escaped: they would begin a template."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
