"""What the text of an ini file means: one small function a kind of value, text in, value out.

A cast takes what was given (an ini string or the Python value itself) and raises `BadValue`
with the words that finish the sentence "expected ...". It knows no option by name.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import math
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from beaker_dynamodb.errors import shown

T = TypeVar("T")
Cast = Callable[[object], T]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_DAY = 86400
_MOST_SECONDS = 100 * 366 * _DAY
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
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
#: botocore: validate_region_name (botocore/utils.py).
_REGION = re.compile(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)
#: No space and nothing else that a header cannot hold.
_WORD = re.compile(r"[!-~]+", re.ASCII)
#: How alike a misspelled name and the right one are, as `difflib` counts it.
_CLOSE = 0.75
#: botocore: KeySchemaAttributeName and TimeToLiveAttributeName; AWS counts bytes of UTF-8.
_NAME_BYTES = 255
_ENDPOINT = re.compile(r"embedded|https?://[^\s@]+", re.IGNORECASE)
_EMBEDDED = "embedded"
#: botocore: is_valid_endpoint_url (botocore/utils.py), which knows no underscore.
_HOST = re.compile(r"(?:(?!-)[A-Z0-9-]{1,63}(?<!-)(?:\.(?!$)|\.?$))+", re.ASCII | re.IGNORECASE)
_HOST_BYTES = 255
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}
_KEY_BYTES = 32
#: Takes back what a layer below has said.
_NONE = "none"


class BadValue(Exception):
    """The value cannot be read; the only argument says what is expected."""


def find_nearest(name: str, names: Iterable[str], prefix: str = "") -> str | None:
    """Return the one of *names* that a misspelled *name* probably means; None if none is close.

    Case makes no difference. If *name* begins with *prefix*, what follows it is compared alone: a
    long beginning that all names share would make any two of them look alike.
    """
    shared = prefix if name.startswith(prefix) else ""
    short = {known.removeprefix(shared).lower(): known for known in names}
    near = difflib.get_close_matches(name.removeprefix(shared).lower(), short, n=1, cutoff=_CLOSE)
    return short[near[0]] if near else None


def text(value: object) -> str:
    """Read a text of visible characters and spaces, without those around it; blank is none."""
    given = value.strip() if isinstance(value, str) else ""
    if not given:
        raise BadValue("a text")
    odd = sorted({character for character in given if not character.isprintable()})
    if odd:
        raise BadValue(f"a text of visible characters: it holds {', '.join(map(ascii, odd))}")
    if shown(given) != repr(given):  # a pasted address would become the name of an attribute
        raise BadValue("a text that is not a URL with a user or a password in it")
    return given


def word(value: object) -> str:
    """Read a text of visible ASCII characters, without white space."""
    given = text(value)
    if not _WORD.fullmatch(given):
        raise BadValue("a text without white space, of ASCII characters")
    return given


def or_none(cast: Cast[T]) -> Cast[T | None]:
    """Make *cast* take the word `none`, too: it takes back what a layer below has said."""

    def read(value: object) -> T | None:
        none = isinstance(value, str) and value.strip().lower() == _NONE
        return None if none else cast(value)

    return read


def attribute(value: object) -> str:
    """Read the name of an attribute: what AWS takes for a key's, or for that of TTL."""
    name = text(value)
    length = len(name.encode())
    if length > _NAME_BYTES:
        raise BadValue(f"a text of at most {_NAME_BYTES} bytes in UTF-8: it has {length}")
    return name


def region(value: object) -> str:
    """Read the name of a region, as boto3 takes it."""
    name = text(value)
    if not _REGION.fullmatch(name):
        raise BadValue("a text such as 'eu-west-1': letters, digits and '-', 63 at most")
    return name


def table(value: object) -> str:
    """Read a table's name, or its ARN; what AWS would refuse at each request is refused here."""
    given = value.strip() if isinstance(value, str) else ""
    if _TABLE.fullmatch(given):
        return given
    name = text(value)
    if name.startswith("arn:"):
        raise BadValue("an ARN such as 'arn:aws:dynamodb:REGION:ACCOUNT:table/NAME', or a name")
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


def whole(least: int, most: int) -> Cast[int]:
    """Make a cast for a whole number of at least *least* and at most *most*.

    There is always a ceiling: botocore makes room for as many connections as it is told of.
    """

    def cast(value: object) -> int:
        try:
            number = int(value) if isinstance(value, (str, int)) else None
        except ValueError:
            number = None
        if number is None or isinstance(value, bool) or not least <= number <= most:
            raise BadValue(f"a whole number of at least {least} and at most {most:,}")
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


def up_to_a_day(cast: Cast[float]) -> Cast[float]:
    """Make *cast*, of a duration, refuse what is more than a day: sockets and locks wait for it."""

    def read(value: object) -> float:
        given = cast(value)
        if given > _DAY:
            raise BadValue("a duration of at most 1d: seconds, or 90s, 15m, 2h")
        return given

    return read


def size(value: object) -> int:
    """Read a size: bytes as a number, or `64KB`, `16MB`; at most 1024MB, which zlib can count."""
    match = _SIZE.fullmatch(str(value).strip())
    given = int(match[1]) * _BYTES[(match[2] or "").upper()] if match else 0
    if isinstance(value, bool) or not 0 < given <= _MAX_SIZE:
        raise BadValue("a size above zero: bytes, or 64KB, 16MB; at most 1024MB")
    return given


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
        raise BadValue(
            "an address that begins with http:// or https://, without user and password, which AWS"
            " requests cannot carry; or embedded"
        )
    given = value.strip()
    if given.lower() != _EMBEDDED and not _has_a_host(given):
        raise BadValue(
            "an address such as http://127.0.0.1:8000: a host of letters, digits, '-' and '.', or"
            " an IPv6 address in brackets, and a port of at most 65535, if any"
        )
    return given


def _has_a_host(url: str) -> bool:
    """Tell whether botocore takes the host and the port of a URL; it fails at each call else."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # read, it is checked
        if parts.netloc.startswith("["):
            return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False
    return len(host) <= _HOST_BYTES and _HOST.fullmatch(host) is not None


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
        if attribute(name) != name:
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
    return word(value) if isinstance(value, str) else value
