"""The examples of caches run, and cache what they say."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mako.ext.beaker_cache
import pytest
from webtest import TestApp

import beaker_dynamodb
from beaker_dynamodb.dynamodb import embedded

EXAMPLES = Path(__file__).parents[2] / "examples"
LONGEST = 40


@pytest.fixture(autouse=True)
def on_a_server_of_its_own() -> Iterator[None]:
    """Stop the embedded server after each example, and have Mako forget its manager."""
    mako.ext.beaker_cache._beaker_cache = None
    yield
    mako.ext.beaker_cache._beaker_cache = None
    beaker_dynamodb.reset()
    embedded.stop()


def site(name: str) -> Any:
    """Import an example, and open a browser on its page."""
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return TestApp(module.app)


def list_log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the example's own log lines since the last call."""
    lines = [record.getMessage() for record in caplog.records if record.name in {"shop", "news"}]
    caplog.clear()
    return lines


def test_regions_keep_what_functions_return(caplog: pytest.LogCaptureFixture) -> None:
    """A price is computed once, and again after it has changed; the list of shops only once."""
    caplog.set_level(logging.WARNING)
    browser = site("cache_regions.py")

    pages = {browser.get("/").text, browser.get("/").text}
    first = list_log_lines(caplog)
    pages.add(browser.post("/").text)

    assert pages == {"Tea: 300 cents in Ghent and Bruges\n"}
    assert first == ["asking the warehouse", "reading the list of shops"]
    assert list_log_lines(caplog) == ["asking the warehouse"]


def test_a_page_asks_the_database_once(caplog: pytest.LogCaptureFixture) -> None:
    """A page is rendered once a language, and the list in it once for all languages."""
    caplog.set_level(logging.WARNING)
    browser = site("mako_page.py")

    pages = [browser.get(path).text for path in ("/", "/", "/de", "/de")]

    assert list_log_lines(caplog) == ["asking the database"]
    assert [pages[0], pages[2]] == [pages[1], pages[3]]
    assert [page.count("<title>News") for page in pages] == [1, 1, 0, 0]
    assert [page.count("<li>Key &amp; lock found</li>") for page in pages] == [1] * 4


@pytest.mark.parametrize("name", ["cache_regions.py", "mako_page.py"])
def test_an_example_fits_onto_one_screen(name: str) -> None:
    """An example is short enough to be copied."""
    assert len((EXAMPLES / name).read_text().splitlines()) <= LONGEST
