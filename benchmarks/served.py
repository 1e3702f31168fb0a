"""Applications for gunicorn: that of `examples/wsgi_app.py`, and one of two pages.

The environment variable `BENCHMARK_SESSION` holds the changed options, as JSON.
"""

from __future__ import annotations

import json
import os
from typing import Any

from beaker.middleware import SessionMiddleware

from examples.wsgi_app import OPTIONS, pages

_OPTIONS = {**OPTIONS, **json.loads(os.environ["BENCHMARK_SESSION"])}


def show(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Read a key of the session; change another one unless the page is `/read`."""
    session = environ["beaker.session"]
    language = session["language"]
    if environ["PATH_INFO"] != "/read":
        session["visits"] += 1
        session.save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [language.encode()]


application = SessionMiddleware(pages, {f"session.{key}": _OPTIONS[key] for key in _OPTIONS})
two_pages = SessionMiddleware(show, {f"session.{key}": _OPTIONS[key] for key in _OPTIONS})
