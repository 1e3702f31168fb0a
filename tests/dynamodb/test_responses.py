"""Errors: each failure becomes one of our classes, and none contains a user's data."""

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
from tests.dynamodb.doubles import FAULTS, catch_error, walk_chain
from tests.faults.fault_kinds import aws_error
from tests.proxy import FaultProxy
from tests.sessions import apps

Raised = type[DynamoDBBackendError]

#: AWS's codes, the status of the response, and the class that they become.
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
    """Start a proxy that answers instead of AWS; there is no server behind it."""
    with FaultProxy(NOBODY) as proxy:
        yield proxy


def create_client(url: str, **more: Any) -> Client:
    """Create a client that makes one attempt."""
    return Client(Connection(endpoint_url=url, **{"max_attempts": 1, "read_timeout": 20, **more}))


def get_item(client: Client) -> object:
    """Read an item."""
    return client.call("GetItem", {"TableName": "sessions", "Key": {"id": {"S": "abc"}}})


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_every_error_code_of_aws_becomes_its_class(
    code: str, status: int, kind: Raised, proxy: FaultProxy
) -> None:
    """The error has the facts that an operator needs."""
    request = (("x-amzn-RequestId", "REQ4711"),)
    proxy.next(aws_error(code, status=status, headers=request), times=None)

    error = catch_error(lambda: get_item(create_client(proxy.url)))

    assert type(error) is kind
    assert isinstance(error, kind)
    facts = error.call
    assert facts is not None
    assert (facts.operation, facts.table, facts.region) == ("GetItem", "sessions", "us-east-1")
    assert (facts.code or "", facts.request_id, facts.attempts) == (code, "REQ4711", 1)
    assert "said the proxy" not in str(error)
    assert list(walk_chain(error)) == [error]


def test_a_throttling_error_names_the_limit(proxy: FaultProxy) -> None:
    """The message contains AWS's reason, and not the resource."""
    reasons = [{"reason": "TableReadProvisionedThroughputExceeded", "resource": "arn:secret"}]
    proxy.next(aws_error("ThrottlingException", throttlingReasons=reasons))

    error = catch_error(lambda: get_item(create_client(proxy.url)))

    assert "throttled by TableReadProvisionedThroughputExceeded" in str(error)
    assert str(error).startswith("the table's or the account's capacity is exceeded (")
    assert "secret" not in str(error)


def test_the_errors_say_what_to_do(proxy: FaultProxy) -> None:
    """A missing table: the command that creates it. A denied permission: the action."""
    proxy.next(aws_error("ResourceNotFoundException"))
    proxy.next(aws_error("AccessDeniedException"))

    missing, refused = (catch_error(lambda: get_item(create_client(proxy.url))) for _ in range(2))

    assert "beaker-dynamodb table create" in str(missing)
    assert "sessions" in str(missing)
    assert "dynamodb:GetItem" in str(refused)


def test_a_call_that_conflicts_with_a_transaction_is_repeated_once(proxy: FaultProxy) -> None:
    """boto3 does not retry a TransactionConflict; the client does, once."""
    proxy.next(aws_error("TransactionConflictException"), times=None)

    catch_error(lambda: get_item(create_client(proxy.url)))

    assert len(proxy.seen) == 2


def test_beaker_takes_no_error_for_a_missing_session() -> None:
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

    A Conflict holds the stored session, but its message does not.
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
            proxy.next(fault, operation="PutItem", times=None if name != "another item" else 0)
            attempt(save, proxy.url, **options)
            proxy.clear()
        attempt(save, proxy.url, on_conflict="raise")
        attempt(save, proxy.url, max_value_size="5")
    logged = "".join(r.getMessage() for r in caplog.records if "beaker_dyn" in r.name)
    linked = [link for error in found for link in walk_chain(error)]
    texts = "".join(f"{error}{error!r}{error.args!r}" for error in linked)
    pickles = "".join(repr(pickle.dumps(e)) for e in linked if not isinstance(e, Conflict))

    assert {type(error).__module__ for error in linked} == {"beaker_dynamodb.errors"}
    assert len(found) > 30
    assert [word for word in (SECRET, PAYLOAD) if word in texts + pickles + logged] == []


def test_a_request_that_botocore_refuses_shows_no_value(proxy: FaultProxy) -> None:
    """Botocore's message contains the value; ours does not.

    Only a client of the application validates requests; ours leaves that to AWS.
    """
    request = {"TableName": "sessions", "Key": {"id": {"S": [SECRET]}}}
    given = boto3.session.Session(region_name="us-east-1").client(
        "dynamodb", endpoint_url=proxy.url
    )

    error = catch_error(lambda: Client(Connection(client=given)).call("GetItem", request))

    assert type(error) is Refused
    assert SECRET not in f"{error}{error!r}"
    assert list(walk_chain(error)) == [error]


#: AWS's messages (those of DynamoDB Local differ), and what our error says.
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


@pytest.mark.parametrize(("message", "actual"), TOLD)
def test_a_table_mismatch_says_actual_and_expected_keys(
    message: str, actual: str, proxy: FaultProxy
) -> None:
    """What AWS says of the table's keys, and what the options say."""
    proxy.next(aws_error("ValidationException", message=message))
    request = {"TableName": "sessions", "Item": {"id": {"S": SECRET}}}

    error = catch_error(
        lambda: create_client(proxy.url).call(
            "PutItem", request, describe_keys=lambda: "hash key 'id'"
        )
    )

    assert type(error) is TableMismatch
    assert f"{actual}, the options say hash key 'id'" in str(error)
