"""What mutmut changes and runs for a group of files, and which of its mutants may survive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: What the tests need beside each other.
COPIED: Final = ("beaker_dynamodb", "tests", "benchmarks", "docs", "examples")
SHORTCUT: Final = "a shortcut: the way that is taken instead gives the same answer, later"
SPELLING: Final = "Python knows this name in capitals, too"


@dataclass(frozen=True)
class Group:
    """Files whose mutants are made, and the tests that run for each.

    Args:
        files: patterns of the files.
        tests: the tests, of which those that enter a changed function run.
        left_out: tests of these that take too long to run for each mutant.
        survivors: the lines whose mutants no test notices; how many of each, and why. Each is the
            original for all that can be seen, or is noticed by what does not run for each mutant.
    """

    files: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...]
    survivors: Mapping[str, tuple[int, str]]

    def to_toml(self) -> str:
        """Return mutmut's section of a pyproject.toml."""
        settings = {
            "source_paths": ["beaker_dynamodb"],
            "only_mutate": self.files,
            "also_copy": (*COPIED, "README.md"),
            "pytest_add_cli_args": ["-p", "no:xdist", "--timeout", "60"],
            "pytest_add_cli_args_test_selection": [
                *self.tests,
                *(f"--deselect={test}" for test in self.left_out),
            ],
        }
        lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
        return "\n".join(("[tool.mutmut]", *lines, ""))
