"""Mako's templates cache whole pages and parts of them in DynamoDB, by `cache_impl="beaker"`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mako.ext.beaker_cache
import pytest
from beaker.cache import CacheManager
from mako.lookup import TemplateLookup

from tests.caches.tables import Maker, Table, use_clock
from tests.instruments import Clock, Recorder

PAGE = """<%page cached="True" cache_timeout="30"/>
page ${made()}, <%block name="part" cached="True" cache_timeout="60" cache_key="part-${lang}">
part ${made()} in ${lang}</%block> ${after()}
<%def name="after()" cached="True">def ${made()}</%def>"""


@pytest.fixture(autouse=True)
def mako_forgets() -> Iterator[None]:
    """Mako keeps one manager of caches for the whole process: the first template's."""
    mako.ext.beaker_cache._beaker_cache = None
    yield
    mako.ext.beaker_cache._beaker_cache = None


def a_template(table: Table) -> Any:
    """Compile the page, with its cache in the table."""
    manager = CacheManager(type="ext:dynamodb", **table.given)
    lookup = TemplateLookup(cache_impl="beaker", cache_args={"manager": manager})
    lookup.put_string("/page", PAGE)
    return lookup.get_template("/page")


def render(template: Any, made: Maker, lang: str = "en") -> str:
    """Render a page into one line."""
    return " ".join(str(template.render(made=made, lang=lang)).split())


def test_a_page_is_rendered_once(table: Table, calls: Recorder) -> None:
    """The second rendering, of another process's template too, is one read and no rendering."""
    made, template = Maker(), a_template(table)
    first = render(template, made)
    rendered = made.made
    calls.clear()

    assert render(template, made) == first
    assert (made.made, calls.names) == (rendered, ["GetItem"])


def test_a_page_and_its_parts_live_as_long_as_they_say(
    table: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's `cache_timeout` is over after 30 s, and its defs' with it; the part's after 60."""
    use_clock(monkeypatch, clock)
    made, template = Maker(*"abcdefgh"), a_template(table)
    template.module._modified_time = clock() - 1

    pages = [render(template, made)]
    for _ in range(2):
        clock.advance(31)
        pages.append(render(template, made))

    assert pages == [
        "page a, part b in en def c",
        "page d, part b in en def e",
        "page f, part g in en def h",
    ]


def test_an_invalidated_part_is_rendered_again(plain: Table) -> None:
    """`invalidate_body` and `invalidate_def` delete their own parts only."""
    made, template = Maker(), a_template(plain)
    first = render(template, made)

    template.cache.invalidate_body()
    template.cache.invalidate_def("after")
    second = render(template, made)

    assert (first, second) == ("page 1, part 2 in en def 3", "page 4, part 2 in en def 5")


def test_a_changed_template_is_rendered_again(
    plain: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was rendered before the template was compiled is not served (`starttime`)."""
    use_clock(monkeypatch, clock)
    made, old, new = Maker(), a_template(plain), a_template(plain)
    old.module._modified_time = clock() - 1
    first = render(old, made)
    clock.advance(5)
    new.module._modified_time = clock() - 1

    assert render(old, made) == first
    assert render(new, made) == "page 4, part 5 in en def 6"


def test_every_template_of_a_lookup_uses_the_region(plain: Table) -> None:
    """A lookup needs only one of Beaker's regions, with all options in its url."""
    region = {"type": "ext:dynamodb", "url": plain.in_a_url, "expire": 60}
    manager = CacheManager(cache_regions={"pages": region})
    lookup = TemplateLookup(cache_impl="beaker", cache_args={"manager": manager, "region": "pages"})
    lookup.put_string("/one", '<%page cached="True"/>one ${made()}')
    lookup.put_string("/two", '<%page cached="True"/>two ${made()}')
    made = Maker()

    told = [lookup.get_template(uri).render(made=made) for uri in ("/one", "/two") * 2]

    assert told == ["one 1", "two 2"] * 2
    assert len(plain.rows()) == 2
