"""Puts the tombstones of one request. Each replaces the row of a session that has ended.

A tombstone whose response was lost must be recognized, or the request would take its own write for
that of another one.
"""

from __future__ import annotations

import math

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import Condition, RefusedWrite
from beaker_dynamodb.item.keys import Key
from beaker_dynamodb.item.record import Record


class Tombstones:
    """Puts the tombstones of one request, and recognizes them if they refuse a later attempt."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._revs: set[bytes] = set()

    def put(
        self,
        key: Key,
        condition: Condition,
        old: Record | None,
        *,
        lifetime: float | None,
        kind: int,
    ) -> RefusedWrite | None:
        """Put a tombstone over the row that *condition* names; None means that it is stored.

        It is also stored if the row that refuses it is a tombstone of this request, whose response
        was lost.

        Args: *old* is that row; *lifetime* of the tombstone is in seconds; None means forever.
        Raises: what the client raises.
        """
        now = self._rows.runtime.clock()
        expires = None if lifetime is None else math.ceil(now + lifetime)
        tombstone = self._rows.make_tombstone(key, expires, kind)
        self._revs.add(tombstone.rev)
        answer = self._rows.put(tombstone, condition, old)
        if isinstance(answer, Record):
            return None
        own = answer.theirs is not None and answer.theirs.rev in self._revs
        return None if own else answer
