"""One table: Records in, Records out. What a row says is turned into AWS's form and back here.

It decides nothing about a session, and sees no exception but ours. A condition that does not
hold is an answer, not an exception: it brings what stands there in the same round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from beaker_dynamodb.errors import CallFacts, TableMissing, Unavailable
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema, from_attributes
from beaker_dynamodb.store.client import Door, Reply


@dataclass(frozen=True, slots=True)
class Absent:
    """The condition that no live row stands there at *now* (epoch seconds)."""

    now: float


@dataclass(frozen=True, slots=True)
class At:
    """The condition that the row is at this revision, and has this expiry if one is named."""

    rev: str
    expires: int | None = None


Condition: TypeAlias = Absent | At


@dataclass(frozen=True, slots=True)
class Refusal:
    """The condition did not hold; `theirs` is what stands there, None if nothing does.

    `retried`: the SDK sent the request more than once, so an earlier one may have been applied.
    """

    theirs: Record | None
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table behind a door. `create` makes it if it may, or is None."""

    door: Door
    name: str
    layout: Layout
    schema: Schema
    create: Callable[[], object] | None = None

    def get(self, key: Key, *, consistent: bool) -> Record | None:
        """Read one row, live or expired; None where there is none.

        Raises: CorruptItem, and whatever the door raises.
        """
        request = {"Key": self._key(key), "ConsistentRead": consistent}
        found = self._call("GetItem", request).body.get("Item")
        return None if found is None else self._record(key, found)

    def put(self, record: Record, condition: Condition | None) -> Refusal | None:
        """Write one row whole; None means that it stands."""
        attributes = {name: _typed(value) for name, value in record.attributes(self.schema).items()}
        item = {**attributes, **self._key(record.key)}
        return self._write("PutItem", {"Item": item}, record.key, condition)

    def delete(self, key: Key, condition: Condition | None) -> Refusal | None:
        """Delete one row; None means that it is gone."""
        return self._write("DeleteItem", {"Key": self._key(key)}, key, condition)

    def _write(
        self, operation: str, request: dict[str, Any], key: Key, condition: Condition | None
    ) -> Refusal | None:
        if condition is not None:
            request |= self._expression(condition)
            # AWS: API_PutItem, "ReturnValuesOnConditionCheckFailure"; it costs no read unit.
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        reply = self._call(operation, request)
        if not reply.refused:
            return None
        found = reply.body.get("Item")
        if found is None:  # nothing stands there, or an emulator that does not say what does
            return Refusal(self.get(key, consistent=True), reply.retried)
        return Refusal(self._record(key, found), reply.retried)

    def _expression(self, condition: Condition) -> dict[str, Any]:
        """Write a condition; every name by a placeholder, for `data`, `ttl`... are reserved."""
        if isinstance(condition, At):
            text, names, values = "#r = :r", {"#r": "rev"}, {":r": _typed(condition.rev)}
            if condition.expires is not None:
                text, names["#e"] = f"{text} AND #e = :e", self.schema.ttl
                values[":e"] = _typed(condition.expires)
            return {
                "ConditionExpression": text,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        return {
            "ConditionExpression": "attribute_not_exists(#k) OR #e <= :now",
            "ExpressionAttributeNames": {"#k": self.layout.hash_key, "#e": self.schema.ttl},
            "ExpressionAttributeValues": {":now": {"N": str(int(condition.now))}},
        }

    def _call(self, operation: str, request: dict[str, Any]) -> Reply:
        request["TableName"] = self.name
        try:
            reply = self.door.call(operation, request, ought=self.layout.described)
        except TableMissing:
            if self.create is None or self.name in self.door.seen:
                raise
        else:
            self.door.seen.add(self.name)
            return reply
        self.create()
        return self.door.call(operation, request, ought=self.layout.described)

    def _key(self, key: Key) -> dict[str, dict[str, str]]:
        found = {self.layout.hash_key: {"S": key.hash}}
        if self.layout.range_key and key.range is not None:
            found[self.layout.range_key] = {"S": key.range}
        return found

    def _record(self, key: Key, item: Mapping[str, Mapping[str, Any]]) -> Record:
        if any(item.get(name) != value for name, value in self._key(key).items()):
            facts = CallFacts("GetItem", self.name, self.door.region)
            raise Unavailable(
                "DynamoDB's reply holds another item than the one asked for", call=facts
            )
        return from_attributes(key, {n: _plain(v) for n, v in item.items()}, self.schema)


def _typed(value: object) -> dict[str, Any]:
    """Write a plain value as AWS types it."""
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _plain(value: Mapping[str, Any]) -> object:
    """Read S, N and B; anything else stays as it is, and is corrupt where it matters."""
    for kind, content in value.items():
        if kind == "N":
            return Decimal(content)
        if kind in {"S", "B"}:
            return content
    return value
