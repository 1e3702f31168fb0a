"""Templates: parts of page.html, filled in with values.

Every value is escaped, unless it is `Markup` already. All HTML is in page.html, none in Python.
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


class Markup(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def read_asset(name: str) -> str:
    """Return the text of a file in the demo's folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _load_parts() -> dict[str, Template]:
    _, *found = _PART.split(read_asset("page.html"))
    pairs = zip(found[::2], found[1::2], strict=True)
    return {name: Template(text.strip()) for name, text in pairs}


def render(part: str, **values: object) -> Markup:
    """Fill in a part of page.html. Every value is escaped, except for `Markup`."""
    safe = {n: v if isinstance(v, Markup) else escape(str(v)) for n, v in values.items()}
    return Markup(_load_parts()[part].substitute(safe))


def join(fragments: Iterable[Markup]) -> Markup:
    """Join fragments, each on a line of its own."""
    return Markup("\n".join(fragments))
