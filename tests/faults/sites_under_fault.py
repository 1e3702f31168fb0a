"""Sites as another process runs them, and the check of how an outage must end."""

from __future__ import annotations

import pytest

from beaker_dynamodb.errors import Unavailable
from tests.sessions import apps
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import View


def use_new_client(site: Site, **options: object) -> Site:
    """Return the site with a new client, as another process has it."""
    shared = {name: value for name, value in site.options.items() if name != "client"}
    own = {"endpoint_url": site.url, **apps.PATIENT, "max_attempts": 1}
    return Site(site.url, site.table, {**shared, **own, **options})


def check_unavailable(site: Site, user: Browser, view: View) -> None:
    """Check that a visit raises Unavailable and does not change the cookie."""
    cookie = user.cookie
    with pytest.raises(Unavailable):
        site.visit(user, view)
    assert user.cookie == cookie
