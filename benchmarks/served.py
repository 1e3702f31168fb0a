"""The application of `examples/wsgi_app.py` for gunicorn.

The environment variable `BENCHMARK_SESSION` holds the changed options, as JSON.
"""

from __future__ import annotations

import json
import os

from beaker.middleware import SessionMiddleware

from examples.wsgi_app import OPTIONS, pages

_OPTIONS = {**OPTIONS, **json.loads(os.environ["BENCHMARK_SESSION"])}
application = SessionMiddleware(pages, {f"session.{key}": _OPTIONS[key] for key in _OPTIONS})
