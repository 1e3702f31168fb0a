"""Export the sessions of a user as plain values, for a request for information or an incident.

No code of a session is run: of a pickle the plain values are read, and nested ones are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.scan import ScannedRow
from beaker_dynamodb.item.opcodes import STUB
from beaker_dynamodb.item.safe_load import load_session
from beaker_dynamodb.ops.bounds import CUT, copy_bounded
from beaker_dynamodb.ops.inspection import Inspection, inspect_session, read_text
from beaker_dynamodb.ops.sessions import find_rows, parse_special_key


def export_sessions(
    rows: Rows, query: str, now: float, *, scan: bool = False
) -> Iterator[Inspection]:
    """Yield the live sessions whose special key has a value, each with its values.

    Args: *query* is `NAME=VALUE`; *scan* reads the whole table instead of an index.
    Raises: OptionError, as `find_sessions`; what the client raises.
    """
    for row in find_rows(rows, *parse_special_key(rows.options, query), now, scan=scan):
        yield _export(rows, row, now)


def _export(rows: Rows, row: ScannedRow, now: float) -> Inspection:
    found = inspect_session(rows, row, now)
    if found.serializer != "pickle":
        return found
    envelope = "json" if rows.options.envelope == "json" else "auto"
    text = read_text(rows, row, now) or ""
    values = load_session(text, envelope, rows.options.max_value_size)
    if values is None:
        return found
    plain = {
        name: CUT if value is STUB else copy_bounded(value)
        for name, value in values.items()
        if isinstance(name, str)
    }
    return dataclasses.replace(found, values=plain, reason="")
