"""The page as a Bottle application, under Beaker's own middleware.

It only translates between Bottle and the views, which are in views.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import bottle
from beaker.middleware import SessionMiddleware

from examples.demo.views import Request, Views

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(settings: Mapping[str, str], views: Views) -> WSGIApplication:
    """Return the application, configured by the settings of the ini file."""
    app = bottle.Bottle()
    # An error of the table passes through Bottle, to the demo's own error page.
    app.config["catchall"] = False

    def show() -> Any:
        sent = bottle.request
        request = Request(
            "Bottle",
            sent.method,
            _read(sent.query),
            _read(sent.forms),
            sent.get_header("User-Agent", ""),
        )
        response = views.handle(request, sent.environ["beaker.session"])
        return bottle.HTTPResponse(response.body, response.status, dict(response.headers))

    app.route("/", method=["GET", "POST"], callback=show)
    with_sessions: WSGIApplication = SessionMiddleware(app, dict(settings))
    return with_sessions


def _read(fields: Any) -> dict[str, str]:
    """Return a form's fields as text; a field that is not valid text is empty."""
    return {name: fields.getunicode(name, "") for name in fields}
