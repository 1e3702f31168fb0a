"""Beaker's verbs and nothing else: arguments in, text or KeyError out.

A manager serves a session if Beaker passed it `digest_filenames`, which only its session.py
does, and always; otherwise a cache. Everything else is handed on.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from beaker.container import NamespaceManager
from beaker.exceptions import InvalidCacheBackendError
from beaker.synchronization import null_synchronizer

from beaker_dynamodb.caches import read_scope
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.item.keys import as_text
from beaker_dynamodb.runtime import REAL, Runtime

if TYPE_CHECKING:
    from beaker_dynamodb.caches.creation_lock import CreationLock
    from beaker_dynamodb.item.envelope import Envelope
    from beaker_dynamodb.sessions.store import SessionStore

T = TypeVar("T")
_SESSION = "session"


class DynamoDBNamespaceManager(NamespaceManager):  # type: ignore[misc]  # Beaker ships no types
    """What `type = ext:dynamodb` stands for. Takes the options of the table in README.

    Raises: OptionError, if one of them is unknown, malformed or contradicts another.
    """

    #: Time and luck; tests hand in their own.
    runtime: ClassVar[Runtime] = REAL

    @classmethod
    def _init_dependencies(cls) -> None:
        # Never at import: Beaker swallows it there without a word (beaker/cache.py:101).
        if importlib.util.find_spec("boto3") is None:
            raise InvalidCacheBackendError("type ext:dynamodb needs boto3: pip install boto3")

    def __init__(self, namespace: object, timeout: object = None, **given: object) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        # With the first manager: Beaker imports every backend at the first type it does not
        # know (beaker/cache.py:70), so an application that uses another one has imported us.
        from beaker_dynamodb import factory

        made_of = namespace, timeout, given, self.runtime
        is_session = "digest_filenames" in given
        self._session = factory.of_session(*made_of) if is_session else None
        self._cache = None if is_session else factory.of_cache(*made_of)

    def __getitem__(self, key: object) -> Any:
        if self._cache is not None:
            return _present(self._cache.get(key)).value
        return _present(self._session_store.load() if _is_session(key) else None)

    def __contains__(self, key: object) -> bool:
        if self._cache is not None:
            return self._cache.contains(key)
        return _is_session(key) and self._session_store.load() is not None

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
            self._session_store.save(value)
        else:
            raise OptionError("a session's manager keeps one text, under the key 'session'")

    def __delitem__(self, key: object) -> None:
        if self._cache is not None:
            self._cache.remove(key)
        elif _is_session(key):
            self._session_store.remove()

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
            self._session_store.remove()

    def acquire_read_lock(self) -> None:
        """Open a bracket in which each key of a cache is read once. It locks nothing."""
        if self._cache is not None:
            read_scope.enter(self._cache)

    def release_read_lock(self) -> None:
        """Close the bracket."""
        if self._cache is not None:
            read_scope.leave(self._cache)

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  # Beaker's signature
        """Open a bracket in which `in` is a real look, also in an outage. It locks nothing."""
        if self._cache is not None:
            read_scope.enter_write(self._cache)
        return True

    def release_write_lock(self) -> None:
        """Close the bracket."""
        if self._cache is not None:
            read_scope.leave_write(self._cache)

    def get_creation_lock(self, key: object) -> CreationLock | null_synchronizer:
        """Return the lock under which one maker fills a cache's miss."""
        return null_synchronizer() if self._cache is None else self._cache.lock(key)

    # For StrictSession

    @property
    def envelope(self) -> Envelope | None:
        """How the session's text opens, where it is not one of Beaker's plain kinds."""
        return self._session_store.envelope

    @envelope.setter
    def envelope(self, envelope: Envelope | None) -> None:
        self._session_store.envelope = envelope

    def forbid_pickles(self) -> None:
        """Never open a pickle of this session, as under `envelope = json`."""
        self._session_store.forbid_pickles()

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless somebody has written it since."""
        self._session_store.remove_if_unchanged()

    def take_over(self, former: DynamoDBNamespaceManager) -> bool:
        """Delete the row of this session's former id; False if it was logged out meanwhile."""
        from beaker_dynamodb.sessions import rotation  # at the first login, as the keepers

        return rotation.take_over(self._session_store, former._session_store)

    @property
    def _session_store(self) -> SessionStore:
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
