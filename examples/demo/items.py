"""A look at the item as it stands in the table, through the package's own door.

It reads and explains; it never writes, and never creates the table. No Beaker and no HTML here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.config import sources
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.rows import Rows, rows
from beaker_dynamodb.errors import TableMissing
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.record import Attribute, Record
from examples.demo.capacity import item_size

#: What Beaker adds to a session's timeout before it hands it on (beaker/session.py:187).
GRACE: Final = 120
#: The bytes of the header of `data`.
HEADER: Final = 8

_FLAGS: Final = {
    codec.BASE64: "Beaker's base64 undone",
    codec.COMPRESSED: "compressed",
    codec.ENCRYPTED: "encrypted",
    codec.PIECES: "in pieces",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One attribute: its name, AWS's type of it, its value, and the bytes that AWS counts.

    `role` says what it is for: key, data, rev, prev, expires; or plain.
    """

    name: str
    role: str
    kind: str
    value: Attribute = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of `data` say of the rest."""

    version: int
    kind: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as it stands; `text` is the length of what Beaker handed over for it."""

    cells: tuple[Cell, ...]
    header: Header
    size: int
    text: int
    data: bytes = field(repr=False)
    expires: int | None


class Window:
    """Looks at sessions' items under the options that the applications use."""

    def __init__(self, given: Mapping[str, object], timeout: int) -> None:
        self.options: Options = sources.parse(given, "session")
        self._rows: Rows = rows(self.options, "session")
        self._table = dataclasses.replace(self._rows.table, create=None)
        self._lifetime = timeout + GRACE
        self._touch_after = self.options.touch_interval(timeout)

    def look(self, namespace: str) -> Shown | None:
        """Read the item of the session with this id; None if none stands there.

        Raises: whatever the codec and the door raise.
        """
        try:
            record = self._table.get(self._rows.layout.session(namespace), consistent=True)
        except TableMissing:
            return None
        return None if record is None else self._shown(record)

    def touched_from(self, shown: Shown) -> int | None:
        """Say from which second on a page that only reads would write the expiry again."""
        if shown.expires is None:
            return None
        return int(shown.expires - self._lifetime + self._touch_after)

    def _shown(self, record: Record) -> Shown:
        layout, schema, key = self._rows.layout, self._rows.schema, record.key
        found: dict[str, Attribute] = {layout.hash_key: key.hash}
        roles = {layout.hash_key: "key", schema.ttl: "expires"}
        roles |= {name: name for name in ("data", "rev", "prev")}
        if layout.range_key and key.range is not None:
            found[layout.range_key] = key.range
        found |= record.attributes(schema)
        cells = tuple(
            Cell(name, roles.get(name, "plain"), *_typed(value), item_size({name: value}))
            for name, value in found.items()
        )
        text = len(self._rows.open(record) or b"")
        return Shown(
            cells, _header(record.data), item_size(found), text, record.data, record.expires
        )


def _typed(value: Attribute) -> tuple[str, Attribute]:
    return ("S" if isinstance(value, str) else "B" if isinstance(value, bytes) else "N"), value


def _header(data: bytes) -> Header:
    version, kind, flags = data[:3]
    told = tuple(word for bit, word in _FLAGS.items() if flags & bit)
    return Header(version, "a session" if kind == codec.SESSION else "a cache's value", told)
