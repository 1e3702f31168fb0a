"""Hooks of `mkdocs build`: add the repository's other pages to the site, and translate documents.

Every document is written for GitHub. There a link is relative to the document's place in the
repository; on the site a link to a page leads to that page, and a link to any other file leads to
the repository.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
#: The documents that are not in docs/, or have another name on the site, and their pages.
MOVED: Final = {
    "README.md": "index.md",
    "docs/README.md": "manual.md",
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
}
_DOCUMENTS: Final = {page: document for document, page in MOVED.items()}
_REPOSITORY: Final = re.compile(r'^REPOSITORY = "([^"]+)"$', re.MULTILINE)
#: A block of code, which is shown as it is, except for its indentation in a list.
_BLOCK: Final = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
#: Marks for the tests and the printer of the documents; and parts that are for GitHub only.
_COMMENT: Final = re.compile(
    r"<!-- github -->.*?<!-- /github -->\n?|<!--.*?-->[ \t]*\n?", re.DOTALL
)
_LINK: Final = re.compile(r"(\]\()(?!\w+:|#)([^)\s#]+)(?=[#)\s])")
#: Two or three spaces continue an item of a list on GitHub; Python-Markdown needs four.
_CONTINUATION: Final = re.compile(r"^ {2,3}(?=\S)", re.MULTILINE)


def read_repository() -> str:
    """Return the address of the repository, which only `setup.py` names."""
    found = _REPOSITORY.search((ROOT / "setup.py").read_text("utf-8"))
    if found is None:
        raise SystemExit("setup.py does not name the repository")
    return f"https://github.com/{found[1]}"


def translate_link(target: str, page: str) -> str:
    """Return where a relative link of a document leads on the site, seen from its page."""
    folder = posixpath.dirname(_DOCUMENTS.get(page, f"docs/{page}"))
    path = posixpath.normpath(posixpath.join(folder, target))
    place = MOVED.get(path)
    if place is None and path.startswith("docs/") and not path.endswith(".py"):
        place = path.removeprefix("docs/")
    if place is not None:
        return posixpath.relpath(place, posixpath.dirname(page) or ".")
    return f"{read_repository()}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"


def translate(text: str, page: str) -> str:
    """Return the text of a document as its page on the site needs it."""

    def replace_link(link: re.Match[str]) -> str:
        return f"{link[1]}{translate_link(link[2], page)}"

    parts = _BLOCK.split(_COMMENT.sub("", text))
    for at, part in enumerate(parts):
        if at % 2:
            indent = "    " if part.startswith(("  `", "   `")) else ""
            width = len(part) - len(part.lstrip())
            parts[at] = "\n".join(indent + line[width:] for line in part.split("\n"))
        else:
            parts[at] = _LINK.sub(replace_link, _CONTINUATION.sub("    ", part))
    return "".join(parts)


def on_config(config: MkDocsConfig) -> None:
    """Link the repository at the foot of each page."""
    link = {"icon": "fontawesome/brands/github", "link": read_repository(), "name": "Source code"}
    config.extra["social"] = [link]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the documents that are not in docs/, or have another name on the site."""
    for document, page in MOVED.items():
        text = (ROOT / document).read_text("utf-8")
        files.append(File.generated(config, page, content=text))


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Translate a document when its page is built."""
    return translate(markdown, page.file.src_uri)
