"""What contributors and their machines rely on: the hooks and workflows name what is there."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HOOKS = ROOT / ".pre-commit-config.yaml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> Any:
    """Parse a YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


def test_a_commit_is_checked_by_the_tools_that_ci_uses() -> None:
    """Each hook runs a command that stands as a step in `.ci/run`."""
    (local,) = read(HOOKS)["repos"]
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert {hook["id"] for hook in local["hooks"]} == {
        "ruff-format",
        "ruff-check",
        "mypy",
        "codespell",
    }
    for hook in local["hooks"]:
        assert f".venv/bin/{hook['entry']}" in script


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_the_script_that_everybody_runs(path: Path) -> None:
    """No second truth: the only commands are `.ci/run`, whole, quick or clean."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    lines = [
        step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step
    ]

    assert lines
    for line in lines:
        command, file, *more = shlex.split(line)
        assert (command, file) == ("bash", ".ci/run")
        assert not more or (more[0] in {"quick", "clean"} and f"= {more[0]} ]" in script)


def test_the_matrix_reaches_from_the_oldest_to_the_newest() -> None:
    """What setup.py promises is what is tried."""
    matrix = read(WORKFLOWS[0])["jobs"]["versions"]["strategy"]["matrix"]
    promised = (ROOT / "setup.py").read_text("utf-8")

    assert 'python_requires=">=3.10"' in promised
    assert matrix["python"][0] == "3.10"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert f"OLDEST=({' '.join(matrix[name][0] for name in ('beaker', 'boto3'))})" in script
    for name in ("beaker", "boto3"):
        lowest = matrix[name][0].split()[0].replace("==", ">=").removesuffix(".0")
        assert f'"{lowest}"' in promised
