"""What PyPI shows of the package: description and links work without the repository's files."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Final

import pytest

from tests.documents import ROOT, is_broken

LINK: Final = re.compile(r"(!?)\[[^]]*\]\(([^)\s]+)\)")
#: Where the pages and the pictures of the repository are, with its owner, name and branch or tag.
PAGE: Final = re.compile(r"https://github\.com/([\w-]+/[\w-]+)/blob/([\w.]+)/(\w.*)")
PICTURE: Final = re.compile(r"https://raw\.githubusercontent\.com/([\w-]+/[\w-]+)/([\w.]+)/(\w.*)")


@pytest.fixture(scope="module", name="metadata")
def build_metadata(tmp_path_factory: pytest.TempPathFactory) -> Message:
    """Have setuptools write the package's metadata, as for PyPI, into a folder of its own."""
    folder = tmp_path_factory.mktemp("metadata")
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    (file,) = folder.glob("*.egg-info/PKG-INFO")
    return message_from_string(file.read_text("utf-8"))


def test_every_link_of_the_description_leads_into_the_repository(metadata: Message) -> None:
    """No link or picture is relative, and what each one names exists, headings included."""
    found = LINK.findall(str(metadata.get_payload()))
    pages = [link for mark, link in found if not mark and "beaker.readthedocs" not in link]
    pictures = [link for mark, link in found if mark]
    matches = [PAGE.fullmatch(link) for link in pages] + [PICTURE.fullmatch(x) for x in pictures]

    assert len(pages) > 20
    assert len(pictures) == 3
    assert None not in matches
    places = [match.groups() for match in matches if match]
    assert len({(repository, revision) for repository, revision, _ in places}) == 1
    assert [path for *_, path in places if is_broken(ROOT / "README.md", path)] == []


def test_the_description_is_readme(metadata: Message) -> None:
    """Only the targets of links differ: what README says is what PyPI shows."""
    described, readme = (
        LINK.sub("LINK", text).strip()
        for text in (str(metadata.get_payload()), (ROOT / "README.md").read_text("utf-8"))
    )

    assert described == readme
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_a_visitor_of_pypi_finds_the_project(metadata: Message) -> None:
    """The metadata has a home page, and links to documents, source, issues and changes."""
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL", []))

    assert urls.keys() == {"Documentation", "Source", "Issues", "Changelog"}
    assert all(url.startswith(metadata["Home-page"]) for url in urls.values())


def test_a_visitor_of_pypi_finds_the_license_and_the_frameworks(metadata: Message) -> None:
    """The license is an expression, which tools read, and each framework has its classifier."""
    classifiers = metadata.get_all("Classifier", [])

    assert metadata["License-Expression"] == "MIT"
    assert [name for name in classifiers if name.startswith("License")] == []
    frameworks = [name for name in classifiers if name.startswith("Framework")]
    named = ["Bottle", "Flask", "Pyramid", "TurboGears"]
    assert frameworks == [f"Framework :: {name}" for name in named]


def test_the_source_archive_is_the_repository(tmp_path: Path) -> None:
    """It has every tracked file but those of GitHub and git, and otherwise only metadata."""
    own = "beaker_dynamodb.egg-info"
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "-e", str(tmp_path), "sdist", "-d", "."],
        cwd=copy_tracked(tmp_path / "copy"),
        check=True,
        capture_output=True,
        timeout=120,
    )
    (archive,) = (tmp_path / "copy").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        files = {file.name.partition("/")[2] for file in opened.getmembers() if file.isfile()}
    made = {file for file in files if file in {"PKG-INFO", "setup.cfg"} or own in file}
    tracked = {file for file in list_tracked() if not file.startswith((".git", ".pre-commit"))}

    assert files - made == tracked


def list_tracked() -> list[str]:
    """Return the names of the repository's files, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def copy_tracked(folder: Path) -> Path:
    """Copy the repository's files into *folder*, with junk of the kinds that work leaves there."""
    for name in list_tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    for name in (
        "tests/__pycache__/x.cpython-311.pyc",
        ".cache/x",
        "build/lib/x",
        "docs/.DS_Store",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_one_place_names_the_repository(metadata: Message) -> None:
    """Another owner or name is a change of one line of `setup.py`, and of one link.

    GitHub reads the link of the issue forms as it is; tests/test_habits.py compares it.
    """
    repository = str(metadata["Home-page"]).removeprefix("https://github.com/")
    tracked = subprocess.run(
        ["git", "grep", "-lF", repository], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert tracked.stdout.split() == [".github/ISSUE_TEMPLATE/config.yml", "setup.py"]
    assert (ROOT / "setup.py").read_text("utf-8").count(repository) == 1


def test_the_changelog_has_the_version_that_is_built(metadata: Message) -> None:
    """Its first heading names the version, so that a release cannot be built without an entry."""
    (first, *_) = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert metadata["Version"] == first
