"""Parse the options that name special keys: which there are, and which of them have an index.

As in `parsers.py`, a parser raises `BadValue` with the text that completes "expected ...".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beaker_dynamodb.config.parsers import NONE, BadValue, parse_attribute, parse_boolean


def parse_special_keys(value: object) -> tuple[tuple[str, str], ...]:
    """Return pairs of a name and its type S, N or B, of `userId:S, visits:N`, a mapping or pairs.

    The items of a text are separated by commas or white space; a name without a type is an S.
    """
    expected = "names with a type S, N or B each, such as 'userId:S, visits:N', or none"
    items: Iterable[object] = [None]
    if isinstance(value, str):
        is_none = value.strip().lower() == NONE
        items = [] if is_none else value.replace(",", " ").split()
    elif isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = value
    types: dict[str, str] = {}
    for item in items:
        match item.partition(":")[::2] if isinstance(item, str) else item:
            case tuple((str() as name, str() as kind)):
                kind = kind.upper() or "S"
            case _:
                raise BadValue(expected)
        if not name or kind not in {"S", "N", "B"} or types.get(name, kind) != kind:
            raise BadValue(expected)
        if parse_attribute(name) != name:
            raise BadValue(expected)
        types[name] = kind
    return tuple(types.items())


def parse_indexed_keys(value: object) -> bool | tuple[str, ...]:
    """Return true (all special keys have an index), false (none), or the names of those that do.

    The names in a text are separated by commas or white space.
    """
    try:
        return parse_boolean(value)
    except BadValue:
        pass
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and name and parse_attribute(name) == name for name in names
    ):
        raise BadValue("true, false, or the names of special keys, such as userId")
    return tuple(dict.fromkeys(names))
