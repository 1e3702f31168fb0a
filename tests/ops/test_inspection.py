"""A close look at one session: it tells what it can, and why it cannot tell the rest."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from beaker_dynamodb.ops import logout
from beaker_dynamodb.ops.inspection import Inspection, inspect_session
from tests.ops.sites import DENSE, LARGE, Site

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def look(site: Site, word: str, *, unpickle: bool = False, after: float = 0) -> Inspection:
    """Look at one that is there."""
    seen = logout.find_row(site.rows, word)
    assert seen is not None
    return inspect_session(site.rows, seen, time.time() + after, unpickle=unpickle)


@pytest.mark.parametrize("text", ["short", DENSE], ids=["small", "large"])
def test_a_json_session_is_shown(text: str, site: Site) -> None:
    """What is in it, small or in pieces."""
    site.save("a", json=True, userId=42, text=text)

    found = look(site, "a")

    assert found.values is not None
    assert (found.serializer, found.values["userId"], found.values["text"]) == ("json", 42, text)
    assert found.reason == ""


def test_a_large_session_is_put_together(site: Site) -> None:
    """Its pieces are read, and what is stored is counted over all of them."""
    site.save("a", text=LARGE)

    found = look(site, "a", unpickle=True)

    assert found.session.chunks > 2
    assert found.stored_size > 900_000
    assert found.values is not None
    assert found.values["text"] == LARGE


def test_a_pickle_is_opened_only_if_that_is_asked_for(site: Site) -> None:
    """Opening a pickle can run code; without that its row is still told."""
    site.save("a", userId=42)

    shut, opened = look(site, "a"), look(site, "a", unpickle=True)

    assert (shut.values, shut.serializer) == (None, "pickle")
    assert "--unpickle" in shut.reason
    assert shut.session.special_keys == {"userId": "42"}
    assert opened.values is not None
    assert (opened.values["userId"], opened.reason) == (42, "")


def test_no_pickle_is_opened_where_sessions_are_json(site: Site) -> None:
    """Whoever asks for it is told why; its kind is told, its age is not."""
    site.save("a", userId=42)
    site.save("b", json=True, userId=42)
    strict = Site({**site.options, "envelope": "json"})

    found, other = look(strict, "a", unpickle=True), look(strict, "b", unpickle=True)

    assert (found.values, found.serializer, found.session.created) == (None, "pickle", None)
    assert "it is not opened" in found.reason
    assert other.values is not None
    assert other.session.created is not None


def test_a_pickle_of_a_class_that_is_gone_says_so(site: Site) -> None:
    """A class of the application cannot be imported by the operator's process."""
    pickled = b"\x80\x02}q\x00X\x01\x00\x00\x00xq\x01cno.such.module\nThing\nq\x02)\x81q\x03s."
    site.manager("a")["session"] = base64.b64encode(pickled).decode()

    found = look(site, "a", unpickle=True)

    assert (found.values, "cannot be imported" in found.reason) == (None, True)


def test_an_opaque_session_says_who_could_open_it(site: Site) -> None:
    """Beaker's own encryption is not ours to open."""
    site.manager("a")["session"] = "Zm9vYmFyYmF6"

    found = look(site, "a")

    assert (found.serializer, found.values) == ("opaque", None)
    assert "encrypt_key" in found.reason


@pytest.mark.parametrize("compress", ["true", "false"])
def test_an_encrypted_session_opens_with_the_keys_of_the_options(
    compress: str, dynamodb_local: str, table_name: str
) -> None:
    """With its key it is shown; without, the answer says which key is lacking."""
    site = Site.made(dynamodb_local, table_name, encryption_keys=KEY, compress=compress)
    site.save("a", json=True, userId=42, text="x" * 2000)
    lacking = Site({**site.options, "encryption_keys": OTHER})

    found, shut = look(site, "a"), look(lacking, "a")

    assert found.encrypted
    assert found.values is not None
    assert found.values["userId"] == 42
    assert (shut.values, "not in encryption_keys" in shut.reason) == (None, True)
    assert shut.session.special_keys == {"userId": "42"}


CORRUPT: list[dict[str, Any]] = [
    {},
    {"data": {"S": "x"}, "rev": {"S": "a.b"}},
    {"data": {"B": b""}, "rev": {"S": "a.b"}},
    {"data": {"B": b"\1S\0\0\0\0\0\0text"}, "rev": {"S": "a.b"}},
    {"data": {"B": b"\xffS\0\0\0\0\0\0text"}, "rev": {"S": "a.b"}},
    {"data": {"B": b"\1S\x08\0\0\0\0\2" + b"\0" * 32}, "rev": {"S": "a.b"}},
    {"data": {"B": b"\1S\x08\0\xff\xff\xff\xff" + b"\0" * 32}, "rev": {"S": "a.b"}},
    {"data": {"M": {"x": {"L": [{"NULL": True}]}}}, "rev": {"N": "1"}, "expires": {"BOOL": True}},
]


@pytest.mark.parametrize("row", CORRUPT)
def test_a_corrupt_row_is_described(
    row: dict[str, Any], dynamodb_local: str, table_name: str
) -> None:
    """Whatever stands there, the answer is what is wrong with it."""
    site = Site.made(dynamodb_local, table_name)
    site.save("other")
    site.put(id={"S": "sess:bad"}, **row)

    found = look(site, "bad", unpickle=True)

    assert (found.values, bool(found.reason)) == (None, True)


def test_an_expired_session_is_shown_as_such(site: Site) -> None:
    """It is absent for the application, and an operator may still see why."""
    site.save("a", json=True, timeout=1)
    site.save("large", json=True, timeout=1, text=DENSE)

    small, large = look(site, "a", after=5), look(site, "large", after=5)

    assert (small.session.live, small.values is None) == (False, False)
    assert (large.session.live, large.values) == (False, None)
    assert "expired" in large.reason
