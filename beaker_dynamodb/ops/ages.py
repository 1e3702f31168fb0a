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

Kind = Literal["pickle", "json", "opaque"]


def kind_of(text: str, most: int) -> Kind:
    """Tell how Beaker wrote a session's text; opaque: encrypted, or a serializer of its own."""
    envelope = plain_envelope(text, most)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def begun(text: str, most: int, *, pickles: bool = True) -> float | None:
    """Read when a session began, in epoch seconds; None where its text says no sane time.

    Args:
        most: the ceiling of a value in bytes, inflated.
        pickles: whether pickles are read.
    """
    values = load_session(text, "auto" if pickles else "json", most)
    return limit_time(read_time(values or {}, CREATED))
