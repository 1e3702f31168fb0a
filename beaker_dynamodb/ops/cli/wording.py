"""Write sessions, tables, durations, sizes and costs for people and as JSON. Pure.

docs/json.md documents the JSON. A text of a table may be hostile, and is always escaped.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Final

import click
from rich.cells import cell_len

from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.ops import prices
from beaker_dynamodb.ops.inspection import Inspection
from beaker_dynamodb.ops.sessions import Session
from beaker_dynamodb.provisioning.description import Description

NOT_FOUND: Final = "there is no such session"
OTHER_STORE: Final = (
    "this row belongs to another store, which uses the same prefix; it is not touched"
)
#: What a line begins with, and what its continuation is indented by: spaces, a label or an arrow.
_LABEL: Final = re.compile(r" *(?:-> |\S+ {2,})?")
#: The spaces before a word, and the word. Code in backticks is one word, so that it can be copied.
_WORD: Final = re.compile(r"( *)((?:`[^`]*`|\S)+)")
#: Likewise the arguments of a command, which a shell may have quoted; an option has its value.
_ARGUMENT: Final = re.compile(r"( *)((?:-[\w-]+ (?=[^- ]))?(?:'[^']*'|\S)+)")
#: Columns that a continued line has at least, however long its label is.
_MIN_COLUMNS: Final = 20
_COMMAND, _CONTINUED = "beaker-dynamodb ", " \\"
#: Why a row expires later than the ini file seems to say.
EXPIRES_LATER: Final = (
    f"with session.timeout, a row expires {BEAKER_TIMEOUT_PADDING} seconds after its session:"
    " Beaker adds them"
)
#: The columns of a session: an id of Beaker's, the row's time left, the session's age, the rest.
_ID_WIDTH: Final = 32
_ROW: Final = f"{{:<{_ID_WIDTH}}}  {{:<8}}  {{:<8}}  {{}}"
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_KB: Final = 1024
_CENT: Final = 0.01


def format_duration(seconds: float) -> str:
    """Write a duration by its two largest units: 3d 4h, 12m 5s."""
    left = max(0, int(seconds))
    words: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or words:
            words.append(f"{number}{unit}")
    return " ".join(words[:2]) or "0s"


def format_size(size: float) -> str:
    """Write a number of bytes."""
    if size < _KB:
        return f"{size:,.0f} bytes"
    return f"{size / _KB:,.1f} KB" if size < _KB**2 else f"{size / _KB**2:,.1f} MB"


def format_dollars(dollars: float) -> str:
    """Write dollars and cents."""
    return "less than $0.01" if 0 < dollars < _CENT else f"${dollars:,.2f}"


def format_cost(cost: prices.Cost) -> str:
    """Write units and what they cost. Half a unit is not written as 0."""
    units = format_count(math.ceil(cost.read_units), "read unit")
    if cost.write_units:
        units += f" and {format_count(cost.write_units, 'write unit')}"
    return (
        f"{units}, {format_dollars(cost.dollars)} at list prices ({prices.REGION}, {prices.AS_OF})"
    )


def scan_message(rows: int, cost: prices.Cost) -> str:
    """Write what is about to be read, and what that costs."""
    return f"reading {format_count(rows, 'row')}: about {format_cost(cost)}"


def format_count(number: float, what: str) -> str:
    """Write a number and what is counted: 1 row, 2 rows."""
    return f"{number:,.0f} {what}" + ("" if number == 1 else "s")


def format_other_rows(number: int, form: str) -> str:
    """Write how many rows belong to another store in place of the {} in *form*; "" for none."""
    return form.format(f"{format_count(number, 'row')} of another store") if number else ""


def format_time(seconds: float) -> str:
    """Write epoch seconds as ISO 8601 in UTC, without fractions: 2026-11-28T12:00:00Z."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def escape(text: str) -> str:
    """Write a text with every character that is neither printable nor a space as an escape."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def fold(text: str, width: int, indent: int | None = None) -> str:
    """Break the lines of a text between words where they exceed a terminal's width.

    A line continues below what follows its label, or after *indent* columns. A command of ours is
    continued as a shell expects it, so that it can be pasted. Any other remedy, which follows an
    arrow, is not broken: a line of Python or of an ini file would not be the same line. Nor is a
    word that is longer than a line. The terminal breaks these, and they can be copied as one.
    """
    return "\n".join(_fold_line(line, width, indent) for line in text.split("\n"))


def _fold_line(line: str, width: int, indent: int | None) -> str:
    if _measure(line) <= width or (_is_remedy(line) and not _is_command(line)):
        return line
    label = _LABEL.match(click.unstyle(line))
    hanging = len(label[0]) if label and indent is None else indent or 0
    hanging = max(0, min(hanging, width - _MIN_COLUMNS))
    folded, column = "", 0
    for space, word, end in _split(line, width - hanging):
        length = _measure(word)
        if column > hanging and column + len(space) + length + len(end) > width:
            folded += f"{end}\n{' ' * hanging}{word}"
            column = hanging + length
        else:
            folded += space + word
            column += len(space) + length
    return folded


def _split(line: str, room: int) -> Iterator[tuple[str, str, str]]:
    """Yield the spaces before each word, the word, and what a line ends with that breaks there."""
    is_command = _is_command(line)
    for space, word in (_ARGUMENT if is_command else _WORD).findall(line):
        if not word.startswith(f"`{_COMMAND}") or _measure(word) <= room:
            yield space, word, _CONTINUED if is_command else ""
            continue
        (_, first), *others = _ARGUMENT.findall(word)
        yield space, first, ""
        yield from ((*one, _CONTINUED) for one in others)


def _is_remedy(line: str) -> bool:
    return click.unstyle(line).lstrip().startswith("-> ")


def _is_command(line: str) -> bool:
    return click.unstyle(line).lstrip(" ->").startswith(_COMMAND)


def _measure(text: str) -> int:
    """Return how many columns of a terminal a text takes; style codes take none."""
    return cell_len(click.unstyle(text))


def not_found_message(query: str) -> str:
    """Return the message that no session was found, and which sessions cannot be found.

    Without the second sentence, a logout everywhere would look complete when it is not.
    """
    name = query.partition("=")[0]
    return (
        f"no live session has {escape(query)}. Sessions that were last saved before special_keys"
        f" named {name!r} do not have the attribute, and are not found"
    )


def survivors_message(ended: float, migrate_from: str | None) -> str:
    """Write which sessions a revoke of all may have left, and what ends them.

    Args: *ended* is when it ended, in epoch seconds; *migrate_from* the old backend, if any.
    """
    old = f" or are still in the old backend ({migrate_from})" if migrate_from else ""
    return (
        f"sessions that have begun or got a new id meanwhile{old} may remain; this line of the ini"
        f" file ends them: session.created_after = {format_time(math.ceil(ended))}"
    )


def format_heading(title: str) -> str:
    """Write the heading above rows of sessions; *title* is that of the ids."""
    return _ROW.format(title, "EXPIRES", "AGE", "SPECIAL KEYS")


def format_session(session: Session, now: float, width: int | None) -> str:
    """Write a session as a row below the heading.

    Args: *width* is that of a terminal, or None. There a long id is on a line of its own, like the
    long name of a file system in `df`, and the special keys continue below each other.
    """
    ident, expires, age = escape(session.id), "never", "unknown"
    if session.is_ended(now):
        expires = "ended"
    elif session.expires is not None:
        expires = format_duration(session.expires - now) if session.live else "expired"
    if session.created is not None:
        age = format_duration(now - session.created)
    others = expires, age, "  ".join(_describe_contents(session))
    if width is None or len(ident) <= _ID_WIDTH:
        row = _ROW.format(ident, *others)
    else:
        row = f"{ident}\n{_ROW.format('', *others)}"
    return row.rstrip() if width is None else fold(row.rstrip(), width, indent=_ID_WIDTH + 2)


def describe_session(session: Session, now: float) -> str:
    """Write a session as one line."""
    return "  ".join([escape(session.id), *_describe_facts(session, now)])


def _describe_facts(session: Session, now: float) -> Iterator[str]:
    if session.is_ended(now):
        yield "ended by option max_age or created_after"
    elif session.expires is None:
        yield "never expires"
    elif session.live:
        yield f"row expires in {format_duration(session.expires - now)}"
    else:
        yield f"row expired {format_duration(now - session.expires)} ago"
    if session.created is not None:
        yield f"created {format_duration(now - session.created)} ago"
    yield format_size(session.size) + (f" and {session.chunks} chunks" if session.chunks else "")
    yield from _describe_contents(session)


def _describe_contents(session: Session) -> Iterator[str]:
    for name, value in session.special_keys.items():
        yield f"{escape(name)}={_format_value(value)}"
    if session.error:
        yield f"cannot be read: {escape(session.error)}"


def table_to_json(table: Description) -> dict[str, Any]:
    """Name the facts of a table for `to_json`; settings have the names of options and flags."""
    capacity, limits = table.capacity or (None, None), table.limits or (None, None)
    return {
        "table": table.table,
        "region": table.region,
        "account": table.account,
        "arn": table.arn,
        "status": table.status,
        "hash_key": table.hash_key,
        "range_key": table.range_key,
        "ttl": table.expiry,
        "indexes": table.indexes,
        "read_capacity_units": capacity[0],
        "write_capacity_units": capacity[1],
        "max_read_units": limits[0],
        "max_write_units": limits[1],
        "deletion_protection": table.protection,
        "point_in_time_recovery": table.recovery,
        "kms_key": table.kms_key,
        "tags": None if table.tags is None else dict(table.tags),
        "rows": table.rows,
        "size": table.size,
    }


def to_json(value: object) -> object:
    """Convert a value to plain JSON values; what JSON does not have becomes a text.

    A dataclass becomes an object of its fields. JSON has no NaN and no infinity, and most parsers
    refuse half of a surrogate pair. Numbers and depth are limited already, by `ops/bounds.py`.
    """
    if dataclasses.is_dataclass(value):
        value = _list_fields(value)
    if isinstance(value, Mapping):
        return {_text(str(name)): to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(one) for one in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if value is None or finite else _text(str(value))


def _list_fields(record: Any) -> dict[str, object]:
    """Return the fields of a dataclass; beside each time of a session, the same in ISO 8601."""
    fields: dict[str, object] = {}
    for name in (field.name for field in dataclasses.fields(record)):
        fields[name] = value = getattr(record, name)
        if isinstance(record, Session) and name in {"expires", "created"}:
            fields[f"{name}_at"] = None if value is None else format_time(value)
    return fields


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def describe_inspection(found: Inspection, now: float) -> Iterator[str]:
    """Write an inspected session as lines for people."""
    yield describe_session(found.session, now)
    storage = [found.serializer]
    storage += ["compressed"] if found.compressed else []
    storage += ["encrypted"] if found.encrypted else []
    sizes = f"{format_size(found.stored_size)} stored, {format_size(found.text_size)} of text"
    yield f"  {', '.join(storage)}: {sizes}"
    for name, value in (found.values or {}).items():
        yield f"  {escape(str(name))} = {escape(repr(value))}"  # a repr may hold any characters
    if found.reason:
        yield f"  not shown: {escape(found.reason)}"


def _format_value(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return escape(str(value))
