"""Inspect sessions: the row, how it is stored, and the values if they can be shown.

A damaged row is never an error here: the result says what is wrong with it. A pickle is opened
only if the operator asks for it, because opening one can run any code that its writer put there.
An export, for a request for information or an incident, reads the plain values of a pickle instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.errors import CorruptItem, ItemTooLarge, UnknownFormat
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.envelope import JsonEnvelope, PickleEnvelope, choose_envelope
from beaker_dynamodb.item.opcodes import STUB
from beaker_dynamodb.item.record import Record
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.ops.bounds import CUT, copy_bounded
from beaker_dynamodb.ops.sessions import (
    Session,
    describe_row,
    explain,
    find_rows,
    parse_special_key,
)

_FLAGS: Final = 2
_DAMAGED: Final = "its JSON is damaged"
_PICKLED: Final = "it is a pickle, and opening one can run code; --unpickle opens it"
_FORBIDDEN: Final = "it is a pickle, but the options say that sessions are JSON: it is not opened"
_GONE: Final = "it is a pickle that cannot be opened here: a class in it cannot be imported"
_CACHED: Final = "it is the row of a cache, not of a session"
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
    rows: Rows, row: ScannedRow, now: float, *, unpickle: bool = False, is_export: bool = False
) -> Inspection:
    """Inspect a session's row. Large values are joined, encrypted ones opened.

    Args: of a pickle, *unpickle* opens all values, and *is_export* the plain ones.
    Raises: what the client raises.
    """
    record, value, reason = row.record, None, row.error
    if row.record is not None:
        try:
            record = _join(rows, row.record, now)
            value, reason = rows.open(record), _CACHED
        except (CorruptItem, UnknownFormat, ItemTooLarge) as error:
            record, reason = row.record, explain(error)
    serializer, text, values = "unknown", "", None
    if value is not None:
        text = value.decode("utf-8", "surrogatepass")
        serializer = detect_serializer(text, rows.options.max_value_size)
        values, reason = _open(rows, text, serializer, unpickle=unpickle, is_export=is_export)
    data = record.data if record else b""
    flags = data[_FLAGS] if len(data) > _FLAGS else 0
    return Inspection(
        describe_row(rows, row, now),
        serializer,
        len(data),
        len(text),
        compressed=bool(flags & codec.COMPRESSED),
        encrypted=bool(flags & codec.ENCRYPTED),
        values=values,
        reason=reason,
    )


def export_sessions(
    rows: Rows, query: str, now: float, *, scan: bool = False
) -> Iterator[Inspection]:
    """Yield the live sessions whose special key has a value, each with its plain values.

    No code of a session is run: nested values in a pickle are left out.

    Args: *query* is `NAME=VALUE`; *scan* reads the whole table instead of an index.
    Raises: OptionError, as `find_sessions`; what the client raises.
    """
    for row in find_rows(rows, *parse_special_key(rows.options, query), now, scan=scan):
        yield inspect_session(rows, row, now, is_export=True)


def detect_serializer(text: str, max_size: int) -> Literal["pickle", "json", "opaque"]:
    """Return how Beaker wrote a session's text; opaque: encrypted, or by a custom serializer."""
    envelope = choose_envelope(text, max_size, "auto")
    if isinstance(envelope, PickleEnvelope):
        return "pickle"
    return "opaque" if envelope is None else "json"


def _open(
    rows: Rows, text: str, serializer: str, *, unpickle: bool, is_export: bool
) -> tuple[dict[str, Any] | None, str]:
    """Return the values in a session's text, bounded; or None, and why they are not shown."""
    values: Mapping[str, Any] | None = None
    if serializer == "json":
        values, reason = JsonEnvelope(rows.options.max_value_size).open(text), _DAMAGED
    elif serializer == "opaque":
        reason = _OPAQUE
    elif rows.options.envelope == "json":
        reason = _FORBIDDEN
    elif unpickle:
        values, reason = PickleEnvelope().open(text), _GONE
    elif is_export:
        values, reason = _read_plain(text, rows.options.max_value_size), _PICKLED
    else:
        reason = _PICKLED
    if values is None:
        return None, reason
    return cast("dict[str, Any]", copy_bounded(values)), ""  # the copy of a dict is a dict


def _read_plain(text: str, max_size: int) -> dict[str, object] | None:
    """Return the values of a pickle, `CUT` for nested ones; None if it is damaged."""
    values = load_session(text, "auto", max_size)
    if values is None:
        return None
    return {
        name: CUT if value is STUB else value
        for name, value in values.items()
        if isinstance(name, str)
    }


def _join(rows: Rows, manifest: Record, now: float) -> Record:
    """Join a large value, which may have been replaced since its row was read."""
    if not manifest.chunk_count:
        return manifest
    if not manifest.is_live(now):
        raise CorruptItem("", "it has expired, and its chunks may be deleted")
    return rows.get(manifest.key, consistent=True, now=now) or manifest
