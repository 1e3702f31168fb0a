"""Create the store that a manager passes its calls to: of a session, or of a cache's namespace.

It is imported with the first manager, and imports everything that serves a session; what serves
caches or a migration is imported by the first that needs it. The parts that all requests share are
built once in a process for each set of options, and found by one lookup.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from beaker.exceptions import InvalidCacheBackendError

from beaker_dynamodb.config import parsers, sources
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.errors import OptionError, raise_clean
from beaker_dynamodb.runtime import Runtime, on_reset
from beaker_dynamodb.sessions.store import SessionSettings, SessionStore

if TYPE_CHECKING:
    from beaker_dynamodb.caches.store import CacheStore

#: The parts that the stores of one set of options share; of a cache, its rows and its timeout.
_Shared: TypeAlias = SessionSettings | tuple[Rows, float | None]
#: By kind, Beaker's timeout and its type, the runtime's id, and the options as they were given.
_shared: dict[object, _Shared] = {}
#: The value of `sources.generation` when they were built.
_generation = 0
#: An application that uses new options for each request must not fill the memory.
_MAX_SHARED: Final = 256


def create_store(
    namespace: object,
    timeout: object,
    given: Mapping[str, object],
    runtime: Runtime,
    *,
    is_session: bool,
) -> SessionStore | CacheStore:
    """Create the store of one session for one request, or of a cache's namespace.

    Args: *timeout* is in seconds, as Beaker passes it; *given* are the options.
    Raises: OptionError.
    """
    global _generation  # noqa: PLW0603  # the one place that follows `configure()`
    if _generation != sources.generation:
        _shared.clear()
        _generation = sources.generation
    try:
        # With their types: 1, 1.0 and True are equal, but are different values of an option.
        values = given.values()
        options = frozenset(zip(given, map(type, values), values, strict=True))
        key = (is_session, type(timeout), timeout, id(runtime), options)
        shared = _shared.get(key)
    except TypeError:  # a list or a dict among the values has no hash
        shared = _build(timeout, given, runtime, is_session=is_session)
    else:
        if shared is None:
            if len(_shared) >= _MAX_SHARED:
                _shared.clear()
            shared = _shared[key] = _build(timeout, given, runtime, is_session=is_session)
    if isinstance(shared, SessionSettings):
        return SessionStore(shared, namespace)
    from beaker_dynamodb.caches.store import CacheStore

    return CacheStore(shared[0], namespace, shared[1])


def _build(
    timeout: object, given: Mapping[str, object], runtime: Runtime, *, is_session: bool
) -> _Shared:
    # Not when the manager is imported: Beaker ignores the error then (beaker/cache.py:101).
    if importlib.util.find_spec("boto3") is None:
        raise InvalidCacheBackendError("type ext:dynamodb needs boto3: pip install boto3")
    kind: sources.Kind = "session" if is_session else "cache"
    options, seconds = sources.parse(given, kind), _parse_timeout(timeout)
    try:
        if options.migrate_from is not None:  # a mistake shows now, not with the first cookie
            from beaker_dynamodb.migration.source_options import validate_source

            validate_source(options.migrate_from, dict(options.migrate_from_options))
        found = build_rows(options, kind, runtime, _create_table)
    except OptionError as error:
        raise_clean(OptionError(sources.add_places(str(error), options.places)))
    return SessionSettings.compute(found, seconds) if is_session else (found, seconds)


def _parse_timeout(timeout: object) -> float | None:
    """Return Beaker's timeout in seconds."""
    try:
        return None if timeout is None or timeout == "" else parsers.parse_seconds(timeout)
    except parsers.BadValue as error:
        raise_clean(OptionError(f"Beaker's option 'timeout' is {timeout!r}; expected {error}"))


def _create_table(client: Client, options: Options) -> None:
    """Create a missing table. Only the request that found none imports the module for it."""
    from beaker_dynamodb.provisioning.provision import create_missing_table

    create_missing_table(client, options)


on_reset(_shared.clear)
