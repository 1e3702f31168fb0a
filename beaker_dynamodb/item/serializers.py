"""How a cache's values become bytes: pickle, JSON, or an object of the application's own.

Sessions have no part in this: their text is Beaker's. The codec's header says which of these
wrote a row, and a row of another one is a miss, so a JSON cache never unpickles.
"""

from __future__ import annotations

import json
import pickle
from importlib import import_module
from typing import Any, Final, Protocol

from beaker_dynamodb.errors import OptionError, shown
from beaker_dynamodb.item import codec


class Serializer(Protocol):
    """Any object that turns values into bytes and back."""

    def dumps(self, value: Any) -> bytes:
        """Write a value."""

    def loads(self, data: bytes) -> Any:
        """Read a value."""


class Pickle:
    """Beaker's own habit: anything that pickles. Whoever writes the table can run code here."""

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def loads(self, data: bytes) -> Any:
        """Read a value."""
        return pickle.loads(data)  # noqa: S301  # option serializer = json is the cure


class Json:
    """JSON: tuples come back as lists, keys as texts."""

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Read a value."""
        return json.loads(data)


class _Given:
    """An application's own, whose bytes are looked at: Beaker's take texts as well."""

    def __init__(self, own: Serializer) -> None:
        self.loads = own.loads
        self._dumps = own.dumps

    def dumps(self, value: Any) -> bytes:
        """Write a value. Raises: OptionError."""
        data = self._dumps(value)
        if isinstance(data, bytes):
            return data
        raise OptionError(
            f"option 'serializer' has an object whose dumps gives {type(data).__name__}; expected"
            " bytes"
        )


_OURS: Final[dict[str, tuple[Serializer, int]]] = {
    "pickle": (Pickle(), codec.PICKLE),
    "json": (Json(), codec.JSON),
}


def serializer(option: object) -> tuple[Serializer, int]:
    """Find what option `serializer` names, and its number in the codec's header.

    Raises: OptionError.
    """
    if isinstance(option, str) and option in _OURS:
        return _OURS[option]
    found = _at(option) if isinstance(option, str) else option
    if callable(getattr(found, "dumps", None)) and callable(getattr(found, "loads", None)):
        return _Given(found), codec.CUSTOM  # type: ignore[arg-type]  # just checked
    raise OptionError(
        f"option 'serializer' has {shown(option)}; expected pickle, json, or a dotted path"
        " ('package.module:object') to an object with dumps and loads"
    )


def _at(path: str) -> object:
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return None
