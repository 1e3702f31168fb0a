"""What makes the calls of one process: boto3's clients, and the wire. The only import of boto3.

boto3 is imported when the first of its clients is created: after gevent's patching, and, if the
wire can find its settings itself, not before a call that only boto3 can make.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb import logs
from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.connection import (
    Connection,
    build_user_agent,
    get_credentials,
    get_package_agent,
    validate_endpoint,
)
from beaker_dynamodb.dynamodb.wire import breaker
from beaker_dynamodb.dynamodb.wire.settings import (
    WireSettings,
    find_settings,
    is_import_watched,
    take_imports,
)
from beaker_dynamodb.dynamodb.wire.transport import (
    AUTO,
    BOTO3,
    WIRE,
    Transport,
    TransportSelector,
    find_cause,
    find_obstacles,
    get_certificates,
    select_transport,
)
from beaker_dynamodb.errors import OptionError

if TYPE_CHECKING:
    from beaker_dynamodb.dynamodb.wire.client import Result, WireClient

log: Final = logging.getLogger(__name__)


#: The attributes of `Clients` that are boto3 clients, and how many attempts less each makes.
_FEWER_ATTEMPTS: Final = {"boto3": 0, "fallback": 1}


class Clients:
    """What makes the calls of one process. Each client of boto3 is created when it is needed."""

    #: The boto3 client, and the one for a call that the wire has tried: it makes an attempt less.
    boto3: Any
    fallback: Any

    def __init__(
        self,
        transport: Transport,
        create: Callable[[int], Any],
        client: Any = None,
        wire: WireClient | None = None,
    ) -> None:
        """Take over what exists already.

        Args:
            transport: what makes the calls; `AUTO` for what is decided at each call.
            create: creates a boto3 client that makes so many attempts less than the option says.
            client: the boto3 client; None if it is not needed yet.
        """
        self.wire = wire
        self.region: str | None = getattr(getattr(client, "meta", None), "region_name", None)
        if wire is not None:
            self.region = wire.region
        self._transport, self._create = transport, create
        if client is not None:
            self.boto3 = client
        self._breaker = breaker.CLOSED
        # Here, and not in `Client`, which may be older than gevent's patching.
        self._lock = threading.Lock()
        self._selector: TransportSelector | None = None
        if transport.name == AUTO:
            self._selector = TransportSelector(lambda: self.boto3, client)

    def __getattr__(self, name: str) -> Any:
        """Create a boto3 client at its first use; afterwards it is an attribute like any other."""
        if name not in _FEWER_ATTEMPTS:
            raise AttributeError(name)
        with self._lock:  # in an outage many threads need it at once
            if name not in vars(self):
                setattr(self, name, self._create(_FEWER_ATTEMPTS[name]))
        return vars(self)[name]

    @property
    def transport(self) -> Transport:
        """What makes a call of the wire's operations now, and the reason."""
        transport = self._selector.select() if self._selector else self._transport
        if transport.name == WIRE and breaker.is_open(self._breaker, time.monotonic()):
            why = breaker.describe(self._breaker)
            return Transport(BOTO3, f"the wire could not make {why}")
        return transport

    def call_wire(self, operation: str, request: Mapping[str, Any]) -> Result | None:
        """Make a call by the wire; return None if boto3 has to make it, and nothing was sent."""
        selector, state = self._selector, self._breaker
        if self.wire is None or (selector is not None and selector.select().name != WIRE):
            return None
        if state is not breaker.CLOSED:
            now = time.monotonic()
            if breaker.is_open(state, now):
                return None
            self._breaker = breaker.begin_call(state, now)
        result = self.wire.call(operation, request)
        is_whole = type(result) is dict and result  # as almost always, and quick to see
        if not is_whole and (cause := find_cause(result)):
            self._fail(cause)
        elif self._breaker is not breaker.CLOSED:
            self._breaker = breaker.CLOSED
        return result

    def _fail(self, cause: str) -> None:
        before = self._breaker
        self._breaker = after = breaker.fail(before, cause, time.monotonic())
        if after.pause and after.until > before.until:
            logs.log_once_a_minute(log, f"the wire could not make {breaker.describe(after)}")


def create_clients(connection: Connection, process_id: int) -> Clients:
    """Create what makes the calls of this process; no client of boto3 if that is not needed yet.

    Args: *process_id*, of the process in which option `client` was given.
    Raises: OptionError; whatever boto3 raises.
    """
    option = connection.transport
    if connection.client is not None:
        client = _resolve_client(connection.client, process_id)
        transport = Transport(BOTO3, "option 'client' provides a client of its own")
        if option == WIRE:
            select_transport(option, (transport.reason,))  # raises
        return Clients(transport, lambda _: client, client)
    create = make_factory(connection)
    if option != BOTO3:
        settings = find_settings(connection, os.environ)
        must_look = option == AUTO and is_import_watched(take_imports())
        if isinstance(settings, WireSettings) and not must_look:
            return Clients(_select(option), create, wire=_create_wire(connection, settings))
    client = create(0)
    _ = urlsplit(client.meta.endpoint_url).port  # an invalid port raises here, and not at each call
    obstacles = () if option == BOTO3 else tuple(find_obstacles(client, connection.max_attempts))
    transport = _select(option, obstacles)
    if transport.name == BOTO3:
        return Clients(transport, create, client)
    found = _read_settings(client)
    if found.credentials is None:  # boto3's call will say so, and the next call creates new clients
        return Clients(Transport(BOTO3, "boto3 has found no credentials"), create, client)
    return Clients(transport, create, client, _create_wire(connection, found))


def _select(option: str, obstacles: tuple[str, ...] = ()) -> Transport:
    """Return what makes the calls: with option `auto`, that is decided at each call."""
    transport = select_transport(option, obstacles)
    return Transport(AUTO, "") if option == AUTO and transport.name == WIRE else transport


def _read_settings(client: Any) -> WireSettings:
    """Return what a boto3 client has found out."""
    from botocore.httpsession import get_cert_path

    return WireSettings(
        client.meta.region_name,
        client.meta.endpoint_url,
        get_credentials(client),
        get_cert_path(get_certificates(client)) or None,  # False: any certificate
        getattr(client.meta.config, "user_agent_appid", None),
    )


def _create_wire(connection: Connection, settings: WireSettings) -> WireClient:
    from beaker_dynamodb.dynamodb.wire import client as wire  # with ssl: after gevent's patching
    from beaker_dynamodb.dynamodb.wire.http import Endpoint

    application = [f"app/{settings.application}"] if settings.application else []
    config = wire.WireConfig(
        Endpoint(settings.url, settings.certificates),
        settings.region,
        " ".join([*application, get_package_agent(), "md/wire"]),
        connection.connect_timeout,
        connection.read_timeout,
        connection.max_pool_connections,
        settings.credentials.get_frozen_credentials,
    )
    return wire.WireClient(config)


def make_factory(connection: Connection) -> Callable[[int], Any]:
    """Return a function that creates a boto3 client with so many attempts less than the option.

    All its clients have one session, which is created with the first. It must not be called by two
    threads at once.
    """
    created: list[tuple[Any, str, str | None]] = []

    def create(fewer: int) -> Any:
        import botocore.config

        if not created:
            created.append(_create_session(connection))
        session, user_agent, url = created[0]
        config = botocore.config.Config(
            connect_timeout=connection.connect_timeout,
            read_timeout=connection.read_timeout,
            max_pool_connections=connection.max_pool_connections,
            retries={"mode": "standard", "total_max_attempts": connection.max_attempts - fewer},
            tcp_keepalive=True,
            # Every request is written in this folder, with AWS's types; AWS validates it anyway.
            parameter_validation=False,
            user_agent=user_agent,
        )
        return session.client("dynamodb", endpoint_url=url, config=config)

    return create


def _create_session(connection: Connection) -> tuple[Any, str, str | None]:
    """Create a session, since the default one is not thread-safe.

    Returns: also its user agent, and the endpoint if one is given.
    """
    import boto3.session
    import botocore.session

    validate_endpoint(connection, os.environ)
    local = embedded.get_url() if connection.endpoint_url == embedded.EMBEDDED else None
    core = botocore.session.get_session()
    default = "embedded" if local else None
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=connection.aws_access_key_id or default,
        aws_secret_access_key=connection.aws_secret_access_key or default,
        aws_session_token=connection.aws_session_token,
        region_name=connection.region or ("us-east-1" if local else None),
        profile_name=connection.profile,
    )
    return session, build_user_agent(core), local or connection.endpoint_url


def _resolve_client(given: Any, process_id: int) -> Any:
    """Return the client that option `client` names: an object, a factory, or a path to one.

    Args: *process_id*, of the process in which the option was given.
    Raises: OptionError, if it is not a client, or is one of another process.
    """
    given = import_object(given, "client") if isinstance(given, str) else given
    client = given() if callable(given) else given
    if not hasattr(client, "get_item"):
        raise OptionError(f"option 'client' yields {type(client).__name__!r}, not a client")
    if client is given and process_id != os.getpid():
        raise OptionError(
            "option 'client' is a client that was created before a fork, and connections cannot"
            " be shared between processes; give a factory instead"
        )
    return client
