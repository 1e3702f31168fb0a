"""The house of the package, checked over its syntax trees: walls, floors, sizes, words.

The tables and laws stand in tests/house, where each law is also seen to fail.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.arrows import circle_in, meetings, rooms_entered
from tests.house.laws import LAWS, Law, is_under
from tests.house.walls import FACE, PACKAGE, ROOMS, ROOT, UNLOADED

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
