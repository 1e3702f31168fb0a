"""Option `client`: a client, a factory, or the path of one."""

from __future__ import annotations

import os
from typing import Any

import pytest

from beaker_dynamodb import OptionError
from tests.dynamodb.doubles import catch_error, run_in_child
from tests.dynamodb.test_client import made
from tests.servers import Flavor, Server
from tests.sessions import apps


def make_client() -> Any:
    """Create a client. A dotted path of the options names this function."""
    made.append(os.getpid())
    return Server(os.environ["TEST_DYNAMODB"], Flavor.LOCAL).client()


def create_boto3_client(url: str) -> Any:
    """Create a client, as an application does."""
    return Server(url, Flavor.LOCAL).client()


@pytest.mark.parametrize("kind", ["object", "factory", "path"])
def test_an_application_can_provide_its_client(
    kind: str, dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client, a factory or a dotted path to one is used; a factory survives a fork."""
    monkeypatch.setenv("TEST_DYNAMODB", dynamodb_local)
    made.clear()
    given = {"object": create_boto3_client(dynamodb_local), "factory": make_client}.get(
        kind, "tests.dynamodb.test_client_given:make_client"
    )
    manager = apps.manager("http://127.0.0.1:1", alice, "alice", client=given)

    here = manager["session"]
    again = apps.manager("http://127.0.0.1:1", alice, "alice", client=given)["session"]
    there = run_in_child(lambda: (manager["session"], made[-1:] == [os.getpid()]))

    assert here == again == "text"
    assert len(made) <= 1
    if kind == "object":
        assert type(there) is OptionError
        assert "fork" in str(there)
        assert "factory" in str(there)
    elif kind == "factory":
        assert there == ("text", True)
    else:
        assert there[0] == "text"


def test_a_path_that_cannot_be_imported_is_an_option_error(dynamodb_local: str, alice: str) -> None:
    """The error shows the path."""
    for path in ("no_such_module:client", "tests.dynamodb.test_client_given:nothing", "nonsense"):
        manager = apps.manager(dynamodb_local, alice, "alice", client=path)
        error = catch_error(lambda manager=manager: manager["session"])  # type: ignore[misc]

        assert type(error) is OptionError
        assert path in str(error)
