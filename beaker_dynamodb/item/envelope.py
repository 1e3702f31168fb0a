"""Beaker's session text to the dict in it, and back.

The kind is decided by the text that this process has just written, never by what stands in the
table: an application that chose JSON never unpickles. What is of no plain kind is opaque.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickle
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

#: How `pickle.dumps(a dict, 2)` begins: protocol 2, an empty dict, memo 0 (beaker/util.py:409).
_PICKLED_DICT = b"\x80\x02}q\x00"
_ZLIB = b"\x78"
#: How many characters tell the kind: 8 of base64 are 6 bytes.
_LOOK = 8

Values = dict[str, Any]


class Envelope(Protocol):
    """Opens and closes a session's text."""

    def open(self, text: str) -> Values | None:
        """Return the dict in *text*, None where it does not open."""

    def close(self, values: Values) -> str:
        """Write *values* as the text that Beaker would write."""


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


@dataclass(frozen=True, slots=True)
class JsonEnvelope:
    """Beaker's `data_serializer = json`: base64 of zlib of JSON."""

    most: int

    def open(self, text: str) -> Values | None:
        """Inflate, at most *most* bytes, and parse; None where that gives no dict."""
        raw = _decoded(text)
        if not raw.startswith(_ZLIB):
            return None
        try:
            inflater = zlib.decompressobj()
            plain = inflater.decompress(raw, self.most)
            values = json.loads(plain) if inflater.eof else None
        except (zlib.error, ValueError, RecursionError):
            return None
        return values if type(values) is dict else None

    def close(self, values: Values) -> str:
        """Write the zlib of the JSON in base64 (beaker/util.py:417)."""
        return base64.b64encode(zlib.compress(json.dumps(values).encode())).decode("ascii")


def plain_envelope(mine: str, most: int) -> Envelope | None:
    """Choose the envelope by what this process has just written; None where it is opaque.

    `most` is the ceiling of a value in bytes, inflated.
    """
    beginning = _decoded(mine[:_LOOK])
    if beginning.startswith(_PICKLED_DICT):
        return PickleEnvelope()
    return JsonEnvelope(most) if beginning.startswith(_ZLIB) else None


def _decoded(text: str) -> bytes:
    """Undo base64; nothing at all, where it is none."""
    try:
        return binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return b""
