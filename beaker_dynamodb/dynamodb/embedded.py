"""An in-memory DynamoDB inside this process: moto's server on a loopback port, made once.

For development and quick tests. A second process has its own; what is stored ends
with the process. moto is imported only here, and only when asked for.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from typing import Any, Final

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.runtime import on_fork

#: The value of option `endpoint_url` that asks for it.
WORD: Final = "embedded"
NEEDED: Final = ("moto", "flask", "flask_cors")

_lock = threading.Lock()
_server: Any = None


def url() -> str:
    """Return the address of this process's server, which is started at the first call.

    Raises: OptionError, naming the extra that must be installed.
    """
    global _server  # noqa: PLW0603  # one a process
    with _lock:
        if _server is None:
            _server = _start()
        host, port = _server.get_host_and_port()
    return f"http://{host}:{port}"


def is_elsewhere(endpoint_url: str | None) -> bool:
    """Tell whether the word names a table in some other process: none was started in this one."""
    return endpoint_url == WORD and _server is None


def missing() -> str:
    """Say in a sentence what has to be installed; "" where nothing lacks."""
    # Looked for one by one: moto alone may be there, in an application that has Flask.
    if all(importlib.util.find_spec(name) is not None for name in NEEDED):
        return ""
    return (
        "option endpoint_url = embedded needs the extra 'embedded':"
        " pip install 'beaker-dynamodb[embedded]'"
    )


def _start() -> Any:
    if lacking := missing():
        raise OptionError(lacking)
    from moto.server import ThreadedMotoServer

    # One line a request is more than an application's log bears.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server


def empty() -> None:
    """Forget all tables of this process's server, which is started if it is not there yet.

    What else moto pretends to be in this process, buckets or queues, is left alone.
    """
    url()
    from moto.backends import get_backend

    for account in get_backend("dynamodb").values():
        account.reset()


def stop() -> None:
    """Stop this process's server, if there is one, and forget what was stored."""
    global _server  # as in url()
    with _lock:
        server, _server = _server, None
    if server is not None:
        server.stop()


def _renew() -> None:
    global _lock, _server  # a thread of the parent may have held the lock
    _lock, _server = threading.Lock(), None


on_fork(_renew)
