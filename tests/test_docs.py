"""The documents cannot lie about what the code can print, and name nothing that is not there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from beaker_dynamodb.config.options import TABLE
from tests.documents import DOCUMENTS, ROOT

TRY = (
    "python3 -m venv .venv"
    " && .venv/bin/pip install -e '.[embedded]' -r examples/demo/requirements.txt"
    " && .venv/bin/python -m examples.demo"
)
TEST = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt"
    " && .venv/bin/pytest -n auto --maxprocesses 4"
)


def printer() -> ModuleType:
    """Import `docs/print.py`, which is a script and no module."""
    spec = importlib.util.spec_from_file_location("docs_print", ROOT / "docs" / "print.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_document_lags_behind_the_code() -> None:
    """Each document's generated parts are what `docs/print.py` prints now; --check says so."""
    assert printer().main(["--check"]) == 0


def test_a_reader_sees_the_options_policies_and_commands_that_the_code_has() -> None:
    """The generated parts of README are what `docs/print.py` prints from the code now."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert printer().printed(text) == text


def test_a_document_that_lags_behind_the_code_is_found() -> None:
    """An option that is gone from README's table comes back by printing; the check can fail."""
    text = (ROOT / "README.md").read_text("utf-8")
    lagging = text.replace("| `touch_after` |", "| `touched_after` |")

    assert lagging != text
    assert printer().printed(lagging) == text


def test_a_newcomer_finds_the_two_commands_at_the_top() -> None:
    """README's first screen holds the ini line and both commands, each on a line of its own."""
    screen = (ROOT / "README.md").read_text("utf-8").splitlines()[:30]

    assert "session.type = ext:dynamodb" in screen
    assert TRY in screen
    assert TEST in screen


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_setting_that_a_document_shows_is_an_option_that_exists(document: Path) -> None:
    """What stands in code as `name = value` is one of our options, or one of Beaker's own."""
    text = document.read_text("utf-8")
    shown = set(re.findall(r"`([a-z_]+) = [^`]+`", text))

    assert shown <= set(TABLE) | {"use"}


@pytest.mark.parametrize("figure", sorted((ROOT / "docs" / "figures").glob("*.svg")), ids=str)
def test_a_figure_says_in_words_what_it_shows(figure: Path) -> None:
    """Every figure has a title and a description, for those who cannot see it."""
    text = figure.read_text("utf-8")

    assert "<title" in text
    assert "<desc" in text
