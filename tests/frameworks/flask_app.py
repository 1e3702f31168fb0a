"""Flask under Beaker's middleware: its own `session` and `flash()` live in Beaker's session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker.middleware import SessionMiddleware
from flask import Flask, flash, get_flashed_messages, request, session
from flask.sessions import SessionInterface

from tests.sessions.devices import VIEW


class BeakerSessions(SessionInterface):
    """Gives Flask the session of the middleware, and saves it if it was used."""

    def open_session(self, app: Flask, request: Any) -> Any:
        return request.environ["beaker.session"]

    def save_session(self, app: Flask, session: Any, response: object) -> None:
        if session.accessed():
            session.save()


def page(verb: str) -> Any:
    """Change the session as the path says, and return it."""
    if verb == "view":
        return {"result": request.environ[VIEW](session)}
    if verb == "in":
        session["user"] = request.form["user"]
        flash("Welcome")
    elif verb == "put":
        session["basket"] = [*session.get("basket", []), request.form["item"]]
    elif verb == "end":
        session.invalidate()  # type: ignore[attr-defined]  # Beaker's session, not Flask's
    elif verb == "out":
        session.delete()  # type: ignore[attr-defined]  # Beaker's session, not Flask's
        return {}
    told = {"user": session.get("user"), "basket": session.get("basket", [])}
    return told | {"flash": get_flashed_messages()} if verb == "form" else told


def make(settings: Mapping[str, object]) -> Any:
    """Put it under the middleware."""
    site = Flask(__name__)
    site.session_interface = BeakerSessions()
    site.add_url_rule("/<verb>", "page", page, methods=["GET", "POST"])
    return SessionMiddleware(site, dict(settings))
