"""What the fault cases do with a site: visit it as another process, and be failed honestly."""

from __future__ import annotations

import pytest

from beaker_dynamodb.errors import Unavailable
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import View


def process(site: Site, **options: object) -> Site:
    """Give the site a client of its own, as every process has one."""
    shared = {name: value for name, value in site.options.items() if name != "client"}
    quick = {"endpoint_url": site.url, "read_timeout": 3, "max_attempts": 1}
    return Site(site.url, site.table, {**shared, **quick, **options})


def fails(site: Site, user: Browser, view: View) -> None:
    """Insist on an honest 500 that leaves the cookie as it is, for it may be another tab's."""
    cookie = user.cookie
    with pytest.raises(Unavailable):
        site.visit(user, view)
    assert user.cookie == cookie
