"""Pyramid, by its ini file alone: `pyramid.includes = pyramid_beaker` brings the sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyramid.config import Configurator
from pyramid.paster import get_app

from beaker_dynamodb.ops.doctor.session import RECIPES
from tests.sessions.devices import VIEW


def page(request: Any) -> Any:
    """Change the session as the path says, and return it; Pyramid checks the form's token."""
    session, verb = request.session, request.matchdict["verb"]
    if verb == "view":
        return {"result": request.environ[VIEW](session)}
    if verb == "in":
        session["user"] = request.POST["user"]
        session.flash("Welcome")
    elif verb == "put":
        session["basket"] = [*session.get("basket", []), request.POST["item"]]
    elif verb == "end":
        session.invalidate()
    elif verb == "out":
        session.delete()
        return {}
    told = {"user": session.get("user"), "basket": session.get("basket", [])}
    if verb == "form":
        return told | {"token": session.get_csrf_token(), "flash": session.pop_flash()}
    return told


def main(_: object, **settings: str) -> Any:
    """Return the application of the ini file; only that names Beaker."""
    return create_app(settings)


def strict_main(_: object, **settings: object) -> Any:
    """Return it with a session class, which a line of text cannot name."""
    exec(RECIPES["pyramid"], {"settings": settings})  # noqa: S102  # as it would be pasted
    return create_app(settings)


def create_app(settings: Mapping[str, object]) -> Any:
    """Create the application; the ini file includes `pyramid_beaker`."""
    with Configurator(settings=settings) as config:
        config.set_default_csrf_options(require_csrf=True)
        config.add_route("page", "/{verb}")
        config.add_view(page, route_name="page", renderer="json")
    return config.make_wsgi_app()


def make(settings: Mapping[str, object]) -> Any:
    """Write the ini file, and load it as `pserve` would."""
    settings = dict(settings)
    main = "main" if settings.pop("session.session_class", None) is None else "strict_main"
    head = ["[app:main]", f"use = call:{__name__}:{main}", "pyramid.includes = pyramid_beaker"]
    lines = [f"{name} = {value}" for name, value in settings.items()]
    with TemporaryDirectory() as folder:
        ini = Path(folder) / "site.ini"
        ini.write_text("\n".join([*head, *lines]), "utf-8")
        return get_app(str(ini))
