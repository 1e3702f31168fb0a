"""One table: Records in, Records out. Rows are converted to AWS's types and back here.

It decides nothing about a session, and no exception but ours passes through. A condition that does
not hold is a result, not an exception: it contains the stored row, from the same round trip. If
there is none, that takes one more read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quote
from typing import Any, Final, TypeAlias, TypeGuard

from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.dynamodb.wire.transport import Request
from beaker_dynamodb.errors import CallFacts, CorruptItem, TableMismatch, TableMissing, Unavailable
from beaker_dynamodb.item.codec import encode_base64
from beaker_dynamodb.item.keys import Key, Layout
from beaker_dynamodb.item.record import Record, Schema, from_attributes, is_in_range

#: The message for a response that belongs to another request.
OTHER_ITEM: Final = "DynamoDB's response holds another item than the requested one"
#: A whole number of more digits is rare, and is read as a Decimal.
_MAX_DIGITS: Final = 15
_EMPTY: Final = (None, None)
_CAPACITY: Final = {"ReturnConsumedCapacity": "TOTAL"}
#: How a PutItem on condition of a revision begins, as JSON.
_AT_JSON: Final = (
    '{"ConditionExpression":"#r = :r","ExpressionAttributeNames":{"#r":"rev"},'
    '"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ReturnConsumedCapacity":"TOTAL",'
)


@dataclass(frozen=True, slots=True)
class NoLiveRow:
    """The condition that there is no row, or one that has expired at *now* (epoch seconds)."""

    now: float


@dataclass(frozen=True, slots=True)
class At:
    """The condition that the row has this revision, and this expiry if one is given."""

    rev: bytes
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class NoRow:
    """The condition that there is no row, live or expired."""


@dataclass(frozen=True, slots=True)
class OwnRow:
    """The condition that the row was written by this package, readable or not."""


Condition: TypeAlias = NoLiveRow | At | NoRow | OwnRow


@dataclass(frozen=True, slots=True)
class RefusedWrite:
    """A write whose condition did not hold; `theirs` is the stored row, None if there is none."""

    theirs: Record | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `create` creates it if it is missing; None if that is not allowed."""

    client: Client
    name: str
    layout: Layout
    schema: Schema
    create: Callable[[], object] | None = None

    def get(self, key: Key, *, consistent: bool) -> Record | None:
        """Read one row, live or expired; None if there is none.

        Raises: CorruptItem; what the client raises.
        """
        request = Request(Key=self.format_key(key), ConsistentRead=consistent, **_CAPACITY)
        request["TableName"] = self.name
        request.text = (
            f'{{"TableName":{_quote(self.name)},"Key":{_to_json(request["Key"])},'
            f'"ConsistentRead":{"true" if consistent else "false"},'
            '"ReturnConsumedCapacity":"TOTAL"}'
        )
        item = self.call("GetItem", request).body.get("Item")  # it has that key, or this raises
        return None if item is None else self._parse(key, item)

    def put(self, record: Record, condition: Condition) -> RefusedWrite | None:
        """Write one row if *condition* holds; None means that it was written."""
        return self._write("PutItem", {"Item": self._serialize(record)}, record.key, condition)

    def delete(self, key: Key, condition: Condition) -> RefusedWrite | None:
        """Delete one row if *condition* holds; None means that it is gone."""
        return self._write("DeleteItem", {"Key": self.format_key(key)}, key, condition)

    def replace(self, record: Record, condition: Condition | None = None) -> Record | None:
        """Write one row, whatever is stored; return the old row if it can be read.

        If a *condition* is given and does not hold, nothing is written.
        """
        request = {"Item": self._serialize(record)}
        return self._overwrite("PutItem", request, record.key, condition)

    def drop(self, key: Key, condition: Condition | None = None) -> Record | None:
        """Delete one row, whatever is stored; return it if it can be read.

        If a *condition* is given and does not hold, nothing is deleted.
        """
        return self._overwrite("DeleteItem", {"Key": self.format_key(key)}, key, condition)

    def _write(
        self, operation: str, request: dict[str, Any], key: Key, condition: Condition
    ) -> RefusedWrite | None:
        request |= self._format_condition(condition)
        # AWS: API_PutItem, "ReturnValuesOnConditionCheckFailure"; it costs no read unit.
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if operation == "PutItem" and isinstance(condition, At) and condition.expires is None:
            request = Request(request, TableName=self.name, **_CAPACITY)
            request.text = (
                f'{_AT_JSON}"TableName":{_quote(self.name)},"Item":{_to_json(request["Item"])},'
                f'"ExpressionAttributeValues":{_to_json(request["ExpressionAttributeValues"])}}}'
            )
        response = self.call(operation, request)
        if not response.refused:
            return None
        item = response.body.get("Item")
        # There is no row, or this is an emulator that does not return it. The read is consistent: a
        # stale one could return the row whose condition has just failed, or none, which would mean
        # that the session was deleted.
        if item is None:
            return RefusedWrite(self.get(key, consistent=True))
        return RefusedWrite(self.parse_item(key, item))

    def _overwrite(
        self, operation: str, request: dict[str, Any], key: Key, condition: Condition | None
    ) -> Record | None:
        request["ReturnValues"] = "ALL_OLD"
        if condition is not None:
            request |= self._format_condition(condition)
        old_item = self.call(operation, request).body.get("Attributes")
        try:
            return None if old_item is None else self.parse_item(key, old_item)
        except CorruptItem:
            return None

    def _format_condition(self, condition: Condition) -> dict[str, Any]:
        """Return the parameters of a condition. Placeholders: `data`, `ttl`... are reserved."""
        values: dict[str, dict[str, Any]] = {}
        if isinstance(condition, At):
            text, names, values[":r"] = "#r = :r", {"#r": "rev"}, {"B": condition.rev}
            if condition.expires is not None:
                text, names["#e"] = f"{text} AND #e = :e", self.schema.ttl
                values[":e"] = serialize(condition.expires)
        elif isinstance(condition, OwnRow):
            text, names = (
                "attribute_exists(#d) OR attribute_exists(#r)",
                {"#d": "data", "#r": "rev"},
            )
        else:
            text, names = "attribute_not_exists(#k)", {"#k": self.layout.hash_key}
            if isinstance(condition, NoLiveRow):
                text, names["#e"] = f"{text} OR #e <= :now", self.schema.ttl
                values[":now"] = {"N": str(int(condition.now))}
        formatted = {"ConditionExpression": text, "ExpressionAttributeNames": names}
        # AWS refuses an empty map of values.
        return formatted | {"ExpressionAttributeValues": values} if values else formatted

    def call(self, operation: str, request: dict[str, Any]) -> Response:
        """Make one call about this table; create it if it is missing and this process knows none.

        Raises: what the client raises.
        """
        if "RequestItems" not in request:  # a batch names its table itself
            request["TableName"] = self.name
        # Before the call: meanwhile another thread may create the table.
        known = self.name in self.client.known_tables
        try:
            response = self.client.call(operation, request, describe_keys=self.layout.describe)
        except TableMissing:
            if self.create is None or known:
                raise
        else:
            self.client.known_tables.add(self.name)
            return response
        self.create()
        self.client.known_tables.add(self.name)
        return self.client.call(operation, request, describe_keys=self.layout.describe)

    def make_unavailable(self, message: str, operation: str) -> Unavailable:
        """Return the error for a call about this table whose responses cannot be used."""
        return Unavailable(message, call=CallFacts(operation, self.name, self.client.region))

    def parse_key(self, item: Mapping[str, Mapping[str, Any]]) -> Key:
        """Return a row's primary key.

        Raises: TableMismatch, if it has not the key attributes that the options name.
        """
        range_name = self.layout.range_key
        hash_ = _read_text(item.get(self.layout.hash_key))
        range_ = _read_text(item.get(range_name)) if range_name else None
        if hash_ is None or (range_name and range_ is None):
            raise TableMismatch(
                "the table's key schema is not that of the options; the options say"
                f" {self.layout.describe()}"
            )
        return Key(hash_, range_)

    def _serialize(self, record: Record) -> dict[str, Any]:
        item: dict[str, Any] = self.format_key(record.key)
        for name, value in record.to_attributes(self.schema).items():
            # As `serialize`, without a call for each attribute.
            kind = "S" if isinstance(value, str) else "B" if isinstance(value, bytes) else "N"
            item[name] = {kind: str(value) if kind == "N" else value}
        return item

    def format_key(self, key: Key) -> dict[str, dict[str, str]]:
        """Return a primary key in AWS's types."""
        attributes = {self.layout.hash_key: {"S": key.hash}}
        if self.layout.range_key and key.range is not None:
            attributes[self.layout.range_key] = {"S": key.range}
        return attributes

    def name_keys(self) -> dict[str, str]:
        """Return the placeholders of the key attributes in an expression, `#k` and `#s`."""
        ranged = {"#s": self.layout.range_key} if self.layout.range_key else {}
        return {"#k": self.layout.hash_key, **ranged}

    def parse_item(self, key: Key, item: Mapping[str, Mapping[str, Any]]) -> Record:
        """Return the row at *key*.

        Raises: CorruptItem; Unavailable, if it is another row: responses were mixed up.
        """
        if any(item.get(name) != value for name, value in self.format_key(key).items()):
            raise self.make_unavailable(OTHER_ITEM, "GetItem")
        return self._parse(key, item)

    def _parse(self, key: Key, item: Mapping[str, Mapping[str, Any]]) -> Record:
        attributes: dict[str, object] = {}
        for name, value in item.items():
            # As `deserialize`, without a call for each text and whole number.
            kind, content = next(iter(value.items()), _EMPTY) if type(value) is dict else _EMPTY
            if (kind == "B" and type(content) is bytes) or (kind == "S" and type(content) is str):
                attributes[name] = content
            elif kind == "N" and _is_whole_number(content):
                attributes[name] = int(content)
            else:
                attributes[name] = deserialize(value)
        return from_attributes(key, attributes, self.schema)


def _to_json(item: Mapping[str, Mapping[str, Any]]) -> str:
    """Return attributes in AWS's types, each an S, N or B, as JSON.

    The encoder of the standard library takes three times as long: it has to ask for each bytes.
    """
    members = []
    for name, value in item.items():
        ((kind, content),) = value.items()
        text = f'"{encode_base64(content).decode()}"' if kind == "B" else _quote(content)
        members.append(f'{_quote(name)}:{{"{kind}":{text}}}')
    return f"{{{','.join(members)}}}"


def serialize(value: object) -> dict[str, Any]:
    """Return a plain value in AWS's types."""
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _is_whole_number(content: object) -> TypeGuard[str]:
    if type(content) is not str or len(content) > _MAX_DIGITS:
        return False
    return content.isdigit() and content.isascii()


def _read_text(value: object) -> str | None:
    text = deserialize(value)
    return text if isinstance(text, str) else None


def deserialize(value: object) -> object:
    """Return the plain value of an S, N or B; a value of another type is returned as it is.

    The caller treats such a value as corrupt. What is not a typed value at all, as only a broken
    server sends it, becomes an empty dict: not None, which would mean a missing attribute.
    """
    if not isinstance(value, Mapping):
        return {}
    for kind, content in value.items():
        if kind == "N":
            try:
                number = Decimal(content)
            except (ArithmeticError, TypeError, ValueError):
                return value
            # An emulator may store more: to print 1E+999999999 would take all memory.
            return number if is_in_range(number) else value
        if kind in {"S", "B"} and isinstance(content, (str, bytes)):
            return content
    return value
