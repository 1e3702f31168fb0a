"""The pre-commit hooks and the CI workflows run commands of `.ci/run`, whose tests exist."""

from __future__ import annotations

import re
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
    """Each pre-commit hook runs a command of `.ci/run`."""
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
def test_a_workflow_runs_only_the_ci_script(path: Path) -> None:
    """The only commands are `.ci/run`, `.ci/run quick` and `.ci/run clean`."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    lines = [
        step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step
    ]

    assert lines
    for line in lines:
        command, file, *more = shlex.split(line)
        assert (command, file) == ("bash", ".ci/run")
        assert not more or (more[0] in {"quick", "clean"} and f"= {more[0]} ]" in script)


def test_the_matrix_starts_at_the_oldest_supported_versions() -> None:
    """CI tests the lowest versions that setup.py permits."""
    matrix = read(WORKFLOWS[0])["jobs"]["versions"]["strategy"]["matrix"]
    setup = (ROOT / "setup.py").read_text("utf-8")

    assert 'python_requires=">=3.10"' in setup
    assert matrix["python"][0] == "3.10"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert f"OLDEST=({' '.join(matrix[name][0] for name in ('beaker', 'boto3'))})" in script
    for name in ("beaker", "boto3"):
        lowest = matrix[name][0].split()[0].replace("==", ">=").removesuffix(".0")
        assert f'"{lowest}"' in setup


def test_every_test_that_the_script_names_exists() -> None:
    """A file that was moved is missed at once, and not when the whole suite has passed."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    named = re.findall(r"(?<![\w/])tests/[\w/*.]+", script)

    assert named
    assert [name for name in named if not list(ROOT.glob(name))] == []
