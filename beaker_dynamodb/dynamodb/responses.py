"""What a response means: whether a success can be trusted, and which of our errors a failure is.

Pure functions over responses and exceptions. Exceptions are told by AWS's code and by the names
of their classes, since only `client.py` may import botocore; no text of theirs is passed on,
for it may hold a user's data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

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
#: From AWS's code to our class. Any other code is `Refused`; any 5xx is `Unavailable`.
ERRORS: Final[Mapping[str, type[DynamoDBBackendError]]] = {
    "ResourceNotFoundException": TableMissing,
    "AccessDeniedException": AccessRefused,
    "ExpiredTokenException": AccessRefused,
    "UnrecognizedClientException": AccessRefused,
    "InvalidSignatureException": AccessRefused,
    "IncompleteSignatureException": AccessRefused,
    "MissingAuthenticationTokenException": AccessRefused,
    "InvalidAccessKeyIdException": AccessRefused,
    "ProvisionedThroughputExceededException": Unavailable,
    "ThrottlingException": Unavailable,
    "RequestLimitExceeded": Unavailable,
    "LimitExceededException": Unavailable,
    "InternalServerError": Unavailable,
    "ServiceUnavailable": Unavailable,
    "ReplicatedWriteConflictException": Unavailable,
    "TransactionConflictException": Unavailable,
    "TransactionInProgressException": Unavailable,
}
THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
    }
)
#: After these the client is made anew: what it knows of credentials is stale.
STALE_CREDENTIALS: Final = frozenset(
    {
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
    }
)
CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_BAD_REQUEST: Final = 400
#: botocore does not retry this, and the write was surely not applied.
_CONFLICTS: Final = "TransactionConflictException"

_WHERE: Final = (
    "boto3 looks for credentials in the options, the environment (AWS_ACCESS_KEY_ID), AWS's files"
    " (~/.aws), and the role of the container or machine"
)
_LOOK_AT: Final = (
    "check the options, AWS_... and HTTPS_PROXY in the environment, and AWS's files (~/.aws/config)"
)
_OPTIONS: Final = {
    "NoCredentialsError": f"no AWS credentials were found; {_WHERE}",
    "PartialCredentialsError": f"the AWS credentials are incomplete; {_WHERE}",
    "NoRegionError": "no AWS region is set; give option 'region', or AWS_DEFAULT_REGION, or a"
    " region in AWS's files (~/.aws/config)",
    "ProfileNotFound": "option 'profile' names a profile that is not in AWS's files",
    "InvalidRegionError": "option 'region' is not the name of a region",
    "ConfigParseError": "AWS's configuration file cannot be read",
}
#: What to look at when nothing came back, by the name of what was raised.
_SILENT: Final = {
    "SSLError": "does it support https, and is its certificate trusted here?",
    "EndpointConnectionError": "nothing listens there, or there is no route: are region and"
    " endpoint_url correct?",
    "ConnectTimeoutError": "no connection in time: a firewall, a missing route?",
}
#: botocore's and urllib3's own classes for what stands in the environment or in AWS's files.
_CONFIGURATION: Final = frozenset(
    {
        "ConfigNotFound",
        "EndpointProviderError",
        "InvalidChecksumConfigError",
        "InvalidConfigError",
        "InvalidDefaultsMode",
        "InvalidEndpointConfigurationError",
        "InvalidEndpointDiscoveryConfigurationError",
        "InvalidIMDSEndpointError",
        "InvalidIMDSEndpointModeError",
        "InvalidProxiesConfigError",
        "InvalidRetryConfigurationError",
        "InvalidSTSRegionalEndpointsConfigError",
        "BaseEndpointResolverError",
        "LocationValueError",  # urllib3's, of a proxy's address
        "UnknownCredentialError",
        "UnknownSignatureVersionError",
        "UnknownTokenProviderError",
    }
)
#: What else is one while a client is made, before anything was asked: a number that is none, an
#: address that is none, a `credential_process` that is not there or answers no JSON.
_WHILE_MADE: Final = frozenset({"ValueError", "FileNotFoundError"})
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
    """A foreign exception, reduced to what may leave the client."""

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
    making: bool = False

    @property
    def facts(self) -> tuple[Any, ...]:
        """What an operator needs, in the order of `CallFacts`."""
        return self.code, self.request_id, self.attempts, self.reason, self.date

    @property
    def garbled(self) -> bool:
        """Tell whether it is no answer of AWS's: botocore then gives the status as the code."""
        return self.code.isdigit()

    @property
    def once_more(self) -> bool:
        """Tell whether another try is worth it that botocore does not make."""
        client_side = self.status < 500  # noqa: PLR2004  # of the others botocore tries all
        return self.code == _CONFLICTS or (self.garbled and client_side)

    @property
    def outcome(self) -> str:
        """Name it for the meter."""
        if self.code == CONDITION_FAILED:
            return "refused"
        if self.code in THROTTLED:
            return "throttled"
        gone = not self.status or self.status >= 500  # noqa: PLR2004  # HTTP's server errors
        return "unavailable" if gone or ERRORS.get(self.code) is Unavailable else "error"


def failure_of(error: Exception, *, making: bool = False) -> Failure:
    """Reduce what botocore, or a credential provider beneath it, has raised.

    Args: *making* says that it was raised while a client was made, before any call was sent.
    """
    names = frozenset([kind.__name__ for kind in type(error).__mro__])
    response = getattr(error, "response", None)
    if "ClientError" not in names or not isinstance(response, Mapping):
        code, names = type(error).__name__, names | _names_inside(error)
        return Failure(code, names=names, address=_address(error), making=making)
    told, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = str(told.get("Code", "")).rpartition("#")[2]
    return Failure(
        code,
        status=meta.get("HTTPStatusCode", 0),
        request_id=meta.get("RequestId"),
        attempts=meta.get("RetryAttempts", 0) + 1,
        reason=_throttled_by(response),
        item=response.get("Item"),
        schema=_schema_told(code, str(told.get("Message", ""))),
        names=names,
        date=(meta.get("HTTPHeaders") or {}).get("date"),
    )


def plausible(request: Mapping[str, Any], failure: Failure) -> Failure:
    """Take a refusal for one only where the request has a condition that may not have held.

    Else it is no answer to this request, like garbage: a load would take it for "no session", and
    log the user out.
    """
    if failure.code != CONDITION_FAILED or "ConditionExpression" in request:
        return failure
    return replace(failure, code=str(failure.status or _BAD_REQUEST), item=None)


def _names_inside(error: Exception) -> frozenset[str]:
    """Name the classes of the error that botocore's HTTPClientError was made of."""
    told = getattr(error, "kwargs", None)
    inside = told.get("error") if isinstance(told, Mapping) else None
    if not isinstance(inside, Exception):
        return frozenset()
    # Of urllib3's addresses only: a reply that is garbage raises a ValueError, too.
    return frozenset(kind.__name__ for kind in type(inside).__mro__) & {"LocationValueError"}


def _address(error: Exception) -> str:
    """Read which host and port was tried; nothing else of the address leaves."""
    told = getattr(error, "kwargs", None)
    url = told.get("endpoint_url") if isinstance(told, Mapping) else None
    return urlsplit(str(url)).netloc.rpartition("@")[2] if url else ""


def _throttled_by(response: Mapping[str, Any]) -> str | None:
    reasons = response.get("ThrottlingReasons") or response.get("throttlingReasons") or ()
    named = {str(reason.get("reason", "")) for reason in reasons if isinstance(reason, Mapping)}
    return " ".join(sorted(named)) or None


def _schema_told(code: str, message: str) -> str:
    """Read what a ValidationException tells of the key schema; only attribute names leave."""
    if code != "ValidationException" or not _KEY_SCHEMA.search(message):
        return ""
    if match := _MISSING_KEY.search(message):
        return f"it has a key attribute {match[1]!r}"
    if match := _KEY_TYPE.search(message):
        return f"its key attribute {match[1]!r} is of type {match[2]}"
    return "its key attributes have other names"


def _misconfigured(failure: Failure) -> str:
    """Say what boto3 refuses of its configuration; "" where it is something else that failed."""
    for name, sentence in _OPTIONS.items():
        if name in failure.names:
            return sentence
    wrong = failure.names & (_CONFIGURATION | (_WHILE_MADE if failure.making else frozenset()))
    return f"boto3 refuses its configuration: {_LOOK_AT}" if wrong else ""


def error_of(failure: Failure, call: CallFacts, ought: str) -> DynamoDBBackendError:  # noqa: PLR0911
    """Turn a failure into one of our errors.

    Args:
        failure: what was reduced. `call`: the facts that an operator needs.
        ought: the key schema that the options name, for `TableMismatch`.
    """
    if sentence := _misconfigured(failure):
        return OptionError(sentence, call=call)
    if failure.names & _BUGS:
        return Refused("botocore refuses the request before it is sent", call=call)
    if not failure.status:
        where = f" at {failure.address}" if failure.address else ""
        look = next((_SILENT[name] for name in _SILENT if name in failure.names), failure.code)
        return Unavailable(f"DynamoDB did not answer{where}: {look}", call=call)
    if failure.schema:
        return TableMismatch(
            f"the table's key schema is not that of the options: {failure.schema}, the options"
            f" say {ought}",
            call=call,
        )
    kind = ERRORS.get(failure.code)
    if kind is TableMissing:
        region = f" -o region={call.region}" if call.region else ""
        missing = say_table_missing(
            command=f"beaker-dynamodb table create -o table={call.table}{region}"
        )
        return TableMissing(
            f"{missing}, with the application's other options or its ini file (-c)", call=call
        )
    if kind is AccessRefused and failure.code != "AccessDeniedException":
        return AccessRefused("AWS does not accept the credentials", call=call)
    if kind is AccessRefused:
        return AccessRefused(f"AWS refuses the action dynamodb:{call.operation}", call=call)
    if kind is Unavailable or failure.garbled or failure.status >= 500:  # noqa: PLR2004
        return Unavailable("DynamoDB could not serve the call", call=call)
    return Refused("DynamoDB refuses the call", call=call)


def broken(operation: str, request: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    """Say why a reply with status 200 cannot be trusted, None if it can.

    botocore answers a truncated, empty or HTML 200 with `{}`, and hands a corrupted body on as
    a success once its retries of a wrong checksum are used up.
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


def one_more(answer: Mapping[str, Any] | Failure) -> Mapping[str, Any] | Failure:
    """Count an attempt that botocore knows nothing of: the wire's, before it was handed over."""
    if isinstance(answer, Failure):
        return replace(answer, attempts=answer.attempts + 1) if answer.attempts else answer
    meta = answer.get("ResponseMetadata", {})
    return {
        **answer,
        "ResponseMetadata": {**meta, "RetryAttempts": meta.get("RetryAttempts", 0) + 1},
    }


def units(operation: str, body: Mapping[str, Any]) -> tuple[float, float]:
    """Read how many read and write units a reply says it cost; what is no number counts nothing."""
    told = body.get("ConsumedCapacity")
    each = told if isinstance(told, list) else (told,)
    counts = [one.get("CapacityUnits") for one in each if isinstance(one, Mapping)]
    total = float(sum(count for count in counts if _is_count(count)))
    reads = operation in {"GetItem", "Query", "Scan", "BatchGetItem"}
    return (total, 0.0) if reads else (0.0, total)


def _is_count(count: object) -> TypeGuard[float]:
    return isinstance(count, (int, float)) and 0 <= count <= _MAX_UNITS
