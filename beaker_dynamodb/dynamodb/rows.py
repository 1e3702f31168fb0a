"""What the rows of one manager are made of: keys, codec and table, built once from the options.

A row goes in and out as the value's bytes; what is sealed, where and under which revision is
settled here, alike for sessions and caches.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TypeAlias

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.dynamodb.client import Client, get_client
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.dynamodb.table import Condition, Refusal, Table
from beaker_dynamodb.dynamodb.values import Values
from beaker_dynamodb.errors import CorruptItem, OptionError, digest
from beaker_dynamodb.item import codec
from beaker_dynamodb.item.chunks import max_chunks
from beaker_dynamodb.item.codec import TOMBSTONE, Codec, Place
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema, rev_of
from beaker_dynamodb.item.serializers import Serializer, serializer
from beaker_dynamodb.runtime import REAL, Runtime

#: Creates the table of these options by that client. It is handed in, for it is not a request's.
CreateTable: TypeAlias = Callable[[Client, Options], object]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read: the record, and the value's bytes."""

    record: Record
    value: bytes = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """Opens what is read and seals what is written."""

    options: Options
    layout: Layout
    schema: Schema
    codec: Codec
    values: Values
    serializer: Serializer

    @property
    def table(self) -> Table:
        """The table of rows beneath the values."""
        return self.values.table

    def read(self, key: Key, *, consistent: bool, now: float) -> Row | None:
        """Read a live row; None where there is none, or it has expired.

        What does not decode is read once more: the reply may have been garbled on its way.

        Raises: CorruptItem, and whatever the codec and the client raise.
        """
        try:
            return self._read(key, now, consistent=consistent)
        except CorruptItem:
            pass  # the second look is outside, so that its error has no context
        return self._read(key, now, consistent=True)

    def _read(self, key: Key, now: float, *, consistent: bool) -> Row | None:
        record = self.values.get(key, consistent=consistent, now=now)
        if record is None or not record.live(now):
            return None
        value = self.open(record)
        return None if value is None else Row(record, value)

    def open(self, record: Record) -> bytes | None:
        """Open a record's data; None where it is of another kind, and so not ours.

        Raises: CorruptItem, for a session's that is no text too; UnknownFormat, ItemTooLarge.
        """
        value = self.codec.open(record.data, Place(record.key, record.rev, record.expires))
        if value is not None and self.codec.kind == codec.SESSION and not _is_text(value):
            raise CorruptItem(digest(record.key.hash), "it is no text")
        return value

    def sealed(self, record: Record, value: bytes) -> Record:
        """Seal *value* into *record*.

        Raises: ItemTooLarge.
        """
        place = Place(record.key, record.rev, record.expires)
        return record.holding(self.codec.seal(value, place))

    def tombstone(self, key: Key, rev: str, expires: int | None, kind: int = TOMBSTONE) -> Record:
        """Make the row that says that a session was deleted, or (`ROTATED`) got another id."""
        sealer = dataclasses.replace(self.codec, kind=kind)
        data = sealer.seal(b"", Place(key, rev, expires))
        return Record(key, data, rev, (), expires)

    def write(
        self, record: Record, value: bytes, condition: Condition, old: Record | None
    ) -> Record | Refusal:
        """Seal *value* into *record* and put it; return the row that stands for it, or a refusal.

        Args: *old* is the row that the condition names.
        Raises: ItemTooLarge, and whatever the client raises.
        """
        return self.values.put(self.sealed(record, value), condition, old)


class Tombstones:
    """Puts the tombstones of one request, and knows its own where it meets them."""

    def __init__(self, rows: Rows, runtime: Runtime) -> None:
        self._rows = rows
        self._around = runtime
        self._revs: set[str] = set()

    def put(
        self,
        key: Key,
        condition: Condition,
        old: Record | None,
        *,
        lifetime: float | None,
        kind: int,
    ) -> Refusal | None:
        """Put a tombstone over the row that *condition* names; None means that it stands.

        One of this request's own, whose reply was lost, stands as well.

        Args: *old* is that row; *lifetime* of the tombstone is in seconds, None for ever.
        Raises: whatever the client raises.
        """
        expires = None if lifetime is None else math.ceil(self._around.clock() + lifetime)
        rev = rev_of(self._around.token(), self._around.token())
        self._revs.add(rev)
        tombstone = self._rows.tombstone(key, rev, expires, kind)
        answer = self._rows.values.put(tombstone, condition, old)
        if isinstance(answer, Record):
            return None
        ours = answer.theirs is not None and answer.theirs.rev in self._revs
        return None if ours else answer


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _installed(options: Options) -> None:
    """Look for what the options need before the first row is written by it.

    Raises: OptionError, naming the extra that lacks.
    """
    if options.compress == "fast" and find_spec("isal") is None:
        raise OptionError("compress = fast needs isal: pip install 'beaker-dynamodb[fast]'")
    if options.encryption_keys and find_spec("cryptography") is None:
        raise OptionError(
            "option encryption_keys needs cryptography: pip install 'beaker-dynamodb[crypto]'"
        )


def rows(
    options: Options,
    kind: Kind,
    runtime: Runtime = REAL,
    create_table: CreateTable | None = None,
) -> Rows:
    """Build what a manager of *kind* keeps its rows with. No call is made.

    Args: *create_table* creates a missing table, where option `create_table` allows it.
    Raises: OptionError, where a package lacks that the options need.
    """
    _installed(options)
    layout = Layout(options.prefix, options.hash_key, options.range_key, options.hash_ids)
    schema = Schema(options.ttl_attribute, options.special_keys, max_chunks(options.max_value_size))
    way = get_client(Connection.of(options))
    by, number = serializer(options.serializer)
    create = partial(create_table, way, options) if create_table and options.create_table else None
    return Rows(
        options,
        layout,
        schema,
        Codec(
            kind=codec.SESSION if kind == "session" else codec.VALUE,
            serializer=codec.TEXT if kind == "session" else number,
            compress=options.compress is not False,
            fast=options.compress == "fast",
            most=options.max_value_size,
            table=options.table,
            keys=options.encryption_keys,
            plain_refused=options.encryption_required,
            draw=secrets.token_bytes,
        ),
        Values(
            Table(way, options.table, layout, schema, create),
            options.max_value_size,
            runtime,
        ),
        by,
    )
