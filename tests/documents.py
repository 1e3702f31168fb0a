"""Read a document: its code blocks with their marks, its links and its headings.

A mark is an HTML comment above a block, which readers do not see:

    <!-- not run: REASON -->    the block is not run, or its programs are not checked
    <!-- given: PYTHON -->      runs before the block: what the reader's application has already
    <!-- then: PYTHON -->       runs after the block, and checks what it did
    <!-- continued -->          the block continues in the namespace of the Python block before it
    <!-- file: NAME -->         the block is a file; all files of a document are in one folder
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DOCUMENTS: Final = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "examples/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
MARKS: Final = frozenset({"not run", "given", "then", "continued", "file"})
_FENCE = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMENTS = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)*\Z", re.DOTALL)
_COMMENT = re.compile(r"<!--\s*([a-z ]+?)\s*(?::\s*(.*?)\s*)?-->", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the marks above it."""

    document: Path
    line: int
    language: str
    text: str = field(repr=False)
    marks: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def read_blocks(document: Path) -> Iterator[Block]:
    """Yield the blocks of a document, in order."""
    text = document.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        above = _COMMENTS.search(text, 0, fence.start())
        comments = _COMMENT.findall(above[0] if above else "")
        marks: dict[str, str] = {}
        for name, words in comments:
            if name in MARKS:  # two marks of one name are two lines
                marks[name] = f"{marks[name]}\n{words}" if name in marks else words
        body = "".join(line.removeprefix(fence[1]) for line in fence[3].splitlines(keepends=True))
        yield Block(document, text.count("\n", 0, fence.start()) + 1, fence[2], body, marks)


def list_links(document: Path) -> list[str]:
    """Return the targets of a document's links and images, except web addresses."""
    found = _LINK.findall(_FENCE.sub("", document.read_text("utf-8")))
    return [link for link in found if "://" not in link]


def list_anchors(document: Path) -> set[str]:
    """Return the anchors of a document: its headings, as GitHub turns them into names."""
    named: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", document.read_text("utf-8"))):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 1
        unique = name
        while unique in named:
            unique, number = f"{name}-{number}", number + 1
        named.add(unique)
    return named


def is_broken(document: Path, link: str) -> bool:
    """Return whether a link names a file or a heading that does not exist."""
    place, _, anchor = link.partition("#")
    target = document.parent / place if place else document
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in list_anchors(target)
