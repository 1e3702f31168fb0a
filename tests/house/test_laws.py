"""Each law of the house catches its offender, and nobody who is innocent."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.house.arrows import circle_in, meetings, rooms_entered
from tests.house.laws import (
    LAWS,
    Law,
    imports_downwards,
    is_finished,
    is_no_drawer,
    is_short,
    keeps_the_walls,
    leaves_camel_case_at_the_door,
    opens_with_its_law,
)
from tests.house.walls import MOST_LINES, MOST_LINES_OF_A_FUNCTION, WALLS, Wall


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
