"""The page as a Pyramid application, configured by the ini file and pyramid_beaker alone.

Only Pyramid's way of asking and answering stands here; what is answered stands in views.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.response import Response

from examples.demo.views import Asked, Shop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(settings: Mapping[str, str], shop: Shop) -> WSGIApplication:
    """Make the application out of the ini file's settings."""

    def show(request: Any) -> Any:
        asked = Asked("Pyramid", request.method, dict(request.GET), dict(request.POST))
        answer = shop.answer(asked, request.session)
        return Response(
            text=answer.body, status=answer.status, headerlist=list(answer.headers.items())
        )

    config = Configurator(settings=dict(settings))
    config.include("pyramid_beaker")
    config.add_route("page", "/")
    config.add_view(show, route_name="page")
    made: WSGIApplication = config.make_wsgi_app()
    return made
