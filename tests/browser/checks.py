"""Measure a page: its width, the size of its controls, and what axe-core finds.

axe-core is downloaded once, like DynamoDB Local, and evaluated in the page by the browser's
debugger, because the page's own policy permits no script.
"""

from __future__ import annotations

import functools
from typing import Any, Final, Literal

from playwright.sync_api import Page

from tests.downloads import download

AXE = "axe-core@4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
#: The impacts of violations that fail a test.
SERIOUS: Final = frozenset({"serious", "critical"})
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

_AUDIT = """async () => (await axe.run()).violations.map(found => [
    found.impact, found.id, found.nodes.map(node => node.html.slice(0, 200)).join(" | ")])"""
_OUTSIDE = """width => [...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.right > width && !element.closest("pre");
}).map(element => element.outerHTML.slice(0, 120))"""
#: Controls that are too small for a finger (WCAG 2.2, 2.5.8: 24 pixels, except links in a text).
_SMALL = """() => [...document.querySelectorAll("button, input, summary, nav a, .button")]
    .filter(element => element.type !== "hidden" && element.getClientRects().length)
    .filter(element => element.offsetHeight < 24 || element.offsetWidth < 24)
    .map(element => element.outerHTML.slice(0, 120))"""


@functools.cache
def _axe() -> str:
    return (download(AXE, AXE_SHA256) / "axe.min.js").read_text("utf-8")


def find_serious_violations(page: Page) -> list[Any]:
    """Return the serious and critical violations that axe-core finds, in light and in dark."""
    page.evaluate(_axe())
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [(scheme, *one) for one in page.evaluate(_AUDIT) if one[0] in SERIOUS]
    return found


def find_overflow(page: Page) -> list[str]:
    """Return the elements that extend beyond the right edge of the window."""
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    found: list[str] = page.evaluate(_OUTSIDE, width)
    if page.evaluate("width => document.documentElement.scrollWidth > width", width):
        found.append("the page scrolls sideways")
    return found


def find_small_targets(page: Page) -> list[str]:
    """Return the controls that are too small for a finger."""
    found: list[str] = page.evaluate(_SMALL)
    return found
