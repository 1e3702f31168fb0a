"""docs/operations.md names every error and every log line, and only commands that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_dynamodb import errors
from beaker_dynamodb.ops import cli
from tests.documents import DOCUMENTS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
PACKAGE = ROOT / "beaker_dynamodb"
#: Loggers of warnings about the configuration. They appear once, and need no alarm.
CONFIGURATION_LOGGERS = {
    "beaker_dynamodb.config.sources",
    "beaker_dynamodb.dynamodb.metering",
    "beaker_dynamodb.logs",
}
#: Warnings that need no alarm.
HARMLESS = {"a session with an empty id is not stored"}
#: Warnings of the command line are for the person who runs it.
COMMAND_LOGGERS = ("beaker_dynamodb.ops", "beaker_dynamodb.migration.bulk")


def read_table(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading, row by row."""
    lines = PAGE.partition(heading)[2].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[first + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def find_beginnings(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """Yield each text that a message can begin with, up to the first value that is filled in.

    *constants* are the constants of the module, by name.
    """
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text
        case ast.JoinedStr(values=[ast.FormattedValue(value=first), *_]):
            yield from find_beginnings(first, constants)
        case ast.Name(id=name) if name in constants:
            yield from find_beginnings(constants[name], constants)
        case ast.IfExp(body=one, orelse=other):
            yield from find_beginnings(one, constants)
            yield from find_beginnings(other, constants)


def find_warnings() -> Iterator[tuple[str, str]]:
    """Yield the logger and the beginning of each warning in the package's source."""
    for path in sorted(PACKAGE.rglob("*.py")):
        logger = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
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
                    yield from ((logger, text) for text in find_beginnings(message, constants))


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
    for metrics, dimensions, *_ in (
        *(row[1:] for row in read_table("## What to alarm on")),
        *read_table("because no threshold fits"),
    )
    for metric in re.findall(r"`(\w+)`", metrics)
}
#: Logger and beginning of each log line in the page's table.
DOCUMENTED = {
    (row[0].strip("`"), row[1].strip("`")) for row in read_table("In the application's own log")
}


def test_an_alarm_has_the_dimensions_that_its_metric_has() -> None:
    """With others CloudWatch finds no metric, and the alarm never fires."""
    assert {metric: DIMENSIONS[metric] for metric in ALARMS} == ALARMS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_page_names_a_metric_without_an_alarm(document: Path) -> None:
    """One set for all pages."""
    text = document.read_text("utf-8")

    assert {metric for metric in DIMENSIONS if f"`{metric}`" in text} <= ALARMS.keys()


def test_no_message_refers_to_a_file_that_is_not_installed() -> None:
    """The documents are no part of the package: a message names a page by its title."""
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    messages = [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]

    assert [text for text in messages if re.search(r"\w\.md\b", text)] == []


def test_the_page_says_what_to_do_about_each_error() -> None:
    """The table has a row for each class of errors.py, and for nothing else."""
    documented = {row[0].strip("`") for row in read_table("## What each error means")}

    assert documented == set(errors.__all__) - {"DynamoDBBackendError"}


@pytest.mark.parametrize(("logger", "beginning"), sorted(DOCUMENTED))
def test_a_documented_log_line_exists(logger: str, beginning: str) -> None:
    """That logger writes a warning that begins as the page says; no placeholder is shown."""
    assert "%" not in beginning
    assert any(name == logger and text.startswith(beginning) for name, text in find_warnings())


def test_every_warning_of_a_request_is_documented() -> None:
    """A new warning needs a row in the table."""
    missing = [
        (logger, text)
        for logger, text in find_warnings()
        if logger not in CONFIGURATION_LOGGERS
        and not logger.startswith(COMMAND_LOGGERS)
        and text not in HARMLESS
        and not any(name == logger and text.startswith(start) for name, start in DOCUMENTED)
    ]

    assert missing == []


def test_every_command_of_the_page_exists() -> None:
    """Each command that the page shows is one of the command line's."""
    commands = set(re.findall(r"^## `beaker-dynamodb (.+)`$", cli.format_reference(), re.MULTILINE))
    shown = re.findall(r"beaker-dynamodb ([a-z]+(?: (?:create|check|show|delete))?)", PAGE)

    assert shown
    assert {words for words in shown if words not in commands} == set()
