"""Every block of every document is tried: Python runs, ini lines parse, commands exist.

What a block needs beside itself stands in a mark above it; tests/documents.py lists the marks.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import click
import pytest
import yaml

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.ops import cli
from beaker_dynamodb.ops.application import load_application
from examples.demo.__main__ import make_parser
from tests.documents import DOCUMENTS, ROOT, Block, blocks, leads_nowhere, links
from tests.servers import answers, free_port

BLOCKS: Final = [block for document in DOCUMENTS for block in blocks(document)]
SHELL: Final = frozenset({"sh", "bash"})
_EXTRAS = re.compile(r"(?:beaker-dynamodb|'\.)\[([a-z,]+)\]")
_REQUIREMENTS = re.compile(r" -r (\S+)")
_OURS = re.compile(r"^(?:\S*python3? -m beaker_dynamodb|beaker-dynamodb)(?= |$)")
_DEMO = re.compile(r"^\S*python3? -m examples\.demo(?= |$)")
_PIP = re.compile(r"^\S*pip install ")
#: How the settings begin that are Beaker's.
_BEAKERS = ("session.", "cache.", "beaker.")


def of(*languages: str) -> list[Any]:
    """Choose the blocks of some languages, as cases of a test."""
    return [pytest.param(one, id=str(one)) for one in BLOCKS if one.language in languages]


# Python

#: The file that every page speaks of.
PRODUCTION: Final = """
[app:main]
session.type = ext:dynamodb
session.table = myapp-sessions
session.region = eu-central-1
session.special_keys = userId:S
"""


def run(block: Block, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a Python block, what is given first; return the names that it leaves."""
    names: dict[str, Any] = {"__name__": "__main__"} if before is None else before
    exec(compile(block.marks.get("given", ""), f"{block}, given", "exec"), names)  # noqa: S102
    source = "\n" * block.line + block.text
    exec(compile(source, str(block.document), "exec"), names)  # noqa: S102  # our own documents
    exec(compile(block.marks.get("then", ""), f"{block}, then", "exec"), names)  # noqa: S102
    return names


def run_with_those_before(block: Block) -> dict[str, Any]:
    """Run a block in a fresh namespace, or in that of the block that it continues."""
    if "continued" not in block.marks:
        return run(block)
    own = [one for one in blocks(block.document) if one.language == "python"]
    former = own[[one.line for one in own].index(block.line) - 1]
    return run(block, run_with_those_before(former))


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in a folder with a `production.ini`, the embedded store configured and empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "production.ini").write_text(PRODUCTION, "utf-8")
    embedded.empty()
    with warnings.catch_warnings(), beaker_dynamodb.configure(endpoint_url="embedded"):
        yield


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("block", of("python"))
def test_python_runs(block: Block) -> None:
    """A Python block runs as it stands, in a fresh namespace, on the embedded store."""
    if not block.marks.keys() & {"not run", "file"}:
        run_with_those_before(block)
    else:
        compile(block.text, str(block), "exec")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_of_a_document_are_a_suite_that_passes(
    document: Path, tmp_path: Path, dynamodb_local: str
) -> None:
    """What a document shows as files of a suite is written down, and pytest passes over it."""
    files = {one.marks["file"]: one.text for one in blocks(document) if "file" in one.marks}
    if not any(name.startswith("test_") for name in files):
        return
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    done = subprocess.run(
        f"{sys.executable} -m pytest -q -p no:cacheprovider -c {os.devnull} .".split(),
        env={**os.environ, "DYNAMODB_LOCAL_URL": dynamodb_local, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


@pytest.fixture
def visits_app(tmp_path: Path) -> Iterator[str]:
    """Run README's application, but for its port, as a program; yield its address."""
    (block,) = [one for one in BLOCKS if one.marks.get("file") == "visits.py"]
    port = str(free_port())
    assert block.text.count("8080") == 1
    (tmp_path / "visits.py").write_text(block.text.replace("8080", port), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "visits.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + 60
    try:
        while not answers(url):
            assert process.poll() is None, "the application has ended"
            assert time.monotonic() < deadline, "the application did not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.communicate()


def test_the_application_of_the_readme_counts_each_visitors_visits(visits_app: str) -> None:
    """Ten lines of code, run as they are shown, keep each browser's session between requests."""
    (block,) = [one for one in BLOCKS if one.marks.get("file") == "visits.py"]
    ada, bob = (build_opener(HTTPCookieProcessor()) for _ in range(2))

    def visit(browser: OpenerDirector) -> str:
        with browser.open(visits_app, timeout=30) as response:
            return str(response.read().decode())

    assert len([line for line in block.text.splitlines() if line]) == 10
    assert [visit(one) for one in (ada, ada, bob, ada)] == [f"Visits: {n}" for n in (1, 2, 1, 3)]


# Ini files


def lines_of(text: str) -> dict[str, dict[str, str]]:
    """Read ini lines; those without a section are the application's."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(text if re.search(r"^\[", text, re.MULTILINE) else f"[app:main]\n{text}")
    return {name: dict(parser[name]) for name in parser.sections()}


def parsed(section: Mapping[str, str]) -> None:
    """Have the package read what an application's section says of sessions and caches."""
    plain = {name.removeprefix("beaker."): value for name, value in section.items()}
    session = {n: v for n, v in plain.items() if n.startswith("session.")}
    if session.setdefault("session.type", "ext:dynamodb") == "ext:dynamodb":
        load_application(given=session)
    for region in re.split(r"[, ]+", plain.get("cache.regions", "")):
        own = {n: v for n, v in plain.items() if region and n.startswith(f"cache.{region}.")}
        if own.get(f"cache.{region}.type") == "ext:dynamodb":
            load_application(
                given={n.replace(f".{region}.", "."): v for n, v in own.items()}, cache=region
            )


@pytest.mark.parametrize("block", of("ini"))
def test_ini_lines_are_options_that_exist(block: Block) -> None:
    """What an ini block says of sessions and caches is read as an application's file is."""
    for section in lines_of(block.text).values():
        if any(name.startswith(_BEAKERS) for name in section):
            parsed(section)


# Commands


def commands(text: str) -> Iterator[str]:
    """Yield the commands of a shell block: continued lines joined, chains taken apart."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;]", line.partition("  #")[0]):
            if part.strip() and not part.strip().startswith("#"):
                yield part.partition(">")[0].strip()


def parses(words: list[str]) -> bool:
    """Say whether our command line takes these words; nothing is run."""
    command: click.Command = cli.cli
    context = click.Context(command, info_name=cli.NAME, **command.context_settings)
    try:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
            settings = command.context_settings
            context = click.Context(command, info_name=name, parent=context, **settings)
        command.make_context(context.info_name, words, parent=context.parent)
    except click.exceptions.Exit as ended:  # --help and --version end here
        return ended.exit_code == 0
    except click.UsageError:
        return False
    return True


def is_parsed_by_the_demo(words: list[str]) -> bool:
    """Return whether the demo's command line takes these words; nothing is run."""
    try:
        make_parser().parse_args(words)
    except SystemExit as ended:
        return not ended.code
    return True


def understood(command: str) -> bool:
    """Try a command of ours, the demo's, or what pip installs; False for anybody else's."""
    ours = _OURS.match(command)
    if ours:
        return parses(shlex.split(command[ours.end() :]))
    if demo := _DEMO.match(command):
        return is_parsed_by_the_demo(shlex.split(command[demo.end() :]))
    offered = (ROOT / "setup.py").read_text("utf-8")
    asked = ",".join(_EXTRAS.findall(command)).split(",")
    known = all(f'"{extra}": ' in offered for extra in asked if extra)
    known &= all((ROOT / name).is_file() for name in _REQUIREMENTS.findall(command))
    return known and bool(_PIP.match(command) or command.startswith("python3 -m venv "))


@pytest.mark.parametrize("block", of(*SHELL))
def test_commands_exist(block: Block) -> None:
    """Every command of ours takes those arguments; a block with another program says why."""
    strangers = [command for command in commands(block.text) if not understood(command)]

    assert strangers == [] or block.marks.get("not run")


WRONG: Final = (
    "beaker-dynamodb tabel create",
    "beaker-dynamodb table create --quite",
    "beaker-dynamodb policy nobody",
    "python -m examples.demo --port many",
    "pip install 'beaker-dynamodb[cil]'",
    ".venv/bin/pip install -e '.[demo]'",
    "pip install -r examples/requirements.txt",
    "rm -r .",
)


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_command_would_be_found(command: str) -> None:
    """A command, an option, a role or an extra that is not there is not understood."""
    assert not understood(command)


# All


def output(text: str) -> None:
    """Take a text as it is: it is printed by something, or drawn."""


#: How a block of each other language is tried.
PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "text": output,
    "": output,
}


@pytest.mark.parametrize("block", [pytest.param(one, id=str(one)) for one in BLOCKS])
def test_no_block_goes_untried(block: Block) -> None:
    """A block is of a language that is tried here; else it is marked as not run, with a reason."""
    tried = PARSERS.keys() | SHELL | {"python", "ini"}

    assert block.language in tried or block.marks.get("not run")
    assert block.marks.get("not run", "a reason")
    PARSERS.get(block.language, output)(block.text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    """Every relative link and image names a file, and every anchor a heading."""
    assert [link for link in links(document) if leads_nowhere(document, link)] == []
