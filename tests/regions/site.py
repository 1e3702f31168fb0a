"""An application in two Regions, and its visitors, under the real Beaker and the real package.

The time is that of the simulation, and ids and tokens are drawn from its own generator, so a run
can be repeated exactly.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from beaker.session import Session, SessionObject

from beaker_dynamodb import StrictSession
from tests.regions.replicas import GlobalTable
from tests.simulated_time import simulate

REGIONS: Final = ("eu", "us")
COOKIE: Final = "beaker.session.id"
TIMEOUT: Final = 3600
START: Final = 1_700_000_000.0


class Site:
    """The application: `now` is its time, `table` its global table."""

    def __init__(self, lag: float, seed: int = 1, *, is_strict: bool = True) -> None:
        self.now = START
        self.random = random.Random(seed)
        self.kind = StrictSession if is_strict else Session
        self.table = GlobalTable(lambda: self.now, lag, *REGIONS)
        self._options = {
            region: {
                "type": "ext:dynamodb",
                "timeout": TIMEOUT,
                "data_serializer": "json",
                "client": self.table.client(region),
                "table": "sessions",
                "region": "us-east-1",
                "create_table": False,
                "special_keys": "user",
                "index_special_keys": "user",
            }
            for region in REGIONS
        }

    def open_session(self, region: str, cookie: str | None) -> SessionObject:
        """Begin a request in a Region; the cookie is a session's id."""
        environ = {"HTTP_COOKIE": f"{COOKIE}={cookie}"} if cookie else {}
        return SessionObject(environ, session_class=self.kind, **self._options[region])

    @contextmanager
    def install(self) -> Iterator[Site]:
        """Give Beaker and the package the site's time and randomness."""
        with simulate(lambda: self.now, self.wait, self.random):
            yield self

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def settle(self) -> None:
        """Let so much time pass that both Regions have the same rows."""
        self.wait(self.table.lag + 0.001)
        self.table.deliver()


class Browser:
    """A visitor's browser, which keeps the cookie; each request goes to the Region that it says."""

    def __init__(self, site: Site, cookie: str | None = None) -> None:
        self.site = site
        self.cookie = cookie

    @contextmanager
    def visit(self, region: str) -> Iterator[Any]:
        """Make one request; the block is the page."""
        session = self.site.open_session(region, self.cookie)
        session._session()
        yield session
        session.persist()
        headers = session.__dict__["_headers"]
        if headers.get("set_cookie") and headers["cookie_out"]:
            self.cookie = str(headers["cookie_out"]).partition(";")[0].partition("=")[2]
        self.site.wait(0.01)

    def read(self, region: str) -> dict[str, Any]:
        """Return the session's values without Beaker's own."""
        with self.visit(region) as session:
            return {name: session[name] for name in session if not name.startswith("_")}

    def write(self, region: str, **values: object) -> None:
        """Change some keys, and save."""
        with self.visit(region) as session:
            session.update(values)
            session.save()

    def log_in(self, region: str, user: str = "ann") -> None:
        """Log in under a new id, as the documentation advises."""
        with self.visit(region) as session:
            session.regenerate_id()
            session["user"] = user
            session.save()

    def log_out(self, region: str) -> None:
        """Log out."""
        with self.visit(region) as session:
            session.delete()
