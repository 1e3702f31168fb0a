"""One table: Records in, Records out. What a row says is turned into AWS's form and back here.

It decides nothing about a session, and sees no exception but ours. A condition that does not
hold is an answer, not an exception: it brings what stands there in the same round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.errors import CallFacts, CorruptItem, TableMismatch, TableMissing, Unavailable
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema, from_attributes, in_range


@dataclass(frozen=True, slots=True)
class Absent:
    """The condition that no live row stands there at *now* (epoch seconds)."""

    now: float


@dataclass(frozen=True, slots=True)
class At:
    """The condition that the row is at this revision, and has this expiry if one is named."""

    rev: str
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """The condition that no row stands there, live or expired."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The condition that one of our rows stands there, readable or not, and no other store's."""


Condition: TypeAlias = Absent | At | Never | Ours


@dataclass(frozen=True, slots=True)
class Refusal:
    """The condition did not hold; `theirs` is what stands there, None if nothing does.

    `retried`: the SDK sent the request more than once, so an earlier one may have been applied.
    """

    theirs: Record | None
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table behind a client. `create` makes it if it may, or is None."""

    client: Client
    name: str
    layout: Layout
    schema: Schema
    create: Callable[[], object] | None = None

    def get(self, key: Key, *, consistent: bool) -> Record | None:
        """Read one row, live or expired; None where there is none.

        Raises: CorruptItem, and whatever the client raises.
        """
        request = {"Key": self.wire_key(key), "ConsistentRead": consistent}
        found = self.call("GetItem", request).body.get("Item")  # it has that key, or this raises
        return None if found is None else self._parse(key, found)

    def put(self, record: Record, condition: Condition) -> Refusal | None:
        """Write one row whole, on a condition; None means that it stands."""
        return self._write("PutItem", {"Item": self._item(record)}, record.key, condition)

    def delete(self, key: Key, condition: Condition) -> Refusal | None:
        """Delete one row, on a condition; None means that it is gone."""
        return self._write("DeleteItem", {"Key": self.wire_key(key)}, key, condition)

    def replace(self, record: Record, condition: Condition | None = None) -> Record | None:
        """Write one row whatever stands there; return what stood there, if it can be read.

        On a *condition* that does not hold nothing is written.
        """
        request = {"Item": self._item(record)}
        return self._overwrite("PutItem", request, record.key, condition)

    def drop(self, key: Key, condition: Condition | None = None) -> Record | None:
        """Delete one row whatever stands there; return what stood there, if it can be read.

        On a *condition* that does not hold nothing is deleted.
        """
        return self._overwrite("DeleteItem", {"Key": self.wire_key(key)}, key, condition)

    def _write(
        self, operation: str, request: dict[str, Any], key: Key, condition: Condition
    ) -> Refusal | None:
        request |= self._expression(condition)
        # AWS: API_PutItem, "ReturnValuesOnConditionCheckFailure"; it costs no read unit.
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        reply = self.call(operation, request)
        if not reply.refused:
            return None
        found = reply.body.get("Item")
        if found is None:  # nothing stands there, or an emulator that does not say what does
            return Refusal(self.get(key, consistent=True), reply.retried)
        return Refusal(self.record_of(key, found), reply.retried)

    def _overwrite(
        self, operation: str, request: dict[str, Any], key: Key, condition: Condition | None
    ) -> Record | None:
        request["ReturnValues"] = "ALL_OLD"
        if condition is not None:
            request |= self._expression(condition)
        old_item = self.call(operation, request).body.get("Attributes")
        try:
            return None if old_item is None else self.record_of(key, old_item)
        except CorruptItem:
            return None

    def _expression(self, condition: Condition) -> dict[str, Any]:
        """Write a condition; every name by a placeholder, for `data`, `ttl`... are reserved."""
        if isinstance(condition, At):
            text, names, values = "#r = :r", {"#r": "rev"}, {":r": {"S": condition.rev}}
            if condition.expires is not None:
                text, names["#e"] = f"{text} AND #e = :e", self.schema.ttl
                values[":e"] = typed(condition.expires)
            return {
                "ConditionExpression": text,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        if isinstance(condition, Ours):
            return {
                "ConditionExpression": "attribute_exists(#d) OR attribute_exists(#r)",
                "ExpressionAttributeNames": {"#d": "data", "#r": "rev"},
            }
        if isinstance(condition, Never):
            return {
                "ConditionExpression": "attribute_not_exists(#k)",
                "ExpressionAttributeNames": {"#k": self.layout.hash_key},
            }
        return {
            "ConditionExpression": "attribute_not_exists(#k) OR #e <= :now",
            "ExpressionAttributeNames": {"#k": self.layout.hash_key, "#e": self.schema.ttl},
            "ExpressionAttributeValues": {":now": {"N": str(int(condition.now))}},
        }

    def call(self, operation: str, request: dict[str, Any]) -> Response:
        """Make one call about this table; a table that nobody has seen yet is created, if it may.

        Raises: whatever the client raises.
        """
        if "RequestItems" not in request:  # a batch names its table itself
            request["TableName"] = self.name
        # Before the call: while it is under way another thread may make the table.
        known = self.name in self.client.known_tables
        try:
            reply = self.client.call(operation, request, describe_keys=self.layout.describe)
        except TableMissing:
            if self.create is None or known:
                raise
        else:
            self.client.known_tables.add(self.name)
            return reply
        self.create()
        self.client.known_tables.add(self.name)
        return self.client.call(operation, request, describe_keys=self.layout.describe)

    def key_of(self, item: Mapping[str, Mapping[str, Any]]) -> Key:
        """Read a row's primary key.

        Raises: TableMismatch, where it lacks what every row of the options' key schema has.
        """
        ranged = self.layout.range_key
        hash_ = _text(item.get(self.layout.hash_key))
        range_ = _text(item.get(ranged)) if ranged else None
        if hash_ is None or (ranged and range_ is None):
            raise TableMismatch(
                "the table's key schema is not that of the options; the options say"
                f" {self.layout.describe()}"
            )
        return Key(hash_, range_)

    def _item(self, record: Record) -> dict[str, Any]:
        item: dict[str, Any] = self.wire_key(record.key)
        for name, value in record.attributes(self.schema).items():
            # As `typed`, without a call for each attribute.
            kind = "S" if isinstance(value, str) else "B" if isinstance(value, bytes) else "N"
            item[name] = {kind: str(value) if kind == "N" else value}
        return item

    def wire_key(self, key: Key) -> dict[str, dict[str, str]]:
        """Write a primary key as AWS types it."""
        found = {self.layout.hash_key: {"S": key.hash}}
        if self.layout.range_key and key.range is not None:
            found[self.layout.range_key] = {"S": key.range}
        return found

    def record_of(self, key: Key, item: Mapping[str, Mapping[str, Any]]) -> Record:
        """Read the row at *key*.

        Raises: CorruptItem; Unavailable, if it is another row: replies got mixed up.
        """
        if any(item.get(name) != value for name, value in self.wire_key(key).items()):
            facts = CallFacts("GetItem", self.name, self.client.region)
            raise Unavailable(
                "DynamoDB's response holds another item than the requested one", call=facts
            )
        return self._parse(key, item)

    def _parse(self, key: Key, item: Mapping[str, Mapping[str, Any]]) -> Record:
        found: dict[str, object] = {}
        for name, value in item.items():
            kind = next(iter(value), None) if type(value) is dict else None
            found[name] = value[kind] if kind in {"S", "B"} else plain(value)
        return from_attributes(key, found, self.schema)


def typed(value: object) -> dict[str, Any]:
    """Write a plain value as AWS types it."""
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _text(value: object) -> str | None:
    text = plain(value)
    return text if isinstance(text, str) else None


def plain(value: object) -> object:
    """Read S, N and B; anything else stays as it is, and is corrupt where it matters.

    A broken server may send anything in the place of a typed value: that is read as an empty one.
    """
    if not isinstance(value, Mapping):
        return {}
    for kind, content in value.items():
        if kind == "N":
            try:
                number = Decimal(content)
            except (ArithmeticError, TypeError, ValueError):
                return value
            # An emulator may say more: to write out 1E+999999999 would take all memory.
            return number if in_range(number) else value
        if kind in {"S", "B"}:
            return content
    return value
