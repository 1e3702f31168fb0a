"""Faults while a session moves: rows 6 to 8 of the interleavings in docs/migrating.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.dynamodb.client import Client
from beaker_dynamodb.errors import DynamoDBBackendError, Unavailable
from beaker_dynamodb.migration import source
from tests.faults.fault_kinds import LoseReply
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.fixture(params=["file", "ext:redis"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a backend that expires sessions by itself, and one that does not."""
    return str(request.param)


@pytest.fixture
def user(old: Site) -> Browser:
    """Return a user who has logged in before the migration."""
    return old.begin_session(user="ann")


def test_6_a_logout_that_fails_half_way_is_no_logout_and_can_be_repeated(
    moving: Site, user: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is removed in the source backend, then DynamoDB fails: the row is kept, the page fails."""
    call = Client.call

    def failing(client: Client, operation: str, *args: Any, **kw: Any) -> Any:
        if operation == "PutItem":
            raise Unavailable("made up")
        return call(client, operation, *args, **kw)

    moving.read_session(user)
    with monkeypatch.context() as broken:
        broken.setattr(Client, "call", failing)
        with pytest.raises(Unavailable):
            moving.visit(user.also(), log_out)

    assert moving.read_session(user) == {"user": "ann"}
    moving.visit(user.also(), log_out)
    assert moving.read_session(user) == {}


def test_7_a_create_whose_reply_is_lost_moves_the_session_once(
    moving: Site, user: Browser, dynamodb_local: str
) -> None:
    """The SDK sends it again, and is refused by its own row."""
    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(LoseReply(), operation="PutItem")
        found = moving.behind(proxy).read_session(user)

    assert found == {"user": "ann"}


@pytest.mark.parametrize("leave", [log_out, lambda session: session.regenerate_id()])
def test_8_a_tombstone_whose_reply_is_lost_is_one(
    moving: Site, user: Browser, dynamodb_local: str, leave: Callable[[Any], None]
) -> None:
    """A logout is done; a regenerated id is not taken for logged out meanwhile."""
    moving = moving.with_(session_class=StrictSession)
    before = user.also()
    moving.read_session(user)
    with FaultProxy(dynamodb_local) as proxy:
        proxy.next(LoseReply(), operation="PutItem", where=lambda body: _is_over(body, user))
        moving.behind(proxy).visit(user, leave)

    assert moving.read_session(before) == {}
    assert moving.read_session(user) == ({} if leave is log_out else {"user": "ann"})


def _is_over(body: dict[str, Any], user: Browser) -> bool:
    return bool(body["Item"]["id"]["S"] == f"sess:{user.id}")


def test_the_old_backend_failing_is_one_of_our_errors(
    moving: Site, user: Browser, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises must not look like a miss, and no error shows an id."""

    def broken(_: object) -> str:
        raise KeyError(user.id)

    monkeypatch.setitem(source._FUNCTIONS, kind, (broken, source._delete))
    with pytest.raises(DynamoDBBackendError) as caught:
        moving.visit(user, contents)

    assert user.id not in f"{caught.value!r} {caught.value.__cause__!r}"
