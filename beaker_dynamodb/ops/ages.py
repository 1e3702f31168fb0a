"""What can be known of a session without unpickling it: its kind, and when it began.

Pure, and no code of a class ever runs here. `rev` and `expires` hold no birth: tokens are
random, and an expiry moves with every touch. So Beaker's own `_creation_time` is read: out of
JSON by parsing, out of a pickle by the bytes that a float under that name has.
"""

from __future__ import annotations

import binascii
import re
import struct
from typing import Final, Literal

from beaker_dynamodb.item.bookkeeping import CREATED
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, plain_envelope
from beaker_dynamodb.ops.bounds import limit_time

Kind = Literal["pickle", "json", "opaque"]
#: Protocol 2: BINUNICODE with its length, BINPUT or LONG_BINPUT, BINFLOAT and eight bytes.
_CREATED: Final = re.compile(
    b"X" + struct.pack("<I", len(CREATED)) + CREATED.encode() + rb"(?:q.|r....)G(.{8})", re.DOTALL
)


def kind_of(text: str, most: int) -> Kind:
    """Tell how Beaker wrote a session's text; opaque: encrypted, or a serializer of its own."""
    envelope = plain_envelope(text, most)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def begun(text: str, most: int) -> float | None:
    """Read when a session began, in epoch seconds; None where its text says no sane time.

    Args: *most*: the ceiling of a value in bytes, inflated.
    """
    kind = kind_of(text, most)
    if kind == "json":
        values = JsonEnvelope(most).open(text) or {}
        return limit_time(values.get(CREATED))
    if kind == "opaque":
        return None
    try:
        found = _CREATED.search(binascii.a2b_base64(text))
    except ValueError:  # binascii.Error, and texts that are not ASCII
        return None
    return limit_time(struct.unpack(">d", found[1])[0]) if found else None
