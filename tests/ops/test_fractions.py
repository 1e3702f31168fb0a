"""When a session expires, all say so at the same moment, at whatever part of a second it is."""

from __future__ import annotations

import pytest

from beaker_dynamodb import DynamoDBNamespaceManager
from beaker_dynamodb.ops import purge, sessions
from beaker_dynamodb.runtime import Runtime
from tests.instruments import Clock
from tests.ops.example_apps import ExampleApp


def at(clock: Clock) -> type[DynamoDBNamespaceManager]:
    """Make what a request has at that time."""

    class Now(DynamoDBNamespaceManager):
        runtime = Runtime(clock=clock)

    return Now


@pytest.mark.parametrize("saved", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("left", [0.999, 0.5, 0.001, 0.0, -0.001, -0.5, -0.999])
def test_load_list_find_count_and_purge_agree_on_what_has_expired(
    site: ExampleApp, clock: Clock, saved: float, left: float
) -> None:
    """Saved at any part of a second, asked at any other: live for all, or expired for all."""
    clock.advance(saved)
    key = {"digest_filenames": False, **site.options}
    site.save("other", timeout=86400)
    at(clock)("ann", timeout=100, **key)["session"] = site.text(userId="ann")
    expires = next(
        one.expires for one in sessions.list_sessions(site.rows, clock()) if one.id == "ann"
    )
    assert expires is not None
    now = Clock(expires - left)

    rows, live = site.rows, left > 0
    assert ("session" in at(now)("ann", timeout=100, **key)) is live
    assert any(one.id == "ann" for one in sessions.list_sessions(rows, now())) is live
    assert bool(list(sessions.find_sessions(rows, "userId=ann", now()))) is live
    assert [*sessions.count_sessions(rows, now())][-1].expired == (0 if live else 1)
    [*_, done] = purge.purge(rows, now())
    assert done.deleted_rows == (0 if live else 1)
