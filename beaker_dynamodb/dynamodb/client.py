"""The only import of boto3 and botocore: one client per process and set of connection options.

`Client.call(operation, request)` is guarded and timed, and every foreign exception leaves as one
of ours, raised outside the `except` block: no `__context__` holds an exception of botocore's
with a user's data in it. boto3 is imported with the first client, after gevent's patching.
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
from typing import Any, Final
from urllib.parse import urlsplit

from beaker_dynamodb import runtime
from beaker_dynamodb.dynamodb import embedded, metering
from beaker_dynamodb.dynamodb.connection import Connection, given_client, user_agent
from beaker_dynamodb.dynamodb.responses import (
    CONDITION_FAILED,
    STALE_CREDENTIALS,
    Failure,
    broken,
    error_of,
    failure_of,
    one_more,
    plausible,
    units,
)
from beaker_dynamodb.dynamodb.wire.transport import (
    SERVED,
    WIRE,
    HandOver,
    Made,
    Switch,
    Transport,
    trusted,
)
from beaker_dynamodb.errors import CallFacts, DynamoDBBackendError, Unavailable

#: Calls that read or write items. Their replies must say what they cost: that proves them whole.
DATA: Final = frozenset(
    {"GetItem", "PutItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"}
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What DynamoDB answered.

    `refused`: the condition did not hold, and `body["Item"]`, if there, is what stands there.
    `retried`: it was sent more than once, so an earlier sending may have been applied.
    """

    body: Mapping[str, Any] = field(repr=False)
    refused: bool = False
    retried: bool = False


class Client:
    """The way to DynamoDB for one set of connection options, in whatever process it is used."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Tables that have answered; one that is missing later was deleted, perhaps for a restore.
        self.seen: set[str] = set()
        #: Known once there was a boto3 client.
        self.region: str | None = None
        self._given_in = os.getpid()
        self._client: Made | None = None
        self.renew()
        _made.add(self)

    def renew(self) -> None:
        """Forget boto3's client and the lock: after a fork they belong to the parent."""
        made, self._client = self._client, None
        self._lock = threading.Lock()
        if made is not None and made.wire is not None:
            made.wire.close()

    def call(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        describe_keys: Callable[[], str] | None = None,
    ) -> Reply:
        """Make one call, and a second one if the first reply is broken.

        Args:
            operation: AWS's name of it; `request` is what botocore takes.
            describe_keys: says which key schema the options name, for a `TableMismatch`.

        Raises: any of ours but Conflict and CorruptItem.
        """
        if operation in DATA:
            request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        wrong: str | None = None
        for last in (False, True):
            started = time.perf_counter()
            answer = self._send(operation, request, again=last)
            if isinstance(answer, Failure):
                answer = plausible(request, answer)
                if metering.observers:
                    _report(operation, started, answer.outcome)
                if answer.code == CONDITION_FAILED:
                    return _refused(answer, again=last)
                if last or not answer.once_more:
                    expected = describe_keys() if describe_keys else ""
                    raise error_of(answer, self._facts(operation, request, answer), expected)
                continue
            wrong = broken(operation, request, answer) if operation in DATA else None
            if metering.observers:
                _report(operation, started, "unavailable" if wrong else "ok", answer)
            if not wrong:
                return Reply(answer)
        raise Unavailable(
            f"DynamoDB's response is invalid: {wrong}", call=self._facts(operation, request)
        )

    def _send(
        self, operation: str, request: Mapping[str, Any], *, again: bool
    ) -> Mapping[str, Any] | Failure:
        answer: Mapping[str, Any] | Failure
        tried, made = False, None
        try:
            made = self._made()
            client = made.client
            wire = None if again or operation not in SERVED else made.wire
            if wire is not None and made.switch.transport().name == WIRE:
                carried: Mapping[str, Any] | Failure | HandOver = wire.call(operation, request)
                if not isinstance(carried, HandOver):
                    return carried
                if tried := carried is HandOver.TRIED:
                    client = made.spare
            answer = getattr(client, _method(operation))(**request)
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
            answer = failure_of(error, making=made is None)
            if answer.code in STALE_CREDENTIALS or answer.names & STALE_CREDENTIALS:
                self.renew()  # the error would stick to boto3's client
        return one_more(answer) if tried else answer

    def transport(self) -> Transport:
        """Say what carries the next GetItem, PutItem or DeleteItem, and why.

        Raises: OptionError, Unavailable: no boto3 client can be made of the options.
        """
        try:
            return self._made().switch.transport()
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # as in _send
            answer = failure_of(error, making=True)
        raise error_of(answer, CallFacts("CreateClient", None, self.region), "")

    def _current(self) -> Any:
        """Return this process's boto3 client, made at its first use."""
        return self._made().client

    def _made(self) -> Made:
        if runtime.process_id != os.getpid():
            runtime.renew_after_fork()
        made = self._client
        if made is None:
            # Made outside the lock: making it may take the network, and a lock from before
            # gevent's patching would stop every greenlet. Two may be made; one is kept.
            new = self._make()
            with self._lock:
                made = self._client = self._client or new
            self.region = getattr(getattr(made.client, "meta", None), "region_name", None)
        return made

    def _make(self) -> Made:
        if self.connection.client is None:
            return _ours(self.connection)
        client = given_client(self.connection.client, self._given_in)
        return Made(client, Switch(self.connection, client))

    def _facts(
        self, operation: str, request: Mapping[str, Any], failure: Failure | None = None
    ) -> CallFacts:
        told: tuple[Any, ...] = ()
        if failure is not None:
            told = failure.facts
        return CallFacts(operation, request.get("TableName"), self.region, *told)


def _refused(failure: Failure, *, again: bool) -> Reply:
    body = {"Item": failure.item} if failure.item else {}
    return Reply(body, refused=True, retried=again or (failure.attempts or 1) > 1)


def _report(
    operation: str, started: float, outcome: str, body: Mapping[str, Any] | None = None
) -> None:
    """Tell the observers of a call that began at *started*, by `time.perf_counter()`."""
    read, write = units(operation, body or {})
    seconds = time.perf_counter() - started
    metering.report(metering.Call(operation, seconds, read, write, outcome))


@cache
def _method(operation: str) -> str:
    """Write AWS's name of an operation as boto3 names its method: GetItem, get_item."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def _session(connection: Connection, *, local: bool) -> tuple[Any, str]:
    """Make a session, for the default one is not thread-safe, and say who calls."""
    import boto3.session
    import botocore.session

    core = botocore.session.get_session()
    usual = "embedded" if local else None
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=connection.aws_access_key_id or usual,
        aws_secret_access_key=connection.aws_secret_access_key or usual,
        aws_session_token=connection.aws_session_token,
        region_name=connection.region or ("us-east-1" if local else None),
        profile_name=connection.profile,
    )
    return session, user_agent(core)


def _ours(connection: Connection) -> Made:
    """Make a low-level client from a fresh session, and the wire where it may carry calls."""
    import botocore.config
    from botocore.httpsession import get_cert_path

    local = embedded.url() if connection.endpoint_url == embedded.WORD else None
    session, told = _session(connection, local=bool(local))

    def client(attempts: int) -> Any:
        config = botocore.config.Config(
            connect_timeout=connection.connect_timeout,
            read_timeout=connection.read_timeout,
            max_pool_connections=connection.max_pool_connections,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            # Every request is written by `store/`, typed there; AWS checks it anyway.
            parameter_validation=False,
            user_agent=told,
        )
        url = local or connection.endpoint_url
        return session.client("dynamodb", endpoint_url=url, config=config)

    usual = client(connection.max_attempts)
    _ = urlsplit(usual.meta.endpoint_url).port  # no port raises here, and not with each call
    switch = Switch(connection, usual)
    credentials = None if switch.boto3_alone else session.get_credentials()
    if credentials is None:  # boto3 says so, and the next boto3 client is looked for anew
        return Made(usual, switch)
    from beaker_dynamodb.dynamodb.wire.client import (  # with ssl: after gevent's patching
        Wire,
        terminal,
    )

    path = get_cert_path(trusted(usual)) or None  # False: whoever answers is trusted
    wire = Wire(terminal(connection, usual, path, credentials.get_frozen_credentials))
    return Made(usual, switch, client(connection.max_attempts - 1), wire)


_clients: dict[Connection, Client] = {}
_made: weakref.WeakSet[Client] = weakref.WeakSet()  # an application's caches hold theirs for good


def get_client(connection: Connection) -> Client:
    """Return this process's one client for *connection*; boto3's client is not made yet."""
    return _clients.get(connection) or _clients.setdefault(connection, Client(connection))


def forget() -> None:
    """Forget every client; one that is still held starts anew, and has seen no table."""
    _clients.clear()
    _renew_all()
    for held in list(_made):
        held.seen.clear()


def _renew_all() -> None:
    for held in list(_made):
        held.renew()


runtime.on_fork(_renew_all)
runtime.on_reset(forget)
