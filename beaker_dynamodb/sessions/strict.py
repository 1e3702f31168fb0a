"""StrictSession: an optional Beaker session class that rotates and removes ids for real.

What a NamespaceManager cannot see is done here: whose `invalidate()` it is, the application's
or Beaker's own, and which id a session had before. It works over Beaker's other backends too.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from beaker.container import NamespaceManager
from beaker.session import Session

from beaker_dynamodb import logs
from beaker_dynamodb.item.envelope import COOKIE_KEYS, TIME_KEYS, Comparison

log = logging.getLogger(__name__)

_ROW: Final = "session"
_ID_BYTES: Final = 16  # OWASP ASVS 5.0, 7.2.3 asks for 128 bits; uuid4 has 122
_UNOPENED: Final = (
    "a stored session cannot be opened in this process (did a deploy remove a class?); it is kept"
    " unchanged, and its visitor is not logged in here meanwhile"
)


class SessionEnvelope:
    """The session's own decrypt and encrypt, for Beaker's encrypt_key and custom serializers."""

    def __init__(self, session: StrictSession) -> None:
        self._session = session

    def open(self, text: str) -> dict[str, Any] | None:
        """Return the dict in *text*, None if it does not open."""
        try:
            values = self._session._decrypt_data(text)  # noqa: SLF001  # Beaker's hook
        except Exception:  # noqa: BLE001  # a serializer is anybody's code
            return None
        return values if type(values) is dict else None

    def close(self, values: Mapping[str, Any]) -> str:
        """Write *values* as the session itself would."""
        text: str = self._session._encrypt_data(dict(values))  # noqa: SLF001  # likewise
        return text

    def compare(self, base: str, ours: str) -> Comparison:  # noqa: ARG002  # the protocol's
        """Leave it to a comparison of what is inside: encrypted texts always differ.

        It is never new: StrictSession takes a fresh id if a session does not open.
        """
        return Comparison(None)


class StrictSession(Session):  # type: ignore[misc]  # Beaker ships no types
    """A session whose `delete`, `invalidate` and `regenerate_id` leave no row that still opens.

    Give it as `session.session_class`. An id from a cookie whose row does not exist is replaced
    by a fresh one of 128 bits, sent with the first save. A session without content is
    not stored. Beaker's own `invalidate()` after a failed load removes nothing.
    """

    cookie_expires: Any  # Beaker's
    is_new: bool  # likewise

    def __init__(self, *args: Any, **kw: Any) -> None:
        self._settled = False  # no longer in the hands of Beaker's constructor
        self._loading = 0
        self._stored = False
        self._unsure = False  # whether a save ended in an error, and may have been applied
        self._deleted = False
        self._rotated = False
        self._unread: NamespaceManager | None = (
            None  # of an id without a row, or whose row does not open
        )
        self._previous_managers: list[NamespaceManager] = []  # of the ids before `regenerate_id()`
        super().__init__(*args, **kw)
        self._settled = True

    @property
    def namespace(self) -> NamespaceManager:
        """The manager of this id; Beaker makes one per id, and asks whether there is one."""
        try:
            return self.__dict__["_namespace"]
        except KeyError:
            pass
        raise AttributeError("namespace")

    @namespace.setter
    def namespace(self, manager: NamespaceManager) -> None:
        self.__dict__["_namespace"] = manager
        custom = self.data_serializer not in ("pickle", "json")
        if hasattr(manager, "envelope") and (self.encrypt_key or custom):
            manager.envelope = SessionEnvelope(self)
        if hasattr(manager, "forbid_pickles") and self.data_serializer == "json":
            manager.forbid_pickles()

    def _create_id(self, set_new: bool = True) -> None:  # noqa: FBT001, FBT002  # Beaker's
        super()._create_id(set_new)
        self._deleted = self._unsure = False
        self.id = secrets.token_hex(_ID_BYTES)
        if self.use_cookies:
            self._update_cookie_out(set_cookie=not set_new)

    def load(self) -> None:
        """Load the session; an id without a row is replaced by a fresh one."""
        asked, was_new = self.id, self.is_new
        self._loading += 1
        # Beaker only ever sets it. A page may load what it has saved: that is no new session.
        self.is_new = False
        try:
            super().load()
        except BaseException:
            self.is_new = was_new
            raise
        finally:
            self._loading -= 1
        if self.id == asked:
            self._stored = not self.is_new
            if self.is_new and not self.was_invalidated:
                # Sent only with a save: a poll with the old cookie must not overwrite the
                # cookie of a login that is under way. A row that does not open in this process
                # stays for those that can open it.
                self._unread = self.namespace
                self._create_id()

    def _decrypt_data(self, session_data: Any) -> Any:
        """Open a session's text; one that does not open while Beaker loads it is a KeyError.

        To Beaker that is "no such session". Of other errors, as of a module that a deploy has taken
        away, it would make a fresh cookie at once, and another server could open the session.
        """
        try:
            return super()._decrypt_data(session_data)
        except Exception:  # unpickling runs any class's code
            if not self._loading or not self.invalidate_corrupt:
                raise
        logs.log_once_a_minute(log, _UNOPENED)
        raise KeyError("it cannot be opened")

    def invalidate(self) -> None:
        """Remove the session's row and begin anew, under a fresh id.

        Beaker calls this too. After a load that failed it removes nothing; after a time-out it
        removes the row unless another request has written it since.
        """
        if self._loading:
            self._remove_timed_out()
            self._begin_anew()
        elif self._settled:
            self._remove_rows()
            self._begin_anew()
            if self.use_cookies:
                self.request["set_cookie"] = True
        else:
            super().invalidate()

    def delete(self) -> None:
        """Remove the session's row at once, and send an expired cookie.

        What is saved after it is another session, under a fresh id and with a cookie of its own.
        """
        self._remove_rows()
        expires = self.cookie_expires
        super().delete()
        self.cookie_expires = expires  # which Beaker has put into the past (session.py:296)
        self._deleted = True

    def regenerate_id(self) -> None:
        """Save the session under a fresh id; the row of the old one goes when the page ends.

        Until then the browser has no other id than the old one: if the page fails, it goes on.
        """
        if self._stored:
            self._previous_managers.append(self.namespace)
        super().regenerate_id()
        self._rotated = True
        if self._previous_managers:
            try:
                self._save_under_new_id()
            except BaseException:
                # It is not certain that Beaker saves at the end, and the old row may still be
                # stored, or logged out: the cookie waits for a save that does all of it.
                if self.use_cookies:
                    self.request["set_cookie"] = False
                raise

    def save(self, accessed_only: bool = False) -> None:  # noqa: FBT001, FBT002  # Beaker's
        """Save the session, unless there is nothing in it; then remove the rows of its old ids."""
        if self._save(accessed_only):
            self._delete_previous_rows(accessed_only)

    def _save_under_new_id(self) -> None:
        """Save the session under its fresh id; delete the old row, unless a later save does."""
        self._save()
        self.accessed_dict = self.copy()  # else Beaker's last save would undo it
        if not self._saved_at_the_end:
            self._delete_previous_rows()

    @property
    def _saved_at_the_end(self) -> bool:
        """Tell whether Beaker saves whatever the page does, as it answers (session.py:863)."""
        return self.use_cookies and self.save_atime and not self.is_new

    def _save(self, accessed_only: bool = False) -> bool:  # noqa: FBT001, FBT002  # as `save`
        """Save this session alone; return False if there was nothing to save."""
        left = self.keys()
        may_be_stored = self._stored or self._unsure
        if (
            not may_be_stored
            and not self._previous_managers
            and left <= COOKIE_KEYS.union(TIME_KEYS)
        ):
            return False
        if left <= COOKIE_KEYS and not accessed_only:
            self._remove_rows()
            return False
        if self._deleted:
            self._create_id()
            self._begin_time()
        if accessed_only and (self.is_new or not self.save_atime):  # Beaker saves nothing then
            return False
        self._unsure = True  # until it has ended well
        super().save(accessed_only)
        self._unsure = False
        self._stored = True
        if self._rotated and self.use_cookies:
            self.request["set_cookie"] = True
        return True

    def _delete_previous_rows(self, accessed_only: bool = False) -> None:  # noqa: FBT001, FBT002  # as `save`
        """Delete the rows of the ids before `regenerate_id()`, now that the new row is stored."""
        while self._previous_managers:
            was_there = _replace_old_row(self.namespace, self._previous_managers[-1])
            manager = self._previous_managers.pop()
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
                self._previous_managers.append(manager)
                raise
            self._begin_anew()
            self.update(since)  # a login after regenerate_id() is one all the same
            self._save(accessed_only)

    def _begin_anew(self) -> None:
        """Be a new session under a fresh id, without asking the store for it."""
        self.clear()
        self.was_invalidated = True
        self._stored = False
        self._create_id()
        self._begin_time()
        self.accessed_dict = self.copy()

    def _begin_time(self) -> None:
        now = time.time()
        self.update(_creation_time=now, _accessed_time=now)

    def _remove_rows(self) -> None:
        """Delete the session's row, and those of previous ids that are still stored.

        Also one that could not be opened: its visitor logs out of it all the same.
        """
        if self._unread is not None:
            _remove(self._unread)
            self._unread = None
        while self._previous_managers:
            _remove(self._previous_managers[-1])
            self._previous_managers.pop()
        if self._stored or self._unsure:
            _remove(self.namespace)
        self._stored = self._unsure = False

    def _remove_timed_out(self) -> None:
        remove = getattr(self.namespace, "remove_if_unchanged", None)
        if remove is None:
            _remove(self.namespace)
        else:
            remove()


def _remove(namespace: NamespaceManager) -> bool:
    """Delete a session's row in any backend; False if there was none."""
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
