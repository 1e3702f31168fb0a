"""What can be known of a session without unpickling it: its kind, and when it began.

Pure, and no code of a class ever runs here. `rev` and `expires` hold no birth: tokens are
random, and an expiry moves with every touch. So Beaker's own `_creation_time` is read: out of
JSON by parsing, out of a pickle by `safe_load`.
"""

from __future__ import annotations

from typing import Literal

from beaker_dynamodb.item.envelope import CREATED, PickleEnvelope, plain_envelope, read_time
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.ops.bounds import limit_time

Serializer = Literal["pickle", "json", "opaque"]


def detect_serializer(text: str, max_size: int) -> Serializer:
    """Tell how Beaker wrote a session's text; opaque: encrypted, or a serializer of its own."""
    envelope = plain_envelope(text, max_size)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def read_creation_time(text: str, max_size: int, *, pickles: bool = True) -> float | None:
    """Read when a session began, in epoch seconds; None where its text says no sane time.

    Args:
        max_size: the ceiling of a value in bytes, inflated.
        pickles: whether pickles are read.
    """
    values = load_session(text, "auto" if pickles else "json", max_size)
    return limit_time(read_time(values or {}, CREATED))
