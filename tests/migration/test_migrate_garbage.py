"""The backend of `migrate_from` holds something else than a session's text, or fails."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from beaker.container import FileNamespaceManager, MemoryNamespaceManager

from beaker_dynamodb.dynamodb.rows import Rows
from beaker_dynamodb.dynamodb.table import RefusedWrite
from beaker_dynamodb.errors import CorruptItem, OptionError, Unavailable
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, log_out, put

pytestmark = [
    pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning"),
    pytest.mark.parametrize("kind", ["file"]),
]
NOBODY = Browser("beaker.session.id=" + "a" * 32)


@pytest.fixture
def garbled(old: Site, options: Mapping[str, str], request: pytest.FixtureRequest) -> Browser:
    """Give a user whose file was written over with the bytes of the test."""
    user = old.begin_session(user="ann")
    (file,) = Path(options["data_dir"]).rglob(f"*{user.id}*.cache")
    file.write_bytes(request.node.callspec.params["left"])
    return user


GARBAGE: dict[str, bytes] = {
    "no pickle": b"garbage",
    "half a pickle": pickle.dumps({"session": "text" * 100}, 2)[:-9],
    "a number in place of the text": pickle.dumps({"session": 5}, 2),
}


@pytest.mark.parametrize("left", GARBAGE.values(), ids=GARBAGE)
def test_garbage_there_is_corrupt_as_a_row_would_be(
    moving: Site, garbled: Browser, kind: str, left: bytes
) -> None:
    """The user logs in again, under Beaker's default; without it the error names no session."""
    with pytest.raises(CorruptItem) as caught:
        moving.with_(invalidate_corrupt=False).visit(garbled.also(), contents)
    assert garbled.id not in str(caught.value)

    moving.visit(garbled, put(user="ann again"))
    assert moving.read_session(garbled) == {"user": "ann again"}


def test_a_text_that_is_no_valid_unicode_is_moved_unchanged(new: Site, kind: str) -> None:
    """It holds half of a surrogate pair, as an application's own serializer may return it."""
    old, moving = new.with_(type="memory"), new.with_(migrate_from="memory")
    user = old.begin_session(user="ann")
    MemoryNamespaceManager(user.id)["session"] = "\ud800"

    with pytest.raises(UnicodeEncodeError):  # Beaker cannot decode it as base64
        moving.with_(invalidate_corrupt=False).visit(user.also(), contents)
    row = moving.row(user)
    assert row is not None
    assert "\ud800".encode("utf-8", "surrogatepass") in row["data"]["B"]


def test_a_mistake_in_the_old_tables_options_is_named(new: Site, kind: str) -> None:
    """The source backend may be a table of ours, whose OptionError is raised unchanged."""
    wrong = {"migrate_from": "ext:dynamodb", "migrate_from.table": "no such name"}

    with pytest.raises(OptionError, match=r"option 'migrate_from\.table' has 'no such name'"):
        new.with_(**wrong).visit(NOBODY.also(), contents)


def test_a_mistake_that_an_old_table_shows_when_it_is_asked_is_named(
    new: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no outage that could be waited for."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    wrong = {"migrate_from": "ext:dynamodb", "migrate_from.table": "older"}

    with pytest.raises(OptionError, match=r"has no region: .*give migrate_from\.region"):
        new.with_(**wrong).visit(NOBODY.also(), contents)


def test_an_old_backend_that_fails_while_it_is_made_is_an_outage(
    moving: Site, old: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example a folder that is full: the page fails, and the cookie is kept."""
    old.begin_session(user="ann")

    def failing(*_args: Any, **_options: Any) -> None:
        raise OSError("/var/lib/secret")

    monkeypatch.setattr(FileNamespaceManager, "__init__", failing)
    user = NOBODY.also()

    with pytest.raises(Unavailable, match="'file' of option 'migrate_from' failed: OSError"):
        moving.visit(user, contents)
    assert user.cookie == NOBODY.cookie


def test_a_session_that_another_request_removes_there_first_is_removed(
    new: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found by the read and missing for the delete, which is no error."""
    delete = MemoryNamespaceManager.__delitem__

    def late(manager: MemoryNamespaceManager, key: str) -> None:
        delete(manager, key)
        raise KeyError(key)

    old, moving = new.with_(type="memory"), new.with_(migrate_from="memory")
    user = old.begin_session(user="ann")
    monkeypatch.setattr(MemoryNamespaceManager, "__delitem__", late)
    moving.visit(user.also(), log_out)

    assert moving.read_session(user) == {}
    assert old.read_session(user) == {}


def test_a_row_that_comes_and_goes_is_an_error_and_no_logout(
    moving: Site, old: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each create is refused by a row that is gone afterwards; the third time raises."""
    user = old.begin_session(user="ann")
    cookie = user.cookie
    with monkeypatch.context() as patched:
        tried = refusing(patched)
        with pytest.raises(Unavailable, match="is created and deleted faster"):
            moving.visit(user, contents)

    assert len(tried) == 3
    assert user.cookie == cookie
    assert moving.read_session(user) == {"user": "ann"}


def refusing(patched: pytest.MonkeyPatch) -> list[object]:
    """Refuse each create of a migrated session by a row that is gone afterwards; collect them."""
    tried: list[object] = []

    def refused(_rows: Rows, record: object, *_more: object) -> RefusedWrite:
        tried.append(record)
        return RefusedWrite(None)

    patched.setattr(Rows, "write", refused)
    return tried
