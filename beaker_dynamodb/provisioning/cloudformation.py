"""The table as a CloudFormation template, drawn from the same blueprint that `table create` uses.

A pure function of the options. Data in AWS's words; no call is made.
"""

from __future__ import annotations

import json
from typing import Any

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.provisioning.features import NONE, Features
from beaker_dynamodb.provisioning.spec import table_spec

_RESOURCE = "BeakerTable"


def template(options: Options, features: Features = NONE) -> str:
    """Write the template of the table, as JSON.

    The table outlives its stack (DeletionPolicy Retain): a stack that is deleted, or a key that
    is renamed, must not log everybody out.

    Raises: OptionError, as `blueprint`.
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
    """Turn CreateTable's request into properties, which differ in a few words from it."""
    found = table_spec(options, features).to_create_request()
    if "SSESpecification" in found:
        at_rest = found["SSESpecification"]
        found["SSESpecification"] = {"SSEEnabled": at_rest.pop("Enabled"), **at_rest}
    found["TimeToLiveSpecification"] = {"AttributeName": options.ttl_attribute, "Enabled": True}
    if features.recovery is not None:
        found["PointInTimeRecoverySpecification"] = {
            "PointInTimeRecoveryEnabled": features.recovery
        }
    return found
