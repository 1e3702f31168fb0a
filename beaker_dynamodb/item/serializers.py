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
from typing import Any, Final

from beaker_dynamodb.errors import OptionError, mask_repr
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
    # What Beaker itself uses. It takes any value that pickles, and anyone who can write to the
    # table can run code here; `serializer = json` prevents that.
    "pickle": Serializer(
        codec.PICKLE, partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL), pickle.loads
    ),
    # Tuples come back as lists, and the keys of dicts as texts.
    "json": Serializer(codec.JSON, _dump_json, json.loads),
}


def get_serializer(option: object, import_object: Callable[..., object]) -> Serializer:
    """Return the serializer of option `serializer`: pickle, json, an object or the path of one.

    Args: *import_object* returns the object at a dotted path, as `parsers.import_object` does.
    Raises: OptionError, if there is no such object, or it has no `dumps` and `loads`.
    """
    if isinstance(option, str):
        if option in _BUILT_IN:
            return _BUILT_IN[option]
        option = import_object(option, "serializer", _BUILT_IN)
    dumps, loads = getattr(option, "dumps", None), getattr(option, "loads", None)
    if callable(dumps) and callable(loads):
        return Serializer(codec.CUSTOM, partial(_dump_bytes, dumps), loads)
    raise OptionError(
        f"option 'serializer' has {mask_repr(option)}; expected pickle, json, or an object with"
        " dumps and loads, or the dotted path of one"
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
