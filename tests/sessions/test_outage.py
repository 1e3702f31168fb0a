"""An outage logs nobody out: with Beaker's default options, and all failures of a load.

If DynamoDB answers again between Beaker's two loads, Beaker alone would begin a new session and
send its cookie. The tests produce that moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beaker.session import Session
from pyramid.config import Configurator

from beaker_dynamodb import Conflict, CorruptItem, TableMissing, Unavailable
from beaker_dynamodb.errors import LoadOrigin
from beaker_dynamodb.sessions import outage
from tests.dynamodb.doubles import (
    FAULTS,
    ONCE,
    Maker,
    catch_error,
    fail_cache,
    fail_load,
    fail_on_conflict,
    fail_on_corrupt_row,
    fail_page,
    fail_page_twice,
    fail_save,
    raise_from,
)
from tests.faults.fault_kinds import LoseRequest
from tests.proxy import FaultProxy
from tests.servers import DynamoDBLocal
from tests.sessions import apps
from tests.sessions.conftest import ALICE


def heal_between_the_loads(monkeypatch: pytest.MonkeyPatch, heal: Callable[[], object]) -> None:
    """Call *heal* between the load that fails and the one of Beaker's `invalidate()`."""
    begin_anew = Session.invalidate

    def invalidate(session: Session) -> None:
        heal()
        begin_anew(session)

    monkeypatch.setattr(Session, "invalidate", invalidate)


def of(session: str) -> Callable[[dict[str, Any]], bool]:
    """Choose the requests for one session's row: all others go through."""
    return lambda body: session in json.dumps(body)


def test_a_killed_server_logs_nobody_out(
    tmp_path: Path, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages fail until it is started again, and have the same session afterwards."""
    with DynamoDBLocal(data=tmp_path) as dynamodb:
        apps.make_table(dynamodb.url, table_name)
        lines = apps.ini(dynamodb.url, table_name)
        with apps.serve(apps.under_beaker(apps.application, lines)) as url:
            alice = apps.Visitor(url)
            alice.get("/set?user=alice")
            cookie = alice.cookie
            dynamodb.kill()

            during = [alice.get(path)[0] for path in ("/read", "/set?k=v", "/none", "/delete")]
            heal_between_the_loads(monkeypatch, lambda: dynamodb.start(within=90))
            during.append(alice.get("/read")[0])
            kept = alice.cookie
            status, after = alice.get("/read")

    assert during == [500, 500, 200, 500, 500]
    assert kept == cookie
    assert (status, after) == (200, {"id": cookie, "new": False, "values": ALICE})


def test_a_broken_network_logs_nobody_out(
    proxy: FaultProxy, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages fail while it is broken, and have the same session afterwards."""
    cookies = dict(web.cookies)
    proxy.cut()

    during = [web.get("/read", status=500) for _ in range(3)]
    heal_between_the_loads(monkeypatch, proxy.mend)
    during.append(web.get("/read", status=500))

    assert [apps.cookie_sent(answer) for answer in during] == [None] * 4
    assert web.cookies == cookies
    assert web.get("/read").json["values"] == ALICE


def test_without_the_rule_the_cookie_would_be_replaced(
    proxy: FaultProxy, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same outage without the rule: the user is logged out for good."""
    cookies = dict(web.cookies)
    monkeypatch.setattr(outage, "refuse_in_place_of_another", lambda load: None)
    proxy.cut()
    heal_between_the_loads(monkeypatch, proxy.mend)

    answer = web.get("/read")

    assert apps.cookie_sent(answer) not in {None, cookies[apps.COOKIE]}
    assert web.get("/read").json["values"] == {}


def test_errors_that_are_causes_of_each_other_end_the_search() -> None:
    """An application may raise such a pair; the load beside it is made."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    try:
        raise first
    except ValueError:
        outage.refuse_in_place_of_another(LoadOrigin((None, None, "sessions"), "a"))


@pytest.mark.parametrize("corrupt", [None, "true"])
def test_pyramid_keeps_the_session_over_an_outage(
    corrupt: str | None, proxy: FaultProxy, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyramid_beaker, with invalidate_corrupt on or off, answers 500 and keeps the cookie."""
    settings = apps.ini(proxy.url, table, **ONCE)
    settings |= {"session.invalidate_corrupt": corrupt} if corrupt else {}
    with Configurator(settings=settings) as config:
        config.include("pyramid_beaker")
        config.add_view(lambda request: request.session.update(ALICE), "login", renderer="json")
        config.add_view(lambda request: dict(request.session), "read", renderer="json")
    web = apps.browser(apps.answering_500(config.make_wsgi_app()))
    web.get("/login")
    cookies = dict(web.cookies)
    proxy.cut()

    during = [web.get("/read", status=500)]
    heal_between_the_loads(monkeypatch, proxy.mend)
    during.append(web.get("/read", status=500))
    proxy.mend()

    assert [apps.cookie_sent(answer) for answer in during] == [None, None]
    assert web.cookies == cookies
    assert web.get("/read").json["user"] == "alice"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_load_that_fails_is_an_error_and_no_new_session(
    fault: str, dynamodb_local: str, proxy: FaultProxy, table: str
) -> None:
    """Whatever the fault: 500, no cookie, and the session is still stored."""
    breaks, options = FAULTS[fault]
    steady = apps.at(dynamodb_local, table)
    session = steady.get("/set?user=alice").json["id"]
    proxy.next(breaks, operation="GetItem", where=of(session), times=None)

    web = apps.at(proxy.url, table, **options)
    answer = web.get("/read", extra_environ=apps.with_cookie(session), status=500)

    assert apps.cookie_sent(answer) is None
    assert steady.get("/read").json == {"id": session, "new": False, "values": ALICE}


#: What is being handled, what it is, and whether the load of another session is refused then.
HANDLED: tuple[tuple[Maker, type[Exception], bool], ...] = (
    (fail_load, Unavailable, True),
    (fail_page, RuntimeError, True),
    (fail_page_twice, RuntimeError, True),
    (fail_save, Unavailable, False),
    (fail_cache, Unavailable, False),
    (fail_on_corrupt_row, CorruptItem, False),
    (fail_on_conflict, Conflict, False),
)


@pytest.mark.parametrize(("make", "kind", "refused"), HANDLED)
def test_which_loads_are_refused_after_a_failed_one(
    make: Maker, kind: type[Exception], refused: bool, proxy: FaultProxy, table: str
) -> None:
    """While the error of a load is handled, another id of the same table is refused.

    The same id is not, nor is another table, nor any load while another error is handled.
    """
    apps.manager(proxy.url, table, "alice")["session"] = "text"
    handled = make(proxy, table)

    def load(name: str, where: str = table) -> Exception:
        manager = apps.manager(proxy.url, where, name, create_table="false")
        try:
            raise handled
        except kind:
            return catch_error(lambda: manager["session"])

    proxy.clear()
    other = load("bob")
    asked = proxy.operations

    assert type(handled) is kind
    assert type(other) is (Unavailable if refused else KeyError)
    assert asked == ([] if refused else ["GetItem"])
    assert "no new session replaces" in str(other) or not refused
    assert type(load("bob", "another-table")) is TableMissing
    with pytest.raises(AssertionError, match="nothing was raised"):
        load("alice")


@pytest.mark.parametrize("faults", [1, None], ids=["once", "for good"])
def test_an_error_page_that_wants_the_users_name(
    faults: int | None, proxy: FaultProxy, table: str, web: Any
) -> None:
    """An error page asks for the session again: it is the user's, or the page fails too."""

    def shop(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        try:
            catch_error(lambda: environ["beaker.session"]["user"])
            raise_from(catch_error(lambda: environ["beaker.session"]["user"]))
        except RuntimeError:
            name = environ["beaker.session"].get("user", "stranger")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [name.encode()]

    session = web.cookies[apps.COOKIE]
    page = apps.browser(apps.under_beaker(shop, apps.ini(proxy.url, table, **ONCE)))
    times = faults and 2
    proxy.next(LoseRequest(), operation="GetItem", where=of(session), times=times)

    answer = page.get("/", extra_environ=apps.with_cookie(session), status="*")

    assert (answer.status_int, answer.text) == ((200, "alice") if faults else (500, "Unavailable"))
    assert apps.cookie_sent(answer) is None
    assert proxy.pending == 0
