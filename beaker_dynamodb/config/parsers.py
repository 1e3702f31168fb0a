"""Parse the values of options: an ini string, or the Python value itself, in; the value out.

A parser raises `BadValue` with the text that completes the sentence "expected ...". It knows no
option by name.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import urllib.parse
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from beaker_dynamodb.errors import OptionError, mask_repr, raise_clean

T = TypeVar("T")
Parser = Callable[[object], T]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_DAY = 86400
_MAX_SECONDS = 100 * 366 * _DAY
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": _DAY}
_SIZE = re.compile(r"(\d{1,18})\s*(B|KB|MB)?", re.ASCII | re.IGNORECASE)
_BYTES = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}
_MAX_SIZE = 1024 * _BYTES["MB"]
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,63}:", re.ASCII)
#: AWS: Naming rules of DynamoDB; an ARN names a table of another account.
_TABLE = re.compile(
    r"[A-Za-z0-9_.-]{3,255}|arn:[a-z-]+:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}",
    re.ASCII,
)
_NOT_IN_TABLE = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
#: botocore: validate_region_name (botocore/utils.py).
_REGION = re.compile(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)
#: Neither white space nor any other character that an HTTP header cannot hold.
_WORD = re.compile(r"[!-~]+", re.ASCII)
#: The least ratio of `difflib` between a misspelled name and the one that is suggested.
_CLOSE = 0.75
#: How many letters of a name may differ if it is a misspelling, and which names are short.
_MAX_SLIPS, _SHORT = 2, 4
#: botocore: KeySchemaAttributeName and TimeToLiveAttributeName; AWS counts bytes of UTF-8.
_NAME_BYTES = 255
_ENDPOINT = re.compile(r"embedded|https?://[^\s@]+", re.IGNORECASE)
_EMBEDDED = "embedded"
#: botocore: is_valid_endpoint_url (botocore/utils.py), which refuses underscores.
_HOST = re.compile(r"(?:(?!-)[A-Z0-9-]{1,63}(?<!-)(?:\.(?!$)|\.?$))+", re.ASCII | re.IGNORECASE)
_HOST_BYTES = 255
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}
_KEY_BYTES = 32
#: Overrides the value of a layer below by "not set".
NONE = "none"


class BadValue(Exception):
    """A value that cannot be parsed; the only argument says what is expected."""


def find_nearest(name: str, names: Iterable[str], prefix: str = "") -> str | None:
    """Return the one of *names* that a misspelled *name* probably means; None if none is close.

    Case makes no difference. If *name* begins with *prefix*, what follows it is compared alone: a
    long beginning that all names share would make any two of them look alike.
    """
    import difflib  # only for a mistake

    shared = prefix if name.startswith(prefix) else ""
    short = {known.removeprefix(shared).lower(): known for known in names}
    near = difflib.get_close_matches(name.removeprefix(shared).lower(), short, n=1, cutoff=_CLOSE)
    return short[near[0]] if near else None


def suggest_nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the nearest of *names*; "" if none is close."""
    near = find_nearest(name, names)
    return f"; did you mean {near!r}?" if near else ""


def find_misspelled(name: str, names: Iterable[str]) -> str | None:
    """Return the one of *names* that differs from *name* in one or two letters, else None.

    A letter is missing, added, replaced, or has changed its place with the next. Case makes no
    difference. Names of up to four letters may differ in one: `ssl` is not `ttl`.
    """
    typed = name.lower()
    distances = {
        known: _count_slips(typed, known.lower())
        for known in names
        if abs(len(known) - len(name)) <= _MAX_SLIPS
    }
    nearest = min(distances, key=distances.__getitem__, default=None)
    if nearest is None:
        return None
    is_short = min(len(name), len(nearest)) <= _SHORT
    return nearest if distances[nearest] <= (1 if is_short else _MAX_SLIPS) else None


def _count_slips(first: str, second: str) -> int:
    """Return the Damerau-Levenshtein distance of two names (optimal string alignment)."""
    rows = [list(range(len(second) + 1))]
    for i, one in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (one != other))
            if i > 1 and j > 1 and one == second[j - 2] and other == first[i - 2]:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def import_object(path: str, option: str, words: Iterable[str] = ()) -> Any:
    """Return the object at a dotted path: `package.module:attribute` or `package.module.attribute`.

    Args: *option* is the option's name, and *words* are the texts that it takes besides paths; both
    are for the error.
    Raises: OptionError, if the path is malformed or names nothing that can be imported.
    """
    expected = ", ".join((*words, "or a dotted path" if words else "a dotted path"))
    try:
        from pkgutil import resolve_name

        return resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise_clean(
            OptionError(
                f"option {option!r} has {mask_repr(path)}; expected {expected}, such as"
                " 'package.module:attribute', that this process can import (PYTHONPATH); importing"
                f" it raises {type(error).__name__}"
            )
        )


def parse_text(value: object) -> str:
    """Return a text of visible characters and spaces, stripped. It cannot be blank."""
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise BadValue("a text")
    invisible = sorted({character for character in text if not character.isprintable()})
    if invisible:
        raise BadValue(f"a text of visible characters: it holds {', '.join(map(ascii, invisible))}")
    if mask_repr(text) != repr(text):  # a pasted address would become the name of an attribute
        raise BadValue("a text that is not a URL with a user or a password in it")
    return text


def parse_word(value: object) -> str:
    """Return a text of visible ASCII characters, without white space."""
    text = parse_text(value)
    if not _WORD.fullmatch(text):
        raise BadValue("a text without white space, of ASCII characters")
    return text


def parse_object(value: object) -> object:
    """Return an object as it is, or a dotted path, which `import_object` resolves at its use."""
    return parse_word(value) if isinstance(value, str) else value


def allow_none(parser: Parser[T]) -> Parser[T | None]:
    """Make a parser that also takes the word `none`, which overrides the value of a layer below."""

    def parse(value: object) -> T | None:
        is_none = isinstance(value, str) and value.strip().lower() == NONE
        return None if is_none else parser(value)

    return parse


def parse_attribute(value: object) -> str:
    """Return an attribute's name that AWS accepts for a key and for TTL."""
    name = parse_text(value)
    length = len(name.encode())
    if length > _NAME_BYTES:
        raise BadValue(f"a text of at most {_NAME_BYTES} bytes in UTF-8: it has {length}")
    return name


def parse_region(value: object) -> str:
    """Return the name of a region that boto3 accepts."""
    name = parse_text(value)
    if not _REGION.fullmatch(name):
        raise BadValue("a text such as 'eu-west-1': letters, digits and '-', 63 at most")
    return name


def parse_table(value: object) -> str:
    """Return a table's name or ARN that AWS accepts."""
    given = value.strip() if isinstance(value, str) else ""
    if _TABLE.fullmatch(given):
        return given
    name = parse_text(value)
    if name.startswith("arn:"):
        raise BadValue("an ARN such as 'arn:aws:dynamodb:REGION:ACCOUNT:table/NAME', or a name")
    odd = sorted(set(_NOT_IN_TABLE.findall(name)))
    reason = f"it holds {', '.join(map(repr, odd))}" if odd else f"its length is {len(name)}"
    raise BadValue(f"3 to 255 letters, digits, '_', '-' and '.': {reason}")


def parse_boolean(value: object) -> bool:
    """Return true or false, in any of the spellings of ini files."""
    word = str(value).strip().lower()  # of a bool, too
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadValue("true or false")


def parse_compression(value: object) -> bool | str:
    """Return true, false, or the word `fast`."""
    if isinstance(value, str) and value.strip().lower() == "fast":
        return "fast"
    try:
        return parse_boolean(value)
    except BadValue:
        raise_clean(BadValue("true, false or fast"))


def make_integer_parser(min_: int, max_: int) -> Parser[int]:
    """Make a parser of whole numbers from *min_* to *max_*.

    There is always a maximum: botocore allocates room for as many connections as it is told.
    """

    def parse(value: object) -> int:
        try:
            number = int(value) if isinstance(value, (str, int)) else None
        except ValueError:
            number = None
        if number is None or isinstance(value, bool) or not min_ <= number <= max_:
            raise BadValue(f"a whole number of at least {min_} and at most {max_:,}")
        return number

    return parse


def parse_seconds(value: object) -> float:
    """Return a duration in seconds: a number of seconds, or `90s`, `15m`, `2h`, `30d`."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = float(value)
        else:
            match = _DURATION.fullmatch(str(value).strip().lower())
            seconds = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    except (OverflowError, ValueError):  # more digits than a float, or Python, takes
        seconds = math.nan
    if not 0 <= seconds < _MAX_SECONDS:
        raise BadValue("a duration: seconds, or 90s, 15m, 2h, 30d")
    return seconds


def parse_positive_seconds(value: object) -> float:
    """Return a duration above zero in seconds."""
    seconds = parse_seconds(value)
    if seconds == 0:
        raise BadValue("a duration above zero: seconds, or 90s, 15m, 2h, 30d")
    return seconds


def limit_to_a_day(parser: Parser[float]) -> Parser[float]:
    """Make a parser of durations that refuses more than a day, for what a request waits for."""

    def parse(value: object) -> float:
        seconds = parser(value)
        if seconds > _DAY:
            raise BadValue("a duration of at most 1d: seconds, or 90s, 15m, 2h")
        return seconds

    return parse


def parse_size(value: object) -> int:
    """Return a size in bytes: a number, or `64KB`, `16MB`; at most 1024MB, which zlib can count."""
    match = _SIZE.fullmatch(str(value).strip())
    size = int(match[1]) * _BYTES[(match[2] or "").upper()] if match else 0
    if isinstance(value, bool) or not 0 < size <= _MAX_SIZE:
        raise BadValue("a size above zero: bytes, or 64KB, 16MB; at most 1024MB")
    return size


def make_choice_parser(*words: str) -> Parser[str]:
    """Make a parser that takes one of *words*, in any case of letters."""

    def parse(value: object) -> str:
        word = str(value).strip().lower()
        if word not in words:
            raise BadValue(f"{' or '.join(words)}{suggest_nearest(word, words)}")
        return word

    return parse


def parse_prefix(value: object) -> str:
    """Return a key prefix: one word and one colon, so that none is the beginning of another."""
    if not isinstance(value, str) or not _PREFIX.fullmatch(value.strip()):
        raise BadValue("one word of letters, digits, '.', '_', '-' and one colon, such as 'sess:'")
    return value.strip()


def parse_endpoint(value: object) -> str:
    """Return the address of an endpoint, or the word `embedded`."""
    if not isinstance(value, str) or not _ENDPOINT.fullmatch(value.strip()):
        raise BadValue(
            "an address that begins with http:// or https://, without user and password, which AWS"
            " requests cannot carry; or embedded"
        )
    address = value.strip()
    if address.lower() == _EMBEDDED:
        return _EMBEDDED
    if not _has_valid_host(address):
        raise BadValue(
            "an address such as http://127.0.0.1:8000: a host of letters, digits, '-' and '.', or"
            " an IPv6 address in brackets, and a port of at most 65535, if any"
        )
    return address


def _has_valid_host(url: str) -> bool:
    """Return whether botocore accepts the host and port of a URL; else every call would fail."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # reading it checks it
        if parts.netloc.startswith("["):
            import ipaddress

            return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False
    return len(host) <= _HOST_BYTES and _HOST.fullmatch(host) is not None


def parse_moment(value: object) -> float:
    """Return a moment in epoch seconds: ISO 8601 with its offset from UTC, or a datetime."""
    expected = "a moment in UTC or with its offset, such as 2026-11-28T12:00Z"
    moment = value
    if isinstance(value, str):
        text = value.strip()
        # Python 3.10 reads no Z.
        text = f"{text[:-1]}+00:00" if text[-1:] in {"Z", "z"} else text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise_clean(BadValue(expected))
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadValue(expected)
    return moment.timestamp()


def parse_aes_keys(value: object) -> tuple[bytes, ...]:
    """Return AES-256 keys, of 32 bytes in base64 each. The first one encrypts, all decrypt.

    The word `plain` in the first place, which is returned as `b""`, writes without encryption and
    reads with the other keys: the step before encryption is switched on, or after it is switched
    off.
    """
    expected = (
        f"keys of {_KEY_BYTES} bytes in base64 each, separated by commas or white space; the first"
        " may be the word plain"
    )
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise BadValue(expected)
    if [str(word).lower() for word in words] == [NONE]:
        return ()
    plain = [b""] if words and (words[0] == b"" or str(words[0]).lower() == "plain") else []
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
