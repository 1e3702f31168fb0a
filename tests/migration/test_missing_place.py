"""An old backend whose folder, file or table is not there: not mounted, or misspelled.

Beaker would create it, empty: everybody would be logged out, and the mistake would be out of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from beaker.ext.database import DatabaseNamespaceManager

from beaker_dynamodb import StrictSession
from beaker_dynamodb.errors import Unavailable
from tests.sessions.overlap import Site
from tests.sessions.views import contents, log_out

Hide = Callable[[], None]
pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")


@pytest.fixture(params=["file", "dbm", "ext:database"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name each backend that Beaker creates when it is only read."""
    return str(request.param)


def list_places(folder: Path) -> list[Path]:
    """List the folders and files that exist."""
    return sorted(folder.rglob("*"))


@contextmanager
def unmounted(folder: Path) -> Iterator[None]:
    """Take what is in a folder away, for a while."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir()
    try:
        yield
    finally:
        assert list_places(folder) == []  # nothing was created there
        folder.rmdir()
        away.rename(folder)


@pytest.fixture
def options(kind: str, tmp_path: Path) -> Mapping[str, str]:
    """Give the options of a backend that is in a folder of its own, its locks in another one."""
    (share := tmp_path / "share").mkdir()
    place = f"sqlite:///{share}/s.db" if kind == "ext:database" else str(share)
    option = "url" if kind == "ext:database" else "data_dir"
    return {option: place, "lock_dir": str(tmp_path / "locks")}


@pytest.mark.parametrize("more", [{}, {"session_class": StrictSession}], ids=["", "StrictSession"])
def test_nobody_is_logged_out_while_the_old_place_is_not_mounted(
    old: Site, moving: Site, more: dict[str, Any], tmp_path: Path
) -> None:
    """The page fails, and a logout too: the session would still be alive on the old servers."""
    user, moved = old.begin_session(user="ann"), old.begin_session(user="bob")
    site = moving.with_(**more)
    assert site.read_session(moved) == {"user": "bob"}
    DatabaseNamespaceManager.binds.clear()  # an engine keeps the file open, as no mount would

    with unmounted(tmp_path / "share"):
        cookie = user.cookie
        for view in (contents, log_out):
            with pytest.raises(Unavailable, match="is it mounted"):
                site.visit(user, view)
        assert user.cookie == cookie
        with pytest.raises(Unavailable, match="is it mounted"):
            site.visit(moved.also(), log_out)
        assert site.read_session(moved) == {"user": "bob"}

    assert site.read_session(user) == {"user": "ann"}
    site.visit(moved.also(), log_out)
    assert site.read_session(moved) == {}


@pytest.mark.parametrize("kind", ["ext:database"])
def test_a_wrong_table_is_an_error_until_it_is_corrected(
    old: Site, moving: Site, kind: str, options: Mapping[str, str]
) -> None:
    """It is not created, so the mistake does not disappear."""
    user = old.begin_session(user="ann")
    wrong, cookie = moving.with_(**{"migrate_from.table_name": "older"}), user.cookie

    for view in (contents, log_out, contents):
        with pytest.raises(Unavailable, match=r"no table 'older'.*'migrate_from\.table_name'"):
            wrong.visit(user, view)
    assert user.cookie == cookie

    engine = sqlalchemy.create_engine(options["url"])
    assert sqlalchemy.inspect(engine).get_table_names() == ["beaker_cache"]
    engine.dispose()
    assert moving.read_session(user) == {"user": "ann"}


def test_a_new_visitor_is_served_without_the_old_place(moving: Site, tmp_path: Path) -> None:
    """Only a cookie whose session is not in the table needs the old backend."""
    (tmp_path / "share").rmdir()
    user = moving.begin_session(user="eve")

    assert moving.read_session(user) == {"user": "eve"}
    assert not (tmp_path / "share").exists()
    with pytest.raises(Unavailable, match="is it mounted"):
        moving.visit(user.also(), log_out)
