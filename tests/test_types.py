"""The types that applications see of the public names, as pyright reads an installed package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers import missing

PACKAGE = Path(__file__).parents[1] / "beaker_dynamodb"
#: Names whose types are not complete. There are none, although Beaker, whose classes are the bases
#: of ours, ships no types.
INCOMPLETE: frozenset[str] = frozenset()


def test_the_types_of_all_public_names_are_complete(tmp_path: Path) -> None:
    """Every parameter, return value and attribute has a type that all type checkers agree on.

    pyright looks for the package beside the interpreter's others, so it gets a copy: an editable
    installation is nothing that it finds.
    """
    if find_spec("pyright") is None:
        missing("pyright is not installed: it checks the types of public names")
    shutil.copytree(PACKAGE, tmp_path / "path" / PACKAGE.name)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "--verifytypes", PACKAGE.name, "--ignoreexternal", "--outputjson"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "path")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    names = json.loads(done.stdout)["typeCompleteness"]["symbols"]

    assert len(names) > 1000
    assert {one["name"] for one in names if one["isExported"] and _is_incomplete(one)} == INCOMPLETE


def _is_incomplete(name: Mapping[str, Any]) -> bool:
    return not name["isTypeKnown"] or name["isTypeAmbiguous"]
