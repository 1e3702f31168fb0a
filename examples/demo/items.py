"""The item of a session as it is stored in the table, read and explained attribute by attribute.

It uses the package's own client. It never writes, and never creates the table. No Beaker and no
HTML here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.dynamodb.rows import Rows, build_rows
from beaker_dynamodb.errors import TableMissing
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.eligibility import BEAKER_TIMEOUT_PADDING
from beaker_dynamodb.item.record import Attribute, Record
from beaker_dynamodb.provisioning.spec import table_spec
from beaker_dynamodb.sessions.store import SessionSettings
from examples.demo.capacity import item_size

#: The size of the header of `data`, in bytes.
HEADER_SIZE: Final = 8

_FLAGS: Final = {
    codec.BASE64: "Beaker's base64 decoded",
    codec.COMPRESSED: "compressed",
    codec.ENCRYPTED: "encrypted",
    codec.CHUNKS: "split into chunks",
}


@dataclass(frozen=True, slots=True)
class ItemAttribute:
    """One attribute: its name, DynamoDB's type (S, N or B), its value, and its size in bytes.

    `role` is what it is for: key, data, rev, prev or expires; plain for any other.
    """

    name: str
    role: str
    type: str
    value: Attribute = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class DataHeader:
    """What the first bytes of `data` say about the rest."""

    version: int
    kind: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as it is stored.

    `size` is in bytes as AWS counts them, `text_length` is the number of characters that Beaker
    handed over, `expires` is in epoch seconds, `index_keys` are the attributes that have an index.
    """

    attributes: tuple[ItemAttribute, ...]
    header: DataHeader
    size: int
    text_length: int
    data: bytes = field(repr=False)
    expires: int | None
    index_keys: Mapping[str, Attribute] = field(repr=False)


class ItemReader:
    """Read the items of sessions, under the options that the applications use."""

    def __init__(self, options: Options, timeout: int) -> None:
        self.options = options
        self._rows: Rows = build_rows(self.options, "session")
        self._table = dataclasses.replace(self._rows.table, create=None)
        self._indexed = {index.attribute for index in table_spec(options).indexes}
        self._lifetime = timeout + BEAKER_TIMEOUT_PADDING
        self._touch_after = SessionSettings.compute(self._rows, self._lifetime).touch_after

    def get_item(self, session_id: str) -> StoredItem | None:
        """Return the item of the session with this id; None if there is none.

        Raises: the errors of the codec and of the client.
        """
        try:
            record = self._table.get(
                self._rows.layout.make_session_key(session_id), consistent=True
            )
        except TableMissing:
            return None
        return None if record is None else self._describe(record)

    def next_touch(self, item: StoredItem) -> int | None:
        """Return the epoch second from which a request that only reads extends the expiry."""
        if item.expires is None:
            return None
        return int(item.expires - self._lifetime + self._touch_after)

    def _describe(self, record: Record) -> StoredItem:
        layout, schema, key = self._rows.layout, self._rows.schema, record.key
        values: dict[str, Attribute] = {layout.hash_key: key.hash}
        roles = {layout.hash_key: "key", schema.ttl: "expires"}
        roles |= {name: name for name in ("data", "rev", "prev")}
        if layout.range_key and key.range is not None:
            values[layout.range_key] = key.range
        values |= record.to_attributes(schema)
        attributes = tuple(
            ItemAttribute(
                name, roles.get(name, "plain"), _type_of(value), value, item_size({name: value})
            )
            for name, value in values.items()
        )
        return StoredItem(
            attributes,
            _parse_header(record.data),
            size=item_size(values),
            text_length=len(self._rows.open(record) or b""),
            data=record.data,
            expires=record.expires,
            index_keys={name: value for name, value in values.items() if name in self._indexed},
        )


def _type_of(value: Attribute) -> str:
    return "S" if isinstance(value, str) else "B" if isinstance(value, bytes) else "N"


def _parse_header(data: bytes) -> DataHeader:
    version, kind, flags = data[:3]
    names = [name for bit, name in _FLAGS.items() if flags & bit]
    if number := flags // codec.DICTIONARY:
        names.append(f"with dictionary {number}")
    what = "a session" if kind == codec.SESSION else "a cached value"
    return DataHeader(version, what, tuple(names))
