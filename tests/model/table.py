"""A DynamoDB table in memory, behind the methods of boto3's client that the package uses.

Each method hands its call to `switch`, which returns or raises what the scheduler decides. What a
call does to the items is one atomic step, `Items.apply`. The conditions are those that
`dynamodb/table.py` writes, by their text; another one is an error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

KEY = "id"
TTL = "expires"
#: The condition of a write that may create a row.
CREATES = "attribute_not_exists(#k) OR #e <= :now"

Item = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call: the operation and its parameters."""

    operation: str
    request: dict[str, Any] = field(repr=False)

    @property
    def is_write(self) -> bool:
        """Whether it may change an item."""
        return self.operation in {"PutItem", "DeleteItem", "BatchWriteItem", "Remove"}

    @property
    def creates(self) -> bool:
        """Whether it may create a row where none is."""
        return self.request.get("ConditionExpression") == CREATES


class Items:
    """The items of the table by key, and the sessions of the old backend by id."""

    def __init__(self) -> None:
        self.rows: dict[str, Item] = {}
        self.old_backend: dict[str, str] = {}

    def copy(self) -> Items:
        """Return items with the same contents; rows never change, only which there are."""
        items = copy.copy(self)
        items.rows, items.old_backend = dict(self.rows), dict(self.old_backend)
        return items

    def list_rows(self) -> list[object]:
        """Return the contents as values that are equal for equal contents."""
        return [*sorted(self.rows.items()), *sorted(self.old_backend.items())]

    def apply(self, call: Call) -> Any:
        """Apply a call; return its response.

        Raises: ClientError, if its condition does not hold.
        """
        return getattr(self, f"_{call.operation}")(call.request)

    def _GetItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        item = self.rows.get(request["Key"][KEY]["S"])
        return respond(**({"Item": copy.copy(item)} if item else {}))

    def _PutItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        key = request["Item"][KEY]["S"]
        old = self._check(request, key)
        self.rows[key] = request["Item"]  # shared: no item is ever changed
        return respond(**({"Attributes": old} if old else {}))

    def _DeleteItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        key = request["Key"][KEY]["S"]
        old = self._check(request, key)
        self.rows.pop(key, None)
        return respond(**({"Attributes": old} if old else {}))

    def _BatchGetItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        ((table, batch),) = request["RequestItems"].items()
        found = (self.rows.get(key[KEY]["S"]) for key in batch["Keys"])
        return respond(Responses={table: [dict(item) for item in found if item]})

    def _Query(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        return respond(Items=self.query_index(request, self.rows))

    @staticmethod
    def query_index(request: dict[str, Any], rows: dict[str, Item]) -> list[Item]:
        """Return what an index over these rows holds under the request's value: their keys."""
        name = request["ExpressionAttributeNames"]["#a"]
        value = request["ExpressionAttributeValues"][":a"]
        return [{KEY: rows[key][KEY]} for key in sorted(rows) if rows[key].get(name) == value]

    def _BatchWriteItem(self, request: dict[str, Any]) -> Any:  # noqa: N802  # AWS's name
        for writes in request["RequestItems"].values():
            for write in writes:
                self.rows.pop(write["DeleteRequest"]["Key"][KEY]["S"], None)
        return respond(UnprocessedItems={})

    def _Read(self, request: dict[str, Any]) -> Any:  # noqa: N802  # beside AWS's names
        return self.old_backend.get(request["id"])

    def _Remove(self, request: dict[str, Any]) -> Any:  # noqa: N802  # beside AWS's names
        return self.old_backend.pop(request["id"], None)

    def _check(self, request: dict[str, Any], key: str) -> Item | None:
        old = self.rows.get(key)
        if not _holds(request, old):
            response: Any = {
                "Error": {"Code": "ConditionalCheckFailedException", "Message": ""},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
                **({"Item": dict(old)} if old else {}),
            }
            raise ClientError(response, "PutItem")
        return old


def _holds(request: dict[str, Any], old: Item | None) -> bool:
    condition = request.get("ConditionExpression")
    values = request.get("ExpressionAttributeValues", {})
    if condition is None:
        return True
    if condition == "#r = :r":
        return old is not None and old.get("rev") == values[":r"]
    if condition == "#r = :r AND #e = :e":
        return old is not None and (old.get("rev"), old.get(TTL)) == (values[":r"], values[":e"])
    if condition == CREATES:
        return old is None or (TTL in old and int(old[TTL]["N"]) <= int(values[":now"]["N"]))
    if condition == "attribute_not_exists(#k)":
        return old is None
    raise AssertionError(condition)


def respond(**body: Any) -> dict[str, Any]:
    """Return a response of DynamoDB, with what each of them reports."""
    return {"ConsumedCapacity": {"CapacityUnits": 1.0}, **body}


class MemoryClient:
    """What option `client` takes: boto3's methods, each of which is one scheduling point."""

    def __init__(self, switch: Callable[[Call], Any]) -> None:
        self._switch = switch

    def get_item(self, **request: Any) -> Any:
        """Read an item."""
        return self._switch(Call("GetItem", request))

    def put_item(self, **request: Any) -> Any:
        """Write an item."""
        return self._switch(Call("PutItem", request))

    def delete_item(self, **request: Any) -> Any:
        """Delete an item."""
        return self._switch(Call("DeleteItem", request))

    def batch_get_item(self, **request: Any) -> Any:
        """Read items."""
        return self._switch(Call("BatchGetItem", request))

    def query(self, **request: Any) -> Any:
        """Read the keys that an index holds."""
        return self._switch(Call("Query", request))

    def batch_write_item(self, **request: Any) -> Any:
        """Delete items."""
        return self._switch(Call("BatchWriteItem", request))
