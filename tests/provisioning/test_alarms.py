"""The alarms of the templates: each finds its metric, says why, and is the same in both."""

from __future__ import annotations

import json
import re
from typing import Any

import cfnlint.api
import cfnlint.config
import hcl2
import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning import alarms, iam, templates
from tests.test_operations import DIMENSIONS

TOPIC = "arn:aws:sns:eu-central-1:123456789012:on-call"
#: The metrics of DynamoDB that have a second set of dimensions, with the index.
OF_INDEXES = {"ReadThrottleEvents", "WriteThrottleEvents"}
OPTIONS = {
    "plain": {},
    "one index": {"special_keys": "userId"},
    "odd names": {"special_keys": "userId:S my.team:N a/b:S"},
    "names that differ in punctuation": {"special_keys": "userId:S user.id:S a-b:S a2db:S"},
    "range key": {"range_key": "part"},
    "table's ARN": {"table": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"},
}


def read_alarms(**options: str) -> dict[str, Any]:
    """Return the properties of the alarms in CloudFormation's template, by logical id."""
    parsed = parse({"table": "sessions", **options}, "session")
    resources = json.loads(templates.to_cloudformation(parsed, topic=TOPIC))["Resources"]
    return {
        name: one["Properties"]
        for name, one in resources.items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }


def list_metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm reads."""
    if "Metrics" not in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_alarm_finds_its_metric(options: dict[str, str]) -> None:
    """Its dimensions are those that DynamoDB sends the metric with; the table has its name."""
    found = read_alarms(**options)

    assert found
    for metric in (one for alarm in found.values() for one in list_metrics(alarm)):
        values = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        assert values["TableName"] == "sessions"
        index = {"GlobalSecondaryIndexName"}
        expected = DIMENSIONS[metric["MetricName"]]
        if metric["MetricName"] in OF_INDEXES:
            expected = expected if index <= values.keys() else expected - index
        assert values.keys() == expected
        assert metric["Namespace"] == "AWS/DynamoDB"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_operation_and_every_index_is_watched(options: dict[str, str]) -> None:
    """Those that the application's own policy allows, and the indexes of the special keys."""
    parsed = parse({"table": "sessions", **options}, "session")
    policy = iam.policy("app", parsed, user_sessions=bool(parsed.indexed_keys))
    actions = re.findall(r'"dynamodb:(\w+)"', json.dumps(policy))
    operations = {one for one in actions if one.endswith("Item") or one == "Query"}
    found = read_alarms(**options)
    dimensions = [
        (metric["MetricName"], one["Name"], one["Value"])
        for alarm in found.values()
        for metric in list_metrics(alarm)
        for one in metric["Dimensions"]
    ]

    for metric in ("SystemErrors", "SuccessfulRequestLatency"):
        assert {v for m, n, v in dimensions if (m, n) == (metric, "Operation")} == operations
    for metric in OF_INDEXES:
        indexes = [v for m, n, v in dimensions if (m, n) == (metric, "GlobalSecondaryIndexName")]
        assert len(indexes) == len(set(indexes)) == len(parsed.indexed_keys)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_cloudwatch_accepts_every_alarm(options: dict[str, str]) -> None:
    """Its limits: 10 metrics, 1,024 characters, a day (a week for hours), and no SEARCH."""
    found = read_alarms(**options)
    names = [one["AlarmName"] for one in found.values()]

    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in found)
    for alarm in found.values():
        assert 40 < len(alarm["AlarmDescription"]) <= 1024
        assert len(list_metrics(alarm)) <= 10
        queries = alarm.get("Metrics", [])
        periods = [q["MetricStat"]["Period"] for q in queries if "MetricStat" in q]
        (period,) = set(periods or [alarm["Period"]])
        assert period * alarm["EvaluationPeriods"] <= (7 if period >= 3600 else 1) * 86400
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]
        for text in (q["Expression"] for q in queries if "Expression" in q):
            words = set(re.findall(r"[a-z]\w*", text))
            assert words == {q["Id"] for q in queries} - {"value"}
            assert "SEARCH" not in text


def test_the_resources_have_readable_names() -> None:
    """They are what a plan and a stack's events show; the alarms have those of the documents."""
    found = read_alarms(special_keys="userId")

    assert {"SystemErrors", "LatencyGetItem", "ReadThrottleEventsUserIdIndex"} <= found.keys()
    assert found["LatencyGetItem"]["AlarmName"] == "sessions-Latency-GetItem"


def test_the_alarms_of_a_cache_are_about_caches() -> None:
    """They must not say that sessions are affected."""
    parsed = parse({"table": "parts"}, "cache")
    found = json.loads(templates.to_cloudformation(parsed, topic=TOPIC, is_cache=True))["Resources"]
    descriptions = {
        name: one["Properties"]["AlarmDescription"]
        for name, one in found.items()
        if name != "BeakerTable"
    }

    assert "caches are bypassed" in descriptions["SystemErrors"]
    assert "a cached value waits for it" in descriptions["LatencyGetItem"]
    assert "ConditionalCheckFailedShare" not in descriptions  # that is how waiting for a lock works
    assert [text for text in descriptions.values() if "session" in text or "logged" in text] == []


def test_sessions_and_caches_can_be_in_one_terraform_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No two resources of a folder may have the same name."""
    names: list[str] = []
    for cache in ([], ["--cache", "short"], ["--cache", "long term"], ["--cache", "long_term"]):
        assert main(["terraform", *cache, "-o", "table=rows", "--alarms", TOPIC]) == 0
        text = capsys.readouterr().out
        names += re.findall(r'^resource "(\w+" "[\w-]+)"', text, re.MULTILINE)
        assert text.count('resource "') == len(re.findall("^resource", text, re.MULTILINE))

    assert len(set(names)) == len(names)
    assert {f'aws_dynamodb_table" "beaker{end}' for end in ("", "_cache_short")} <= {*names}


def test_only_missing_deletions_are_an_alarm() -> None:
    """DynamoDB sends no metric while it is 0, so for all others missing data is good."""
    found = read_alarms()

    breaching = {n for n, one in found.items() if one["TreatMissingData"] == "breaching"}
    assert breaching == {"NoTimeToLiveDeletions"}


def test_the_templates_have_no_alarm_unless_asked() -> None:
    """Each costs some cents a month."""
    parsed = parse({"table": "sessions"}, "session")

    assert "Alarm" not in templates.to_cloudformation(parsed)
    assert "alarm" not in templates.to_terraform(parsed)


def test_the_alarms_can_be_used_without_the_table() -> None:
    """For a table that exists already: the resource and the outputs are deleted by hand."""
    parsed = parse({"table": "sessions"}, "session")
    template = json.loads(templates.to_cloudformation(parsed, topic=TOPIC))
    del template["Resources"]["BeakerTable"], template["Outputs"]
    config = cfnlint.config.ManualArgs(regions=["eu-central-1"])

    assert cfnlint.api.lint(json.dumps(template), config=config) == []


def unquote(value: Any) -> Any:
    """Return a value of python-hcl2 without the quotes and marks that it keeps."""
    match value:
        case str():
            return value.strip('"')
        case list():
            return [unquote(one) for one in value]
        case dict():
            return {k.strip('"'): unquote(v) for k, v in value.items() if not k.startswith("__")}
    return value


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_terraform_has_the_same_alarms(options: dict[str, str]) -> None:
    """An HCL parser reads what CloudFormation's template says, alarm by alarm."""
    parsed = parse({"table": "sessions", **options}, "session")
    read = unquote(hcl2.loads(templates.to_terraform(parsed, topic=TOPIC)))
    kind = "aws_cloudwatch_metric_alarm"
    found = {k: v for one in read["resource"] for k, v in one.get(kind, {}).items()}
    expected = read_alarms(**options)

    assert found.keys() == {f"beaker_{name}" for name in expected}
    for name, alarm in expected.items():
        assert translate(found[f"beaker_{name}"]) == alarm


def translate(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of an alarm of Terraform by CloudFormation's names."""
    names = {
        "evaluate_low_sample_count_percentiles": "EvaluateLowSampleCountPercentile",
        "ok_actions": "OKActions",
    }
    properties = {
        names.get(name, name.title().replace("_", "")): value for name, value in alarm.items()
    }
    if "Dimensions" in properties:
        properties["Dimensions"] = to_list(properties["Dimensions"])
    for query in properties.pop("MetricQuery", ()):
        if "expression" in query:
            one = {"Id": query["id"], "Expression": query["expression"]}
            one["ReturnData"] = query["return_data"]
        else:
            (metric,) = query["metric"]
            named = {"Namespace": metric["namespace"], "MetricName": metric["metric_name"]}
            named["Dimensions"] = to_list(metric["dimensions"])
            stat = {"Metric": named, "Period": metric["period"], "Stat": metric["stat"]}
            one = {"Id": query["id"], "MetricStat": stat, "ReturnData": False}
        properties.setdefault("Metrics", []).append(one)
    return properties


def to_list(dimensions: dict[str, str]) -> list[dict[str, str]]:
    """Return dimensions as CloudFormation has them."""
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


@pytest.mark.parametrize(
    "topic",
    [
        "on-call",
        "arn:aws:sns:eu-central-1:123456789012",
        "arn:aws:sqs:eu-central-1:123456789012:on-call",
        "arn:aws:sns:eu-central-1:123456789012:on-call:9e3c-subscription",
        f"{TOPIC} ",
        "",
    ],
)
def test_what_is_no_topic_is_refused(topic: str) -> None:
    """CloudWatch would refuse it after the table was created."""
    with pytest.raises(OptionError, match="is not the ARN of an SNS topic"):
        alarms.validate_topic(topic, None)


def test_a_topic_of_another_region_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """An alarm notifies only topics of its region; the commands say so in one line."""
    for command in ("cloudformation", "terraform"):
        assert main([command, "-o", "region=eu-west-1", "--alarms", TOPIC]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "'eu-central-1', the table in 'eu-west-1'" in err


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_topics_of_all_partitions_are_accepted(partition: str) -> None:
    """China and GovCloud have their own."""
    topic = TOPIC.replace("arn:aws", f"arn:{partition}")

    assert alarms.validate_topic(topic, "eu-central-1") == topic
