"""`cache.*` options that no region reads: named by `check`, copied by `with_cache_defaults`."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import beaker.cache
import pytest
from beaker.cache import CacheManager
from beaker.util import parse_cache_config_options
from pyramid.config import Configurator

from beaker_dynamodb import OptionError, check, with_cache_defaults
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.settings.beaker_settings import find_unread_lines
from tests.servers import KEY, REGION, Flavor, Server

#: The shape that public ini files have: the regions hold a lifetime, and inherit the rest.
SHAPE: Final[dict[str, Any]] = {
    "cache.type": "ext:dynamodb",
    "cache.table": "myapp-cache",
    "cache.region": "eu-west-1",
    "cache.regions": "short, long",
    "cache.short.expire": "60",
    "cache.long.expire": "3600",
    "cache.long.table": "long-cache",
}


def list_unread(settings: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the options that `check` names, and the regions that do not read each."""
    return [(line.option, line.regions) for line in find_unread_lines(settings)]


@pytest.fixture
def no_pyramid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide pyramid_beaker, which hands the url down."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pyramid_beaker" else find(name)
    )


def test_each_unread_line_is_named_with_the_line_to_write() -> None:
    """Beaker hands the type down, so the region uses this backend, with its default table."""
    assert list_unread(SHAPE) == [("table", ("short",)), ("region", ("short", "long"))]
    with pytest.raises(OptionError) as caught:
        check(SHAPE)

    why = "Beaker hands down the type, not this option; write"
    other = ", or check what with_cache_defaults() returns"
    assert str(caught.value) == (
        "there are 2 mistakes:"
        f"\n  cache.table: not read by the cache region short: {why} cache.short.table ="
        f" myapp-cache{other}\n  cache.region: not read by the cache regions short, long: {why}"
        f" cache.short.region = eu-west-1, cache.long.region = eu-west-1{other}"
    )


@pytest.mark.parametrize(
    ("settings", "unread"),
    [
        ({**SHAPE, "cache.short.type": "memory", "cache.long.type": "memory"}, []),
        ({**SHAPE, "cache.short.table": "a", "cache.regions": "short"}, ["region"]),
        ({**SHAPE, "cache.short.table_name": "a", "cache.regions": "short"}, ["region"]),
        (
            {**SHAPE, "cache.short.url": "dynamodb://eu-west-1/tab", "cache.regions": "short"},
            [],
        ),
        (
            {**SHAPE, "cache.short.url": "dynamodb://eu-west-1/", "cache.regions": "short"},
            ["table"],
        ),
        ({**SHAPE, "cache.short.url": "dynamodb:/", "cache.regions": "short"}, ["table", "region"]),
        ({name: value for name, value in SHAPE.items() if name != "cache.regions"}, []),
        (
            {
                "beaker.cache.regions": "short",
                "beaker.cache.type": "dynamodb",
                "beaker.cache.endpoint_url": "http://127.0.0.1:8000",
            },
            ["endpoint_url"],
        ),
        (
            {"cache.regions": "short", "cache.short.type": "dynamodb", "cache.table_name": "tab"},
            ["table"],
        ),
        # Options of the global type's own backend.
        (
            {
                "cache.type": "ext:database",
                "cache.table_name": "beaker_cache",
                "cache.url": "sqlite:///cache.db",
                "cache.regions": "short",
                "cache.short.type": "ext:dynamodb",
            },
            [],
        ),
        ({"cache.regions": "a", "cache.a.type": "dynamodb", "cache.url": "redis://h/0"}, []),
    ],
)
def test_only_what_a_region_of_ours_has_not_itself_is_unread(
    settings: dict[str, Any], unread: list[str]
) -> None:
    """A line of the region's own, or its url, is what it reads."""
    assert [option for option, _ in list_unread(settings)] == unread


@pytest.mark.usefixtures("no_pyramid")
def test_a_global_url_is_read_under_pyramid_beaker_alone() -> None:
    """Beaker's own middleware and TurboGears do not hand it down."""
    url = {"cache.url": "dynamodb://eu-west-1/tab", "cache.type": "dynamodb", "cache.regions": "a"}

    assert list_unread(url) == [("url", ("a",))]


def test_where_pyramid_beaker_is_installed_a_global_url_is_read() -> None:
    """Which hands it to every region that has none."""
    settings = {
        "cache.url": "dynamodb://eu-west-1/tab",
        "cache.type": "ext:dynamodb",
        "cache.regions": "a",
    }

    assert list_unread(settings) == []
    assert with_cache_defaults(settings)["cache.a.url"] == settings["cache.url"]


def test_a_secret_is_not_in_the_remedy() -> None:
    """The log of a deployment holds the line, without its value."""
    settings = {
        **SHAPE,
        "cache.aws_access_key_id": "AKIDEXAMPLE",
        "cache.aws_secret_access_key": "wJalrXUtnFEMI",
        "cache.url": "dynamodb://r/tab?aws_secret_access_key=wJalrXUtnFEMI&aws_access_key_id=k",
    }
    with pytest.raises(OptionError) as caught:
        check(settings)

    assert "cache.short.aws_secret_access_key = ..." in str(caught.value)
    assert "wJalrXUtnFEMI" not in str(caught.value) + repr(list(find_unread_lines(settings)))


def test_defaults_are_copied_into_a_copy() -> None:
    """Into regions of ours alone; what a region sets itself stays."""
    settings = {**SHAPE, "cache.regions": "short, long, local", "cache.local.type": "memory"}
    before = dict(settings)
    copied = with_cache_defaults(settings)

    assert settings == before
    assert copied == {
        **settings,
        "cache.short.table": "myapp-cache",
        "cache.short.region": "eu-west-1",
        "cache.long.region": "eu-west-1",
    }
    check(copied)
    assert with_cache_defaults(copied) == copied
    assert with_cache_defaults({"session.type": "file"}) == {"session.type": "file"}


@pytest.fixture
def shape(dynamodb_local: str, table_name: str) -> dict[str, str]:
    """Return the settings of an application with a cache table that does not exist yet."""
    return {
        "cache.type": "ext:dynamodb",
        "cache.table": table_name,
        "cache.region": REGION,
        "cache.endpoint_url": dynamodb_local,
        "cache.range_key": "part",
        "cache.regions": "short",
        "cache.short.expire": "60",
    }


def use_beaker(settings: dict[str, Any]) -> dict[str, Any]:
    """Configure the regions as Beaker's middleware and TurboGears do."""
    manager = CacheManager(**parse_cache_config_options(settings))
    assert manager
    return beaker.cache.cache_regions["short"]  # type: ignore[no-any-return]


def use_pyramid(settings: dict[str, Any]) -> dict[str, Any]:
    """Configure the regions as `config.include("pyramid_beaker")` does."""
    with Configurator(settings={"session.type": "memory", **settings}) as config:
        config.include("pyramid_beaker")
    return beaker.cache.cache_regions["short"]  # type: ignore[no-any-return]


@pytest.fixture(params=[use_beaker, use_pyramid])
def configure_regions(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what configures the regions; they are the process's, and restored after the test."""
    monkeypatch.setattr(beaker.cache, "cache_regions", {})
    return request.param  # type: ignore[no-any-return]


def test_with_the_defaults_a_region_writes_to_the_table(
    shape: dict[str, str],
    table_name: str,
    dynamodb_local: str,
    configure_regions: Callable[[dict[str, Any]], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without them the frameworks drop every option but the type: the table is not even named."""
    assert "table" not in configure_regions(dict(shape))
    region = configure_regions(with_cache_defaults(shape))
    monkeypatch.setattr(beaker.cache, "cache_managers", {})
    cache = CacheManager(cache_regions={"short": region}).get_cache_region("pages", "short")

    assert cache.get("front", createfunc=lambda: "page") == "page"
    client = Server(dynamodb_local, Flavor.LOCAL).client()
    assert client.scan(TableName=table_name, Select="COUNT")["Count"] == 1


def test_a_table_that_no_option_names_is_in_the_log(
    dynamodb_local: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The region inherited the type alone, and its values went to a table of the default name."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_local)
    local = Server(dynamodb_local, Flavor.LOCAL)
    monkeypatch.setattr(beaker.cache, "cache_managers", {})
    settings = {"cache.type": "ext:dynamodb", "cache.regions": "short", "cache.table": "mine"}
    region = use_beaker(settings)
    try:
        cache = CacheManager(cache_regions={"short": region}).get_cache_region("pages", "short")
        with caplog.at_level(logging.WARNING):
            cache.get("front", createfunc=lambda: "page")
    finally:
        local.drop("sessions")

    (line,) = [r.getMessage() for r in caplog.records if "no option sets" in r.getMessage()]
    assert line == (
        f"no option sets the table, so 'sessions' in region {REGION} (boto3's own) was created;"
        " if it is for caches, their region reads cache.REGION.table or its url, not cache.table"
    )


def test_the_doctor_names_each_unread_line(
    tmp_path: Path, shape: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also beside the sessions, where caches are not checked; with the lines it is content."""
    lines = {
        **shape,
        "session.type": "ext:dynamodb",
        "session.endpoint_url": shape["cache.endpoint_url"],
        "session.aws_access_key_id": KEY,
        "session.aws_secret_access_key": KEY,
    }
    ini = tmp_path / "app.ini"

    def list_lines(settings: dict[str, Any], *words: str) -> list[str]:
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        ini.write_text(f"[app:main]\n{text}", "utf-8")
        capsys.readouterr()
        main(["doctor", "-c", str(ini), "--json", *words])
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [
            one["remedy"]
            for one in found
            if one["check"] == "caches" and one["severity"] == "error"
        ]

    expected = [
        f"cache.short.{name} = {shape['cache.' + name]}"
        for name in ("table", "region", "endpoint_url", "range_key")
    ]
    assert list_lines(lines) == expected
    assert list_lines(lines, "--cache", "short") == expected
    assert list_lines(lines, "--cache", "default") == []
    assert list_lines(with_cache_defaults(lines)) == []
    pasted = dict(line.split(" = ") for line in expected)
    assert list_lines({**lines, **pasted}) == []


def test_a_command_says_which_lines_its_region_does_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise `table create --cache short` creates a table that the application does not use."""
    path = tmp_path / "app.ini"
    lines = "\n".join(f"{name} = {value}" for name, value in SHAPE.items())
    path.write_text(f"[app:main]\n{lines}\n")
    notes = {
        "short": "note: the cache region short does not read cache.table, cache.region; if the"
        " application calls with_cache_defaults(), give --cache default\n",
        "default": "",
    }

    for region, note in notes.items():
        assert main(["policy", "app", "-c", str(path), "--cache", region]) == 0
        assert capsys.readouterr().err == note
