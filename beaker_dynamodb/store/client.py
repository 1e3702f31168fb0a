"""The only import of boto3 and botocore: one client per process and set of connection options.

`Door.call(operation, request)` is guarded and timed, and every foreign exception leaves as one
of ours, raised outside the `except` block: no `__context__` holds an exception of botocore's
with a user's data in it. boto3 is imported with the first client, after gevent's patching.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Final

from beaker_dynamodb.errors import CallFacts, DynamoDBBackendError, OptionError, Unavailable
from beaker_dynamodb.store import embedded, meter
from beaker_dynamodb.store.answers import (
    CONDITION_FAILED,
    STALE_CREDENTIALS,
    Failure,
    broken,
    error_of,
    failure_of,
    units,
)
from beaker_dynamodb.store.connection import Connection
from beaker_dynamodb.store.user_agent import user_agent

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


class Door:
    """The way to DynamoDB for one set of connection options, in whatever process it is used."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Tables that have answered; one that is missing later was deleted, perhaps for a restore.
        self.seen: set[str] = set()
        #: Known once there was a client.
        self.region: str | None = None
        self._given_in = os.getpid()
        self.renew()

    def renew(self) -> None:
        """Forget the client and the lock: after a fork they belong to the parent."""
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = os.getpid()

    def call(self, operation: str, request: Mapping[str, Any], *, ought: str = "") -> Reply:
        """Make one call, and a second one if the first reply is broken.

        Args:
            operation: AWS's name of it; `request` is what botocore takes.
            ought: the key schema that the options name, for the text of a `TableMismatch`.

        Raises: any of ours but Conflict and CorruptItem.
        """
        if operation in DATA:
            request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        wrong: str | None = None
        for last in (False, True):
            started = time.perf_counter()
            answer = self._send(operation, request)
            if isinstance(answer, Failure):
                _report(operation, started, answer.outcome)
                if answer.code == CONDITION_FAILED:
                    retried = bool(wrong) or (answer.attempts or 1) > 1
                    body = {"Item": answer.item} if answer.item else {}
                    return Reply(body, refused=True, retried=retried)
                if last or not answer.once_more:
                    raise error_of(answer, self._facts(operation, request, answer), ought)
                continue
            wrong = broken(operation, request, answer) if operation in DATA else None
            _report(operation, started, "unavailable" if wrong else "ok", answer)
            if not wrong:
                return Reply(answer)
        raise Unavailable(
            f"DynamoDB's reply cannot be trusted: {wrong}", call=self._facts(operation, request)
        )

    def _send(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
        try:
            method = getattr(self._current(), _method(operation))
            answer: Mapping[str, Any] = method(**request)
        except DynamoDBBackendError:
            raise
        except Exception as error:  # noqa: BLE001  # providers of credentials raise anything
            failure = failure_of(error)
        else:
            return answer
        if failure.code in STALE_CREDENTIALS or failure.names & STALE_CREDENTIALS:
            self.renew()  # the error would stick to the client
        return failure

    def _current(self) -> Any:
        """Return this process's client, made at its first use."""
        if self._pid != os.getpid():
            self.renew()
        client = self._client
        if client is None:
            # Made outside the lock: making it may take the network, and a lock from before
            # gevent's patching would stop every greenlet. Two may be made; one is kept.
            made = self._make()
            with self._lock:
                client = self._client = self._client or made
            self.region = getattr(getattr(client, "meta", None), "region_name", None)
        return client

    def _make(self) -> Any:
        given = self.connection.client
        if isinstance(given, str):
            given = _resolved(given)
        if given is None:
            return _boto3_client(self.connection)
        client = given() if callable(given) else given
        if not hasattr(client, "get_item"):
            raise OptionError(f"option 'client' gives a {type(client).__name__}, not a client")
        if client is given and self._given_in != os.getpid():
            raise OptionError(
                "option 'client' is a client that was handed over in another process, and"
                " connections cannot be shared across a fork; give a factory instead"
            )
        return client

    def _facts(
        self, operation: str, request: Mapping[str, Any], failure: Failure | None = None
    ) -> CallFacts:
        table = request.get("TableName")
        if failure is None:
            return CallFacts(operation, table, self.region)
        return CallFacts(
            operation,
            table,
            self.region,
            failure.code,
            failure.request_id,
            failure.attempts,
            failure.reason,
        )


def _report(
    operation: str, started: float, outcome: str, body: Mapping[str, Any] | None = None
) -> None:
    if meter.observed():
        read, write = units(operation, body or {})
        seconds = time.perf_counter() - started
        meter.report(meter.Call(operation, seconds, read, write, outcome))


@cache
def _method(operation: str) -> str:
    """Write AWS's name of an operation as boto3 names its method: GetItem, get_item."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def _resolved(path: str) -> Any:
    """Find the object that a dotted path names, `package.module:attribute`."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        wrong = type(error).__name__
    raise OptionError(
        f"option 'client' is {path!r}, which cannot be found ({wrong}); expected"
        " 'package.module:attribute'"
    )


def _boto3_client(connection: Connection) -> Any:
    """Make a low-level client from a fresh session: the default session is not thread-safe."""
    import boto3.session
    import botocore.config
    import botocore.session

    local = embedded.url() if connection.endpoint_url == embedded.WORD else None
    key = connection.aws_access_key_id or ("embedded" if local else None)
    secret = connection.aws_secret_access_key or ("embedded" if local else None)
    core = botocore.session.get_session()
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=connection.aws_session_token,
        region_name=connection.region or ("us-east-1" if local else None),
        profile_name=connection.profile,
    )
    config = botocore.config.Config(
        connect_timeout=connection.connect_timeout,
        read_timeout=connection.read_timeout,
        max_pool_connections=connection.max_pool_connections,
        retries={"mode": "standard", "total_max_attempts": connection.max_attempts},
        tcp_keepalive=True,
        # Every request is written by `store/`, typed there; AWS checks it anyway.
        parameter_validation=False,
        user_agent=user_agent(core),
    )
    return session.client("dynamodb", endpoint_url=local or connection.endpoint_url, config=config)


_doors: dict[Connection, Door] = {}


def door(connection: Connection) -> Door:
    """Return the one door of this process for *connection*; no client is made yet."""
    found = _doors.get(connection)
    if found is None:
        found = _doors.setdefault(connection, Door(connection))
    return found


def forget() -> None:
    """Forget every door and its client."""
    _doors.clear()


def _renew_all() -> None:
    for found in _doors.values():
        found.renew()


os.register_at_fork(after_in_child=_renew_all)
