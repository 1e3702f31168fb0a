"""The types that mypy and editors have for `configure()` are those of the option table.

`python -m tests.config.test_option_types` writes the file with them.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from beaker_dynamodb.config.options import OPTIONS, Options

ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "beaker_dynamodb" / "config" / "option_types.py"
HEAD = '''"""The types of the options as `configure()` takes them: values, or texts as in ini files.

Written from the table in `options.py` by `python -m tests.config.test_option_types`; a test
compares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict


class OptionValues(TypedDict, total=False):
    """Each option by its name and its alias, and `url`. None and "" mean "not given"."""

'''
#: The types of options whose parsers take more than a text and the field's type.
PARSED = {
    "special_keys": "str | Sequence[tuple[str, str]] | Mapping[str, str] | None",
    "index_special_keys": "bool | str | Sequence[str] | None",
    "created_after": "str | datetime | None",
    "encryption_keys": "str | Sequence[bytes | str] | None",
}


def option_types() -> str:
    """Return the text of the file."""
    types = {field.name: str(field.type) for field in dataclasses.fields(Options)}
    lines = []
    for name, row in OPTIONS.items():
        own = [part for part in types[name].split(" | ") if part != "None"]
        parts = dict.fromkeys([*own, "str", "None"])
        text = "Any" if "Any" in parts else PARSED.get(name, " | ".join(parts))
        lines += [f"    {key}: {text}\n" for key in (name, row.alias) if key]
    return HEAD + "".join(lines) + "    url: str | None\n"


def test_the_types_are_those_of_the_option_table() -> None:
    """The file has every option, with its type."""
    assert WRITTEN.read_text("utf-8") == option_types()


CALLS = (
    ('configure(table="t", ttl="1d", special_keys={"userId": "N"})', ""),
    ('configure(ttl=60, create_table=False, url="dynamodb://eu-west-1/t")', ""),
    ('with configure(region_name="eu-west-1"): ...', ""),
    ('configure(tabel="t")', 'Unexpected keyword argument "tabel"'),
    ("configure(max_attempts=[3])", 'Argument "max_attempts" to "configure" has incompatible type'),
)


@pytest.mark.parametrize(("call", "error"), CALLS)
def test_mypy_refuses_unknown_options_and_wrong_types(
    call: str, error: str, tmp_path: Path
) -> None:
    """An editor shows a misspelled option."""
    app = tmp_path / "app.py"
    app.write_text(f"from beaker_dynamodb import configure\n{call}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", str(app)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    if error:
        assert error in done.stdout
    else:
        assert done.returncode == 0, done.stdout


if __name__ == "__main__":
    WRITTEN.write_text(option_types(), "utf-8")
