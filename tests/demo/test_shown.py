"""The demo's page shows the real item, the real calls and the real charges.

It is compared with the table, with the calls that botocore made, and with the units that
DynamoDB Local reports.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, time, timezone
from typing import Any

import pytest
from webtest import TestApp

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded
from tests.demo.pages import (
    CALLS,
    FORM,
    FRAMEWORKS,
    ITEM,
    TYPES,
    OpenDemo,
    count_own_calls,
    read_operations,
    read_table,
    send,
)
from tests.instruments import Clock, Recorder
from tests.servers import Flavor, Server


class TestWhatIsShown:
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_the_item_shown_is_the_item_in_the_table(
        self, app: Any, table: str, framework: str
    ) -> None:
        """Each attribute is shown with its type, value and bytes, and none is left out."""
        app.get(f"/{framework}/")
        page = app.get(f"/{framework}/")
        client = Server(embedded.get_url(), Flavor.MOTO).client()
        (item,) = client.scan(TableName=table)["Items"]
        total = 0

        shown = {name: (kind, size, value) for name, kind, size, value in read_table(page, ITEM)}

        assert shown.keys() == item.keys() == {"id", "data", "rev", "prev", "expires"}
        for name, typed in item.items():
            ((kind, value),) = typed.items()
            raw = value if isinstance(value, bytes) else str(value).encode()
            size = len(name) + (len(raw) // 2 + 1 if kind == "N" else len(raw))
            total += size
            assert shown[name][:2] == (TYPES[kind], str(size))
            assert shown[name][2].startswith(raw[:8].hex(" ") if kind == "B" else str(value))
        assert page.html.select_one(".stacks tfoot .number").get_text() == str(total)
        assert f"The item has {total} bytes" in page

    def test_the_header_is_explained(self, app: Any, table: str) -> None:
        """The eight bytes shown are those in the table, and the sizes add up."""
        page = app.get("/bottle/")
        client = Server(embedded.get_url(), Flavor.MOTO).client()
        (item,) = client.scan(TableName=table)["Items"]
        data = bytes(item["data"]["B"])

        shown = read_table(page, "The header of the data, byte by byte")

        codes = "".join(row[0] for row in shown[:-1])
        assert bytes.fromhex(codes) == data[:8]
        assert shown[-1][1] == f"{len(data) - 8} bytes of your session"
        assert f"{len(data)} bytes are stored" in " ".join(page.html.get_text(" ").split())

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_the_calls_shown_are_the_calls_made(
        self, app: Any, framework: str, calls: Recorder
    ) -> None:
        """All calls of a request are shown in order; the demo's own calls are only counted."""

        def made(answer: Callable[[], Any], caption: str = CALLS) -> list[str]:
            calls.clear()
            page = answer()
            shown = read_operations(page, caption)
            assert len(calls) == len(shown) + count_own_calls(page)
            assert sorted(calls.names) == sorted([*shown, *["GetItem"] * count_own_calls(page)])
            return shown

        assert made(lambda: app.get(f"/{framework}/")) == ["PutItem"]
        assert made(lambda: app.get(f"/{framework}/")) == ["GetItem", "PutItem"]
        assert made(lambda: app.get(f"/{framework}/?read=1")) == ["GetItem"]

    def test_a_request_without_a_session_makes_no_call(self, app: Any, calls: Recorder) -> None:
        """A visitor without a session costs nothing, and the page says so."""
        page = app.get("/bottle/?read=1")

        assert calls == []
        assert "This request cost nothing" in page
        assert "a request without a session makes no call" in page
        assert list(app.cookiejar) == []

    @pytest.mark.parametrize(
        ("consistent", "cost"), [("true", "1 read unit"), ("false", "1.5 read units")]
    )
    def test_a_cookie_without_a_session_costs_a_read(
        self, open_demo: OpenDemo, table: str, consistent: str, cost: str
    ) -> None:
        """A request with the cookie of a deleted session costs a read, and the page says so."""
        app = open_demo({"table": table, "consistent_read": consistent})
        app.get("/bottle/")
        send(app, "bottle", "login", "Ada")
        kept = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in app.cookiejar)}
        send(app, "bottle", "logout")

        page = TestApp(app.app).get("/bottle/?read=1", headers=kept)

        together = page.html.find("caption", string=CALLS).parent.find("tfoot").find_all("td")[-1]
        assert together.get_text() == cost
        assert page.html.select_one("[aria-labelledby=next] .big").get_text() == cost

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    @pytest.mark.parametrize(
        ("do", "expected"),
        [
            ("login", ["GetItem", "PutItem"]),
            ("add", ["GetItem", "PutItem"]),
            ("logout", ["GetItem", "DeleteItem"]),
        ],
    )
    def test_the_page_after_a_form_shows_the_calls_of_the_form(
        self, app: Any, framework: str, do: str, expected: list[str]
    ) -> None:
        """After a form the page shows the calls of the form and of the redirect, separately."""
        app.get(f"/{framework}/")
        if do == "logout":
            send(app, framework, "login", "Ada")

        page = send(app, framework, do, "something")

        assert read_operations(page, FORM) == expected
        if do != "logout":
            assert read_operations(page) == ["GetItem"]

    def test_a_larger_item_costs_more(self, app: Any) -> None:
        """A write is charged for the KB of the larger item: the old or the new one."""
        app.get("/bottle/")
        for _ in range(20):
            page = send(app, "bottle", "add", secrets.token_urlsafe(45))
        size = int(page.html.select_one(".stacks tfoot .number").get_text().replace(",", ""))
        assert 1024 < size <= 2048

        assert read_table(app.get("/bottle/"), CALLS) == [
            ["GetItem", "ok", "1 read unit"],
            ["PutItem", "ok", "2 write units"],
        ]

    def test_units_are_those_that_dynamodb_charges(
        self, open_demo: OpenDemo, dynamodb_local: str, table_name: str, calls: Recorder
    ) -> None:
        """The page computes the units that DynamoDB Local charges, by AWS's rules."""
        options = {"endpoint_url": dynamodb_local, "table": table_name}
        app = open_demo(options)
        app.get("/bottle/")
        for number in range(21):
            send(app, "bottle", "add", secrets.token_hex(30))
            calls.clear()
            page = app.get("/bottle/")
            shown = {
                row[0]: float(row[2].split()[0])
                for row in read_table(page, CALLS)
                if row[2] != "none"
            }
            charged = {call.operation: call.units for call in calls}
            assert shown == charged, number

    def test_an_eventually_consistent_read_is_charged_half(self, open_demo: OpenDemo) -> None:
        """With consistent_read = false the page says half the units, as AWS does."""
        name = f"demo-{uuid.uuid4().hex}"
        app = open_demo({"table": name, "consistent_read": "false"})
        app.get("/bottle/")

        page = app.get("/bottle/?read=1")

        assert read_table(page, CALLS) == [["GetItem", "ok", "0.5 read units"]]
        assert "an eventually consistent read" in page

    def test_the_page_says_when_a_read_will_write_again(
        self, app: Any, calls: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page that only reads makes one call until the time shown, then two."""
        app.get("/bottle/")
        shown = re.search(r"writes nothing until (\d\d:\d\d:\d\d) UTC", app.get("/bottle/").text)
        assert shown is not None
        now = datetime.now(timezone.utc)
        clock = Clock(now.replace(microsecond=0).timestamp())
        until = datetime.combine(now.date(), time.fromisoformat(shown[1]), timezone.utc).timestamp()
        until += 0 if until > clock() else 86400  # midnight lies between
        manager = beaker_dynamodb.DynamoDBNamespaceManager
        runtime = dataclasses.replace(manager.runtime, clock=clock)
        monkeypatch.setattr(manager, "runtime", runtime)

        def made() -> list[str]:
            calls.clear()
            return read_operations(app.get("/bottle/?read=1"))

        clock.advance(until - clock() - 1)
        assert made() == ["GetItem"]
        clock.advance(1)
        assert made() == ["GetItem", "PutItem"]
        assert made() == ["GetItem"]

    def test_secrets_are_not_shown(self, open_demo: OpenDemo) -> None:
        """The page shows its configuration without the secrets."""
        app = open_demo({"aws_secret_access_key": "hidden-1", "aws_access_key_id": "hid2"})

        page = app.get("/bottle/")

        assert "session.type = ext:dynamodb" in page
        assert "session.secret = …" in page
        assert "hid" not in page.html.find("pre").get_text()
