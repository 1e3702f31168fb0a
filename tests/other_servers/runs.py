"""One run of the selected tests on one server, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The contract, the stories and the budgets.
SELECTION: Sequence[str] = (
    "tests/dynamodb/test_table.py",
    "tests/dynamodb/test_scan.py",
    "tests/sessions/test_contract.py",
    "tests/sessions/test_stories.py",
    "tests/sessions/test_stories_conflict.py",
    "tests/sessions/test_stories_logout.py",
    "tests/sessions/test_stories_opaque.py",
    "tests/sessions/test_stories_rotation.py",
    "tests/sessions/test_stories_timeout.py",
    "tests/sessions/test_budget.py",
    "tests/sessions/test_special_keys.py",
    "tests/sessions/test_user_sessions.py",
    "tests/sessions/test_user_sessions_budget.py",
    "tests/caches/test_contract.py",
    "tests/caches/test_budget.py",
    "tests/caches/test_large.py",
)
_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


@dataclass(frozen=True)
class Run:
    """What pytest has printed, how long it took in seconds, and how many tests ended how."""

    output: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_passed(self) -> bool:
        """Whether tests ran, and none failed."""
        return bool(self.counts.get("passed")) and not (
            self.counts.get("failed") or self.counts.get("error") or self.counts.get("errors")
        )

    @property
    def gaps(self) -> list[str]:
        """The sentences of the tests that were skipped, with how many each skips."""
        return re.findall(r"^SKIPPED (\[\d+\] .*)$", self.output, re.MULTILINE)


def run(server: str, environ: Mapping[str, str], tests: Sequence[str] = SELECTION) -> Run:
    """Run tests on the server of that name, which `environ` describes."""
    command = [sys.executable, "-m", "pytest", "-q", "-rsfE", "--tb=short", f"--server={server}"]
    command += ["-p", "no:cacheprovider", *tests]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**inherited, **environ}, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    last = done.stdout.strip().rpartition("\n")[2]
    counts = {name: int(count) for count, name in _COUNTS.findall(last)}
    return Run(output, time.monotonic() - began, counts)
