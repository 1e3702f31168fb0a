"""Every code block of every document is tested: Python runs, ini lines parse, commands exist.

Marks above a block say what it needs; tests/documents.py lists the marks.
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
from tests.documents import DOCUMENTS, ROOT, Block, is_broken, list_links, read_blocks
from tests.servers import answers, free_port

BLOCKS: Final = [block for document in DOCUMENTS for block in read_blocks(document)]
SHELL: Final = frozenset({"sh", "bash"})
_EXTRAS = re.compile(r"(?:beaker-dynamodb|'\.)\[([a-z,]+)\]")
_REQUIREMENTS = re.compile(r" -r (\S+)")
_OURS = re.compile(r"^(?:\S*python3? -m beaker_dynamodb|beaker-dynamodb)(?= |$)")
_DEMO = re.compile(r"^\S*python3? -m examples\.demo(?= |$)")
_PIP = re.compile(r"^\S*pip install ")
#: How the names of Beaker's settings begin.
_BEAKERS = ("session.", "cache.", "beaker.")


def select_blocks(*languages: str) -> list[Any]:
    """Return the blocks of some languages, as test cases."""
    return [pytest.param(one, id=str(one)) for one in BLOCKS if one.language in languages]


# Python

#: Where the files of a page find the package, and the example that a page has its readers copy.
IMPORT_PATH: Final = os.pathsep.join([str(ROOT), str(ROOT / "examples")])
#: The file that every page refers to.
PRODUCTION: Final = """
[app:main]
session.type = ext:dynamodb
session.table = myapp-sessions
session.region = eu-central-1
session.special_keys = userId:S
"""


def run_block(block: Block, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a Python block between its `given` and `then` code; return the names that it defined.

    Args: *before* are the names that exist already.
    """
    names: dict[str, Any] = {"__name__": "__main__"} if before is None else before
    exec(compile(block.marks.get("given", ""), f"{block}, given", "exec"), names)  # noqa: S102
    source = "\n" * block.line + block.text
    exec(compile(source, str(block.document), "exec"), names)  # noqa: S102  # our own documents
    exec(compile(block.marks.get("then", ""), f"{block}, then", "exec"), names)  # noqa: S102
    return names


def run_after_previous(block: Block) -> dict[str, Any]:
    """Run a block in a new namespace, or in that of the block that it continues."""
    if "continued" not in block.marks:
        return run_block(block)
    own = [one for one in read_blocks(block.document) if one.language == "python"]
    previous = own[[one.line for one in own].index(block.line) - 1]
    return run_block(block, run_after_previous(previous))


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Change to a folder with a `production.ini`; the embedded store is configured and empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "production.ini").write_text(PRODUCTION, "utf-8")
    embedded.empty()
    with warnings.catch_warnings(), beaker_dynamodb.configure(endpoint_url="embedded"):
        yield


@pytest.mark.usefixtures("working_folder")
@pytest.mark.parametrize("block", select_blocks("python"))
def test_python_runs(block: Block) -> None:
    """A Python block runs unchanged, in a new namespace, on the embedded store."""
    if not block.marks.keys() & {"not run", "file"}:
        run_after_previous(block)
    else:
        compile(block.text, str(block), "exec")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_reader_sees_which_file_a_block_is(document: Path) -> None:
    """The last line before a block that is a file names it: readers do not see the marks."""
    before, *blocks = re.split(r"<!-- file: (\S+) -->\n", document.read_text("utf-8"))
    for name, after in zip(blocks[::2], blocks[1::2], strict=True):
        assert f"`{name}`" in before.rstrip().splitlines()[-1]
        before = after


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_tests_that_a_document_shows_pass(
    document: Path, tmp_path: Path, dynamodb_local: str
) -> None:
    """The test files that a document shows are written into a folder, and pytest passes."""
    files = {one.marks["file"]: one.text for one in read_blocks(document) if "file" in one.marks}
    if not any(name.startswith("test_") for name in files):
        return
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    done = subprocess.run(
        f"{sys.executable} -m pytest -q -p no:cacheprovider -c {os.devnull} .".split(),
        env={**os.environ, "DYNAMODB_LOCAL_URL": dynamodb_local, "PYTHONPATH": IMPORT_PATH},
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
    """Run the first page's application on another port as a program; yield its address."""
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


def test_the_application_of_the_first_page_counts_each_visitors_visits(visits_app: str) -> None:
    """Ten lines of code, run as shown, keep each browser's session between requests."""
    (block,) = [one for one in BLOCKS if one.marks.get("file") == "visits.py"]
    ada, bob = (build_opener(HTTPCookieProcessor()) for _ in range(2))

    def visit(browser: OpenerDirector) -> str:
        with browser.open(visits_app, timeout=30) as response:
            return str(response.read().decode())

    assert len([line for line in block.text.splitlines() if line]) == 10
    assert [visit(one) for one in (ada, ada, bob, ada)] == [f"Visits: {n}" for n in (1, 2, 1, 3)]


# Ini files


def read_ini(text: str) -> dict[str, dict[str, str]]:
    """Parse ini lines by section; lines without a section belong to `app:main`."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(text if re.search(r"^\[", text, re.MULTILINE) else f"[app:main]\n{text}")
    return {name: dict(parser[name]) for name in parser.sections()}


def parse_section(section: Mapping[str, str]) -> None:
    """Have the package parse the session and cache settings of an application's section.

    Raises: OptionError.
    """
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


@pytest.mark.parametrize("block", select_blocks("ini"))
def test_ini_lines_are_options_that_exist(block: Block) -> None:
    """The session and cache settings of an ini block are read as an application's file is."""
    for section in read_ini(block.text).values():
        if any(name.startswith(_BEAKERS) for name in section):
            parse_section(section)


# Commands


def split_commands(text: str) -> Iterator[str]:
    """Yield the commands of a shell block: continued lines are joined, chains are split."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;]", line.partition("  #")[0]):
            if part.strip() and not part.strip().startswith("#"):
                yield part.partition(">")[0].strip()


def is_parsed(words: list[str]) -> bool:
    """Return whether our command line accepts these arguments; nothing is run."""
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


def is_parsed_by_demo(words: list[str]) -> bool:
    """Return whether the demo's command line accepts these arguments; nothing is run."""
    try:
        make_parser().parse_args(words)
    except SystemExit as ended:
        return not ended.code
    return True


def is_understood(command: str) -> bool:
    """Return whether a command is ours, the demo's or pip's, and its arguments exist."""
    ours = _OURS.match(command)
    if ours:
        return is_parsed(shlex.split(command[ours.end() :]))
    if demo := _DEMO.match(command):
        return is_parsed_by_demo(shlex.split(command[demo.end() :]))
    offered = (ROOT / "setup.py").read_text("utf-8")
    extras = ",".join(_EXTRAS.findall(command)).split(",")
    exist = all(f'"{extra}": ' in offered for extra in extras if extra)
    exist &= all((ROOT / name).is_file() for name in _REQUIREMENTS.findall(command))
    return exist and bool(_PIP.match(command) or command.startswith("python3 -m venv "))


@pytest.mark.parametrize("block", select_blocks(*SHELL))
def test_commands_exist(block: Block) -> None:
    """Our commands accept their arguments; a block with another program is marked `not run`."""
    unknown = [command for command in split_commands(block.text) if not is_understood(command)]

    assert unknown == [] or block.marks.get("not run")


WRONG_COMMANDS: Final = (
    "beaker-dynamodb tabel create",
    "beaker-dynamodb table create --quite",
    "beaker-dynamodb policy nobody",
    "python -m examples.demo --port many",
    "pip install 'beaker-dynamodb[cil]'",
    ".venv/bin/pip install -e '.[demo]'",
    "pip install -r examples/requirements.txt",
    "rm -r .",
)


@pytest.mark.parametrize("command", WRONG_COMMANDS)
def test_a_wrong_command_is_found(command: str) -> None:
    """A command, option, role or extra that does not exist is found: the check can fail."""
    assert not is_understood(command)


# All blocks


def accept(text: str) -> None:
    """Accept any text: it is printed by a program, or drawn."""


#: How a block of each other language is tested.
PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "text": accept,
    "": accept,
}


@pytest.mark.parametrize("block", [pytest.param(one, id=str(one)) for one in BLOCKS])
def test_every_block_is_tested(block: Block) -> None:
    """A block is of a language that is tested here, or is marked `not run` with a reason."""
    tested = PARSERS.keys() | SHELL | {"python", "ini"}

    assert block.language in tested or block.marks.get("not run")
    assert block.marks.get("not run", "a reason")
    PARSERS.get(block.language, accept)(block.text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_is_broken(document: Path) -> None:
    """Every relative link and image names an existing file, and every anchor a heading."""
    assert [link for link in list_links(document) if is_broken(document, link)] == []
