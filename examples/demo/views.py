"""The views of the demo, for both frameworks: count visits, log in, log out, keep a list.

A view saves the session before it renders the page, so that the page can show what the save did.
The framework saves once more as the response starts; nothing has changed by then, so that save
makes no call.
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

from examples.demo.call_log import CallLog, RequestLog
from examples.demo.items import ItemReader, StoredItem
from examples.demo.pages import MAX_LENGTH, FormResult, PageContext, render_page

#: The session key that pyramid_beaker uses for it, so that Pyramid's own check would find it.
TOKEN: Final = "_csrft_"  # noqa: S105  # a key, not a secret
MAX_THINGS: Final = 20
_MAX_RESULTS: Final = 256

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What the views need of a framework's request."""

    framework: str
    method: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A response that a framework turns into its own."""

    status: int
    headers: Mapping[str, str]
    body: str = field(default="", repr=False)


class FormResults:
    """The results of the last forms, each kept for the page that the browser is redirected to."""

    def __init__(self) -> None:
        self._results: OrderedDict[str, FormResult] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, result: FormResult) -> str:
        """Keep *result*, and return the random key that finds it. Only the last 256 are kept."""
        key = secrets.token_urlsafe(9)
        with self._lock:
            self._results[key] = result
            while len(self._results) > _MAX_RESULTS:
                self._results.popitem(last=False)
        return key

    def get(self, key: str) -> FormResult | None:
        """Return the result with this key; None if it is no longer kept."""
        return self._results.get(key)


class Views:
    """Handle the page's requests. Both applications share one object."""

    def __init__(self, items: ItemReader, call_log: CallLog, settings: Mapping[str, str]) -> None:
        self._items = items
        self._call_log = call_log
        self._settings = settings
        self._results = FormResults()

    def handle(self, request: Request, session: Any) -> Response:
        """Show the page, or apply a form and redirect the browser to the page.

        Args:
            session: Beaker's session object, of the same class under both frameworks.
        """
        if request.method != "POST":
            return self._show_page(request, session)
        if not _has_valid_token(request.form, session):
            result = FormResult("That form was no longer valid, so nothing was done.", None)
            return self._redirect(result)
        return self._handle_form(request.form, session)

    def _show_page(self, request: Request, session: Any) -> Response:
        """Count the visit, unless the request only reads; save; then show what was done."""
        existed = not session.is_new
        only_read = "read" in request.query or "result" in request.query
        before = self._get_item(session.id) if existed else None
        if not only_read:
            session["visits"] = session.get("visits", 0) + 1
            session.setdefault(TOKEN, secrets.token_urlsafe(24))
            session.save()
        session.persist()
        item = self._get_item(session.id) if existed or not only_read else None
        context = PageContext(
            framework=request.framework,
            now=time.time(),
            session=dict(session) if item else None,
            token=session.get(TOKEN, ""),
            item=item,
            next_touch=self._items.next_touch(item) if item else None,
            log=self._summarize(before, before, item),
            excluded_calls=self._call_log.excluded_calls,
            form_result=self._results.get(request.query.get("result", "")),
            options=self._items.options,
            settings=self._settings,
        )
        return Response(200, HEADERS, render_page(context))

    def _handle_form(self, form: Mapping[str, str], session: Any) -> Response:
        old_id = session.id
        loaded = self._get_item(old_id)
        message = _apply_form(form, session)
        session.save()
        session.persist()
        before = loaded if session.id == old_id else None
        log = self._summarize(loaded, before, self._get_item(session.id))
        return self._redirect(FormResult(message, log))

    def _redirect(self, result: FormResult) -> Response:
        """Redirect the browser to the page, so that a reload does not send the form again."""
        key = quote(self._results.add(result))
        return Response(303, {**HEADERS, "Location": f"./?result={key}"})

    def _get_item(self, session_id: str) -> StoredItem | None:
        with self._call_log.exclude_calls():
            return self._items.get_item(session_id)

    def _summarize(
        self, loaded: StoredItem | None, before: StoredItem | None, after: StoredItem | None
    ) -> RequestLog:
        sizes = [item.size if item else 0 for item in (loaded, before, after)]
        return self._call_log.summarize(*sizes, consistent=self._items.options.consistent_read)


def _has_valid_token(form: Mapping[str, str], session: Any) -> bool:
    """Return whether the form carries the session's token, which no other site can know."""
    expected = session.get(TOKEN)
    sent = form.get("token", "")
    return bool(expected) and hmac.compare_digest(
        expected.encode(), sent.encode("utf-8", "replace")
    )


def _apply_form(form: Mapping[str, str], session: Any) -> str:
    """Change the session as the form asks, and return a sentence that says what was done."""
    text = " ".join(form.get("text", "").split())[:MAX_LENGTH]
    things = list(session.get("list", []))
    match form.get("action"):
        case "login" if text:
            # Another person may know the id from before the login, but not the new one.
            session.regenerate_id()
            session["user"] = text
            return (
                f"You are logged in as {text}, under a new session id. The session under the old"
                " id is not logged in, and expires."
            )
        case "logout":
            # delete() empties the session, so its item is deleted. After invalidate() the item
            # would stay, and a copy of the cookie would still be logged in.
            session.delete()
            return "You are logged out. The item was deleted, and so was the cookie."
        case "add" if text and len(things) < MAX_THINGS:
            session["list"] = [*things, text]
            return f"“{text}” was added to the list."
        case "add" if text:
            return f"The list is full: it holds {MAX_THINGS} things."
        case "remove" if text in things:
            things.remove(text)
            session["list"] = things
            return f"“{text}” was removed from the list."
    return "There was nothing to do."
