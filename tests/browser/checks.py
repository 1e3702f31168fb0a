"""What is measured at a page: its width, its targets, and what axe-core finds.

axe-core is fetched once, like DynamoDB Local, and evaluated in the page. The page's own policy
allows no script, and that stays so: the browser's debugger puts it there.
"""

from __future__ import annotations

import functools
from typing import Any, Final, Literal

from playwright.sync_api import Page

from tests.downloads import downloaded

AXE = "axe-core@4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
#: What a finding must not be.
GRAVE: Final = frozenset({"serious", "critical"})
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

_AUDIT = """async () => (await axe.run()).violations.map(found => [
    found.impact, found.id, found.nodes.map(node => node.html.slice(0, 200)).join(" | ")])"""
#: Whatever sticks out to the right, or is too small for a finger (WCAG 2.2, 2.5.8: 24 pixels).
_MISFITS = """() => [...document.querySelectorAll("body *")].flatMap(element => {
    const box = element.getBoundingClientRect();
    const target = element.matches("button, input:not([type=hidden]), summary, nav a, .button");
    const small = target && (box.height < 24 || box.width < 24);
    const out = box.width > 1 && box.right > innerWidth && !element.closest("pre");
    return small || out ? [element.outerHTML.slice(0, 120)] : [];
})"""


@functools.cache
def _axe() -> str:
    return (downloaded(AXE, AXE_SHA256) / "axe.min.js").read_text("utf-8")


def grave_findings(page: Page) -> list[Any]:
    """List what axe-core calls serious or critical, in light and in dark."""
    page.evaluate(_axe())
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [(scheme, *one) for one in page.evaluate(_AUDIT) if one[0] in GRAVE]
    return found


def misfits(page: Page) -> list[str]:
    """List what does not fit the window, or no finger."""
    found: list[str] = page.evaluate(_MISFITS)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("the page scrolls sideways")
    return found
