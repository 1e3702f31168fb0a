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


@pytest.mark.parametrize("page", ["options", "commands", "iam"])
def test_a_reader_sees_the_options_commands_and_policies_that_the_code_has(page: str) -> None:
    """Each reference page holds what the code prints, and nothing that was copied by hand."""
    path = ROOT / "docs" / f"{page}.md"
    ((part, print_part),) = load_printer().DOCUMENTS[path].items()

    assert f"<!-- {part} -->\n\n{print_part()}\n<!-- /{part} -->" in path.read_text("utf-8")


def test_the_printed_table_has_every_option_once() -> None:
    """The option table has four columns, and rows for `url` and then every option in order."""
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
    """Printing restores an option that was renamed in the option table: the check can fail."""
    path = ROOT / "docs" / "options.md"
    text = path.read_text("utf-8")
    outdated = text.replace("| `touch_after` |", "| `touched_after` |")
    printer = load_printer()

    assert outdated != text
    assert printer.render(outdated, printer.DOCUMENTS[path]) == text


def test_a_newcomer_finds_the_line_the_command_and_the_picture_at_the_top() -> None:
    """README's first 20 lines hold the ini line, the demo's command and its picture."""
    screen = (ROOT / "README.md").read_text("utf-8").splitlines()[:20]

    assert "session.type = ext:dynamodb" in screen
    assert DEMO_COMMAND in screen
    assert any(line.endswith("(docs/figures/demo.png)") for line in screen)


def test_a_contributor_finds_the_test_command_at_the_end() -> None:
    """README ends with the command that runs the tests, on a line of its own; CI runs that line."""
    assert (ROOT / "README.md").read_text("utf-8").splitlines()[-2:] == [TEST_COMMAND, "```"]


def test_readme_is_a_page_that_one_reads() -> None:
    """README has at most 220 lines: references and details have pages of their own."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 220


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
