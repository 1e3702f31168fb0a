"""The same tests on other servers, and on an endpoint that is as strict as AWS's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.other_servers.__main__ import STARTED, run_emulator
from tests.other_servers.gaps import GAPS
from tests.other_servers.runs import SELECTION, run
from tests.other_servers.signed import serve
from tests.servers import Flavor

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
QUICK = ["tests/sessions/test_contract.py", "-k", "comes_back or serves_one_key"]


@pytest.mark.parametrize("selection", [QUICK, pytest.param(SELECTION, marks=pytest.mark.long)])
def test_the_tests_run_on_aws_itself(
    dynamodb_local: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: list[str]
) -> None:
    """Over TLS, with true signatures, in the region that was named; no table is left behind."""
    with serve(dynamodb_local, REGION, tmp_path) as (endpoint, environ):
        report = tmp_path / "report.json"
        result = run("aws", {**environ, "DYNAMODB_REPORT": str(report)}, selection)
        found = json.loads(report.read_text("utf-8"))
        print(found, endpoint.accepted, endpoint.refused)

    assert result.has_passed, result.output
    assert endpoint.refused == 0
    assert sum(found["calls"].values()) <= endpoint.accepted
    assert found["tables_created"] > 0
    assert found["dollars_at_most"] < 0.05


def test_a_wrong_secret_is_refused(dynamodb_local: str, tmp_path: Path) -> None:
    """The endpoint does look at signatures."""
    with serve(dynamodb_local, REGION, tmp_path) as (endpoint, environ):
        wrong = {**environ, "AWS_SECRET_ACCESS_KEY": "another", "DYNAMODB_REPORT": "/dev/null"}
        result = run("aws", wrong, [QUICK[0], "-k", "serves_one_key"])

    assert not result.has_passed
    assert endpoint.accepted == 0
    assert endpoint.refused > 0


@pytest.mark.long
@pytest.mark.parametrize("name", STARTED)
def test_a_server_passes_but_for_its_gaps(name: str) -> None:
    """What it cannot do is skipped, each with a sentence."""
    result = run_emulator(Flavor(name), list(SELECTION))
    print(result.counts, *result.gaps, sep="\n")

    assert result.has_passed, result.output


def test_each_gap_names_tests_of_the_selection() -> None:
    """A gap whose tests were renamed would hide nothing, and explain nothing."""
    for gap in GAPS:
        assert gap.sentence.endswith(".")
        for pattern in gap.tests:
            file, _, test = pattern.partition("::")
            name = re.match(r"\w+", test)
            assert file in SELECTION
            assert name is not None
            assert f"\ndef {name[0]}" in (ROOT / file).read_text("utf-8"), pattern
