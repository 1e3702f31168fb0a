"""The lean client: signs, sends and reads GetItem, PutItem and DeleteItem itself.

It returns a 200 whose body is whole and valid, a condition that did not hold, and the two failures
that boto3 must not repeat (`WireClient.call`); {} stands for a 200 that cannot be trusted. In every
other case it closes the connection and returns `Fallback`: the caller repeats the call by boto3,
which retries, refreshes credentials and raises. None of that is done here.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from binascii import crc32
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from beaker_dynamodb.dynamodb.connection import Connection, get_package_agent
from beaker_dynamodb.dynamodb.responses import CONDITION_FAILED, Failure, validate_response
from beaker_dynamodb.dynamodb.wire.http import (
    Deadline,
    Endpoint,
    HTTPConnection,
    InvalidResponseError,
    ResponseHead,
    ResponseTooSlowError,
)
from beaker_dynamodb.dynamodb.wire.settings import WireSettings
from beaker_dynamodb.dynamodb.wire.transport import Fallback, Request
from beaker_dynamodb.item.codec import decode_base64, encode_base64

if TYPE_CHECKING:
    import hashlib
    import ssl

#: Seconds for which an idle connection may be used again. AWS publishes no figure for DynamoDB;
#: S3 closes idle connections after 20.
MAX_IDLE_SECONDS: Final = 15.0
CONTENT_TYPE: Final = "application/x-amz-json-1.0"
#: The API version, which precedes an operation's name in the header x-amz-target.
API_VERSION: Final = "DynamoDB_20120810"
_SERVICE: Final = "dynamodb"
_OK, _BAD_REQUEST = 200, 400
#: What the code of an error looks like. Any other text of a server is not passed on.
_CODE: Final = re.compile(r"[A-Za-z]{1,80}")
#: HMAC-SHA256 (RFC 2104): the bytes of a block, and what each byte of a key is combined with.
_HMAC_BLOCK: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


class FrozenCredentials(Protocol):
    """Credentials at one moment, as botocore's `get_frozen_credentials()` returns them."""

    @property
    def access_key(self) -> str | None:
        """The id of the access key."""

    @property
    def secret_key(self) -> str | None:
        """The secret access key."""

    @property
    def token(self) -> str | None:
        """The session token; None for permanent credentials."""


class WireClient:
    """A client of one endpoint for one process; `Client` creates another one after a fork.

    A connection in use is referenced by its call only, so two threads or greenlets cannot share
    one. No thread-local is used: gevent's patching might come too late for it.
    """

    def __init__(self, options: Connection, settings: WireSettings) -> None:
        self._idle: deque[HTTPConnection] = deque()
        self._options = options
        self._get_credentials: Callable[[], FrozenCredentials] = (
            settings.credentials.get_frozen_credentials
        )
        self.endpoint: Endpoint = Endpoint(settings.url, settings.certificates)
        self.region: str = settings.region
        self._signer = Signer(self.endpoint.host_header, settings.region)
        self._context: ssl.SSLContext | None = None
        application = f"app/{settings.application} " if settings.application else ""
        self._first_lines = (
            f"POST / HTTP/1.1\r\nUser-Agent: {application}{get_package_agent()} md/wire\r\n"
            "Accept-Encoding: identity\r\n"
        )

    def call(self, operation: str, request: Mapping[str, Any]) -> Result:
        """Make one call; return its response, a failure, or `Fallback` if boto3 must make it.

        The only failures are a condition that did not hold, an answer to a condition that was not
        asked, and a response that is still arriving when `connect_timeout` and `read_timeout`
        together are over. The last is not left to boto3, whose timeouts apply to single reads: a
        server that sends byte by byte would hold it up in turn.
        """
        try:
            text = request.text if type(request) is Request else _encode(request)
            body = text.encode()
            credentials = self._get_credentials()
            signed = self._signer.sign(operation, body, credentials, time.time())
            head = f"{self._first_lines}{signed}Content-Length: {len(body)}\r\n\r\n"
            message = head.encode() + body
        except Exception as error:  # noqa: BLE001  # providers raise anything; boto3 will say what
            return Fallback(f"{type(error).__name__} before the call", maybe_sent=False)
        connect, read = self._options.connect_timeout, self._options.read_timeout
        now = time.monotonic()
        deadline = Deadline(now + connect + read, connect, read)
        connection: HTTPConnection | None = None
        try:
            connection = self._pop_usable(now) or self._open(deadline)
            response, content = connection.request(message, deadline)
            result = _parse_response(operation, request, response, content)
            if response.keep_alive and result and not isinstance(result, Fallback):
                self._keep(connection)
                connection = None
        except ResponseTooSlowError:
            return Failure("ResponseTooSlow")
        except InvalidResponseError as error:
            return Fallback(f"the response is not what DynamoDB sends: {error}")
        except Exception as error:  # noqa: BLE001  # a mistake in here must not fail a request
            return Fallback(type(error).__name__)
        else:
            return result
        finally:
            if connection is not None:
                connection.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections. One in use is closed by its call, or becomes idle later."""
        while connection := self._pop():
            connection.close()

    def _pop(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _pop_usable(self, now: float) -> HTTPConnection | None:
        """Return the connection that became idle last; close those that cannot be used again.

        Whether the server has closed it is checked before anything is sent, so that a request is
        not sent twice.
        """
        while connection := self._pop():
            if connection.idle_since > now - MAX_IDLE_SECONDS and not connection.has_pending_data:
                return connection
            connection.close()
        return None

    def _open(self, deadline: Deadline) -> HTTPConnection:
        if self.endpoint.is_tls and self._context is None:
            self._context = self.endpoint.create_ssl_context()
        return HTTPConnection.open(self.endpoint.address, self._context, deadline)

    def _keep(self, connection: HTTPConnection) -> None:
        """Keep a connection for the next call; close the oldest if too many or too long idle."""
        connection.idle_since = now = time.monotonic()
        idle = self._idle
        idle.append(connection)
        try:
            max_idle = self._options.max_pool_connections
            while len(idle) > max_idle or idle[0].idle_since < now - MAX_IDLE_SECONDS:
                idle.popleft().close()
        except IndexError:  # other threads took them; suppress() is slow
            pass


#: The response, or why there is none.
Result: TypeAlias = Mapping[str, Any] | Failure | Fallback


def _encode_bytes(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError
    return encode_base64(value).decode()


_encode: Final = json.JSONEncoder(
    default=_encode_bytes, separators=(",", ":"), check_circular=False
).encode
_scan: Final = json.JSONDecoder().raw_decode


def _decode(content: bytes) -> Any:
    """Parse JSON as `json.loads` does, in half its time for a short text.

    Raises: ValueError.
    """
    text = content.decode().strip()
    value, end = _scan(text)
    if end < len(text):
        raise ValueError("more than one value")
    return value


def _parse_response(
    operation: str, request: Mapping[str, Any], head: ResponseHead, content: bytes
) -> Result:
    """Return the body of a 200 or a refused condition; `Fallback` for anything else.

    The body of a 200 that cannot be trusted is empty, as botocore's would be: `Client.call` then
    repeats the call.
    """
    if head.status not in {_OK, _BAD_REQUEST}:
        return Fallback(f"HTTP {head.status}")
    if head.checksum is not None and head.checksum != b"%d" % crc32(content):
        return Fallback("a checksum does not match")
    try:
        body = _decode(content)
        for name in ("Item", "Attributes"):
            for value in body.get(name, {}).values():
                _decode_bytes(value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {} if head.status == _OK else Fallback("HTTP 400 without a code")
    if head.status == _OK:
        return {} if validate_response(operation, request, body) else body
    return _parse_error(request, body)


def _parse_error(request: Mapping[str, Any], body: Mapping[str, Any]) -> Failure | Fallback:
    code = str(body.get("__type")).rpartition("#")[2]
    if code != CONDITION_FAILED:
        return Fallback(f"HTTP 400 {code}" if _CODE.fullmatch(code) else "HTTP 400")
    if "ConditionExpression" not in request:  # as in `read_failure`
        return Failure(str(_BAD_REQUEST), _BAD_REQUEST, attempts=1, is_retryable=True)
    return Failure(CONDITION_FAILED, _BAD_REQUEST, attempts=1, item=body.get("Item"))


def _decode_bytes(value: dict[str, Any]) -> None:
    """Replace the base64 of binary values by bytes, in place, as boto3 returns them."""
    for kind, content in value.items():
        if kind == "B":
            value[kind] = decode_base64(content)
        elif kind == "BS":
            value[kind] = [decode_base64(member) for member in content]
        elif kind in {"L", "M"}:
            for member in content.values() if kind == "M" else content:
                _decode_bytes(member)


@dataclass(slots=True)
class _SigningKey:
    """What is the same for all signatures of one day and one set of credentials.

    `inner` and `outer` are the hashes of HMAC-SHA256 (RFC 2104) that have already taken in the key.
    A copy of each takes a third of the time of `hmac.digest`, which begins with the key.
    """

    day: str
    credentials: tuple[str | None, str | None, str | None] = field(repr=False)
    inner: hashlib._Hash = field(repr=False)
    outer: hashlib._Hash = field(repr=False)
    scope: str = field(repr=False)
    token: str | None = field(repr=False)
    authorization: str = field(repr=False)

    def sign(self, text: str) -> str:
        """Return the HMAC of *text* in hexadecimal digits."""
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return outer.hexdigest()


@dataclass(slots=True)
class _Stamp:
    """What is the same for all signatures of one operation in one second: how each text begins."""

    second: int
    key: _SigningKey
    canonical: str = field(repr=False)
    text: str = field(repr=False)
    headers: str = field(repr=False)


class Signer:
    """Signs POST requests to one host and region with Signature Version 4.

    It has no state but the last derived key, and what it has signed last for each operation.
    Source: AWS, "Create a signed AWS API request".
    """

    __slots__ = ("_host", "_key", "_region", "_stamps")

    def __init__(self, host: str, region: str) -> None:
        """Args: *host* is the Host header."""
        self._host, self._region = host, region
        self._key: _SigningKey | None = None
        self._stamps: dict[str, _Stamp] = {}

    def sign(self, operation: str, body: bytes, credentials: FrozenCredentials, now: float) -> str:
        """Return the headers of a signed request, each with its line end.

        Args: *operation* is AWS's name, *now* is in epoch seconds.
        Raises: ValueError, if the credentials contain what a header cannot.
        """
        stamp, second = self._stamps.get(operation), int(now)
        given = (credentials.access_key, credentials.secret_key, credentials.token)
        if stamp is None or stamp.second != second or stamp.key.credentials != given:
            stamp = self._stamps[operation] = self._make_stamp(operation, credentials, second)
        canonical = f"{stamp.canonical}{sha256(body).hexdigest()}"
        digest = sha256(canonical.encode()).hexdigest()
        return f"{stamp.headers}{stamp.key.sign(stamp.text + digest)}\r\n"

    def _make_stamp(self, operation: str, credentials: FrozenCredentials, second: int) -> _Stamp:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        key = self._get_key(stamp[:8], credentials)
        host, target = self._host, f"{API_VERSION}.{operation}"
        if key.token is None:
            signed_token = token = ""
            names = "content-type;host;x-amz-date;x-amz-target"
        else:
            signed_token = f"x-amz-security-token:{key.token}\n"
            token = f"X-Amz-Security-Token: {key.token}\r\n"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        canonical = (
            f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n"
            f"{signed_token}x-amz-target:{target}\n\n{names}\n"
        )
        headers = (
            f"Host: {host}\r\nContent-Type: {CONTENT_TYPE}\r\nX-Amz-Date: {stamp}\r\n"
            f"X-Amz-Target: {target}\r\n{token}Authorization: {key.authorization}"
            f" SignedHeaders={names}, Signature="
        )
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{key.scope}\n"
        return _Stamp(second, key, canonical, text, headers)

    def _get_key(self, day: str, frozen: FrozenCredentials) -> _SigningKey:
        """Return the key for this day and these credentials; two threads may both derive it."""
        key = self._key
        credentials = (frozen.access_key, frozen.secret_key, frozen.token)
        if key is not None and key.day == day and key.credentials == credentials:
            return key
        token = " ".join(frozen.token.split()) if frozen.token else None
        sent = f"{frozen.access_key}{token or ''}"
        if not (frozen.access_key and frozen.secret_key and sent.isascii() and sent.isprintable()):
            raise ValueError("the credentials contain characters that a header cannot")
        derived = f"AWS4{frozen.secret_key}".encode()
        for part in (day, self._region, _SERVICE, "aws4_request"):
            derived = hmac.digest(derived, part.encode(), "sha256")
        block = derived.ljust(_HMAC_BLOCK, b"\0")
        inner, outer = sha256(block.translate(_INNER_PAD)), sha256(block.translate(_OUTER_PAD))
        scope = f"{day}/{self._region}/{_SERVICE}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={frozen.access_key}/{scope},"
        self._key = _SigningKey(day, credentials, inner, outer, scope, token, authorization)
        return self._key
