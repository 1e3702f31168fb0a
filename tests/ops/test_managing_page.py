"""The manual's page on sessions: its Python runs, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beaker_dynamodb.ops import cli
from tests.ops.example_apps import ExampleApp

PAGE = (Path(__file__).parents[2] / "docs" / "managing-sessions.md").read_text("utf-8")


def test_its_python_runs(
    shop: ExampleApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Copied into a file beside an application's ini file, it logs out and purges."""
    settings = "".join(f"session.{name} = {value}\n" for name, value in shop.options.items())
    ini = f"[app:main]\nsession.type = ext:dynamodb\n{settings}"
    (tmp_path / "production.ini").write_text(ini)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    exec(compile(block, "page", "exec"), {})  # noqa: S102  # the page's own words

    out = capsys.readouterr().out
    assert out.count("logged out: ") == 2
    assert "1 rows, " in out
    assert shop.idents() == {"sess:" + "c" * 32}


def test_its_commands_and_options_exist() -> None:
    """Every command and every option that the page names is one of the command line's."""
    group = cli.cli.commands["sessions"]
    format_reference = cli.format_reference()

    assert set(re.findall(r"`sessions ([a-z]+)", PAGE)) == set(getattr(group, "commands", {}))
    named = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert {option for option in named if option not in format_reference} == set()
