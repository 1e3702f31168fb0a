"""The page on JSON names every key that the commands print, with its type, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from tests.ops.example_apps import DENSE, IDENT, ExampleApp

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")
TYPES = {dict: "object", list: "array", bool: "boolean", str: "string", type(None): "null"}
#: Documented keys and their types, by command.
Shape = dict[str, list[str]]
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z ]+) \|", re.MULTILINE)


def read_shapes() -> Iterator[tuple[str, Shape]]:
    """Read the tables of the page; what `table create` adds comes after a second heading row."""
    for section in PAGE.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        shared, added, more = text.partition("\n`table create` adds ")
        for command in re.findall(r"`([a-z -]+)`", heading) or ["no"]:
            rows = shared + more if added and command == "table create" else shared
            yield command, {key: types.split(" or ") for key, types in ROW.findall(rows)}


SHAPES = dict(read_shapes())


def compare(command: str, value: Any, level: str = "") -> set[str]:
    """Compare one object with the page; return the documented keys that it has."""
    shape = SHAPES[command]
    here = {key for key in shape if re.fullmatch(re.escape(level) + r"[a-z_]+", key)}
    assert {level + name for name in value} == here
    met = set(here)
    for name, one in value.items():
        key = level + name
        if shape[key] == ["session"]:
            compare("sessions list", one)
            continue
        assert TYPES.get(type(one), "number") in shape[key], key
        if f"{key}_at" in shape:
            assert value[f"{name}_at"] == to_iso(one)
        if isinstance(one, dict) and any(other.startswith(f"{key}.") for other in shape):
            met |= compare(command, one, f"{key}.")
        for item in one if isinstance(one, list) else ():
            met |= compare(command, item, f"{key}[].")
    return met


def to_iso(seconds: float | None) -> str | None:
    """Write a time as the page says."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def run_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Any]]:
    """Run a command with --json, and read what it prints: one object, or one a line."""

    def run(*argv: str) -> list[Any]:
        capsys.readouterr()
        main([*argv, "--json"])
        out = capsys.readouterr().out
        lined = not out.startswith("{\n")
        return list(map(json.loads, out.splitlines())) if lined else [json.loads(out)]

    return run


@pytest.mark.parametrize(
    ("command", "calls"),
    [
        ("sessions list", [["--expired"]]),
        ("sessions find", [["userId=42"]]),
        ("sessions show", [[IDENT], ["d" * 32], ["bad"], ["gone"]]),
        ("sessions count", [[]]),
        ("sessions stats", [[], ["--sample", "2"]]),
        ("sessions purge", [["--dry-run"], []]),
        ("sessions delete", [[IDENT], ["bad"]]),
        ("sessions revoke", [["userId=42", "--yes"]]),
        ("sessions revoke --all", [["--yes"]]),
        ("table show", [[], ["-o", "prefix=other:"]]),
        ("table check", [[], ["--deletion-protection"]]),
        ("table create", [["--deletion-protection", "--tag", "a=b"], ["--no-deletion-protection"]]),
        ("table delete", [["--yes"]]),
        ("doctor", [[], ["--read-only"], ["-o", "hash_key=sid"]]),
    ],
)
def test_a_command_prints_what_the_page_says(
    command: str, calls: list[list[str]], shop: ExampleApp, run_json: Callable[..., list[Any]]
) -> None:
    """Each key, none besides, and each of its type; over all calls no documented key is missing."""
    shop.save("d" * 32, json=True, text=DENSE)
    shop.put(id={"S": "sess:bad"}, data={"S": "x"})
    objects = [one for call in calls for one in run_json(*shop.argv(*command.split(), *call))]

    assert len(objects) >= len(calls)
    met = set().union(*(compare(command, one) for one in objects))
    assert {key for key in SHAPES[command] if not key.startswith("range_key.")} <= met


def test_a_table_with_a_range_key_prints_what_the_page_says(
    dynamodb_local: str, table_name: str, run_json: Callable[..., list[Any]]
) -> None:
    """It is printed without an error."""
    site = ExampleApp.at(dynamodb_local, table_name, range_key="part")

    (made,) = run_json(*site.argv("table", "create"))

    assert compare("table create", made) > {"range_key.name", "range_key.type", "indexes[].name"}
    assert (made["new"], made["matches"]) == (True, True)


@pytest.mark.parametrize(
    ("command", "words"),
    [("sessions show", ["nobody"]), ("sessions delete", ["nobody"]), ("sessions show", ["theirs"])],
)
def test_no_is_answered_in_one_shape(
    command: str, words: list[str], shop: ExampleApp, run_json: Callable[..., list[Any]]
) -> None:
    """For a session that does not exist, and for a row of another store."""
    shop.put(id={"S": "sess:theirs"})

    (answer,) = run_json(*shop.argv(*command.split(), *words))

    assert compare("no", answer) == {"done", "message"}
    assert answer["done"] is False


@pytest.mark.parametrize("command", ["show", "delete"])
def test_a_missing_table_is_answered_in_the_same_shape(
    command: str, dynamodb_local: str, table_name: str, run_json: Callable[..., list[Any]]
) -> None:
    """It names the command that creates it."""
    site = ExampleApp.at(dynamodb_local, table_name)
    more = ["--yes"] if command == "delete" else []

    (answer,) = run_json(*site.argv("table", command, *more))

    assert compare("no", answer) == {"done", "message"}


def test_an_import_prints_what_the_page_says(
    shop: ExampleApp, tmp_path: Path, run_json: Callable[..., list[Any]]
) -> None:
    """Also of a backend without sessions."""
    where = ["--from", "file", "--from-option", f"data_dir={tmp_path}"]
    (tmp_path / "container_file").mkdir()

    (counted,) = run_json(*shop.argv("import", *where, "-o", "timeout=3600"))

    assert compare("import", counted) == set(SHAPES["import"])
