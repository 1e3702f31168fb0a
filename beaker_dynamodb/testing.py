"""For the tests of your own application: an empty DynamoDB for each test, and a later time.

Import the fixtures into a `conftest.py`; docs/testing.md shows how. The package never imports
this file: it needs pytest, and the embedded store needs the extra `embedded`.
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

__all__ = ["dynamodb_local", "dynamodb_local_url", "embedded_dynamodb", "later"]

#: The variable of the environment that names a DynamoDB Local.
URL_VARIABLE: Final = "DYNAMODB_LOCAL_URL"
_LONGEST_WAIT: Final = 2.0


@pytest.fixture
def embedded_dynamodb() -> Iterator[str]:
    """Give an empty DynamoDB in this process's memory, the default of every manager of the test.

    Its value is the URL, for a test that looks at the rows itself. What an ini file says ranks
    higher: leave `session.endpoint_url` out of it.
    """
    reset()  # a client from before would talk to whatever it was made for
    embedded.empty()
    with configure(endpoint_url=embedded.EMBEDDED):
        yield embedded.get_url()
    reset()


@pytest.fixture(scope="session")
def dynamodb_local_url() -> str:
    """Say where DynamoDB Local answers: DYNAMODB_LOCAL_URL, else port 8000 of this machine.

    Write a fixture of this name of your own, if yours is somewhere else.
    """
    return os.environ.get(URL_VARIABLE, "http://127.0.0.1:8000")


@pytest.fixture
def dynamodb_local(dynamodb_local_url: str) -> Iterator[str]:
    """Give an empty database of a DynamoDB Local, the default of every manager of the test.

    DynamoDB Local keeps the tables of each access key apart, unless it was started with
    `-sharedDb`: each test gets a key of its own. The environment has it too, for a new
    `boto3.session.Session()`. The test fails where nothing answers.
    """
    _must_answer(dynamodb_local_url)
    key = secrets.token_hex(10)  # letters and digits: it wants no others
    keys = {"aws_access_key_id": key, "aws_secret_access_key": key}
    reset()
    with (
        patch.dict(os.environ, {name.upper(): value for name, value in keys.items()}),
        configure(endpoint_url=dynamodb_local_url, region="us-east-1", **keys),
    ):
        yield dynamodb_local_url
    reset()


def _must_answer(url: str) -> None:
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname or "", place.port or 80), _LONGEST_WAIT).close()
    except OSError:
        answers = False
    else:
        answers = True
    if not answers:
        pytest.fail(
            f"nothing responds at {url}: start DynamoDB Local there, or set {URL_VARIABLE}",
            pytrace=False,
        )


@contextlib.contextmanager
def later(seconds: float) -> Iterator[None]:
    """Let all sessions inside live that many seconds later, for Beaker and for this package.

    Nothing sleeps. Blocks inside each other add up. Clocks other than a session's go on as they
    are: for those take a library that winds all of Python's.
    """
    from beaker import session

    from beaker_dynamodb.sessions import strict

    real = DynamoDBNamespaceManager.runtime.clock

    def clock() -> float:
        return real() + seconds

    runtime = dataclasses.replace(DynamoDBNamespaceManager.runtime, clock=clock)
    wound = SimpleNamespace(**{**vars(time), "time": clock})
    with (
        patch.object(DynamoDBNamespaceManager, "runtime", runtime),
        patch.object(session, "time", wound),
        patch.object(strict, "time", wound),
    ):
        yield
