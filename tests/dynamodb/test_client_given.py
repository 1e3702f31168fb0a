"""A client that the application brings: itself, a factory, or the path of one."""

from __future__ import annotations

import os
from typing import Any

import pytest

from beaker_dynamodb import OptionError
from tests.dynamodb.doubles import failure, in_a_child
from tests.dynamodb.test_client import made
from tests.servers import Flavor, Server
from tests.sessions import apps


def make_client() -> Any:
    """Make a client, where a dotted path of the options names this function."""
    made.append(os.getpid())
    return Server(os.environ["TEST_DYNAMODB"], Flavor.LOCAL).client()


def given_client(url: str) -> Any:
    """Make a client, as an application does that hands one over."""
    return Server(url, Flavor.LOCAL).client()


@pytest.mark.parametrize("way", ["object", "factory", "path"])
def test_an_application_may_bring_its_client(
    way: str, dynamodb_local: str, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client, a factory or a dotted path to one is used; a factory survives a fork."""
    monkeypatch.setenv("TEST_DYNAMODB", dynamodb_local)
    made.clear()
    given = {"object": given_client(dynamodb_local), "factory": make_client}.get(
        way, "tests.dynamodb.test_client_given:make_client"
    )
    manager = apps.manager("http://127.0.0.1:1", alice, "alice", client=given)

    here = manager["session"]
    again = apps.manager("http://127.0.0.1:1", alice, "alice", client=given)["session"]
    there = in_a_child(lambda: (manager["session"], made[-1:] == [os.getpid()]))

    assert here == again == "text"
    assert len(made) <= 1
    if way == "object":
        assert type(there) is OptionError
        assert "fork" in str(there)
        assert "factory" in str(there)
    elif way == "factory":
        assert there == ("text", True)
    else:
        assert there[0] == "text"


def test_a_path_that_leads_nowhere(dynamodb_local: str, alice: str) -> None:
    """A dotted path that cannot be followed is an OptionError that shows it."""
    for path in ("no_such_module:client", "tests.dynamodb.test_client_given:nothing", "nonsense"):
        manager = apps.manager(dynamodb_local, alice, "alice", client=path)
        error = failure(lambda manager=manager: manager["session"])  # type: ignore[misc]

        assert type(error) is OptionError
        assert path in str(error)
