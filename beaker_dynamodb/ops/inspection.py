"""Inspect one session: its row, how it is stored, and its values if they can be shown.

A damaged row is never an error here: the result says what is wrong with it. A pickle is opened
only if the operator asks for it, because opening one can run any code that its writer put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, choose_envelope
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.ops.bounds import copy_bounded
from beaker_dynamodb.ops.sessions import Session, describe_row, open_text

_FLAGS: Final = 2
_DAMAGED: Final = "its JSON is damaged"
_PICKLED: Final = "it is a pickle, and opening one can run code; --unpickle opens it"
_FORBIDDEN: Final = "it is a pickle, but the options say that sessions are JSON: it is not opened"
_GONE: Final = "it is a pickle that cannot be opened here: a class in it cannot be imported"
_OPAQUE: Final = (
    "it is opaque: Beaker's encrypt_key or a custom serializer wrote it, and only the application"
    " can open it"
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A session, how it is stored, and its values.

    `stored_size` is the value's bytes in the row, or in all chunks; `text_size` those of Beaker's
    text. `values` is None if they are not shown, and then `reason` says why, and what would show
    them. They are bounded in depth and size, and plain (`bounds.copy_bounded`).
    """

    session: Session
    serializer: str
    stored_size: int
    text_size: int
    compressed: bool
    encrypted: bool
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""


def inspect_session(
    rows: Rows, row: ScannedRow, now: float, *, unpickle: bool = False
) -> Inspection:
    """Inspect a session's row. Large values are joined, encrypted ones opened.

    Raises: what the client raises.
    """
    session = describe_row(rows, row, now)
    if row.record is None:
        return Inspection(
            session, "unknown", 0, 0, compressed=False, encrypted=False, reason=row.error
        )
    try:
        record = _whole(rows, row.record, now)
        text = open_text(rows, record)
    except (CorruptItem, UnknownFormat, ItemTooLarge) as error:
        reason = error.wrong if isinstance(error, CorruptItem) else str(error)
        return _kept(session, row.record, "unknown", "", reason)
    if text is None:
        return _kept(session, record, "unknown", "", "it is the row of a cache, not of a session")
    most = rows.options.max_value_size
    serializer = detect_serializer(text, most)
    if serializer == "json":
        values, reason = JsonEnvelope(most).open(text), _DAMAGED
    elif serializer == "pickle" and rows.options.envelope == "json":
        values, reason = None, _FORBIDDEN
    elif serializer == "pickle" and unpickle:
        values, reason = PickleEnvelope().open(text), _GONE
    else:
        values, reason = None, _PICKLED if serializer == "pickle" else _OPAQUE
    if values is None:
        return _kept(session, record, serializer, text, reason)
    bounded = cast("dict[str, Any]", copy_bounded(values))  # a dict stays one
    return _kept(session, record, serializer, text, "", bounded)


def detect_serializer(text: str, max_size: int) -> Literal["pickle", "json", "opaque"]:
    """Return how Beaker wrote a session's text; opaque: encrypted, or by a custom serializer."""
    envelope = choose_envelope(text, max_size)
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def _whole(rows: Rows, head: Record, now: float) -> Record:
    """Join a large value; it may have been rewritten since its row was read."""
    if not head.chunk_count:
        return head
    if not head.is_live(now):
        raise CorruptItem("", "it has expired, and its chunks may be deleted")
    return rows.get(head.key, consistent=True, now=now) or head


def _kept(  # noqa: PLR0913  # one argument a column of what is told
    session: Session,
    record: Record,
    serializer: str,
    text: str,
    reason: str,
    values: Mapping[str, Any] | None = None,
) -> Inspection:
    data = record.data
    flags = data[_FLAGS] if len(data) > _FLAGS else 0
    return Inspection(
        session,
        serializer,
        len(data),
        len(text),
        compressed=bool(flags & codec.COMPRESSED),
        encrypted=bool(flags & codec.ENCRYPTED),
        values=values,
        reason=reason,
    )
