"""Plain WSGI on WebOb, under Beaker's own middleware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beaker.middleware import SessionMiddleware
from webob import Request, Response
from webob.dec import wsgify

from tests.sessions.devices import VIEW


@wsgify
def site(request: Request) -> Response:
    """Change the session as the path says, and return it."""
    session, verb = request.environ["beaker.session"], request.path_info.strip("/")
    if verb == "view":
        return Response(json={"result": request.environ[VIEW](session)})
    if verb == "in":
        session["user"] = request.POST["user"]
    elif verb == "put":
        session["basket"] = [*session.get("basket", []), request.POST["item"]]
    if verb == "end":
        session.invalidate()
    if verb == "out":
        session.delete()
        return Response(json={})
    if request.method == "POST":
        session.save()
    return Response(json={"user": session.get("user"), "basket": session.get("basket", [])})


def make(settings: Mapping[str, object]) -> Any:
    """Put it under the middleware."""
    return SessionMiddleware(site, dict(settings))
