"""What carries a call: boto3, or the wire. Looked at once, decided purely, checked at every call.

The wire calls no event handler and none of botocore's methods. So whoever listens there sees
nothing of it, and whoever answers there (moto does) is not asked. `auto` minds, `wire` does not.
No botocore is imported: a client is looked at as it is, and one of another build is left alone.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass
from operator import is_
from pathlib import Path
from types import FunctionType
from typing import Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb.dynamodb.connection import Connection
from beaker_dynamodb.errors import OptionError, shown

BOTO3, WIRE, AUTO = "boto3", "wire", "auto"

#: What the wire serves; everything else is boto3's.
SERVED: Final = frozenset({"GetItem", "PutItem", "DeleteItem"})
#: Where a handler of somebody else's may sit, in the life of a call.
_EVENTS: Final = (
    "provide-client-params before-parameter-build before-endpoint-resolution before-call"
    " request-created choose-signer before-sign before-send response-received before-parse"
    " needs-retry after-call after-call-error"
).split()
#: What instruments wrap: methods of the client, or of what it holds under that name.
_METHODS: Final = (
    ("", "_make_api_call"),
    ("", "get_item"),
    ("_endpoint", "make_request"),
    ("_endpoint", "_send"),
)
_SDK: Final = ("botocore.", "boto3.")


@dataclass(frozen=True, slots=True)
class Transport:
    """What carries a call, `boto3` or `wire`, and why."""

    name: str
    why: str


class HandOver(enum.Enum):
    """The wire's way did not go well: the same call is boto3's. `TRIED`: it may stand already."""

    UNTRIED = "untried"
    TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about a client and its surroundings.

    `obstacles`: why the wire cannot work at all. `blind`: what it would pass by.
    """

    obstacles: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()


def chosen(wanted: str, facts: Facts) -> Transport:
    """Decide what carries a call.

    Args: *wanted* is the option `transport`.
    Raises: OptionError, if the wire is insisted upon where it cannot work.
    """
    if wanted == BOTO3:
        return Transport(BOTO3, "option transport = boto3")
    if wanted == WIRE:
        if facts.obstacles:
            raise OptionError(
                f"option transport = wire cannot be used here: {facts.obstacles[0]};"
                " transport = auto uses boto3 then"
            )
        return Transport(WIRE, "option transport = wire")
    reasons = facts.obstacles + facts.blind
    if reasons:
        return Transport(BOTO3, reasons[0])
    return Transport(WIRE, "nothing listens to boto3's calls, and nothing prevents it")


def obstacles(connection: Connection, client: Any) -> tuple[str, ...]:
    """Find why the wire cannot work at all for *client*, which these options made."""
    if connection.client is not None:
        return ("option 'client' provides a client of its own",)
    return tuple(_obstacles(connection, client))


def _obstacles(connection: Connection, client: Any) -> Iterator[str]:
    if connection.max_attempts == 1:
        yield "max_attempts = 1 leaves boto3 no attempt after one of the wire's"
    url, config = client.meta.endpoint_url, client.meta.config
    if urlsplit(url).path.strip("/"):
        yield "the endpoint's address has a path"
    if config.signature_version != "v4":
        yield "the requests are not signed with SigV4"
    if getattr(config, "account_id_endpoint_mode", None) == "required":
        yield "the account's own endpoint is required (account_id_endpoint_mode)"
    try:
        session = client._endpoint.http_session  # noqa: SLF001  # botocore tells it nowhere else
        proxied = session._proxy_config.proxy_url_for(url)  # noqa: SLF001  # likewise
        certificates = trusted(client)
    except AttributeError:
        yield "this version of botocore does not expose its proxy and certificates"
    else:
        if proxied:
            yield "a proxy is configured for the endpoint"
        yield from _unreadable(url, certificates)


def _unreadable(url: str, certificates: Any) -> Iterator[str]:
    """Find why botocore could not read the certificates that it was told to trust.

    It says so at its first call only; and a folder of certificates is none of its.
    """
    if not isinstance(certificates, str):
        return
    from beaker_dynamodb.dynamodb.wire.http import Endpoint  # with ssl: after gevent's patching

    try:
        Endpoint(url, certificates).context()
    except OSError as error:
        folder = Path(certificates).is_dir()
        why = "it is a folder, not a file" if folder else (error.strerror or type(error).__name__)
        yield (
            f"boto3 cannot read the certificates in {shown(certificates)} ({why}); see"
            " AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle"
        )


def blind(client: Any) -> tuple[str, ...]:
    """Find what the wire would pass by for *client*, as it is now."""
    try:
        return tuple(_blind(client))
    except AttributeError:
        return ("this version of botocore does not expose who listens to its calls",)


def _blind(client: Any) -> Iterator[str]:
    for owner, name in _METHODS:
        method = getattr(type(_at(client, owner)), name)
        # A wrapper may claim to be what it wraps, but not to be a plain function of botocore's.
        if type(method) is not FunctionType or not method.__globals__["__name__"].startswith(_SDK):
            yield f"{name} of botocore is instrumented"
    handlers = _emitter(client)._handlers  # noqa: SLF001  # as above
    for event in (f"{event}.dynamodb.{served}" for event in _EVENTS for served in sorted(SERVED)):
        for handler in handlers.prefix_search(event):
            module = getattr(handler, "__module__", None) or "somebody"
            if not f"{module}.".startswith(_SDK):
                yield f"a handler of {module} listens to {event.partition('.')[0]}"
    if getattr(client.meta.config, "use_fips_endpoint", None):
        yield "a FIPS endpoint is configured"
    if getattr(client.meta.config, "use_dualstack_endpoint", None):
        yield "a dual-stack endpoint is configured"


def _emitter(client: Any) -> Any:
    return client.meta.events._emitter  # noqa: SLF001  # as above


def _at(client: Any, owner: str) -> Any:
    return getattr(client, owner) if owner else client


class Switch:
    """Which of two carries the next call; under `auto` it looks at every call, for next to nothing.

    botocore's emitter begins a new cache when a handler comes or goes, and a method that is
    wrapped is another object. Only then the client is looked at anew.
    """

    __slots__ = ("_client", "_obstacles", "_seen", "_transport", "_wanted")

    def __init__(self, connection: Connection, client: Any) -> None:
        self._wanted = connection.transport
        self._client = client
        self._obstacles = () if self._wanted == BOTO3 else obstacles(connection, client)
        self._seen: tuple[Any, ...] = ()
        self._transport = chosen(self._wanted, Facts(self._obstacles))

    @property
    def boto3_alone(self) -> bool:
        """Tell whether the wire will never carry a call."""
        return self._wanted == BOTO3 or bool(self._obstacles)

    def transport(self) -> Transport:
        """Say what carries a call now, and why."""
        if self._wanted == AUTO and not self._obstacles:
            now = _looks(self._client)
            if len(now) != len(self._seen) or not all(map(is_, now, self._seen)):
                self._transport = chosen(AUTO, Facts(blind=blind(self._client)))
                self._seen = now
        return self._transport


def _looks(client: Any) -> tuple[Any, ...]:
    try:
        kind, endpoint = type(client), type(client._endpoint)  # noqa: SLF001  # as above
        cache = _emitter(client)._lookup_cache  # noqa: SLF001  # as above
        looks = (cache, kind._make_api_call, kind.get_item, endpoint.make_request, endpoint._send)  # noqa: SLF001  # as above
    except AttributeError:
        return (object(),)  # unlike any other: it is looked at in earnest every time
    return looks


def trusted(client: Any) -> Any:
    """Read which certificates *client* trusts: True for botocore's own, a path, False for any."""
    told = client._endpoint.http_session._verify  # noqa: SLF001  # as above
    return os.path.expanduser(told) if isinstance(told, str) else told  # noqa: PTH111  # as urllib3


@dataclass(frozen=True, slots=True)
class Made:
    """A client, and the `Wire`; `spare` has an attempt less, for what that has tried already."""

    client: Any
    switch: Switch
    spare: Any = None
    wire: Any = None
