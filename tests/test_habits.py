"""The pre-commit hooks and the CI workflows run commands of `.ci/run`, and hold few rights."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HOOKS = ROOT / ".pre-commit-config.yaml"
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


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
    """The only commands are `.ci/run`, and its parts `quick`, `clean` and `dist`."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    lines = [
        step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step
    ]

    assert lines
    for line in lines:
        command, file, *more = shlex.split(line)
        assert (command, file) == ("bash", ".ci/run")
        assert not more or (more[0] in {"quick", "clean", "dist"} and f"= {more[0]} ]" in script)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_only_the_action_that_was_reviewed(path: Path) -> None:
    """Each action is pinned by a commit, with its release beside it; moving a tag has no effect."""
    lines = re.findall(r"^ *(?:- )?uses: *(.*)$", path.read_text("utf-8"), re.MULTILINE)
    jobs = read(path)["jobs"].values()

    assert len(lines) == sum("uses" in step for job in jobs for step in job["steps"])
    for line in lines:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_has_no_more_rights_than_it_needs(path: Path) -> None:
    """A job only reads the code, and keeps no token; publishing only proves who it is."""
    workflow = read(path)

    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        if name == "publish":
            assert job["permissions"] == {"id-token": "write"}
            assert job["environment"]["name"] == "pypi"
            assert [step for step in job["steps"] if "run" in step] == []
        else:
            assert job["permissions"] == {"contents": "read"}
            (checkout,) = (
                step
                for step in job["steps"]
                if step.get("uses", "").startswith("actions/checkout@")
            )
            assert checkout["with"]["persist-credentials"] is False


def test_a_vulnerability_is_not_reported_in_public() -> None:
    """The list of issue forms links to SECURITY.md of the repository that setup.py names."""
    (link,) = read(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]
    setup = (ROOT / "setup.py").read_text("utf-8")
    repository = re.search(r'^REPOSITORY = "(.+)"$', setup, re.MULTILINE)

    assert repository
    assert link["url"] == f"https://github.com/{repository[1]}/blob/main/SECURITY.md"
    assert (ROOT / "SECURITY.md").exists()


def test_a_bug_is_reported_with_what_the_doctor_says() -> None:
    """The form of a bug requires the output of `doctor --json`."""
    fields = {
        field.get("id"): field for field in read(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    }

    assert fields["doctor"]["validations"] == {"required": True}
    assert "doctor -c production.ini --json" in fields["doctor"]["attributes"]["description"]


def test_dependabot_waits_until_a_release_is_a_week_old() -> None:
    """Both actions and packages are updated; a malicious release is mostly found within days."""
    updates = read(GITHUB / "dependabot.yml")["updates"]

    assert [update["package-ecosystem"] for update in updates] == ["github-actions", "pip"]
    assert [update["cooldown"] for update in updates] == [{"default-days": 7}] * 2


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
