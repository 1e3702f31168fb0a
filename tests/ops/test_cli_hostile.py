"""Names and values of an ini file, and words of a command line, are no commands to a terminal."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops.cli.drawing import Output
from beaker_dynamodb.ops.cli.wording import escape

TITLE = "\x1b]0;owned\x07\x9b2J"
WRONG_LINES = {
    "a name of nobody": f"session.{TITLE} = x",
    "a misspelled name": f"session.max_value_sizes{TITLE} = x",
    "a value": f"session.ttl = {TITLE}",
    "a value of Beaker's": f"session.timeout = {TITLE}",
    "a value that is a text": f"session.invalidate_corrupt = no{TITLE}",
    "an old backend's name": f"session.migrate_from = ext:{TITLE}",
    "an old folder": f"session.migrate_from = file\nsession.migrate_from.data_dir = {TITLE}",
    "a region of caches": f"cache.regions = {TITLE}\ncache.type = ext:dynamodb",
    "a region's option": f"cache.regions = a\ncache.a.type = ext:dynamodb\ncache.a.{TITLE} = x",
    "another section": f"\n[app:{TITLE}]\nsession.type = ext:dynamodb",
}
COMMANDS = (
    ["doctor", "--read-only"],
    ["doctor", "--read-only", "--json"],
    ["doctor", "--cache", "default"],
    ["table", "show"],
    ["sessions", "count"],
    ["policy", "app"],
)


@pytest.mark.parametrize("line", WRONG_LINES)
def test_nothing_of_an_ini_file_commands_the_terminal(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is printed of the file, by whatever command; the file's own name, too."""
    path = tmp_path / f"app{TITLE}.ini"
    path.write_text(
        "[app:main]\nsession.type = ext:dynamodb\nsession.endpoint_url = http://127.0.0.1:1\n"
        f"session.max_attempts = 1\nsession.region = eu-west-1\n{WRONG_LINES[line]}\n"
    )
    for command in COMMANDS:
        for config in (str(path), f"{path}#{TITLE}"):
            main([*command, "-c", config])
            out, err = capsys.readouterr()
            for printed in (out + err).splitlines():
                assert printed.isprintable(), (command, printed)


@pytest.mark.parametrize("words", [[TITLE], [f"--{TITLE}"], ["table", "show", f"--json={TITLE}"]])
def test_no_word_of_the_command_line_commands_the_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error repeats what was pasted, and stays one that can be read."""
    assert main(words) == 2

    err = capsys.readouterr().err
    assert all(line.isprintable() for line in err.splitlines())
    assert "Error: " in err


@hypothesis.given(text=st.text())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_is_answered_or_remarked_is_printable(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a table, a file or AWS holds; what is printable already stays as it is."""
    Output().answer(None, [text])
    Output().remark(text)
    out, err = capsys.readouterr()

    assert out == err
    assert out[:-1].isprintable()
    assert out.endswith("\n")
    if text.isprintable():
        assert escape(text) == text
