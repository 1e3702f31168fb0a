"""What the page does with a session, whichever framework asks: count, log in, log out, list.

It saves before it answers, so that the page can show what the save did. The framework saves once
more while the response starts; nothing has changed by then, so that save makes no call.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from examples.demo import pages
from examples.demo.call_log import Account, Ledger
from examples.demo.items import Shown, Window
from examples.demo.pages import LONGEST, Receipt, View

#: The name that Pyramid gives it (pyramid_beaker), so that its own check would find it too.
TOKEN: Final = "_csrft_"  # noqa: S105  # a key, not a secret
MOST: Final = 20
_REMEMBERED: Final = 256

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as the page cares."""

    framework: str
    method: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, before a framework makes its own of it."""

    status: int
    headers: Mapping[str, str]
    body: str = field(default="", repr=False)


class Receipts:
    """What the last forms did: kept in this process, for the page that the browser is sent to."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Receipt] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, receipt: Receipt) -> str:
        """Keep *receipt* for a while, and return the word that finds it."""
        word = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[word] = receipt
            while len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)
        return word

    def find(self, word: str) -> Receipt | None:
        """Return what was kept, None if it is gone."""
        return self._kept.get(word)


class Shop:
    """Answers the page's requests. Both applications have the same one."""

    def __init__(self, window: Window, ledger: Ledger, settings: Mapping[str, str]) -> None:
        self._window = window
        self._ledger = ledger
        self._settings = settings
        self._receipts = Receipts()

    def answer(self, asked: Asked, session: Any) -> Answer:
        """Show the page, or do what a form asks for and send the browser to the page.

        Args: session: Beaker's session object, the same class under both frameworks.
        """
        if asked.method != "POST":
            return self._show(asked, session)
        if not _is_ours(asked.form, session):
            receipt = Receipt("That form was no longer valid, so nothing was done.", None)
            return self._to_the_page(receipt)
        return self._act(asked.form, session)

    def _show(self, asked: Asked, session: Any) -> Answer:
        """Count the visit, unless only a look was asked for; save; then show what was done."""
        begun = not session.is_new
        only_read = "read" in asked.query or "after" in asked.query
        before = self._look(session.id) if begun else None
        if not only_read:
            session["visits"] = session.get("visits", 0) + 1
            session.setdefault(TOKEN, secrets.token_urlsafe(24))
            session.save()
        session.persist()
        item = self._look(session.id) if begun or not only_read else None
        view = View(
            framework=asked.framework,
            now=time.time(),
            session=dict(session) if item else None,
            token=session.get(TOKEN, ""),
            item=item,
            touched_from=self._window.touched_from(item) if item else None,
            account=self._account(before, before, item),
            calls_aside=self._ledger.calls_aside,
            receipt=self._receipts.find(asked.query.get("after", "")),
            options=self._window.options,
            settings=self._settings,
        )
        return Answer(200, HEADERS, pages.render(view))

    def _act(self, form: Mapping[str, str], session: Any) -> Answer:
        loaded, old = self._look(session.id), session.id
        message = _do(form, session)
        session.save()
        session.persist()
        before = loaded if session.id == old else None
        account = self._account(loaded, before, self._look(session.id))
        return self._to_the_page(Receipt(message, account))

    def _to_the_page(self, receipt: Receipt) -> Answer:
        """Send the browser to the page by GET, so that a reload sends no form again."""
        word = quote(self._receipts.keep(receipt))
        return Answer(303, {**HEADERS, "Location": f"./?after={word}"})

    def _look(self, namespace: str) -> Shown | None:
        with self._ledger.aside():
            return self._window.look(namespace)

    def _account(self, loaded: Shown | None, before: Shown | None, after: Shown | None) -> Account:
        sizes = [shown.size if shown else 0 for shown in (loaded, before, after)]
        return self._ledger.account(*sizes, consistent=self._window.options.consistent_read)


def _is_ours(form: Mapping[str, str], session: Any) -> bool:
    """Tell whether the form carries the session's token: no other site can know it."""
    wanted = session.get(TOKEN)
    given = form.get("token", "")
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))


def _do(form: Mapping[str, str], session: Any) -> str:
    """Do to the session what the form asks for, and say what was done."""
    words = " ".join(form.get("words", "").split())[:LONGEST]
    things = list(session.get("list", []))
    match form.get("do"):
        case "login" if words:
            # The id of before the login may be known to somebody; that of after it is not.
            session.regenerate_id()
            session["user"] = words
            return (
                f"You are logged in as {words}, under a new session id. The old one is nobody's,"
                " and expires."
            )
        case "logout":
            # delete() empties the row, so it goes; invalidate() would leave it logged in.
            session.delete()
            return "You are logged out. The item was deleted, and the cookie with it."
        case "add" if words and len(things) < MOST:
            session["list"] = [*things, words]
            return f"“{words}” is on the list."
        case "add" if words:
            return f"The list holds {MOST} things, and that is enough for a demo."
        case "remove" if words in things:
            things.remove(words)
            session["list"] = things
            return f"“{words}” is off the list."
    return "There was nothing to do."
