"""The commands on sessions, by the entry point: words, JSON, exit codes, and silence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.ops.cli import wording
from beaker_dynamodb.ops.identity import sign
from tests.ops.example_apps import DENSE, IDENT, ExampleApp, Run
from tests.servers import free_port


def lines(out: str) -> list[Any]:
    """Parse one JSON object a line."""
    return [json.loads(line) for line in out.splitlines()]


def test_list_shows_live_sessions(run: Run) -> None:
    """A heading and one line each; one object each under --json; the expired ones if asked for."""
    code, out, err = run("list")
    heading, *rows = out.splitlines()
    assert (code, len(rows)) == (0, 3)
    line = next(line for line in rows if line.startswith(IDENT))
    for title, begin in (("AGE", "1h 0m "), ("SPECIAL KEYS", "userId=42  visits=3")):
        assert line[heading.index(title) :].startswith(begin)
    assert err == wording.EXPIRES_LATER + "\n"

    _, out, _ = run("list", "--json", "--expired")
    found = {one["id"]: one for one in lines(out)}
    assert {name: one["live"] for name, one in found.items()} == {
        **dict.fromkeys([IDENT, "b" * 32, "c" * 32], True),
        "gone": False,
    }
    assert found[IDENT]["special_keys"] == {"userId": "42", "visits": 3}

    assert len(run("list", "--limit", "1")[1].splitlines()) == 2
    assert "  expired   " in run("list", "--expired")[1]


def test_count_counts(run: Run) -> None:
    """In words, and as one object with what it took."""
    assert run("count") == (0, "3 live, 1 expired\n", "")
    code, out, _ = run("count", "--json")
    told = json.loads(out)
    assert (code, told["live"], told["expired"], told["scanned_rows"]) == (0, 3, 1, 4)


def test_show_shows(run: Run) -> None:
    """What is in it, for people and machines; 1 if it is absent or has expired."""
    code, out, err = run("show", IDENT)
    assert (code, err) == (0, wording.EXPIRES_LATER + "\n")
    assert "  name = '<Ann>'\n" in out

    _, out, _ = run("show", sign(IDENT, "hush") + IDENT, "-o", "secret=hush", "--json")
    told = json.loads(out)
    assert (told["session"]["id"], told["values"]["name"]) == (IDENT, "<Ann>")

    assert "--unpickle" in run("show", "b" * 32)[1]
    assert "  userId = 42\n" in run("show", "b" * 32, "--unpickle")[1]
    assert run("show", "nobody") == (1, "", "there is no such session\n")
    assert json.loads(run("show", "nobody", "--json")[1]) == {
        "done": False,
        "message": "there is no such session",
    }
    code, out, _ = run("show", "gone")
    assert (code, "expired" in out) == (1, True)


def test_what_an_opened_pickle_calls_itself_reaches_no_terminal(run: Run, shop: ExampleApp) -> None:
    """The repr of some classes, the standard library's too, is not escaped by Python."""
    wild = types.SimpleNamespace(**{"\x1b]0;owned\x07\x9b\u202e": 1})
    shop.save("d" * 32, plain=wild, nested=[{"in": wild}], text="\x1b[31m")

    code, out, _ = run("show", "d" * 32, "--unpickle")

    assert code == 0
    assert out.count("\\x1b]0;owned\\x07\\x9b\\u202e=1") == 2
    assert "  text = '\\x1b[31m'\n" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_a_wrong_signature_is_a_wrong_call(run: Run) -> None:
    """2, and a sentence; nothing of the cookie in it."""
    code, out, err = run("show", sign(IDENT, "hush") + IDENT, "-o", "secret=other")

    assert (code, out) == (2, "")
    assert "signature does not match the secret" in err
    assert IDENT not in err


def test_find_finds(run: Run) -> None:
    """By the index and by --scan; 1 if there is none, 2 for what cannot be searched for."""
    for how in ((), ("--scan",)):
        code, out, _ = run("find", "userId=42", *how)
        idents = {line.split()[0] for line in out.splitlines()[1:]}
        assert (code, idents) == (0, {IDENT, "b" * 32})
    assert [one["id"] for one in lines(run("find", "visits=3", "--json")[1])] == [IDENT]
    assert run("find", "userId=0") == (1, "", wording.not_found_message("userId=0") + "\n")
    code, out, err = run("find", "colour=red")
    assert (code, out, "special_keys = colour (colour:N for numbers);" in err) == (2, "", True)


def test_a_scan_says_that_it_is_for_special_keys(run: Run) -> None:
    """`find name=Ann --scan` is refused: a session's other values are not searched through."""
    code, out, err = run("find", "name=Ann", "--scan")

    assert (code, out) == (2, "")
    assert "Only special keys can be searched for, by --scan too" in err
    for words in (("find",), ("revoke",)):
        text = " ".join(run(*words, "--help")[1].split())
        assert "--scan Read the whole table, for a special key without an index." in text


def test_delete_deletes(run: Run, shop: ExampleApp) -> None:
    """One session, once; the second time it is not there."""
    code, out, err = run("delete", IDENT)
    assert (code, err) == (0, "")
    assert out.startswith(f"deleted  {IDENT}")
    assert run("delete", IDENT) == (1, "", "there is no such session\n")
    assert json.loads(run("delete", "b" * 32, "--json")[1])["id"] == "b" * 32
    assert shop.idents() == {"sess:" + "c" * 32, "sess:gone"}


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(
    answer: str, code: int, run: Run, shop: ExampleApp, on_a_terminal: Callable[[str], None]
) -> None:
    """On a terminal the command asks before it logs out."""
    on_a_terminal(answer)
    before = shop.idents()

    assert run("delete", "c" * 32)[0] == code
    deleted = {"sess:" + "c" * 32} if code == 0 else set()
    assert before - shop.idents() == deleted
    assert run("revoke", "userId=42")[0] == code
    assert shop.idents() == ({"sess:gone"} if code == 0 else before)


def test_a_script_says_yes(run: Run, shop: ExampleApp) -> None:
    """Without a terminal revoke requires --yes, and else changes nothing."""
    before = shop.idents()

    code, out, err = run("revoke", "userId=42")

    assert (code, out, "--yes" in err) == (2, "", True)
    assert shop.idents() == before


def test_revoke_logs_out_everywhere(run: Run, shop: ExampleApp) -> None:
    """All but the one at hand; 1 when there is none left."""
    code, out, err = run("revoke", "userId=42", "--yes", "--except", IDENT)
    assert (code, err) == (0, "1 revoked\n")
    assert out.splitlines()[1].startswith("b" * 32)
    assert f"sess:{IDENT}" in shop.idents()
    assert [one["id"] for one in lines(run("revoke", "userId=42", "-y", "--json")[1])] == [IDENT]
    assert run("revoke", "userId=42", "--yes")[0] == 1


def test_every_session_that_is_excepted_stays(run: Run, shop: ExampleApp) -> None:
    """An exception that is given twice must not mean the last one alone."""
    before = shop.idents()
    kept = ("--except", IDENT, "--except", "b" * 32)

    assert run("revoke", "userId=42", "--yes", *kept)[0] == 1
    assert run("revoke", "userId=42", "--yes", *kept, "--except", "typo")[0] == 2
    assert shop.idents() == before


def test_no_limit_is_larger_than_aws_takes(run: Run) -> None:
    """It is the number of lines that is limited, whatever a call may ask for."""
    code, out, _ = run("list", "--limit", "9" * 30)

    assert (code, len(out.splitlines())) == (0, 4)


def test_a_mistyped_exception_revokes_nobody(run: Run, shop: ExampleApp) -> None:
    """Else the operator would log himself out."""
    before = shop.idents()

    code, out, err = run("revoke", "userId=42", "--yes", "--except", "typo")

    assert (code, out, "--except" in err) == (2, "", True)
    assert shop.idents() == before


ALL = [
    ("list",),
    ("count",),
    ("show", IDENT),
    ("find", "userId=42"),
    ("stats",),
    ("purge",),
    ("delete", IDENT),
    ("revoke", "userId=7", "--yes"),
    ("revoke", "--all", "--yes"),
]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_quiet_is_quiet(words: tuple[str, ...], run: Run) -> None:
    """The exit code says it all."""
    assert run(*words, "--quiet") == (0, "", "")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_store_that_is_not_there_is_3(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, no traceback."""
    nowhere = ExampleApp.at(f"http://127.0.0.1:{free_port()}", "sessions", max_attempts="1")

    assert main(nowhere.argv("sessions", *words)) == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_caches_options_are_a_wrong_call(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """These commands are about sessions."""
    assert main(["sessions", *words, "--cache", "default"]) == 2
    assert "--cache" in capsys.readouterr().err
    assert main(["sessions", words[0], "--help"]) == 0
    assert "--cache" not in capsys.readouterr().out


def test_as_a_process_its_stdout_is_the_result_alone(shop: ExampleApp) -> None:
    """Piped, there is no bar, no color, no word but the answer."""
    begun = time.time()
    command = [sys.executable, "-m", "beaker_dynamodb", *shop.argv("sessions", "list", "--json")]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert {one["id"] for one in lines(done.stdout)} == {IDENT, "b" * 32, "c" * 32}
    assert all(one["expires"] > begun for one in lines(done.stdout))


def test_texts_of_the_table_are_escaped_on_the_terminal(run: Run, shop: ExampleApp) -> None:
    """A user's name with an escape sequence in it is shown, not obeyed."""
    shop.save("d" * 32, json=True, userId="\x1b]0;owned\x07", name="\x1b[31m")
    shop.put(id={"S": "sess:\x1b[2J"})

    for words in (("list",), ("show", "d" * 32), ("find", "userId=\x1b]0;owned\x07")):
        code, out, _ = run(*words)
        assert (code, "\x1b" in out, r"\x1b" in out) == (0, False, True)


def test_a_pipe_that_is_closed_ends_the_command(dynamodb_local: str, table_name: str) -> None:
    """`| head -1` is no traceback, and no thread that has more keeps the process alive."""
    site = ExampleApp.create(dynamodb_local, table_name)
    for number in range(45):
        site.save(f"s{number}", text=DENSE[:600_000])
    words = site.argv("sessions", "list", "--json")
    command = [sys.executable, "-m", "beaker_dynamodb", *words]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        assert json.loads(it.stdout.readline())["live"]
        it.stdout.close()
        err = it.stderr.read()
        code = it.wait(timeout=60)

    assert (code, err) == (141, b"")


@pytest.mark.parametrize("words", [("delete", IDENT), ("revoke", "userId=42", "--scan")])
def test_a_question_answered_with_no_is_said_to_machines_too(
    words: tuple[str, ...], run: Run, shop: ExampleApp, on_a_terminal: Callable[[str], None]
) -> None:
    """One object, in the shape of `table delete`: a script that reads stdout always finds JSON."""
    on_a_terminal("n")
    before = shop.idents()

    code, out, err = run(*words, "--json")

    assert code == 1
    told = json.loads(out)
    assert told == {"done": False, "message": told["message"]}
    assert told["message"].startswith("nothing was ")
    assert told["message"] in err
    assert shop.idents() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("list",), 0),
        (("list", "--expired"), 0),
        (("count",), 0),
        (("stats",), 0),
        (("purge",), 0),
        (("show", "0" * 32), 1),
        (("find", "userId=0", "--scan"), 1),
        (("delete", "0" * 32), 1),
        (("revoke", "userId=0", "--scan", "--yes"), 1),
        (("revoke", "--all", "--yes"), 0),
    ],
)
def test_only_who_asks_for_somebody_is_answered_no_by_an_empty_table(
    words: tuple[str, ...],
    code: int,
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A list of nothing is a good list; a session that was named and is not there is a no."""
    empty = ExampleApp.create(dynamodb_local, table_name)

    assert main(empty.argv("sessions", *words)) == code
    is_count = words[0] in {"count", "stats", "purge"} or "--all" in words
    assert is_count or re.search("there (is|are) no|^no live", capsys.readouterr().err)


def test_stats_of_an_empty_table_are_counts_without_histograms(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A histogram of nothing would show one empty bar."""
    empty = ExampleApp.create(dynamodb_local, table_name)
    assert main(empty.argv("sessions", "stats")) == 0

    out = capsys.readouterr().out
    assert "0 live sessions" in out
    assert "size of the row" not in out


@pytest.mark.parametrize("option", ["max_age=59m", "created_after=2100-01-01T00:00Z"])
@pytest.mark.parametrize("timeout", ["3720", "never"])
def test_a_session_that_an_option_has_ended_is_shown_as_ended(
    option: str,
    timeout: str,
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its row expires later or never; `live` is false, and no figure counts it as live."""
    site = ExampleApp.create(
        dynamodb_local, table_name, **({"ttl": "0"} if timeout == "never" else {})
    )
    manager = site.manager(IDENT, None if timeout == "never" else float(timeout))
    manager["session"] = site.text(json=True, userId=42)

    def run(*words: str) -> tuple[int, str]:
        code = main([*site.argv("sessions", *words), "-o", option])
        return code, capsys.readouterr().out

    assert run("list", "--json") == (0, "")
    (listed,) = lines(run("list", "--json", "--expired")[1])
    assert (listed["live"], (listed["expires"] or 1e12) > time.time()) == (False, True)
    assert run("list", "--expired")[1].splitlines()[1].split()[1] == "ended"

    code, out = run("show", IDENT)
    assert (code, "ended by option max_age or created_after" in out, "ago" in out) == (
        1,
        True,
        True,
    )
    shown = json.loads(run("show", IDENT, "--json")[1])
    assert (shown["session"]["live"], shown["values"]["userId"]) == (False, 42)
    told = json.loads(run("stats", "--json")[1])
    assert (told["live"], told["expired"], sum(bar["count"] for bar in told["ages"])) == (0, 1, 0)
    assert json.loads(run("count", "--json")[1])["live"] == 0
    assert run("find", "userId=42")[0] == 1
