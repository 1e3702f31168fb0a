"""A session's plain values, read out of its text without running any class's code.

For a row that nobody has opened yet: its times say when it expires, its special keys where an
index finds it. A class in a pickle becomes an inert stand-in, so a planted one does nothing.
"""

from __future__ import annotations

import binascii
import io
import math
import pickle
from typing import Any, Final

from beaker_dynamodb.item.bookkeeping import ACCESSED, PLACES
from beaker_dynamodb.item.envelope import JsonEnvelope, Values

#: What Beaker adds to a session's timeout before it hands it on (beaker/session.py:187).
BEAKERS_GRACE: Final = 120
_PICKLE: Final = b"\x80"


class _Inert:
    """Stands for an object of any class: it takes whatever a pickle does to it, and does nothing.

    It can be no key of an index and no number of seconds, so nothing is ever read from it.
    """

    def __new__(cls, *_: object, **__: object) -> Any:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def _ignore(self, *_: object, **__: object) -> _Inert:
        return self

    __call__ = __setstate__ = __setitem__ = append = extend = add = _ignore


class _Glancing(pickle.Unpickler):
    """Builds plain values and nothing else; no module is imported."""

    def find_class(self, _module: str, _name: str, /) -> Any:
        return _Inert


def plain_values(pickled: bytes) -> object:
    """Read what was pickled, each object of a class as an inert stand-in; None for garbage."""
    try:
        return _Glancing(io.BytesIO(pickled)).load()
    except Exception:  # noqa: BLE001  # garbage fails in many ways; no class of ours is run
        return None


def glance(text: str, most: int) -> Values | None:
    """Return the dict in a session's text, None where it is opaque.

    `most` is the ceiling of a value in bytes, inflated. Only texts, numbers and bytes in it are
    what the application stored.
    """
    try:
        raw = binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return None
    if not raw.startswith(_PICKLE):
        return JsonEnvelope(most).open(text)
    values = plain_values(raw)
    return values if type(values) is dict else None


def accessed(values: Values | None) -> float | None:
    """Read when the session was last accessed, in epoch seconds; None where nothing says so."""
    stamp = values.get(ACCESSED) if values else None
    if not isinstance(stamp, (int, float)) or isinstance(stamp, bool):
        return None
    try:
        return float(stamp) if math.isfinite(stamp) else None
    except OverflowError:  # an int beyond a float
        return None


def is_emptied(values: Values | None) -> bool:
    """Tell whether it is what Beaker's own delete() leaves behind: its bookkeeping, if that."""
    return values is not None and values.keys() <= PLACES


def expiry(since: float | None, lifetime: float | None, now: float) -> int | None:
    """Say when a row expires that was last saved at *since*, or at *now* where that is not known.

    Epoch seconds; None is never. `lifetime` is what Beaker hands over, or the option `ttl`.
    """
    if lifetime is None:
        return None
    return math.ceil(min(now if since is None else since, now) + lifetime)


def timed_out(since: float | None, timeout: float | None, now: float) -> bool:
    """Tell whether Beaker would end a session that was last accessed at *since*.

    `timeout` is Beaker's own, in seconds, without its grace (beaker/session.py:447).
    """
    return since is not None and timeout is not None and now - since > timeout
