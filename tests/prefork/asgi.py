"""The application behind a bridge from ASGI, as `uvicorn` serves it."""

from __future__ import annotations

from typing import Any

from a2wsgi import WSGIMiddleware

from tests.prefork.app import application as wsgi_application

application: Any = WSGIMiddleware(wsgi_application, workers=8)
