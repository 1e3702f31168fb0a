"""Rows that this release cannot read: no user is logged out by a newer release's."""

from __future__ import annotations

import base64
import pickle
import uuid
from typing import Any

import pytest

from tests.dynamodb.doubles import (
    ANOTHER_KIND,
    FOREIGN,
    GARBAGE,
    Bomb,
    change_row,
    exploded,
)
from tests.proxy import FaultProxy
from tests.sessions import apps
from tests.sessions.conftest import ALICE


@pytest.mark.parametrize("change", FOREIGN)
def test_a_row_of_a_later_release_logs_nobody_out(
    change: str, proxy: FaultProxy, web: Any, table: str
) -> None:
    """While a deploy rolls, a row that only the new release can read begins no new session."""
    row = change_row(proxy.url, table, web.cookies[apps.COOKIE], FOREIGN[change])

    answer = web.get("/read", status=500)
    apps.write_row(proxy.url, table, row)

    assert answer.text == "UnknownFormat"
    assert apps.cookie_sent(answer) is None
    assert web.get("/read").json["values"] == ALICE


@pytest.mark.parametrize("change", [*GARBAGE, "another kind"])
def test_a_garbage_row_is_replaced_and_never_unpickled(
    change: str, proxy: FaultProxy, table: str
) -> None:
    """A corrupt row is replaced by a new session; a row of another kind counts as missing."""
    session = uuid.uuid4().hex
    web, cookie = apps.at(proxy.url, table), apps.with_cookie(session)
    text = base64.b64encode(pickle.dumps(Bomb(), 2)).decode()
    apps.manager(proxy.url, table, session)["session"] = text
    exploded.clear()
    web.get("/read", extra_environ=cookie, status="*")
    armed = exploded.copy()
    exploded.clear()
    change_row(proxy.url, table, session, GARBAGE.get(change, ANOTHER_KIND))

    answer = web.get("/read", extra_environ=cookie)

    assert armed == ["!"]
    assert exploded == []
    assert answer.json["values"] == {}
    assert apps.cookie_sent(answer) == (answer.json["id"] if change in GARBAGE else None)
    assert (answer.json["id"] == session) is (change not in GARBAGE)
