"""Mutants of the files that decide: wherever a line is changed, some test must notice.

mutmut changes a copy, one expression at a time, and runs the tests of those files. What may survive
is listed for each group of files, with the reason why no test could tell it from the original.
There are about 2,500 mutants of `item`, which take more than an hour on two cores, and 2,200 of
`sessions`, whose tests call DynamoDB Local and take several.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import item, sessions
from tests.mutants.group import COPIED, Group
from tests.servers import DynamoDBLocal

ROOT = Path(__file__).parents[2]
GROUPS = {"item": item.GROUP, "sessions": sessions.GROUP}
each_group = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)


@pytest.mark.long
@each_group
def test_no_line_that_decides_can_be_changed_unnoticed(group: Group, tmp_path: Path) -> None:
    """Every mutant of what decides fails a test, but for those that change nothing."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", tmp_path)
    own = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(own + group.to_toml(), encoding="utf-8")
    children = str(os.cpu_count() or 1)

    with DynamoDBLocal() as server:  # one for all mutants: it takes seconds to start
        ran = subprocess.run(
            [sys.executable, "-m", "mutmut", "run", "--max-children", children],
            cwd=tmp_path,
            env={**os.environ, "DYNAMODB_URLS": f"local={server.url}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]

    found = [get_changed_lines(tmp_path, name) for name in list_survivors(tmp_path)]
    told = Counter(old for old, new in found if not is_wording(old, new))
    assert told == {line: many for line, (many, _) in group.survivors.items()}


@each_group
def test_each_line_that_may_be_changed_is_there(group: Group) -> None:
    """What is listed was not forgotten when its line was."""
    paths = (path for pattern in group.files for path in ROOT.glob(pattern))
    lines = {line.strip() for path in paths for line in path.read_text().splitlines()}

    listed = (line.strip() for text in group.survivors for line in text.splitlines())
    assert [line for line in listed if line not in lines] == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('raise Error("it is missing")', 'raise Error("XXit is missingXX")', True),
        ('raise Error("it is missing")', 'raise Error("IT IS MISSING")', True),
        ('raise Error("it is missing")', "raise Error(None)", False),
        ('found = item.get("pending", "")', 'found = item.get("XXpendingXX", "")', False),
        ('return "lock" if held else "other"', 'return "LOCK" if held else "other"', False),
    ],
)
def test_only_a_sentence_may_be_worded_otherwise(old: str, new: str, expected: bool) -> None:
    """A name is no sentence, even beside another text in its line."""
    assert is_wording(old, new) is expected


def list_survivors(where: Path) -> list[str]:
    """Name the mutants that no test has noticed; one that hangs was noticed."""
    lines = mutmut(where, "results").splitlines()
    found = [line.split(": ") for line in lines if ": " in line]
    return [name.strip() for name, status in found if status in {"survived", "no tests"}]


def get_changed_lines(where: Path, name: str) -> tuple[str, str]:
    """Read a line of the original, and what a mutant makes of it."""
    shown = mutmut(where, "show", name)
    signs = ("-", r"\+")  # and not those of the header
    found = [re.findall(rf"^{one}(?!{one}{one})\s*(.*)$", shown, re.MULTILINE) for one in signs]
    old, new = ("\n".join(lines) for lines in found)
    return old, new


def is_wording(old: str, new: str) -> bool:
    """Return whether only a sentence for people is another: tests look for the facts in it."""
    literals = [re.findall(r'"(?:[^"\\]|\\.)*"', line) for line in (old, new)]
    changed = [one for one, other in zip(*literals, strict=False) if one != other]
    is_same = new.replace("XX", "").lower() == old.lower()
    return is_same and bool(changed) and all(" " in one for one in changed)


def mutmut(where: Path, *words: str) -> str:
    """Ask mutmut for something that it knows."""
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=True).stdout
