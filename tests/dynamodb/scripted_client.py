"""A client that answers what a test wrote for it, and what AWS answers of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

from beaker_dynamodb.dynamodb.client import Client, Response
from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.errors import CallFacts, DynamoDBBackendError, Refused
from tests.servers import REGION

DESCRIBE, TTL = "DescribeTable", "DescribeTimeToLive"
CREATE, SWITCH = "CreateTable", "UpdateTimeToLive"


def way(url: str) -> Client:
    """Open a client of its own, as another worker has one."""
    return Client(Connection(region=REGION, endpoint_url=url))


class Script:
    """A client double: per operation the answers in turn, the last one for ever; errors raised."""

    region = "eu-central-1"

    def __init__(self, **answers: object) -> None:
        self.answers = {name: a if isinstance(a, list) else [a] for name, a in answers.items()}
        self.known_tables: set[str] = set()
        self.asked: dict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def call(self, operation: str, request: Mapping[str, Any], **_: object) -> Response:
        self.asked[operation].append(request)
        turns = self.answers[operation]
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(answer, DynamoDBBackendError):
            raise answer
        return Response(cast("Mapping[str, Any]", answer))

    @property
    def client(self) -> Client:
        return cast("Client", self)


def make_error(code: str, kind: type[DynamoDBBackendError] = Refused) -> DynamoDBBackendError:
    """Make what the client raises for a code of AWS's."""
    return kind("refused", call=CallFacts("Some", "sessions", code=code))


def make_description(
    status: str = "ACTIVE", *indexes: Mapping[str, Any], key: str = "id"
) -> dict[str, Any]:
    """Write what DescribeTable answers."""
    return {
        "Table": {
            "TableName": "sessions",
            "TableStatus": status,
            "TableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "GlobalSecondaryIndexes": list(indexes),
        }
    }


def ttl(status: str, attribute: str | None = None) -> dict[str, Any]:
    """Write what DescribeTimeToLive answers."""
    named = {"AttributeName": attribute} if attribute else {}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": status, **named}}
