"""The Tab key completes commands and options, by the line that docs/commands.md names."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")


def complete(folder: Path, line: str) -> list[str]:
    """Return what bash proposes for the last word of a command line."""
    command = shlex.join([sys.executable, "-m", "beaker_dynamodb"])
    (folder / "beaker-dynamodb").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (folder / "beaker-dynamodb").chmod(0o755)
    (source,) = re.findall(r"```bash\n(eval .*)\n```", PAGE)
    words = line.split(" ")
    script = f"""{source}
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        compopt() {{ COMPREPLY+=("option $2"); }}
        _beaker_dynamodb_completion beaker-dynamodb
        complete -p beaker-dynamodb
        printf "%s\\n" "${{COMPREPLY[@]}}"
    """
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    registered, *proposed = done.stdout.splitlines()
    assert registered.endswith("-F _beaker_dynamodb_completion beaker-dynamodb")
    return proposed


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("beaker-dynamodb sess", ["sessions"]),
        ("beaker-dynamodb sessions co", ["count"]),
        ("beaker-dynamodb sessions list --lim", ["--limit"]),
        ("beaker-dynamodb doctor -c prod", ["option default"]),
    ],
)
def test_bash_completes_a_line(line: str, proposed: list[str], tmp_path: Path) -> None:
    """Commands, options, and the names of files where an ini file is expected."""
    assert complete(tmp_path, line) == proposed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_named_shell_has_a_script(shell: str) -> None:
    """The lines for zsh and fish are known to click; these shells are not run here."""
    assert f"{shell}_source" in PAGE
    done = subprocess.run(
        [sys.executable, "-m", "beaker_dynamodb"],
        env={**os.environ, "_BEAKER_DYNAMODB_COMPLETE": f"{shell}_source"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "_BEAKER_DYNAMODB_COMPLETE=" + shell + "_complete" in done.stdout
