"""What a request may do in the model, as the application's code for it.

Each value that a page sets tells who was logged in when the session was loaded, and its key which
request it was: request A sets `A1` to `ann:A`. So a value tells whose it is wherever it turns up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from beaker_dynamodb import UserSessions

#: The key of the first session that is neither a request's nor the user's, and its value.
CART: Final = "cart"
CART_VALUE: Final = "ann:base"
#: For how many days a page keeps its user signed in.
DAYS: Final = 30


@dataclass(frozen=True)
class Page:
    """One kind of request.

    Args:
        sets: the keys that it sets, after the name of the request.
        reads_only: it does not save.
        ends: it logs out the user whose session it has loaded.
        clears: it empties the session, which stays the same one.
        rotates: it gives the session another id.
        logs_in: it makes the session Bob's.
        drops: it removes every key but the user's, as one who empties a cart.
        is_elsewhere: it comes from Ann's other device, which has another session.
        ends_other: it ends the session of the device that it does not come from.
        repeats: it does so once more when it comes back.
        remembers: it keeps the user signed in for 30 days.
        begins_anew: it is a login of Ann with a new session.
    """

    name: str
    act: Callable[[Any, str], bool | None]
    sets: tuple[str, ...] = ()
    reads_only: bool = False
    ends: bool = False
    clears: bool = False
    rotates: bool = False
    logs_in: bool = False
    drops: bool = False
    is_elsewhere: bool = False
    ends_other: bool = False
    repeats: bool = False
    remembers: bool = False
    begins_anew: bool = False

    def may_undo(self, other: Page) -> bool:
        """Return whether it may take away what another request has changed."""
        if self.is_elsewhere is not other.is_elsewhere:
            return self.ends_other
        return self.ends or self.clears or self.begins_anew


@dataclass
class Visit:
    """What came of a request: what it saw, its error, and the cookie that was sent."""

    page: Page
    #: What the session held when it was loaded.
    seen: dict[str, Any] = field(default_factory=dict)
    loaded: bool = False
    error: str = ""
    #: Whether it was told that the other session has ended.
    has_ended_other: bool = False
    #: The id in the cookie of the response; None if it has no cookie.
    cookie: str | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether the response was no error."""
        return self.loaded and not self.error


def _read(session: Any, actor: str) -> None:
    session.get(actor)


def _change(session: Any, actor: str) -> None:
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _drop(session: Any, actor: str) -> None:
    del actor
    for key in [key for key in session if key != "user" and not key.startswith("_")]:
        del session[key]
    session.save()


def _log_out(session: Any, actor: str) -> None:
    del actor
    session.delete()


def _clear(session: Any, actor: str) -> None:
    value = _sign(session, actor, f"bob{actor}")
    session.clear()
    session["user"] = f"bob{actor}"
    session[f"{actor}1"] = value
    session.save()


def _switch(session: Any, actor: str) -> None:
    session.delete()
    session["user"] = f"bob{actor}"
    session[f"{actor}1"] = _sign(session, actor, f"bob{actor}")
    session.save()


def _rotate(session: Any, actor: str) -> None:
    session.regenerate_id()
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _save_twice(session: Any, actor: str) -> None:
    session[f"{actor}1"] = _sign(session, actor)
    session._session().save()  # the proxy saves when the page has ended
    session[f"{actor}2"] = _sign(session, actor)
    session.save()


def _log_in(session: Any, actor: str) -> None:
    session.invalidate()
    session["user"] = "ann"
    session[f"{actor}1"] = _sign(session, actor)
    session.save()


def _sign_in(session: Any, actor: str) -> None:
    if "user" not in session:
        session["user"] = f"bob{actor}"
    _change(session, actor)


def _remember(session: Any, actor: str) -> None:
    del actor
    session.remember(DAYS)


def _end_others(session: Any, actor: str) -> bool:
    del actor
    UserSessions(session, "user").end_others()
    return True


def _end_one(session: Any, actor: str) -> bool:
    del actor
    return UserSessions(session, "user").end(session["_other_handle"])


def _sign(session: Any, actor: str, user: str | None = None) -> str:
    return f"{user or session.get('user')}:{actor}"


READ: Final = Page("read", _read, reads_only=True)
CHANGE: Final = Page("change", _change, ("1",))
DROP: Final = Page("remove keys", _drop, drops=True)
SAVE_TWICE: Final = Page("save twice", _save_twice, ("1", "2"))
LOG_OUT: Final = Page("log out", _log_out, ends=True)
CLEAR: Final = Page("clear and log in", _clear, ("1",), clears=True, logs_in=True)
#: Only StrictSession begins another session after `delete()`; under Beaker's own it is a clear.
SWITCH: Final = Page("log out and log in", _switch, ("1",), ends=True, logs_in=True)
#: Only StrictSession takes the session away from its old id.
ROTATE: Final = Page("rotate", _rotate, ("1",), rotates=True)
PAGES: Final = (READ, CHANGE, DROP, SAVE_TWICE, LOG_OUT, CLEAR, SWITCH, ROTATE)

#: Only StrictSession stores a lifetime.
REMEMBER: Final = Page("remember", _remember, remembers=True)
#: A login of Ann with a new session. The old one is deleted under StrictSession only.
LOG_IN: Final = Page("log in again", _log_in, ("1",), rotates=True, begins_anew=True)
#: A login of Bob that neither clears the session nor gives it another id, if nobody is logged in.
SIGN_IN: Final = Page("sign in", _sign_in, ("1",), logs_in=True)
END_OTHERS: Final = Page(
    "end others", _end_others, is_elsewhere=True, ends_other=True, repeats=True
)
END_ONE: Final = Page("end one", _end_one, is_elsewhere=True, ends_other=True)
ROTATE_ELSEWHERE: Final = replace(ROTATE, name="rotate elsewhere", is_elsewhere=True)
CHANGE_ELSEWHERE: Final = replace(CHANGE, name="change elsewhere", is_elsewhere=True)
COME_BACK: Final = Page("come back", _read, is_elsewhere=True)
#: What Beaker's own session cannot do, or does otherwise.
STRICT_PAGES: Final = (SWITCH, ROTATE, ROTATE_ELSEWHERE, REMEMBER)
