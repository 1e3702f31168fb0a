"""Other ids under which an old backend finds the same session: here they are worth nothing.

Beaker keeps `x/ID` and `I.D` in the file of ID (beaker/util.py:236), and a database may compare
without regard to case. Here each would be a row of its own, which a logout of ID leaves behind.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sessions.overlap import COOKIE, Browser, Site
from tests.sessions.views import log_out, put

Alias = Callable[[str], str]
ALIASES: dict[str, Alias] = {
    "below a folder": lambda ident: f"x/{ident}",
    "above the folder": lambda ident: f"../{ident}",
    "a dot before": lambda ident: f".{ident}",
    "a dot within": lambda ident: f"{ident[:9]}.{ident[9:]}",
    "a dot behind": lambda ident: f"{ident}.",
    "a blank behind": lambda ident: f'"{ident} "',
    "in capitals": lambda ident: ident.upper(),
}


@pytest.fixture
def loose(new: Site, tmp_path: Path) -> tuple[Site, Site]:
    """Give the old and the moving site over a database that compares as MySQL does."""
    path = tmp_path / "sessions.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE beaker_cache (id INTEGER PRIMARY KEY, accessed DATETIME NOT NULL,"
            " namespace VARCHAR(255) COLLATE NOCASE NOT NULL UNIQUE,"
            " created DATETIME NOT NULL, data BLOB NOT NULL)"
        )
    options = {"url": f"sqlite:///{path}", "lock_dir": str(tmp_path)}
    source_options = {f"migrate_from.{name}": value for name, value in options.items()}
    kind = "ext:database"
    return new.with_(type=kind, **options), new.with_(migrate_from=kind, **source_options)


def check(old: Site, moving: Site, alias: Alias) -> None:
    """An id that is only alike opens nothing, neither before the logout nor after it.

    Nor does a logout under it reach the session.
    """
    user = old.begin_session(user="ann")
    before, other = user.also(), Browser(f"{COOKIE}={alias(user.id)}")
    waiting, thief = old.begin_session(user="bob"), Browser()

    assert moving.read_session(other) == {}
    assert moving.read_session(user) == {"user": "ann"}
    assert moving.read_session(other) == {}
    moving.visit(user, log_out)
    assert moving.read_session(before) == moving.read_session(other) == {}

    thief.cookie = f"{COOKIE}={alias(waiting.id)}"
    moving.visit(thief, put(cart=1))
    moving.visit(thief, log_out)
    assert moving.read_session(waiting) == {"user": "bob"}


@pytest.mark.parametrize("alias", ALIASES.values(), ids=ALIASES)
def test_nobody_stays_logged_in_under_another_name_of_the_same_id(
    old: Site, moving: Site, alias: Alias
) -> None:
    """In every backend."""
    check(old, moving, alias)


def test_an_id_in_capitals_is_another_one_even_if_the_database_ignores_case(
    loose: tuple[Site, Site],
) -> None:
    """As MySQL's usual collations do."""
    check(*loose, str.upper)
