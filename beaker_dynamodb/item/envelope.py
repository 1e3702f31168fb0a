"""Beaker's session text to the dict in it, and back; and Beaker's own keys in that dict.

The kind is decided by the text that this process has just written, never by what stands in the
table: an application that chose JSON never unpickles. What is of no plain kind is opaque.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import pickle
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from beaker_dynamodb.item.codec import inflate

#: All that is left in a session after `delete()` or `clear()` (beaker/session.py:84).
PLACES: Final = frozenset({"_domain", "_path"})
#: When it was last asked for, and when it was begun (beaker/session.py:225 and 440).
ACCESSED: Final = "_accessed_time"
CREATED: Final = "_creation_time"
#: In a merge they only grow.
TIMES: Final = (ACCESSED, CREATED)
#: All that Beaker itself puts into a session.
BEAKERS_OWN: Final = PLACES.union(TIMES)

#: How `pickle.dumps(a dict, 2)` begins: protocol 2, an empty dict, memo 0 (beaker/util.py:409).
_PICKLED_DICT = b"\x80\x02}q\x00"
_ZLIB = b"\x78"
#: How many characters tell the kind: 8 of base64 are 6 bytes.
_LOOK = 8
#: How many hold the access time, unless the path is long; what follows is compared undecoded.
_HEAD = 512

#: The keys that Beaker sets before the access time (beaker/session.py:225 and 440), each as
#: protocol 2 writes a short text: X, its length, the text, q, its number in the memo.
_TEXT, _NOTHING, _NUMBER, _AGAIN = b"X", b"N", b"G", b"h"
_BEFORE = frozenset(name.encode() for name in (*PLACES, CREATED))
_ACCESSED = ACCESSED.encode()
_FLOAT = 8
_VALUE_SIZES = {_NOTHING: 1, _AGAIN: 2, _NUMBER: 1 + _FLOAT}
_CREATED_MARK = len(CREATED).to_bytes(4, "little") + CREATED.encode() + b"q"
#: How protocol 2 names a class (`c`, module, line feed, name), read backwards: forwards each `c` of
#: a user's long word would begin a search of its own, and the time grow with the square of it.
_NAMES_A_CLASS = re.compile(rb"[A-Za-z_]\n[\w.]*[A-Za-z_]c")
_BEGINS_JSON = re.compile(
    rb'\{(?:"_domain": (?:null|"[^"\\]*"), "_path": "[^"\\]*", )?'
    rb'(?:"_creation_time": [\d.e+-]+, )?"_accessed_time": ([\d.e+-]+)'
)

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the bytes of two texts say of the sessions in them.

    `changed`: whether more than the access time differs; None if they have to be opened to tell.
    `may_be_new`: whether the creation times may differ. Beaker begins a session anew, under the
    same id, if it cannot open what it has loaded.
    """

    changed: bool | None
    may_be_new: bool = False


class Envelope(Protocol):
    """Opens and closes a session's text."""

    def open(self, text: str) -> Values | None:
        """Return the dict in *text*, None where it does not open."""

    def close(self, values: Values) -> str:
        """Write *values* as the text that Beaker would write."""

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare two texts by their bytes; most saves are decided without opening anything."""


@dataclass(frozen=True, slots=True)
class PickleEnvelope:
    """Beaker's default: base64 of a dict's pickle, protocol 2, with exactly that header."""

    def open(self, text: str) -> Values | None:
        """Unpickle the dict; None where it is not one, or a class of it is gone."""
        raw = _decoded(text)
        if not raw.startswith(_PICKLED_DICT):
            return None
        try:
            values = pickle.loads(raw)  # noqa: S301  # as Beaker does, and only if this process writes it
        except Exception:  # noqa: BLE001  # unpickling runs any class's code
            return None
        return values if type(values) is dict else None

    def close(self, values: Values) -> str:
        """Write the pickle in base64."""
        return base64.b64encode(pickle.dumps(values, 2)).decode("ascii")

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare the pickles, if the access time is at the place where Beaker puts it.

        One pickle is one value. Two of plain types may be one value too, if equal texts were one
        object and are not any more: then a save is written that need not be.
        """
        old, new = _decoded(base[:_HEAD]), _decoded(ours[:_HEAD])
        at = _accessed_at(new)
        begins_alike = at is not None and old[:at] == new[:at]
        may_be_new = not begins_alike or _CREATED_MARK not in new[:at]
        if may_be_new:
            created = _created_in(old)
            may_be_new = created is None or created != _created_in(new)
        if at is None:
            return Comparison(None, may_be_new)
        if (not begins_alike or len(old) < at + _FLOAT) and _accessed_at(old) != at:
            return Comparison(None, may_be_new)
        is_same = begins_alike and old[at + _FLOAT :] == new[at + _FLOAT :]
        if is_same and base[_HEAD:] == ours[_HEAD:]:
            return Comparison(changed=False, may_be_new=may_be_new)
        # If base alone names a class, they differ by a type. A text may look like one.
        names_a_class = _NAMES_A_CLASS.search(_decoded(ours)[::-1])
        return Comparison(None if names_a_class else True, may_be_new)


@dataclass(frozen=True, slots=True)
class JsonEnvelope:
    """Beaker's `data_serializer = json`: base64 of zlib of JSON."""

    most: int

    def open(self, text: str) -> Values | None:
        """Inflate, at most *most* bytes, and parse; None where that gives no dict."""
        try:
            values = json.loads(self._inflated(text))
        except (ValueError, RecursionError):
            return None
        return values if type(values) is dict else None

    def close(self, values: Values) -> str:
        """Write the zlib of the JSON in base64 (beaker/util.py:417)."""
        return base64.b64encode(zlib.compress(json.dumps(values).encode())).decode("ascii")

    def compare(self, base: str, ours: str) -> Comparison:
        """Compare the JSON, if the access time is at the place where Beaker puts it.

        It is never new: JSON holds no classes, so what opened once opens always.
        """
        old, new = self._inflated(base), self._inflated(ours)
        seen, now = _BEGINS_JSON.match(old), _BEGINS_JSON.match(new)
        if seen is None or now is None:
            return Comparison(None)
        is_same = old[: seen.start(1)] == new[: now.start(1)]
        return Comparison(not (is_same and old[seen.end(1) :] == new[now.end(1) :]))

    def _inflated(self, text: str) -> bytes:
        """Inflate at most *most* bytes; nothing at all, where that is not the whole."""
        try:
            return inflate(_decoded(text), self.most) or b""
        except zlib.error:
            return b""


def read_time(values: Mapping[str, object], name: str) -> float | None:
    """Return the time in epoch seconds under *name*, None where no usable number is there.

    Whoever writes the store chooses it: it may be a text, a NaN, or an integer that no float holds.
    """
    stamp = values.get(name)
    if not isinstance(stamp, (int, float)) or isinstance(stamp, bool):
        return None
    try:
        return float(stamp) if math.isfinite(stamp) else None
    except OverflowError:
        return None


def plain_envelope(mine: str, most: int, option: str = "auto") -> Envelope | None:
    """Choose the envelope by what this process has just written; None where it is opaque.

    Args:
        most: the ceiling of a value in bytes, inflated.
        option: the option `envelope`. `none` opens nothing, and `json` no pickle.
    """
    if option == "none":
        return None
    beginning = _decoded(mine[:_LOOK])
    if option != "json" and beginning.startswith(_PICKLED_DICT):
        return PickleEnvelope()
    return JsonEnvelope(most) if beginning.startswith(_ZLIB) else None


def rewrite(envelope: Envelope, values: Values) -> str | None:
    """Write *values*, which were opened, as text once more; None where they cannot be written.

    What opens does not always pickle: an object may take a lock or a connection as it is opened.
    """
    try:
        return envelope.close(values)
    except Exception:  # noqa: BLE001  # pickling runs the code of any class
        return None


def _accessed_at(raw: bytes) -> int | None:
    """Return where the 8 bytes of the access time are, behind no key but Beaker's own; else None.

    Each key is a short text: X, its length in 4 bytes, the text, q, its number in the memo. A value
    is another short text, None, a float, or a text that was memorized before. Anything else ends
    the search: then the pickle is opened.
    """
    if not raw.startswith(_PICKLED_DICT + b"("):
        return None
    at, is_key, name = len(_PICKLED_DICT) + 1, True, b""
    while True:
        kind = raw[at : at + 1]
        if name == _ACCESSED and not is_key:
            return at + 1 if kind == _NUMBER and at + 1 + _FLOAT <= len(raw) else None
        if kind == _TEXT:
            begins = at + 5
            ends = begins + int.from_bytes(raw[at + 1 : begins], "little")
            if raw[ends : ends + 1] != b"q":
                return None
            name = raw[begins:ends] if is_key else name
            at = ends + 2
        elif is_key or kind not in _VALUE_SIZES:
            return None
        else:
            at += _VALUE_SIZES[kind]
        if is_key and name != _ACCESSED and name not in _BEFORE:
            return None
        is_key = not is_key


def _created_in(head: bytes) -> bytes | None:
    """Return the 8 bytes of the creation time at the beginning of a pickle."""
    at = head.find(_CREATED_MARK)
    found = head[at + len(_CREATED_MARK) :][: 2 + _FLOAT]  # its number in the memo, G, the float
    return found[2:] if at >= 0 and found[1:2] == _NUMBER and len(found) == 2 + _FLOAT else None


def _decoded(text: str) -> bytes:
    """Undo base64; nothing at all, where it is none."""
    try:
        return binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return b""
