"""The table in docs/security.md: what an attacker can do, and which option prevents it.

Each attack is tried twice: without the option, where it succeeds, and with it.
"""

from __future__ import annotations

import base64
import json
import warnings
import zlib
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import DynamoDBBackendError
from tests.sessions.overlap import COOKIE, Browser, Site
from tests.sessions.views import contents, put

KEY = base64.b64encode(b"k" * 32).decode()
SECRET = "s" * 32


@pytest.fixture(name="make")
def make_(dynamodb_local: str, table_name: str) -> Any:
    """Make a site with some options; one a test."""
    return lambda **options: Site.create(dynamodb_local, table_name, **options)


def stolen_row(site: Site, user: Browser) -> dict[str, dict[str, Any]]:
    """Read a user's row, as an attacker with access to the table."""
    row = site.row(user)
    assert row is not None
    return row


def read_session(site: Site, browser: Browser) -> dict[str, Any]:
    """Return what a browser finds in its session; nothing, if the site refuses the row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found: dict[str, Any] = site.visit(browser, contents).said
        except DynamoDBBackendError:
            return {}
    return found


# Who reads the table


@pytest.mark.parametrize(("options", "readable"), [({}, True), ({"encryption_keys": KEY}, False)])
def test_a_reader_of_the_table_reads_sessions_unless_they_are_encrypted(
    make: Any, options: dict[str, object], readable: bool
) -> None:
    """The row of a JSON session holds its text, compressed at most, unless it is encrypted."""
    site = make(data_serializer="json", compress=False, **options)
    row = stolen_row(site, site.begin_session(card="4111"))
    data = row["data"]["B"][8:]
    text = zlib.decompress(data) if data[:1] == b"\x78" else data

    assert (b"4111" in text) is readable


def test_special_keys_stand_in_clear_though_the_rest_is_encrypted(make: Any) -> None:
    """An index must be able to find them."""
    site = make(encryption_keys=KEY, special_keys="userId:S")
    row = stolen_row(site, site.begin_session(userId="u1"))

    assert row["userId"] == {"S": "u1"}


@pytest.mark.parametrize(
    ("options", "works"), [({}, True), ({"secret": SECRET}, False), ({"hash_ids": True}, False)]
)
def test_a_key_of_the_table_is_a_cookie_unless_cookies_are_signed_or_ids_hashed(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """An unsigned cookie holds nothing but the id, which is in the table."""
    site = make(**options)
    user = site.begin_session(user="ann")
    (row,) = rows(site)
    stolen = Browser(f"{COOKIE}={row['id']['S'].removeprefix('sess:')}")

    assert read_session(site, user) == {"user": "ann"}
    assert (read_session(site, stolen) == {"user": "ann"}) is works


def rows(site: Site) -> list[dict[str, Any]]:
    """Read the whole table."""
    client: Any = site.options["client"]
    found: list[dict[str, Any]] = client.scan(TableName=site.table)["Items"]
    return found


# Who writes the table


@pytest.mark.parametrize(("options", "works"), [({}, True), ({"encryption_keys": KEY}, False)])
def test_a_writer_of_the_table_makes_himself_a_login_unless_rows_are_encrypted(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """A row by hand, with a right checksum, is a session like any other; not without the key."""
    site = make(data_serializer="json", **options)
    user = site.begin_session(user="ann")
    payload = zlib.compress(json.dumps({"user": "root", "_creation_time": 1}).encode())
    header = bytes((1, ord("S"), 4, 0))
    forged = header + zlib.crc32(payload, zlib.crc32(header)).to_bytes(4, "big") + payload
    site.plant(user, data={"B": forged})

    assert (read_session(site, user) == {"user": "root"}) is works


@pytest.mark.parametrize(("options", "works"), [({}, True), ({"encryption_keys": KEY}, False)])
def test_a_writer_of_the_table_copies_a_login_to_his_own_id_unless_rows_are_encrypted(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """The bytes are bound to their row."""
    site = make(**options)
    admin, mallory = site.begin_session(user="admin"), site.begin_session(user="mallory")
    row = stolen_row(site, admin)
    site.plant(mallory, data=row["data"], rev=row["rev"], expires=row["expires"])

    assert (read_session(site, mallory) == {"user": "admin"}) is works


@pytest.mark.parametrize(("options", "works"), [({}, True), ({"encryption_keys": KEY}, False)])
def test_a_writer_of_the_table_keeps_a_login_alive_unless_rows_are_encrypted(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """The expiry is bound to the bytes too."""
    site = make(**options)
    user = site.begin_session(user="ann")
    site.plant(user, expires={"N": "4000000000"})

    assert (read_session(site, user) == {"user": "ann"}) is works


def test_an_old_row_put_back_into_its_place_opens(make: Any) -> None:
    """Encryption does not prevent a rollback, as the page says."""
    site = make(encryption_keys=KEY)
    user = site.begin_session(role="admin")
    before = stolen_row(site, user)
    site.visit(user, put(role="guest"))
    site.plant(user, **{name: before[name] for name in ("data", "rev", "expires")})

    assert read_session(site, user) == {"role": "admin"}


# Who has or forges a cookie


@pytest.mark.parametrize(
    ("options", "works"), [({}, True), ({"session_class": StrictSession}, False)]
)
def test_a_stolen_cookie_outlives_invalidate_unless_sessions_are_strict(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """Beaker's `invalidate()` leaves the old row; `StrictSession` removes it."""
    site = make(**options)
    user = site.begin_session(user="ann")
    thief = user.also()
    site.visit(user, lambda session: session.invalidate())

    assert (read_session(site, thief) == {"user": "ann"}) is works


def test_a_stolen_cookie_does_not_outlive_delete(make: Any) -> None:
    """A logout is real with every session class."""
    site = make()
    user = site.begin_session(user="ann")
    thief = user.also()
    site.visit(user, lambda session: session.delete())

    assert read_session(site, thief) == {}


@pytest.mark.parametrize(
    ("options", "works"),
    [({}, True), ({"secret": SECRET}, False), ({"session_class": StrictSession}, False)],
)
def test_an_id_of_the_attackers_choice_becomes_a_login_unless_closed(
    make: Any, options: dict[str, object], works: bool
) -> None:
    """Fixation: the victim logs in under an id that the attacker knows."""
    site = make(**options)
    victim, mallory = Browser(f"{COOKIE}=chosen"), Browser(f"{COOKIE}=chosen")
    site.visit(victim, put(user="ann"))

    assert read_session(site, victim) == {"user": "ann"}
    assert (read_session(site, mallory) == {"user": "ann"}) is works
