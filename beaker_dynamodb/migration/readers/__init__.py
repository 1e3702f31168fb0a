"""Readers of source backends: one file for each, each a stream that holds one page at most.

A reader only reads. It yields a session's text as Beaker stored it, and what the backend says about
its expiry; `bulk.py` decides whether the session is imported. No class of a pickle is run.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from typing import Final

from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, Unavailable, raise_clean
from beaker_dynamodb.migration.readers.reader import Clock, SessionReader
from beaker_dynamodb.migration.source_options import (
    OPTIONS,
    get_data_path,
    require_package,
    suggest_backend,
)

#: Each type, and the module of this folder whose `create_reader()` is called for it.
TYPES: Final[Mapping[str, str]] = {
    "file": "files",
    "dbm": "files",
    "ext:redis": "redis_keys",
    "ext:database": "database",
    "connect-dynamodb": "connect",
}
#: The most entries that are searched for a session: a redis database may hold other data, too.
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


def has_sessions(kind: str, source_options: Mapping[str, str], clock: Clock) -> bool | None:
    """Return whether a source backend holds a session that can be read; None: too large to search.

    It is only read, and nothing is created. Options that Beaker ignores are ignored.

    Raises: as `create_reader`; Unavailable, whatever the backend's library raises.
    """
    own = {name: text for name, text in source_options.items() if name in OPTIONS[kind]}
    if kind == "dbm":  # with data_dir or lock_dir, a lock would be written
        own = {"dbm_dir": get_data_path(kind, source_options) or ""}
    try:
        reader = create_reader(kind, own)
        if kind == "ext:redis" and (reader.count() or 0) > _MAX_SEARCHED:
            return None
        entries = itertools.islice(reader.sessions(clock), _MAX_SEARCHED)
        return any(not entry.error for entry in entries)
    except DynamoDBBackendError:
        raise
    except Exception as error:  # noqa: BLE001  # a driver may raise any error
        raise_clean(Unavailable(f"{kind} cannot be read: {type(error).__name__}"))
