"""What a request may do in the model, as the application's code for it.

Each value that a page sets tells who was logged in when the session was loaded, and its key which
request it was: request A sets `A1` to `ann:A`. So a value tells whose it is wherever it turns up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

#: The key of the first session that is neither a request's nor the user's, and its value.
CART: Final = "cart"
CART_VALUE: Final = "ann:base"


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
    """

    name: str
    act: Callable[[Any, str], None]
    sets: tuple[str, ...] = ()
    reads_only: bool = False
    ends: bool = False
    clears: bool = False
    rotates: bool = False
    logs_in: bool = False
    drops: bool = False


@dataclass
class Visit:
    """What came of a request: what it saw, its error, and the cookie that was sent."""

    page: Page
    #: What the session held when it was loaded.
    seen: dict[str, Any] = field(default_factory=dict)
    loaded: bool = False
    error: str = ""
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
PLAIN_PAGES: Final = (READ, CHANGE, DROP, SAVE_TWICE, LOG_OUT, CLEAR)
PAGES: Final = (*PLAIN_PAGES, SWITCH, ROTATE)
