"""Read a session's serializer and creation time without unpickling it.

Pure: no code of a stored class ever runs here. Neither `rev` nor `expires` tells when a session
was created: tokens are random, and the expiry moves with every touch. So Beaker's own
`_creation_time` is read: out of JSON by parsing, out of a pickle by `safe_load`.
"""

from __future__ import annotations

from typing import Literal

from beaker_dynamodb.item.envelope import CREATED, PickleEnvelope, plain_envelope, read_time
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.ops.bounds import limit_time

Serializer = Literal["pickle", "json", "opaque"]


def detect_serializer(text: str, max_size: int) -> Serializer:
    """Return how Beaker wrote a session's text; opaque: encrypted, or by a custom serializer."""
    envelope = plain_envelope(text, max_size)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def read_creation_time(text: str, max_size: int, *, pickles: bool = True) -> float | None:
    """Return when a session was created, in epoch seconds; None if its text holds no valid time.

    Args:
        max_size: the limit of a value in bytes, uncompressed.
        pickles: whether pickles are read.
    """
    values = load_session(text, "auto" if pickles else "json", max_size)
    return limit_time(read_time(values or {}, CREATED))
