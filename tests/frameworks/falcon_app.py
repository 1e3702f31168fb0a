"""Falcon under Beaker's own middleware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker.middleware import SessionMiddleware
from falcon import App, Request, Response

from tests.sessions.devices import VIEW


class Page:
    """One page, for every verb."""

    def on_get(self, request: Request, response: Response, verb: str) -> None:
        """Show the session."""
        session = request.env["beaker.session"]
        if verb == "view":
            response.media = {"result": request.env[VIEW](session)}
            return
        response.media = {"user": session.get("user"), "basket": session.get("basket", [])}

    def on_post(self, request: Request, response: Response, verb: str) -> None:
        """Change the session as the path says."""
        session = request.env["beaker.session"]
        if verb == "in":
            session["user"] = request.get_media()["user"]
        elif verb == "put":
            session["basket"] = [*session.get("basket", []), request.get_media()["item"]]
        elif verb == "end":
            session.invalidate()
        session.delete() if verb == "out" else session.save()


def make(settings: Mapping[str, object]) -> Any:
    """Put it under the middleware."""
    site: Any = App()
    site.add_route("/{verb}", Page())
    return SessionMiddleware(site, dict(settings))
