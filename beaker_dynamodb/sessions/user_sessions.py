"""UserSessions: what an application shows a user as "where am I signed in", and ends.

Sessions are found by the index of a special key, and each is then read consistently. So a session
that the index still shows, although it has ended, is not shown; one that began within the last
second may be missing. No session id leaves this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.parsers import BadValue, find_nearest, parse_seconds
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.dynamodb.user_rows import get_matching_rows
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError, raise_clean
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.item.envelope import ACCESSED, read_time
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Schema, promote
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.runtime import REAL, Runtime
from beaker_dynamodb.sessions import ending
from beaker_dynamodb.sessions.store import SessionSettings, SessionStore
from beaker_dynamodb.settings.beaker_settings import TYPES, remove_beakers, select_session

if TYPE_CHECKING:
    from beaker_dynamodb.item.envelope import Values

#: Hex digits of a handle: 128 bits, as many as a session id has.
_HANDLE_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class UserSession:
    """One live session of a user. Times are in epoch seconds.

    Args:
        handle: names the session for `UserSessions.end`; it is not the id, and opens nothing.
        created: when the session began; None if that cannot be read.
        last_seen: when it was last used, as roughly as `touch_after` says; None as above.
        expires: when it ends if it is not used again; None for never.
        is_current: whether it is the session at hand.
        labels: the special keys that were asked for, if the session has them.
    """

    handle: str
    created: float | None
    last_seen: float | None
    expires: float | None
    is_current: bool
    labels: Mapping[str, Attribute] = field(default_factory=dict)


class UserSessions:
    """The sessions of one user: to show them, and to end one, all others, all, or the oldest.

    Args:
        source: the session at hand (`request.session`, `environ["beaker.session"]`), or an
            application's settings with the names of an ini file.
        key: the special key that holds the user's id; it needs an index.
        value: the user's id; by default that of the session at hand.
        labels: special keys to show; they need no index.
        runtime: the clock, for tests; only with settings.

    Raises: OptionError, if *key* is not a special key with an index, or *value* not of its type.
    """

    def __init__(
        self,
        source: Any,
        key: str,
        value: object = None,
        *,
        labels: Iterable[str] = (),
        runtime: Runtime = REAL,
    ) -> None:
        is_session = hasattr(source, "namespace_args")
        self._session: Any = source if is_session else None
        self._store = _get_store(source) if is_session else None
        settings = self._store.settings if self._store else _parse_settings(source, runtime)
        self._rows: Rows = settings.rows
        self._lifetime = settings.lifetime
        self._name = key
        self._labels = tuple(labels)
        _check_names(self._rows, key, self._labels)
        own = _to_attribute(self._rows, key, source.get(key)) if is_session else None
        self._value = own if value is None else _to_attribute(self._rows, key, value)
        if self._value is None and (value is not None or not is_session):
            raise OptionError(
                f"special key {key!r}: its type in option special_keys does not hold"
                " this value; give the user's id"
            )
        #: Whether the session at hand is one of them.
        self._is_own_user = is_session and own is not None and own == self._value

    def __iter__(self) -> Iterator[UserSession]:
        """Yield the live sessions of the user, the last one used first.

        Raises: AccessRefused, naming the missing permission; OptionError, if the table has no such
        index; what the client raises.
        """
        found = [self._describe(row) for row in self._read_all()]
        return iter(sorted(found, key=lambda one: -(one.last_seen or 0)))

    def end(self, handle: str) -> bool:
        """End the session with this handle; return False if the user has no such session.

        The session at hand is deleted as by `session.delete()`. Raises: as `end_others`.
        """
        if self._value is None:
            return False
        if self._is_own_user and self._own_key and handle == _make_handle(self._own_key):
            self._session.delete()
            return True
        keys = [key for key in self._list_keys() if _make_handle(key) == handle]
        return self._end(self._get(keys)) > 0

    def end_others(self) -> int:
        """End all sessions of the user but the session at hand; return how many.

        The index may not show a session that began within the last second. So the session at hand
        repeats this once, in its first request after two seconds.

        Raises: Unavailable, if one is written faster than it can be deleted; what iterating raises.
        """
        if self._value is None:
            return 0
        if self._store is not None and self._is_own_user:
            now = self._rows.runtime.clock()
            self._store.pending = ending.make_note(self._name, self._value, now)
            if not self._session.save_atime:  # Beaker saves no session that was only read then
                self._session.save()
        return self._end(row for row in self._read_all() if row.key != self._own_key)

    def end_all(self) -> int:
        """End all sessions of the user, the session at hand too if it is one; return how many.

        Raises: as `end_others`.
        """
        ended = self._end(row for row in self._read_all() if row.key != self._own_key)
        if self._is_own_user:
            self._session.delete()
            ended += 1
        return ended

    def limit(self, count: int) -> int:
        """End the oldest sessions, so that at most *count* are left; return how many ended.

        The session at hand is one of those that are left.

        Raises: OptionError, if *count* is less than 1; otherwise as `end_others`.
        """
        if count < 1:
            raise OptionError("at least one session has to be left; end_all() ends all of them")
        others = [row for row in self._read_all() if row.key != self._own_key]
        others.sort(key=self._get_age_order)
        kept = count - 1 if self._is_own_user else count
        return self._end(others[: max(len(others) - kept, 0)])

    # Reading

    def _list_previous_keys(self) -> set[Key]:
        """Return the keys of the ids before a `regenerate_id()` of this request.

        StrictSession deletes these rows when the page ends. If they were gone by then, another
        request would have logged the session out, and it would end under its new id too.
        """
        managers = getattr(self._session, "previous_managers", ())
        return {manager.session_store.key for manager in managers}

    @property
    def _own_key(self) -> Key | None:
        return None if self._store is None else self._store.key

    def _list_keys(self) -> Iterator[Key]:
        if self._value is not None:
            yield from ending.list_keys(self._rows, self._name, self._value)

    def _read_all(self) -> list[ScannedRow]:
        """Read the user's live sessions, and the session at hand although no index shows it yet."""
        keys = list(self._list_keys())
        if self._store is not None and self._store.stored is not None and self._is_own_user:
            keys.append(self._store.key)
        previous = self._list_previous_keys()
        return list(self._get(key for key in dict.fromkeys(keys) if key not in previous))

    def _get(self, keys: Iterable[Key]) -> Iterator[ScannedRow]:
        if self._value is None:
            return
        now = self._rows.runtime.clock()
        yield from get_matching_rows(self._rows, list(keys), self._name, self._value, now)

    def _end(self, found: Iterable[ScannedRow]) -> int:
        if self._value is None:
            return 0
        return ending.end_rows(self._rows, found, self._name, self._value)

    def _describe(self, row: ScannedRow) -> UserSession:
        created, last_seen = self._read_times(row)
        return UserSession(
            _make_handle(row.key),
            created,
            last_seen,
            None if row.expires is None else float(row.expires),
            row.key == self._own_key,
            {name: row.promoted[name] for name in self._labels if name in row.promoted},
        )

    def _get_age_order(self, row: ScannedRow) -> tuple[float, float]:
        created, last_seen = self._read_times(row)
        return created or 0.0, last_seen or 0.0

    def _read_times(self, row: ScannedRow) -> tuple[float | None, float | None]:
        """Return when a session began and was last used.

        The row says when it began. The last use is in its text; if that cannot be read without
        running code, the row's expiry says when it was last written.
        """
        start = None if row.record is None else row.record.start
        created = None if start is None else float(start)
        last_seen = read_time(self._open(row) or {}, ACCESSED)
        if last_seen is None and row.expires is not None and self._lifetime is not None:
            written = float(row.expires) - self._lifetime
            last_seen = written if written <= self._rows.runtime.clock() else None
        return created, last_seen

    def _open(self, row: ScannedRow) -> Values | None:
        """Return a session's values, read without running code; None if that is not possible."""
        if row.record is None or row.record.chunk_count:
            return None
        options = self._rows.options
        try:
            value = self._rows.open(row.record)
        except DynamoDBBackendError:
            return None
        pickles = "json" if options.envelope == "json" else "auto"
        text = (value or b"").decode("utf-8", "surrogatepass")
        return load_session(text, pickles, options.max_value_size)


def _make_handle(key: Key) -> str:
    """Return a name of a session from which its id cannot be computed."""
    return hashlib.sha256(f"handle\0{key.hash}".encode("utf-8", "surrogatepass")).hexdigest()[
        :_HANDLE_DIGITS
    ]


def _get_store(session: Any) -> SessionStore:
    """Return the store of the session at hand; a session that was not saved yet gets one.

    Raises: OptionError, if its backend is another one.
    """
    manager = getattr(session, "namespace", None)
    if manager is None or manager.namespace != session.id:  # new, or just given a new id
        manager = session.namespace_class(
            session.id, data_dir=session.data_dir, digest_filenames=False, **session.namespace_args
        )
        session.namespace = manager
    store = getattr(manager, "session_store", None)
    if not isinstance(store, SessionStore):
        raise OptionError("UserSessions needs sessions of type ext:dynamodb")
    return store


def _parse_settings(settings: Mapping[str, Any], runtime: Runtime) -> SessionSettings:
    """Return what the sessions of an application with these settings share. No call is made.

    Raises: OptionError.
    """
    selected = select_session(settings)
    if selected.get("type") not in TYPES:
        raise OptionError("the settings have no line session.type = ext:dynamodb")
    rows = build_rows(
        sources.parse(remove_beakers(selected, "session"), "session"), "session", runtime
    )
    try:
        timeout = parse_seconds(selected["timeout"]) if selected.get("timeout") else None
    except BadValue as error:
        raise_clean(OptionError(f"Beaker's option 'timeout': expected {error}"))
    return SessionSettings.compute(
        rows, None if timeout is None else timeout + BEAKER_TIMEOUT_PADDING
    )


def _check_names(rows: Rows, key: str, labels: tuple[str, ...]) -> None:
    special, indexed = dict(rows.options.special_keys), dict(rows.options.indexed_keys)
    for name in (key, *labels):
        if name not in special:
            near = find_nearest(name, special)
            hint = f"did you mean {near!r}?" if near else f"write special_keys = {name}:S"
            raise OptionError(f"{name!r} is not one of the special keys; {hint}")
    if key not in indexed:
        raise OptionError(f"special key {key!r} has no index; option index_special_keys")


def _to_attribute(rows: Rows, name: str, value: object) -> Attribute | None:
    """Return a value as an index holds it; None if it cannot."""
    kind = dict(rows.options.special_keys)[name]
    return promote({name: value}, Schema(special=((name, kind),)))[0].get(name)
