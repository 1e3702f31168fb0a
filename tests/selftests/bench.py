"""A table, a proxy before it, and a plain client that is impatient: where faults are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    ClientError,
)

from tests.proxy import FaultProxy
from tests.servers import Flavor, Server

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


KEY: dict[str, Any] = {"id": {"S": "alice"}}
OLD: dict[str, Any] = {**KEY, "data": {"B": b"the old bytes"}}
NEW: dict[str, Any] = {**KEY, "data": {"B": b"the new bytes"}}
SCHEMA: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


#: Seconds. Shorter than a fault that hangs, longer than a pause of DynamoDB Local.
READ_TIMEOUT = 1.5


def a_client(url: str, attempts: int = 1) -> DynamoDBClient:
    """Make an impatient client."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    server = Server(url, Flavor.LOCAL)
    return server.client(connect_timeout=1, read_timeout=READ_TIMEOUT, retries=retries)


@dataclass(frozen=True)
class Bench:
    """A table that holds OLD, a client that goes through the proxy, and one that does not."""

    proxy: FaultProxy
    table: str
    client: DynamoDBClient
    direct: DynamoDBClient

    def get(self, **more: Any) -> Any:
        return self.client.get_item(TableName=self.table, Key=KEY, **more).get("Item")

    def put(self, item: Any = NEW, **more: Any) -> Any:
        return self.client.put_item(TableName=self.table, Item=item, **more)

    @property
    def stored(self) -> Any:
        found = self.direct.get_item(TableName=self.table, Key=KEY, ConsistentRead=True)
        return found.get("Item")

    def outcome(self, act: Callable[[], Any]) -> Any:
        """Return what an operation returned, the code AWS gave, or the class of its error."""
        try:
            return act()
        except ClientError as error:
            return error.response["Error"]["Code"]
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what is measured
            return type(error)
