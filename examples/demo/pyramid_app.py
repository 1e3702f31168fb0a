"""The page as a Pyramid application, configured by the ini file and pyramid_beaker alone.

It only translates between Pyramid and the views, which are in views.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.response import Response

from examples.demo.views import Request, Views

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(settings: Mapping[str, str], views: Views) -> WSGIApplication:
    """Return the application, configured by the settings of the ini file."""

    def show(sent: Any) -> Any:
        request = Request(
            "Pyramid", sent.method, dict(sent.GET), dict(sent.POST), sent.user_agent or ""
        )
        response = views.handle(request, sent.session)
        return Response(
            text=response.body, status=response.status, headerlist=list(response.headers.items())
        )

    config = Configurator(settings=dict(settings))
    config.include("pyramid_beaker")
    config.add_route("page", "/")
    config.add_view(show, route_name="page")
    app: WSGIApplication = config.make_wsgi_app()
    return app
