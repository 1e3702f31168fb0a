"""What the text of an ini file means: one small function a kind of value, text in, value out.

A cast takes what was given (an ini string or the Python value itself) and raises `BadValue`
with the words that finish the sentence "expected ...". It knows no option by name.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")
Cast = Callable[[object], T]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_MOST_SECONDS = 100 * 366 * 86400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d{1,18})\s*(B|KB|MB)?", re.ASCII | re.IGNORECASE)
_BYTES = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,63}:", re.ASCII)
#: AWS: Naming rules of DynamoDB; an ARN names a table of another account.
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:\S+", re.ASCII)
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_ENDPOINT = re.compile(r"embedded|https?://\S+", re.IGNORECASE)
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}
_KEY_BYTES = 32
#: Takes back what a layer below has said.
_NONE = "none"


class BadValue(Exception):
    """The value cannot be read; the only argument says what is expected."""


def text(value: object) -> str:
    """Read a text as it stands, without the spaces around it; a blank one is none."""
    if not isinstance(value, str) or not value.strip():
        raise BadValue("a text")
    return value.strip()


def text_or_none(value: object) -> str | None:
    """Read a text; the word `none` takes back what a layer below has said."""
    given = text(value)
    return None if given.lower() == _NONE else given


def table(value: object) -> str:
    """Read a table's name, or its ARN; what AWS would refuse at each request is refused here."""
    name = text(value)
    if _TABLE.fullmatch(name):
        return name
    odd = sorted(set(_NO_NAME.findall(name)))
    wrong = f"it holds {', '.join(map(repr, odd))}" if odd else f"its length is {len(name)}"
    raise BadValue(f"3 to 255 letters, digits, '_', '-' and '.': {wrong}")


def boolean(value: object) -> bool:
    """Read true or false, in any of the spellings that ini files use."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadValue("true or false")


def compression(value: object) -> bool | str:
    """Read true or false, or the word `fast`."""
    if isinstance(value, str) and value.strip().lower() == "fast":
        return "fast"
    try:
        return boolean(value)
    except BadValue:
        pass
    raise BadValue("true, false or fast")


def whole(least: int) -> Cast[int]:
    """Make a cast for a whole number of at least *least*."""

    def cast(value: object) -> int:
        try:
            number = int(value) if isinstance(value, (str, int)) else None
        except ValueError:
            number = None
        if number is None or isinstance(value, bool) or number < least:
            raise BadValue(f"a whole number of at least {least}")
        return number

    return cast


def seconds(value: object) -> float:
    """Read a duration: seconds as a number, or `90s`, `15m`, `2h`, `30d`."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            given = float(value)
        else:
            match = _DURATION.fullmatch(str(value).strip().lower())
            given = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    except (OverflowError, ValueError):  # more digits than a float, or Python, takes
        given = math.nan
    if not 0 <= given < _MOST_SECONDS:
        raise BadValue("a duration: seconds, or 90s, 15m, 2h, 30d")
    return given


def some_seconds(value: object) -> float:
    """Read a duration that is more than nothing."""
    given = seconds(value)
    if given == 0:
        raise BadValue("a duration above zero: seconds, or 90s, 15m, 2h, 30d")
    return given


def size(value: object) -> int:
    """Read a size: bytes as a number, or `64KB`, `16MB`."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None or int(match[1]) == 0:
        raise BadValue("a size above zero: bytes, or 64KB, 16MB")
    return int(match[1]) * _BYTES[(match[2] or "").upper()]


def choice(*words: str) -> Cast[str]:
    """Make a cast for one of *words*."""

    def cast(value: object) -> str:
        word = str(value).strip().lower()
        if word not in words:
            raise BadValue(" or ".join(words))
        return word

    return cast


def prefix(value: object) -> str:
    """Read a key prefix: one word and one colon, so that no two prefixes overlap."""
    if not isinstance(value, str) or not _PREFIX.fullmatch(value.strip()):
        raise BadValue("one word of letters, digits, '.', '_', '-' and one colon, such as 'sess:'")
    return value.strip()


def endpoint(value: object) -> str:
    """Read the address of an endpoint, or the word `embedded`."""
    if not isinstance(value, str) or not _ENDPOINT.fullmatch(value.strip()):
        raise BadValue("an address that begins with http:// or https://, or embedded")
    return value.strip()


def typed_names(value: object) -> tuple[tuple[str, str], ...]:
    """Read `userId:S, visits:N` (or a mapping, or pairs) as pairs of a name and S, N or B.

    The words of a list are separated by commas or white space; a name alone is an S.
    """
    expected = "names with a type S, N or B each, such as 'userId:S, visits:N', or none"
    if isinstance(value, str) and value.strip().lower() == _NONE:
        return ()
    if isinstance(value, str):
        words = value.replace(",", " ").split()
        pairs = [tuple(word.partition(":")[::2]) for word in words]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, (list, tuple)):
        pairs = [item.partition(":")[::2] if isinstance(item, str) else item for item in value]
    else:
        raise BadValue(expected)
    named: dict[str, str] = {}
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004  # name and type
            raise BadValue(expected)
        if not all(isinstance(part, str) for part in pair):
            raise BadValue(expected)
        name, kind = pair[0], pair[1].upper() or "S"
        if not name or kind not in {"S", "N", "B"} or named.get(name, kind) != kind:
            raise BadValue(expected)
        named[name] = kind
    return tuple(named.items())


def aes_keys(value: object) -> tuple[bytes, ...]:
    """Read AES-256 keys: base64 of 32 bytes each. The first one writes, all read.

    The word `plain` in the first place writes without encryption and reads with the others: the
    step before it is switched on, and after it is switched off. It is returned as `b""`.
    """
    expected = (
        f"keys of {_KEY_BYTES} bytes in base64 each, separated by commas or white space; the first"
        " may be the word plain"
    )
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if words == [_NONE]:
        return ()
    if not isinstance(words, (list, tuple)):
        raise BadValue(expected)
    plain = [b""] if words and (words[0] == "plain" or words[0] == b"") else []
    try:
        keys = [
            word if isinstance(word, bytes) else base64.b64decode(word, validate=True)
            for word in words[len(plain) :]
        ]
    except (binascii.Error, TypeError, ValueError):
        keys = []
    if not keys or any(len(key) != _KEY_BYTES for key in keys):
        raise BadValue(expected)
    return (*plain, *keys)


def anything(value: object) -> object:
    """Take an object as it is; a text is a dotted path, resolved where the object is used."""
    return value.strip() if isinstance(value, str) else value
