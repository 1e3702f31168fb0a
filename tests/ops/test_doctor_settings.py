"""What the doctor's checks decide: each with facts in which it finds something, and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.ops.application import Application
from beaker_dynamodb.ops.doctor import beakers, settings
from beaker_dynamodb.ops.doctor.finding import Finding

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FAR = {"region": "eu-central-1"}


def told(given: dict[str, Any], kind: Kind = "session", **beaker: Any) -> Application:
    """Make an application out of our options and Beaker's settings."""
    return Application(parse({**FAR, **given}, kind), kind, {**given, **beaker}, "app.ini")


def lines(found: Iterator[Finding]) -> list[str]:
    """Write what is not well, as severity and matter."""
    return [f"{one.severity} {one.check}" for one in found if one.severity != "ok"]


# Options: the check, what it finds in, what it does not find in

OPTIONS: tuple[tuple[settings.Check, Application, str, Application], ...] = (
    (settings.touches, told({"touch_after": "0"}), "note touch_after", told({})),
    (
        settings.touches,
        told({"touch_after": "10m"}, timeout="3600"),
        "note touch_after",
        told({"touch_after": "5m"}, timeout="3600"),
    ),
    (settings.lifetimes, told({"ttl": "0"}), "warning ttl", told({}, timeout="600")),
    (settings.lifetimes, told({}), "note timeout", told({}, "cache")),
    (settings.waiting, told({"read_timeout": "20"}), "warning time-outs", told({})),
    (settings.waiting, told({"max_attempts": "9"}), "warning time-outs", told({})),
    (settings.waiting, told({"lock_wait": "30s"}, "cache"), "warning lock_wait", told({}, "cache")),
    (
        settings.waiting,
        told({"lock_lease": "25s"}, "cache"),
        "note lock_lease",
        told({"lock_lease": "25s"}),
    ),
    (
        settings.places,
        told({"endpoint_url": "embedded"}),
        "warning endpoint_url",
        told({"endpoint_url": "https://vpce.example.org"}),
    ),
    (
        settings.places,
        told({"endpoint_url": "http://localhost:8000"}),
        "note endpoint_url",
        told({}),
    ),
    (settings.places, told({"endpoint_url": "http://db.lan"}), "warning endpoint_url", told({})),
    (
        settings.places,
        told({"aws_access_key_id": "a", "aws_secret_access_key": "b"}),
        "warning credentials",
        told({}),
    ),
    (settings.conflicts, told({"on_conflict": "overwrite"}), "note on_conflict", told({})),
    (settings.conflicts, told({"envelope": "none"}), "note envelope", told({})),
    (
        settings.conflicts,
        told({"consistent_read": "false"}),
        "note consistent_read",
        told({}, "cache"),
    ),
    (
        settings.encryption,
        told({"encryption_keys": KEY, "special_keys": "userId"}),
        "note special_keys",
        told({"special_keys": "userId"}),
    ),
    (
        settings.encryption,
        told({"encryption_keys": f"plain {KEY}"}),
        "warning encryption_keys",
        told({"encryption_keys": KEY}),
    ),
    (
        settings.encryption,
        told({"encryption_keys": KEY, "encryption_required": "false"}),
        "warning encryption_required",
        told({"encryption_keys": KEY}),
    ),
    (
        settings.moving,
        told({"migrate_from": "file", "migrate_from.data_dir": "data"}),
        "note migrate_from",
        told({}),
    ),
    (
        beakers.cookie_is_signed,
        told({"prefix": "shop:"}),
        "warning cookie",
        told({}, secret="s" * 16),
    ),
    (
        beakers.cookie_is_signed,
        told({}, secret="replace me"),
        "warning cookie",
        told({}, secret="5" * 32),
    ),
    (
        beakers.cookie_has_flags,
        told({}, httponly="true"),
        "warning cookie",
        told({}, httponly="true", secure="true"),
    ),
    (
        beakers.cookie_has_flags,
        told({}, secure="true"),
        "warning cookie",
        told({"endpoint_url": "embedded"}, httponly="yes"),
    ),
    (
        beakers.cookie_has_flags,
        told({}, secure="true", httponly="true", samesite="None"),
        "warning cookie",
        told({}, secure="true", httponly="true", samesite="Strict"),
    ),
    (
        beakers.access_times,
        told({}, save_accessed_time="false", timeout="600"),
        "error save_accessed_time",
        told({}, save_accessed_time="true", timeout="600"),
    ),
    (
        beakers.access_times,
        told({}, save_accessed_time="false"),
        "note save_accessed_time",
        told({}),
    ),
    (beakers.sessions_open, told({}, encrypt_key="k"), "warning encrypt_key", told({})),
    (
        beakers.opaque_logout,
        told({"migrate_from": "ext:redis"}, encrypt_key="k"),
        "warning migrate_from",
        told({"migrate_from": "ext:redis"}),
    ),
    (
        beakers.opaque_logout,
        told({"migrate_from": "file"}, encrypt_key="k"),
        "warning migrate_from",
        told({"migrate_from": "none"}, encrypt_key="k"),
    ),
    (beakers.pickles, told({}), "note serializer", told({}, data_serializer="json")),
    (beakers.pickles, told({}, "cache"), "note serializer", told({"serializer": "json"}, "cache")),
    (beakers.pickles, told({}), "note serializer", told({"encryption_keys": KEY})),
    (beakers.session_class, told({}, session_class="a.b:C"), "error session_class", told({})),
    (beakers.auto, told({}, auto="true"), "note auto", told({}, auto="false")),
)


@pytest.mark.parametrize(("check", "ill", "line", "well"), OPTIONS)
def test_an_option_that_hurts_is_found(
    check: settings.Check, ill: Application, line: str, well: Application
) -> None:
    """Each check finds one thing in the one, with its remedy, and nothing in the other."""
    found = list(check(ill))

    assert lines(iter(found)) == [line]
    assert lines(check(well)) == []
    assert all(one.remedy for one in found if one.check != "special_keys")


def test_every_check_of_the_options_has_its_cases() -> None:
    """One that is added is tried."""
    assert {*settings.CHECKS, *beakers.CHECKS} == {check for check, *_ in OPTIONS}


def test_two_applications_on_one_table_are_kept_apart_by_something() -> None:
    """The default prefix without a signature is worse than either alone."""
    assert lines(beakers.cookie_is_signed(told({}))) == ["warning cookie", "warning prefix"]


@pytest.mark.parametrize(
    ("given", "pyramid", "line"),
    [
        ({}, True, ["note invalidate_corrupt"]),
        ({}, False, []),
        ({"invalidate_corrupt": "true"}, True, []),
        ({"invalidate_corrupt": "false"}, True, ["note invalidate_corrupt"]),
    ],
)
def test_a_session_that_cannot_be_read_must_not_be_an_error_for_ever(
    given: dict[str, Any], pyramid: bool, line: list[str]
) -> None:
    """pyramid_beaker's default is off; an ini file's `false` is on."""
    assert lines(beakers.corrupt(told({}, **given), pyramid=pyramid)) == line
