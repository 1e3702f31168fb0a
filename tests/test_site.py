"""The documentation site builds without a warning, is whole, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

import beaker_dynamodb
from tests.documents import ROOT

pytest.importorskip("mkdocs", reason="docs/requirements.txt is not installed")

#: The documents that are not in docs/.
MOVED: Final = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"),
    *("examples/README.md", "benchmarks/README.md"),
)
#: The attributes by which a page loads a file; a link to another site loads nothing.
LOADING: Final = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
_CSS_URL = re.compile(r"url\(\s*[\"']?([^)\"']+)|@import\s+[\"']([^\"']+)")


class Page(HTMLParser):
    """What one page loads, where it links to, and which anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the addresses and the anchor of a tag."""
        named = dict(attrs)
        self.loaded += [value for value in [named.get(LOADING.get(tag, ""))] if value]
        self.links += [value for value in [named.get("href")] if tag == "a" and value]
        self.anchors.add(named.get("id") or "")


def build(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout into a folder, as CI does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module", name="site")
def build_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a warning fails the build."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def is_elsewhere(address: str) -> bool:
    """Return whether an address is on another server."""
    return bool(urlsplit(address).netloc)


def list_loaded(site: Path) -> Iterator[tuple[str, str]]:
    """Yield each file that a page or style sheet of the site loads, with who loads it."""
    for path in site.rglob("*.html"):
        yield from ((path.name, address) for address in Page(path).loaded)
    for path in site.rglob("*.css"):
        for found in _CSS_URL.finditer(path.read_text("utf-8")):
            yield path.name, found[1] or found[2]


def test_a_reader_is_seen_by_no_other_server(site: Path) -> None:
    """No page loads a font, script, style or picture from elsewhere, also not by Material's script.

    The script loads Mermaid for a diagram, and asks GitHub about the repository that a page names.
    """
    pages = [path.read_text("utf-8") for path in site.rglob("*.html")]

    assert [loaded for loaded in list_loaded(site) if is_elsewhere(loaded[1])] == []
    assert not any('class="mermaid"' in page for page in pages)
    assert not any('data-md-component="source"' in page for page in pages)


def is_dead(path: Path, link: str, site: Path, pages: dict[Path, Page]) -> bool:
    """Return whether a link within the site leads to no file, or to no anchor of its page."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.exists() or not target.is_relative_to(site):
        return True
    return bool(parts.fragment) and unquote(parts.fragment) not in pages[target].anchors


def test_no_link_of_the_site_is_dead(site: Path) -> None:
    """Every link within the site leads to a page, and every anchor to a place on it."""
    root = site.resolve()
    pages = {path: Page(path) for path in root.rglob("*.html")}
    dead = {
        f"{path.name}: {link}"
        for path, page in pages.items()
        if path.name != "404.html"  # its addresses begin at the root of the server
        for link in page.links
        if is_dead(path, link, root, pages)
    }

    assert len(pages) > 30
    assert dead == set()


def test_a_link_out_of_the_documents_leads_to_a_file_of_the_repository(site: Path) -> None:
    """A link to an example, for instance, is on the site one to the repository, at a real path."""
    repository = re.search(r'^REPOSITORY = "(.+)"$', (ROOT / "setup.py").read_text(), re.MULTILINE)
    assert repository is not None
    prefix = f"https://github.com/{repository[1]}/"
    links = {link for path in site.rglob("*.html") for link in Page(path).links}
    paths = {link.removeprefix(prefix).split("/", 2)[2] for link in links if "/main/" in link}

    assert "examples/beaker_flask.py" in paths
    assert [path for path in paths if not (ROOT / path.partition("#")[0]).exists()] == []


def test_marks_of_the_tests_are_not_published(site: Path) -> None:
    """No comment of a document is in the site's pages."""
    pages = [path.read_text("utf-8") for path in site.rglob("*.html")]

    assert not any(
        re.search(r"<!-- (given|then|file|not run|continued|/?\w+ -->)", p) for p in pages
    )


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """The page on the Python API describes each public name, and what errors and events hold."""
    anchors = Page(site / "api.html").anchors
    names = {f"beaker_dynamodb.{name}" for name in beaker_dynamodb.__all__} - {
        "beaker_dynamodb.__version__"
    }
    attributes = {
        f"beaker_dynamodb.{name}"
        for name in (
            *("Call.outcome", "Saved.plan", "CallFacts.code", "DynamoDBBackendError.call"),
            *("ItemTooLarge.limit", "CorruptItem.wrong", "Conflict.theirs", "UserSession.handle"),
            *("UserSessions.end_others", "StrictSession.delete"),
        )
    }
    fixtures = {f"beaker_dynamodb.testing.{name}" for name in ("embedded_dynamodb", "later")}

    assert (names | attributes | fixtures) - anchors == set()


def test_a_block_in_a_list_is_shown_as_code(site: Path) -> None:
    """Two or three spaces continue a list on GitHub; the site shows the same blocks."""
    assert [path.name for path in site.rglob("*.html") if "<p>```" in path.read_text("utf-8")] == []
    page = (site / "managing-sessions.html").read_text("utf-8")
    (steps,) = re.findall(r"<ol>.*?</ol>", page, re.DOTALL)
    assert steps.count("<code>") >= 3


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    """The build is strict and publishes no page with a warning; with `--quiet` it would."""
    copy = tmp_path / "copy"
    for name in ("docs", "beaker_dynamodb"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("mkdocs.yml", "setup.py", *MOVED):
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    with (copy / "docs" / "faq.md").open("a", encoding="utf-8") as page:
        page.write("\n[Nowhere](options.md#nowhere)\n")
    done = build(copy, tmp_path / "site")

    assert done.returncode != 0
    assert "'options.md#nowhere'" in done.stderr
