"""A Lambda function keeps its sessions in DynamoDB, whichever of AWS's doors a request came by.

The example's handler is called with the events that AWS sends; there is no server and no socket
but the one to DynamoDB Local.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import beaker_dynamodb
from beaker_dynamodb import Unavailable
from tests.frameworks import events
from tests.instruments import Recorder
from tests.proxy import FaultProxy
from tests.sessions import apps

EXAMPLE = Path(__file__).parents[2] / "examples" / "lambda_app.py"


def cold() -> Any:
    """Import the example again, as a new environment of Lambda does."""
    beaker_dynamodb.reset()
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


class Visitor:
    """A browser before one of AWS's doors; each request may meet another environment."""

    def __init__(self, shape: Callable[..., events.Event]) -> None:
        self.shape = shape
        self.cookie: str | None = "theme=dark"
        self.handler = cold()

    def ask(self, method: str, path: str, body: str = "") -> Mapping[str, Any]:
        """Send one request, and keep the cookie that comes back."""
        answer: Mapping[str, Any] = self.handler(
            self.shape(method, path, self.cookie, body), object()
        )
        for line in events.cookies_set(answer):
            self.cookie = "theme=dark; " + line.partition(";")[0]
        return answer


@pytest.fixture
def environment(
    dynamodb_local: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """Set the environment variables of a function's configuration, and create the table."""
    apps.make_table(dynamodb_local, table_name)
    for name, value in {
        "BEAKER_DYNAMODB_TABLE": table_name,
        "BEAKER_DYNAMODB_ENDPOINT_URL": dynamodb_local,
        "BEAKER_DYNAMODB_CREATE_TABLE": "false",
        "SESSION_SECRET": "s3cret",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture(params=events.SHAPES)
def ada(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> Visitor:
    """Give Ada's browser before one client after the other."""
    return Visitor(events.SHAPES[request.param])


def test_a_user_logs_in_is_known_to_the_next_environment_and_logs_out(ada: Visitor) -> None:
    """A login survives a cold start, and a copy of the cookie is invalid after the logout."""
    first = ada.ask("GET", "/")
    entered = ada.ask("POST", "/in", "user=Ada+Lovelace")
    ada.handler = cold()
    known = ada.ask("GET", "/")
    kept = ada.cookie
    left = ada.ask("POST", "/out")
    ada.cookie = kept

    assert "Visits: 1. Hello, stranger." in first["body"]
    assert (entered["statusCode"], left["statusCode"]) == (303, 303)
    assert "Visits: 2. Hello, Ada Lovelace." in known["body"]
    assert "Visits: 1. Hello, stranger." in ada.ask("GET", "/")["body"]


def test_the_cookie_comes_back_whole(ada: Visitor) -> None:
    """The only cookie is set where the client reads it, with all its attributes."""
    (line,) = events.cookies_set(ada.ask("GET", "/"))

    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


@pytest.mark.parametrize("create_table", ["true", "false"])
def test_a_cold_start_asks_for_the_session_alone(
    ada: Visitor, create_table: str, environment: pytest.MonkeyPatch, calls: Recorder
) -> None:
    """No environment looks at the table before it serves, whether it may create one or not."""
    environment.setenv("BEAKER_DYNAMODB_CREATE_TABLE", create_table)

    for method, path in (("GET", "/"), ("POST", "/in"), ("GET", "/"), ("POST", "/out")):
        ada.handler = cold()
        ada.ask(method, path)

    asked = ["PutItem", "GetItem", "PutItem", "GetItem", "PutItem", "GetItem", "DeleteItem"]
    assert calls.names == asked


def test_an_outage_is_an_error_and_no_cookie(
    ada: Visitor, dynamodb_local: str, environment: pytest.MonkeyPatch
) -> None:
    """The function fails, which is a 502 at AWS's client, and knows the user afterwards."""
    ada.ask("POST", "/in", "user=Ada")
    with FaultProxy(dynamodb_local) as proxy:
        environment.setenv("BEAKER_DYNAMODB_ENDPOINT_URL", proxy.url)
        ada.handler = cold()
        proxy.cut()
        with pytest.raises(Unavailable):
            ada.ask("GET", "/")
        proxy.mend()

        assert "Hello, Ada." in ada.ask("GET", "/")["body"]
