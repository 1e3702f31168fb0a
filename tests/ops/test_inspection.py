"""Inspection of one session: what is shown, and why the rest is not."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from beaker_dynamodb.ops import logout
from beaker_dynamodb.ops.inspection import Inspection, inspect_session
from tests.ops.example_apps import DENSE, LARGE, ExampleApp
from tests.revisions import make_rev

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def inspect(site: ExampleApp, word: str, *, unpickle: bool = False, after: float = 0) -> Inspection:
    """Look at one that is there."""
    seen = logout.find_row(site.rows, word)
    assert seen is not None
    return inspect_session(site.rows, seen, time.time() + after, unpickle=unpickle)


@pytest.mark.parametrize("text", ["short", DENSE], ids=["small", "large"])
def test_a_json_session_is_shown(text: str, site: ExampleApp) -> None:
    """What is in it, small or in pieces."""
    site.save("a", json=True, userId=42, text=text)

    found = inspect(site, "a")

    assert found.values is not None
    assert (found.serializer, found.values["userId"], found.values["text"]) == ("json", 42, text)
    assert found.reason == ""


def test_a_large_session_is_put_together(site: ExampleApp) -> None:
    """Its pieces are read, and what is stored is counted over all of them."""
    site.save("a", text=LARGE)

    found = inspect(site, "a", unpickle=True)

    assert found.session.chunks > 2
    assert found.stored_size > 900_000
    assert found.values is not None
    assert found.values["text"] == LARGE


def test_a_pickle_is_opened_only_if_that_is_asked_for(site: ExampleApp) -> None:
    """Opening a pickle can run code; its row is described without that."""
    site.save("a", userId=42)

    shut, opened = inspect(site, "a"), inspect(site, "a", unpickle=True)

    assert (shut.values, shut.serializer) == (None, "pickle")
    assert "--unpickle" in shut.reason
    assert shut.session.special_keys == {"userId": "42"}
    assert opened.values is not None
    assert (opened.values["userId"], opened.reason) == (42, "")


def test_no_pickle_is_opened_where_sessions_are_json(site: ExampleApp) -> None:
    """The reason and the serializer are shown."""
    site.save("a", userId=42)
    site.save("b", json=True, userId=42)
    strict = ExampleApp({**site.options, "envelope": "json"})

    found, other = inspect(strict, "a", unpickle=True), inspect(strict, "b", unpickle=True)

    assert (found.values, found.serializer) == (None, "pickle")
    assert "it is not opened" in found.reason
    assert other.values is not None


def test_a_pickle_of_a_class_that_is_gone_says_so(site: ExampleApp) -> None:
    """A class of the application cannot be imported by the operator's process."""
    pickled = b"\x80\x02}q\x00X\x01\x00\x00\x00xq\x01cno.such.module\nThing\nq\x02)\x81q\x03s."
    site.manager("a")["session"] = base64.b64encode(pickled).decode()

    found = inspect(site, "a", unpickle=True)

    assert (found.values, "cannot be imported" in found.reason) == (None, True)


def test_an_opaque_session_says_who_could_open_it(site: ExampleApp) -> None:
    """Beaker's own encryption can only be opened by the application."""
    site.manager("a")["session"] = "Zm9vYmFyYmF6"

    found = inspect(site, "a")

    assert (found.serializer, found.values) == ("opaque", None)
    assert "encrypt_key" in found.reason


@pytest.mark.parametrize("compress", ["true", "false"])
def test_an_encrypted_session_opens_with_the_keys_of_the_options(
    compress: str, dynamodb_local: str, table_name: str
) -> None:
    """With its key it is shown; without, the answer says which key is lacking."""
    site = ExampleApp.create(dynamodb_local, table_name, encryption_keys=KEY, compress=compress)
    site.save("a", json=True, userId=42, text="x" * 2000)
    lacking = ExampleApp({**site.options, "encryption_keys": OTHER})

    found, shut = inspect(site, "a"), inspect(lacking, "a")

    assert found.encrypted
    assert found.values is not None
    assert found.values["userId"] == 42
    assert (shut.values, "not in encryption_keys" in shut.reason) == (None, True)
    assert shut.session.special_keys == {"userId": "42"}


CORRUPT: list[dict[str, Any]] = [
    {},
    {"data": {"S": "x"}, "rev": {"B": make_rev("a.b")}},
    {"data": {"B": b""}, "rev": {"B": make_rev("a.b")}},
    {"data": {"B": b"\1S\0\0\0\0\0\0text"}, "rev": {"B": make_rev("a.b")}},
    {"data": {"B": b"\xffS\0\0\0\0\0\0text"}, "rev": {"B": make_rev("a.b")}},
    {"data": {"B": b"\1S\x08\0\0\0\0\2" + b"\0" * 32}, "rev": {"B": make_rev("a.b")}},
    {"data": {"B": b"\1S\x08\0\xff\xff\xff\xff" + b"\0" * 32}, "rev": {"B": make_rev("a.b")}},
    {"data": {"M": {"x": {"L": [{"NULL": True}]}}}, "rev": {"N": "1"}, "expires": {"BOOL": True}},
]


@pytest.mark.parametrize("row", CORRUPT)
def test_a_corrupt_row_is_described(
    row: dict[str, Any], dynamodb_local: str, table_name: str
) -> None:
    """The result says what is wrong with the row."""
    site = ExampleApp.create(dynamodb_local, table_name)
    site.save("other")
    site.put(id={"S": "sess:bad"}, **row)

    found = inspect(site, "bad", unpickle=True)

    assert (found.values, bool(found.reason)) == (None, True)


def test_an_expired_session_is_shown_as_such(site: ExampleApp) -> None:
    """It is absent for the application, and an operator may still see why."""
    site.save("a", json=True, timeout=1)
    site.save("large", json=True, timeout=1, text=DENSE)

    small, large = inspect(site, "a", after=5), inspect(site, "large", after=5)

    assert (small.session.live, small.values is None) == (False, False)
    assert (large.session.live, large.values) == (False, None)
    assert "expired" in large.reason
