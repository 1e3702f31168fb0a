"""The doctor on the backend of `migrate_from`: whether it answers, and holds sessions at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis
from beaker.session import Session

from beaker_dynamodb.migration import readers
from tests.migration.source_backends import KINDS, create_backend, redis_server
from tests.ops.test_doctor_configuration import run_doctor
from tests.servers import free_port


def examine(
    capsys: pytest.CaptureFixture[str],
    ini: str,
    kind: str,
    options: Mapping[str, str],
    *words: str,
    code: int = 0,
) -> tuple[str, str, str]:
    """Run the doctor on an application that moves from a backend; return what it found there."""
    own = [word for name in options for word in ("-o", f"migrate_from.{name}={options[name]}")]
    words = ("-c", ini, *words, "-o", f"migrate_from={kind}", *own)
    return run_doctor(capsys, *words, code=code, topic="migrate_from")[-1]


def store_session(kind: str, options: Mapping[str, str]) -> Session:
    """Store a session as the old application did."""
    session = Session({}, type=kind, data_serializer="json", **options)
    session["user"] = "ada"
    session.save()
    return session


def list_files(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder, and what is in them."""
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_with_a_session_answers(
    kind: str, ini_with_table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --read-only, nothing is written there either: Beaker's own reading would do that."""
    (home := tmp_path / "home").mkdir()
    with redis_server() as url:
        options = {**create_backend(kind, home, url), "lock_dir": str(tmp_path / "locks")}
        store_session(kind, options)
        options["lock_dir"] = str(home / "locks")
        before = list_files(home)
        read = examine(capsys, ini_with_table, kind, options, "--read-only")
        after = list_files(home)
        found = examine(capsys, ini_with_table, kind, options)

    assert read == ("ok", f"{kind} holds sessions", "")
    assert after == before
    assert found == ("ok", f"{kind} answers", "")


@pytest.mark.parametrize(
    ("kind", "wrong", "place"),
    [
        ("file", {"data_dir": "{}/other"}, "'{}/other/container_file'"),
        ("dbm", {"dbm_dir": "{}/other"}, "'{}/other'"),
        ("ext:redis", {"url": "{url}/7"}, "ext:redis at {at}/7"),
        ("ext:database", {"table_name": "other"}, "table 'other' of '{}/sessions.db'"),
    ],
)
def test_a_backend_without_sessions_is_doubted(
    kind: str,
    wrong: Mapping[str, str],
    place: str,
    ini_with_table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An option with a wrong value would log everybody out, and the requests would not fail."""
    with redis_server() as url:
        options = create_backend(kind, tmp_path, url)
        store_session(kind, options)
        server = url.removesuffix("/0")
        client = redis.Redis.from_url(f"{server}/7")
        client.set("beaker_cache:prices:today", "{}")
        client.close()
        (tmp_path / "other" / "container_file" / "a").mkdir(parents=True)
        other = {name: value.format(tmp_path, url=server) for name, value in wrong.items()}
        if kind == "ext:database":
            store_session(
                kind, {**options, **other}
            ).namespace.remove()  # leaves a table without rows
        found = examine(capsys, ini_with_table, kind, {**options, **other})

    where = place.format(tmp_path, at=server.removeprefix("redis://"))
    message = f"there is no session in {where}: is it that of the old application?"
    assert found == ("warning", message, "")


def test_a_table_that_is_misspelled_is_an_error_and_not_created(
    ini_with_table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker would create an empty one, and all users would be logged out."""
    options = create_backend("ext:database", tmp_path, "")
    store_session("ext:database", options)
    before = list_files(tmp_path)
    wrong = {**options, "table_name": "beaker_cahce"}
    found = examine(capsys, ini_with_table, "ext:database", wrong, code=1)

    message = "there is no table 'beaker_cahce' in the database; is table_name right?"
    assert found == ("error", message, "")
    assert list_files(tmp_path) == before


def test_a_folder_that_is_misspelled_is_an_error_and_not_created(
    ini_with_table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beaker would create an empty one, and all users would be logged out."""
    monkeypatch.chdir(tmp_path)
    found = examine(capsys, ini_with_table, "file", {"data_dir": "old"}, code=1)

    assert found[1].startswith(f"there is no '{tmp_path}/old/container_file'")
    assert not (tmp_path / "old").exists()


def test_a_backend_that_does_not_answer_is_an_error(
    ini_with_table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is one whose place no option names."""
    down = {"url": f"redis://:hunter2@127.0.0.1:{(port := free_port())}/0"}
    severity, message, _ = examine(capsys, ini_with_table, "ext:redis", down, code=1)
    missed = examine(capsys, ini_with_table, "file", {}, code=1)

    assert severity == "error"
    assert f"redis at 127.0.0.1:{port} cannot be read: " in message
    assert message.endswith("; start it")
    assert "needs migrate_from.data_dir" in missed[1]


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps("text"), pickle.dumps({})])
def test_a_folder_whose_files_hold_no_session_is_doubted(
    content: bytes, ini_with_table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beaker would log out everybody whose file it cannot read."""
    (folder := tmp_path / "container_file" / "a" / "aa").mkdir(parents=True)
    (folder / "aaaa.cache").write_bytes(content)
    found = examine(capsys, ini_with_table, "file", {"data_dir": str(tmp_path)})

    assert found[0] == "warning"
    assert "there is no session in" in found[1]


@pytest.mark.parametrize("words", [(), ("--read-only",)])
def test_a_redis_with_very_many_keys_is_not_searched(
    words: tuple[str, ...],
    ini_with_table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That could take minutes, and load the server."""
    monkeypatch.setattr(readers, "_MAX_SEARCHED", 0)
    with redis_server() as url:
        client = redis.Redis.from_url(url)
        client.set("something", "else")
        client.close()
        found = examine(capsys, ini_with_table, "ext:redis", {"url": url}, *words)

    large = ("note", "ext:redis is too large to look for a session", "")
    assert found == (large if words else ("ok", "ext:redis answers", ""))


def test_an_option_that_the_old_backend_ignores_is_no_error(
    ini_with_table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application works with it."""
    options = create_backend("ext:database", tmp_path, "")
    store_session("ext:database", options)
    more = {**options, "colour": "red", "sa.pool_recycle": "60", "schema_name": ""}

    assert examine(capsys, ini_with_table, "ext:database", more)[0] == "ok"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("ext:redis", {"url": "redis://127.0.0.1/0?socket_timeot=2"}, "cannot be read: TypeError"),
        ("file", {"file_dir": "{}"}, "needs migrate_from.lock_dir = FOLDER, for its locks"),
        ("dbm", {"dbm_dir": "{}"}, "needs migrate_from.lock_dir = FOLDER, for its locks"),
        ("ext:database", {"sa.url": "sqlite:///x.db"}, "needs migrate_from.url"),
    ],
)
def test_options_under_which_every_request_would_fail_are_an_error(
    kind: str,
    options: Mapping[str, str],
    message: str,
    ini_with_table: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also if our own reader of the backend could do with them."""
    given = {name: text.format(tmp_path) for name, text in options.items()}
    found = examine(capsys, ini_with_table, kind, given, "--read-only", code=1)

    assert found[0] == "error"
    assert message in found[1]
