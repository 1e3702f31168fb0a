"""What leaves the client when something goes wrong: our error, and nothing of the user's."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any, Final

import boto3.session
import pytest
from beaker.exceptions import BeakerException

from beaker_dynamodb import (
    AccessRefused,
    Conflict,
    DynamoDBBackendError,
    Refused,
    TableError,
    TableMismatch,
    TableMissing,
    Unavailable,
    errors,
)
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.connection import Connection
from tests.dynamodb.doubles import FAULTS, chain, failure
from tests.faults.kinds import aws_error
from tests.proxy import FaultProxy
from tests.sessions import apps

Raised = type[DynamoDBBackendError]

#: AWS's codes, the status that they come with, and what they are to us.
CODES: Final[tuple[tuple[str, int, Raised], ...]] = (
    ("ResourceNotFoundException", 400, TableMissing),
    ("AccessDeniedException", 400, AccessRefused),
    ("ExpiredTokenException", 400, AccessRefused),
    ("UnrecognizedClientException", 400, AccessRefused),
    ("InvalidSignatureException", 400, AccessRefused),
    ("IncompleteSignatureException", 400, AccessRefused),
    ("MissingAuthenticationTokenException", 400, AccessRefused),
    ("InvalidAccessKeyIdException", 400, AccessRefused),
    ("ProvisionedThroughputExceededException", 400, Unavailable),
    ("ThrottlingException", 400, Unavailable),
    ("RequestLimitExceeded", 400, Unavailable),
    ("LimitExceededException", 400, Unavailable),
    ("ReplicatedWriteConflictException", 400, Unavailable),
    ("TransactionConflictException", 400, Unavailable),
    ("TransactionInProgressException", 400, Unavailable),
    ("InternalServerError", 500, Unavailable),
    ("InternalServerError", 400, Unavailable),
    ("ServiceUnavailable", 503, Unavailable),
    ("SomethingNewException", 500, Unavailable),
    ("SomethingNewException", 599, Unavailable),
    ("SomethingNewException", 400, Refused),
    ("ValidationException", 400, Refused),
    ("ItemCollectionSizeLimitExceededException", 400, Refused),
    ("ResourceInUseException", 400, Refused),
    ("SerializationException", 400, Refused),
    ("", 400, Refused),
)
NOBODY: Final = "http://127.0.0.1:9"


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """Answer in AWS's place: nobody stands behind it."""
    with FaultProxy(NOBODY) as proxy:
        yield proxy


def client(url: str, **more: Any) -> Client:
    """Make a client of one attempt."""
    return Client(Connection(endpoint_url=url, **{"max_attempts": 1, "read_timeout": 20, **more}))


def get(client: Client) -> object:
    """Read an item."""
    return client.call("GetItem", {"TableName": "sessions", "Key": {"id": {"S": "abc"}}})


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_every_code_of_aws_has_its_error(
    code: str, status: int, kind: Raised, proxy: FaultProxy
) -> None:
    """Each answer of AWS's becomes its class, with what an operator needs to know."""
    request = (("x-amzn-RequestId", "REQ4711"),)
    proxy.next(aws_error(code, status=status, headers=request), times=None)

    error = failure(lambda: get(client(proxy.url)))

    assert type(error) is kind
    assert isinstance(error, kind)
    facts = error.call
    assert facts is not None
    assert (facts.operation, facts.table, facts.region) == ("GetItem", "sessions", "us-east-1")
    assert (facts.code or "", facts.request_id, facts.attempts) == (code, "REQ4711", 1)
    assert "said the proxy" not in str(error)
    assert list(chain(error)) == [error]


def test_a_throttle_says_what_throttled(proxy: FaultProxy) -> None:
    """AWS's reason names the limit, and the error passes it on."""
    reasons = [{"reason": "TableReadProvisionedThroughputExceeded", "resource": "arn:secret"}]
    proxy.next(aws_error("ThrottlingException", throttlingReasons=reasons))

    error = failure(lambda: get(client(proxy.url)))

    assert "throttled by TableReadProvisionedThroughputExceeded" in str(error)
    assert "secret" not in str(error)


def test_the_errors_say_what_to_do(proxy: FaultProxy) -> None:
    """A missing table names the command, a refused right names the action."""
    proxy.next(aws_error("ResourceNotFoundException"))
    proxy.next(aws_error("AccessDeniedException"))

    missing, refused = (failure(lambda: get(client(proxy.url))) for _ in range(2))

    assert "beaker-dynamodb table create" in str(missing)
    assert "sessions" in str(missing)
    assert "dynamodb:GetItem" in str(refused)


def test_a_transaction_in_the_way_is_waited_for_once(proxy: FaultProxy) -> None:
    """The SDK does not retry a TransactionConflict; the client does, once."""
    proxy.next(aws_error("TransactionConflictException"), times=None)

    failure(lambda: get(client(proxy.url)))

    assert len(proxy.seen) == 2


def test_the_errors_are_a_tree_that_beaker_cannot_mistake() -> None:
    """All are BeakerExceptions; none is what Beaker takes for "no such session"."""
    kinds = [getattr(errors, name) for name in errors.__all__]

    for kind in kinds:
        assert issubclass(kind, DynamoDBBackendError)
        assert issubclass(kind, BeakerException)
        assert not issubclass(kind, (KeyError, TypeError, ValueError))
    for abstract in (DynamoDBBackendError, TableError):
        with pytest.raises(TypeError):
            abstract("never raised itself")
    for kind in (TableMissing, TableMismatch, AccessRefused):
        assert kind.__mro__[1] is TableError


SECRET, PAYLOAD = "secret-id-4711", "secret-payload-4711"


def test_no_error_and_no_log_line_holds_anything_of_the_user(
    dynamodb_local: str, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However a load or a save fails: no id, key or payload in text, repr, args, pickle or log.

    A Conflict is made to hold theirs, but not to say it.
    """
    apps.make_table(dynamodb_local, table_name)
    apps.manager(dynamodb_local, table_name, SECRET)["session"] = PAYLOAD
    found: list[Exception] = []

    def attempt(act: Callable[[Any], object], url: str, **more: str) -> None:
        try:
            act(apps.manager(url, table_name, SECRET, **more))
        except Exception as error:  # noqa: BLE001  # whatever it is
            found.append(error)

    def load(manager: Any) -> object:
        return manager["session"]

    def save(manager: Any) -> object:
        return manager.__setitem__("session", PAYLOAD + "!")

    with caplog.at_level(logging.DEBUG), FaultProxy(dynamodb_local) as proxy:
        for name, (fault, options) in FAULTS.items():
            proxy.next(fault, operation="GetItem", times=None)
            attempt(load, proxy.url, **options)
            proxy.next(fault, operation="PutItem", times=None if name != "another's item" else 0)
            attempt(save, proxy.url, **options)
            proxy.clear()
        attempt(save, proxy.url, on_conflict="raise")
        attempt(save, proxy.url, max_value_size="5")
    ours = "".join(r.getMessage() for r in caplog.records if "beaker_dyn" in r.name)
    linked = [link for error in found for link in chain(error)]
    told = "".join(f"{error}{error!r}{error.args!r}" for error in linked)
    kept = "".join(repr(pickle.dumps(e)) for e in linked if not isinstance(e, Conflict))

    assert {type(error).__module__ for error in linked} == {"beaker_dynamodb.errors"}
    assert len(found) > 30
    assert [word for word in (SECRET, PAYLOAD) if word in told + kept + ours] == []


def test_a_request_that_botocore_itself_refuses(proxy: FaultProxy) -> None:
    """Botocore's text of a malformed request holds the value; ours does not.

    A client that the application hands over checks requests; our own leaves that to AWS.
    """
    request = {"TableName": "sessions", "Key": {"id": {"S": [SECRET]}}}
    given = boto3.session.Session(region_name="us-east-1").client(
        "dynamodb", endpoint_url=proxy.url
    )

    error = failure(lambda: Client(Connection(client=given)).call("GetItem", request))

    assert type(error) is Refused
    assert SECRET not in f"{error}{error!r}"
    assert list(chain(error)) == [error]


#: AWS's own words (DynamoDB Local has others), and what we make of them.
TOLD: Final = (
    ("The provided key element does not match the schema", "its key attributes have other names"),
    (
        "One or more parameter values were invalid: Missing the key sid in the item",
        "it has a key attribute 'sid'",
    ),
    (
        "One or more parameter values were invalid: Type mismatch for key id expected: N actual: S",
        "its key attribute 'id' is of type N",
    ),
)


@pytest.mark.parametrize(("message", "is_"), TOLD)
def test_aws_refusal_of_a_key_says_is_and_ought(message: str, is_: str, proxy: FaultProxy) -> None:
    """What AWS tells of the table's keys is set against what the options say."""
    proxy.next(aws_error("ValidationException", message=message))
    request = {"TableName": "sessions", "Item": {"id": {"S": SECRET}}}

    error = failure(
        lambda: client(proxy.url).call("PutItem", request, describe_keys=lambda: "hash key 'id'")
    )

    assert type(error) is TableMismatch
    assert f"{is_}, the options say hash key 'id'" in str(error)
