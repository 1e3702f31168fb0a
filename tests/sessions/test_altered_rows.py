"""The table of docs/security.md: what an altered row does to its user.

All alterations of each kind are tried, and the table names each kind with its outcome.
"""

from __future__ import annotations

import base64
import re
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.errors import UnknownFormat
from beaker_dynamodb.item import codec
from tests.revisions import make_rev
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
KEY = base64.b64encode(b"k" * 32).decode()
NEW_LOGIN = "a new login"
EMPTY = "an empty session under the same id"
ERROR = "an error page until the row is repaired, deleted or has expired"
NOTHING = "the session, as it was"

#: Where the parts of an encrypted row begin; a tag has 16 bytes.
FORMAT, KIND, FLAGS, SERIALIZER, CHECKSUM, KEY_ID, NONCE, CIPHERTEXT = 0, 1, 2, 3, 4, 8, 16, 28
TAG = -16
PAST, FAR = {"N": "1"}, {"N": "4000000000"}

Row = Mapping[str, Any]
#: The attributes that are put over those of the row; None takes one away.
Alteration = Callable[[Row], Mapping[str, object]]


def correct_checksum(data: bytes) -> bytes:
    """Correct the checksum, as an attacker who knows the format can."""
    fixed, payload = data[:CHECKSUM], data[KEY_ID:]
    return fixed + zlib.crc32(payload, zlib.crc32(fixed)).to_bytes(4, "big") + payload


def byte(at: int, value: int, *, again: bool) -> Alteration:
    """Set one byte of the data; with a new checksum, if *again*."""

    def altered(row: Row) -> Mapping[str, object]:
        data = bytearray(row["data"]["B"])
        data[at] = value
        return {"data": {"B": correct_checksum(bytes(data)) if again else bytes(data)}}

    return altered


def flip(at: int, mask: int = 1, *, again: bool) -> Alteration:
    """Flip bits of one byte."""
    return lambda row: byte(at, row["data"]["B"][at] ^ mask, again=again)(row)


def both(make: Callable[..., Alteration], *words: int) -> list[Alteration]:
    """Make an alteration without a new checksum, and one with it."""
    return [make(*words, again=again) for again in (False, True)]


def as_data(change: Callable[[bytes], bytes]) -> Alteration:
    """Change the data as a whole."""
    return lambda row: {"data": {"B": change(row["data"]["B"])}}


def to(**attributes: object) -> Alteration:
    """Put attributes over those of the row."""
    return lambda _: attributes


UNKNOWN_FLAGS = [1 << bit for bit in range(8) if 1 << bit > codec.CHUNKS]
KINDS: Mapping[str, tuple[str, list[Alteration]]] = {
    "ciphertext, nonce or tag": (
        NEW_LOGIN,
        [one for at in (NONCE, CIPHERTEXT, TAG, -1) for one in both(flip, at)],
    ),
    "checksum, or anything under it without a new checksum, but format and unknown flags": (
        NEW_LOGIN,
        [
            flip(CHECKSUM, again=False),
            *(flip(at, again=False) for at in (KIND, SERIALIZER, KEY_ID)),
            *(flip(FLAGS, bit, again=False) for bit in (1, 2, 4)),
        ],
    ),
    "length of the data: cut off, or longer": (
        NEW_LOGIN,
        [
            *(as_data(lambda data, end=end: data[:end]) for end in (0, 1, 7, -1)),  # type: ignore[misc]
            *(as_data(lambda data, end=end: correct_checksum(data[:end])) for end in (NONCE, -1)),  # type: ignore[misc]
            as_data(lambda data: data + b"x"),
            as_data(lambda data: correct_checksum(data + b"x")),
        ],
    ),
    "flag of compression or base64, with a new checksum": (
        NEW_LOGIN,
        [flip(FLAGS, flag, again=True) for flag in (codec.COMPRESSED, codec.BASE64)],
    ),
    "flag of a large value, alone": (NEW_LOGIN, both(byte, FLAGS, codec.CHUNKS)),
    "data, revision or expiry: missing, another one, or of another type or length": (
        NEW_LOGIN,
        [
            *(to(**{name: None}) for name in ("data", "rev", "expires")),
            *(to(**{name: {"BOOL": True}}) for name in ("data", "rev", "expires", "prev")),
            to(data={"S": "text"}),
            to(rev={"B": make_rev("birth.token")}),
            to(rev={"S": "odd"}),
            to(rev={"B": b"odd"}),
            to(prev={"B": b"odd"}),
            to(expires=FAR),
            to(expires={"N": "4000000000.5"}),
        ],
    ),
    "copied from another id": (NEW_LOGIN, []),
    "kind or serializer, with a new checksum": (
        EMPTY,
        [
            *(byte(KIND, kind, again=True) for kind in (codec.VALUE, codec.TOMBSTONE, 0)),
            *(byte(SERIALIZER, name, again=True) for name in (codec.PICKLE, codec.JSON, 9)),
        ],
    ),
    "expiry: one that has passed, without a new seal": (EMPTY, [to(expires=PAST)]),
    "format": (ERROR, [one for version in (0, 2, 255) for one in both(byte, FORMAT, version)]),
    "flags that no release writes": (
        ERROR,
        [one for flag in [*UNKNOWN_FLAGS, codec.CHUNKS] for one in both(flip, FLAGS, flag)],
    ),
    "id of the encryption key, with a new checksum": (ERROR, [flip(KEY_ID, again=True)]),
    "flag of encryption removed, or a row without encryption": (
        ERROR,
        [flip(FLAGS, codec.ENCRYPTED, again=True)],
    ),
    "previous revisions (`prev`), or an attribute that is not ours": (
        NOTHING,
        [to(prev={"B": b"token"}), to(prev=None), to(theirs={"S": "x"})],
    ),
}


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Return a site as the page describes it."""
    options = {"encryption_keys": KEY, "invalidate_corrupt": True, "data_serializer": "json"}
    return Site.create(dynamodb_local, table_name, **options)


def outcome(site: Site, user: Browser, before: str) -> str:
    """Make two requests, reading and writing, and return what happens to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = site.visit(user, contents).said
        except UnknownFormat:
            with pytest.raises(UnknownFormat):  # nor does a save replace it
                site.visit(user, put(user="bob"))
            return ERROR
        site.visit(user, put(seen=True))
    if found:
        assert (found, user.id) == ({"user": "ann"}, before)
        return NOTHING
    return EMPTY if user.id == before else NEW_LOGIN


def alterations(site: Site, name: str) -> list[Alteration]:
    """Give a kind's members, and those that take a second row."""
    mine = list(KINDS[name][1])
    if name == "copied from another id":
        row = site.row(site.begin_session(user="admin")) or {}
        mine.append(to(**{one: row[one] for one in ("data", "rev", "expires")}))
    if "without encryption" in name:
        row = site.row(site.with_(encryption_keys="none").begin_session(user="admin")) or {}
        mine.append(to(data=row["data"]))
    return mine


@pytest.mark.parametrize("name", KINDS)
def test_an_altered_row_costs_its_user_what_the_page_says(name: str, site: Site) -> None:
    """Neither more nor less, for every member of the kind."""
    for alter in alterations(site, name):
        user = site.begin_session(user="ann")
        site.plant(user, **alter(site.row(user) or {}))

        assert outcome(site, user, user.id) == KINDS[name][0]


@pytest.mark.parametrize("name", [name for name, (what, _) in KINDS.items() if what == ERROR])
def test_an_error_page_ends_when_the_row_is_repaired_deleted_or_expires(
    name: str, site: Site
) -> None:
    """Then the user is still logged in, if the row is."""
    for alter in alterations(site, name):
        user = site.begin_session(user="ann")
        row = site.row(user) or {}
        site.plant(user, **alter(row))
        assert outcome(site, user, user.id) == ERROR
        site.plant(user, **row)
        assert outcome(site, user, user.id) == NOTHING
        site.plant(user, **alter(row), expires=PAST)
        assert outcome(site, user, user.id) == EMPTY
        site.plant(user, **alter(row), expires=FAR)
        assert outcome(site, user, user.id) == ERROR
        given = (f"table={site.table}", f"endpoint_url={site.url}", f"encryption_keys={KEY}")
        words = [word for one in given for word in ("-o", one)]
        assert main(["sessions", "delete", user.id, *words, "--quiet"]) == 0
        assert outcome(site, user, user.id) == EMPTY


def test_the_page_names_every_kind_with_what_comes_of_it() -> None:
    """No other row, and no other promise."""
    text = DOCUMENT.read_text("utf-8").partition("## What an altered row costs its user")[2]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text.partition("\n## ")[0], re.MULTILINE)

    assert dict(rows[1:]) == {name: what for name, (what, _) in KINDS.items()}
    assert rows[0] == ("altered", "the user gets")
