"""No cookie reaches any row but that of its own session."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from tests.instruments import Recorder
from tests.sessions import apps

GOOD = "0123456789abcdef0123456789abcdef"
E_ACUTE = "\N{LATIN SMALL LETTER E WITH ACUTE}"

#: What can arrive in a cookie: an environ's text has characters below 256 only.
IN_A_COOKIE = (
    GOOD,
    GOOD.upper(),
    GOOD + " ",
    " " + GOOD,
    "a",
    "a\0",
    "a\0b",
    "\0",
    "a\rb",
    "a\nb",
    "a\r\nSet-Cookie: x=y",
    "a\x1b[31m",
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    '"',
    "'; DROP TABLE sessions; --",
    "<script>",
    f"sess:{GOOD}",
    f"cache:{GOOD}",
    "other-app:" + GOOD,
    f"{GOOD}:session",
    f"{GOOD}:key",
    f"{GOOD}#session",
    f"{GOOD}#lock:session",
    f"{GOOD}#chunk:#birth.token.0",
    "#session",
    "~",
    "~" + "0" * 64,
    E_ACUTE,
    "e",
    E_ACUTE.encode().decode("latin-1"),
    "\xff",
    "x" * 512,
    "x" * 513,
    "x" * 2048,
    "x" * 2049,
    "x" * 5000,
    "x" * 4999 + "y",
    "\xff" * 5000,
)
#: What only an application hands over, for example to `get_by_id`.
IN_AN_APPLICATION = (
    *IN_A_COOKIE,
    "zz\ud800",
    "zz\udfff",
    "zz?",
    "zz\ufffd",
    "\ud800\udc00",
    "\U00010000",
    unicodedata.normalize("NFD", E_ACUTE),
    "\N{PILE OF POO}",
    "\N{LATIN SMALL LETTER DOTLESS I}",
    "\u202e" + GOOD,
    1,
    "1",
    1.0,
    True,
    None,
    "None",
    ("a", "b"),
    b"only bytes \xfe",
)
LAYOUTS: tuple[dict[str, str], ...] = (
    {},
    {"range_key": "kind"},
    {"hash_ids": "true"},
    {"range_key": "kind", "hash_ids": "true"},
)
STORED = re.compile(r"sess:([A-Za-z0-9._|/+=@,()-]{1,512}|~[0-9a-f]{64})")

each_layout = pytest.mark.parametrize(
    "layout", LAYOUTS, ids=lambda layout: "-".join(layout) or "plain"
)


@each_layout
def test_no_cookie_reaches_another_session(
    layout: dict[str, str], dynamodb_local: str, table_name: str
) -> None:
    """Each hostile cookie is a session of its own, that its sender alone finds again."""
    apps.make_table(dynamodb_local, table_name, layout.get("range_key"))
    web = apps.at(dynamodb_local, table_name, **layout)

    def ask(path: str, cookie: str) -> Any:
        return apps.browser(web.app).get(path, extra_environ=apps.with_cookie(cookie)).json

    saved = {cookie: ask(f"/set?owner={n}", cookie) for n, cookie in enumerate(IN_A_COOKIE)}
    found = {cookie: ask("/read", cookie) for cookie in IN_A_COOKIE}
    stored = [row["id"]["S"] for row in apps.rows_of(dynamodb_local, table_name)]

    assert {cookie: told["id"] for cookie, told in saved.items()} == {c: c for c in IN_A_COOKIE}
    assert [told["values"] for told in found.values()] == [
        {"owner": str(n)} for n in range(len(IN_A_COOKIE))
    ]
    assert len(stored) == len(set(stored)) == len(IN_A_COOKIE)
    assert [key for key in stored if not STORED.fullmatch(key)] == []


@each_layout
def test_no_id_that_an_application_hands_over_reaches_another_session(
    layout: dict[str, str], dynamodb_local: str, table_name: str
) -> None:
    """Each id is a row of its own, lone surrogates, objects and 5,000 characters among them."""
    apps.make_table(dynamodb_local, table_name, layout.get("range_key"))

    def at(namespace: object) -> Any:
        return apps.manager(dynamodb_local, table_name, namespace, **layout)

    before = [namespace for namespace in IN_AN_APPLICATION if "session" in at(namespace)]
    for number, namespace in enumerate(IN_AN_APPLICATION):
        at(namespace)["session"] = f"text {number}"
    found = [at(namespace)["session"] for namespace in IN_AN_APPLICATION]
    stored = [row["id"]["S"] for row in apps.rows_of(dynamodb_local, table_name)]

    assert before == []
    assert found == [f"text {number}" for number in range(len(IN_AN_APPLICATION))]
    assert len(stored) == len(IN_AN_APPLICATION)
    assert [key for key in stored if not STORED.fullmatch(key)] == []


def test_an_id_cannot_name_the_row_of_a_hashed_one(dynamodb_local: str, table_name: str) -> None:
    """A hash that was read in the table and is sent as a cookie finds no session."""
    apps.make_table(dynamodb_local, table_name)
    web = apps.at(dynamodb_local, table_name, hash_ids="true")
    victim = web.get("/set?user=alice").json["id"]
    (row,) = apps.rows_of(dynamodb_local, table_name)
    seen = row["id"]["S"]

    tries = [seen, seen.removeprefix("sess:"), seen.removeprefix("sess:~")]
    found = [
        apps.browser(web.app).get("/read", extra_environ=apps.with_cookie(cookie)).json["values"]
        for cookie in tries
    ]

    assert found == [{}, {}, {}]
    assert victim not in repr(row)


def test_a_key_in_bytes_and_in_text_is_one_session(dynamodb_local: str, table_name: str) -> None:
    """`b"k"` and `"k"` are one namespace."""
    apps.make_table(dynamodb_local, table_name)
    apps.manager(dynamodb_local, table_name, "k")["session"] = "text"

    assert apps.manager(dynamodb_local, table_name, b"k")["session"] == "text"


def _through_the_middleware(url: str, table: str) -> list[object]:
    web = apps.at(url, table)
    raw = [{"HTTP_COOKIE": f"{apps.COOKIE}="}, apps.with_cookie("")]
    answers = [web.get(path, extra_environ=c) for c in raw for path in ("/set?user=a", "/read")]
    return [answer.json["values"] for answer in answers[1::2]]


def _through_the_manager(url: str, table: str) -> list[object]:
    for name in ("", b""):
        apps.manager(url, table, name)["session"] = "text"
    return [{} for name in ("", b"") if "session" not in apps.manager(url, table, name)]


@pytest.mark.parametrize("way", [_through_the_middleware, _through_the_manager])
def test_the_empty_id_has_no_session(
    way: Callable[[str, str], list[object]],
    dynamodb_local: str,
    table_name: str,
    calls: Recorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A save under the empty id stores nothing, and is logged once.

    Otherwise all clients that send an empty cookie would share a session.
    """
    apps.make_table(dynamodb_local, table_name)
    calls.clear()

    with caplog.at_level(logging.DEBUG, "beaker_dynamodb"):
        found = way(dynamodb_local, table_name)

    assert found == [{}, {}]
    assert calls.names == []
    assert [record.levelname for record in caplog.records if "beaker_dyn" in record.name] == [
        "WARNING"
    ]
    assert apps.rows_of(dynamodb_local, table_name) == []
