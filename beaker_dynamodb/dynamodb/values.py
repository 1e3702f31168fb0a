"""Records of any size over a table of rows: what is too large for one row is kept in pieces.

Pieces are written first, under the new revision; the head is the commit. The old head's pieces
go afterwards. Whoever reads meanwhile sees the old value whole, or the new one whole.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from beaker_dynamodb.dynamodb import pages
from beaker_dynamodb.dynamodb.table import At, Condition, Never, Refusal, Table
from beaker_dynamodb.errors import (
    CallFacts,
    CorruptItem,
    DynamoDBBackendError,
    ItemTooLarge,
    Unavailable,
    digest,
)
from beaker_dynamodb.item.chunks import MOST_IN_A_ROW, cut, joined, room_for_data
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record, token_of
from beaker_dynamodb.runtime import REAL, Runtime

log = logging.getLogger(__name__)

#: How often a head that moves while its pieces are read is followed.
MOVES: Final = 3
#: Bytes of data that fit into a row whatever its key and promoted attributes are.
SMALL: Final = 64 * 1024
#: Pieces outlive their head by a day, so that none is gone while its head can be read.
GRACE: Final = 86400


@dataclass(frozen=True, slots=True)
class Values:
    """The rows of a table, each with its whole value of at most *most* bytes."""

    table: Table
    most: int
    runtime: Runtime = REAL

    def get(self, key: Key, *, consistent: bool, now: float) -> Record | None:
        """Read one value whole; None where there is none. A row that has expired has no pieces.

        Raises: CorruptItem, if a piece is missing under a head that did not move; and whatever
        the client raises.
        """
        head = self.table.get(key, consistent=consistent)
        for _ in range(MOVES):
            if head is None or not head.pieces or not head.live(now):
                return head
            if head.pieces > self.table.schema.max_chunks:  # a forged one, perhaps
                size = (head.pieces - 1) * MOST_IN_A_ROW
                raise ItemTooLarge(size, self.most, item=digest(key.hash))
            whole = self._gathered(head)
            if whole is not None:
                return whole
            before, head = head, self.table.get(key, consistent=True)
            if head is not None and head.rev == before.rev:
                raise CorruptItem(digest(key.hash), "a piece of it is missing")
        facts = CallFacts("BatchGetItem", self.table.name, self.table.client.region)
        raise Unavailable("the value is rewritten faster than it can be read", call=facts)

    def put(self, record: Record, condition: Condition, old: Record | None) -> Record | Refusal:
        """Write one value, on a condition; return the row that stands for it, or the refusal.

        Args: *old* is the row that the condition names, so that its pieces can go.
        """
        head = self._scattered(record)
        refusal = self.table.put(head, condition)
        if refusal is None:
            self._sweep(old)
            return head
        theirs = refusal.theirs
        # Refused by our own row, its reply was lost: then it is the old one's pieces that go.
        ours = theirs is not None and theirs.wrote(token_of(record.rev))
        self._sweep(old if ours else head)
        if theirs is None or not theirs.pieces or not theirs.live(self.runtime.clock()):
            return refusal
        now = self.runtime.clock()
        return replace(refusal, theirs=self.get(record.key, consistent=True, now=now))

    def delete(self, key: Key, condition: Condition, old: Record | None) -> Refusal | None:
        """Delete one value, on a condition; None means that it is gone."""
        refusal = self.table.delete(key, condition)
        if refusal is None:
            self._sweep(old)
        return refusal

    def replace(self, record: Record) -> None:
        """Write one value whatever stands there.

        A large one is put on condition of the head that was read, one read more: an
        unconditional head could be put once more over pieces that are gone by then. If another
        writer was faster, ours counts as the one that came just before.
        """
        if self._fits(record):
            self._sweep(self.table.replace(record))
            return
        old = self._head(record.key)
        head = self._scattered(record)
        refusal = self.table.put(head, At(old.rev) if old else Never())
        stands = refusal is None or (refusal.theirs and refusal.theirs.rev == record.rev)
        self._sweep(old if stands else head)

    def drop(self, key: Key) -> None:
        """Delete one value whatever stands there."""
        self._sweep(self.table.drop(key))

    def _head(self, key: Key) -> Record | None:
        try:
            return self.table.get(key, consistent=True)
        except CorruptItem:
            self.table.drop(key)
        return None

    def _fits(self, record: Record) -> bool:
        if len(record.data) <= SMALL and record.name is None:
            return True
        room = room_for_data(record.size_of_others(self.table.schema))
        if room <= 0:
            raise ItemTooLarge(len(record.data) - room, 0, item=digest(record.key.hash))
        return len(record.data) <= room

    def _scattered(self, record: Record) -> Record:
        """Write the pieces of a value that needs them; return the row that stands for it."""
        if self._fits(record):
            return record.holding(record.data, 0) if record.pieces else record
        whole = cut(record.data)
        expires = None if record.expires is None else record.expires + GRACE
        for number, piece in enumerate(whole.pieces):
            key = self.table.layout.piece(record.key, record.rev, number)
            self.table.replace(Record(key, piece, record.rev, expires=expires))
        return record.holding(whole.head, len(whole.pieces))

    def _gathered(self, head: Record) -> Record | None:
        """Put a value together; None where a piece is missing."""
        keys = self._keys(head)
        found = pages.get_many(self.table, keys, self.runtime)
        if len(found) < len(keys):
            return None
        data = joined(head.data, tuple(found[key].data for key in keys))
        if data is None:
            raise CorruptItem(digest(head.key.hash), "its pieces are not those of its head")
        return head.holding(data)

    def _keys(self, head: Record) -> tuple[Key, ...]:
        layout = self.table.layout
        return tuple(layout.piece(head.key, head.rev, number) for number in range(head.pieces))

    def _sweep(self, old: Record | None) -> None:
        """Delete the pieces of a head that does not stand any more; if that fails, they expire."""
        if old is None or not old.pieces:
            return
        try:
            pages.delete_many(self.table, self._keys(old), self.runtime)
        except DynamoDBBackendError as error:
            log.info("pieces were left to expire: %s", error)
