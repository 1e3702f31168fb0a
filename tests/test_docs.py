"""The generated parts of the documents are what the code prints, and every option exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from beaker_dynamodb.config.options import OPTIONS
from tests.documents import DOCUMENTS, ROOT

DEMO_COMMAND = (
    "python3 -m venv .venv"
    " && .venv/bin/pip install -e '.[embedded]' -r examples/demo/requirements.txt"
    " && .venv/bin/python -m examples.demo"
)
TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt"
    " && .venv/bin/pytest -n auto --maxprocesses 4"
)


def load_printer() -> ModuleType:
    """Import the script `docs/print.py` as a module."""
    spec = importlib.util.spec_from_file_location("docs_print", ROOT / "docs" / "print.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_part_is_up_to_date() -> None:
    """`docs/print.py --check` finds no document that differs from what it prints."""
    assert load_printer().main(["--check"]) == 0


def test_a_reader_sees_the_options_policies_and_commands_that_the_code_has() -> None:
    """The generated parts of README are what `docs/print.py` prints from the code."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert load_printer().render(text) == text


def test_the_printed_table_has_every_option_once() -> None:
    """README's table has four columns, and rows for `url` and then every option in order."""
    lines = load_printer().format_options().splitlines()
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in lines]
    names = [re.findall(r"`(\w+)`", row[0]) for row in rows[2:]]

    assert rows[0] == ["option", "default", "connect-dynamodb", "meaning"]
    assert [name[0] for name in names] == ["url", *OPTIONS]
    assert {a for _, *aliases in names for a in aliases} == {r.alias for r in OPTIONS.values()} - {
        ""
    }
    assert {len(row) for row in rows} == {4}
    assert all(row[3] for row in rows)


def test_an_outdated_document_is_found() -> None:
    """Printing restores an option that was renamed in README's table: the check can fail."""
    text = (ROOT / "README.md").read_text("utf-8")
    outdated = text.replace("| `touch_after` |", "| `touched_after` |")

    assert outdated != text
    assert load_printer().render(outdated) == text


def test_a_newcomer_finds_the_two_commands_at_the_top() -> None:
    """README's first 30 lines hold the ini line and both commands, each on its own line."""
    screen = (ROOT / "README.md").read_text("utf-8").splitlines()[:30]

    assert "session.type = ext:dynamodb" in screen
    assert DEMO_COMMAND in screen
    assert TEST_COMMAND in screen


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_setting_that_a_document_shows_is_an_option_that_exists(document: Path) -> None:
    """Every `name = value` that a document shows as code is one of our options."""
    text = document.read_text("utf-8")
    shown = set(re.findall(r"`([a-z_]+) = [^`]+`", text))

    assert shown <= set(OPTIONS) | {"use"}


@pytest.mark.parametrize("figure", sorted((ROOT / "docs" / "figures").glob("*.svg")), ids=str)
def test_a_figure_has_a_text_for_screen_readers(figure: Path) -> None:
    """Every figure has a title and a description."""
    text = figure.read_text("utf-8")

    assert "<title" in text
    assert "<desc" in text
