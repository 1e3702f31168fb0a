"""The sessions of a user in each framework, by the session as that framework has it.

TurboGears and Flask have a proxy, Pyramid an object that loads the session when it is used.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from beaker_dynamodb import StrictSession
from tests.frameworks.test_contract import FRAMEWORKS, Visitor
from tests.sessions import apps
from tests.sessions.devices import (
    CLASSES,
    OPTIONS,
    VIEW,
    View,
    create_table,
    end,
    end_others,
    get_user,
    limit,
    list_devices,
    log_in,
)

DEVICES: Final = ("phone", "laptop", "tv")
Browsers = dict[str, Any]


#: Each framework with Beaker's session class and ours; Flask's sessions are always ours.
SITES: Final = [
    (framework, name)
    for framework in FRAMEWORKS
    for name in CLASSES
    if (framework, name) != ("flask", "Session")
]


@pytest.fixture(params=SITES, ids="-".join)
def site(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Give a framework, and the name of the session class."""
    framework, name = request.param
    return framework, name


@pytest.fixture
def session_class(site: tuple[str, str]) -> Any:
    """Give the session class."""
    return CLASSES[site[1]]


@pytest.fixture
def browsers(
    site: tuple[str, str], session_class: Any, dynamodb_local: str, table_name: str
) -> Browsers:
    """Sign a user in on three devices, at one framework's site after the other."""
    create_table(dynamodb_local, table_name)
    more: dict[str, Any] = {f"session.{name}": value for name, value in OPTIONS.items()}
    if session_class is StrictSession:  # Beaker's own is the default
        more["session.session_class"] = session_class
    found: Browsers = {}
    for name in DEVICES:
        found[name] = Visitor(site[0], dynamodb_local, table_name, **more).web
        view(found, name, log_in(name))
    return found


def view(browsers: Browsers, device: str, function: View) -> Any:
    """Send a request from a device; return what the function returns for the session."""
    return browsers[device].get("/view", extra_environ={VIEW: function}).json["result"]


def list_signed_in(browsers: Browsers) -> list[str]:
    """Return the devices on which the user is signed in."""
    return [name for name in browsers if view(browsers, name, get_user) is not None]


def test_a_user_lists_and_ends_devices(browsers: Browsers) -> None:
    """Each is listed once, one of them as this one; the one that ends cannot be ended again."""
    found = view(browsers, "phone", list_devices)
    assert sorted(one["device"] for one in found) == sorted(DEVICES)
    assert [one["device"] for one in found if one["is_current"]] == ["phone"]

    (handle,) = (one["handle"] for one in found if one["device"] == "tv")
    results = [view(browsers, "phone", end(handle)) for _ in range(2)]

    assert results == [True, False]
    assert list_signed_in(browsers) == ["phone", "laptop"]


def test_a_user_logs_out_by_the_list(browsers: Browsers) -> None:
    """The framework does not save the session that it has at hand once more."""
    (own,) = (one for one in view(browsers, "phone", list_devices) if one["is_current"])

    assert view(browsers, "phone", end(own["handle"])) is True
    assert list_signed_in(browsers) == ["laptop", "tv"]


def test_a_password_change_ends_the_others_and_is_repeated(
    browsers: Browsers, dynamodb_local: str, table_name: str
) -> None:
    """The page only reads the session otherwise; the note for the repetition is stored."""
    assert view(browsers, "phone", end_others) == 2

    assert list_signed_in(browsers) == ["phone"]
    (row,) = (row for row in apps.rows_of(dynamodb_local, table_name) if "userId" in row)
    assert row["pending"]["S"].endswith(" userId")


def test_a_login_limits_the_devices(browsers: Browsers) -> None:
    """The session at hand is one of those that are left."""
    assert view(browsers, "phone", limit(1)) == 2
    assert list_signed_in(browsers) == ["phone"]


def test_a_new_id_and_the_end_of_the_others_go_together(
    browsers: Browsers, session_class: Any, dynamodb_local: str, table_name: str
) -> None:
    """As after a password change; the note is in the row of the new id.

    Beaker's own class leaves the row of the old id signed in, so that is one of the others.
    """

    def change_password(session: Any) -> int:
        session.regenerate_id()
        return end_others(session)

    others = 2 if session_class is StrictSession else 3
    assert view(browsers, "phone", change_password) == others

    assert list_signed_in(browsers) == ["phone"]
    rows = [row for row in apps.rows_of(dynamodb_local, table_name) if "userId" in row]
    assert [row["device"]["S"] for row in rows] == ["phone"]
    assert rows[0]["pending"]["S"].endswith(" userId")
