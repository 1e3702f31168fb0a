"""`python -m tests.prefork.validated PORT`: wsgiref in threads, validated on both sides.

The validator between the server and Beaker's middleware, and the one between the middleware and
the application, refuse what PEP 3333 does not allow.
"""

from __future__ import annotations

import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

from tests.prefork import app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    #: As many clients connect at once.
    request_queue_size = 128


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None: ...


if __name__ == "__main__":
    middleware = app.application
    middleware.wrap_app = middleware.app = validator(app.pages)
    outer = validator(middleware)
    make_server("127.0.0.1", int(sys.argv[1]), outer, _Server, _Handler).serve_forever()
