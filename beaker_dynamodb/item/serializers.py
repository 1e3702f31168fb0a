"""How a cache's values become bytes: pickle, JSON, or an object of the application's own.

A session's text is made by Beaker. The codec's header says which serializer wrote a row, and a row
of another one is a miss, so a JSON cache never unpickles.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, Final

from beaker_dynamodb.errors import OptionError, shown
from beaker_dynamodb.item import codec


@dataclass(frozen=True, slots=True)
class Serializer:
    """Turns values into bytes and back; `number` is its number in the codec's header."""

    number: int
    dumps: Callable[[Any], bytes] = field(repr=False)
    loads: Callable[[bytes], Any] = field(repr=False)


def _dump_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_BUILT_IN: Final = {
    # What Beaker itself uses. It takes any value that pickles, and whoever can write to the table
    # can run code here; `serializer = json` prevents that.
    "pickle": Serializer(
        codec.PICKLE, partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL), pickle.loads
    ),
    # Tuples come back as lists, and the keys of dicts as texts.
    "json": Serializer(codec.JSON, _dump_json, json.loads),
}


def get_serializer(option: object) -> Serializer:
    """Return the serializer that option `serializer` names or holds.

    Raises: OptionError.
    """
    if isinstance(option, str) and option in _BUILT_IN:
        return _BUILT_IN[option]
    given = _import(option) if isinstance(option, str) else option
    dumps, loads = getattr(given, "dumps", None), getattr(given, "loads", None)
    if callable(dumps) and callable(loads):
        return Serializer(codec.CUSTOM, partial(_dump_bytes, dumps), loads)
    raise OptionError(
        f"option 'serializer' has {shown(option)}; expected pickle, json, or a dotted path"
        " ('package.module:object') to an object with dumps and loads"
    )


def _dump_bytes(dumps: Callable[[Any], object], value: Any) -> bytes:
    """Call an application's `dumps`, and check its type: one written for Beaker may return text.

    Raises: OptionError.
    """
    data = dumps(value)
    if isinstance(data, bytes):
        return data
    raise OptionError(
        f"option 'serializer' has an object whose dumps gives {type(data).__name__}; expected bytes"
    )


def _import(path: str) -> object:
    """Return the object at a dotted path, None if there is none."""
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return None
