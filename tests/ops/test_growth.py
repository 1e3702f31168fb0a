"""The mistakes of a large ini file are found in time that grows with its lines, not faster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from beaker_dynamodb.ops.application import find_mistakes
from beaker_dynamodb.settings.check import Mistake
from beaker_dynamodb.settings.ini import find_places
from tests.growth import assert_linear

pytestmark = pytest.mark.no_cover  # the tests of each module cover the branches

#: What a file of *n* lines may hold, however wrong: one shape for each way to be wrong.
SHAPES: dict[str, Callable[[int], str]] = {
    "misspelled names": lambda n: "".join(f"session.max_value_sizes{i} = x\n" for i in range(n)),
    "names of nobody": lambda n: (
        "".join(f"session.zzzzzzzzzz{i} = x\n" for i in range(n))
        + "session.ttl = soon\nsession.touch_after = later\nsession.hash_key = data\n"
    ),
    "options of an old backend with a comment": lambda n: (
        "session.migrate_from = file\n"
        + "".join(f"session.migrate_from.data_dir{i} = /a  # old\n" for i in range(n))
    ),
    "options of an old backend without one": lambda n: "".join(
        f"session.migrate_from.data_dir{i} = /a\n" for i in range(n)
    ),
    "one long url": lambda n: (
        "session.ttl = soon\nsession.url = dynamodb://eu-west-1/shop?"
        + "&".join(f"zzzzzzzzzz{i}=x" for i in range(n))
        + "\n"
    ),
    "one long value": lambda n: f"session.special_keys = {'a:X ' * n}\nsession.ttl = soon\n",
}


def list_mistakes(path: Path, lines: str) -> list[Mistake]:
    """Write a file of an application and return its mistakes."""
    path.write_text(f"[app:main]\nsession.type = ext:dynamodb\n{lines}")
    return list(find_mistakes(str(path)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_of_many_wrong_lines_is_checked_in_one_pass(shape: str, tmp_path: Path) -> None:
    """Thousands of wrong lines are reported in seconds, each with its own message."""

    def make(size: int) -> Callable[[], object]:
        lines = SHAPES[shape](size)
        return lambda: list_mistakes(tmp_path / "app.ini", lines)

    assert_linear(make, 100)


def test_the_lines_of_many_settings_are_found_in_one_pass(tmp_path: Path) -> None:
    """`check()` looks up in the file where each of its settings is set."""
    path = tmp_path / "app.ini"

    def make(size: int) -> Callable[[], object]:
        settings = {f"session.note{i}": str(i) for i in range(size)}
        path.write_text("[app:main]\n" + "".join(f"{n} = {v}\n" for n, v in settings.items()))
        return lambda: find_places({**settings, "__file__": str(path)})

    assert_linear(make, 300)


def test_wrong_lines_of_every_kind_are_reported_together(tmp_path: Path) -> None:
    """What is wrong alone, what contradicts another option, and what Beaker refuses."""
    found = list_mistakes(
        tmp_path / "app.ini",
        "session.max_value_sizes1 = x\n"
        "session.max_value_sizes2 = x\n"
        "session.zzzzzzzzzz = x\n"
        "session.migrate_from.data_dir = /a\n"
        "session.migrate_from.lock_dir = /a  # old\n"
        "session.migrate_from.url = /a\n"
        "session.ttl = soon\n"
        "session.hash_key = data\n"
        "session.timeout = 1h\n",
    )

    assert [one.name.removeprefix("session.") for one in found] == [
        "max_value_sizes1",
        "max_value_sizes2",
        "migrate_from.lock_dir",
        "ttl",
        "migrate_from.data_dir",  # the other one has no effect without migrate_from, too
        "hash_key",
        "timeout",
    ]
    assert "has no effect without 'migrate_from'" in found[4].message
