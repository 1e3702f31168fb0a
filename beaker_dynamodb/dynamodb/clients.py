"""Creates what makes the calls of one process: boto3's clients, and the wire.

This is the only import of boto3. It is imported when the first of its clients is created: after
gevent's patching, and, if the wire can find its settings itself, not before a call that only boto3
can make.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.connection import (
    Connection,
    build_user_agent,
    get_credentials,
    validate_endpoint,
)
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
    find_obstacles,
    get_certificates,
    select_transport,
)
from beaker_dynamodb.errors import OptionError

if TYPE_CHECKING:
    from beaker_dynamodb.dynamodb.wire.client import WireClient


class Setup(NamedTuple):
    """What makes the calls of one process, as it was found: see `Clients`.

    `transport`: what makes the calls. With option `auto` and a `wire`, each call decides again.
    `create`: creates a boto3 client that makes so many attempts less than the option says.
    `client`: the boto3 client; None if it is not needed yet.
    """

    transport: Transport
    create: Callable[[int], Any]
    client: Any = None
    wire: WireClient | None = None


def set_up_clients(connection: Connection, process_id: int) -> Setup:
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
        return Setup(transport, lambda _: client, client)
    create = make_factory(connection)
    if option != BOTO3:
        settings = find_settings(connection, os.environ)
        must_look = option == AUTO and is_import_watched(take_imports())
        if isinstance(settings, WireSettings) and not must_look:
            return Setup(select_transport(option), create, wire=_create_wire(connection, settings))
    client = create(0)
    _ = urlsplit(client.meta.endpoint_url).port  # an invalid port raises here, and not at each call
    obstacles = () if option == BOTO3 else tuple(find_obstacles(client, connection.max_attempts))
    transport = select_transport(option, obstacles)
    if transport.name == BOTO3:
        return Setup(transport, create, client)
    found = _read_settings(client)
    if found.credentials is None:  # boto3's call will say so, and the next call creates new clients
        return Setup(Transport(BOTO3, "boto3 has found no credentials"), create, client)
    return Setup(transport, create, client, _create_wire(connection, found))


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
    from beaker_dynamodb.dynamodb.wire import client  # with ssl: after gevent's patching

    return client.WireClient(connection, settings)


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
