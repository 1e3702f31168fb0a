"""Values of any size as rows of a table: seals, writes, reads and deletes them.

One `Rows` serves all requests of a process that have the same options. A value that is too large
for one row is split into chunks. Three rules keep every reader right:

* Chunks are written first, some at once, under the new revision; then the manifest, the row that
  names them. So the manifest is the commit, and a reader sees the old or the new value whole.
* The chunks of a replaced manifest are deleted afterwards. If that fails, they expire a day after
  the value would have, if it has a lifetime.
* No manifest is written over a row that was not read before: a delayed request could write it
  again after its chunks have been deleted.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, TypeAlias

from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.config.sources import Kind
from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.client import Client, get_client
from beaker_dynamodb.dynamodb.table import At, Condition, NoRow, RefusedWrite, Table
from beaker_dynamodb.errors import (
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    OptionError,
    digest,
)
from beaker_dynamodb.item import chunks, codec
from beaker_dynamodb.item.codec import TOMBSTONE, Codec, EncryptionContext
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema
from beaker_dynamodb.item.revision import get_token, make_rev
from beaker_dynamodb.item.serializers import Serializer, get_serializer
from beaker_dynamodb.runtime import REAL, Runtime

log: Final = logging.getLogger(__name__)

#: How many manifests are read if each is replaced while its chunks are read.
MAX_MANIFESTS: Final = 3
#: Bytes of data that fit into a row, whatever its key and promoted attributes are.
SMALL_DATA: Final = 64 * 1024
#: Seconds by which chunks outlive their manifest, so that none is missing while it can be read.
CHUNK_GRACE: Final = 86400

#: Creates the table of these options by that client. The factory passes it in: requests must not
#: import provisioning.
CreateTable: TypeAlias = Callable[[Client, Options], object]


class Row(NamedTuple):
    """A row that was read: the record, and the value's bytes."""

    record: Record
    value: bytes

    def __repr__(self) -> str:
        return f"Row({self.record!r})"  # without the value


class Entry(NamedTuple):
    """What a manager returns to Beaker: the value, and when its row expires (epoch seconds)."""

    value: Any
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Entry(expires={self.expires})"  # without the value


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one set of options. `layout` makes their keys, `codec` seals and opens them."""

    options: Options
    layout: Layout
    schema: Schema
    codec: Codec
    table: Table
    serializer: Serializer
    runtime: Runtime = REAL

    def read(self, key: Key, *, consistent: bool, now: float) -> Row | None:
        """Read a live row and open it; None if there is none, or if it has expired at *now*.

        A row that does not decode is read once more, consistently: the first response may have
        been garbled on its way.

        Raises: CorruptItem, UnknownFormat, ItemTooLarge; what the client raises.
        """
        try:
            return self._read(key, now, consistent=consistent)
        except CorruptItem:
            pass  # the second read is outside, so that its error has no context
        return self._read(key, now, consistent=True)

    def _read(self, key: Key, now: float, *, consistent: bool) -> Row | None:
        record = self.get(key, consistent=consistent, now=now)
        if record is None or not record.is_live(now):
            return None
        value = self.open(record)
        return None if value is None else Row(record, value)

    def get(self, key: Key, *, consistent: bool, now: float) -> Record | None:
        """Read a row with its whole value, live or expired; None if there is none.

        The chunks of an expired row are not read.

        Raises: CorruptItem, if a chunk is missing under a manifest that did not change; what the
        client raises.
        """
        record = self.table.get(key, consistent=consistent)
        if record is None or not record.chunk_count or not record.is_live(now):
            return record
        return self._get_large(record, now)

    def _get_large(self, manifest: Record, now: float) -> Record | None:
        """Read the chunks that *manifest* names; again if it was replaced meanwhile."""
        key, current = manifest.key, manifest
        for _ in range(MAX_MANIFESTS):
            if current.chunk_count > self.schema.max_chunks:  # a forged one, perhaps
                size = (current.chunk_count - 1) * chunks.MAX_ROW_DATA
                raise ItemTooLarge(size, self.options.max_value_size, item=digest(key.hash))
            whole = self._read_chunks(current)
            if whole is not None:
                return whole
            latest = self.table.get(key, consistent=True)
            if latest is None or not latest.chunk_count or not latest.is_live(now):
                return latest
            if latest.rev == current.rev:
                raise CorruptItem(digest(key.hash), "one of its chunks is missing")
            current = latest
        message = "the value is rewritten faster than it can be read"
        raise self.table.make_unavailable(message, "GetItem")

    def open(self, record: Record) -> bytes | None:
        """Open a record's data; None if it is of another kind, and so not ours.

        Raises: CorruptItem, also if a session's value is not text; UnknownFormat, ItemTooLarge.
        """
        context = EncryptionContext(record.key, record.rev, record.expires)
        value = self.codec.open(record.data, context)
        if self.codec.kind == codec.SESSION and value and not (value.isascii() or _is_text(value)):
            raise CorruptItem(digest(record.key.hash), "it is not text")
        return value

    def seal(self, record: Record, value: bytes, *, is_raw: bool | None = None) -> Record:
        """Return *record* with *value* sealed; *is_raw* as `Codec.seal` takes it.

        Raises: ItemTooLarge.
        """
        context = EncryptionContext(record.key, record.rev, record.expires)
        others = record.count_other_bytes(self.schema)
        return record._replace(data=self.codec.seal(value, context, others, is_raw=is_raw))

    def make_tombstone(self, key: Key, expires: int | None, kind: int = TOMBSTONE) -> Record:
        """Make the row that says that a session was deleted, or (`ROTATED`) has another id.

        It has a revision of its own.
        """
        rev = make_rev(self.runtime.token(), self.runtime.token())
        sealer = replace(self.codec, kind=kind)
        data = sealer.seal(b"", EncryptionContext(key, rev, expires))
        return Record(key, data, rev, expires=expires)

    def write(
        self,
        record: Record,
        value: bytes,
        condition: Condition,
        old: Record | None,
        *,
        is_raw: bool | None = None,
    ) -> Record | RefusedWrite:
        """Seal *value* into *record* and put it; arguments and result as `seal` and `put`.

        Raises: ItemTooLarge; what the client raises.
        """
        return self.put(self.seal(record, value, is_raw=is_raw), condition, old)

    def put(
        self, record: Record, condition: Condition, old: Record | None
    ) -> Record | RefusedWrite:
        """Write a sealed record if *condition* holds; return the row as written, or a refusal.

        A refusal holds the stored row with its whole value.

        Args: *old* is the row that the condition names; its chunks are deleted.
        Raises: ItemTooLarge; what the client raises.
        """
        manifest = record
        if len(record.data) > SMALL_DATA or record.name is not None or record.chunk_count:
            manifest = self._write_chunks(record)
        refusal = self.table.put(manifest, condition)
        if refusal is None:
            if old is not None and old.chunk_count:
                self._delete_chunks(old)
            return manifest
        theirs = refusal.theirs
        # If it was refused by our own row, an earlier attempt was applied and its reply was lost:
        # then the chunks of the old row have to go, not ours.
        applied = theirs is not None and theirs.has_token(get_token(record.rev))
        self._delete_chunks(old if applied else manifest)
        if theirs is None or not theirs.chunk_count or not theirs.is_live(self.runtime.clock()):
            return refusal
        now = self.runtime.clock()
        return replace(refusal, theirs=self.get(record.key, consistent=True, now=now))

    def replace(self, record: Record) -> None:
        """Write a sealed record whatever is stored under its key.

        A large one is put on condition of the row that was read just before, which costs one read
        (see the module's third rule). If another writer was faster, its value stays, as if it had
        come just after ours.

        Raises: ItemTooLarge; what the client raises.
        """
        if self._fits_in_a_row(record):
            self._delete_chunks(self.table.replace(record))
            return
        old = self._get_or_drop_corrupt(record.key)
        manifest = self._write_chunks(record)
        refusal = self.table.put(manifest, At(old.rev) if old else NoRow())
        stored = refusal is None or (refusal.theirs and refusal.theirs.rev == record.rev)
        self._delete_chunks(old if stored else manifest)

    def delete(self, key: Key, condition: Condition, old: Record | None) -> RefusedWrite | None:
        """Delete a row and the chunks of *old* if *condition* holds; None means that it is gone.

        The chunks are also deleted if there is no row: *old* was deleted before, perhaps by an
        attempt of this call whose reply was lost.
        """
        refusal = self.table.delete(key, condition)
        if refusal is None or refusal.theirs is None:
            self._delete_chunks(old)
        return refusal

    def drop(self, key: Key) -> None:
        """Delete a row and its chunks, whatever is stored under *key*."""
        self._delete_chunks(self.table.drop(key))

    def _get_or_drop_corrupt(self, key: Key) -> Record | None:
        try:
            return self.table.get(key, consistent=True)
        except CorruptItem:
            self.table.drop(key)
        return None

    # Chunks

    def _fits_in_a_row(self, record: Record) -> bool:
        if len(record.data) <= SMALL_DATA and record.name is None:
            return True
        room = chunks.compute_max_data(record.count_other_bytes(self.schema))
        if room <= 0:
            raise ItemTooLarge(len(record.data) - room, 0, item=digest(record.key.hash))
        return len(record.data) <= room

    def _write_chunks(self, record: Record) -> Record:
        """Write the chunks of a value that needs them; return the row to be written for it."""
        if self._fits_in_a_row(record):
            return record._replace(chunk_count=0) if record.chunk_count else record
        manifest, parts = chunks.split(record.data)
        expires = None if record.expires is None else record.expires + CHUNK_GRACE

        def write(number: int) -> None:
            key = self.layout.make_chunk_key(record.key, record.rev, number)
            self.table.replace(Record(key, bytes(parts[number]), record.rev, expires=expires))

        calls = [partial(write, number) for number in range(len(parts))]
        if self.table.name not in self.table.client.known_tables:
            calls.pop(0)()  # alone: it may have to create the client, and the table
        self.runtime.run_parallel(calls)
        return record._replace(data=manifest, chunk_count=len(parts))

    def _read_chunks(self, manifest: Record) -> Record | None:
        """Join a value; None if a chunk is missing.

        A batch would bring all chunks as one JSON text, and two at a time from one partition.
        """
        keys = self._chunk_keys(manifest)
        parts: list[bytes | None] = [b""] * len(keys)

        def read(number: int) -> None:
            if None not in parts:
                chunk = self.table.get(keys[number], consistent=True)
                parts[number] = None if chunk is None else chunk.data

        self.runtime.run_parallel([partial(read, number) for number in range(len(keys))])
        whole = [part for part in parts if part is not None]
        if len(whole) < len(keys):
            return None
        data = chunks.join(manifest.data, whole)
        if data is None:
            raise CorruptItem(digest(manifest.key.hash), "its chunks do not match its manifest")
        return manifest._replace(data=data)

    def _chunk_keys(self, manifest: Record) -> tuple[Key, ...]:
        make_key = self.layout.make_chunk_key
        return tuple(make_key(manifest.key, manifest.rev, n) for n in range(manifest.chunk_count))

    def _delete_chunks(self, old: Record | None) -> None:
        """Delete the chunks of a manifest that was replaced; if that fails, they expire."""
        if old is None or not old.chunk_count:
            return
        try:
            pages.delete_many(self.table, self._chunk_keys(old), self.runtime)
        except DynamoDBBackendError as error:
            log.info("chunks could not be deleted, and will expire: %s", error)


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _require_extras(options: Options) -> None:
    """Check that the packages that the options need are installed.

    Raises: OptionError, naming the missing extra.
    """
    if options.compress == "fast" and find_spec("isal") is None:
        raise OptionError("compress = fast needs isal: pip install 'beaker-dynamodb[fast]'")
    if options.encryption_keys and find_spec("cryptography") is None:
        raise OptionError(
            "option encryption_keys needs cryptography: pip install 'beaker-dynamodb[crypto]'"
        )


def build_rows(
    options: Options,
    kind: Kind,
    runtime: Runtime = REAL,
    create_table: CreateTable | None = None,
) -> Rows:
    """Build the `Rows` of a manager of *kind*. No call is made.

    Args: *create_table* creates a missing table, if option `create_table` allows it.
    Raises: OptionError, if a package is missing that the options need.
    """
    _require_extras(options)
    layout = Layout(options.prefix, options.hash_key, options.range_key, options.hash_ids)
    max_chunks = chunks.compute_max_chunks(options.max_value_size)
    ends = (options.max_age, options.created_after) if kind == "session" else (None, None)
    names = len((options.hash_key + (options.range_key or "")).encode())
    schema = Schema(options.ttl_attribute, options.special_keys, max_chunks, *ends, names)
    client = get_client(options)
    serializer = get_serializer(options.serializer, import_object)
    may_create = create_table if options.create_table else None
    create = partial(may_create, client, options) if may_create else None
    return Rows(
        options,
        layout,
        schema,
        Codec(
            kind=codec.SESSION if kind == "session" else codec.VALUE,
            serializer=codec.TEXT if kind == "session" else serializer.number,
            compress=options.compress is not False,
            fast=options.compress == "fast",
            max_size=options.max_value_size,
            table=options.table,
            keys=options.encryption_keys,
            require_encryption=options.encryption_required,
            random_bytes=secrets.token_bytes,
        ),
        Table(client, options.table, layout, schema, create),
        serializer,
        runtime,
    )
