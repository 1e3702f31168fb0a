"""Templates to text: what is not marked as HTML is escaped, without exception.

The parts stand in page.html, so that no HTML is written in Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Final

_PART: Final = re.compile(r"^<!-- part: ([a-z-]+) -->\n", re.MULTILINE)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def asset(name: str) -> str:
    """Read a file of the demo."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _parts() -> dict[str, Template]:
    _, *found = _PART.split(asset("page.html"))
    pairs = zip(found[::2], found[1::2], strict=True)
    return {name: Template(text.strip()) for name, text in pairs}


def fill(part: str, **values: object) -> Html:
    """Fill a part of page.html: every value is escaped, but those that are `Html`."""
    safe = {n: v if isinstance(v, Html) else escape(str(v)) for n, v in values.items()}
    return Html(_parts()[part].substitute(safe))


def join(fragments: Iterable[Html]) -> Html:
    """Put fragments one below the other."""
    return Html("\n".join(fragments))
