"""The contract of a session's manager, with every layout, serializer and option."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import random
import string
from typing import Any, Final

import pytest
from beaker.util import JsonSerializer, PickleSerializer

from beaker_dynamodb import OptionError
from beaker_dynamodb.item.revision import get_birth
from tests.instruments import Clock
from tests.servers import Server
from tests.sessions import apps

#: Every pair of these five differences stands in one of the cases.
OTHERWISE: Final = (
    ("range_key", "kind"),
    ("data_serializer", "json"),
    ("compress", "false"),
    ("encryption_keys", apps.KEY),
    ("hash_ids", "true"),
)
CASES = [
    dict(option for use, option in zip(row, OTHERWISE, strict=True) if use == "1")
    for row in "00000 11100 11010 10101 01011 00111".split()
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: "+".join(case) or "defaults")

PLAIN: dict[str, Any] = {
    "text": "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS} \N{PILE OF POO} \N{SNOWMAN}\0\r\n",
    "\N{SNOWMAN} key": "value",
    "nested": {"list": [1, 2.5, None, True, {"deep": ["x"]}], "empty": {}},
    "number": -(10**30),
    "": "an empty key",
    "repeated": "spam " * 1000,
}
PICKLED: dict[str, Any] = {
    **PLAIN,
    "when": dt.datetime(2026, 2, 28, 12, tzinfo=dt.timezone.utc),
    "set": frozenset({1, "a"}),
    "tuple": ({"a"}, b"\x00\xff"),
    "surrogate": "\ud800",
}


def text_of(length: int) -> str:
    """Draw a text that hardly compresses."""
    return "".join(random.Random(4711).choices(string.ascii_letters + string.digits, k=length))


def the_row(url: str, table: str) -> dict[str, Any]:
    """Read the only row of the table."""
    (row,) = apps.rows_of(url, table)
    return row


@each_case
def test_a_session_comes_back_as_it_was(
    case: dict[str, str], server: Server, table_name: str
) -> None:
    """The next request has the same values, with all options."""
    values = PLAIN if "data_serializer" in case else PICKLED
    apps.make_table(server.url, table_name, case.get("range_key"))
    web = apps.at(server.url, table_name, timeout="600", **case)

    told = web.get("/put", extra_environ={apps.VALUE: values}).json
    found = web.get("/read").json
    web.get("/set?one=more")
    web.get("/del?text")
    ours = {name: value for name, value in case.items() if name != "data_serializer"}
    manager = apps.manager(server.url, table_name, told["id"], **ours)
    found_later = _open_text(manager["session"], case)
    row = the_row(server.url, table_name)

    assert found["values"] == json.loads(json.dumps(values, default=repr))
    assert found["id"] == told["id"]
    assert not found["new"]
    assert found_later == {**{k: v for k, v in values.items() if k != "text"}, "one": "more"}
    assert (told["id"] in repr(row)) is ("hash_ids" not in case)
    assert (b"more" in row["data"]["B"]) is (
        "compress" in case and not {"data_serializer", "encryption_keys"} & case.keys()
    )


def _open_text(text: str, case: dict[str, str]) -> dict[str, Any]:
    serializer = JsonSerializer() if "data_serializer" in case else PickleSerializer()
    values: dict[str, Any] = serializer.loads(base64.b64decode(text))
    return {name: value for name, value in values.items() if not name.startswith("_")}


@each_case
def test_a_session_of_310_000_characters_fits_into_one_item(
    case: dict[str, str], dynamodb_local: str, table_name: str
) -> None:
    """A session that Beaker's base64 makes 413,000 characters long still fits into 400 KB."""
    apps.make_table(dynamodb_local, table_name, case.get("range_key"))
    web = apps.at(dynamodb_local, table_name, **case)
    large = text_of(310_000)

    web.get("/put", extra_environ={apps.VALUE: {"large": large}})

    assert web.get("/read").json["values"] == {"large": large}


@pytest.mark.parametrize("text", ["spam " * 400, text_of(2000)], ids=["repeated", "random"])
@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("compress", ["true", "false"])
def test_a_row_is_smaller_than_beakers_text(
    text: str, serializer: str, compress: str, moto_url: str, table_name: str
) -> None:
    """The row holds raw bytes instead of base64, and zlib only if that is smaller."""
    web = apps.at(moto_url, table_name, data_serializer=serializer, compress=compress)
    session = web.get("/put", extra_environ={apps.VALUE: {"text": text}}).json["id"]
    beakers = apps.manager(moto_url, table_name, session)["session"]

    stored = len(the_row(moto_url, table_name)["data"]["B"])

    shrinks = compress == "true" and serializer == "pickle"
    most = 200 if shrinks and text.startswith("spam") else math.ceil(len(beakers) * 3 / 4) + 8
    assert stored <= most


LIVES: Final[tuple[tuple[dict[str, str], int | None], ...]] = (
    ({"timeout": "600"}, 600 + 120),
    ({"timeout": "600", "ttl": "1h"}, 600 + 120),
    ({}, 30 * 86400),
    ({"ttl": "90s"}, 90),
    ({"ttl": "0"}, None),
)


@pytest.mark.parametrize(("options", "lifetime"), LIVES)
def test_a_row_expires_when_the_session_does(
    options: dict[str, str],
    lifetime: int | None,
    server: Server,
    table_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`expires` is now + Beaker's timeout + its 120 s, rounded up; else `ttl`; or it is absent."""
    apps.use_clock(monkeypatch, clock)
    clock.advance(0.25)

    apps.at(server.url, table_name, **options).get("/set?k=v")

    expires = None if lifetime is None else {"N": str(math.ceil(clock()) + lifetime)}
    assert the_row(server.url, table_name).get("expires") == expires


def test_an_expired_session_is_absent_although_its_row_is_stored(
    server: Server, table_name: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB deletes rows days late; a save before that creates a new session."""
    apps.use_clock(monkeypatch, clock)
    web = apps.at(server.url, table_name, ttl="100s")
    session = web.get("/set?user=alice").json["id"]
    before = the_row(server.url, table_name)
    clock.advance(100)

    found = web.get("/read").json
    by_id = web.get(f"/by_id?id={session}").json
    unchanged = the_row(server.url, table_name)
    web.get("/set?user=bob")
    after = the_row(server.url, table_name)

    assert found == {"id": session, "new": True, "values": {}}
    assert by_id is None
    assert unchanged == before
    assert web.get("/read").json["values"] == {"user": "bob"}
    assert birth_of(after) != birth_of(before)
    assert "prev" not in after


def birth_of(row: dict[str, Any]) -> bytes:
    """Read which Create a row descends from."""
    return get_birth(row["rev"]["B"])


def test_unknown_ids_and_other_sessions(server: Server, table_name: str) -> None:
    """An unknown id is a new session; others are found by id; `beaker.get_session` makes one."""
    alice, bob = (apps.at(server.url, table_name) for _ in range(2))
    session = alice.get("/set?user=alice").json["id"]

    unknown = apps.at(server.url, table_name).get("/read", extra_environ=apps.with_cookie("abc"))
    fresh = bob.get("/fresh").json["id"]

    assert unknown.json == {"id": "abc", "new": True, "values": {}}
    assert apps.cookie_sent(unknown) is None
    assert bob.get(f"/by_id?id={session}").json["values"] == {"user": "alice"}
    assert bob.get("/by_id?id=abc").json is None
    assert bob.get(f"/by_id?id={fresh}").json["values"] == {"fresh": "yes"}


def test_auto_saves_what_was_only_set(server: Server, table_name: str) -> None:
    """Under `auto = true` every request that touches the session keeps it."""
    web = apps.at(server.url, table_name, auto="true")

    session = web.get("/read").json["id"]

    assert web.get("/read").json == {"id": session, "new": False, "values": {}}


def test_a_manager_serves_one_key(server: Server, table_name: str) -> None:
    """`session` is the only key; a KeyError means that there is no such session."""
    manager = apps.manager(server.url, table_name, "abc")

    with pytest.raises(KeyError):
        manager["session"]
    with pytest.raises(OptionError, match="session"):
        manager["other"] = "text"
    empty = manager.keys()
    manager["session"] = "text"
    again = apps.manager(server.url, table_name, "abc")
    with pytest.raises(KeyError):
        again["other"]

    assert (empty, again.keys(), again[b"session"]) == ([], ["session"], "text")
    assert "other" not in again
    assert again.has_key("session")
    again.remove()
    assert "session" not in apps.manager(server.url, table_name, "abc")
    assert apps.rows_of(server.url, table_name) == []
