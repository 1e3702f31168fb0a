"""The house of the package, checked over its syntax trees: walls, floors, sizes, words.

Each law is a pure function of a file's place and text, so that a small offending text proves
that the law can fail. docs/architecture.md says why each wall stands where it stands.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = "beaker_dynamodb"
PACKAGE = ROOT / OURS

#: Each law takes a file's place, such as "item/keys.py", and its text; it yields the breaches.
Law = Callable[[str, str], Iterable[str]]


# The tables


@dataclass(frozen=True)
class Wall:
    """One row of the table of walls; places are files, or folders with a slash at the end."""

    places: tuple[str, ...]
    never: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()


WALLS = (
    Wall(
        ("item/",),
        tuple(
            "boto3 botocore beaker time os random secrets uuid threading"
            " beaker_dynamodb.options beaker_dynamodb.sources beaker_dynamodb.store"
            " beaker_dynamodb.ops".split()
        ),
        "every law about bytes and merges is testable without a server, a clock or luck",
    ),
    Wall(
        ("store/",),
        ("beaker", "beaker_dynamodb.manager", "beaker_dynamodb.ops"),
        "the door does not know who knocks",
    ),
    Wall(
        tuple(
            "manager.py keepers.py sessions.py migrating.py caches.py saving.py outage.py rows.py"
            " notices.py brackets.py cooldown.py serializers.py surroundings.py".split()
        ),
        ("boto3", "botocore", "beaker_dynamodb.ops"),
        "Beaker's verbs, our words, no AWS",
    ),
    Wall(
        ("ops/",),
        (
            "boto3",
            "botocore",
            "beaker_dynamodb.manager",
            "beaker_dynamodb.sessions",
            "beaker_dynamodb.saving",
            "beaker_dynamodb.migrating",
            "beaker_dynamodb.outage",
            "beaker_dynamodb.caches",
        ),
        "operators use the same door",
    ),
    Wall(
        ("",),
        ("boto3", "botocore"),
        "one place to make a client, one place to be fork-safe",
        but=("store/client.py",),
    ),
)

#: Which rooms a room may import from, itself apart. A new file or folder is entered here first.
DOOR = "store item options surroundings errors"
ROWS = f"rows sources serializers notices {DOOR}"
ROOMS: Mapping[str, frozenset[str]] = {
    room: frozenset(below.split())
    for room, below in {
        # The ground
        "errors": "",
        "notices": "",
        "surroundings": "",
        "casts": "errors",
        "options": "casts errors",
        "sources": "options casts errors",
        "item": "errors",
        "store": "surroundings notices item options errors",
        "serializers": "item errors",
        "rows": f"sources serializers {DOOR}",
        # The side of the requests
        "outage": "errors",
        "brackets": "",
        "cooldown": "store",
        "strict": "errors",
        "saving": f"notices rows {DOOR}",
        "migrating": ROWS,
        "sessions": f"saving outage migrating {ROWS}",
        "caches": f"brackets cooldown {ROWS}",
        "keepers": f"sessions caches casts {ROWS}",
        "manager": f"keepers sessions brackets {ROWS}",
        "__init__": f"manager keepers strict cooldown {ROWS}",
        # The side of the operators
        "ops": ROWS,
        "ops/cli": f"ops demo casts {ROWS}",  # the command line alone may start the demo
        # The demo is an application: it knocks at the face, and shows what stands in the table.
        "demo": f"__init__ {ROWS}",
        "__main__": "ops ops/cli errors",
        # The tests of other applications import it, and nothing of ours does.
        "testing": f"__init__ strict {ROWS}",
    }.items()
}
REQUEST_SIDE = (
    "__init__ manager keepers sessions saving outage migrating caches brackets cooldown"
    " strict".split()
)

LAW_LINES = range(2, 7)  # two to five by habit; one more before it breaks
MOST_LINES = 250
MOST_LINES_OF_A_FUNCTION = 40  # about 30 by habit; this is where it breaks
DRAWERS = frozenset("util utils helper helpers common base core service services".split())
LEFTOVERS = re.compile(r"\b(?:TODO|FIXME|NotImplementedError)\b")

#: AWS's names of one hump that stand as keys in requests and replies.
AWS_WORDS = frozenset(
    "Attributes Code Count Error Item Items Key Keys Limit Message Projection Responses Segment"
    " Select Table".split()
)
#: They print AWS's own documents.
DATA_OF_AWS = frozenset({"ops/templates.py", "ops/cloudformation.py"})
HUMPS = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Z][A-Za-z]*|[A-Z]{2,}[a-z][A-Za-z]*")
FACE = frozenset(
    "DynamoDBNamespaceManager StrictSession configure reset observe __version__".split()
)
UNLOADED = (
    "boto3 botocore click rich moto pytest cryptography beaker_dynamodb.ops beaker_dynamodb.demo"
    " beaker_dynamodb.testing beaker_dynamodb.keepers beaker_dynamodb.options"
    " beaker_dynamodb.sources beaker_dynamodb.store".split()
)


# The laws


def module_of(place: str) -> str:
    """Turn a place such as `item/keys.py` into the dotted name that is imported."""
    parts = [OURS, *place.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(place: str) -> str | None:
    """Find the room of a place: its own row of ROOMS, else its folder's; None if it has none."""
    parts = place.removesuffix(".py").removesuffix("/__init__").split("/")
    longest = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((room for room in longest if room in ROOMS), None)


def imports(place: str, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield line, module and name of each import, wherever it stands, relative ones resolved."""
    package = module_of(place)
    if not place.endswith("__init__.py"):
        package = package.rpartition(".")[0]

    def absolute(name: str, level: int) -> str:
        if level == 0:
            return name
        above = package.split(".")
        above = above[: len(above) - (level - 1)]
        return ".".join([*above, *([name] if name else [])])

    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name, None
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    yield node.lineno, absolute(module or "", level), alias.name
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as name), *_],
            ):
                level = len(name) - len(name.lstrip("."))
                yield node.lineno, absolute(name.lstrip("."), level), None


def is_under(module: str, top: str) -> bool:
    """Say whether a module is *top* or stands inside it."""
    return module == top or module.startswith(f"{top}.")


def stands_in(place: str, where: str) -> bool:
    """Say whether a place is a file of the table of walls, or in a folder of it ("" is all)."""
    return place == where or (not where.endswith(".py") and place.startswith(where))


def keeps_the_walls(place: str, text: str) -> Iterator[str]:
    """No place imports what its row of the table of walls forbids."""
    for wall in WALLS:
        if place in wall.but or not any(stands_in(place, where) for where in wall.places):
            continue
        for line, module, name in imports(place, text):
            full = f"{module}.{name}" if name else module
            for never in wall.never:
                if is_under(full, never):
                    yield f"line {line}: {place} imports {never}, but {wall.why}"


def target_of(module: str, name: str | None) -> str | None:
    """Find the room that an import of ours reaches; None for what is not ours.

    `from beaker_dynamodb import casts` reaches casts; `import configure` from there, the face.
    """
    if not is_under(module, OURS):
        return None
    inside = module.split(".")[1:]
    if not inside and (name is None or name in FACE or not name.islower()):
        return "__init__"
    parts = [*inside, *([name] if name else [])]
    longest = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((room for room in longest if room in ROOMS), parts[0])


def imports_downwards(place: str, text: str) -> Iterator[str]:
    """A room imports from its own and from those below it."""
    here = room_of(place)
    if here is None:
        yield f"line 1: {place} has no room; enter it in ROOMS, with what it may import"
        return
    for line, module, name in imports(place, text):
        there = target_of(module, name)
        if there is not None and there != here and there not in ROOMS[here]:
            yield f"line {line}: {here} imports {there}, which is not below it"


def opens_with_its_law(place: str, text: str) -> Iterator[str]:
    """A file opens with two to five lines: what lives here, and what may never come here."""
    law = ast.get_docstring(ast.parse(text)) or ""
    lines = sum(1 for line in law.splitlines() if line.strip())
    drawn = place == "errors.py" and lines >= LAW_LINES.start  # it draws the tree
    if lines not in LAW_LINES and not drawn:
        yield f"line 1: a law of {lines} lines"


def is_short(place: str, text: str) -> Iterator[str]:
    """A file has up to 250 lines, and a function up to 40."""
    if (lines := len(text.splitlines())) > MOST_LINES:
        yield f"line {lines}: {place} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def is_no_drawer(place: str, _text: str) -> Iterator[str]:
    """No file and no folder is named after nothing in particular."""
    for part in place.removesuffix(".py").split("/"):
        if part.strip("_") in DRAWERS:
            yield f"line 1: {part} is a drawer, not a room"


def is_of_aws(word: str, *, in_a_call: bool = False) -> bool:
    """Say whether a word is one of AWS's: a key of a request or a reply, or a parameter."""
    if word in FACE:
        return False
    return bool(HUMPS.fullmatch(word)) or word in AWS_WORDS or (in_a_call and word[:1].isupper())


def keys_and_parameters(text: str) -> Iterator[tuple[int, str, bool]]:
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


def leaves_camel_case_at_the_door(place: str, text: str) -> Iterator[str]:
    """AWS's names stay in store/; the templates of ops/ are data."""
    if place.startswith("store/") or place in DATA_OF_AWS:
        return
    for line, word, in_a_call in keys_and_parameters(text):
        if is_of_aws(word, in_a_call=in_a_call):
            yield f"line {line}: {word} is AWS's word"


def is_finished(place: str, text: str) -> Iterator[str]:
    """No line says that something is still to come."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := LEFTOVERS.search(line):
            yield f"line {number}: {found[0]} in {place}"


LAWS: tuple[Law, ...] = (
    keeps_the_walls,
    imports_downwards,
    opens_with_its_law,
    is_short,
    is_no_drawer,
    leaves_camel_case_at_the_door,
    is_finished,
)


# The house


def rooms_entered(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Draw the arrows from file to file: place -> the places that it imports."""
    places = {module_of(place): place for place in sources}
    arrows: dict[str, set[str]] = {place: set() for place in sources}
    for place, text in sources.items():
        for _, module, name in imports(place, text):
            target = places.get(f"{module}.{name}") or places.get(module)
            if target is not None and target != place:
                arrows[place].add(target)
    return arrows


def circle_in(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Find a circle among the arrows; the empty list is none."""
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def reached_from(start: Iterable[str], arrows: Mapping[str, Iterable[str]]) -> set[str]:
    """Follow the arrows to their ends, but not through the demo, which is an application."""
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        place = ahead.pop()
        if place not in found and room_of(place) != "demo":
            found.add(place)
            ahead += arrows[place]
    return found


def meetings(sources: Mapping[str, str]) -> list[str]:
    """Name the files in which the side of the requests reaches ops, or ops reaches that side."""
    arrows = rooms_entered(sources)
    requests = {place for place in sources if room_of(place) in REQUEST_SIDE}
    operators = {place for place in sources if place.startswith("ops/")}
    met = reached_from(requests, arrows) & operators | reached_from(operators, arrows) & requests
    return sorted(met)


SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}


@pytest.mark.parametrize("place", SOURCES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_file_keeps_every_law(law: Law, place: str) -> None:
    """Each file of the package keeps each law of the house."""
    assert list(law(place, SOURCES[place])) == []


def test_imports_draw_no_circle() -> None:
    """No file imports itself by way of others, imports inside functions and for types included."""
    assert circle_in(rooms_entered(SOURCES)) == []


def test_requests_and_operators_never_meet() -> None:
    """Nothing that serves a request reaches ops, and nothing in ops reaches what serves one."""
    assert meetings(SOURCES) == []


def test_the_rooms_themselves_draw_no_circle() -> None:
    """The table of rooms is a stair: no row lets two rooms import each other."""
    assert circle_in(ROOMS) == []
    assert set().union(*ROOMS.values()) <= set(ROOMS)


def python(statement: str) -> str:
    """Run a statement in a Python of its own, in the folder of the package; hand back its words."""
    done = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_an_import_loads_nothing_heavy() -> None:
    """`import beaker_dynamodb` loads neither AWS's SDK nor the operators' tools nor the demo.

    Beaker imports every installed backend at the first type it does not know, and boto3 has to
    come after gevent has patched what it patches.
    """
    before = "import sys; before = set(sys.modules); import beaker_dynamodb; "
    loaded = python(before + "print(*sorted(set(sys.modules) - before))").split()

    assert "beaker_dynamodb" in loaded
    assert [module for module in loaded if any(is_under(module, top) for top in UNLOADED)] == []


def test_the_face_is_what_the_design_names() -> None:
    """The package offers the manager, the session class, three verbs, its errors and no more."""
    words = python(
        "import beaker_dynamodb as face\n"
        "from beaker_dynamodb import errors\n"
        "print(*face.__all__)\n"
        "print(*errors.__all__)\n"
        "print(*(name for name in face.__all__ if not hasattr(face, name)))\n"
    )
    face, errors, missing = (line.split() for line in words.split("\n")[:3])

    assert len(face) == len(set(face))
    assert set(face) == FACE | set(errors)
    assert missing == []


# The proof that each law can fail


def offending_imports(wall: Wall, never: str) -> Iterator[tuple[str, str]]:
    """Write each way of importing what a wall forbids, at each place where it stands."""
    head, _, last = never.rpartition(".")
    for where in wall.places:
        place = where if where.endswith(".py") else f"{where}deep/offender.py"
        dots = "." * (place.count("/") + 1)
        yield place, f"import {never}\n"
        yield place, f"import {never}.inner as other\n"
        yield place, f"def load():\n    from {never} import something\n"
        yield place, f"if TYPE_CHECKING:\n    from {never} import Something\n"
        yield place, f"import importlib\nimportlib.import_module({never!r})\n"
        if head:
            yield place, f"from {head} import {last}\n"
            yield place, f"def load():\n    from {dots}{last} import something\n"
            yield place, f"from {dots} import {last}\n"


@pytest.mark.parametrize(
    ("place", "text", "wall"),
    [
        pytest.param(place, text, wall, id=f"{place}-{never}-{number}")
        for wall in WALLS
        for never in wall.never
        for number, (place, text) in enumerate(offending_imports(wall, never))
    ],
)
def test_each_wall_stops_what_it_forbids(place: str, text: str, wall: Wall) -> None:
    """Every row of the table catches every import it forbids, in every spelling."""
    assert any(wall.why in breach for breach in keeps_the_walls(place, text))


LONG_LINES = "x = 1\n" * MOST_LINES
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * MOST_LINES_OF_A_FUNCTION
OFFENDERS: tuple[tuple[Law, str, str], ...] = (
    (imports_downwards, "errors.py", "from beaker_dynamodb.options import Options\n"),
    (imports_downwards, "item/plan.py", "from ..store import table\n"),
    (imports_downwards, "item/plan.py", "from beaker_dynamodb import casts\n"),
    (imports_downwards, "store/table.py", "def f():\n    from beaker_dynamodb import sessions\n"),
    (imports_downwards, "store/client.py", "from beaker_dynamodb import __version__\n"),
    (imports_downwards, "store/client.py", "import beaker_dynamodb\n"),
    (imports_downwards, "outage.py", "from beaker_dynamodb import OptionError\n"),
    (imports_downwards, "outage.py", "from beaker_dynamodb.attic.chest import key\n"),
    (imports_downwards, "sessions.py", "if TYPE_CHECKING:\n    from .manager import Manager\n"),
    (imports_downwards, "sessions.py", "from .caches import get\n"),
    (imports_downwards, "ops/doctor.py", "from beaker_dynamodb.demo import server\n"),
    (imports_downwards, "strict.py", "from beaker_dynamodb.store.table import Table\n"),
    (imports_downwards, "attic.py", "x = 1\n"),
    (imports_downwards, "attic/chest.py", "x = 1\n"),
    (opens_with_its_law, "item/plan.py", "x = 1\n"),
    (opens_with_its_law, "item/plan.py", '"""One line."""\n'),
    (opens_with_its_law, "item/plan.py", '"""One line.\n\n\n"""\n'),
    (opens_with_its_law, "item/plan.py", '"""' + "A line.\n" * 7 + '"""\n'),
    (opens_with_its_law, "errors.py", '"""One line."""\n'),
    (is_short, "item/plan.py", LONG_LINES + "x = 1\n"),
    (is_short, "item/plan.py", LONG_FUNCTION),
    (is_short, "item/plan.py", "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    ")),
    (is_no_drawer, "utils.py", ""),
    (is_no_drawer, "item/_helpers.py", ""),
    (is_no_drawer, "core/plan.py", ""),
    (leaves_camel_case_at_the_door, "sessions.py", "call(TableName=t)\n"),
    (leaves_camel_case_at_the_door, "sessions.py", "call(Item=i)\n"),
    (leaves_camel_case_at_the_door, "item/record.py", "x = {'KeyConditionExpression': 1}\n"),
    (leaves_camel_case_at_the_door, "item/record.py", "x = {'Item': 1}\n"),
    (leaves_camel_case_at_the_door, "caches.py", "x = reply['ConsumedCapacity']\n"),
    (leaves_camel_case_at_the_door, "caches.py", "x = reply.get('Item')\n"),
    (leaves_camel_case_at_the_door, "ops/doctor.py", "x = 'LastEvaluatedKey' in reply\n"),
    (leaves_camel_case_at_the_door, "ops/doctor.py", "x = reply['SSEDescription']\n"),
    (
        leaves_camel_case_at_the_door,
        "ops/doctor.py",
        "match reply:\n    case {'TableStatus': status}:\n        x = status\n",
    ),
    (is_finished, "manager.py", "x = 1  # TODO: more\n"),
    (is_finished, "manager.py", "# FIXME\n"),
    (is_finished, "manager.py", "raise NotImplementedError\n"),
)


@pytest.mark.parametrize(("law", "place", "text"), OFFENDERS)
def test_each_law_catches_its_offender(law: Law, place: str, text: str) -> None:
    """A small text that breaks a law is caught by it, and the breach names a line."""
    breaches = list(law(place, text))

    assert breaches
    assert all(re.match(r"line \d+: ", breach) for breach in breaches)


def test_every_law_has_an_offender() -> None:
    """No law goes unproved: the walls have their own table, the others stand in OFFENDERS."""
    assert {law for law, _, _ in OFFENDERS} | {keeps_the_walls} == set(LAWS)


INNOCENTS: tuple[tuple[Law, str, str], ...] = (
    (keeps_the_walls, "store/client.py", "import boto3\nfrom botocore import exceptions\n"),
    (keeps_the_walls, "item/plan.py", "import timeit\nfrom beaker_dynamodb import optionality\n"),
    (keeps_the_walls, "item/plan.py", "from .time import fields\n"),
    (keeps_the_walls, "store/table.py", "from beaker_dynamodb.item.record import Record\n"),
    (imports_downwards, "store/table.py", "from ..item.record import Record\n"),
    (imports_downwards, "item/plan.py", "from .merge import merge\nimport json\n"),
    (
        imports_downwards,
        "ops/cli/table.py",
        "def demo():\n    from beaker_dynamodb.demo import serve\n",
    ),
    (imports_downwards, "ops/cli/table.py", "from beaker_dynamodb.ops import templates\n"),
    (imports_downwards, "demo/page.py", "import beaker_dynamodb\n"),
    (opens_with_its_law, "item/plan.py", '"""One line.\n\nAnd another.\n"""\n'),
    (opens_with_its_law, "errors.py", '"""' + "A branch.\n" * 20 + '"""\n'),
    (is_short, "item/plan.py", LONG_LINES),
    (is_short, "item/plan.py", LONG_FUNCTION.removesuffix("    x = 1\n")),
    (is_no_drawer, "item/envelope.py", ""),
    (leaves_camel_case_at_the_door, "store/table.py", "call(TableName=t)['Item']\n"),
    (leaves_camel_case_at_the_door, "ops/templates.py", "x = {'TableName': 1}\n"),
    (leaves_camel_case_at_the_door, "__init__.py", "x = {'StrictSession': 'strict'}\n"),
    (leaves_camel_case_at_the_door, "item/record.py", "x = {'S': 1, 'data': Record(id=2)}\n"),
    (is_finished, "manager.py", "TODOS = NotImplemented\n"),
)


@pytest.mark.parametrize(("law", "place", "text"), INNOCENTS)
def test_no_law_catches_the_innocent(law: Law, place: str, text: str) -> None:
    """What the design allows passes, close as it may come."""
    assert list(law(place, text)) == []


def test_a_circle_is_found() -> None:
    """A circle is found though an import inside a function opens it."""
    sources = {
        "item/plan.py": "from .merge import merge\n",
        "item/merge.py": "from . import codec\n",
        "item/codec.py": "def late():\n    from beaker_dynamodb.item.plan import plan\n",
    }

    assert set(circle_in(rooms_entered(sources))) == set(sources)


@pytest.mark.parametrize(
    "sources",
    [
        {"manager.py": "from .ops import doctor\n", "ops/doctor.py": ""},
        {"ops/doctor.py": "import beaker_dynamodb.sessions\n", "sessions.py": ""},
        {
            "__init__.py": "from .manager import M\n",
            "manager.py": "from .store import table\n",
            "store/table.py": "def late():\n    from ..ops.doctor import check\n",
            "ops/doctor.py": "",
        },
    ],
)
def test_a_meeting_is_found(sources: dict[str, str]) -> None:
    """A way from one side to the other is found, by however many files it leads."""
    assert meetings(sources)


def test_the_demo_is_no_meeting() -> None:
    """The command line may start the demo, and the demo is an application like any other."""
    sources = {
        "ops/cli/table.py": "from beaker_dynamodb.demo import serve\n",
        "demo/__init__.py": "import beaker_dynamodb\n",
        "__init__.py": "",
    }

    assert meetings(sources) == []
