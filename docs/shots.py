"""Takes README's pictures of the demo: `python docs/shots.py` writes them into docs/figures/.

They show the real demo in Debian's chromium, as `python -m examples.demo` serves it; for the
picture of an outage its button breaks the store. `--all` names a folder for every width in light
and dark instead, to look at.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

FIGURES = Path(__file__).parent / "figures"
WORDS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
WIDTHS: Final = (360, 768, 1280)


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """Serve the demo on a free port; give its address."""
    command = [sys.executable, "-m", "examples.demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # ours
    try:
        assert process.stdout is not None  # noqa: S101  # for mypy
        told = re.search(r"http://\S+/", process.stdout.readline())
        if told is None:
            raise SystemExit("the demo did not start")
        yield told[0]
    finally:
        process.terminate()
        process.communicate()


def log_in(page: Page, url: str) -> None:
    """Log in at Bottle, put two things on the list, and look at them at Pyramid."""
    page.goto(f"{url}bottle/")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Log in").click()
    for thing in ("tea", "biscuits"):
        page.get_by_label("What do you need?").fill(thing)
        page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="Pyramid").click()


def shoot(browser: Browser, url: str, path: Path, scheme: str, size: tuple[int, int]) -> None:
    """Take one picture; a height of 0 is the whole page."""
    width, height = size
    window = {"width": width, "height": height or 900}
    context = browser.new_context(viewport=window, color_scheme=scheme)
    page = context.new_page()
    log_in(page, url)
    if "outage" in path.name:
        page.get_by_role("button", name="Refuse").click()
    if "overlap" in path.name:
        page.get_by_role("button", name="Send both requests").click()
        page.locator("summary").click()
    page.screenshot(path=path, full_page=not height)
    if "outage" in path.name:
        page.locator("#after").wait_for()  # the next picture needs the store
    context.close()
    print(f"{path}: {path.stat().st_size:,} bytes")  # noqa: T201  # what was asked for


def main() -> None:
    """Take README's two pictures, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, help="a folder for every width, light and dark")
    folder = parser.parse_args().all
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=WORDS) as browser,
        demo() as url,
    ):
        if folder is None:
            shoot(browser, url, FIGURES / "demo.png", "light", (1100, 830))
            shoot(browser, url, FIGURES / "demo_outage.png", "dark", (768, 398))
            return
        folder.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                for name in ("page", "overlap", "outage"):
                    picture = folder / f"{name}-{scheme}-{width}.png"
                    shoot(browser, url, picture, scheme, (width, 0))


if __name__ == "__main__":
    main()
