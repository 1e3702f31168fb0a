"""What an application under each framework gets from one ini file, in 16 shapes of public ones.

The session and each cache region are where the framework's own code puts them: in a table of this
backend, or elsewhere. What is not where the file seems to say is reported by the doctor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import beaker.cache
import pytest
from beaker.middleware import CacheMiddleware, SessionMiddleware
from paste.deploy.loadwsgi import APP, FILTER, loadcontext
from pyramid.config import Configurator
from pyramid.interfaces import ISessionFactory
from pyramid.paster import get_app
from tg.appwrappers.caching import CacheApplicationWrapper
from tg.appwrappers.session import SessionApplicationWrapper

from beaker_dynamodb import OptionError, check, with_cache_defaults
from beaker_dynamodb.__main__ import main
from beaker_dynamodb.config.sources import Kind, parse
from beaker_dynamodb.settings.beaker_settings import remove_beakers
from tests.frameworks import ini_shapes as shapes
from tests.frameworks import turbogears_app
from tests.servers import Flavor, Server
from tests.sessions import apps

#: By name: where the session and each region are kept. `default` are caches without a region.
Stores = dict[str, str]
Settings = Mapping[str, Any]


def describe_store(options: Settings, kind: Kind) -> str:
    """Return the table and region of a store of ours, else the backend's name."""
    if options.get("type") != "ext:dynamodb":
        return str(options.get("type"))
    parsed = parse(remove_beakers(options, kind), kind)
    return f"{parsed.table} {parsed.region}" if parsed.region else parsed.table


def describe_regions() -> Stores:
    """Return the process's regions, which both Beaker and pyramid_beaker fill."""
    return {name: describe_store(one, "cache") for name, one in beaker.cache.cache_regions.items()}


def use_pyramid(_: Settings, local: Settings) -> Stores:
    """Include pyramid_beaker, which gets the section's own settings."""
    with Configurator(settings=dict(local)) as config:
        config.include("pyramid_beaker")
    factory = config.registry.queryUtility(ISessionFactory)
    session = describe_store(factory._options, "session")
    return {"session": session, **describe_regions()}


def use_turbogears(shared: Settings, local: Settings) -> Stores:
    """Configure TurboGears' wrappers, which get both; of sessions they read `session.*` only."""
    both = {**shared, **local}
    session = SessionApplicationWrapper(None, both).options
    caches = CacheApplicationWrapper(None, both).cache_manager.kwargs
    default = describe_store(caches, "cache")
    return {"session": describe_store(session, "session"), "default": default, **describe_regions()}


def use_middleware(shared: Settings, local: Settings) -> Stores:
    """Wrap an application in Beaker's own middleware, as an application does with appconfig()."""
    both = {**shared, **local}
    session = SessionMiddleware(None, both).options
    default = describe_store(CacheMiddleware(None, both).cache_manager.kwargs, "cache")
    return {"session": describe_store(session, "session"), "default": default, **describe_regions()}


FRAMEWORKS: Final[tuple[Callable[[Settings, Settings], Stores], ...]] = (
    use_pyramid,
    use_turbogears,
    use_middleware,
)
AKHET_REGIONS: Final = dict.fromkeys(("pages", "menus", "tags"), "sessions")
MEMORY: Final = {"default": "memory"}
RHODECODE_REGIONS: Final = {"long_term": "memory", "queries": "rhodecode-cache"}
KALLITHEA_REGIONS: Final = dict.fromkeys(("short_term", "long_term"), "sessions")
URL_REGIONS: Final = dict.fromkeys(("brief", "hourly"), "sso-cache eu-west-1")
#: A file and its section; what Pyramid, TurboGears and Beaker's middleware get; what `check`
#: names, and the doctor's warnings about what only some of them get.
CASES: Final[tuple[tuple[str, str, tuple[Stores, Stores, Stores], list[str], list[str]], ...]] = (
    (
        shapes.AKHET,
        "main",
        (
            {"session": "akhet eu-west-1", **AKHET_REGIONS},
            {"session": "akhet eu-west-1", "default": "akhet-cache eu-west-1", **AKHET_REGIONS},
            {"session": "akhet eu-west-1", "default": "akhet-cache eu-west-1", **AKHET_REGIONS},
        ),
        ["cache.table", "cache.region"],
        ["caches", "caches"],
    ),
    (
        shapes.PYLONS_MEMORY_CACHE,
        "main",
        (
            {"session": "pylons", "fast": "memory", "slow": "memory"},
            {"session": "pylons", **MEMORY, "fast": "memory", "slow": "memory"},
            {"session": "pylons", **MEMORY, "fast": "memory", "slow": "memory"},
        ),
        [],
        [],
    ),
    (
        shapes.RHODECODE,
        "main",
        (
            {"session": "db_session", **RHODECODE_REGIONS},
            {"session": "None", **MEMORY, **RHODECODE_REGIONS},
            {"session": "db_session", **MEMORY, **RHODECODE_REGIONS},
        ),
        [],
        ["beaker.session", "table"],
    ),
    (
        shapes.KALLITHEA,
        "main",
        (
            {"session": "db_session", **KALLITHEA_REGIONS},
            {"session": "db_session", **MEMORY, **KALLITHEA_REGIONS},
            {"session": "db_session", **MEMORY, **KALLITHEA_REGIONS},
        ),
        [],
        ["table"],
    ),
    (
        shapes.CKAN,
        "main",
        (
            {"session": "ckan"},
            {"session": "None", **MEMORY},
            {"session": "ckan", **MEMORY},
        ),
        [],
        ["beaker.session"],
    ),
    (
        shapes.CKAN_COOKIE,
        "main",
        (
            {"session": "cookie"},
            {"session": "None", **MEMORY},
            {"session": "cookie", **MEMORY},
        ),
        [],
        ["beaker.session"],
    ),
    (
        shapes.TRACIM,
        "main",
        (
            {"session": "None"},
            {"session": "tracim", **MEMORY},
            {"session": "tracim", **MEMORY},
        ),
        [],
        ["[DEFAULT]"],
    ),
    (
        shapes.TURBOGEARS,
        "main",
        (
            {"session": "quickstart"},
            {"session": "None", **MEMORY},
            {"session": "quickstart", **MEMORY},
        ),
        [],
        ["beaker.session"],
    ),
    (
        shapes.TURBOGEARS_DEPLOYED,
        "main",
        (
            {"session": "None"},
            {"session": "staging eu-west-1", "default": "site-cache"},
            {"session": "staging eu-west-1", "default": "site-cache"},
        ),
        [],
        ["[DEFAULT]", "[DEFAULT]"],
    ),
    (
        shapes.VELRUSE,
        "velruse",
        (
            {"session": "velruse eu-west-1"},
            {"session": "velruse eu-west-1", **MEMORY},
            {"session": "velruse eu-west-1", **MEMORY},
        ),
        [],
        [],
    ),
    (
        shapes.FILTER,
        "session",
        (
            {"session": "filtered eu-west-1"},
            {"session": "filtered eu-west-1", **MEMORY},
            {"session": "filtered eu-west-1", **MEMORY},
        ),
        [],
        [],
    ),
    (
        shapes.GLOBAL_URL,
        "main",
        (
            {"session": "sso", **URL_REGIONS},
            {
                "session": "None",
                "default": "sso-cache eu-west-1",
                **dict.fromkeys(URL_REGIONS, "sessions"),
            },
            {
                "session": "sso",
                "default": "sso-cache eu-west-1",
                **dict.fromkeys(URL_REGIONS, "sessions"),
            },
        ),
        [],
        ["beaker.session"],
    ),
    (
        shapes.MAKO_CACHE,
        "main",
        (
            {"session": "None"},
            {"session": "None", "default": "templates"},
            {"session": "None", "default": "templates"},
        ),
        [],
        [],
    ),
    (
        shapes.FORKED_LRU,
        "main",
        (
            {"session": "None", "lru": "lru"},
            {"session": "None", "default": "fork", "lru": "lru"},
            {"session": "None", "default": "fork", "lru": "lru"},
        ),
        [],
        [],
    ),
    (
        shapes.ENVIRONMENTS,
        "main",
        (
            {"session": "own"},
            {"session": "own", **MEMORY},
            {"session": "own", **MEMORY},
        ),
        [],
        ["[DEFAULT]", "[DEFAULT]"],
    ),
)
NAMES: Final = [
    name for name, text in vars(shapes).items() if name.isupper() and text != shapes.MISSPELLED
]


@pytest.fixture(autouse=True)
def own_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the regions that other tests of the process have configured."""
    monkeypatch.setattr(beaker.cache, "cache_regions", {})


def load(path: Path, section: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the global and the own settings of a section, read by PasteDeploy itself."""
    kind = FILTER if section == "session" else APP
    found = loadcontext(kind, f"config:{path}", name=section)
    return found.global_conf, found.local_conf


def write(tmp_path: Path, text: str) -> Path:
    """Write an ini file."""
    path = tmp_path / "production.ini"
    path.write_text(text, "utf-8")
    return path


def test_there_are_sixteen_shapes() -> None:
    """Each has a case below, or, if it cannot start, a test of its own."""
    assert len(CASES) == len(NAMES) == 15
    assert {case[0] for case in CASES} == {getattr(shapes, name) for name in NAMES}


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_each_framework_keeps_sessions_and_caches_where_it_says(
    case: tuple[str, str, tuple[Stores, Stores, Stores], list[str], list[str]], tmp_path: Path
) -> None:
    """By the code of pyramid_beaker, TurboGears and Beaker; `check` names what is not read."""
    text, section, expected, mistakes, _ = case
    shared, local = load(write(tmp_path, text), section)
    found = []
    for use in FRAMEWORKS:
        beaker.cache.cache_regions.clear()
        found.append(use(shared, local))

    assert tuple(found) == expected
    try:
        check({**shared, **local})
        named = []
    except OptionError as error:
        named = [line.split(":")[0].strip() for line in str(error).split("\n")[1:]]
    assert named == mistakes
    defaults = with_cache_defaults({**shared, **local})
    check(defaults)
    beaker.cache.cache_regions.clear()
    copied = use_middleware({}, defaults)
    regions = [place for name, place in copied.items() if name not in {"session", "default"}]
    assert "sessions" not in regions or text == shapes.KALLITHEA  # which names no table at all


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_doctor_reports_where_frameworks_differ(
    case: tuple[str, str, tuple[Stores, Stores, Stores], list[str], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing else of the file is a finding of these topics."""
    text, _, expected, _, topics = case
    main(
        [
            *("doctor", "-c", str(write(tmp_path, text)), "-o", "type=ext:dynamodb"),
            *("-o", "endpoint_url=embedded", "--read-only", "--json"),
        ]
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = [one["check"] for one in found if one["message"].startswith(("cache.", "table_name"))]
    differing = [one["check"] for one in found if one["check"] in {"[DEFAULT]", "beaker.session"}]
    reported = differing + lines
    assert reported == topics
    # Two parts of one application that get different sessions are a finding.
    sessions = {stores["session"] for stores in expected}
    if "ext:dynamodb" in text and len(sessions) > 1:
        assert {"[DEFAULT]", "beaker.session"} & set(reported)


def test_the_misspelled_file_starts_nowhere(tmp_path: Path) -> None:
    """All of its mistakes are in one error, a misspelled setting of Beaker's among them."""
    shared, local = load(write(tmp_path, shapes.MISSPELLED), "main")
    with pytest.raises(OptionError) as caught:
        check({**shared, **local})

    assert str(caught.value).startswith("there are 3 mistakes:\n  session.tabel: ")
    assert "\n  session.touch_after: " in str(caught.value)


SITE: Final = """
[DEFAULT]
session.type = ext:dynamodb
session.table = {table}
session.endpoint_url = {url}
session.region = us-east-1

[app:main]
use = call:tests.frameworks.pyramid_app:main
pyramid.includes = pyramid_beaker
session.key = shape
"""


def count_rows(url: str, table: str) -> int:
    """Return the number of a table's rows."""
    client = Server(url, Flavor.LOCAL).client()
    return client.scan(TableName=table, Select="COUNT")["Count"]


def test_of_defaults_turbogears_stores_a_session_and_pyramid_none(
    tmp_path: Path, dynamodb_local: str, table_name: str
) -> None:
    """Both keep the login; Pyramid's is in the memory of one process, and gone with it."""
    apps.make_table(dynamodb_local, table_name)
    path = write(tmp_path, SITE.format(table=table_name, url=dynamodb_local))
    pyramid = apps.browser(get_app(str(path)))
    token = pyramid.get("/form").json["token"]
    pyramid.post("/in", {"user": "Ada", "csrf_token": token})
    assert pyramid.get("/read").json["user"] == "Ada"
    assert count_rows(dynamodb_local, table_name) == 0

    shared, local = load(path, "main")
    turbogears = apps.browser(turbogears_app.make({**shared, **local}))
    turbogears.post("/into", {"user": "Ada"})
    assert turbogears.get("/read").json["user"] == "Ada"
    assert count_rows(dynamodb_local, table_name) == 1
