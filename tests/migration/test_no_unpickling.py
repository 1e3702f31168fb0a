"""Sessions of a source backend are read without unpickling anything."""

from __future__ import annotations

import base64
import os
import pickle
import time
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from beaker_dynamodb import StrictSession
from beaker_dynamodb.config.options import _WITHOUT_UNPICKLING
from beaker_dynamodb.config.sources import parse
from beaker_dynamodb.errors import CorruptItem, OptionError, Unavailable
from beaker_dynamodb.migration.source import _FUNCTIONS, SourceBackend
from tests.item.hostile import HOSTILE
from tests.migration.runs import run_import, summarize
from tests.migration.source_backends import plant
from tests.sessions.overlap import Browser, Site
from tests.sessions.views import contents, put

pytestmark = pytest.mark.filterwarnings("ignore::beaker.exceptions.BeakerWarning")
IN_A_DICT = ("file", "ext:database")
only_files = pytest.mark.parametrize("kind", ["file"])


def explode() -> str:
    """Say that code of a pickle ran."""
    Bomb.ran = True
    return "text"


class Bomb:
    """An object whose pickle runs a function."""

    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return explode, ()


@pytest.fixture(autouse=True)
def _unharmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bomb, "ran", False)


@pytest.fixture
def user(old: Site) -> Browser:
    """Return a user who has logged in before the migration."""
    return old.begin_session(user="ann")


@pytest.fixture
def backend(kind: str, options: Mapping[str, str], user: Browser) -> SourceBackend:
    """Give that user's place in the old backend."""
    return SourceBackend(kind, tuple(options.items()), user.id, None)


def text_of(**values: object) -> str:
    """Write a session's text as Beaker does."""
    stamped = {"_accessed_time": time.time(), "_creation_time": time.time(), **values}
    return base64.b64encode(pickle.dumps(stamped, 2)).decode()


def test_an_object_in_place_of_the_text_is_never_made(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend
) -> None:
    """Neither a look nor a logout runs its code; the session is corrupt, and can be removed."""
    plant(kind, options, user.id, pickle.dumps(Bomb()))

    with pytest.raises(CorruptItem):
        backend.read()
    backend.remove()

    assert backend.read() is None
    assert not Bomb.ran


@pytest.mark.parametrize("kind", IN_A_DICT)
def test_an_object_beside_the_text_is_never_made(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend, moving: Site
) -> None:
    """Files and databases hold a dict; its other values are ignored."""
    entry = {"bomb": Bomb(), "session": text_of(user="ann"), ("a", "key"): 1}
    plant(kind, options, user.id, pickle.dumps(entry))

    assert moving.read_session(user) == {"user": "ann"}
    backend.remove()
    assert not Bomb.ran


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_text_of_any_protocol_is_read(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend, protocol: int
) -> None:
    """Another Python, or Python 2, may have written it."""
    text = text_of(user="ann")
    entry = {"session": text} if kind in IN_A_DICT else text
    plant(kind, options, user.id, pickle.dumps(entry, protocol))

    assert backend.read() == text


def test_removing_a_missing_session_is_no_error(
    backend: SourceBackend, options: Mapping[str, str]
) -> None:
    """Another request was faster; nothing is written."""
    backend.remove()
    backend.remove()

    assert backend.read() is None


@only_files
def test_a_pipe_instead_of_a_file_does_not_block(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend, new: Site
) -> None:
    """An attacker with access to the folder could otherwise block each request, and the import."""
    path = plant(kind, options, user.id, b"")
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(CorruptItem):
        backend.read()
    assert summarize(run_import(kind, options, new)) == ["unreadable"]


@only_files
def test_a_file_of_a_terabyte_is_not_read(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend, new: Site
) -> None:
    """It takes a moment to plant, and no disk."""
    other = new.with_(type=kind, **options).begin_session(user="bob")
    os.truncate(plant(kind, options, user.id, b""), 1 << 40)

    with pytest.raises(CorruptItem):
        backend.read()
    assert summarize(run_import(kind, options, new)) == ["imported", "unreadable"]
    assert new.read_session(other) == {"user": "bob"}


@only_files
def test_a_file_that_cannot_be_removed_is_an_error_and_no_logout(
    kind: str, options: Mapping[str, str], user: Browser, backend: SourceBackend
) -> None:
    """Beaker's own `remove()` ignores the error, and the session would stay valid."""
    path = plant(kind, options, user.id, b"")
    path.unlink()
    path.mkdir()

    with pytest.raises(Unavailable):
        backend.remove()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["file", "ext:redis"])
def test_one_hostile_entry_does_not_end_an_import(
    kind: str, options: Mapping[str, str], user: Browser, old: Site, new: Site, name: str
) -> None:
    """It is reported as unreadable, and the others are imported; a hostile text is copied."""
    hostile, other = HOSTILE[name](50_000), old.begin_session(user="bob")
    plant(kind, options, user.id, hostile)
    assert "imported" in summarize(run_import(kind, options, new))
    assert new.read_session(other) == {"user": "bob"}

    text = base64.b64encode(hostile).decode()
    plant(kind, options, user.id, pickle.dumps({"session": text} if kind == "file" else text))
    assert "imported" in summarize(run_import(kind, options, new, dry_run=True))


# Option envelope = json


def test_each_backend_is_read_here_or_refused() -> None:
    """No other backend of Beaker's holds pickles of sessions."""
    assert _FUNCTIONS.keys() | {"memory", "ext:dynamodb", "dynamodb"} == _WITHOUT_UNPICKLING


@pytest.mark.parametrize("name", ["ext:memcached", "ext:google", "ext:mongodb", "ext:of-others"])
def test_a_backend_that_unpickles_by_itself_is_refused_where_sessions_are_json(name: str) -> None:
    """At the first manager: no request may come before it."""
    given = {"migrate_from": name, "migrate_from.url": "x"}

    assert parse(given, "session").migrate_from == name
    with pytest.raises(OptionError, match=f"'envelope' is json.*'{name}'"):
        parse({**given, "envelope": "json"}, "session")


STRICT = {"session_class": StrictSession}


@only_files
@pytest.mark.parametrize(
    ("more", "is_read"),
    [
        ({}, True),
        ({"envelope": "json"}, False),
        (STRICT, False),
        ({"envelope": "json", **STRICT}, False),
    ],
)
def test_an_old_pickle_is_not_read_where_sessions_are_json(
    kind: str, user: Browser, moving: Site, more: dict[str, object], is_read: bool
) -> None:
    """It is moved as it is, with no special key, and Beaker's JSON serializer refuses it."""
    site = moving.with_(data_serializer="json", special_keys="user:S", **more)
    with pytest.raises(zlib.error):
        site.with_(invalidate_corrupt=False).visit(user.also(), contents)

    row = site.row(user) or {}
    assert ("user" in row) is is_read


@only_files
def test_json_sessions_are_migrated_under_the_option(kind: str, old: Site, moving: Site) -> None:
    """Their times and special keys are read as without it."""
    user = old.with_(data_serializer="json").begin_session(user="ann")
    site = moving.with_(data_serializer="json", envelope="json", special_keys="user:S")

    assert site.read_session(user) == {"user": "ann"}
    assert (site.row(user) or {})["user"] == {"S": "ann"}


@only_files
def test_a_pickle_in_the_table_is_never_opened_where_sessions_are_json(
    kind: str, new: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if the application writes pickles against its options; these are replaced."""
    site = new.with_(envelope="json")
    browser = site.begin_session(user="ann")
    site.visit(browser, put(bomb=Bomb()))

    assert "the options say that sessions are JSON" in caplog.text
    assert not Bomb.ran
    assert new.read_session(browser) == {
        "user": "ann",
        "bomb": "text",
    }  # the application's own reading
