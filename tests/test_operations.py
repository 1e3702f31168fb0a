"""The page for the person on call names the errors, log lines and commands that there are."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_dynamodb import errors
from beaker_dynamodb.config import sources
from beaker_dynamodb.ops import cli
from beaker_dynamodb.provisioning import iam
from tests.documents import DOCUMENTS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
PACKAGE = ROOT / "beaker_dynamodb"
#: Lines that tell whoever configures the application, once: nothing to be called for at night.
OF_CONFIGURATION = {
    "beaker_dynamodb.config.sources",
    "beaker_dynamodb.dynamodb.metering",
    "beaker_dynamodb.logs",
}
ONCE = {"a session with an empty id is not stored"}
#: What has more than one name there.
OTHER_WORDS = {"beaker_dynamodb.ops"}


def rows(heading: str) -> list[list[str]]:
    """Read the cells of the first table below a heading."""
    lines = PAGE.partition(heading)[2].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|---"))
    found = []
    for line in lines[first + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def beginnings(node: ast.expr, named: dict[str, ast.expr]) -> Iterator[str]:
    """Yield how a message may begin, up to what is filled in; *named* are a module's constants."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text
        case ast.JoinedStr(values=[ast.FormattedValue(value=first), *_]):
            yield from beginnings(first, named)
        case ast.Name(id=name) if name in named:
            yield from beginnings(named[name], named)
        case ast.IfExp(body=one, orelse=other):
            yield from (*beginnings(one, named), *beginnings(other, named))


def warnings() -> Iterator[tuple[str, str]]:
    """Yield logger and beginning of each warning that the package writes in its own words."""
    for path in sorted(PACKAGE.rglob("*.py")):
        logger = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text("utf-8"))
        named = {
            node.target.id: node.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
        }
        for node in ast.walk(tree):
            match node:
                case (
                    ast.Call(
                        func=ast.Attribute(value=ast.Name(id="logs"), attr="log_once_a_minute"),
                        args=[_, message, *_],
                    )
                    | ast.Call(
                        func=ast.Attribute(value=ast.Name(id="log"), attr="warning"),
                        args=[message, *_],
                    )
                ):
                    yield from ((logger, text) for text in beginnings(message, named))


#: The dimensions of each metric of a table (AWS: "DynamoDB metrics and dimensions"). The metrics of
#: a capacity have a second set, with the index.
DIMENSIONS = {
    "ConditionalCheckFailedRequests": {"TableName"},
    "ConsumedReadCapacityUnits": {"TableName", "GlobalSecondaryIndexName"},
    "ConsumedWriteCapacityUnits": {"TableName", "GlobalSecondaryIndexName"},
    "ReadThrottleEvents": {"TableName", "GlobalSecondaryIndexName"},
    "SuccessfulRequestLatency": {"TableName", "Operation"},
    "SystemErrors": {"TableName", "Operation"},
    "ThrottledRequests": {"TableName", "Operation"},
    "TimeToLiveDeletedItemCount": {"TableName"},
    "UserErrors": set[str](),
    "WriteThrottleEvents": {"TableName", "GlobalSecondaryIndexName"},
}
ALARMS = {
    metric: set(re.findall(r"`(\w+)`", dimensions))
    for metrics, dimensions, *_ in rows("## What to alarm on")
    for metric in re.findall(r"`(\w+)`", metrics)
}
QUOTED = {
    (row[0].strip("`"), row[1].strip("`")) for row in rows("And in the application's own log")
}


def test_an_alarm_has_the_dimensions_that_its_metric_has() -> None:
    """With others CloudWatch finds no metric, and the alarm never fires."""
    assert {metric: DIMENSIONS[metric] for metric in ALARMS} == ALARMS


def test_the_command_for_an_alarm_names_the_dimensions_and_operations() -> None:
    """One alarm for each operation that the application's own policy allows."""
    (script,) = re.findall(r"```sh\n(for operation .*?)```", PAGE, re.DOTALL)
    (metric,) = re.findall(r"--metric-name (\w+)", script)
    (operations,) = re.findall(r"for operation in (.+); do", script)
    policy = iam.policy("app", sources.parse({"region": "eu-central-1"}, "session"))
    allowed = re.findall(r'"dynamodb:(\w+Item)"', json.dumps(policy))

    assert set(re.findall(r"Name=(\w+),", script)) == DIMENSIONS[metric]
    assert set(operations.split()) == set(allowed)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_page_names_a_metric_without_an_alarm(document: Path) -> None:
    """One set for all pages."""
    text = document.read_text("utf-8")

    assert {metric for metric in DIMENSIONS if f"`{metric}`" in text} <= ALARMS.keys()


def test_every_error_says_what_to_do() -> None:
    """The table holds the tree of errors.py, all of it and nothing else."""
    told = {row[0].strip("`") for row in rows("## What each error means")}

    assert told == set(errors.__all__) - {"DynamoDBBackendError"}


@pytest.mark.parametrize(("logger", "quoted"), sorted(QUOTED))
def test_a_line_that_is_alarmed_on_is_written(logger: str, quoted: str) -> None:
    """It begins so, in that logger."""
    assert any(name == logger and text.startswith(quoted) for name, text in warnings())


def test_every_warning_of_a_request_is_explained() -> None:
    """A new line in the log comes with a row of the table."""
    missing = [
        (logger, text)
        for logger, text in warnings()
        if logger not in OF_CONFIGURATION
        and not any(logger.startswith(other) for other in OTHER_WORDS)
        and text not in ONCE
        and not any(name == logger and text.startswith(quoted) for name, quoted in QUOTED)
    ]

    assert missing == []


def test_every_command_of_the_page_exists() -> None:
    """With its words, as they are typed."""
    commands = set(re.findall(r"^### `beaker-dynamodb (.+)`$", cli.reference(), re.MULTILINE))
    typed = re.findall(r"beaker-dynamodb ([a-z]+(?: (?:create|check|show|delete))?)", PAGE)

    assert typed
    assert {words for words in typed if words not in commands} == set()
