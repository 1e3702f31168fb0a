"""What a response means: whether a success can be trusted, and which of our errors a failure is.

Pure functions over responses and exceptions. Exceptions are recognized by AWS's code and by the
names of their classes, since only `clients.py` may import botocore. No text of theirs is passed
on: it may hold a user's data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

from beaker_dynamodb.dynamodb.embedded import EMBEDDED
from beaker_dynamodb.errors import (
    AccessRefused,
    CallFacts,
    DynamoDBBackendError,
    OptionError,
    Refused,
    TableMismatch,
    TableMissing,
    Unavailable,
    say_table_missing,
)

#: No call costs more capacity units: a batch or page of 16 MB takes 16,384 to write.
_MAX_UNITS: Final = 1_000_000
THROTTLED: Final = frozenset(
    "ProvisionedThroughputExceededException ThrottlingException RequestLimitExceeded"
    " LimitExceededException".split()
)
_FAILED: Final = (
    "InternalServerError ServiceUnavailable ReplicatedWriteConflictException"
    " TransactionConflictException TransactionInProgressException"
).split()
_ACCESS_REFUSED: Final = (
    "AccessDeniedException ExpiredTokenException UnrecognizedClientException"
    " InvalidSignatureException IncompleteSignatureException MissingAuthenticationTokenException"
    " InvalidAccessKeyIdException"
).split()
#: From AWS's code to our class. Any other code is `Refused`; any 5xx is `Unavailable`.
ERRORS: Final[Mapping[str, type[DynamoDBBackendError]]] = {
    "ResourceNotFoundException": TableMissing,
    **dict.fromkeys(_ACCESS_REFUSED, AccessRefused),
    **dict.fromkeys((*THROTTLED, *_FAILED), Unavailable),
}
_THROTTLED: Final = "the table's or the account's capacity is exceeded"
_NOT_SERVED: Final = "DynamoDB could not serve the call"
#: After these a new boto3 client is created: what the old one knows of credentials is stale.
STALE_CREDENTIALS: Final = frozenset(
    "ExpiredTokenException UnrecognizedClientException InvalidSignatureException"
    " MissingAuthenticationTokenException NoCredentialsError PartialCredentialsError"
    " CredentialRetrievalError".split()
)
CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
#: botocore does not retry this one. The write was certainly not applied.
_TRANSACTION_CONFLICT: Final = "TransactionConflictException"

_CREDENTIAL_SOURCES: Final = (
    "boto3 looks for credentials in the options, the environment (AWS_ACCESS_KEY_ID), AWS's files"
    " (~/.aws), and the role of the container or machine: attach a role, or set a key"
    " (DynamoDB Local accepts any)"
)
_SETTINGS: Final = (
    "check the options, {variables} in the environment, and AWS's files (~/.aws/config)"
)
#: The code of an error because no region is set.
NO_REGION: Final = "NoRegionError"
#: The sentence for each class of botocore that means a missing or wrong option. In braces is where
#: a value comes from, as `connection.describe_places` returns it.
_OPTION_ERRORS: Final = {
    "NoCredentialsError": f"no AWS credentials were found; {_CREDENTIAL_SOURCES}",
    "PartialCredentialsError": f"the AWS credentials are incomplete; {_CREDENTIAL_SOURCES}",
    NO_REGION: "no AWS region is set; give option 'region', or AWS_DEFAULT_REGION, or a"
    " region in AWS's files (~/.aws/config){not_read}",
    "ProfileNotFound": "{profile} names a profile that is not in AWS's files",
    "InvalidRegionError": "{region} is not the name of a region",
    "ConfigParseError": "AWS's configuration file cannot be read",
}
#: What to check if there was no response, by the name of the class that was raised.
_HINTS: Final = {
    "SSLError": "does it support https, and is its certificate trusted here?",
    "EndpointConnectionError": "nothing listens there, or there is no route: is {address} correct?",
    "ConnectTimeoutError": "no connection in time: a firewall, a missing route?",
}
#: The classes of botocore and urllib3 for errors in the environment and in AWS's files.
#: LocationValueError is urllib3's, for the address of a proxy.
_CONFIGURATION: Final = frozenset(
    "ConfigNotFound EndpointProviderError InvalidChecksumConfigError InvalidConfigError"
    " InvalidDefaultsMode InvalidEndpointConfigurationError"
    " InvalidEndpointDiscoveryConfigurationError InvalidIMDSEndpointError"
    " InvalidIMDSEndpointModeError InvalidProxiesConfigError InvalidRetryConfigurationError"
    " InvalidSTSRegionalEndpointsConfigError BaseEndpointResolverError LocationValueError"
    " UnknownCredentialError UnknownSignatureVersionError UnknownTokenProviderError"
    # A credential_process or a token's file that does not exist; DynamoDB's responses raise none.
    " FileNotFoundError".split()
)
#: The classes that mean such an error if they are raised before any call: an invalid number or
#: address, a `credential_process` that does not print JSON.
_CONFIGURATION_BEFORE_CALL: Final = frozenset({"ValueError"})
_BUGS: Final = frozenset({"ParamValidationError", "UnknownParameterError"})
_KEY_SCHEMA: Final = re.compile(
    r"provided key element does not match the schema|Missing the key|Type mismatch for key"
    r"|required keys was not given"
    r"|number of conditions on the keys is invalid|key schema",
    re.IGNORECASE,
)
_MISSING_KEY: Final = re.compile(r"Missing the key (\w+) in the item")
_KEY_TYPE: Final = re.compile(r"Type mismatch for key (\w+) expected: (\w) actual: (\w)")


@dataclass(frozen=True, slots=True)
class Failure:
    """A foreign exception, reduced to what may leave the client.

    `item` is the stored item that refused a condition. `schema` is what AWS says of the table's
    keys. `names` are the names of the exception's classes. `is_retryable`: a repetition may
    succeed, and botocore does not repeat this one. `before_call`: no call was sent yet.
    """

    code: str
    status: int = 0
    request_id: str | None = None
    attempts: int | None = None
    reason: str | None = None
    item: Mapping[str, Any] | None = None
    schema: str = ""
    names: frozenset[str] = frozenset()
    date: str | None = None
    address: str = ""
    before_call: bool = False
    is_retryable: bool = False

    @property
    def outcome(self) -> str:
        """The outcome of the call, as `metering.Call` names it."""
        if self.code == CONDITION_FAILED:
            return "refused"
        if self.code in THROTTLED:
            return "throttled"
        gone = not self.status or self.status >= _SERVER_ERROR
        return "unavailable" if gone or ERRORS.get(self.code) is Unavailable else "error"


def read_failure(
    error: Exception, request: Mapping[str, Any] | None = None, *, before_call: bool = False
) -> Failure:
    """Reduce an exception of botocore, or of a credential provider, to a `Failure`.

    Args: *request* is the call's, if one was made; *before_call* says that none was sent yet.
    """
    names = frozenset([kind.__name__ for kind in type(error).__mro__])
    response = getattr(error, "response", None)
    if "ClientError" not in names or not isinstance(response, Mapping):
        details = getattr(error, "kwargs", None)
        details = details if isinstance(details, Mapping) else {}
        names |= _read_inner_names(details)
        address = _read_address(details)
        return Failure(type(error).__name__, names=names, address=address, before_call=before_call)
    details, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, item = str(details.get("Code", "")).rpartition("#")[2], response.get("Item")
    status = meta.get("HTTPStatusCode", 0)
    if code == CONDITION_FAILED and "ConditionExpression" not in (request or {}):
        # The request had no condition that could fail, so this is not its response. It is treated
        # as garbage: a load would take it for "no session", and log the user out.
        code, item = str(status or _BAD_REQUEST), None
    return Failure(
        code,
        status=status,
        request_id=meta.get("RequestId"),
        attempts=meta.get("RetryAttempts", 0) + 1,
        reason=_read_throttling_reason(response),
        item=item,
        schema=_read_key_schema(code, str(details.get("Message", ""))),
        names=names,
        date=(meta.get("HTTPHeaders") or {}).get("date"),
        # If the body is not AWS's, botocore uses the status as the code. It retries all 5xx.
        is_retryable=code == _TRANSACTION_CONFLICT or (code.isdigit() and status < _SERVER_ERROR),
    )


def _read_inner_names(details: Mapping[str, Any]) -> frozenset[str]:
    """Return the class names of the error that botocore's HTTPClientError wraps.

    Only urllib3's error of an invalid address counts: a garbled response raises a ValueError, too.
    """
    inner = type(details.get("error"))
    return frozenset(kind.__name__ for kind in inner.__mro__) & {"LocationValueError"}


def _read_address(details: Mapping[str, Any]) -> str:
    """Return the host and port that did not answer; no other part of the URL may leave."""
    url = details.get("endpoint_url")
    return urlsplit(str(url)).netloc.rpartition("@")[2] if url else ""


def _read_throttling_reason(response: Mapping[str, Any]) -> str | None:
    reasons = response.get("ThrottlingReasons") or response.get("throttlingReasons") or ()
    names = {str(reason.get("reason", "")) for reason in reasons if isinstance(reason, Mapping)}
    return " ".join(sorted(names)) or None


def _read_key_schema(code: str, message: str) -> str:
    """Return what a ValidationException says of the key schema; only attribute names may leave."""
    if code != "ValidationException" or not _KEY_SCHEMA.search(message):
        return ""
    if match := _MISSING_KEY.search(message):
        return f"it has a key attribute {match[1]!r}"
    if match := _KEY_TYPE.search(message):
        return f"its key attribute {match[1]!r} is of type {match[2]}"
    return "its key attributes have other names"


def make_error(  # noqa: PLR0911  # one for each of our errors
    failure: Failure,
    call: CallFacts,
    describe_places: Callable[[], Mapping[str, str]],
    describe_keys: Callable[[], str] | None = None,
) -> DynamoDBBackendError:
    """Return the one of our errors that a failure is.

    Args:
        failure: what was reduced; its facts are added to *call*.
        describe_places: returns where endpoint, profile and region come from.
        describe_keys: returns the key schema that the options name, for a `TableMismatch`.
    """
    code, status = failure.code, failure.status
    facts = ("code", "request_id", "attempts", "reason", "date")
    call = replace(call, **{name: getattr(failure, name) for name in facts})
    if sentence := _explain_configuration(failure):
        return OptionError(sentence.format_map(describe_places()), call=call)
    if failure.names & _BUGS:
        return Refused("botocore refuses the request before it is sent", call=call)
    if not status:
        return Unavailable(_explain_no_response(failure, describe_places()), call=call)
    if failure.schema:
        expected = describe_keys() if describe_keys else ""
        return TableMismatch(
            f"the table's key schema is not that of the options: {failure.schema}, the options"
            f" say {expected}",
            call=call,
        )
    kind = ERRORS.get(code)
    if kind is TableMissing:
        return TableMissing(_explain_missing_table(call, describe_places()), call=call)
    if kind is AccessRefused and code != "AccessDeniedException":
        return AccessRefused("AWS does not accept the credentials", call=call)
    if kind is AccessRefused:
        return AccessRefused(f"AWS refuses the action dynamodb:{call.operation}", call=call)
    if kind is Unavailable or code.isdigit() or status >= _SERVER_ERROR:
        return Unavailable(_THROTTLED if code in THROTTLED else _NOT_SERVED, call=call)
    return Refused("DynamoDB refuses the call", call=call)


def _explain_no_response(failure: Failure, places: Mapping[str, str]) -> str:
    address = f" at {failure.address}" if failure.address else ""
    hints = (_HINTS[name].format_map(places) for name in _HINTS if name in failure.names)
    return f"DynamoDB did not answer{address}: {next(hints, failure.code)}"


def _explain_missing_table(call: CallFacts, places: Mapping[str, str]) -> str:
    if places["endpoint_option"] == f" -o endpoint_url={EMBEDDED}":
        return (
            "the table does not exist in the memory of this process, where no command can create"
            " it: the first session that is loaded or saved does, if option create_table is true"
        )
    # Without the endpoint of DynamoDB Local the command would create the table at AWS.
    options = f" -o region={call.region}" if call.region else ""
    options += places["endpoint_option"]
    command = f"beaker-dynamodb table create -o table={call.table}{options}"
    missing = say_table_missing(command=command)
    return f"{missing}, with the application's other options or its ini file (-c)"


def _explain_configuration(failure: Failure) -> str:
    """Return what is wrong with boto3's configuration; "" if the failure has another cause."""
    for name, sentence in _OPTION_ERRORS.items():
        if name in failure.names:
            return sentence
    names = _CONFIGURATION | _CONFIGURATION_BEFORE_CALL if failure.before_call else _CONFIGURATION
    return f"boto3 refuses its configuration: {_SETTINGS}" if failure.names & names else ""


def validate_response(
    operation: str, request: Mapping[str, Any], body: Mapping[str, Any]
) -> str | None:
    """Return why a response with status 200 cannot be trusted; None if it can.

    botocore returns `{}` for a 200 that is truncated, empty or HTML. A body with a wrong checksum
    it returns as a success after its last retry.
    """
    if "ConsumedCapacity" not in body:
        return "it does not report the consumed capacity"
    meta = body.get("ResponseMetadata", {})
    if operation == "GetItem" and meta.get("MaxAttemptsReached") and meta.get("RetryAttempts"):
        return "its checksum may have been wrong at every attempt"
    item, key = body.get("Item"), request.get("Key")
    if item and key:
        for name, value in key.items():
            if item.get(name) != value:
                return "it holds another item than the requested one"
    return None


def add_attempt(answer: Mapping[str, Any] | Failure) -> Mapping[str, Any] | Failure:
    """Count an attempt of the wire, which botocore does not know of, in botocore's answer."""
    if isinstance(answer, Failure):
        return replace(answer, attempts=answer.attempts + 1) if answer.attempts else answer
    meta = answer.get("ResponseMetadata", {})
    attempts = meta.get("RetryAttempts", 0) + 1
    return {**answer, "ResponseMetadata": {**meta, "RetryAttempts": attempts}}


def count_units(operation: str, body: Mapping[str, Any]) -> tuple[float, float]:
    """Return the read and the write units that a response reports; 0 for what is not a number."""
    consumed = body.get("ConsumedCapacity")
    tables = consumed if isinstance(consumed, list) else (consumed,)
    counts = [table.get("CapacityUnits") for table in tables if isinstance(table, Mapping)]
    total = float(sum(count for count in counts if _is_count(count)))
    reads = operation in {"GetItem", "Query", "Scan", "BatchGetItem"}
    return (total, 0.0) if reads else (0.0, total)


def _is_count(count: object) -> TypeGuard[float]:
    return isinstance(count, (int, float)) and 0 <= count <= _MAX_UNITS
