"""Count what visitors lose in two Regions; `python -m tests.regions.count` prints the table.

A visitor logs in, looks at 20 pages and logs out; then an old tab sends one more request. Three
pages in ten change the session, each another key. Half of the pages follow the page before after
0.1 seconds, as after a redirect; the others after 10 seconds on average.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from tests.regions.site import REGIONS, Browser, Site

VISITORS: Final = 1000
PAGES: Final = 20
HOME, AWAY = REGIONS
#: How requests find a Region: the name of the rule, and the one of the next request.
Route = Callable[[random.Random, str], str]
ROUTES: Final[dict[str, Route]] = {
    "all in one Region": lambda chance, region: region,
    "one Region is lost, all go to the other": lambda chance, region: region,
    "1 request in 20 moves, and stays": lambda chance, region: (
        region if chance.random() >= 1 / 20 else next(one for one in REGIONS if one != region)
    ),
    "each request goes to either": lambda chance, region: chance.choice(REGIONS),
}
FAILOVER: Final = "one Region is lost, all go to the other"
LAGS: Final = (0.2, 1.0, 5.0)


@dataclass
class Count:
    """What was counted: numbers of pages, visitors, changes and logouts."""

    pages: int = 0
    pages_signed_out: int = 0
    visitors: int = 0
    visitors_signed_out: int = 0
    changes: int = 0
    changes_lost: int = 0
    logouts_undone: int = 0

    def add(self, other: Count) -> None:
        """Add another count."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def per_thousand(self) -> tuple[int, int, int, int]:
        """Return what was lost: of 1,000 pages, visitors, changes and logouts."""
        pairs = (
            (self.pages_signed_out, self.pages),
            (self.visitors_signed_out, self.visitors),
            (self.changes_lost, self.changes),
            (self.logouts_undone, self.visitors),
        )
        pages, visitors, changes, logouts = (round(1000 * lost / n) for lost, n in pairs)
        return pages, visitors, changes, logouts


class Visitor:
    """One visitor: what was acknowledged to them, and what they have lost."""

    def __init__(self, site: Site, route: str) -> None:
        self.site = site
        self.browser = Browser(site)
        self.count = Count(visitors=1)
        self._chance = site.random
        self._route = ROUTES[route]
        self._region = HOME
        self._changes: list[str] = []
        #: The page before which the Region is lost; 0 if it is not.
        self._fails_at = self._chance.randrange(1, PAGES) if route == FAILOVER else 0

    def visit(self) -> Count:
        """Log in, look at pages, log out; return what was lost."""
        self.browser.log_in(self._region)
        for number in range(1, PAGES + 1):
            self._pause(fails=number == self._fails_at)
            if not self._see_page(number):
                self._log_in_if_signed_out()
        self._count_lost_changes()
        self._log_out()
        return self.count

    def _see_page(self, number: int) -> bool:
        """Look at a page that may change the session; return whether the visitor is signed in."""
        changes = self._chance.random() < 3 / 10
        with self.browser.visit(self._move()) as session:
            is_signed_in = bool(session.get("user") == "ann")
            if changes:
                session[f"change {number}"] = True
                session.save()
        self.count.pages += 1
        self.count.pages_signed_out += not is_signed_in
        if changes and is_signed_in:
            self._changes.append(f"change {number}")
        return is_signed_in

    def _log_in_if_signed_out(self) -> None:
        """Wait until the Regions agree; if the visitor is still signed out, log in again."""
        self.site.settle()
        if "user" not in self.browser.read(self._region):
            self.count.visitors_signed_out = 1
            self.count.changes += len(self._changes)
            self.count.changes_lost += len(self._changes)
            self._changes.clear()
            self.browser.log_in(self._region)

    def _count_lost_changes(self) -> None:
        self.site.settle()
        found = self.browser.read(self._region)
        self.count.changes += len(self._changes)
        self.count.changes_lost += sum(one not in found for one in self._changes)

    def _log_out(self) -> None:
        """Log out; then an old tab sends a request, and somebody tries the old cookie later."""
        old = Browser(self.site, self.browser.cookie)
        self.browser.log_out(self._move())
        self.site.wait(0.1)
        with old.visit(self._move()) as session:
            if self._chance.random() < 3 / 10:
                session["late change"] = True
                session.save()
        self.site.settle()
        self.count.logouts_undone = int("user" in old.read(self._region))

    def _move(self) -> str:
        self._region = self._route(self._chance, self._region)
        return self._region

    def _pause(self, *, fails: bool) -> None:
        seconds = 0.1 if self._chance.random() < 1 / 2 else self._chance.expovariate(1 / 10)
        until = self._chance.random() * seconds if fails else 0
        self.site.wait(until)
        if fails:
            self.site.table.lose(HOME)
            self._region = AWAY
        self.site.wait(seconds - until)


def count(route: str, lag: float, visitors: int = VISITORS, *, is_strict: bool = True) -> Count:
    """Return what so many visitors lose; each has a site of their own, so that one may fail."""
    total = Count()
    for number in range(visitors):
        with Site(lag, number, is_strict=is_strict).install() as site:
            total.add(Visitor(site, route).visit())
    return total


def format_table(visitors: int = VISITORS) -> str:
    """Return the table of docs/global-tables.md."""
    heads = (
        *("requests", "lag", "pages without the login", "visitors signed out"),
        *("changes lost", "logouts undone"),
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for route, lag in itertools.product(ROUTES, LAGS):
        cells = " | ".join(map(str, count(route, lag, visitors).per_thousand()))
        lines.append(f"| {route} | {lag:g} s | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(format_table(), end="")
