"""An in-memory DynamoDB inside this process: moto's server on a loopback port.

For development and quick tests. Every process has its own, and what is stored ends with it. moto
is imported only here, and only when the first client needs it.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from typing import Any, Final

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.runtime import on_fork

#: The value of option `endpoint_url` that stands for it.
EMBEDDED: Final = "embedded"
_MODULES: Final = ("moto", "flask", "flask_cors")

_lock = threading.Lock()
_server: Any = None


def get_url() -> str:
    """Return the URL of this process's server; start it at the first call.

    Raises: OptionError, naming the missing extra.
    """
    global _server  # noqa: PLW0603  # there is one for each process
    with _lock:
        if _server is None:
            _server = _start()
        host, port = _server.get_host_and_port()
    return f"http://{host}:{port}"


def is_elsewhere(endpoint_url: str | None) -> bool:
    """Return whether *endpoint_url* means the server of another process: this one has none."""
    return endpoint_url == EMBEDDED and _server is None


def explain_missing_extra() -> str:
    """Return a sentence that says what must be installed; "" if nothing is missing."""
    # Each module is searched: moto may be installed without its server.
    if all(importlib.util.find_spec(name) is not None for name in _MODULES):
        return ""
    return (
        "option endpoint_url = embedded needs the extra 'embedded':"
        " pip install 'beaker-dynamodb[embedded]'"
    )


def _start() -> Any:
    if missing := explain_missing_extra():
        raise OptionError(missing)
    from moto.server import ThreadedMotoServer

    # It logs one line for each request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server


def empty() -> None:
    """Delete all tables of this process's server; start it if it is not running.

    What moto emulates beside DynamoDB in this process is left alone.
    """
    get_url()
    from moto.backends import get_backend

    for account in get_backend("dynamodb").values():
        account.reset()


def stop() -> None:
    """Stop this process's server, if there is one. What was stored is lost."""
    global _server  # as in get_url()
    with _lock:
        server, _server = _server, None
    if server is not None:
        server.stop()


def _renew() -> None:
    global _lock, _server  # a thread of the parent may have held the lock
    _lock, _server = threading.Lock(), None


on_fork(_renew)
