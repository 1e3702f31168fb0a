"""Helpers for the tests of an application: an empty DynamoDB, an outage of it, and a later time.

Import the fixtures into a `conftest.py`; docs/testing.md shows how. The package never imports
this file. The extra `testing` installs what it needs: pytest, and the embedded server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager, configure, reset
from beaker_dynamodb.dynamodb import embedded
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.dynamodb.responses import Failure
from beaker_dynamodb.dynamodb.wire.transport import BOTO3

__all__ = ["dynamodb_local", "dynamodb_local_url", "embedded_dynamodb", "later", "outage"]

#: The environment variable with the URL of a DynamoDB Local.
URL_VARIABLE: Final = "DYNAMODB_LOCAL_URL"
_CONNECT_TIMEOUT: Final = 2.0
#: Seconds for a response: a machine that is slow for a moment must not look like an outage.
_READ_TIMEOUT: Final = 30.0


@pytest.fixture
def embedded_dynamodb() -> Iterator[str]:
    """Provide an empty DynamoDB in the memory of this process, and make it the default.

    The value is its URL, for a test that reads the rows itself. An ini file overrides the default:
    leave `session.endpoint_url` out of it.
    """
    reset()  # an older client would use its own endpoint
    embedded.empty()
    with configure(endpoint_url=embedded.EMBEDDED, read_timeout=_READ_TIMEOUT):
        yield embedded.get_url()
    reset()


@pytest.fixture(scope="session")
def dynamodb_local_url() -> str:
    """Return the URL of DynamoDB Local: DYNAMODB_LOCAL_URL, or else port 8000 of this machine.

    Override this fixture if yours has another address.
    """
    return os.environ.get(URL_VARIABLE, "http://127.0.0.1:8000")


@pytest.fixture
def dynamodb_local(dynamodb_local_url: str) -> Iterator[str]:
    """Provide an empty database of a DynamoDB Local, and make it the default.

    Each test gets its own access key: DynamoDB Local separates the tables of access keys, unless
    it was started with `-sharedDb`. The key is also in the environment, for a new
    `boto3.session.Session()`. The test fails if nothing listens at the URL.
    """
    _check_server(dynamodb_local_url)
    key = secrets.token_hex(10)  # letters and digits only
    keys = {"aws_access_key_id": key, "aws_secret_access_key": key}
    reset()
    address = {"endpoint_url": dynamodb_local_url, "region": "us-east-1"}
    with (
        patch.dict(os.environ, {name.upper(): value for name, value in keys.items()}),
        configure(read_timeout=_READ_TIMEOUT, **address, **keys),
    ):
        yield dynamodb_local_url
    reset()


def _check_server(url: str) -> None:
    """Fail the test if nothing listens at *url*."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_TIMEOUT).close()
    except OSError:
        pytest.fail(
            f"nothing responds at {url}: start DynamoDB Local there, or set {URL_VARIABLE}",
            pytrace=False,
        )


@contextlib.contextmanager
def later(seconds: float) -> Iterator[None]:
    """Set the clock of sessions *seconds* forward inside the block, in Beaker and in this package.

    Nothing sleeps. Nested blocks add up. Other clocks do not change: use a library that patches all
    of Python's for those.
    """
    from beaker import session

    from beaker_dynamodb.sessions import lifetime, strict, user_sessions

    real = DynamoDBNamespaceManager.runtime.clock

    def clock() -> float:
        return real() + seconds

    runtime = dataclasses.replace(DynamoDBNamespaceManager.runtime, clock=clock)
    patched = SimpleNamespace(**{**vars(time), "time": clock})
    with (
        patch.object(DynamoDBNamespaceManager, "runtime", runtime),
        patch.object(session, "time", patched),
        patch.object(lifetime, "time", patched),
        patch.object(strict, "time", patched),
        patch.object(user_sessions, "REAL", runtime),
    ):
        yield


@contextlib.contextmanager
def outage() -> Iterator[None]:
    """Let every call to DynamoDB fail inside the block, as if no server could be reached.

    Nothing is sent, and nothing waits. What was stored before is still there after the block. A
    cache may be bypassed for a few seconds more, as after a real outage.

    Raises: OptionError in a call, without a region: boto3's client is made as at any first call.
    """
    failure = Failure("SimulatedOutage")

    def fail(client: Client, *_: object, **__: object) -> tuple[Failure, str]:
        client.get_transport()  # makes the clients, whose region the error names
        return failure, BOTO3

    with patch.object(Client, "_send", fail):
        yield
