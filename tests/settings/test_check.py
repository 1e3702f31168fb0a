"""`check(settings)` raises at an application's start what the first login would raise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from paste.deploy import loadfilter

from beaker_dynamodb import OptionError, check, configure
from tests.instruments import Recorder

OURS: Final[dict[str, Any]] = {"session.type": "ext:dynamodb"}
REGION: Final[dict[str, Any]] = {"cache.regions": "short", "cache.short.type": "ext:dynamodb"}


def list_mistakes(settings: dict[str, Any]) -> list[str]:
    """Return the lines of the error that `check` raises, without its first one."""
    try:
        check(settings)
    except OptionError as error:
        first, *lines = str(error).split("\n")
        count = "is a mistake" if len(lines) == 1 else f"are {len(lines)} mistakes"
        assert first == f"there {count}:"
        return [line.strip() for line in lines]
    return []


def fail_to_make_client() -> None:
    """Be a factory that needs the network."""
    raise AssertionError("a check called the factory of option 'client'")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mako.directories": "x", "pyramid.includes": "pyramid_beaker"},
        {"session.type": "file", "session.tabel": "x", "session.data_dir": "/tmp/s"},  # noqa: S108
        {"session.type": "ext:database", "session.table_name": "db_session", "session.ttl": "x"},
        {"session.tabel": "x"},
        {"cache.type": "ext:memcached", "cache.url": "127.0.0.1:11211", "cache.ttl": "x"},
        {"cache.type": "memory", "cache.key_length": "long", "cache.tabel": "x"},
        {"cache.regions": "short", "cache.short.type": "memory", "cache.short.tabel": "x"},
        {**OURS, "session.table": "tab", "session.timeout": 3600, "session.secret": "s"},
        {"beaker.session.type": "dynamodb", "beaker.session.table": "tab", "debug": True},
        {**OURS, "session.socket_timeout": "5", "session.url": "redis://127.0.0.1/0"},
        {**OURS, "session.time_out": "", "session.hosts": ["a"], "session.zzzz": 1},
        {**OURS, "session.ids": "x", "session.requests": 1},
        {**REGION, "cache.short.url": "dynamodb://eu-west-1/tab"},
        {**OURS, "session.special_keys": [("userId", "S")], "session.session_class": dict},
    ],
)
def test_settings_without_a_mistake_of_ours_pass(settings: dict[str, Any]) -> None:
    """Those of other backends, whatever they hold, are not this package's to judge."""
    check(settings)


@pytest.mark.parametrize(
    ("settings", "mistakes"),
    [
        (
            {**OURS, "session.tabel": "x"},
            ["session.tabel: unknown option 'tabel'; did you mean 'table'?"],
        ),
        (
            {**OURS, "session.tabel": "x", "session.time_out": 60, "session.secrte": "x"},
            [
                "session.tabel: unknown option 'tabel'; did you mean 'table'?",
                "session.time_out: not read by anything; did you mean session.timeout?",
                "session.secrte: not read by anything; did you mean session.secret?",
            ],
        ),
        (
            {**OURS, "session.session_class": "beaker_dynamodb.StrictSession"},
            ["session.session_class: Beaker expects a class, not a text: set it in the applic"],
        ),
        (
            {"beaker.session.type": "dynamodb", "beaker.session.htponly": False},
            ["beaker.session.htponly: not read by anything; did you mean beaker.session.httponly?"],
        ),
        (
            {**REGION, "cache.short.url": "dynamodb://eu-west-1/tab", "cache.short.expires": 60},
            ["cache.short.expires: not read by anything; did you mean cache.short.expire?"],
        ),
        (
            {**OURS, "beaker.session.ttl": "soon"},
            ["beaker.session.ttl: option 'ttl' has 'soon'; expected"],
        ),
        (
            {**OURS, "session.timeout": "1h"},
            [
                (
                    "session.timeout: Beaker refuses it at start-up: Session timeout must be an"
                    " integer of seconds, such as 1800"
                )
            ],
        ),
        (
            {**OURS, "session.data_serializer": "jsn"},
            [
                (
                    "session.data_serializer: Beaker refuses it with the first session: expected"
                    " json or pickle"
                )
            ],
        ),
        (
            {**OURS, "session.read_capacity_units": "5"},
            ["session.read_capacity_units: options 'read_capacity_units' and"],
        ),
        (
            {"session.type": "ext:dynamo"},
            ["session.type: Beaker has no backend 'ext:dynamo'; did you mean 'ext:dynamodb'?"],
        ),
        (
            {"cache.type": "dynamo", "cache.regions": "a, b"},
            ["cache.type: Beaker has no backend 'dynamo'; did you mean 'dynamodb'?"],
        ),
        (
            {**OURS, "session.migrate_from": "redis"},
            ["option 'migrate_from': Beaker knows no backend 'redis'; did you mean 'ext:redis'?"],
        ),
        (
            {"cache.type": "ext:dynamodb", "cache.serializer": "myapp:none"},
            ["option 'serializer' has 'myapp:none'; expected"],
        ),
        (
            {"cache.type": "ext:dynamodb", "cache.key_length": "long"},
            ["Beaker refuses the cache settings: key_length must be an integer which"],
        ),
        (
            {**REGION, "cache.short.lock": "tabel", "cache.short.url": "dynamodb://eu-west-1"},
            ["cache.short.lock: option 'lock' has 'tabel'; expected table or process"],
        ),
        (
            {
                **OURS,
                **REGION,
                "session.url": "dynamodb://r/tab?ttl=x",
                "cache.short.stale_four": 5,
            },
            [
                "session.url: option 'ttl' set in option 'url' has 'x'; expected",
                "cache.short.stale_four: unknown option 'stale_four'; did you mean 'stale_for'?",
            ],
        ),
    ],
)
def test_every_mistake_is_named_with_its_setting(
    settings: dict[str, Any], mistakes: list[str]
) -> None:
    """One error holds them all, so that one start is enough to find them."""
    found = list_mistakes(settings)

    assert [line[: len(begin)] for line, begin in zip(found, mistakes, strict=True)] == mistakes


def test_a_mistake_of_the_process_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment and configure() count for the sessions and for each cache alike."""
    monkeypatch.setenv("BEAKER_DYNAMODB_MAX_ATTEMPTS", "many")

    (found,) = list_mistakes({**OURS, **REGION})
    assert found.startswith(
        "option 'max_attempts' set by environment variable BEAKER_DYNAMODB_MAX_ATTEMPTS has 'many'"
    )
    monkeypatch.delenv("BEAKER_DYNAMODB_MAX_ATTEMPTS")
    configure(migrate_from="redis")
    (found,) = list_mistakes({**OURS, **REGION})
    assert "'migrate_from' is set by configure()" in found


def test_a_secret_is_not_in_the_error() -> None:
    """What is raised at the start is in the log of every deployment."""
    key = "c2VjcmV0IGtleQ"
    (found,) = list_mistakes({**OURS, "session.encryption_keys": key})

    assert found.startswith("session.encryption_keys: ")
    assert key not in found


def test_a_check_makes_no_call(calls: Recorder) -> None:
    """An application starts while DynamoDB is down, and without credentials."""
    path = f"{__name__}:fail_to_make_client"
    check({**OURS, "cache.type": "ext:dynamodb", "session.client": path})

    assert calls.names == []


@pytest.mark.parametrize("option", ["session.client", "cache.client", "cache.serializer"])
@pytest.mark.parametrize(
    "path", ["no_such_package.aws:make", f"{__name__}:no_such_name", "no_such_name"]
)
def test_a_dotted_path_that_leads_nowhere_is_a_mistake(option: str, path: str) -> None:
    """The application imports it at its first request, which would fail."""
    name = option.partition(".")[2]
    (found,) = list_mistakes({option.replace(name, "type"): "ext:dynamodb", option: path})

    assert f"option '{name}' has '{path}'; expected " in found


def test_a_check_does_not_import_boto3() -> None:
    """So gevent may patch the standard library after it."""
    script = (
        "import sys, beaker_dynamodb as package\n"
        f"package.check({ {**OURS, 'cache.type': 'ext:dynamodb'} })\n"
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore', 'click')))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_a_paste_filter_with_a_mistake_does_not_start(tmp_path: Path) -> None:
    """`use = egg:beaker-dynamodb` checks its section by itself."""
    ini = tmp_path / "site.ini"
    ini.write_text(
        "[filter:main]\nuse = egg:beaker-dynamodb\nsession.type = ext:dynamodb\n"
        "session.tabel = x\nsession.ttl = soon\nsession.time_out = 60\n"
    )

    with pytest.raises(OptionError, match="there are 3 mistakes:") as caught:
        loadfilter(f"config:{ini}")
    assert f"unknown option 'tabel' in line 4 of {ini}" in str(caught.value)
    assert f"option 'ttl' in line 5 of {ini} has 'soon'" in str(caught.value)
    assert f"line 6 of {ini} is not read by anything; did you mean session.t" in str(caught.value)


def test_a_line_is_named_only_if_no_other_can_be_meant(tmp_path: Path) -> None:
    """The settings do not tell their section."""
    path = tmp_path / "site.ini"
    path.write_text(
        "[DEFAULT]\nsession.lock_wait = %(wait)s\nwait = long\n[app:a]\nsession.ttl = soon\n"
        "[app:b]\nsession.ttl = soon\nset session.touch_after = late\n"
    )
    values = {"ttl": "soon", "lock_wait": "long", "touch_after": "late", "read_timeout": "x"}
    settings = {**OURS, "__file__": str(path), **{f"session.{n}": values[n] for n in values}}

    assert [one.split(" has ")[0] for one in list_mistakes(settings)] == [
        "session.ttl: option 'ttl'",
        f"session.lock_wait: option 'lock_wait' in line 2 of {path}",
        f"session.touch_after: option 'touch_after' in line 8 of {path}",
        "session.read_timeout: option 'read_timeout'",
    ]


@pytest.mark.parametrize("file", ["", "/no/such/file.ini", "x\0", None, 7])
def test_a_file_that_cannot_be_read_changes_nothing(file: object) -> None:
    """An application may have been started from anything."""
    (found,) = list_mistakes({**OURS, "__file__": file, "session.ttl": "soon"})

    assert found.startswith("session.ttl: option 'ttl' has 'soon'")


def test_a_missing_extra_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first login would be the error that names it."""
    settings = {**OURS, "session.endpoint_url": "embedded"}
    assert not list_mistakes(settings)
    monkeypatch.setitem(sys.modules, "moto", None)

    (mistake,) = list_mistakes(settings)
    assert mistake.startswith(
        "session.endpoint_url: option endpoint_url = embedded needs the extra"
    )
