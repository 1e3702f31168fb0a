"""UserSessions: shows the sessions of a user, as "where am I signed in" does, and ends them.

The index of a special key finds the sessions, and each is then read consistently. So a session
that has ended is not shown, although the index may still have it; one that began within the last
second may be missing. No session id leaves this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.parsers import find_nearest
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.dynamodb.user_rows import get_matching_rows
from beaker_dynamodb.errors import DynamoDBBackendError, OptionError
from beaker_dynamodb.item.envelope import ACCESSED, read_time
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Attribute, Schema, promote
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.runtime import REAL, Runtime
from beaker_dynamodb.sessions import ending
from beaker_dynamodb.sessions.store import SessionStore
from beaker_dynamodb.settings.beaker_settings import TYPES, remove_beakers, select_session

if TYPE_CHECKING:
    from beaker_dynamodb.item.envelope import Values

#: Hex digits of a handle: 128 bits, as many as a session id has.
_HANDLE_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class UserSession:
    """One live session of a user. Times are in epoch seconds.

    Args:
        handle: names the session for `UserSessions.end`; the id cannot be computed from it.
        created: when the session began; None if that cannot be read.
        last_seen: when it was last used: now for the session at hand, for others as roughly as
            `touch_after` says; in the last `timeout` before `max_age` ends it, up to that much
            earlier. None if that cannot be read: of a session over 400 KB, and of one with
            `encrypt_key` if there is no session at hand.
        expires: when its row expires if it is not used again; None for never.
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
    """The sessions of one user. Iterate over it to show them; its methods end some of them.

    Args:
        source: the session at hand (`request.session`, `environ["beaker.session"]`), or an
            application's settings with the names of an ini file.
        key: the special key that holds the user's id; it needs an index.
        value: the user's id; by default that of the session at hand.
        labels: special keys to show; they need no index.
        runtime: the clock, for tests; only with settings. None: that of this machine.

    Raises: OptionError, if *key* is not a special key with an index, or no index can hold the
    user's id.
    """

    def __init__(
        self,
        source: Any,
        key: str,
        value: object = None,
        *,
        labels: Iterable[str] = (),
        runtime: Runtime | None = None,
    ) -> None:
        is_session = hasattr(source, "namespace_args")
        self._session: Any = source if is_session else None
        self._store = _get_store(source) if is_session else None
        self._rows: Rows = self._store.rows if self._store else _build_rows(source, runtime or REAL)
        self._name = key
        self._labels = (labels,) if isinstance(labels, str) else tuple(labels)
        _check_names(self._rows, key, self._labels)
        given = source.get(key) if is_session else None
        own = _to_attribute(self._rows, key, given)
        self._value = own if value is None else _to_attribute(self._rows, key, value)
        wanted = value if value is not None else given or None  # False or "": nobody is logged in
        if self._value is None and (wanted is not None or not is_session):
            raise _make_id_error(self._rows, key, wanted)
        #: Whether the session at hand is one of them.
        self._is_own_user = is_session and own is not None and own == self._value

    def __iter__(self) -> Iterator[UserSession]:
        """Yield the live sessions of the user; the one that was used last comes first.

        One that timed out is among them until its row expires, 120 seconds after the time-out.

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
            # At the end of the page Beaker saves neither of these, unless the page asks for it.
            is_saved_before = self._session.is_new and self._store.stored is not None
            if is_saved_before or not self._session.save_atime:
                self._session.save()
        return self._end(self._read_others())

    def end_all(self) -> int:
        """End all sessions of the user, the session at hand too if it is one; return how many.

        Raises: as `end_others`.
        """
        ended = self._end(self._read_others())
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
        others = sorted(self._read_others(), key=self._get_age_order)
        kept = count - 1 if self._is_own_user else count
        return self._end(others[: max(len(others) - kept, 0)])

    # Reading

    @property
    def _own_key(self) -> Key | None:
        return None if self._store is None else self._store.key

    def _list_keys(self) -> Iterator[Key]:
        if self._value is not None:
            yield from ending.list_keys(self._rows, self._name, self._value)

    def _read_all(self) -> list[ScannedRow]:
        """Read the user's live sessions, and the session at hand although no index shows it yet."""
        keys = self._list_other_keys()
        if self._store is not None and self._store.stored is not None and self._is_own_user:
            keys.append(self._store.key)
        return list(self._get(keys))

    def _read_others(self) -> list[ScannedRow]:
        """Read the user's live sessions except the session at hand."""
        return list(self._get(self._list_other_keys()))

    def _list_other_keys(self) -> list[Key]:
        """List the keys that the index shows, except those of the session at hand.

        The rows of ids before a `regenerate_id()` of this request are left out, because
        StrictSession deletes them when the page ends. If they were gone by then, that would look
        like a logout by another request, and the session would end under its new id too.
        """
        managers = getattr(self._session, "previous_managers", ())
        own = {self._own_key, *(manager.session_store.key for manager in managers)}
        return [key for key in self._list_keys() if key not in own]

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
        is_current = row.key == self._own_key
        return UserSession(
            _make_handle(row.key),
            created,
            self._rows.runtime.clock() if is_current else last_seen,
            None if row.expires is None else float(row.expires),
            is_current,
            {name: row.promoted[name] for name in self._labels if name in row.promoted},
        )

    def _get_age_order(self, row: ScannedRow) -> tuple[float, float, str]:
        """Return a sort key by which the oldest session comes first.

        It must not change, and no two sessions may have the same: otherwise logins of the same
        second would each choose other sessions to keep, and together they would end all.
        """
        created, last_seen = self._read_times(row)
        if created is None:
            return 0.0, last_seen or 0.0, row.key.hash
        return created, 0.0, row.key.hash

    def _read_times(self, row: ScannedRow) -> tuple[float | None, float | None]:
        """Return when a session began and was last used; None for what cannot be read.

        The row says when it began, and the text both. The expiry does not say when it was last
        used: the session may have a lifetime of its own, or end at its longest age.
        """
        start = None if row.record is None else row.record.start
        created = None if start is None else float(start)
        return created, read_time(self._open(row) or {}, ACCESSED)

    def _open(self, row: ScannedRow) -> Values | None:
        """Return a session's values; None if they cannot be read.

        Those that Beaker encrypted are opened by the session at hand, which has the keys. All
        others are read without running code. Chunks are not read: they cost a hundred units.
        """
        if row.record is None or row.record.chunk_count:
            return None
        options = self._rows.options
        try:
            value = self._rows.open(row.record)
        except DynamoDBBackendError:
            return None
        text = (value or b"").decode("utf-8", "surrogatepass")
        if self._store is not None and self._store.envelope is not None:
            return self._store.envelope.open(text)
        pickles = "json" if options.envelope == "json" else "auto"
        return load_session(text, pickles, options.max_value_size)


def _make_handle(key: Key) -> str:
    """Return a name of a session from which its id cannot be computed."""
    # An emulator may return a key that is no valid Unicode.
    text = f"handle\0{key.hash}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:_HANDLE_DIGITS]


def _get_store(session: Any) -> SessionStore:
    """Return the store of the session at hand; create it if the session was not saved yet.

    Raises: OptionError, if the session is of another backend.
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
    is_custom = session.encrypt_key or session.data_serializer not in ("pickle", "json")
    if store.envelope is None and (is_custom or store.rows.options.envelope == "none"):
        raise OptionError(
            "UserSessions needs special keys, and the backend can read none of these sessions:"
            " they have envelope = none, or encrypt_key or a serializer of their own without"
            " StrictSession"
        )
    return store


def _build_rows(settings: Mapping[str, Any], runtime: Runtime) -> Rows:
    """Return the rows that the sessions of an application share. No call is made.

    Raises: OptionError.
    """
    if not hasattr(settings, "items") or hasattr(settings, "is_new"):  # such as a CookieSession
        raise OptionError(
            "UserSessions needs a session of type ext:dynamodb, or the application's settings;"
            f" this is a {type(settings).__name__}"
        )
    selected = select_session(settings)
    if selected.get("type") not in TYPES:
        raise OptionError("the settings have no line session.type = ext:dynamodb")
    options = sources.parse(remove_beakers(selected, "session"), "session")
    return build_rows(options, "session", runtime)


def _check_names(rows: Rows, key: str, labels: tuple[str, ...]) -> None:
    """Check that all are special keys, and that *key* has an index.

    Raises: OptionError.
    """
    special, indexed = dict(rows.options.special_keys), dict(rows.options.indexed_keys)
    for name in (key, *labels):
        if name not in special:
            near = find_nearest(name, special)
            hint = f"did you mean {near!r}?" if near else f"write special_keys = {name}:S"
            raise OptionError(f"{name!r} is not one of the special keys; {hint}")
    if key not in indexed:
        raise OptionError(f"special key {key!r} has no index; option index_special_keys")


def _make_id_error(rows: Rows, name: str, given: object) -> OptionError:
    """Return the error for a user's id that no index can hold; *given* None: there is none."""
    if given is None:
        return OptionError("with settings, UserSessions needs the user's id as its third argument")
    kind = dict(rows.options.special_keys)[name]
    return OptionError(
        f"special key {name!r} of type {kind} does not hold this user's id, a"
        f" {type(given).__name__}, so no index shows the user's sessions; store a text of up to"
        " 1,024 bytes under a key of type S"
    )


def _to_attribute(rows: Rows, name: str, value: object) -> Attribute | None:
    """Return a value as an index holds it; None if it cannot."""
    kind = dict(rows.options.special_keys)[name]
    return promote({name: value}, Schema(special=((name, kind),)))[0].get(name)
