"""What PyPI shows of the package: description and links work without the repository's files."""

from __future__ import annotations

import re
import subprocess
import sys
from email import message_from_string
from email.message import Message
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
