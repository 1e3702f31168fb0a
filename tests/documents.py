"""What stands in a document: blocks of code with their marks, links, headings.

A mark is an HTML comment above a block, so that no reader sees it:

    <!-- not run: REASON -->    it is shown, and what cannot be tried of it is not
    <!-- given: PYTHON -->      runs before the block: what the reader's application has already
    <!-- then: PYTHON -->       runs after it, and checks what it has done
    <!-- continued -->          it goes on in the namespace of the Python block before it
    <!-- file: NAME -->         it is a file; all files of a document stand in one folder
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
    for pattern in ("README.md", "docs/*.md", "examples/*.md", "benchmarks/*.md")
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
    """A fenced block: what it is written in, its text, and the marks above it."""

    document: Path
    line: int
    language: str
    text: str = field(repr=False)
    marks: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks(document: Path) -> Iterator[Block]:
    """Yield the blocks of a document, in order."""
    text = document.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        above = _COMMENTS.search(text, 0, fence.start())
        said = _COMMENT.findall(above[0] if above else "")
        marks: dict[str, str] = {}
        for name, words in said:
            if name in MARKS:  # two of a kind are two lines
                marks[name] = f"{marks[name]}\n{words}" if name in marks else words
        body = "".join(line.removeprefix(fence[1]) for line in fence[3].splitlines(keepends=True))
        yield Block(document, text.count("\n", 0, fence.start()) + 1, fence[2], body, marks)


def links(document: Path) -> list[str]:
    """Return where the links and images of a document lead, those into the web left out."""
    found = _LINK.findall(_FENCE.sub("", document.read_text("utf-8")))
    return [link for link in found if "://" not in link]


def anchors(document: Path) -> set[str]:
    """Return what can stand after a `#`: the headings as GitHub turns them into names."""
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


def leads_nowhere(document: Path, link: str) -> bool:
    """Say whether a link names a file that is not there, or a heading that no document has."""
    place, _, anchor = link.partition("#")
    target = document.parent / place if place else document
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target)
