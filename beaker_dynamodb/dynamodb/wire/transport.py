"""The choice between the two transports: boto3, and the wire (our own HTTP connections).

Option `transport` has three values:

* `boto3`: every call is made by boto3.
* `wire`: GetItem, PutItem and DeleteItem are made by the wire. It is an OptionError if the wire
  cannot work here (`find_obstacles`).
* `auto`: these calls are made by the wire, unless it cannot work, or it would bypass something
  that the application relies on (`find_bypassed`). Then boto3 makes them.

Why `auto` looks for what would be bypassed: an application can change what boto3 does in two ways.
It registers handlers at the events of a client (moto answers calls that way, and so do many
tracers), or it replaces methods of botocore's classes (OpenTelemetry, X-Ray, Datadog and Sentry do
that). The wire calls neither handlers nor methods. So under `mock_aws` it would talk to AWS, and a
tracer would not see it. An explicit `wire` accepts this, `auto` must not.

When it looks: handlers and wrappers come and go while the process runs, so looking once is not
enough, and searching all events at every call is too slow. `TransportSelector` compares, at every
call, a few objects by identity that are other objects after such a change, and searches only then.

How it looks: at private attributes of botocore, for there are no public ones. If one is missing,
this is another version of botocore, nothing is known about it, and boto3 is used. botocore is not
imported here; the client is examined as it is.

After some calls in a row that the wire could not make, boto3 makes all calls for a while
(`BreakerState`). Without that, a systematic incompatibility would cost every call one more attempt.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import is_
from pathlib import Path
from types import FunctionType
from typing import Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb.dynamodb.responses import ERRORS, Failure
from beaker_dynamodb.dynamodb.wire.settings import is_import_watched, take_imports
from beaker_dynamodb.errors import OptionError, TableMissing, Unavailable, mask_repr

BOTO3, WIRE, AUTO = "boto3", "wire", "auto"
#: Of a call: boto3 has made it because the wire could not.
FALLBACK: Final = "fallback"

#: The operations of the wire; boto3 makes all others.
WIRE_OPERATIONS: Final = frozenset({"GetItem", "PutItem", "DeleteItem"})
#: The events of a call at which an application can register a handler.
_EVENTS: Final = (
    "provide-client-params before-parameter-build before-endpoint-resolution before-call"
    " request-created choose-signer before-sign before-send response-received before-parse"
    " needs-retry after-call after-call-error"
).split()
#: The methods that tracers replace: the attribute of the client that has it ("" is the client).
_METHODS: Final = (
    ("", "_make_api_call"),
    ("", "get_item"),
    ("_endpoint", "make_request"),
    ("_endpoint", "_send"),
)
_SDK: Final = ("botocore.", "boto3.")
#: Calls in a row that boto3 had to make, after which the wire pauses.
MAX_FAILURES: Final = 5
#: Seconds of the first pause. Each further one is twice as long, up to the longest.
FIRST_PAUSE: Final = 10.0
LONGEST_PAUSE: Final = 300.0


@dataclass(frozen=True, slots=True)
class Transport:
    """What makes a call, `boto3` or `wire`, and the reason."""

    name: str
    reason: str


class Request(dict[str, Any]):
    """The parameters of a call, and the same as JSON, which the wire sends without encoding them.

    `text` must say what the dict says. So nothing may be changed once it is set.
    """

    __slots__ = ("text",)
    text: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """boto3 must make this call, for *reason*, which holds no text of an exception or a response.

    `maybe_sent`: the wire may have sent it, and it may be applied.
    """

    reason: str
    maybe_sent: bool = True


def find_cause(result: Any) -> str:
    """Return why boto3 has to repeat a call that returned *result*; "" if it does not."""
    if isinstance(result, Fallback):
        return result.reason
    if isinstance(result, Failure):
        return "an answer to a condition that was not asked" if result.is_retryable else ""
    return "" if result else "a response that is not whole"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The circuit breaker of the wire: `failures` in a row, the last for *cause*.

    boto3 makes all calls before *until*, a time of the monotonic clock; `pause` is the length of
    the last pause in seconds. `is_trying`: the pause is over, and one call tries whether the wire
    works again.

    Each method returns the next state, so that a caller that replaces its one reference needs no
    lock. What two threads write at once is at worst a lost count.
    """

    failures: int = 0
    pause: float = 0.0
    until: float = -math.inf
    cause: str = ""
    is_trying: bool = False

    def is_open(self, now: float) -> bool:
        """Return whether the wire pauses."""
        return now < self.until

    def begin_call(self, now: float) -> BreakerState:
        """Return the state while a call of the wire is under way; ask `is_open` before.

        After a pause, only one call tries. All others are left to boto3 until it has ended, or, if
        it was interrupted, for as long as the last pause.
        """
        if self.pause == 0.0:
            return self
        return replace(self, until=now + self.pause, is_trying=True)

    def fail(self, cause: str, now: float) -> BreakerState:
        """Return the state after a call that the wire could not make, for *cause*."""
        if self.is_open(now) and not self.is_trying:
            return self  # the call began before the pause
        failures = self.failures + 1
        if failures < MAX_FAILURES:
            return BreakerState(failures, cause=cause)
        pause = min(max(FIRST_PAUSE, self.pause * 2), LONGEST_PAUSE)
        return BreakerState(failures, pause, now + pause, cause)

    def describe(self) -> str:
        """Return what the wire could not make and why, how long it pauses, and what to do."""
        advice = (
            "If boto3 can make them, this is a fault of the wire: please report this line and what"
            " `beaker-dynamodb doctor` prints."
        )
        code = self.cause.rpartition(" ")[2]
        if self.cause.startswith("HTTP 5") or ERRORS.get(code) in {TableMissing, Unavailable}:
            advice = "DynamoDB refused them, so this is no fault of the wire."
        return (
            f"{self.failures} calls in a row (the last one: {self.cause});"
            f" boto3 makes all calls for {self.pause:.0f} s. {advice}"
            " Option transport = boto3 switches the wire off."
        )


CLOSED: Final = BreakerState()


def select_transport(
    option: str, obstacles: tuple[str, ...] = (), bypassed: tuple[str, ...] = ()
) -> Transport:
    """Decide what makes a call.

    Args:
        option: the value of option `transport`.
        obstacles: why the wire cannot work at all, as `find_obstacles` returns it.
        bypassed: what the wire would bypass, as `find_bypassed` returns it. An explicit `wire`
            ignores it.

    Raises: OptionError, if option `transport` is wire and there is an obstacle.
    """
    if option == BOTO3:
        return Transport(BOTO3, "option transport = boto3")
    if option == WIRE:
        if obstacles:
            raise OptionError(
                f"option transport = wire cannot be used here: {obstacles[0]};"
                " transport = auto uses boto3 then"
            )
        return Transport(WIRE, "option transport = wire")
    if reasons := obstacles + bypassed:
        return Transport(BOTO3, reasons[0])
    return Transport(
        WIRE, "nothing in this process listens to boto3's calls, and nothing prevents it"
    )


def find_obstacles(client: Any, max_attempts: int) -> Iterator[str]:
    """Yield why the wire cannot work at all with the configuration of a boto3 client.

    Args: *max_attempts*, of one call, the first included.
    """
    if max_attempts == 1:
        yield "max_attempts = 1 leaves boto3 no attempt after one of the wire's"
    url, config = client.meta.endpoint_url, client.meta.config
    if urlsplit(url).path.strip("/"):
        yield "the endpoint's address has a path"
    if config.signature_version != "v4":
        yield "the requests are not signed with SigV4"
    if getattr(config, "account_id_endpoint_mode", None) == "required":
        yield "the account's own endpoint is required (account_id_endpoint_mode)"
    try:
        session = client._endpoint.http_session  # noqa: SLF001  # there is no public attribute
        has_proxy = session._proxy_config.proxy_url_for(url)  # noqa: SLF001  # likewise
        certificates = get_certificates(client)
    except AttributeError:
        yield "this version of botocore does not expose its proxy and certificates"
    else:
        if has_proxy:
            yield "a proxy is configured for the endpoint"
        if isinstance(certificates, str):
            yield from _find_unreadable(url, certificates)


def _find_unreadable(url: str, certificates: str) -> Iterator[str]:
    """Yield why botocore could not read the file of certificates that it was configured with.

    botocore itself says so only at its first call. Unlike OpenSSL it takes no folder.
    """
    from beaker_dynamodb.dynamodb.wire.http import Endpoint  # with ssl: after gevent's patching

    try:
        Endpoint(url, certificates).create_ssl_context()
    except OSError as error:
        folder = Path(certificates).is_dir()
        why = "it is a folder, not a file" if folder else (error.strerror or type(error).__name__)
        yield (
            f"boto3 cannot read the certificates in {mask_repr(certificates)} ({why}); see"
            " AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle"
        )


def find_bypassed(client: Any) -> tuple[str, ...]:
    """Return what the wire would bypass: replaced methods, handlers, and special endpoints."""
    try:
        return tuple(_find_bypassed(client))
    except AttributeError:
        return ("this version of botocore does not expose who listens to its calls",)


def _find_bypassed(client: Any) -> Iterator[str]:
    for owner, name in _METHODS:
        method = getattr(type(getattr(client, owner) if owner else client), name)
        # A wrapper may copy the name and module of what it wraps (functools.wraps), but not its
        # globals, which a function shares with the module that defines it.
        if type(method) is not FunctionType or not method.__globals__["__name__"].startswith(_SDK):
            yield f"{name} of botocore is instrumented"
    handlers = _get_emitter(client)._handlers  # noqa: SLF001  # there is no public attribute
    for event in _EVENTS:
        for operation in sorted(WIRE_OPERATIONS):
            for handler in handlers.prefix_search(f"{event}.dynamodb.{operation}"):
                module = getattr(handler, "__module__", None) or "somebody"
                if not f"{module}.".startswith(_SDK):
                    yield f"a handler of {module} listens to {event}"
    if getattr(client.meta.config, "use_fips_endpoint", None):
        yield "a FIPS endpoint is configured"
    if getattr(client.meta.config, "use_dualstack_endpoint", None):
        yield "a dual-stack endpoint is configured"


def _get_emitter(client: Any) -> Any:
    return client.meta.events._emitter  # noqa: SLF001  # there is no public attribute


class TransportSelector:
    """Selects the transport of each call under `transport = auto`, if there is no obstacle.

    A call must not pay for a search through all handlers. So `select` first takes a fingerprint of
    the client: the objects that are replaced whenever a handler or a method is.

    * botocore's emitter caches the handlers of each event, and begins a new dict whenever a
      handler is registered or removed (`HierarchicalEmitter._lookup_cache`).
    * A method that is wrapped is another function object in its class.

    If each object is identical to the one of the call before, the result is too. The fingerprint
    holds references to these objects, so none can be freed and its address reused.

    Before there is a client, nobody can listen to it. It is needed as soon as botocore is imported,
    by whomever, or if something watches imports in order to change botocore then.
    """

    __slots__ = ("_client", "_create", "_fingerprint", "_transport")

    def __init__(self, create: Callable[[], Any], client: Any = None) -> None:
        """Args: *create* returns the boto3 client, *client* is that if it exists already."""
        self._create, self._client = create, client
        self._fingerprint = take_imports() if client is None else ()
        self._transport = Transport(WIRE, "boto3 is not needed, and nobody has imported it")

    def select(self) -> Transport:
        """Return what makes a call now, and the reason."""
        if self._client is None:
            now = take_imports()
            if _is_same(now, self._fingerprint):
                return self._transport
            if not is_import_watched(now):
                self._fingerprint = now
                return self._transport
            self._client = self._create()
        now = _take_fingerprint(self._client)
        if not _is_same(now, self._fingerprint):
            # The fingerprint was taken before the search: a change in between is noticed by the
            # next call.
            self._transport = select_transport(AUTO, bypassed=find_bypassed(self._client))
            self._fingerprint = now
        return self._transport


def _is_same(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    return len(now) == len(before) and all(map(is_, now, before))


def _take_fingerprint(client: Any) -> tuple[Any, ...]:
    try:
        kind, endpoint = type(client), type(client._endpoint)  # noqa: SLF001  # as above
        cache = _get_emitter(client)._lookup_cache  # noqa: SLF001  # as above
        objects = (cache, kind._make_api_call, kind.get_item, endpoint.make_request, endpoint._send)  # noqa: SLF001  # as above
    except AttributeError:
        return (object(),)  # equal to no other, so that every call searches
    return objects


def get_certificates(client: Any) -> Any:
    """Return which certificates a boto3 client trusts.

    True means botocore's own, a text is the path of a file, and False means any certificate.
    """
    verify = client._endpoint.http_session._verify  # noqa: SLF001  # there is no public attribute
    return os.path.expanduser(verify) if isinstance(verify, str) else verify  # noqa: PTH111  # as urllib3
