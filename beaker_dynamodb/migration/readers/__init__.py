"""Where live sessions come from: one file an origin, each a stream that holds one page at most.

An origin only reads. It hands on a session's text as Beaker stored it, and what it knows of its
expiry; whether the session is moved is decided in `bulk.py`. No class of a pickle is run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Final

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.migration.readers.origin import Origin

#: Each type, and the module of this folder whose `origin(options)` makes it.
TYPES: Final[Mapping[str, str]] = {
    "file": "files",
    "dbm": "files",
    "ext:redis": "redis_keys",
    "ext:database": "database",
    "connect-dynamodb": "connect",
}


def origin(kind: str, given: Mapping[str, str], timeout: float | None = None) -> Origin:
    """Make the origin of that type. Nothing is read yet.

    Args:
        given: the old backend's options, as in the application's former ini file.
        timeout: the application's own `session.timeout` in seconds, None where it has none.

    Raises: OptionError, where the type or an option is unknown, missing or malformed, or what
    the type needs is not installed.
    """
    if kind not in TYPES:
        raise OptionError(f"sessions cannot be imported from {kind!r}; one of {', '.join(TYPES)}")
    module = importlib.import_module(f"{__name__}.{TYPES[kind]}")
    make: Callable[[str, Mapping[str, str], float | None], Origin] = module.origin
    return make(kind, given, timeout)
