"""Beaker's session text to the dict in it, and back; and Beaker's own keys in that dict.

Which envelope opens a session is decided by the text that this process has just written, never by
the text in the table, so that an application that chose JSON never unpickles. A session that no
envelope opens is called *opaque*.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import pickle
import re
import string
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from beaker_dynamodb.item.codec import inflate, undo_base64

#: The only keys that a session holds after `delete()` or `clear()` (beaker/session.py:84).
COOKIE_KEYS: Final = frozenset({"_domain", "_path"})
#: The keys of the last access and of the creation, epoch seconds (beaker/session.py:225 and 440).
ACCESSED: Final = "_accessed_time"
CREATED: Final = "_creation_time"
#: The key of a lifetime that this session alone has, in seconds; only StrictSession sets it.
LIFETIME: Final = "_lifetime"
#: A merge takes the later time.
TIME_KEYS: Final = (ACCESSED, CREATED)
#: All keys that Beaker itself puts into a session.
BEAKER_KEYS: Final = COOKIE_KEYS.union(TIME_KEYS)

#: How `pickle.dumps(a dict, 2)` begins: protocol 2, an empty dict, memo 0 (beaker/util.py:409).
_PICKLED_DICT = b"\x80\x02}q\x00"
_ZLIB = b"\x78"
#: So many characters of base64, 6 bytes, tell a pickle from zlib.
_MAGIC = 8
#: So many characters hold the access time, unless the path is long. The rest of two texts is
#: compared without decoding it.
_HEAD = 512

_ACCESSED = ACCESSED.encode()
#: The keys that Beaker sets before the access time (beaker/session.py:225 and 440).
_BEFORE = frozenset(name.encode() for name in (*COOKIE_KEYS, CREATED))
_TIME = struct.Struct(">d")  # as protocol 2 writes a float
_FLOAT = _TIME.size
#: The opcodes of a short text, a float, and of values that are skipped, with their bytes in all.
_TEXT, _NUMBER = pickle.BINUNICODE, pickle.BINFLOAT
_VALUE_SIZES = {pickle.NONE: 1, pickle.BINGET: 2, _NUMBER: 1 + _FLOAT}
#: The key of the creation time as protocol 2 writes it, up to its number in the memo.
_CREATED_MARK = len(CREATED).to_bytes(4, "little") + CREATED.encode() + b"q"
#: The beginning of a class's name in protocol 2, and all bytes of a module's name.
_CLASS = re.compile(rb"c[A-Za-z_]")
_MODULE = (string.ascii_letters + string.digits + "_.").encode()
#: What precedes the 8 bytes of the access time if Beaker's own keys are the first, no domain is
#: set and the path is of one character; and the creation time, if that follows. As
#: `_find_access_time` and `_read_creation_time` find them, in a fraction of the time.
_USUAL_HEAD = re.compile(
    rb"\x80\x02}q\x00\((?:X\x07\0\0\0_domainq.N|X\x05\0\0\0_pathq.X\x01\0\0\0.q.)*"
    rb"X\x0e\0\0\0_accessed_timeq.G(?=.{8}(X\x0e\0\0\0_creation_timeq.G(.{8}))?)",
    re.DOTALL,
)
_BEGINS_JSON = re.compile(
    rb'\{(?:"_domain": (?:null|"[^"\\]*"), "_path": "[^"\\]*", )?'
    rb'(?:"_creation_time": [\d.e+-]+, )?"_accessed_time": ([\d.e+-]+)'
)

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the bytes of two texts say about the sessions in them.

    Args:
        changed: whether more than the access time differs; None if they must be opened to tell.
        may_be_new: whether the creation times may differ. Beaker begins a new session under the
            same id if it cannot open the one that it has loaded.
        idle: the seconds between the access times of two that differ in nothing else.
        raw: ours without its base64, if that had to be undone (`codec.undo_base64`).
    """

    changed: bool | None
    may_be_new: bool = False
    idle: float = 0.0
    raw: bytes | None = field(default=None, repr=False)


class Envelope(Protocol):
    """Opens and closes a session's text."""

    def open(self, text: str) -> Values | None:
        """Return the dict in *text*, None if it does not open."""

    def close(self, values: Values) -> str:
        """Return the text that Beaker would write for *values*."""

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare two texts by their bytes; most saves are decided without opening anything."""


@dataclass(frozen=True, slots=True)
class PickleEnvelope:
    """Beaker's default: base64 of a dict's pickle, protocol 2, with exactly that header."""

    def open(self, text: str) -> Values | None:
        """Unpickle the dict; None if it is not one, or one of its classes cannot be imported."""
        raw = _decode_base64(text)
        if not raw.startswith(_PICKLED_DICT):
            return None
        try:
            # As Beaker does, and only if this process writes pickles itself.
            values = pickle.loads(raw)  # noqa: S301  # nosec B301
        except Exception:  # noqa: BLE001  # unpickling runs any class's code
            return None
        return values if type(values) is dict else None

    def close(self, values: Values) -> str:
        """Return the pickle in base64."""
        return base64.b64encode(pickle.dumps(values, 2)).decode("ascii")

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare the pickles, if the access time is in the place where Beaker puts it.

        Equal pickles are equal sessions. Different ones count as changed if no class is in them.
        They may hold equal values all the same, if two equal texts were one object and now are
        two; then a save is written that was not necessary.
        """
        old, new = _decode_base64(base[:_HEAD]), _decode_base64(ours[:_HEAD])
        at, created = _read_times(new)
        before, created_before = _read_times(old)
        may_be_new = created is None or created != created_before
        if at is None or at != before:
            return Comparison(None, may_be_new)
        is_same = old[:at] == new[:at] and old[at + _FLOAT :] == new[at + _FLOAT :]
        if is_same and base[_HEAD:] == ours[_HEAD:]:
            (past,), (now,) = _TIME.unpack_from(old, at), _TIME.unpack_from(new, at)
            return Comparison(changed=False, may_be_new=may_be_new, idle=now - past)
        # A text that only looks like the name of a class costs one comparison of the values. If
        # only base names a class, a type has changed.
        raw = undo_base64(ours.encode("utf-8", "surrogatepass"))
        is_doubtful = _names_a_class(_decode_base64(ours) if raw is None else raw)
        return Comparison(None if is_doubtful else True, may_be_new, raw=raw)


@dataclass(frozen=True, slots=True)
class JsonEnvelope:
    """Beaker's `data_serializer = json`: base64 of zlib of up to `max_size` bytes of JSON."""

    max_size: int

    def open(self, text: str) -> Values | None:
        """Inflate and parse; None if the result is too large or no dict."""
        try:
            values = json.loads(self._inflate(text))
        except (ValueError, RecursionError):
            return None
        return values if type(values) is dict else None

    def close(self, values: Values) -> str:
        """Return the zlib of the JSON in base64 (beaker/util.py:417)."""
        return base64.b64encode(zlib.compress(json.dumps(values).encode())).decode("ascii")

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare the JSON, if the access time is in the place where Beaker puts it.

        It is never a new session, because JSON holds no classes and so opens in every process.
        """
        old, new = self._inflate(base), self._inflate(ours)
        before, now = _BEGINS_JSON.match(old), _BEGINS_JSON.match(new)
        if before is None or now is None:
            return Comparison(None)
        is_same = old[: before.start(1)] == new[: now.start(1)]
        if not is_same or old[before.end(1) :] != new[now.end(1) :]:
            return Comparison(changed=True)
        try:
            return Comparison(changed=False, idle=float(now[1]) - float(before[1]))
        except ValueError:  # digits and points that are no number
            return Comparison(None)

    def _inflate(self, text: str) -> bytes:
        """Return the JSON; nothing if it is too large, or no zlib."""
        try:
            return inflate(_decode_base64(text), self.max_size) or b""
        except zlib.error:
            return b""


def read_time(values: Mapping[str, object], name: str) -> float | None:
    """Return the time under *name* in epoch seconds, None if it is no usable number.

    Anyone who can write to the store can put a text there, a NaN, or an integer too large for a
    float.
    """
    stamp = values.get(name)
    if not isinstance(stamp, (int, float)) or isinstance(stamp, bool):
        return None
    try:
        return float(stamp) if math.isfinite(stamp) else None
    except OverflowError:
        return None


def choose_envelope(text: str, max_size: int, option: str) -> Envelope | None:
    """Return the envelope of a text that this process has just written; None if it is opaque.

    Args:
        max_size: the maximum size of a value in bytes, inflated.
        option: the option `envelope`. `none` opens nothing, and `json` no pickle.
    """
    if option == "none":
        return None
    beginning = _decode_base64(text[:_MAGIC])
    if option != "json" and beginning.startswith(_PICKLED_DICT):
        return PickleEnvelope()
    return JsonEnvelope(max_size) if beginning.startswith(_ZLIB) else None


def rewrite(envelope: Envelope, values: Values) -> str | None:
    """Return *values*, which were opened, as text again; None if they cannot be written.

    Not everything that unpickles can be pickled: an object may create a lock or a connection then.
    """
    try:
        return envelope.close(values)
    except Exception:  # noqa: BLE001  # pickling runs the code of any class
        return None


def _names_a_class(raw: bytes) -> bool:
    """Return whether protocol 2 may name a class in *raw*: `c`, module, line feed, name.

    The time is linear. A search forwards for all of it would begin at each `c` of a user's long
    text, and take time that grows with the square of its length.
    """
    *modules, _ = lines = raw.split(b"\n")
    for number, module in enumerate(modules, 1):
        name = lines[number][:1]
        if (name.isalpha() or name == b"_") and _CLASS.search(module, len(module.rstrip(_MODULE))):
            return True
    return False


def _read_times(head: bytes) -> tuple[int | None, bytes | None]:
    """Return the position of the access time's 8 bytes, and those of the creation time."""
    if usual := _USUAL_HEAD.match(head):
        created: bytes | None = usual[2]
        return usual.end(), _read_creation_time(head) if created is None else created
    return _find_access_time(head), _read_creation_time(head)


def _find_access_time(raw: bytes) -> int | None:
    """Return the position of the access time's 8 bytes, if only Beaker's own keys are before it.

    After the header of a dict, keys and values alternate. A key is a short text: the opcode X, its
    length in 4 bytes, the text, the opcode q, its number in the memo. A value is another such text,
    None, a float, or a reference to a text in the memo. Anything else ends the search with None,
    and the session is opened instead.
    """
    if not raw.startswith(_PICKLED_DICT + b"("):
        return None
    at, is_key, name = len(_PICKLED_DICT) + 1, True, b""
    while True:
        opcode = raw[at : at + 1]
        if name == _ACCESSED and not is_key:
            return at + 1 if opcode == _NUMBER and at + 1 + _FLOAT <= len(raw) else None
        if opcode == _TEXT:
            begins = at + 5
            ends = begins + int.from_bytes(raw[at + 1 : begins], "little")
            if raw[ends : ends + 1] != b"q":
                return None
            name, at = raw[begins:ends], ends + 2
        elif is_key or opcode not in _VALUE_SIZES:
            return None
        else:
            at += _VALUE_SIZES[opcode]
        if is_key and name != _ACCESSED and name not in _BEFORE:
            return None
        is_key = not is_key


def _read_creation_time(head: bytes) -> bytes | None:
    """Return the 8 bytes of the creation time in the first bytes of a pickle, None without one."""
    at = head.find(_CREATED_MARK)
    found = head[at + len(_CREATED_MARK) :][: 2 + _FLOAT]  # its number in the memo, G, the float
    return found[2:] if at >= 0 and found[1:2] == _NUMBER and len(found) == 2 + _FLOAT else None


def _decode_base64(text: str) -> bytes:
    """Decode base64; nothing at all if it is malformed."""
    try:
        return binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return b""
