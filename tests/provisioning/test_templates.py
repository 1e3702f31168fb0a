"""The table as CloudFormation and Terraform: golden files, AWS's linter, Terraform's own layout."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import cfnlint.api
import cfnlint.config
import hcl2
import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.provisioning import templates
from beaker_dynamodb.provisioning.spec import Features
from tests.instruments import Recorder

GOLDEN = Path(__file__).parent / "golden"
PLAIN = ("-o", "table=myapp-sessions")
RICH = (
    *("-o", "table=myapp-sessions", "--range-key", "part", "-o", "ttl_attribute=until"),
    *("-o", "special_keys=userId:S visits:N", "--tag", "team=web ${x}", "--tag", "a=b"),
    *("--point-in-time-recovery", "--deletion-protection", "--max-read-units", "4000"),
    *(
        "--kms-key",
        "arn:aws:kms:eu-central-1:123456789012:key/00000000-1111-2222-3333-444444444444",
    ),
)
PROVISIONED = (
    *("-o", "table=myapp-sessions", "-o", "special_keys=userId"),
    *("-o", "read_capacity_units=20", "-o", "write_capacity_units=10"),
    *("--no-deletion-protection", "--no-point-in-time-recovery", "--kms-key", "alias/aws/dynamodb"),
)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:on-call"
ALARMS = (*PLAIN, "-o", "special_keys=userId:S my.team:N", "--alarms", TOPIC)
CASES = {"plain": PLAIN, "rich": RICH, "provisioned": PROVISIONED, "alarms": ALARMS}
COMMANDS = {"cloudformation": "json", "terraform": "tf"}


def print_template(command: str, case: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Print a template by its command."""
    assert main([command, *CASES[case]]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_template_is_the_golden_file(
    command: str, case: str, capsys: pytest.CaptureFixture[str], calls: Recorder
) -> None:
    """Printing it makes no call."""
    golden = GOLDEN / f"{case}.{COMMANDS[command]}"

    assert print_template(command, case, capsys) == golden.read_text("utf-8")
    assert calls == []


@pytest.mark.parametrize("case", CASES)
def test_aws_linter_accepts_the_template(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """cfn-lint checks the properties against AWS's own schemas."""
    text = print_template("cloudformation", case, capsys)
    misspelled = text.replace('"KeySchema"', '"KeyScheme"')
    config = cfnlint.config.ManualArgs(regions=["eu-central-1"])

    assert cfnlint.api.lint(text, config=config) == []
    assert cfnlint.api.lint(misspelled, config=config) != []


def test_the_table_outlives_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    """Deleting the stack or replacing the resource keeps the sessions."""
    table = json.loads(print_template("cloudformation", "plain", capsys))["Resources"][
        "BeakerTable"
    ]

    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("case", CASES)
def test_terraform_fmt_changes_nothing(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Skipped if terraform is not installed."""
    if (program := shutil.which("terraform")) is None:
        pytest.skip("terraform is not installed")
    (tmp_path / "table.tf").write_text(print_template("terraform", case, capsys), "utf-8")
    done = subprocess.run(
        [program, "fmt", "-check", "-diff", "table.tf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_an_hcl_parser_reads_the_resource(capsys: pytest.CaptureFixture[str]) -> None:
    """It reads the values that were asked for; a text that looks like a template is escaped."""
    read = hcl2.loads(print_template("terraform", "rich", capsys))
    found = cast("dict[str, Any]", read["resource"][0])
    ((kind, named),) = found.items()
    ((name, table),) = ((n, t) for n, t in named.items() if not n.startswith("__"))

    assert (kind.strip('"'), name.strip('"')) == ("aws_dynamodb_table", "beaker")
    assert table["range_key"].strip('"') == "part"
    assert table["ttl"][0]["attribute_name"].strip('"') == "until"
    assert [one["name"].strip('"') for one in table["attribute"]] == [
        *("id", "part", "userId", "visits")
    ]
    assert table["lifecycle"][0]["prevent_destroy"] is True
    assert "$${x}" in str(table["tags"])


def test_terraform_requires_the_arn_of_a_kms_key() -> None:
    """An alias would be refused only when the plan is made."""
    with pytest.raises(OptionError, match="requires the ARN"):
        templates.to_terraform(Options(), Features(kms_key="alias/mine"))
