"""One session, looked at closely: what its row says, and what is in it if that can be told.

It never fails over a row: what is wrong with it is the answer. A pickle is opened only if the
operator asks for that, for opening one may run any code that its writer put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, plain_envelope
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.ops.bounds import copy_bounded
from beaker_dynamodb.ops.sessions import Session, described, opened

_FLAGS: Final = 2
_DAMAGED: Final = "its JSON is damaged"
_PICKLED: Final = "it is a pickle, and opening one can run code; --unpickle opens it"
_FORBIDDEN: Final = "it is a pickle, and sessions are said to be JSON: no pickle is opened"
_GONE: Final = "it is a pickle that does not open here: a class in it cannot be imported"
_OPAQUE: Final = (
    "it is opaque: Beaker's encrypt_key or a serializer of its own wrote it, and only the"
    " application can open it"
)


@dataclass(frozen=True, slots=True)
class Inspected:
    """A session, how it is kept, and what is in it.

    `stored` is the value's bytes in the row, or in all pieces; `text` those of Beaker's text.
    `values` is None where they are not told, and `why` says why not and what it would take;
    they are bounded in depth and size, and plain (`bounds.copy_bounded`).
    """

    session: Session
    serializer: str
    stored: int
    text: int
    compressed: bool
    encrypted: bool
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    why: str = ""


def inspected(of: Rows, seen: ScannedRow, now: float, *, unpickle: bool = False) -> Inspected:
    """Look at a session that was sought. Large values are put together, encrypted ones opened.

    Raises: what the client raises.
    """
    session = described(of, seen, now)
    if seen.record is None:
        return Inspected(
            session, "unknown", 0, 0, compressed=False, encrypted=False, why=seen.wrong
        )
    try:
        record = _whole(of, seen.record, now)
        text = opened(of, record)
    except (CorruptItem, UnknownFormat, ItemTooLarge) as error:
        why = error.wrong if isinstance(error, CorruptItem) else str(error)
        return _kept(session, seen.record, "unknown", "", why)
    if text is None:
        return _kept(session, record, "unknown", "", "it is a cache's row, not a session's")
    most = of.options.max_value_size
    kind = detect_serializer(text, most)
    if kind == "json":
        values, why = JsonEnvelope(most).open(text), _DAMAGED
    elif kind == "pickle" and of.options.envelope == "json":
        values, why = None, _FORBIDDEN
    elif kind == "pickle" and unpickle:
        values, why = PickleEnvelope().open(text), _GONE
    else:
        values, why = None, _PICKLED if kind == "pickle" else _OPAQUE
    if values is None:
        return _kept(session, record, kind, text, why)
    bounded = cast("dict[str, Any]", copy_bounded(values))  # a dict stays one
    return _kept(session, record, kind, text, "", bounded)


def detect_serializer(text: str, max_size: int) -> Literal["pickle", "json", "opaque"]:
    """Return how a session's text was written; opaque: encrypted, or by another serializer."""
    envelope = plain_envelope(text, max_size)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def _whole(of: Rows, head: Record, now: float) -> Record:
    """Put a large value together; it may have been written anew since it was seen."""
    if not head.pieces:
        return head
    if not head.live(now):
        raise CorruptItem("", "it has expired, and what has expired has no pieces")
    return of.get(head.key, consistent=True, now=now) or head


def _kept(  # noqa: PLR0913  # one argument a column of what is told
    session: Session,
    record: Record,
    serializer: str,
    text: str,
    why: str,
    values: Mapping[str, Any] | None = None,
) -> Inspected:
    data = record.data
    flags = data[_FLAGS] if len(data) > _FLAGS else 0
    return Inspected(
        session,
        serializer,
        len(data),
        len(text),
        compressed=bool(flags & codec.COMPRESSED),
        encrypted=bool(flags & codec.ENCRYPTED),
        values=values,
        why=why,
    )
