"""How sessions, spans, bytes and money are written, for people and for machines. Pure.

What comes out of a table is anybody's: nothing of it reaches a terminal unescaped.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from beaker_dynamodb.ops import prices
from beaker_dynamodb.ops.inspection import Inspected
from beaker_dynamodb.ops.sessions import Session

NOBODY: Final = "nothing there"
ANOTHER_STORE: Final = "this row is of another store, which uses the same prefix; it is left alone"
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_KB: Final = 1024
_CENT: Final = 0.01


def span(seconds: float) -> str:
    """Write a span of time by its two largest units: 3d 4h, 12m 5s."""
    left = max(0, int(seconds))
    words: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or words:
            words.append(f"{number}{unit}")
    return " ".join(words[:2]) or "0s"


def amount(size: float) -> str:
    """Write a number of bytes."""
    if size < _KB:
        return f"{size:,.0f} bytes"
    return f"{size / _KB:,.1f} KB" if size < _KB**2 else f"{size / _KB**2:,.1f} MB"


def money(dollars: float) -> str:
    """Write dollars and cents."""
    return "less than $0.01" if 0 < dollars < _CENT else f"${dollars:,.2f}"


def priced(cost: prices.Cost) -> str:
    """Write units and what they cost."""
    return (
        f"{counted(cost.read_units, 'read unit')} and {counted(cost.write_units, 'write unit')},"
        f" {money(cost.dollars)} at list prices ({prices.REGION}, {prices.AS_OF})"
    )


def counted(number: float, what: str) -> str:
    """Write a number and what is counted: 1 row, 2 rows."""
    return f"{number:,.0f} {what}" + ("" if number == 1 else "s")


def others(number: int) -> str:
    """Say how many rows of another store were met; nothing where there was none."""
    return f"{counted(number, 'row')} of another store" if number else ""


def escaped(text: str) -> str:
    """Write a text with every character that is no visible one, nor a space, as an escape."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def unfound(word: str) -> str:
    """Say that nobody was found, and who could not be: or else a logout would look complete."""
    name = word.partition("=")[0]
    return (
        f"{NOBODY}: no live session has {escaped(word)}. Those last saved before special_keys named"
        f" {name!r} lack the attribute, and are not found"
    )


def line(session: Session, now: float) -> str:
    """Write a session as one line."""
    return "  ".join([escaped(session.id), *_facts(session, now)])


def _facts(session: Session, now: float) -> Iterator[str]:
    if session.expires is None:
        yield "never expires"
    elif session.live:
        yield f"expires in {span(session.expires - now)}"
    else:
        yield f"expired {span(now - session.expires)} ago"
    if session.begun is not None:
        yield f"began {span(now - session.begun)} ago"
    yield amount(session.size) + (f" and {session.pieces} pieces" if session.pieces else "")
    yield from (f"{escaped(name)}={_value(value)}" for name, value in session.promoted.items())
    if session.wrong:
        yield f"cannot be read: {escaped(session.wrong)}"


def told(session: Session) -> dict[str, Any]:
    """Write a session for machines: times in epoch seconds, bytes in base64."""
    promoted = {name: plain(value) for name, value in session.promoted.items()}
    return {name: getattr(session, name) for name in Session.__slots__} | {"promoted": promoted}


def plain(value: object) -> object:
    """Write a value as JSON has it; what JSON cannot hold, as text.

    JSON has no NaN and no infinity, and half of a surrogate pair is no text to most that read it.
    Numbers and depth are bounded already: a row's values where it was described.
    """
    if isinstance(value, Mapping):
        return {_text(str(name)): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if value is None or finite else _text(str(value))


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def inspection(found: Inspected) -> dict[str, Any]:
    """Write a session that was looked at, for machines."""
    plainly = dataclasses.replace(found, values=None)
    rest = {name: getattr(plainly, name) for name in Inspected.__slots__}
    return rest | {"session": told(found.session), "values": plain(found.values)}


def inspection_lines(found: Inspected, now: float) -> Iterator[str]:
    """Write a session that was looked at, for people."""
    yield line(found.session, now)
    kept = [found.serializer]
    kept += ["compressed"] if found.compressed else []
    kept += ["encrypted"] if found.encrypted else []
    yield f"  {', '.join(kept)}: {amount(found.stored)} stored, {amount(found.text)} of text"
    for name, value in (found.values or {}).items():
        yield f"  {escaped(str(name))} = {escaped(repr(value))}"  # some classes' repr is as it is
    if found.why:
        yield f"  not shown: {escaped(found.why)}"


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return escaped(str(value))
