"""What happens to a user whose id, size or request is odd: cases 25, 26, 28, 29, 32, 33.

tests/faults/__init__.py lists all cases.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from beaker.session import Session

from beaker_dynamodb.dynamodb.metering import Saved
from beaker_dynamodb.errors import ItemTooLarge
from beaker_dynamodb.item.keys import Layout
from tests.exchange import Body
from tests.faults.fault_kinds import Duplicate, Rewrite
from tests.proxy import FaultProxy
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import View, contents, log_out, put, put_while, record_saves

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("size", [1, 1000, 65_536, 300_000, 380_000])
def test_25_a_session_of_any_size_below_400_kb_is_kept(
    site: Site, size: int, compress: bool
) -> None:
    """Case 25: incompressible data. Beaker's base64 would add a third; it is not stored."""
    site = site.with_(compress=compress)
    user, noise = site.begin_session(cart=1), os.urandom(size)

    site.visit(user, put(noise=noise))

    assert site.read_session(user) == {"cart": 1, "noise": noise}


def test_25_a_session_that_grows_past_the_limit_keeps_its_old_values(site: Site) -> None:
    """Case 25: ItemTooLarge has size and limit, and nothing is stored."""
    site = site.with_(max_value_size="64KB")
    user = site.begin_session(cart=1)

    with pytest.raises(ItemTooLarge) as caught:
        site.visit(user, put(noise=os.urandom(65_536)))

    assert caught.value.limit == 65_536
    assert caught.value.size > 65_536
    assert site.read_session(user) == {"cart": 1}


def test_25_sixteen_threads_with_large_sessions_are_all_served(site: Site) -> None:
    """Case 25: 380 KB each, of different random bytes."""

    def one(number: int) -> bool:
        noise = bytes([number]) + os.urandom(380_000)
        user = site.with_(compress=False).begin_session(noise=noise)
        return site.read_session(user) == {"noise": noise}

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(16)))


IDS: dict[str, object] = {
    "one character": "a",
    "2049 characters": "b" * 2049,
    "5000 characters": "c" * 5000,
    "NUL": "d\0",
    "CR LF": "e\r\nSet-Cookie: x=y",
    "ESC": "f\x1b[2J",
    "a way up": "../../etc/passwd",
    "Latin-1 bytes": b"g\xe9",
    "composed": "h\u00e9",
    "decomposed": "he\u0301",
    "a lone surrogate": "i\ud800",
    "another surrogate": "i\udfff",
    "a question mark": "i?",
    "an emoji": "\U0001f36a",
    "an escaped NUL": "%00",
    "quotes": "'\"",
    "another prefix": "sess:j",
    "a cache's prefix": "cache:j",
    "like a lock": "k#lock:session",
    "like a piece": "k#chunk:#x.0",
    "like a hashed id": "~" + "0" * 64,
    "spaces": "  ",
}


def test_26_no_id_reaches_the_session_of_another(site: Site) -> None:
    """Case 26: each id has its own session. An id as text or bytes is the same."""

    def session(ident: object) -> Any:
        options = {"client": site.raw, "table": site.table}
        return Session({}, id=ident, use_cookies=False, type="ext:dynamodb", **options)

    for name, ident in IDS.items():
        begun = session(ident)
        assert begun.is_new, name
        begun["name"] = name
        begun.save()

    assert {name: session(ident).get("name") for name, ident in IDS.items()} == {n: n for n in IDS}
    assert len(site.rows()) == len(IDS)
    assert session(b"a")["name"] == "one character"


@pytest.mark.parametrize("cookie", ["beaker.session.id=", 'beaker.session.id=""'])
def test_26_an_empty_cookie_has_no_session(site: Site, cookie: str) -> None:
    """Case 26: otherwise all clients that send one would share a session."""
    site.visit(Browser(cookie), put(user="ann"))

    assert site.visit(Browser(cookie), contents).said == {}
    assert site.rows() == []
    row = site.row(site.begin_session(user="ann")) or {}
    planted = {**row, "id": {"S": Layout("sess:").make_session_key("").hash}}
    site.raw.put_item(TableName=site.table, Item=planted)
    assert site.visit(Browser(cookie), contents).said == {}


def test_29_two_session_objects_of_one_id_in_one_request_both_keep_their_change(
    site: Site,
) -> None:
    """Case 29: the application opens its session again by id. The rest: B/test_stories."""
    user = site.begin_session(cart=1)

    def view(session: Any) -> None:
        other = Session(
            {},
            id=user.id,
            use_cookies=False,
            type="ext:dynamodb",
            client=site.raw,
            table=site.table,
        )
        session["a"] = 1
        other["b"] = 2
        other.save()
        session.save()

    site.visit(user, view)

    assert site.read_session(user) == {"cart": 1, "a": 1, "b": 2}


def remove_item(reply: Body) -> Body:
    """Remove the stored item from a refusal, as an old emulator does."""
    return {name: value for name, value in reply.items() if name != "Item"}


@pytest.mark.parametrize("end", ["changed", "logged out", "gone"])
def test_32_a_user_of_an_old_emulator_loses_nothing(
    site: Site, proxy: FaultProxy, end: str
) -> None:
    """Case 32: a refusal does not contain the item. It is read, and the outcome is the same."""
    user = site.begin_session(cart=1)

    def meanwhile() -> None:
        site.visit(user.also(), log_out if end == "gone" else put(coupon="x"))

    proxy.next(Rewrite(remove_item), operation="PutItem", times=None)
    proxy.next(Rewrite(remove_item), operation="DeleteItem")
    change: View = put_while(meanwhile, seen=9)
    if end == "logged out":

        def change(session: Any) -> None:
            contents(session)
            meanwhile()
            session.delete()

    site.behind(proxy).visit(user, change)

    assert proxy.operations[2] == "GetItem"
    found = {"cart": 1, "coupon": "x", "seen": 9}
    rows = site.rows()
    assert (len(rows), bool(rows) and site.read_session(user)) == (
        (1, found) if end == "changed" else (0, False)
    )


@pytest.mark.parametrize("first", [True, False], ids=["first reply", "second reply"])
def test_33_a_user_whose_request_arrives_twice_notices_nothing(
    site: Site, proxy: FaultProxy, first: bool
) -> None:
    """Case 33: a login, a change and a logout are each done once."""
    user, saves = Browser(f"beaker.session.id={'9' * 32}"), record_saves()
    proxy.next(Duplicate(first), times=None)
    behind = site.behind(proxy)

    behind.visit(user, put(user="ann"))
    behind.visit(user, put(cart=1))
    assert site.read_session(user) == {"user": "ann", "cart": 1}
    behind.visit(user.also(), log_out)

    assert site.rows() == []
    plans = ["create", "replace", "delete"]
    assert [s for s in saves if s.plan != "leave"] == [Saved(plan, "stored") for plan in plans]


def test_28_a_login_and_a_logout_during_a_poll_are_kept(site: Site) -> None:
    """Case 28: writers and readers at the same time. The rest: B/test_stories*.py."""
    user = site.begin_session(cart=1)

    def nested(session: Any) -> None:
        contents(session)
        site.visit(user.also(), put_while(lambda: site.visit(user.also(), contents), user="ann"))

    site.visit(user, nested)
    assert site.read_session(user) == {"cart": 1, "user": "ann"}

    stale = user.also()
    site.visit(user, put_while(lambda: site.visit(stale.also(), log_out), cart=2))
    with contextlib.suppress(KeyError):
        assert site.read_session(stale) == {}
    assert site.rows() == []
