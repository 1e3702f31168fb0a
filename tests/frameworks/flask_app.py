"""Flask, whose own `session` and `flash()` are kept by Beaker: examples/beaker_flask.py."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from flask import Flask, flash, get_flashed_messages, request, session

from tests.sessions.devices import VIEW

BeakerSessionInterface: Any = import_module("examples.beaker_flask").BeakerSessionInterface


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
        session.invalidate()  # type: ignore[attr-defined]  # Beaker's method
    elif verb == "out":
        session.clear()
        return {}
    told = {"user": session.get("user"), "basket": session.get("basket", [])}
    return told | {"flash": get_flashed_messages()} if verb == "form" else told


def make(settings: Mapping[str, object]) -> Any:
    """Give it Beaker's sessions."""
    site = Flask(__name__)
    site.session_interface = BeakerSessionInterface(settings)
    site.add_url_rule("/<verb>", "page", page, methods=["GET", "POST"])
    return site
