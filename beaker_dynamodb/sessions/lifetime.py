"""How long one session lives: the part of StrictSession that an application's login page calls.

A session's own lifetime is one of its values, under `_lifetime`. So it survives a merge, a new id
and another backend, and every request follows it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from beaker.exceptions import BeakerException

from beaker_dynamodb.config.parsers import BadValue, parse_positive_seconds
from beaker_dynamodb.errors import OptionError, raise_clean
from beaker_dynamodb.item.envelope import CREATED, LIFETIME, read_time

_DAY: Final = 86400.0

if TYPE_CHECKING:

    class _Session(dict[str, Any]):
        """What is used of Beaker's class here, as Beaker ships no types."""

        request: dict[str, Any]
        use_cookies: bool
        save_atime: bool
        invalidate_corrupt: bool
        data_serializer: Any
        encrypt_key: Any
        accessed_dict: dict[str, Any]
        cookie_expires: Any

        def __init__(self, *args: Any, **kw: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def _create_id(self, set_new: Any, /) -> None: ...
        def _decrypt_data(self, session_data: Any) -> Any: ...
        def load(self) -> None: ...
        def save(self, accessed_only: Any, /) -> None: ...
        def invalidate(self) -> None: ...
        def delete(self) -> None: ...
        def regenerate_id(self) -> None: ...

else:
    from beaker.session import Session as _Session


class SessionLifetime(_Session):
    """A session that can have a lifetime of its own.

    Beaker assigns `timeout` in its constructor, and reads it in each load.
    """

    cookie_expires: Any  # Beaker's attribute, which is assigned here

    def __init__(self, *args: Any, **kw: Any) -> None:
        #: Beaker's setting `timeout`, in seconds; None: never.
        self._configured_timeout: float | None = None
        #: Beaker's setting, while `cookie_expires` follows a lifetime of this session.
        self._configured_cookie: Any = None
        #: The lifetime of this session alone, in seconds; None: `timeout` is that of the setting.
        self._own_lifetime: float | None = None
        #: Whether Beaker's constructor has assigned the setting.
        self._is_configured = False
        super().__init__(*args, **kw)

    @property
    def timeout(self) -> float | None:
        """The seconds without use after which the session ends; None: never.

        An assignment is one to `lifetime`.
        """
        return self._configured_timeout if self._own_lifetime is None else self._own_lifetime

    @timeout.setter
    def timeout(self, seconds: Any) -> None:
        if self._is_configured:
            self.lifetime = seconds
        else:
            self._configured_timeout, self._is_configured = seconds, True

    @property
    def lifetime(self) -> float | None:
        """The seconds without use after which this session ends; None: as the setting says.

        The row, Beaker's time-out and the cookie follow it. It may be longer or shorter than the
        setting, and is saved when the page ends, without `save()`. None restores the setting.

        Raises: OptionError, if it is not a duration above zero; BeakerException, if
        `save_accessed_time` is false.
        """
        return self._own_lifetime

    @lifetime.setter
    def lifetime(self, seconds: Any) -> None:
        if not self.save_atime:
            raise BeakerException("a lifetime requires save_accessed_time")
        if seconds is None:
            for values in (self, self.accessed_dict):
                values.pop(LIFETIME, None)
        else:
            try:
                seconds = parse_positive_seconds(seconds)
            except BadValue as error:
                raise_clean(OptionError(f"a session's lifetime: expected {error}"))
            # Beaker saves what it has loaded, unless the application calls `save()`.
            self[LIFETIME] = self.accessed_dict[LIFETIME] = seconds
        self._follow(seconds)
        if self.use_cookies:
            self._update_cookie_out()

    def remember(self, days: float = 30) -> None:
        """Keep the user signed in until so many days have passed without use.

        Raises: as an assignment to `lifetime`.
        """
        try:
            seconds = float(days) * _DAY
        except (TypeError, ValueError, OverflowError):
            raise_clean(OptionError("remember(days): expected a number of days above zero"))
        self.lifetime = seconds

    def restart_lifetime(self) -> None:
        """Begin option `max_age` anew, as for a login: the session starts now.

        It is saved when the page ends, or with `save()` if `save_accessed_time` is false.
        """
        self[CREATED] = self.accessed_dict[CREATED] = time.time()
        manager: Any = self.__dict__.get("_namespace")
        if hasattr(manager, "restart_lifetime"):
            manager.restart_lifetime()

    def _adopt(self, values: Mapping[str, Any]) -> None:
        """Adopt the lifetime in a session that is being loaded, before Beaker reads `timeout`."""
        seconds = read_time(values, LIFETIME)
        self._follow(seconds if seconds is not None and seconds > 0 else None)

    def _follow(self, seconds: float | None) -> None:
        """Have the time-out, the row and the cookie follow a lifetime; None: the settings.

        Beaker's cookie ends with the browser or as configured; with a lifetime it ends after that.
        """
        self._own_lifetime = seconds
        if seconds is not None:
            if self._configured_cookie is None:
                self._configured_cookie = self.cookie_expires
            self.cookie_expires = timedelta(seconds=seconds)
        elif self._configured_cookie is not None:
            self.cookie_expires, self._configured_cookie = self._configured_cookie, None
        self._pass_lifetime_to(self.__dict__.get("_namespace"))

    def _drop_lifetime(self) -> None:
        """Take the settings again after `clear()` or `delete()`, which took the lifetime away.

        What is saved then is often the session of another user, who did not ask for it.
        """
        self._follow(None)
        if self.use_cookies:
            self._update_cookie_out()

    def _pass_lifetime_to(self, manager: Any) -> None:
        """Have the manager's next save give the row this session's own lifetime."""
        if hasattr(manager, "own_timeout"):
            manager.own_timeout = self._own_lifetime

    def _refresh_cookie(self, expires_before: float | None) -> None:
        """Send the cookie again after a save that moved the expiry of the row.

        A browser would otherwise forget it at the end of the first lifetime. It is not sent with
        every response: that of a slow poll must not overwrite the cookie of a login meanwhile.

        Args: *expires_before* is the row's expiry before the save, in epoch seconds.
        """
        if self._own_lifetime is None or not self.use_cookies:
            return
        expires = getattr(self.__dict__.get("_namespace"), "row_expires", None)
        if expires is not None and expires != expires_before:
            left = min(self._own_lifetime, max(expires - time.time(), 0))
            self.cookie_expires = timedelta(seconds=left)
            self._update_cookie_out()
