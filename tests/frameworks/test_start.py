"""An application with a mistake in its settings does not start, as docs/frameworks promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import tg
from pyramid.config import Configurator
from pyramid.paster import get_app

import beaker_dynamodb
from beaker_dynamodb import OptionError
from tests.frameworks import turbogears_app

WRONG: Final[dict[str, object]] = {
    "session.type": "ext:dynamodb",
    "session.tabel": "x",
    "cache.regions": "short",
    "cache.short.type": "ext:dynamodb",
    "cache.short.ttl": "soon",
}
TWO: Final = r"(?s)there are 2 mistakes:.*session\.tabel: .*cache\.short\.ttl: "


def main(_: object, **settings: str) -> Any:
    """Start a Pyramid application as docs/frameworks/pyramid.md does."""
    beaker_dynamodb.check(settings)
    with Configurator(settings=settings) as config:
        config.include("pyramid_beaker")
    return config.make_wsgi_app()


def test_pyramid_does_not_start(tmp_path: Path) -> None:
    """Without the line it starts, answers visitors without a cookie, and fails at the login."""
    lines = "\n".join(f"{name} = {value}" for name, value in WRONG.items())
    ini = tmp_path / "site.ini"
    ini.write_text(f"[app:main]\nuse = call:{__name__}:main\n{lines}\n", "utf-8")

    with pytest.raises(OptionError, match=TWO):
        get_app(str(ini))


@pytest.fixture
def hook() -> Iterator[None]:
    """Register the hook that docs/frameworks/turbogears.md names, and remove it after the test."""

    def check(_: object, config: dict[str, Any]) -> None:
        beaker_dynamodb.check(config)

    tg.hooks.register("initialized_config", check)
    yield
    tg.hooks.disconnect("initialized_config", check)


@pytest.mark.usefixtures("hook")
def test_turbogears_does_not_start() -> None:
    """The hook gets the settings of the code and of the ini file together."""
    with pytest.raises(OptionError, match=TWO):
        turbogears_app.make(WRONG)
    turbogears_app.make({"session.type": "ext:dynamodb", "cache.type": "memory"})
