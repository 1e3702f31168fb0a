"""Mutants of the files that decide: wherever a line is changed, some test must notice.

mutmut changes a copy, one expression at a time, and runs the laws of those files. What may survive
is listed with the reason why no test could tell it from the original. It takes some 15 minutes.
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

ROOT = Path(__file__).parents[1]

SHORTCUT = "a shortcut: the way that is taken instead gives the same answer, later"
COUNTED = "the lengths have been compared before"
BOTH = "both sides are pickled by the same protocol, whichever it is"

#: Lines whose mutants survive: how many, and why each is the original for all that can be seen.
SURVIVORS: dict[str, tuple[int, str]] = {
    # item/decide.py
    "state.ours.raw = comparison.raw": (1, SHORTCUT),
    "ends_by_max_age = expires < state.now + lifetime": (
        1,
        "if both are equal, Beaker's time-out is earlier, by its padding",
    ),
    # item/merge.py
    "if parts is None or others is None:": (1, "two of one type are both named, or neither is"),
    "plainly_same = type(old) is type(new) and type(new) in _SCALARS and old == new": (3, SHORTCUT),
    "for (a, x), (b, y) in zip(one.items(), other.items(), strict=True)": (3, COUNTED),
    "_compare(a, b, memo) for a, b in zip(one, other, strict=True)": (3, COUNTED),
    "reduced = value.__reduce_ex__(2) if reduce is None else reduce(value)": (1, BOTH),
    "pickled = pickle.dumps(member, 2)": (3, BOTH),
    "if id(member) not in self._numbered:": (1, "a member is numbered again, with the same number"),
    "if self._budget < 0:": (2, "pickles may be one byte shorter or longer, together"),
    'raise ValueError("the members of a set refer to too much in common")': (
        3,
        "`is_same` catches it, as it catches all that a pickle raises",
    ),
    # caches/creation_lock.py
    "local.holder = None": (1, "no thread has the id that stands there instead"),
    "if len(_first_seen) >= MAX_FIRST_SEEN:": (1, "one key more is remembered"),
    "return now - first.since > self._lifetime + CLOCK_TOLERANCE": (
        1,
        "a lifetime ends one tick of a clock later",
    ),
}


@pytest.mark.long
def test_no_line_that_decides_can_be_changed_unnoticed(tmp_path: Path) -> None:
    """Every mutant of what decides fails a test, but for those that change nothing."""
    for name in ("beaker_dynamodb", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    children = str(os.cpu_count() or 1)

    ran = subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", children],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]

    told = Counter(get_changed_line(tmp_path, name) for name in survivors(tmp_path))
    assert told == {line: many for line, (many, _) in SURVIVORS.items()}


def survivors(where: Path) -> list[str]:
    """Name the mutants that no test has noticed; one that hangs was noticed."""
    lines = mutmut(where, "results").splitlines()
    found = [line.split(": ") for line in lines if ": " in line]
    return [name.strip() for name, status in found if status in {"survived", "no tests"}]


def get_changed_line(where: Path, name: str) -> str:
    """Read the line of the original that a mutant changes."""
    (line,) = re.findall(r"^-(?!--)\s*(.*)$", mutmut(where, "show", name), re.MULTILINE)
    return str(line)


def mutmut(where: Path, *words: str) -> str:
    """Ask mutmut for something that it knows."""
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=True).stdout
