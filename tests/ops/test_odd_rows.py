"""No row, whatever it holds, stops a command: it is described, and the next one follows."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.ops.identity import MAX_KEY
from tests.ops.example_apps import ExampleApp
from tests.ops.odd_rows import NUMBERS, ORDINARY, Item, command, ordinary, rows, seal_text
from tests.revisions import make_rev

MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
ENCODINGS = st.sampled_from(("ascii", "cp1252", "utf-8"))


def parse_strictly(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no Infinity, no half of a surrogate pair."""

    def refuse(word: str) -> Any:
        raise AssertionError(word)

    told = json.loads(text, parse_constant=refuse, parse_int=str)
    json.dumps(told, ensure_ascii=False).encode()
    return told


def run(
    odd: list[Item], encoding: str, words: str, *more: str, as_json: bool
) -> tuple[int, str, str, list[str]]:
    """Run a command over odd rows and an ordinary one behind them."""
    argv = [*words.split(), *more, *(["--json"] if as_json else [])]
    code, out, err, table = command([*odd, ordinary()], encoding, *argv)
    assert "Traceback" not in err
    return code, out, err, table.deleted


@pytest.mark.parametrize(
    "words",
    [
        *("list --segments 1", "list --expired --segments 1", "list --limit 9"),
        *("find userId=42", "find --scan userId=42", "revoke userId=42 --yes"),
    ],
)
@MANY
@given(odd=st.lists(rows(), max_size=3), encoding=ENCODINGS, as_json=st.booleans())
def test_the_session_behind_odd_rows_is_reached(
    words: str, odd: list[Item], encoding: str, as_json: bool
) -> None:
    """Each row is at most one line below the heading, with the valid one; revoke deletes that."""
    code, out, _, deleted = run(odd, encoding, words, as_json=as_json)

    assert code == 0
    if as_json:
        assert ORDINARY in [one["id"] for one in map(parse_strictly, out.splitlines())]
    else:
        assert ORDINARY in out
        assert len(out.splitlines()) <= len(odd) + 2
    assert ("sess:" + ORDINARY in deleted) == words.startswith("revoke")


@pytest.mark.parametrize("words", ["count --segments 1", "stats --segments 1"])
@MANY
@given(odd=st.lists(rows(), max_size=3), encoding=ENCODINGS, as_json=st.booleans())
def test_odd_rows_are_counted(words: str, odd: list[Item], encoding: str, as_json: bool) -> None:
    """Figures come to their end, with the sound session among them."""
    code, out, _, _ = run(odd, encoding, words, as_json=as_json)

    assert code == 0
    if as_json:
        parse_strictly(out)
    else:
        assert " live" in out


@pytest.mark.parametrize("how", ["", "--dry-run"])
@MANY
@given(odd=st.lists(rows(), max_size=3), encoding=ENCODINGS, as_json=st.booleans())
def test_odd_rows_do_not_stop_a_purge(
    how: str, odd: list[Item], encoding: str, as_json: bool
) -> None:
    """Whatever their expiry is. A dry run deletes none, and rows of other stores are kept."""
    code, out, _, deleted = run(odd, encoding, f"purge --segments 1 {how}", as_json=as_json)
    ours = {item["id"]["S"] for item in odd if item.keys() & {"rev", "data"}}

    assert code == 0
    if as_json:
        parse_strictly(out)
    assert set(deleted) <= (set() if how else ours)


@pytest.mark.parametrize("words", ["show", "show --unpickle", "delete --yes"])
@MANY
@given(odd=rows(), encoding=ENCODINGS, as_json=st.booleans())
def test_an_odd_row_can_be_shown_and_deleted(
    words: str, odd: Item, encoding: str, as_json: bool
) -> None:
    """By its key; the answer is yes, no, or that this is no session's key."""
    key = odd["id"]["S"]
    how = ["--json"] if as_json else []
    code, out, _, _ = command([odd], encoding, *words.split(), *how, "--", key)

    event(f"exit code {code}")
    session = Layout("sess:").classify(Key(key)) == "session" and len(key.encode()) <= MAX_KEY
    assert code in ({0, 1} if session else {2})
    if as_json and out:
        parse_strictly(out)


REAL: list[dict[str, Any]] = [
    {"expires": {"N": "9.9E+125"}},
    {"expires": {"N": "-9.9E+125"}},
    {"expires": {"L": [{"M": {"x": {"NS": ["1", "1E-130"]}}}]}},
    {"prev": {"N": "1"}},
    {"cache_key": {"BOOL": True}},
    {"visits": {"N": "-1E+125"}},
    {"rev": {"S": ""}},
    {"rev": {"B": b"r" * 3000}, "data": {"B": b"\1S\x08\0\0\0\0\2" + bytes(32)}},
    {"data": {"B": b"\1S\x08\0\xff\xff\xff\xff" + bytes(32)}},
    {"data": {"B": seal_text(base64.b64encode(b"\x80\x02}q\0(") + "é".encode())}},
    *(
        {"data": {"B": seal_text(base64.b64encode(zlib.compress(text.encode())))}}
        for text in (
            '{"_creation_time": NaN}',
            '{"_creation_time": -Infinity}',
            f'{{"_creation_time": {"9" * 400}}}',
            f'{{"_creation_time": 1e308, "x": {"[" * 900}{"]" * 900}}}',
        )
    ),
]


@pytest.mark.parametrize("everybody", [False, True], ids=["user", "all"])
@pytest.mark.parametrize("migrate", ["", "memory"])
def test_a_user_with_odd_rows_is_logged_out_everywhere(
    migrate: str,
    everybody: bool,
    dynamodb_local: str,
    table_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a real table: each is listed, found, shown and counted; revoke leaves none behind."""
    site = ExampleApp.create(
        dynamodb_local, table_name, **({"migrate_from": migrate} if migrate else {})
    )
    site.save(ORDINARY, userId=42)
    for number, row in enumerate(REAL):
        rev = {"B": make_rev("b.t")}
        sound = {"data": {"B": seal_text(b"text")}, "rev": rev, "userId": {"S": "42"}}
        site.put(**{"id": {"S": f"sess:odd{number}"}, **sound, **row})
    live = {ORDINARY, *(f"odd{n}" for n in range(len(REAL)) if n != 1)}  # that one is long over

    def run(*words: str) -> list[Any]:
        assert main(site.argv("sessions", *words, "--json")) == 0
        return [parse_strictly(line) for line in capsys.readouterr().out.splitlines()]

    for words in (("list",), ("find", "userId=42"), ("find", "--scan", "userId=42")):
        assert {one["id"] for one in run(*words)} == live
    for name in live:
        for how in ((), ("--json",)):
            assert main(site.argv("sessions", "show", name, "--unpickle", *how)) == 0
            out = capsys.readouterr().out
            assert name in out
    assert main(site.argv("sessions", "stats", "--json")) == 0
    assert parse_strictly(capsys.readouterr().out)["live"] == f"{len(live)}"
    if everybody:
        assert main(site.argv("sessions", "revoke", "--all", "--yes", "--json")) == 0
        told = parse_strictly(capsys.readouterr().out)
        assert told["revoked_sessions"] == f"{len(live)}"
    else:
        assert {one["id"] for one in run("revoke", "userId=42", "--yes")} == live
    assert main(site.argv("sessions", "find", "userId=42")) == 1


@pytest.mark.parametrize("scan", [(), ("--scan",)])
@pytest.mark.parametrize(
    "word",
    [
        *(f"visits={number}" for number in NUMBERS),
        *("visits=1e999999", "visits=-1e999999", "visits=0e999999", "visits=1e-999999"),
        *("visits=" + "0" * 10_000 + "1", "visits=1." + "1" * 10_000, "visits=\udcff", "visits=x"),
        *("userId=" + "x" * 3000, "userId=\udcff", "token=é", "token=x", "token=" + "A" * 4000),
    ],
)
def test_any_value_on_the_command_line_is_searched_for_or_a_wrong_call(
    word: str, scan: tuple[str, ...]
) -> None:
    """At once, with one line on stderr; and what is sent is what DynamoDB takes."""
    for verb in (("find",), ("revoke", "--yes")):
        code, out, err, table = command([], "ascii", *verb, *scan, word)

        assert (code in {1, 2}, out, len(err.splitlines())) == (True, "", 1)
        for value in table.values:
            number = Decimal(value["N"]) if "N" in value else Decimal(1)
            assert number == 0 or -131 < number.adjusted() < 126
            assert len(str(value)) < 2100


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@pytest.mark.parametrize("words", ["stats", "list", "show odd", "show odd --json", "find userId=é"])
def test_every_character_is_printed_or_escaped(words: str, encoding: str) -> None:
    """No encoding of the terminal stops a command, for bars and for texts of a row."""
    text = base64.b64encode(zlib.compress('{"name": "Zoë █ \\ud800"}'.encode()))
    odd: Item = {
        "id": {"S": "sess:odd"},
        "data": {"B": seal_text(text)},
        "rev": {"B": make_rev("b.t")},
        "userId": {"S": "Zoë █\ud800"},
    }

    code, out, err, _ = command([odd], encoding, *words.split())

    assert code == (1 if "é" in words else 0)
    if words == "stats":
        assert ("█" in out, "####" in out) == (encoding == "utf-8", encoding != "utf-8")
    if words in {"list", "show odd"} and encoding == "ascii":
        assert r"Zo\xeb \u2588\ud800" in out
    if "é" in words and encoding == "ascii":
        assert r"userId=\xe9" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_process_with_a_small_encoding_prints_its_help_and_its_refusals(encoding: str) -> None:
    """The same outside of these tests' own streams, for click's words too."""
    for words in (["--help"], ["sessions", "--help"], ["nö█"], ["sessions", "count", "-o", "█=1"]):
        done = subprocess.run(
            [sys.executable, "-m", "beaker_dynamodb", *words],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == (0 if "--help" in words else 2)
        assert b"Traceback" not in done.stderr


def test_a_table_of_other_keys_is_an_error_without_traceback(
    dynamodb_local: str, table_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A range key that only the options have is an error about the table."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.expire("a")
    for words in ("stats", "purge --dry-run"):
        ranged = ExampleApp({**site.options, "range_key": "part"})
        assert main(ranged.argv("sessions", *words.split())) == 3
        assert "key schema is not that of the options" in capsys.readouterr().err
