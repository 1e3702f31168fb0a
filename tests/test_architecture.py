"""The architecture, checked over the source: import rules, sizes, names, AWS's words.

The import rules are import-linter's contracts in pyproject.toml. Each check lists all breaches in
one message, and is shown texts that break it and texts that come close and do not.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "beaker_dynamodb"
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
DEMO = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "examples" / "demo").rglob("*.py"))
}

MAX_LINES = 400
MAX_LINES_OF_A_FUNCTION = 40  # about 30 by habit
MAX_FILES_IN_THE_ROOT = 8
VAGUE_NAMES = frozenset("util utils helper helpers common base core service services".split())
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|NotImplementedError)\b")

#: AWS's names of one hump that are keys in requests and replies.
AWS_WORDS = frozenset(
    "Attributes Code Count Error Item Items Key Keys Limit Message Projection Responses Segment"
    " Select Table".split()
)
#: AWS's words may appear where the network is, and where AWS's own documents are read or printed.
AWS_PLACES = ("dynamodb/", "provisioning/", "migration/readers/connect.py")
HUMPS = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Z][A-Za-z]*|[A-Z]{2,}[a-z][A-Za-z]*")
PUBLIC = frozenset(
    "Call CallFacts DynamoDBNamespaceManager Saved StrictSession UserSession UserSessions check"
    " configure reset observe with_cache_defaults __version__".split()
)
#: What `import beaker_dynamodb` must not load.
LATE = (
    "boto3 botocore click rich moto pytest cryptography isal beaker_dynamodb.ops"
    " beaker_dynamodb.testing beaker_dynamodb.factory beaker_dynamodb.config"
    " beaker_dynamodb.dynamodb beaker_dynamodb.settings".split()
)

#: A check takes a file's place, such as "item/keys.py", and its text; it yields the breaches.
Check = Callable[[str, str], Iterable[str]]


def has_a_docstring(place: str, text: str) -> Iterator[str]:
    """A module says in two lines or more what it is for and what must stay true."""
    lines = [line for line in (ast.get_docstring(ast.parse(text)) or "").splitlines() if line]
    if len(lines) < 2:
        yield f"{place}: a docstring of {len(lines)} lines"


def is_short(place: str, text: str) -> Iterator[str]:
    """A file has up to 400 lines, and a function up to 40."""
    if (lines := len(text.splitlines())) > MAX_LINES:
        yield f"{place}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_LINES_OF_A_FUNCTION:
                yield f"{place}:{node.lineno}: {node.name} has {lines} lines"


def is_named_after_something(place: str, _text: str) -> Iterator[str]:
    """No file and no folder has a name that says nothing."""
    for part in place.removesuffix(".py").split("/"):
        if part.strip("_") in VAGUE_NAMES:
            yield f"{place}: {part} says nothing"


def _is_of_aws(word: str, *, in_a_call: bool) -> bool:
    if word in PUBLIC:
        return False
    return bool(HUMPS.fullmatch(word)) or word in AWS_WORDS or (in_a_call and word[:1].isupper())


def _keys_and_parameters(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each constant text that is used as a key, and each keyword of a call (True)."""
    for node in ast.walk(ast.parse(text)):
        keys: list[ast.expr | None] | list[ast.expr] = []
        match node:
            case ast.keyword(arg=str() as name):
                yield node.value.lineno, name, True
            case ast.Dict(keys=keys) | ast.MatchMapping(keys=keys):
                pass
            case ast.Subscript(slice=key):
                keys = [key]
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn(), *_]):
                keys = [key]
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
                keys = [key]
        for word in keys:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield word.lineno, word.value, False


def leaves_aws_words_to_the_network(place: str, text: str) -> Iterator[str]:
    """AWS's CamelCase is used only where the network is."""
    if place.startswith(AWS_PLACES):
        return
    for line, word, in_a_call in _keys_and_parameters(text):
        if _is_of_aws(word, in_a_call=in_a_call):
            yield f"{place}:{line}: {word} is AWS's word"


def is_finished(place: str, text: str) -> Iterator[str]:
    """No line says that something is still to come."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := UNFINISHED.search(line):
            yield f"{place}:{number}: {found[0]}"


CHECKS: tuple[Check, ...] = (
    has_a_docstring,
    is_short,
    is_named_after_something,
    leaves_aws_words_to_the_network,
    is_finished,
)

LONG_FILE = "x = 1\n" * MAX_LINES
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * MAX_LINES_OF_A_FUNCTION
MATCH = "match reply:\n    case {'TableStatus': status}:\n        x = status\n"
BREACHES: tuple[tuple[Check, str, str], ...] = (
    (has_a_docstring, "item/merge.py", "x = 1\n"),
    (has_a_docstring, "item/merge.py", '"""One line."""\n'),
    (has_a_docstring, "item/merge.py", '"""One line.\n\n\n"""\n'),
    (is_short, "item/merge.py", LONG_FILE + "x = 1\n"),
    (is_short, "item/merge.py", LONG_FUNCTION),
    (is_short, "item/merge.py", "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    ")),
    (is_named_after_something, "utils.py", ""),
    (is_named_after_something, "item/_helpers.py", ""),
    (is_named_after_something, "core/merge.py", ""),
    (leaves_aws_words_to_the_network, "sessions/store.py", "call(TableName=t)\n"),
    (leaves_aws_words_to_the_network, "sessions/store.py", "call(Item=i)\n"),
    (leaves_aws_words_to_the_network, "item/record.py", "x = {'KeyConditionExpression': 1}\n"),
    (leaves_aws_words_to_the_network, "item/record.py", "x = {'Item': 1}\n"),
    (leaves_aws_words_to_the_network, "caches/store.py", "x = reply['ConsumedCapacity']\n"),
    (leaves_aws_words_to_the_network, "caches/store.py", "x = reply.get('Item')\n"),
    (leaves_aws_words_to_the_network, "ops/purge.py", "x = 'LastEvaluatedKey' in reply\n"),
    (leaves_aws_words_to_the_network, "ops/purge.py", MATCH),
    (is_finished, "manager.py", "x = 1  # TODO: more\n"),
    (is_finished, "manager.py", "# FIXME\n"),
    (is_finished, "manager.py", "raise NotImplementedError\n"),
)
CLOSE: tuple[tuple[Check, str, str], ...] = (
    (has_a_docstring, "item/merge.py", '"""One line.\n\nAnd another.\n"""\n'),
    (is_short, "item/merge.py", LONG_FILE),
    (is_short, "item/merge.py", LONG_FUNCTION.removesuffix("    x = 1\n")),
    (is_named_after_something, "item/envelope.py", ""),
    (leaves_aws_words_to_the_network, "dynamodb/table.py", "call(TableName=t)['Item']\n"),
    (leaves_aws_words_to_the_network, "provisioning/iam.py", "x = {'TableName': 1}\n"),
    (leaves_aws_words_to_the_network, "__init__.py", "x = {'StrictSession': 'strict'}\n"),
    (leaves_aws_words_to_the_network, "item/record.py", "x = {'S': 1, 'data': Record(id=2)}\n"),
    (is_finished, "manager.py", "TODOS = NotImplemented\n"),
)


def cycle_in(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of one cycle, in order; the empty list if there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def read_map() -> dict[str, str]:
    """Return what the map of docs/architecture.md says about each file, such as "item/keys.py".

    A line is a name, indented by two spaces for each folder around it, and a description. The
    line of a folder stands for its `__init__.py`.
    """
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    block = page.partition("## The map")[2].split("```")[1]
    described: dict[str, str] = {}
    folders: list[str] = []
    for line in block.strip("\n").splitlines():
        name, _, description = line.strip().partition(" ")
        del folders[(len(line) - len(line.lstrip())) // 2 :]
        if name.endswith("/"):
            folders.append(name)
            name = "__init__.py"
        file = "".join((*folders, name))
        assert file not in described, f"the map has two lines for {file}"
        described[file] = description.strip()
    return described


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder."""
    return subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )


def python(statement: str) -> str:
    """Run a statement in a Python of its own; return what it printed."""
    done = run(sys.executable, "-c", statement)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_file_passes_every_check(check: Check) -> None:
    """No file of the package or of the demo breaks the check; all breaches are listed."""
    sources = {**SOURCES, **DEMO}

    assert "examples/demo/__main__.py" in sources
    assert [breach for place, text in sources.items() for breach in check(place, text)] == []


def test_each_check_catches_what_breaks_it_and_nothing_else() -> None:
    """Each check finds the breaches in the table, and none in the texts that come close."""
    assert {check for check, _, _ in BREACHES} == set(CHECKS)
    assert [row for row in BREACHES if not list(row[0](row[1], row[2]))] == []
    assert [row for row in CLOSE if list(row[0](row[1], row[2]))] == []


def test_the_map_has_one_line_for_each_folder_and_file() -> None:
    """docs/architecture.md describes every file of the package, and no file that does not exist."""
    described = read_map()

    assert sorted(described) == sorted(SOURCES)
    assert [file for file, description in described.items() if not description] == []


def test_the_root_has_few_files() -> None:
    """The root of the package holds eight Python files at most."""
    assert len([place for place in SOURCES if "/" not in place]) <= MAX_FILES_IN_THE_ROOT


def test_imports_run_downwards() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_have_no_cycle() -> None:
    """No file imports itself by way of others, imports inside functions and for types included.

    Only what has the whole package below it imports the root, which hands the public names on.
    """
    graph = grimp.build_graph("beaker_dynamodb", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    assert len(imports) == len(SOURCES)
    assert cycle_in(imports) == []
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
    above = graph.find_modules_that_directly_import("beaker_dynamodb")
    assert {name.split(".")[1] for name in above} <= {"testing"}


def test_an_import_loads_nothing_heavy() -> None:
    """`import beaker_dynamodb` loads neither AWS's SDK nor the operators' tools.

    Beaker imports every installed backend at the first type it does not know, and boto3 has to
    come after gevent has patched what it patches.
    """
    before = "import sys; before = set(sys.modules); import beaker_dynamodb; "
    loaded = python(before + "print(*sorted(set(sys.modules) - before))").split()

    assert "beaker_dynamodb" in loaded
    assert [name for name in loaded if any(f"{name}.".startswith(f"{top}.") for top in LATE)] == []


#: What a request that loads and saves a session does not need.
NOT_FOR_A_SESSION = (
    "boto3 botocore click difflib importlib.metadata ipaddress pkgutil rich moto"
    " beaker_dynamodb.caches beaker_dynamodb.migration beaker_dynamodb.ops"
    " beaker_dynamodb.provisioning beaker_dynamodb.settings beaker_dynamodb.testing"
    " beaker_dynamodb.dynamodb.diagnostics"
    " beaker_dynamodb.dynamodb.scan"
    " beaker_dynamodb.dynamodb.user_rows beaker_dynamodb.sessions.rotation"
    " beaker_dynamodb.sessions.user_sessions beaker_dynamodb.sessions.strict".split()
)
REQUEST = """
import sys
import beaker.container
import urllib.parse  # brings `ipaddress` from 3.11 on; not every Python loads it for Beaker
by_others = set(sys.modules)
from beaker_dynamodb import DynamoDBNamespaceManager as Manager
from beaker_dynamodb.dynamodb.wire.http import HTTPConnection
from beaker_dynamodb.errors import Unavailable
given = {"endpoint_url": "http://127.0.0.1:1", "region": "us-east-1", "transport": "wire"}
keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
manager = Manager("zoe", digest_filenames=False, **given, **keys)
def answer(*_):
    print(*sorted(set(sys.modules) - by_others))
    sys.exit(0)
HTTPConnection.open = answer
manager["session"]
"""


def test_a_request_for_a_session_loads_only_what_it_needs() -> None:
    """Neither boto3 nor what is for caches, migrations, operators or a missing table."""
    loaded = python(REQUEST).split()

    assert {"beaker_dynamodb.sessions.store", "beaker_dynamodb.dynamodb.wire.client"} <= {*loaded}
    for top in NOT_FOR_A_SESSION:
        assert [name for name in loaded if f"{name}.".startswith(f"{top}.")] == []


def test_the_public_names_are_what_the_package_offers() -> None:
    """The package offers the manager, the session class, five verbs, its errors and no more."""
    words = python(
        "import beaker_dynamodb as face\n"
        "from beaker_dynamodb import errors\n"
        "print(*face.__all__)\n"
        "print(*errors.__all__)\n"
        "print(*(name for name in face.__all__ if not hasattr(face, name)))\n"
    )
    names, errors, missing = (line.split() for line in words.split("\n")[:3])

    assert len(names) == len(set(names))
    assert set(names) == PUBLIC | set(errors)
    assert missing == []
