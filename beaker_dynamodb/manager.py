"""The namespace manager: Beaker's interface to a store, which does the work.

It serves a session if Beaker passes it `digest_filenames`, which session.py always does and
nothing else ever; otherwise a cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

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
    """The backend `type = ext:dynamodb`. docs/options.md lists its options.

    Raises: OptionError, if one of them is unknown or malformed, or contradicts another.
    """

    #: The clock, sleep and randomness; tests replace it.
    runtime: ClassVar[Runtime] = REAL

    def __init__(self, namespace: object, timeout: object = None, **given: object) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        # Imported here because Beaker imports every installed backend at the first type that it
        # does not know (beaker/cache.py:70), also if the application uses another backend.
        from beaker_dynamodb.factory import create_store

        self._store = create_store(
            namespace, timeout, given, self.runtime, is_session="digest_filenames" in given
        )

    def __getitem__(self, key: object) -> Any:
        entry = self._store.get(key)
        if entry is None:  # the only KeyError that this package raises on purpose
            raise KeyError("not found")
        return entry.value

    def __contains__(self, key: object) -> bool:
        return self._store.contains(key)

    def has_key(self, key: object) -> bool:
        """Return whether there is a value that has not expired."""
        return self._store.has_fresh(key)

    def __setitem__(self, key: object, value: Any) -> None:
        self._store.put(key, value, None)

    def set_value(self, key: object, value: Any, expiretime: float | None = None) -> None:
        """Store a value. *expiretime* is the lifetime in seconds, for caches only."""
        self._store.put(key, value, expiretime)

    def __delitem__(self, key: object) -> None:
        self._store.remove(key)

    def keys(self) -> list[str]:
        """Return the keys of the values that can be served, stale ones of a cache included."""
        return list(self._store.keys())

    def do_remove(self) -> None:
        """Delete every row of this namespace."""
        self._store.clear()

    def acquire_read_lock(self) -> None:
        """Open a read scope, in which each key of a cache is read once. Nothing is locked."""
        self._store.open_scope()

    def release_read_lock(self) -> None:
        """Close the read scope."""
        self._store.close_scope()

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  # Beaker's signature
        """Open a write scope, in which `in` reads the row also in an outage. Nothing is locked."""
        self._store.open_write_scope()
        return True

    def release_write_lock(self) -> None:
        """Close the write scope."""
        self._store.close_write_scope()

    def get_creation_lock(self, key: object) -> CreationLock | null_synchronizer:
        """Return the lock that one thread holds while it creates a missing value."""
        return self._store.lock(key)

    # For StrictSession

    @property
    def envelope(self) -> Envelope | None:
        """What decrypts the session's text, if that is neither plain pickle nor JSON."""
        return self.session_store.envelope

    @envelope.setter
    def envelope(self, envelope: Envelope | None) -> None:
        self.session_store.envelope = envelope

    def forbid_pickles(self) -> None:
        """Never open a pickle of this session, as with `envelope = json`."""
        self.session_store.forbid_pickles()

    def remove_if_unchanged(self) -> None:
        """Delete the row of a session that timed out, unless another request has written it."""
        self.session_store.delete_if_unchanged()

    @property
    def own_timeout(self) -> float | None:
        """The timeout that this session alone has, in seconds; None if it has the setting's."""
        return self.session_store.own_timeout

    @own_timeout.setter
    def own_timeout(self, seconds: float | None) -> None:
        self.session_store.own_timeout = seconds

    @property
    def row_expires(self) -> float | None:
        """When the stored row expires, in epoch seconds; None if there is none, or for never."""
        stored = self.session_store.stored
        return None if stored is None else stored.record.expires

    def restart_lifetime(self) -> None:
        """Begin the session anew for option `max_age`, with the next save."""
        self.session_store.restarts = True

    def continue_from(self, old: DynamoDBNamespaceManager) -> None:
        """Take over the start of the session, now that its id is not that of *old* any more."""
        self.session_store.continue_from(old.session_store)

    def replace_old_row(self, old: DynamoDBNamespaceManager) -> bool:
        """Replace the row of this session's old id; return False if it was deleted meanwhile."""
        from beaker_dynamodb.sessions import rotation  # at the first login

        return rotation.replace_old_row(self.session_store, old.session_store)

    @property
    def session_store(self) -> SessionStore:
        """The store of this session, for StrictSession and UserSessions.

        Raises: OptionError, if this manager serves a cache.
        """
        from beaker_dynamodb.sessions.store import SessionStore

        if not isinstance(self._store, SessionStore):
            raise OptionError("this manager serves a cache, not a session")
        return self._store
