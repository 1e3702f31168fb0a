"""Bottle under Beaker's own middleware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker.middleware import SessionMiddleware
from bottle import Bottle, request

from tests.sessions.devices import VIEW


def page(verb: str) -> dict[str, Any]:
    """Change the session as the path says, and return it."""
    session = request.environ["beaker.session"]
    if verb == "view":
        return {"result": request.environ[VIEW](session)}
    if verb == "in":
        session["user"] = request.forms["user"]
    elif verb == "put":
        session["basket"] = [*session.get("basket", []), request.forms["item"]]
    if verb == "end":
        session.invalidate()
    if verb == "out":
        session.delete()
        return {}
    if request.method == "POST":
        session.save()
    return {"user": session.get("user"), "basket": session.get("basket", [])}


def make(settings: Mapping[str, object]) -> Any:
    """Put it under the middleware."""
    site = Bottle()
    site.route("/<verb>", ["GET", "POST"], page)
    return SessionMiddleware(site, dict(settings))
