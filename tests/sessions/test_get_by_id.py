"""What `get_by_id()` does to another session, as docs/security.md says it, on DynamoDB Local."""

from __future__ import annotations

from typing import Any

import pytest
from beaker.session import Session, SessionObject

from beaker_dynamodb import StrictSession
from tests.ops.example_apps import ExampleApp


@pytest.fixture(name="app")
def app_(dynamodb_local: str, table_name: str) -> ExampleApp:
    """An application with an empty table."""
    return ExampleApp.create(dynamodb_local, table_name)


@pytest.fixture(name="settings", params=[None, StrictSession], ids=["Beaker", "StrictSession"])
def settings_(request: pytest.FixtureRequest, app: ExampleApp) -> dict[str, Any]:
    """Return what Beaker's middleware passes to a session, under both classes."""
    chosen = {} if request.param is None else {"session_class": request.param}
    return {"type": "ext:dynamodb", "key": "sid", "timeout": 1800, **app.options, **chosen}


@pytest.fixture(name="victim")
def victim_(settings: dict[str, Any]) -> str:
    """Log a user in, and return the id."""
    session = SessionObject({}, **settings)
    session["user"] = "ann"
    session.save()
    session.persist()
    return str(session.id)


def open_other(settings: dict[str, Any], ident: str) -> Session:
    """Open a user's session in the request of an administrator."""
    found = SessionObject({}, **settings).get_by_id(ident)
    assert type(found) is Session
    assert found["user"] == "ann"
    return found


@pytest.mark.parametrize("method", ["delete", "invalidate"])
def test_a_call_alone_logs_nobody_out(
    method: str, settings: dict[str, Any], victim: str, app: ExampleApp
) -> None:
    """Beaker's own class only empties the object, whatever class the application has."""
    getattr(open_other(settings, victim), method)()

    assert app.idents() == {f"sess:{victim}"}
    assert open_other(settings, victim)["user"] == "ann"


def test_a_save_after_invalidate_logs_nobody_out(
    settings: dict[str, Any], victim: str, app: ExampleApp
) -> None:
    """It saves a new session, and leaves the old one."""
    other = open_other(settings, victim)
    other.invalidate()
    other.save()

    assert f"sess:{victim}" in app.idents()


def test_delete_and_save_log_the_user_out(
    settings: dict[str, Any], victim: str, app: ExampleApp
) -> None:
    """The row is gone, and a request of the user under way does not bring it back."""
    other, slow = open_other(settings, victim), open_other(settings, victim)
    slow["visits"] = 1

    other.delete()
    other.save()
    slow.save()

    assert SessionObject({}, **settings).get_by_id(victim) is None
    assert app.idents() == set()
