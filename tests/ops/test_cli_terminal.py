"""The command line on a terminal of 80 columns: lines, columns, styles, and the progress bar."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.ops.cli.wording import EXPIRES_LATER, fold
from tests.ops.example_apps import IDENT, ExampleApp

ROOT = Path(__file__).parents[2]
COLUMNS = 80
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def run_on_terminal(command: str, **environment: str) -> tuple[int, str]:
    """Run a shell's command on a terminal; return its exit code and what it wrote there."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    inherited = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS"}}
    environment = {**inherited, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        ["bash", "-c", command], stdin=end, stdout=end, stderr=end, cwd=ROOT, env=environment
    )
    os.close(end)
    written = b""
    with contextlib.suppress(OSError):  # EIO on Linux, when the process has closed the terminal
        while chunk := os.read(terminal, 65536):
            written += chunk
    os.close(terminal)
    return process.wait(timeout=60), written.decode().replace("\r\n", "\n")


def command_of(app: ExampleApp, words: str) -> str:
    """Return a command for the shell."""
    argv = app.argv(*shlex.split(words))
    return shlex.join([sys.executable, "-m", "beaker_dynamodb", *argv])


def read_screen(written: str) -> list[str]:
    """Return the lines that remain on the screen."""
    return [line.split("\r")[-1] for line in CONTROL.sub("", written).split("\n")]


@pytest.mark.parametrize(
    "words",
    [
        *("doctor --read-only", "table show", "table check --deletion-protection"),
        *("sessions list", "sessions find userId=42 --scan", f"sessions show {IDENT}"),
        *("sessions stats", "sessions count", "sessions purge --dry-run", "sessions find no=1"),
    ],
)
def test_lines_break_between_words(shop: ExampleApp, words: str) -> None:
    """No line is longer than the terminal, which would break it in the middle of a word."""
    shop.save("d" * 32, json=True, userId=42, text="so many words " * 30)

    _, written = run_on_terminal(command_of(shop, words))

    assert [line for line in read_screen(written) if len(line) > COLUMNS] == []


def test_rows_of_sessions_are_aligned(shop: ExampleApp) -> None:
    """Whole ids, which are needed for the next command; a long one has a line of its own."""
    long = "e" * 70
    shop.save(long, userId="ann@example.com", visits=7, token=b"x" * 30)

    _, written = run_on_terminal(command_of(shop, "sessions list"))

    heading, *rows = read_screen(written)
    start = heading.index("EXPIRES")
    assert re.fullmatch(r"SESSION +EXPIRES +AGE +SPECIAL KEYS", heading)
    assert {row.partition(" ")[0] for row in rows} >= {IDENT, "b" * 32, "c" * 32}
    (row,) = (row for row in rows if row.startswith("b" * 32))
    assert re.match(r"1h [12]m ", row[start:])
    assert row[heading.index("AGE") :].startswith("1h 0m")
    assert row[heading.index("SPECIAL KEYS") :] == "userId=42"
    place = rows.index(long)
    assert [one[:start].strip() for one in rows[place + 1 : place + 3]] == ["", ""]
    assert "userId=ann@example.com" in rows[place + 1]
    assert max(map(len, rows)) <= COLUMNS


def test_a_list_says_why_a_row_expires_later_than_the_time_out(shop: ExampleApp) -> None:
    """Else "in 32 minutes" beside `timeout = 1800` looks like a mistake."""
    assert f"{BEAKER_TIMEOUT_PADDING} seconds" in EXPIRES_LATER
    for words in ("list", f"show {IDENT}", "find userId=42", "stats"):
        _, written = run_on_terminal(command_of(shop, f"sessions {words}"))
        assert EXPIRES_LATER in " ".join(" ".join(read_screen(written)).split())
        _, written = run_on_terminal(command_of(shop, f"sessions {words} --json"))
        assert "Beaker" not in written


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
@pytest.mark.parametrize("words", ["doctor --read-only", "table check", "sessions stats"])
def test_no_styles_are_sent_where_they_are_not_wanted(
    shop: ExampleApp, words: str, environment: dict[str, str]
) -> None:
    """As NO_COLOR asks for (https://no-color.org), and a terminal that does not know them."""
    command = command_of(shop, words)

    assert COLOR.search(run_on_terminal(command)[1])
    assert not COLOR.search(run_on_terminal(command, **environment)[1])


def test_a_dumb_terminal_is_sent_no_control_sequence(shop: ExampleApp) -> None:
    """It would print each of them as characters."""
    assert "\x1b" not in run_on_terminal(command_of(shop, "sessions count"), TERM="dumb")[1]


def test_a_finished_bar_says_once_how_long_it_took(shop: ExampleApp) -> None:
    """Two equal times without a label say nothing about which is which."""
    _, written = run_on_terminal(command_of(shop, "sessions count"))

    bar = next(line for line in read_screen(written) if line.startswith("rows "))
    assert re.search(r" 4/4 [\d,]*/?s? *\d+s *$", bar)
    assert "0:00:00" not in written


def test_results_in_a_file_are_not_drawn_above_the_bar(shop: ExampleApp, tmp_path: Path) -> None:
    """`sessions list > file` on a terminal: the file has the list, the terminal has the bar."""
    code, written = run_on_terminal(f"{command_of(shop, 'sessions list')} > {tmp_path}/out")

    assert (code, IDENT in written) == (0, False)
    assert IDENT in (tmp_path / "out").read_text()
    assert len((tmp_path / "out").read_text().splitlines()) == 4


def test_a_pipe_that_is_closed_ends_a_bar_too(shop: ExampleApp, tmp_path: Path) -> None:
    """`sessions list | head` on a terminal, where the bar is drawn, is no answer of no."""
    command = command_of(shop, "sessions list")
    end = f'{command} | true; echo "${{PIPESTATUS[0]}}" > {tmp_path}/code'

    run_on_terminal(end)

    assert (tmp_path / "code").read_text() == "141\n"


@pytest.mark.parametrize(
    ("line", "folded"),
    [
        ("short", "short"),
        ("note     all these words", "note     all these\n         words"),
        ("  keys      one and two", "  keys      one\n            and\n            two"),
        ("many words of a sentence here", "many words of a\nsentence here"),
        ("x" * 30 + " y", "x" * 30 + "\ny"),
        ("he ran `a b c` often, and", "he ran `a b c`\noften, and"),
        (
            "-> beaker-dynamodb doctor -c a.ini",
            "-> beaker-dynamodb \\\n   doctor -c a.ini",
        ),
        (
            "so `beaker-dynamodb doctor -c 'a b.ini'` helps",
            "so `beaker-dynamodb \\\ndoctor \\\n-c 'a b.ini'` helps",
        ),
    ],
)
def test_a_line_continues_below_its_text(
    line: str, folded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a label; code in backticks stays whole, and a command can still be pasted."""
    monkeypatch.setattr("beaker_dynamodb.ops.cli.wording._MIN_COLUMNS", 4)

    assert fold(line, 20 if "keys" not in line else 18) == folded
