"""Readers of source backends: one file for each, each a stream that holds one page at most.

A reader only reads. It yields a session's text as Beaker stored it, and what the backend says about
its expiry; `bulk.py` decides whether the session is imported. No class of a pickle is run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Final

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.migration.readers.reader import NO_SESSION, Clock, SessionReader
from beaker_dynamodb.migration.source_options import get_data_path, require_package, suggest_backend

#: Each type, and the module of this folder whose `create_reader()` is called for it.
TYPES: Final[Mapping[str, str]] = {
    "file": "files",
    "dbm": "files",
    "ext:redis": "redis_keys",
    "ext:database": "database",
    "connect-dynamodb": "connect",
}
#: The most entries that are searched for a session: a redis database may hold other data as well.
_MAX_SEARCHED: Final = 100_000


def create_reader(
    kind: str, source_options: Mapping[str, str], timeout: float | None = None
) -> SessionReader:
    """Create the reader of a source backend. Nothing is read yet.

    Args:
        source_options: the backend's own options, as in the application's old ini file.
        timeout: the application's `session.timeout` in seconds, None if it has none.

    Raises: OptionError, if the type or an option is unknown, missing or malformed, or a package
    that the type needs is not installed.
    """
    if kind not in TYPES:
        hint = suggest_backend(kind, TYPES)
        known = ", ".join(TYPES)
        raise OptionError(f"sessions cannot be imported from {kind!r}; one of {known}{hint}")
    require_package(kind)
    module = importlib.import_module(f"{__name__}.{TYPES[kind]}")
    create: Callable[[str, Mapping[str, str], float | None], SessionReader] = module.create_reader
    return create(kind, source_options, timeout)


def has_sessions(kind: str, source_options: Mapping[str, str], clock: Clock) -> bool:
    """Return whether a source backend holds a session. It is only read, and nothing is created.

    True, too, if it holds so many entries that a search would take long.

    Raises: as `create_reader`; Unavailable, if the backend cannot be read.
    """
    if kind == "dbm":  # with data_dir or lock_dir, a lock would be written
        source_options = {"dbm_dir": get_data_path(kind, source_options) or ""}
    reader = create_reader(kind, source_options)
    number = reader.count()
    if number is None or number > _MAX_SEARCHED:
        return True
    return any(entry.error != NO_SESSION for entry in reader.sessions(clock))
