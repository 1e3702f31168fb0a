"""How commands end that cannot go on, or whose answer is no: what a script and a person see."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from beaker_dynamodb.dynamodb import scan
from beaker_dynamodb.errors import Unavailable
from beaker_dynamodb.ops import logout
from beaker_dynamodb.ops.cli import wording
from tests.ops.example_apps import ExampleApp, Run
from tests.provisioning.test_tables import run as table
from tests.servers import REGION


def test_a_difference_in_a_pipe_is_one_line(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is folded can be neither searched for nor pasted."""
    assert table("check", dynamodb_local, table_name) == 1
    out = capsys.readouterr().out

    assert f"-o table={table_name} -o endpoint_url={dynamodb_local} -o region={REGION}`" in out


def test_a_table_is_not_deleted_if_its_name_cannot_be_typed(
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script without --yes is a usage error that names the option, not an interruption."""
    table("create", dynamodb_local, table_name, "--quiet")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert table("delete", dynamodb_local, table_name) == 2
    err = capsys.readouterr().err
    assert "--yes" in err.splitlines()[-1]
    assert "gone" not in err.splitlines()[-1]  # the question has its own line
    assert table("show", dynamodb_local, table_name) == 0


def test_a_list_that_is_cut_short_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else a part would look like the whole."""

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(wording, "format_session", interrupted)

    code, _, err = run("list")

    assert code == 130
    assert "stopped after 1 session shown; there may be more" in err


ENDS = [(KeyboardInterrupt(), 130), (Unavailable("DynamoDB is down"), 3)]


@pytest.mark.parametrize(("error", "code"), ENDS, ids=["Ctrl-C", "outage"])
def test_an_interrupted_revoke_prints_how_many_are_logged_out(
    error: BaseException,
    code: int,
    run: Run,
    shop: ExampleApp,
    make_fail: Callable[[object, str, BaseException], None],
) -> None:
    """Those are out for good; the next run takes the rest."""
    shop.save("d" * 32, userId=42)
    make_fail(logout, "delete_until_gone", error)

    ended, out, err = run("revoke", "userId=42", "--yes", "--scan")

    assert (ended, out.startswith("REVOKED SESSION"), len(out.splitlines())) == (code, True, 3)
    assert "stopped after 2 sessions revoked; run it again to continue" in err
    assert run("revoke", "userId=42", "--yes", "--scan")[2] == "1 revoked\n"


@pytest.mark.parametrize(("error", "code"), ENDS, ids=["Ctrl-C", "outage"])
def test_an_interrupted_purge_prints_what_it_deleted(
    error: BaseException,
    code: int,
    run: Run,
    shop: ExampleApp,
    make_fail: Callable[[object, str, BaseException], None],
) -> None:
    """An outage on the way is no reason to say nothing of what was paid for."""
    for number in range(3):
        shop.expire(f"old{number}")
    make_fail(scan, "delete_expired", error)

    ended, out, err = run("purge", "--segments", "1")

    assert (ended, out) == (code, "")
    assert "so far: 2 rows deleted" in err
    assert run("purge")[1].startswith("2 rows deleted")


def test_a_revoke_that_finds_no_session_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is nothing to ask; silence would look like success."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    assert run("revoke", "userId=0") == (1, "", wording.not_found_message("userId=0") + "\n")


def test_the_bars_of_all_histograms_begin_in_one_column(run: Run) -> None:
    """So that they can be compared at a glance."""
    bars = [line for line in run("stats")[1].splitlines() if "█" in line]

    assert len(bars) >= 3
    assert len({line.index("█") for line in bars}) == 1
    assert not any(line.endswith(" ") for line in bars)


def test_no_control_character_of_a_word_reaches_the_terminal(run: Run) -> None:
    """A word that was pasted out of a log may hold what an attacker put there."""
    code, out, err = run("find", "\x1b]0;owned\x07\x9b=x")

    assert (code, out) == (2, "")
    assert "special_keys = \\x1b]0;owned\\x07\\x9b (" in err
    assert err.rstrip("\n").isprintable()


def test_a_mistyped_name_deletes_no_table_and_json_says_so(
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The object has the shape that a delete has."""
    table("create", dynamodb_local, table_name, "--quiet")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "another")

    assert table("delete", dynamodb_local, table_name, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"done": False, "message": "that is not the table's name; nothing was deleted"}
    assert table("show", dynamodb_local, table_name) == 0
