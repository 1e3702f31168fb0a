"""All interfaces to a cache: decorators, middleware, regions.

Each runs on every backend of the contract; Beaker's own memory checks the tests.
"""

from __future__ import annotations

from typing import Any

from beaker.cache import CacheManager, cache_region, cache_regions, region_invalidate
from beaker.middleware import CacheMiddleware
from beaker.util import parse_cache_config_options
from pyramid_beaker import set_cache_regions_from_settings
from webtest import TestApp

from tests.caches.conftest import Backend
from tests.caches.tables import Maker


class TestConfiguration:
    """Each interface to a cache returns the same values."""

    def settings(self, backend: Backend) -> dict[str, str]:
        """Write the lines of an ini file: everything is in `url`, which regions inherit."""
        return {"cache.type": backend.type, "cache.url": backend.url}

    def test_decorators_of_a_manager(self, backend: Backend) -> None:
        """`cm.cache` keeps a function's results by their arguments; `invalidate` forgets one."""
        cm = CacheManager(type=backend.type, **backend.given)
        make = Maker()

        @cm.cache(backend.mark, expire=60)  # type: ignore[untyped-decorator]
        def load(_: str) -> int:
            return int(make())

        assert [load("a"), load("b"), load("a")] == [1, 2, 1]
        cm.invalidate(load, backend.mark, "a")
        assert [load("a"), load("b")] == [3, 2]

    def test_the_middleware(self, backend: Backend) -> None:
        """`environ["beaker.cache"]` of CacheMiddleware gives caches of this backend."""
        make = Maker()

        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            cache = environ["beaker.cache"].get_cache(backend.mark)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(cache.get("k", createfunc=make)).encode()]

        site = TestApp(CacheMiddleware(app, self.settings(backend)), lint=False)

        assert [site.get("/").text, site.get("/").text] == ["1", "1"]

    def test_regions_of_beaker(self, backend: Backend) -> None:
        """A region of Beaker's own takes its whole configuration from `cache.REGION.url`."""
        settings = {"cache.regions": "short", "cache.short.expire": "60"}
        settings |= {
            n.replace("cache.", "cache.short."): v for n, v in self.settings(backend).items()
        }
        CacheManager(**parse_cache_config_options(settings))

        self.use_the_region(backend)

    def test_regions_of_pyramid_beaker(self, backend: Backend) -> None:
        """pyramid_beaker hands the global `cache.url` on to every region: that is enough."""
        set_cache_regions_from_settings(
            {"cache.regions": "short, long", "cache.short.expire": "60", **self.settings(backend)}
        )

        assert cache_regions.keys() == {"short", "long"}
        self.use_the_region(backend)

    def use_the_region(self, backend: Backend) -> None:
        """Decorate, call, and invalidate, by the region's decorators."""
        make = Maker()

        @cache_region("short", backend.mark)  # type: ignore[untyped-decorator]
        def load(_: str, __: int) -> int:
            return int(make())

        assert [load("a", 1), load("a", 2), load("a", 1)] == [1, 2, 1]
        region_invalidate(load, None, backend.mark, "a", 1)
        assert [load("a", 1), load("a", 2)] == [3, 2]
        assert cache_regions["short"]["type"] == backend.type
