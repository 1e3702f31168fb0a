"""What a manager is made of: its options, parsed, and the store of its rows.

Imported with the first manager, and all that serves a request with it. Rows are built once a
process for each set of options.
"""

from __future__ import annotations

from collections.abc import Mapping

from beaker_dynamodb.caches.store import CacheStore
from beaker_dynamodb.config import parsers, sources
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.rows import Rows, rows
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.migration import source
from beaker_dynamodb.runtime import Runtime
from beaker_dynamodb.sessions.store import SessionStore

_built: dict[tuple[Options, sources.Kind], Rows] = {}


def of_session(
    namespace: object, timeout: object, given: Mapping[str, object], runtime: Runtime
) -> SessionStore:
    """Make the store of one session, for one request.

    Args: *timeout* is in seconds, as Beaker hands it over; *given* are the options.
    Raises: OptionError.
    """
    found = _rows(sources.parse(given, "session"), "session", runtime)
    return SessionStore(found, namespace, _seconds(timeout), runtime)


def of_cache(
    namespace: object, timeout: object, given: Mapping[str, object], runtime: Runtime
) -> CacheStore:
    """Make the store of one namespace of a cache; arguments and errors as of a session's."""
    found = _rows(sources.parse(given, "cache"), "cache", runtime)
    return CacheStore(found, namespace, _seconds(timeout), runtime)


def _seconds(timeout: object) -> float | None:
    """Read the timeout that Beaker hands over, in seconds."""
    try:
        return None if timeout is None or timeout == "" else parsers.seconds(timeout)
    except parsers.BadValue as error:
        message = f"Beaker's option 'timeout' is {timeout!r}; expected {error}"
    raise OptionError(message)


def _rows(options: Options, kind: sources.Kind, runtime: Runtime) -> Rows:
    """Build the rows of these options, once a process."""
    found = _built.get((options, kind))
    if found is None:
        if options.migrate_from is not None:  # what is missing shows now, not to who has a cookie
            source.make_ready(options.migrate_from, dict(options.migrate_from_options))
        found = _built.setdefault((options, kind), rows(options, kind, runtime, _create_table))
    return found


def _create_table(client: Client, options: Options) -> None:
    """Create a missing table; what that takes is loaded by the one request that found none."""
    from beaker_dynamodb.provisioning.provision import create_missing_table

    create_missing_table(client, options)


def forget() -> None:
    """Forget what was built."""
    _built.clear()
