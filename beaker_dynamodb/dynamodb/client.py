"""The only import of boto3 and botocore: one client per process and set of connection options.

`Client.call(operation, request)` validates and times each call, and raises every foreign exception
as one of ours, without a `__context__`: botocore's may hold a user's data. boto3 is imported with
the first client, after gevent's patching.
"""

from __future__ import annotations

import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from beaker_dynamodb import runtime
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.parsers import import_object
from beaker_dynamodb.config.sources import add_places
from beaker_dynamodb.dynamodb import embedded, metering
from beaker_dynamodb.dynamodb.connection import (
    Connection,
    build_user_agent,
    describe_places,
    get_credentials,
    get_package_agent,
    validate_endpoint,
)
from beaker_dynamodb.dynamodb.responses import (
    CONDITION_FAILED,
    STALE_CREDENTIALS,
    Failure,
    add_attempt,
    count_units,
    make_error,
    read_failure,
    validate_response,
)
from beaker_dynamodb.dynamodb.wire.transport import (
    AUTO,
    BOTO3,
    DEFAULT,
    WIRE,
    WIRE_OPERATIONS,
    Fallback,
    Transport,
    TransportSelector,
    find_obstacles,
    get_certificates,
    select_transport,
)
from beaker_dynamodb.errors import (
    CallFacts,
    DynamoDBBackendError,
    OptionError,
    Unavailable,
    raise_clean,
)

if TYPE_CHECKING:
    from beaker_dynamodb.dynamodb.wire.client import FrozenCredentials, WireClient

T = TypeVar("T")

#: Calls that read or write items. Each asks for the capacity that it consumed: a response without
#: that is not whole.
DATA_OPERATIONS: Final = frozenset(
    {"GetItem", "PutItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"}
)


@dataclass(frozen=True, slots=True)
class Response:
    """A response of DynamoDB.

    `refused`: the condition did not hold, and `body["Item"]`, if there, is what is stored.
    """

    body: Mapping[str, Any] = field(repr=False)
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Clients:
    """What makes the calls of one process.

    `transport` is what makes them, unless there is a `selector`, which is asked at each call.
    `fallback` is a boto3 client for a call that the wire has tried: it makes one attempt less.
    """

    boto3: Any
    transport: Transport = DEFAULT
    selector: TransportSelector | None = None
    wire: WireClient | None = None
    fallback: Any = None


class Client:
    """DynamoDB as one set of connection options reaches it, in any process that uses it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Tables that have answered. One that is missing later was deleted, perhaps to restore it.
        self.known_tables: set[str] = set()
        #: None until a boto3 client was created.
        self.region: str | None = None
        self._process_id = os.getpid()
        self._clients: Clients | None = None
        self.renew()
        _instances.add(self)

    def renew(self) -> None:
        """Forget the clients and the lock: after a fork they belong to the parent process."""
        clients, self._clients = self._clients, None
        self._lock = threading.Lock()
        if clients is not None and clients.wire is not None:
            clients.wire.close()

    def call(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        describe_keys: Callable[[], str] | None = None,
    ) -> Response:
        """Make one call, and repeat it once if the response is invalid.

        Args:
            operation: AWS's name of it; `request` is what botocore takes.
            describe_keys: returns the key schema that the options name, for a `TableMismatch`.

        Raises: any of our errors but Conflict and CorruptItem.
        """
        is_data = operation in DATA_OPERATIONS
        if is_data:
            request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        defect: str | None = None
        for is_repeated in (False, True):
            started = time.perf_counter()
            answer = self._send(operation, request, is_repeated=is_repeated)
            if isinstance(answer, Failure):
                if metering.observers:
                    _report(operation, started, answer.outcome)
                if answer.code == CONDITION_FAILED:
                    body = {"Item": answer.item} if answer.item else {}
                    return Response(body, refused=True)
                if is_repeated or not answer.is_retryable:
                    facts = CallFacts(operation, request.get("TableName"), self.region)
                    raise make_error(answer, facts, describe_keys, self._describe_places)
                continue
            defect = validate_response(operation, request, answer) if is_data else None
            if metering.observers:
                _report(operation, started, "unavailable" if defect else "ok", answer)
            if not defect:
                return Response(answer)
        facts = CallFacts(operation, request.get("TableName"), self.region)
        raise Unavailable(f"DynamoDB's response is invalid: {defect}", call=facts)

    def _send(
        self, operation: str, request: Mapping[str, Any], *, is_repeated: bool
    ) -> Mapping[str, Any] | Failure:
        """Send one request, by the wire or by boto3, and return the response or what failed.

        The wire makes the first attempt only. If it may have sent the request, boto3 has one
        attempt less, so that `max_attempts` holds, and an error counts the wire's attempt too.
        """
        was_sent, clients = False, None
        try:
            clients = self._get_clients()
            client, wire = clients.boto3, clients.wire
            if wire is not None and operation in WIRE_OPERATIONS and not is_repeated:
                selector = clients.selector
                if selector is None or selector.select().name == WIRE:
                    result = wire.call(operation, request)
                    if not isinstance(result, Fallback):
                        return result
                    if was_sent := result is Fallback.MAYBE_SENT:
                        client = clients.fallback
            answer = getattr(client, _name_method(operation))(**request)
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
            answer = read_failure(error, request, before_call=clients is None)
            if answer.code in STALE_CREDENTIALS or answer.names & STALE_CREDENTIALS:
                self.renew()  # boto3's client would raise the same again
        return add_attempt(answer) if was_sent else answer

    def get_transport(self) -> Transport:
        """Return what makes the next GetItem, PutItem or DeleteItem, and the reason.

        Raises: OptionError, Unavailable, if no boto3 client can be created with the options.
        """

        def select(clients: Clients) -> Transport:
            return clients.selector.select() if clients.selector else clients.transport

        return self.inspect(select)

    def inspect(self, read: Callable[[Clients], T]) -> T:
        """Return what *read* returns for the clients of this process, which makes no call.

        Raises: any of our errors; an exception that *read* raises becomes one.
        """
        try:
            return read(self._get_clients())
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
            failure = read_failure(error, before_call=True)
            facts = CallFacts("CreateClient", None, self.region)
            raise_clean(make_error(failure, facts, describe_places=self._describe_places))

    def _get_clients(self) -> Clients:
        if runtime.process_id != os.getpid():
            runtime.renew_after_fork()
        clients = self._clients
        if clients is None:
            # Created outside the lock: that may use the network, and a lock from before gevent's
            # patching would stop every greenlet. Two threads may create some; one's are kept.
            created = self._create_clients()
            with self._lock:
                clients = self._clients = self._clients or created
            self.region = getattr(getattr(clients.boto3, "meta", None), "region_name", None)
        return clients

    def _create_clients(self) -> Clients:
        given, option = self.connection.client, self.connection.transport
        try:
            if given is None:
                return _create_clients(self.connection)
            client = _resolve_client(given, self._process_id)
            if option == BOTO3:
                return Clients(client)
            obstacle = "option 'client' provides a client of its own"
            return Clients(client, select_transport(option, (obstacle,)))
        except OptionError as error:
            raise_clean(OptionError(add_places(str(error), self.connection.places)))

    def _describe_places(self) -> Mapping[str, str]:
        return describe_places(self.connection, os.environ)


def _report(
    operation: str, started: float, outcome: str, body: Mapping[str, Any] | None = None
) -> None:
    """Report a call to the observers. It began at *started*, by `time.perf_counter()`."""
    read, write = count_units(operation, body or {})
    seconds = time.perf_counter() - started
    metering.report(metering.Call(operation, seconds, read, write, outcome))


@cache
def _name_method(operation: str) -> str:
    """Return the name of boto3's method for AWS's name of an operation: GetItem, get_item."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def _create_clients(connection: Connection) -> Clients:
    """Create low-level boto3 clients from a new session, and the wire if it may make calls."""
    import botocore.config

    validate_endpoint(connection, os.environ)
    local = embedded.get_url() if connection.endpoint_url == embedded.EMBEDDED else None
    session, user_agent = _create_session(connection, is_embedded=bool(local))

    def create_client(attempts: int) -> Any:
        config = botocore.config.Config(
            connect_timeout=connection.connect_timeout,
            read_timeout=connection.read_timeout,
            max_pool_connections=connection.max_pool_connections,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            # Every request is written in this folder, with AWS's types; AWS validates it anyway.
            parameter_validation=False,
            user_agent=user_agent,
        )
        url = local or connection.endpoint_url
        return session.client("dynamodb", endpoint_url=url, config=config)

    client = create_client(connection.max_attempts)
    _ = urlsplit(client.meta.endpoint_url).port  # an invalid port raises here, and not at each call
    option = connection.transport
    obstacles = () if option == BOTO3 else find_obstacles(client, connection.max_attempts)
    transport = select_transport(option, tuple(obstacles))
    if transport.name == BOTO3:
        return Clients(client, transport)
    selector = TransportSelector(client) if option == AUTO else None
    credentials = get_credentials(client)
    if credentials is None:  # boto3's call will say so, and the next call creates new clients
        return Clients(client, Transport(BOTO3, "boto3 has found no credentials"))
    wire = _create_wire(connection, client, credentials.get_frozen_credentials)
    return Clients(client, transport, selector, wire, create_client(connection.max_attempts - 1))


def _create_wire(
    connection: Connection, client: Any, get_credentials: Callable[[], FrozenCredentials]
) -> WireClient:
    """Create the wire with what boto3's *client* has found out."""
    from botocore.httpsession import get_cert_path

    from beaker_dynamodb.dynamodb.wire import client as wire  # with ssl: after gevent's patching
    from beaker_dynamodb.dynamodb.wire.http import Endpoint

    certificates = get_cert_path(get_certificates(client)) or None  # False: any certificate
    config = wire.WireConfig(
        Endpoint(client.meta.endpoint_url, certificates),
        client.meta.region_name,
        f"{get_package_agent()} md/wire",
        connection.connect_timeout,
        connection.read_timeout,
        connection.max_pool_connections,
        get_credentials,
    )
    return wire.WireClient(config)


def _create_session(connection: Connection, *, is_embedded: bool) -> tuple[Any, str]:
    """Create a session, since the default one is not thread-safe; return also its user agent."""
    import boto3.session
    import botocore.session

    core = botocore.session.get_session()
    default = "embedded" if is_embedded else None
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=connection.aws_access_key_id or default,
        aws_secret_access_key=connection.aws_secret_access_key or default,
        aws_session_token=connection.aws_session_token,
        region_name=connection.region or ("us-east-1" if is_embedded else None),
        profile_name=connection.profile,
    )
    return session, build_user_agent(core)


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


_clients: dict[Connection, Client] = {}
_instances: weakref.WeakSet[Client] = weakref.WeakSet()  # an application's caches hold theirs


def read_connection(options: Options) -> Connection:
    """Return the connection that all options together describe."""
    return Connection(*[getattr(options, name) for name in Connection.__slots__])


def get_client(options: Options) -> Client:
    """Return this process's one client for *options*; boto3's client is not created yet."""
    connection = read_connection(options)
    return _clients.get(connection) or _clients.setdefault(connection, Client(connection))


def forget() -> None:
    """Forget every client. One that is still in use creates new clients, and knows no table."""
    _clients.clear()
    _renew_all()
    for client in list(_instances):
        client.known_tables.clear()


def _renew_all() -> None:
    for client in list(_instances):
        client.renew()


runtime.on_fork(_renew_all)
runtime.on_reset(forget)
