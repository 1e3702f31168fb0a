"""Beaker's verbs and nothing else: arguments in, text or KeyError out.

A manager serves a session if Beaker passed it `digest_filenames`, which only its session.py
does, and always; otherwise a cache. Everything else is handed on.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, ClassVar

from beaker.exceptions import InvalidCacheBackendError
from beaker.synchronization import null_synchronizer

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.runtime import REAL, Runtime

if TYPE_CHECKING:
    from beaker_dynamodb.caches.creation_lock import CreationLock
    from beaker_dynamodb.item.envelope import Envelope
    from beaker_dynamodb.sessions.store import SessionStore

    class _NamespaceManager:
        """The base class, as Beaker ships no types. All that is not overridden here is Any."""

        def __init__(self, namespace: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    from beaker.container import NamespaceManager as _NamespaceManager


class DynamoDBNamespaceManager(_NamespaceManager):
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
        from beaker_dynamodb.factory import create_store

        self._store = create_store(
            namespace, timeout, given, self.runtime, is_session="digest_filenames" in given
        )

    def __getitem__(self, key: object) -> Any:
        entry = self._store.get(key)
        if entry is None:  # the only place that says "not found" in Beaker's way
            raise KeyError("not found")
        return entry.value

    def __contains__(self, key: object) -> bool:
        return self._store.contains(key)

    def has_key(self, key: object) -> bool:
        """Tell whether there is a value that has not expired."""
        return self._store.has_fresh(key)

    def __setitem__(self, key: object, value: Any) -> None:
        self._store.put(key, value, None)

    def set_value(self, key: object, value: Any, expiretime: float | None = None) -> None:
        """Store a value; *expiretime* is in seconds, and for caches only."""
        self._store.put(key, value, expiretime)

    def __delitem__(self, key: object) -> None:
        self._store.remove(key)

    def keys(self) -> list[str]:
        """List the keys of what has not expired."""
        return list(self._store.keys())

    def do_remove(self) -> None:
        """Remove everything in this namespace, and nothing of any other."""
        self._store.clear()

    def acquire_read_lock(self) -> None:
        """Open a read scope, in which each key of a cache is read once. It locks nothing."""
        self._store.open_scope()

    def release_read_lock(self) -> None:
        """Close the read scope."""
        self._store.close_scope()

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  # Beaker's signature
        """Open a write scope, in which `in` is a real read, also in an outage. It locks nothing."""
        self._store.open_write_scope()
        return True

    def release_write_lock(self) -> None:
        """Close the write scope."""
        self._store.close_write_scope()

    def get_creation_lock(self, key: object) -> CreationLock | null_synchronizer:
        """Return the lock under which one maker fills a cache's miss."""
        return self._store.lock(key)

    # For StrictSession

    @property
    def envelope(self) -> Envelope | None:
        """How the session's text opens, where it is not one of Beaker's plain kinds."""
        return self._session.envelope

    @envelope.setter
    def envelope(self, envelope: Envelope | None) -> None:
        self._session.envelope = envelope

    def forbid_pickles(self) -> None:
        """Never open a pickle of this session, as under `envelope = json`."""
        self._session.forbid_pickles()

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless somebody has written it since."""
        self._session.delete_if_unchanged()

    def replace_old_row(self, old: DynamoDBNamespaceManager) -> bool:
        """Replace the row of this session's old id; False if it was logged out meanwhile."""
        from beaker_dynamodb.sessions import rotation  # at the first login

        return rotation.replace_old_row(self._session, old._session)

    @property
    def _session(self) -> SessionStore:
        from beaker_dynamodb.sessions.store import SessionStore

        if not isinstance(self._store, SessionStore):
            raise OptionError("this manager serves a cache, not a session")
        return self._store
