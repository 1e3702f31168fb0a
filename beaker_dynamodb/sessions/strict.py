"""StrictSession: an optional Beaker session class that deletes a session's row when its id ends.

It does what a NamespaceManager cannot, because it does not know whether the application or Beaker
itself calls `invalidate()`, nor which ids a session had before. It also works with Beaker's other
backends.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from beaker.container import NamespaceManager

from beaker_dynamodb import logs
from beaker_dynamodb.errors import raise_clean
from beaker_dynamodb.item.envelope import BEAKER_KEYS, COOKIE_KEYS, LIFETIME, Comparison
from beaker_dynamodb.sessions.cookie_header import keep_cookie
from beaker_dynamodb.sessions.lifetime import SessionLifetime

log: Final = logging.getLogger(__name__)

_ROW: Final = "session"
_COOKIE_NAME: Final = "beaker.session.id"  # Beaker's default (beaker/session.py:151)
_ID_BYTES: Final = 16  # OWASP ASVS 5.0, 7.2.3 asks for 128 bits; uuid4 has 122
_UNOPENED: Final = (
    "a stored session cannot be opened in this process (did a deploy remove a class?); it is kept"
    " unchanged, and its visitor is not logged in here meanwhile"
)


class SessionEnvelope:
    """Opens and closes texts as the session does, for encrypt_key and custom serializers."""

    def __init__(self, session: StrictSession) -> None:
        self._session = session

    def open(self, text: str) -> dict[str, Any] | None:
        """Return the dict in *text*, None if it does not open."""
        try:
            values = self._session._decrypt_data(text)  # noqa: SLF001  # Beaker's hook
        except Exception:  # noqa: BLE001  # a serializer may raise any error
            return None
        return values if type(values) is dict else None

    def close(self, values: Mapping[str, Any]) -> str:
        """Return the text that the session would write for *values*."""
        text: str = self._session._encrypt_data(dict(values))  # noqa: SLF001  # likewise
        return text

    def compare(self, base: str, ours: str) -> Comparison:  # noqa: ARG002  # the protocol's
        """Return that the values must be compared, because encrypted texts always differ.

        It is never a new session under the same id, because StrictSession draws a new id if a
        session does not open.
        """
        return Comparison(None)


class StrictSession(SessionLifetime):
    """A session whose `delete`, `invalidate` and `regenerate_id` leave no row under the old id.

    Used as `session.session_class`. If the id in a cookie has no row, it is replaced by a new one
    of 128 bits, which is sent with the first save. A session without data is not stored. If Beaker
    itself calls `invalidate()` after a load that failed, nothing is deleted.
    """

    # Beaker's attributes that are assigned here
    id: str
    is_new: bool
    was_invalidated: bool
    accessed_dict: dict[str, Any]
    cookie_expires: Any

    def __init__(self, *args: Any, **kw: Any) -> None:
        #: Whether Beaker's constructor is done. Until then it may call `invalidate()` itself.
        self._is_constructed = False
        #: How many calls of `load()` are under way.
        self._loading = 0
        #: Whether there is a row under the present id.
        self._has_row = False
        #: Whether a save ended in an error, and may have been applied all the same.
        self._may_have_row = False
        self._deleted = False
        self._rotated = False
        #: The manager of an id whose row does not exist or does not open.
        self._unopened_manager: NamespaceManager | None = None
        #: The manager of the id before `regenerate_id()`, until there is one of the new id.
        self._rotated_manager: NamespaceManager | None = None
        #: The managers of the ids before each `regenerate_id()` whose rows are still stored.
        self.previous_managers: list[NamespaceManager] = []
        request = kw["request"] if "request" in kw else args[0]
        if request.get("cookie"):
            request["cookie"] = keep_cookie(request["cookie"], kw.get("key", _COOKIE_NAME))
        super().__init__(*args, **kw)
        self._is_constructed = True

    @property
    def namespace(self) -> NamespaceManager:
        """The manager of this id. Beaker creates one for each id, and asks by `hasattr`."""
        manager: NamespaceManager | None = self.__dict__.get("_namespace")
        if manager is None:
            raise AttributeError("namespace")
        return manager

    @namespace.setter
    def namespace(self, manager: NamespaceManager) -> None:
        self.__dict__["_namespace"] = manager
        if self._rotated_manager is not None and hasattr(manager, "continue_from"):
            manager.continue_from(self._rotated_manager)
        self._rotated_manager = None
        self._pass_lifetime_to(manager)
        custom = self.data_serializer not in ("pickle", "json")
        if hasattr(manager, "envelope") and (self.encrypt_key or custom):
            manager.envelope = SessionEnvelope(self)
        if hasattr(manager, "forbid_pickles") and self.data_serializer == "json":
            manager.forbid_pickles()

    def _create_id(self, set_new: bool = True) -> None:  # noqa: FBT001, FBT002  # Beaker's
        super()._create_id(set_new)
        self._deleted = self._may_have_row = False
        self.id = secrets.token_hex(_ID_BYTES)
        if self.use_cookies:
            self._update_cookie_out(set_cookie=not set_new)

    def load(self) -> None:
        """Load the session; an id without a row is replaced by a new one."""
        requested_id, was_new = self.id, self.is_new
        self._loading += 1
        # Beaker sets this and never resets it. But a page may load a session that it has saved.
        self.is_new = False
        try:
            super().load()
        except BaseException:
            self.is_new = was_new
            raise
        finally:
            self._loading -= 1
        if self.id == requested_id:
            self._has_row = not self.is_new
            if self.is_new and not self.was_invalidated:
                # The new id is sent only with a save: the response to a poll with the old cookie
                # must not overwrite the cookie of a login at the same time. A row that does not
                # open in this process is kept for those that can open it.
                self._unopened_manager = self.namespace
                self._create_id()

    def _decrypt_data(self, session_data: Any) -> Any:
        """Open a session's text. While Beaker loads it, any error becomes a KeyError.

        For Beaker a KeyError means "no such session". After any other error, as of a module that a
        deploy has removed, it would send a new cookie at once, although other servers can still
        open the session.
        """
        try:
            values = super()._decrypt_data(session_data)
        except Exception:  # unpickling runs the code of any class
            if not self._loading or not self.invalidate_corrupt:
                raise
            logs.log_once_a_minute(log, _UNOPENED)
            raise_clean(KeyError("it cannot be opened"))
        if self._loading and isinstance(values, Mapping):
            self._adopt(values)
        return values

    def invalidate(self) -> None:
        """Delete the session's row, and begin a new session under a new id.

        If Beaker itself calls this because the session has timed out, the row is deleted unless
        another request has written it since. If it does because a load failed, nothing is deleted.
        """
        if self._loading:
            self._remove_timed_out()
            self._begin_anew()
        elif self._is_constructed:
            self._remove_rows()
            self._begin_anew()
            if self.use_cookies:
                self.request["set_cookie"] = True
        else:
            super().invalidate()

    def delete(self) -> None:
        """Delete the session's row at once, and send an expired cookie.

        Data that are saved afterwards make another session, with a new id and cookie.
        """
        self._remove_rows()
        expires = self.cookie_expires
        super().delete()
        self.cookie_expires = expires  # Beaker sets it to the past (session.py:296)
        self._deleted = True

    def regenerate_id(self) -> None:
        """Save the session under a new id. The row of the old id is deleted when the page ends.

        The browser gets the new id with the response; if the page fails, it still has the old one.
        """
        if self._has_row:
            self.previous_managers.append(self.namespace)
        super().regenerate_id()
        self._rotated_manager, self._rotated = self.__dict__.get("_namespace"), True
        if self.previous_managers:
            try:
                self._save_under_new_id()
            except BaseException:
                # The cookie is sent by a later save that succeeds, if Beaker makes one. Until then
                # it is unknown whether the new row is stored, and whether the old one still is.
                if self.use_cookies:
                    self.request["set_cookie"] = False
                raise

    def save(self, accessed_only: bool = False) -> None:  # noqa: FBT001, FBT002  # Beaker's
        """Save the session, unless it holds no data; then delete the rows of its previous ids."""
        if self._save(accessed_only):
            self._delete_previous_rows(accessed_only)

    def _save_under_new_id(self) -> None:
        """Save the session under its new id; delete the old row, unless a later save does."""
        self._save()
        self.accessed_dict = self.copy()  # Beaker's save at the end would write the old values
        if not self._is_saved_at_the_end:
            self._delete_previous_rows()

    @property
    def _is_saved_at_the_end(self) -> bool:
        """Return whether Beaker saves at the end of every page (beaker/session.py:863)."""
        return self.use_cookies and self.save_atime and not self.is_new

    def _save(self, accessed_only: bool = False) -> bool:  # noqa: FBT001, FBT002  # as `save`
        """Save this session, not its previous rows; return False if nothing was saved."""
        keys = self.keys()
        has_row = self._has_row or self._may_have_row or self.previous_managers
        if not has_row and keys <= BEAKER_KEYS | {LIFETIME}:
            return False
        if keys <= COOKIE_KEYS and not accessed_only:
            self._remove_rows()
            return False
        if self._own_lifetime and LIFETIME not in (self.accessed_dict if accessed_only else self):
            self._drop_lifetime()
        if self._deleted:
            self._create_id()
            self._begin_time()
        if accessed_only and (self.is_new or not self.save_atime):  # Beaker saves nothing then
            return False
        self._may_have_row = True
        expires = getattr(self.__dict__.get("_namespace"), "row_expires", None)
        super().save(accessed_only)
        self._may_have_row = False
        self._has_row = True
        self._refresh_cookie(expires)
        if self._rotated and self.use_cookies:
            self.request["set_cookie"] = True
        return True

    def _delete_previous_rows(self, accessed_only: bool = False) -> None:  # noqa: FBT001, FBT002  # as `save`
        """Delete the rows of the ids before `regenerate_id()`, now that the new row is stored."""
        while self.previous_managers:
            was_there = _replace_old_row(self.namespace, self.previous_managers[-1])
            manager = self.previous_managers.pop()
            if was_there:
                continue
            # The session was logged out meanwhile, so nothing of it may live on under the new id.
            # If deleting the new row fails, the old manager is kept: the next save must see the
            # logout again, or it would bring the session back.
            before = self.accessed_dict
            since = {k: v for k, v in self.items() if k not in before or before[k] is not v}
            try:
                self._remove_rows()
            except BaseException:
                self.previous_managers.append(manager)
                raise
            self._begin_anew()
            self.update(since)  # a login after regenerate_id() is kept
            self._save(accessed_only)

    def _begin_anew(self) -> None:
        """Become a new session under a new id, without a load."""
        self.clear()
        self.was_invalidated = True
        self._has_row = False
        self._follow(None)
        self._create_id()
        self._begin_time()
        self.accessed_dict = self.copy()

    def _begin_time(self) -> None:
        now = time.time()
        self.update(_creation_time=now, _accessed_time=now)

    def _remove_rows(self) -> None:
        """Delete the session's row, and those of its previous ids.

        Also a row that could not be opened: its user logs out of that session, too.
        """
        if self._unopened_manager is not None:
            _remove(self._unopened_manager)
            self._unopened_manager = None
        while self.previous_managers:
            _remove(self.previous_managers[-1])
            self.previous_managers.pop()
        if self._has_row or self._may_have_row:
            _remove(self.namespace)
        self._has_row = self._may_have_row = False

    def _remove_timed_out(self) -> None:
        remove = getattr(self.namespace, "remove_if_unchanged", None)
        if remove is None:
            _remove(self.namespace)
        else:
            remove()


def _remove(namespace: NamespaceManager) -> bool:
    """Delete a session's row in any backend; return False if there was none."""
    namespace.acquire_write_lock()
    try:
        del namespace[_ROW]
    except KeyError:
        return False
    finally:
        namespace.release_write_lock()
    return True


def _replace_old_row(namespace: NamespaceManager, previous: NamespaceManager) -> bool:
    """Delete the row of the *previous* id; return False if it was gone already."""
    replace: Callable[[NamespaceManager], bool] | None
    replace = getattr(namespace, "replace_old_row", None)
    return _remove(previous) if replace is None else replace(previous)
