"""One client per process and set of connection options: makes a call by the wire or by boto3.

`Client.call(operation, request)` validates and times each call, and raises every foreign exception
as one of ours, without a `__context__`: botocore's may hold a user's data. `Clients` holds what
makes the calls of the process at hand, and pauses the wire after failures.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from beaker_dynamodb import logs, runtime
from beaker_dynamodb.config.options import Options
from beaker_dynamodb.config.sources import add_places
from beaker_dynamodb.dynamodb import metering
from beaker_dynamodb.dynamodb.clients import Setup, set_up_clients
from beaker_dynamodb.dynamodb.connection import Connection, describe_places
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
    CLOSED,
    FALLBACK,
    WIRE,
    WIRE_OPERATIONS,
    Fallback,
    Transport,
    TransportSelector,
    find_cause,
)
from beaker_dynamodb.errors import (
    CallFacts,
    DynamoDBBackendError,
    OptionError,
    Unavailable,
    raise_clean,
)

if TYPE_CHECKING:
    from beaker_dynamodb.dynamodb.wire.client import Result, WireClient

log: Final = logging.getLogger(__name__)
T = TypeVar("T")

#: Calls that read or write items. Each asks for the capacity that it consumed: a response without
#: that is not whole.
DATA_OPERATIONS: Final = frozenset(
    {"GetItem", "PutItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"}
)


class Response(NamedTuple):
    """A response of DynamoDB.

    `refused`: the condition did not hold, and `body["Item"]`, if there, is what is stored.
    """

    body: Mapping[str, Any]
    refused: bool = False

    def __repr__(self) -> str:
        """Return a text without the body."""
        return f"Response(refused={self.refused})"


#: The attributes of `Clients` that are boto3 clients, and how many attempts less each makes.
_FEWER_ATTEMPTS: Final = {"boto3": 0, "fallback": 1}


class Clients:
    """What makes the calls of one process. Each client of boto3 is created when it is needed."""

    #: The boto3 client, and the one for a call that the wire has tried: it makes an attempt less.
    boto3: Any
    fallback: Any

    def __init__(self, setup: Setup, option: str) -> None:
        """Args: *option* is the value of option `transport`."""
        self.wire: WireClient | None = setup.wire
        self.region: str | None = getattr(getattr(setup.client, "meta", None), "region_name", None)
        if setup.wire is not None:
            self.region = setup.wire.region
        self._transport, self._create = setup.transport, setup.create
        if setup.client is not None:
            self.boto3 = setup.client
        self._breaker = CLOSED
        # Here, and not in `Client`, which may be older than gevent's patching.
        self._lock = threading.Lock()
        self._selector: TransportSelector | None = None
        if setup.wire is not None and option == AUTO:
            self._selector = TransportSelector(lambda: self.boto3, setup.client)

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
        if transport.name == WIRE and self._breaker.is_open(time.monotonic()):
            return Transport(BOTO3, f"the wire could not make {self._breaker.describe()}")
        return transport

    def call_wire(self, operation: str, request: Mapping[str, Any]) -> Result | None:
        """Make a call by the wire; return None if boto3 has to make it, and nothing was sent."""
        selector, state = self._selector, self._breaker
        if self.wire is None or (selector is not None and selector.select().name != WIRE):
            return None
        if state is not CLOSED:
            now = time.monotonic()
            if state.is_open(now):
                return None
            self._breaker = state.begin_call(now)
        result = self.wire.call(operation, request)
        is_whole = type(result) is dict and result  # as almost always, and quick to see
        if not is_whole and (cause := find_cause(result)):
            self._fail(cause)
        elif self._breaker is not CLOSED:
            self._breaker = CLOSED
        return result

    def _fail(self, cause: str) -> None:
        before = self._breaker
        self._breaker = after = before.fail(cause, time.monotonic())
        if after.pause and after.until > before.until:
            logs.log_once_a_minute(log, f"the wire could not make {after.describe()}")


class Client:
    """DynamoDB as one set of connection options reaches it, in any process that uses it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Tables that have answered. One that is missing later was deleted, perhaps to restore it.
        self.known_tables: set[str] = set()
        #: None before the first call.
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
        if is_data and "ReturnConsumedCapacity" not in request:
            request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        defect: str | None = None
        for is_repeated in (False, True):
            started = time.perf_counter()
            answer, transport = self._send(operation, request, is_repeated=is_repeated)
            if isinstance(answer, Failure):
                if metering.observers:
                    _report(operation, started, answer.outcome, transport)
                if answer.code == CONDITION_FAILED:
                    body = {"Item": answer.item} if answer.item else {}
                    return Response(body, refused=True)
                if is_repeated or not answer.is_retryable:
                    facts = CallFacts(operation, request.get("TableName"), self.region)
                    raise make_error(answer, facts, self._describe_places, describe_keys)
                continue
            is_valid = not is_data or (transport == WIRE and answer)  # the wire looks itself
            defect = None if is_valid else validate_response(operation, request, answer)
            if metering.observers:
                _report(operation, started, "unavailable" if defect else "ok", transport, answer)
            if not defect:
                return Response(answer)
        facts = CallFacts(operation, request.get("TableName"), self.region)
        raise Unavailable(f"DynamoDB's response is invalid: {defect}", call=facts)

    def _send(
        self, operation: str, request: Mapping[str, Any], *, is_repeated: bool
    ) -> tuple[Mapping[str, Any] | Failure, str]:
        """Send one request, by the wire or by boto3.

        The wire makes the first attempt only. If it may have sent the request, boto3 has one
        attempt less, so that `max_attempts` holds, and an error counts the wire's attempt too.

        Returns: the response or what failed, and what made the call: `wire`, `boto3` or `fallback`.
        """
        transport, was_sent, client = BOTO3, False, None
        try:
            clients = self._get_clients()
            if clients.wire is not None and operation in WIRE_OPERATIONS and not is_repeated:
                result = clients.call_wire(operation, request)
                if isinstance(result, Fallback):
                    transport, was_sent = FALLBACK, result.maybe_sent
                elif result is not None:
                    return result, WIRE
            client = clients.fallback if was_sent else clients.boto3
            answer = getattr(client, _name_method(operation))(**request)
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
            answer = read_failure(error, request, before_call=client is None)
            if answer.code in STALE_CREDENTIALS or answer.names & STALE_CREDENTIALS:
                self.renew()  # boto3's client would raise the same again
        return add_attempt(answer) if was_sent else answer, transport

    def get_transport(self) -> Transport:
        """Return what makes the next GetItem, PutItem or DeleteItem, and the reason.

        Raises: OptionError, Unavailable, if no boto3 client can be created with the options.
        """
        return self.inspect(lambda clients: clients.transport)

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
            raise_clean(make_error(failure, facts, self._describe_places))

    def _get_clients(self) -> Clients:
        if runtime.process_id != os.getpid():
            runtime.renew_after_fork()
        clients = self._clients
        if clients is None:
            # Created outside the lock: that may use the network, and a lock from before gevent's
            # patching would stop every greenlet. Two threads may create some; one's are kept.
            try:
                setup = set_up_clients(self.connection, self._process_id)
                created = Clients(setup, self.connection.transport)
            except OptionError as error:
                raise_clean(OptionError(add_places(str(error), self.connection.places)))
            with self._lock:
                clients = self._clients = self._clients or created
            self.region = clients.region
        return clients

    def _describe_places(self) -> Mapping[str, str]:
        return describe_places(self.connection, os.environ)


def _report(
    operation: str,
    started: float,
    outcome: str,
    transport: str,
    body: Mapping[str, Any] | None = None,
) -> None:
    """Report a call to the observers. It began at *started*, by `time.perf_counter()`."""
    read, write = count_units(operation, body or {})
    seconds = time.perf_counter() - started
    metering.report(metering.Call(operation, seconds, read, write, outcome, transport))


@cache
def _name_method(operation: str) -> str:
    """Return the name of boto3's method for AWS's name of an operation: GetItem, get_item."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


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
