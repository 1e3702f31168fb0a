"""Beaker's verbs and nothing else: arguments in, text or KeyError out.

A manager serves a session if Beaker passed it `digest_filenames`, which only its session.py
does, and always; otherwise a cache. Everything else is handed on.
"""

from __future__ import annotations

import importlib.util
from typing import Any, ClassVar, TypeVar

from beaker.container import NamespaceManager
from beaker.exceptions import InvalidCacheBackendError
from beaker.synchronization import null_synchronizer

from beaker_dynamodb import brackets, casts, sources
from beaker_dynamodb.caches import CacheKeeper
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.envelope import Envelope
from beaker_dynamodb.item.keys import as_text
from beaker_dynamodb.options import Options
from beaker_dynamodb.rows import Rows, rows
from beaker_dynamodb.sessions import Keeper
from beaker_dynamodb.store.lease import Lease
from beaker_dynamodb.surroundings import REAL, Surroundings

T = TypeVar("T")
_SESSION = "session"
_built: dict[tuple[Options, sources.Kind], Rows] = {}


class DynamoDBNamespaceManager(NamespaceManager):  # type: ignore[misc]  # Beaker ships no types
    """What `type = ext:dynamodb` stands for. Takes the options of the table in README.

    Raises: OptionError, if one of them is unknown, malformed or contradicts another.
    """

    #: Time and luck; tests hand in their own.
    surroundings: ClassVar[Surroundings] = REAL

    @classmethod
    def _init_dependencies(cls) -> None:
        # Never at import: Beaker swallows it there without a word (beaker/cache.py:101).
        if importlib.util.find_spec("boto3") is None:
            raise InvalidCacheBackendError("type ext:dynamodb needs boto3: pip install boto3")

    def __init__(self, namespace: object, timeout: object = None, **given: object) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        kind: sources.Kind = "session" if "digest_filenames" in given else "cache"
        around = self.surroundings
        made_of = namespace, _seconds(timeout), around
        found = _rows(sources.parse(given, kind), kind, around)
        self._session = Keeper(found, *made_of) if kind == "session" else None
        self._cache = CacheKeeper(found, *made_of) if kind == "cache" else None

    def __getitem__(self, key: object) -> Any:
        if self._cache is not None:
            return _present(self._cache.get(key)).value
        return _present(self._keeper.load() if _is_session(key) else None)

    def __contains__(self, key: object) -> bool:
        if self._cache is not None:
            return self._cache.contains(key)
        return _is_session(key) and self._keeper.load() is not None

    def has_key(self, key: object) -> bool:
        """Tell whether there is a value that has not expired."""
        return key in self if self._cache is None else self._cache.has_fresh(key)

    def __setitem__(self, key: object, value: Any) -> None:
        self.set_value(key, value)

    def set_value(self, key: object, value: Any, expiretime: float | None = None) -> None:
        """Store a value; *expiretime* is in seconds, and for caches only."""
        if self._cache is not None:
            self._cache.put(key, value, expiretime)
        elif _is_session(key) and isinstance(value, str):
            self._keeper.save(value)
        else:
            raise OptionError("a session's manager keeps one text, under the key 'session'")

    def __delitem__(self, key: object) -> None:
        if self._cache is not None:
            self._cache.remove(key)
        elif _is_session(key):
            self._keeper.remove()

    def keys(self) -> list[str]:
        """List the keys of what has not expired."""
        if self._cache is not None:
            return list(self._cache.keys())
        return [_SESSION] if _SESSION in self else []

    def do_remove(self) -> None:
        """Remove everything in this namespace, and nothing of any other."""
        if self._cache is not None:
            self._cache.clear()
        else:
            self._keeper.remove()

    def acquire_read_lock(self) -> None:
        """Open a bracket in which each key of a cache is read once. It locks nothing."""
        if self._cache is not None:
            brackets.enter(self._cache)

    def release_read_lock(self) -> None:
        """Close the bracket."""
        if self._cache is not None:
            brackets.leave(self._cache)

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  # Beaker's signature
        """Open a bracket in which `in` is a real look, also in an outage. It locks nothing."""
        if self._cache is not None:
            brackets.enter_write(self._cache)
        return True

    def release_write_lock(self) -> None:
        """Close the bracket."""
        if self._cache is not None:
            brackets.leave_write(self._cache)

    def get_creation_lock(self, key: object) -> Lease | null_synchronizer:
        """Return the lock under which one maker fills a cache's miss."""
        return null_synchronizer() if self._cache is None else self._cache.lock(key)

    # For StrictSession

    @property
    def envelope(self) -> Envelope | None:
        """How the session's text opens, where it is not one of Beaker's plain kinds."""
        return self._keeper.envelope

    @envelope.setter
    def envelope(self, envelope: Envelope | None) -> None:
        self._keeper.envelope = envelope

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless somebody has written it since."""
        self._keeper.remove_if_unchanged()

    def take_over(self, former: DynamoDBNamespaceManager) -> bool:
        """Delete the row of this session's former id; False if it was logged out meanwhile."""
        return self._keeper.take_over(former._keeper)

    @property
    def _keeper(self) -> Keeper:
        if self._session is None:
            raise OptionError("this manager serves a cache, not a session")
        return self._session


def _is_session(key: object) -> bool:
    return as_text(key) == _SESSION


def _present(found: T | None) -> T:
    """Return what was found; the only place that says "nothing there" in Beaker's way."""
    if found is None:
        raise KeyError("nothing there")
    return found


def _seconds(timeout: object) -> float | None:
    """Read the timeout that Beaker hands over, in seconds."""
    try:
        return None if timeout is None or timeout == "" else casts.seconds(timeout)
    except casts.BadValue as error:
        message = f"Beaker's option 'timeout' is {timeout!r}; expected {error}"
    raise OptionError(message)


def _rows(options: Options, kind: sources.Kind, around: Surroundings) -> Rows:
    """Build the rows of these options, once a process."""
    found = _built.get((options, kind))
    if found is None:
        found = _built.setdefault((options, kind), rows(options, kind, around))
    return found


def forget() -> None:
    """Forget what was built."""
    _built.clear()
