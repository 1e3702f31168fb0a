"""The views of the demo, for both frameworks: the page, and what its buttons do.

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
from examples.demo.capacity import index_units, write_units
from examples.demo.devices import (
    DEVICE,
    USER,
    describe_browser,
    get_user_sessions,
    list_devices,
)
from examples.demo.items import ItemReader, StoredItem
from examples.demo.pages import HEADERS, MAX_LENGTH, FormResult, PageContext, render_page
from examples.demo.store_proxy import OUTAGES, StoreProxy

#: The session key that pyramid_beaker uses for it, so that Pyramid's own check would find it.
TOKEN: Final = "_csrft_"  # noqa: S105  # a key, not a secret
MAX_THINGS: Final = 20
_MAX_RESULTS: Final = 256

#: What the fast one of two requests puts on the list.
_FRUITS: Final = ("apples", "pears", "plums", "cherries")


@dataclass(frozen=True, slots=True)
class Request:
    """What the views need of a framework's request."""

    framework: str
    method: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    user_agent: str = ""


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
    """Handle the page's requests. Both applications share one object.

    Args:
        settings: those that the page shows.
        proxy: what a visitor can break; None if nothing can be broken.
    """

    def __init__(
        self,
        items: ItemReader,
        call_log: CallLog,
        settings: Mapping[str, str],
        proxy: StoreProxy | None,
    ) -> None:
        self._items = items
        self._call_log = call_log
        self._settings = settings
        self._proxy = proxy
        self._results = FormResults()

    def handle(self, request: Request, session: Any) -> Response:
        """Show the page, or apply a form and redirect the browser to the page.

        Args:
            session: Beaker's session object, of the same class under both frameworks.
        """
        if request.method != "POST":
            return self._show_page(request, session)
        action = request.form.get("action", "")
        if not _has_valid_token(request.form, session):
            result = FormResult("That form was no longer valid, so nothing was done.")
        elif action in OUTAGES and self._proxy is not None:
            result = _break_store(self._proxy, action, session)
        elif action == "overlap":
            result = self._let_requests_overlap(session)
        elif action in {"end", "end-others"}:
            result = self._end_devices(request.form, session)
        else:
            result = self._apply_form(request, session)
        # Redirected, so that a reload does not send the form again.
        key = quote(self._results.add(result))
        return Response(303, {**HEADERS, "Location": f"?result={key}"})

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
        with self._call_log.exclude_calls():
            devices = list_devices(session)
        context = PageContext(
            framework=request.framework,
            now=time.time(),
            session=dict(session) if item else None,
            token=session.get(TOKEN, ""),
            item=item,
            devices=devices,
            next_touch=self._items.next_touch(item) if item else None,
            log=self._summarize(before, before, item),
            excluded_calls=self._call_log.excluded_calls,
            form_result=self._results.get(request.query.get("result", "")),
            outage_seconds=self._proxy.outage_seconds if self._proxy else None,
            options=self._items.options,
            settings=self._settings,
        )
        return Response(200, HEADERS, render_page(context))

    def _apply_form(self, request: Request, session: Any) -> FormResult:
        """Log in or out, or change the list, and save."""
        old_id = session.id
        loaded = self._get_item(old_id)
        message = _change_session(request, session)
        session.save()
        session.persist()
        before = loaded if session.id == old_id else None
        log = self._summarize(loaded, before, self._get_item(session.id))
        return FormResult(message, {"The calls of the form before this page": log})

    def _let_requests_overlap(self, session: Any) -> FormResult:
        """Change the session in this request, after another request has changed and saved it."""
        loaded = self._get_item(session.id)
        with self._call_log.record_request():
            fast = session.get_by_id(session.id)  # a second request loads its own copy
            if fast is None:
                return FormResult("The session has just ended, so nothing was done.")
            fruit = _FRUITS[len(fast.get("list", [])) % len(_FRUITS)]
            fast["list"] = [*fast.get("list", []), fruit][-MAX_THINGS:]
            fast.save()
            stored = self._get_item(session.id)
            fast_log = self._summarize(loaded, loaded, stored)
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        session.persist()
        slow_log = self._summarize(loaded, stored, self._get_item(session.id))
        message = (
            f"Nothing was lost: “{fruit}” is on the list, and the visit is counted. The slow"
            " request had loaded the session before that: its save was refused, and then merged."
        )
        logs = {
            "The calls of the fast request": fast_log,
            "The calls of the slow request": slow_log,
        }
        return FormResult(message, logs)

    def _end_devices(self, form: Mapping[str, str], session: Any) -> FormResult:
        """End the session that the form names, or all of the user's other sessions."""
        sessions = get_user_sessions(session)
        if form.get("action") == "end":
            ended = int(sessions.end(form.get("handle", "")))
        else:
            ended = sessions.end_others()
        session.save()
        if not ended:
            return FormResult("There was no such session any more.")
        if ended == 1:
            message = "One session was ended: that browser is logged out at its next request."
        else:
            message = f"{ended} sessions were ended: each is logged out at its next request."
        return FormResult(message)

    def _get_item(self, session_id: str) -> StoredItem | None:
        with self._call_log.exclude_calls():
            return self._items.get_item(session_id)

    def _summarize(
        self, loaded: StoredItem | None, before: StoredItem | None, after: StoredItem | None
    ) -> RequestLog:
        sizes = [item.size if item else 0 for item in (before, after)]
        keys = [item.index_keys if item else {} for item in (before, after)]
        return self._call_log.summarize(
            loaded.size if loaded else 0,
            write_units(*sizes),
            index_units(*keys),
            consistent=self._items.options.consistent_read,
        )


def _has_valid_token(form: Mapping[str, str], session: Any) -> bool:
    """Return whether the form carries the session's token, which no other site can know."""
    expected = session.get(TOKEN)
    sent = form.get("token", "")
    return bool(expected) and hmac.compare_digest(
        expected.encode(), sent.encode("utf-8", "replace")
    )


def _break_store(proxy: StoreProxy, kind: str, session: Any) -> FormResult:
    """Start an outage, and return what the first page after it says."""
    session.persist()  # while the store works; the framework's own save then makes no call
    proxy.start_outage(kind)
    user = session.get(USER)
    still = f"you are still logged in as {user}" if user else "it is the session from before"
    return FormResult(
        f"The store was broken for {proxy.outage_seconds} seconds, and {still}: the same cookie,"
        " the same session. Beaker alone would have started a new, empty session."
    )


def _change_session(request: Request, session: Any) -> str:
    """Change the session as the form asks, and return a sentence that says what was done."""
    form = request.form
    text = " ".join(form.get("text", "").split())[:MAX_LENGTH]
    things = list(session.get("list", []))
    match form.get("action"):
        # A second login is refused: Beaker's regenerate_id() leaves the old item, still logged in.
        case "login" if text and not session.get(USER):
            # Another person may know the id from before the login, but not the new one.
            session.regenerate_id()
            session[USER] = text
            session[DEVICE] = describe_browser(request.user_agent)
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
