"""A visitor who uses a page by mouse and keyboard, and whose console messages are recorded.

A visitor is one browser context: its tabs share their cookies with each other only.
"""

from __future__ import annotations

import re
from typing import Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

#: Milliseconds to wait for a page; long, so that a busy machine causes no failure.
TIMEOUT_MS: Final = 20_000


class Visitor:
    """One person's browser. `messages` are the errors and warnings of its console."""

    def __init__(
        self,
        browser: Browser,
        *,
        width: int = 1280,
        height: int = 900,
        mobile: bool = False,
        user_agent: str | None = None,
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            is_mobile=mobile,
            ignore_https_errors=True,
            user_agent=user_agent,
        )
        self.context.set_default_timeout(TIMEOUT_MS)
        self.messages: list[str] = []
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.messages.append(str(error.error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        # The examples have no icon, and a browser requests one from every site.
        is_of_icon = message.location["url"].endswith("/favicon.ico")
        if message.type in {"error", "warning"} and not is_of_icon:
            self.messages.append(message.text)

    def tab(self, url: str) -> Page:
        """Open a URL in a new tab."""
        page = self.context.new_page()
        page.goto(url)
        return page

    def cookie(self) -> dict[str, object]:
        """Return the browser's only cookie."""
        (cookie,) = self.context.cookies()
        return dict(cookie)

    def copy_cookie(self, other: Visitor) -> None:
        """Copy another visitor's cookie, as a thief would."""
        (theirs,) = other.context.cookies()
        self.context.add_cookies(
            [
                {
                    "name": theirs["name"],
                    "value": theirs["value"],
                    "domain": theirs["domain"],
                    "path": theirs["path"],
                }
            ]
        )

    def expect_status(self, status: int) -> None:
        """Expect that the console reported pages of that status and nothing else; clear it."""
        wanted = re.compile(rf"Failed to load resource: .* status of {status} ")
        for _ in range(100):
            if self.messages:
                break
            self.context.pages[0].wait_for_timeout(20)
        assert self.messages
        assert all(wanted.match(text) for text in self.messages), self.messages
        self.messages.clear()


def log_in(page: Page, name: str) -> None:
    """Log in by the form of the demo or of an example."""
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Log in").click()
    expect_user(page, name)


def log_out(page: Page) -> None:
    """Log out by the page's form."""
    page.get_by_role("button", name="Log out").click()
    expect_user(page, None)


def expect_user(page: Page, name: str | None) -> None:
    """Expect that the page shows this user as logged in; None: no user."""
    main = page.locator("body")
    if name is None:
        expect(main).to_contain_text(STRANGER, timeout=TIMEOUT_MS)
    else:
        expect(main).to_contain_text(
            re.compile(rf"Hello, {name}\.|Logged in as\s*{name}\s"), timeout=TIMEOUT_MS
        )


STRANGER: Final = re.compile(r"Hello, stranger\.|There is no session|Logged in as\s*nobody yet")


def start_script(page: Page, script: str) -> None:
    """Start a script in the page, without waiting for its end."""
    page.evaluate(f"() => {{ setTimeout(() => {{ {script} }}, 0) }}")


def tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until the element has the focus, and check that the focus is visible."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]  # a Literal
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    assert wanted.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
