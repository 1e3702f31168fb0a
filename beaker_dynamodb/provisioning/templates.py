"""The table as a template of CloudFormation or Terraform, from the `TableSpec` of `table create`.

Pure functions of the options. Terraform's text has the layout that `terraform fmt` gives it. The
alarms name the table by its text, not by a reference, so that they can be used without it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError, digest
from beaker_dynamodb.provisioning.alarms import (
    NAMESPACE,
    Alarm,
    Metric,
    list_alarms,
    validate_topic,
)
from beaker_dynamodb.provisioning.spec import (
    AWS_MANAGED,
    NONE,
    ON_DEMAND,
    Features,
    TableSpec,
    table_spec,
)

_RESOURCE: Final = "BeakerTable"
#: Where a hump of a CloudFormation name begins. Terraform has an underscore there.
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_RENAMED: Final = {
    "OKActions": "ok_actions",
    "EvaluateLowSampleCountPercentile": "evaluate_low_sample_count_percentiles",
}
#: A block of HCL: its header, its arguments, and the blocks in it.
Block = tuple[str, Mapping[str, Any], list[Any]]


def to_cloudformation(
    options: Options,
    features: Features = NONE,
    topic: str | None = None,
    *,
    is_cache: bool = False,
) -> str:
    """Return the CloudFormation template of the table, as JSON.

    The table outlives its stack (DeletionPolicy Retain): deleting the stack or renaming a key must
    not log everybody out.

    Args:
        topic: the ARN of the SNS topic that alarms notify; None for no alarms.
        is_cache: whether the table holds caches, not sessions.

    Raises: OptionError, as `table_spec` and `validate_topic`.
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
            },
            **_alarm_resources(options, topic, is_cache=is_cache),
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


def _alarm_resources(options: Options, topic: str | None, *, is_cache: bool) -> dict[str, Any]:
    """Return a resource for each alarm by its logical id; none without a topic."""
    if topic is None:
        return {}
    actions = [validate_topic(topic, options.region)]
    table = options.table.rpartition("/")[2]  # the options may give its ARN
    return {
        identifier: {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{table}-{alarm.name}",
                "AlarmDescription": alarm.reason,
                **_alarm_value(alarm, table),
                "EvaluationPeriods": alarm.periods,
                "DatapointsToAlarm": alarm.datapoints,
                "Threshold": alarm.threshold,
                "ComparisonOperator": (
                    "LessThanThreshold" if alarm.fires_below else "GreaterThanThreshold"
                ),
                "TreatMissingData": "breaching" if alarm.breaching else "notBreaching",
                "AlarmActions": actions,
                "OKActions": actions,
            },
        }
        for identifier, alarm in _identify(list_alarms(options, is_cache=is_cache)).items()
    }


def _identify(alarms: Iterable[Alarm]) -> dict[str, Alarm]:
    """Return the alarms by their names in letters and digits, as CloudFormation requires.

    Each other character begins a new word. Names that are equal then get a digest at their end.
    """
    all_alarms = list(alarms)
    words = [re.split(r"[^A-Za-z0-9]+", alarm.name) for alarm in all_alarms]
    names = ["".join(one[:1].upper() + one[1:] for one in each) for each in words]
    counts = Counter(names)
    return {
        name if counts[name] == 1 else name + digest(alarm.name): alarm
        for name, alarm in zip(names, all_alarms, strict=True)
    }


def _alarm_value(alarm: Alarm, table: str) -> dict[str, Any]:
    """Return the properties that say what is compared: one metric, or an expression of several."""
    if alarm.expression is None:
        (metric,) = alarm.metrics.values()
        return {
            **_metric(metric, table),
            "ExtendedStatistic" if metric.is_percentile else "Statistic": metric.statistic,
            "Period": alarm.period,
            **({"EvaluateLowSampleCountPercentile": "ignore"} if metric.is_percentile else {}),
        }
    return {
        "Metrics": [
            {"Id": "value", "Expression": alarm.expression, "ReturnData": True},
            *(
                {
                    "Id": key,
                    "MetricStat": {
                        "Metric": _metric(one, table),
                        "Period": alarm.period,
                        "Stat": one.statistic,
                    },
                    "ReturnData": False,
                }
                for key, one in alarm.metrics.items()
            ),
        ]
    }


def _metric(metric: Metric, table: str) -> dict[str, Any]:
    dimensions = (("TableName", table), *metric.dimensions)
    return {
        "Namespace": NAMESPACE,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
    }


def to_terraform(
    options: Options,
    features: Features = NONE,
    topic: str | None = None,
    *,
    cache: str | None = None,
) -> str:
    """Return the Terraform resources of the table and of its alarms, as HCL.

    Terraform refuses to destroy the table (prevent_destroy): a plan that replaces it would log
    everybody out. The resources of a cache region have its name, so that they can be in one folder
    with those of the sessions.

    Args: *topic* as of `to_cloudformation`; *cache* is the region, None for sessions.
    Raises: OptionError, as `to_cloudformation`; also if a KMS key is not given by its ARN.
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
    name = "beaker" if cache is None else f"beaker_cache_{_to_word(cache)}"
    blocks: list[Block] = [
        (f'resource "aws_dynamodb_table" "{name}"', arguments, list(_blocks(spec)))
    ]
    for identifier, resource in _alarm_resources(
        options, topic, is_cache=cache is not None
    ).items():
        properties = resource["Properties"]
        queries = [_query_block(one) for one in properties.pop("Metrics", ())]
        header = f'resource "aws_cloudwatch_metric_alarm" "{name}_{identifier}"'
        blocks.append((header, _rename(properties), queries))
    return "\n".join("\n".join(_lines(block, "")) + "\n" for block in blocks)


def _to_word(text: str) -> str:
    """Return a text for a name of Terraform's; one that had to be changed ends with a digest."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return word if word == text else f"{word}_{digest(text)}"


def _query_block(query: dict[str, Any]) -> Block:
    """Return the block of an expression, or of a metric that it refers to."""
    if "MetricStat" not in query:
        return "metric_query", _rename(query), []
    stat = query["MetricStat"]
    metric: Block = ("metric", _rename({**stat.pop("Metric"), **stat}), [])
    return "metric_query", {"id": query["Id"]}, [metric]


def _rename(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties by Terraform's names: MetricName is metric_name."""
    arguments = {
        _RENAMED.get(name) or _HUMP.sub("_", name).lower(): value
        for name, value in properties.items()
    }
    if "dimensions" in arguments:
        arguments["dimensions"] = {one["Name"]: one["Value"] for one in arguments["dimensions"]}
    return arguments


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
