"""The page as a Bottle application, under Beaker's own middleware.

Only Bottle's way of asking and answering stands here; what is answered stands in views.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import bottle
from beaker.middleware import SessionMiddleware

from examples.demo.views import Asked, Shop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(settings: Mapping[str, str], shop: Shop) -> WSGIApplication:
    """Make the application out of the ini file's settings."""
    app = bottle.Bottle()
    # An error of the table passes through Bottle, to the demo's own page for it.
    app.config["catchall"] = False

    def show() -> Any:
        request = bottle.request
        asked = Asked("Bottle", request.method, _read(request.query), _read(request.forms))
        answer = shop.answer(asked, request.environ["beaker.session"])
        return bottle.HTTPResponse(answer.body, answer.status, dict(answer.headers))

    app.route("/", method=["GET", "POST"], callback=show)
    made: WSGIApplication = SessionMiddleware(app, dict(settings))
    return made


def _read(fields: Any) -> dict[str, str]:
    """Read a form's fields as text; one that is no text counts as empty."""
    return {name: fields.getunicode(name, "") for name in fields}
