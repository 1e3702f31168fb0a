"""Where an option comes from, and which of several sources wins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

import beaker_dynamodb
from beaker_dynamodb.config.names import BEAKER_OPTIONS
from beaker_dynamodb.config.options import OPTIONS
from beaker_dynamodb.config.sources import configure, parse
from beaker_dynamodb.errors import OptionError

#: What SessionMiddleware, pyramid_beaker and CacheManager pass to every backend (Beaker 1.14).
PASSED: Mapping[str, object] = {
    "auto": True,
    "cache_regions": {},
    "class": dict,
    "constant_csrf_token": False,
    "cookie_on_exception": True,
    "data_dir": "/tmp/data",  # noqa: S108
    "digest_filenames": False,
    "enabled": "true",
    "expire": "300",
    "key_length": 250,
    "lock_dir": "/tmp/lock",  # noqa: S108
    "log_file": None,
    "namespace_class": dict,
    "regions": "short, long",
    "session_class": dict,
    "timeout": 720,
    "type": "ext:dynamodb",
    "use_cookies": True,
    "webtest_varname": "session",
    "session.table": "seconds",
    "cache.tabel": "x",
    "beaker.session.type": "x",
}


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that were logged."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", PASSED)
def test_beakers_own_options_are_left_out(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """They are neither options nor errors, and are not logged."""
    assert parse({name: PASSED[name], "table": "tab"}, "session").table == "tab"
    assert warnings_of(caplog) == []


def test_every_option_of_beaker_is_tried() -> None:
    """The table above has each name of BEAKER_OPTIONS, and no other."""
    assert {name for name in PASSED if "." not in name} == BEAKER_OPTIONS
    assert not BEAKER_OPTIONS & {"url", *OPTIONS}


URL = "dynamodb://eu-west-1/in-url"
LAYERS: list[tuple[dict[str, object], dict[str, object], dict[str, str], str]] = [
    # The options that are given, those of configure(), and those of the environment.
    ({}, {}, {}, "sessions"),
    ({}, {}, {"URL": "dynamodb://r/env-url"}, "env-url"),
    ({}, {}, {"URL": "dynamodb://r/env-url", "TABLE": "env"}, "env"),
    ({}, {}, {"TABLE_NAME": "env-alias"}, "env-alias"),
    ({}, {}, {"TABLE_NAME": "env-alias", "TABLE": "env"}, "env"),
    ({}, {"url": "dynamodb://r/conf-url"}, {"TABLE": "env"}, "conf-url"),
    ({}, {"table": "conf", "url": "dynamodb://r/conf-url"}, {"TABLE": "env"}, "conf"),
    ({}, {"table_name": "conf-alias"}, {"TABLE": "env"}, "conf-alias"),
    ({"url": URL}, {"table": "conf"}, {"TABLE": "env"}, "in-url"),
    ({"url": URL, "table": "given"}, {"table": "conf"}, {"TABLE": "env"}, "given"),
    ({"url": URL, "table_name": "alias"}, {"table": "conf"}, {}, "alias"),
    ({"table_name": "alias", "table": "given"}, {}, {}, "given"),
    ({"table": "given", "table_name": "alias"}, {}, {}, "given"),
    ({"url": URL + "?table=query"}, {}, {}, "query"),
    ({"table": None}, {"table": "conf"}, {}, "conf"),
    ({"table": ""}, {"table": None}, {"TABLE": "env"}, "env"),
    ({"url": None}, {"url": ""}, {"TABLE": ""}, "sessions"),
    ({"url": "redis://r/other"}, {"table": "conf"}, {}, "conf"),
]


@pytest.mark.parametrize(("given", "defaults", "environment", "expected"), LAYERS)
def test_later_sources_override_earlier_ones(
    given: dict[str, object],
    defaults: dict[str, Any],
    environment: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The option itself, then `url`, then `configure()`, then the environment, then the default."""
    for name, value in environment.items():
        monkeypatch.setenv(f"BEAKER_DYNAMODB_{name}", value)
    configure(**defaults)

    assert parse(given, "session").table == expected


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_read_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`BEAKER_DYNAMODB_<OPTION>` is parsed as a string in an ini file is."""
    monkeypatch.setenv(f"BEAKER_DYNAMODB_{name.upper()}", "some:thing:")
    try:
        outcome = getattr(parse({}, "session"), name)
    except OptionError as error:
        outcome = str(error)

    assert outcome == "some:thing:" or f"'{name}'" in outcome


@pytest.mark.parametrize(
    ("alias", "name"),
    [("table_name", "table"), ("region_name", "region"), ("profile_name", "profile")],
)
def test_boto3s_names_are_aliases(alias: str, name: str) -> None:
    """They set the same options; an error has the option's own name."""
    assert getattr(parse({alias: "xyz"}, "session"), name) == "xyz"
    with pytest.raises(OptionError, match=f"'{name}'"):
        parse({alias: 5}, "session")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("tabel", "table"),
        ("Table", "table"),
        ("tablename", "table_name"),
        ("reigon", "region"),
        ("endpoint", "endpoint_url"),
        ("specialkeys", "special_keys"),
        ("special_key", "special_keys"),
        ("hashKey", "hash_key"),
        ("encryption_key", "encryption_keys"),
        ("on_conflicts", "on_conflict"),
        ("touchafter", "touch_after"),
    ],
)
def test_a_misspelled_option_is_an_error(typed: str, nearest: str) -> None:
    """The error suggests the nearest option."""
    with pytest.raises(OptionError) as caught:
        parse({typed: "x"}, "session")

    assert str(caught.value) == f"unknown option {typed!r}; did you mean {nearest!r}?"


def test_an_unknown_option_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is close to none of ours is ignored; later requests do not log it again."""
    for count in range(3):
        assert parse({"something_else": count, "table": "tab"}, "session").table == "tab"

    assert len(warnings_of(caplog)) == 1
    assert "'something_else'" in warnings_of(caplog)[0]


def test_a_misspelled_environment_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error suggests the nearest variable."""
    monkeypatch.setenv("BEAKER_DYNAMODB_TABEL", "tab")
    with pytest.raises(OptionError) as caught:
        parse({}, "session")

    assert str(caught.value) == (
        "unknown option 'BEAKER_DYNAMODB_TABEL'; did you mean 'BEAKER_DYNAMODB_TABLE'?"
    )


def test_an_unknown_environment_variable_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The line has its name."""
    monkeypatch.setenv("BEAKER_DYNAMODB_SOMETHING_ELSE", "tab")
    for count in range(3):
        parse({"ttl": count + 1}, "session")

    assert [line.rpartition(": ")[2] for line in warnings_of(caplog)] == [
        "'BEAKER_DYNAMODB_SOMETHING_ELSE'"
    ]


@pytest.mark.parametrize(
    "given", [{"serializer": "json"}, {"url": "dynamodb://r/tab?serializer=json"}]
)
def test_option_serializer_is_refused_for_sessions(given: dict[str, object]) -> None:
    """It may be meant as Beaker's option `data_serializer`; a cache accepts it."""
    with pytest.raises(OptionError, match=r"session\.data_serializer"):
        parse(given, "session")
    assert parse({"serializer": "json"}, "cache").serializer == "json"


def test_configure_restores_defaults_at_the_end_of_a_with_block() -> None:
    """Without a block, the defaults hold until `reset()`."""
    configure(table="lasting")
    with configure(table="inner", ttl=5):
        with configure(ttl=6):
            assert (parse({}, "session").table, parse({}, "session").ttl) == ("inner", 6)
        assert parse({}, "session").ttl == 5
    assert parse({}, "session").table == "lasting"
    with pytest.raises(RuntimeError), configure(table="failing"):
        raise RuntimeError
    assert parse({}, "session").table == "lasting"
    beaker_dynamodb.reset()
    assert parse({}, "session").table == "sessions"


@pytest.mark.parametrize("bad", [{"ttl": "x"}, {"tabel": "x"}, {"url": "dynamodb://a/b/c"}])
def test_configure_refuses_invalid_defaults_at_once(bad: dict[str, Any]) -> None:
    """It raises before the first request, and the defaults are as before."""
    configure(table="before")
    with pytest.raises(OptionError):
        configure(**bad)

    assert parse({}, "session").table == "before"


def test_1_and_true_are_different_values() -> None:
    """1, True and 1.0 are equal in Python, but only 1 is a whole number."""
    assert parse({"max_attempts": 1}, "session").max_attempts == 1
    assert parse({"max_attempts": "1"}, "session").max_attempts == 1
    for bad in (True, 1.0):
        with pytest.raises(OptionError):
            parse({"max_attempts": bad}, "session")
    assert parse({"compress": 1}, "session").compress is True
