"""What the extras install: `embedded`, the first that a newcomer installs, stays small."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from tests.documents import ROOT
from tests.test_metadata import build_metadata, copy_tracked

__all__ = ["build_metadata"]

MAX_PACKAGES: Final = 34
MAX_MB: Final = 150
#: A venv brings them, whatever is installed into it.
INSTALLERS: Final = frozenset({"pip", "setuptools"})

#: Saves a session in the embedded server, and loads it.
SAVE_AND_LOAD: Final = """
from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.dynamodb import embedded

def create():
    return DynamoDBNamespaceManager("abc", digest_filenames=False, endpoint_url="embedded")

create()["session"] = "text"
print(create()["session"])
embedded.stop()
"""


def read_extras(requirements: list[str]) -> dict[str, list[Requirement]]:
    """Return the requirements of each extra; those of the package itself under the name ""."""
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, requirements):
        extra = re.search(r'extra == "(\w+)"', str(requirement.marker or ""))
        found.setdefault(extra[1] if extra else "", []).append(requirement)
    return found


def find_installed(
    requirements: list[Requirement], extra: str = "", found: dict[str, Distribution] | None = None
) -> dict[str, Distribution]:
    """Return the installed distributions that meet *requirements*, and what they need in turn."""
    found = {} if found is None else found
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        one = distribution(requirement.name)
        name = one.metadata["Name"].lower()
        is_known, found[name] = name in found, one
        needed = [Requirement(text) for text in one.requires or []]
        for wanted in requirement.extras:
            find_installed(needed, wanted, found)
        if not is_known:
            find_installed(needed, "", found)
    return found


def list_files(one: Distribution) -> Iterator[Path]:
    """Yield the installed files of a distribution."""
    for file in one.files or []:
        path = Path(str(file.locate()))
        if path.is_file():
            yield path


@pytest.fixture(scope="module", name="extras")
def get_extras(metadata: Message) -> dict[str, list[Requirement]]:
    """Return what each extra requires, from the package's metadata."""
    return read_extras(metadata.get_all("Requires-Dist", []))


def test_a_newcomer_does_not_install_all_of_moto(extras: dict[str, list[Requirement]]) -> None:
    """`embedded` is at most 34 packages and 150 MB of files, the package's own needs included.

    They are counted as they are installed here; the test below installs them.
    """
    wanted = [Requirement(str(one).partition(";")[0]) for one in extras[""] + extras["embedded"]]
    found = find_installed(wanted)
    size = sum(path.stat().st_size for one in found.values() for path in list_files(one))

    assert {(one.name, *one.extras) for one in extras["embedded"]} == {
        ("moto", "dynamodb"),
        ("flask",),
        ("flask-cors",),
    }
    assert {"beaker", "botocore", "moto", "werkzeug", "docker"} <= found.keys()
    assert len(found) <= MAX_PACKAGES
    assert size < MAX_MB * 1_000_000


def test_every_extra_is_documented(extras: dict[str, list[Requirement]]) -> None:
    """Getting started has a table with a row for each extra."""
    text = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    assert set(rows) == extras.keys() - {""}


def test_the_extra_of_tests_has_what_the_fixtures_import(
    extras: dict[str, list[Requirement]],
) -> None:
    """`testing` is pytest and the embedded server, and `all` does not bring pytest to a server."""
    names = {extra: {one.name for one in wanted} for extra, wanted in extras.items()}

    assert names["testing"] == names["embedded"] | {"pytest"}
    others = [wanted for extra, wanted in names.items() if extra not in {"", "all", "testing"}]
    assert names["all"] == set().union(*others)


@pytest.mark.long
def test_the_extra_is_enough_for_a_session(tmp_path: Path) -> None:
    """In a venv of nothing else, `embedded` saves and loads a session, and is as small."""
    python = str(tmp_path / "venv" / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(tmp_path / "venv")],
        [python, "-m", "pip", "install", "-q", f"{copy_tracked(tmp_path / 'copy')}[embedded]"],
    ):
        subprocess.run(command, check=True, timeout=600)
    done = subprocess.run(
        [python, "-c", SAVE_AND_LOAD],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    packages = {path.name.partition("-")[0] for path in site.glob("*.dist-info")}
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())

    assert (done.stdout, done.returncode) == ("text\n", 0)
    assert len(packages - INSTALLERS) <= MAX_PACKAGES + 1  # and the package itself
    assert size < MAX_MB * 1_000_000
