"""The command line with closed, full and unread streams, each in its own process."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.example_apps import ExampleApp

ROOT = Path(__file__).parents[2]
IDENTS = tuple(f"{number:032x}" for number in range(5))


def shell(site: ExampleApp, words: str, redirections: str) -> subprocess.CompletedProcess[str]:
    """Run a command under a shell; the exit code is the command's, not that of a pipe's end."""
    command = shlex.join([sys.executable, "-m", "beaker_dynamodb", *site.argv(*words.split())])
    return subprocess.run(
        ["bash", "-c", f"{command} {redirections}; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(name="site")
def site_(dynamodb_local: str, table_name: str) -> ExampleApp:
    """Five sessions of one user."""
    site = ExampleApp.create(dynamodb_local, table_name)
    for ident in IDENTS:
        site.save(ident, userId=42)
    return site


@pytest.mark.parametrize(("redirections", "code"), [("| true", 141), ("> /dev/full", 1)])
@pytest.mark.parametrize("more", ["", "--json"])
def test_all_are_logged_out_even_if_the_output_is_closed(
    site: ExampleApp, redirections: str, code: int, more: str
) -> None:
    """`revoke ... | head` on the night of a theft: what is not printed is logged out all the same.

    A pipe's reader that ends in time, or a full disk, ends the lines and not the work.
    """
    done = shell(site, f"sessions revoke userId=42 --scan --yes {more}", redirections)

    assert site.idents() == set()
    assert done.returncode == code
    assert "5 revoked; not all of them could be printed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "sessions list",
        "sessions list --json",
        "sessions count",
        "sessions stats",
        "sessions purge",
        f"sessions delete {IDENTS[0]}",
        "table show",
        "table check",
        "doctor --read-only",
        "policy app",
        "cloudformation",
        "terraform",
    ],
)
def test_a_full_disk_is_said_in_one_line(site: ExampleApp, words: str) -> None:
    """What cannot be written down is said on stderr, and the exit code is no success."""
    done = shell(site, words, "> /dev/full")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "beaker-dynamodb: the output cannot be written: No space left on device"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", ["sessions list", "sessions list --json", "sessions stats", "table show", "policy app"]
)
def test_a_pipe_whose_reader_has_ended_is_no_answer_of_no(site: ExampleApp, words: str) -> None:
    """The exit code is that of a program which SIGPIPE ended, as git's is; nothing is said."""
    done = shell(site, words, "| true")

    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("words", ["bogus", "sessions show nobody", "sessions find userId=0"])
def test_a_message_that_nobody_reads_is_no_answer_of_no(site: ExampleApp, words: str) -> None:
    """`2>&1 | head` ends as `| head` does, also if what it cuts off is the message of an error."""
    assert shell(site, words, "2>&1 | true").returncode == 141


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("sessions revoke userId=42", 2),
        (f"sessions delete {IDENTS[0]}", 0),
        ("sessions list", 0),
        ("sessions stats", 0),
        ("table delete", 2),
    ],
)
@pytest.mark.parametrize("redirections", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_changes_no_answer(
    site: ExampleApp, words: str, code: int, redirections: str
) -> None:
    """Some supervisors start a process without stdin or stdout; it is as if they were empty.

    No sentence of stderr gets into stdout instead, where a script would take it for an answer.
    """
    done = shell(site, words, redirections)

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "beaker-dynamodb:" not in done.stdout
