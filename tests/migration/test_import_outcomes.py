"""What `import_sessions` skips, with the reason; and what it raises."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from beaker_dynamodb.errors import OptionError, Unavailable, digest
from beaker_dynamodb.migration.bulk import import_sessions
from beaker_dynamodb.migration.readers import TYPES, create_reader
from beaker_dynamodb.migration.source_options import validate_source
from tests.migration.runs import run_import, session_rows, summarize, where
from tests.servers import free_port
from tests.sessions.overlap import Site


class Bomb:
    """An object whose pickle runs a function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.putenv, ("EXPLODED", "yes")


def test_no_code_of_a_pickle_is_run(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The text is moved as it is; whether it is unpickled is the application's business."""
    old.begin_session(bomb=Bomb())
    ran: list[object] = []
    monkeypatch.setattr("os.putenv", lambda *args: ran.append(args))

    assert summarize(run_import(kind, options, new)) == ["imported"]
    assert ran == []


@pytest.mark.parametrize("kind", ["file"])
@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("serializer", "envelope", "warned"),
    [("pickle", "json", True), ("json", "json", False), ("pickle", "auto", False)],
)
def test_pickles_that_the_application_would_not_open_are_told(
    old: Site,
    new: Site,
    kind: str,
    options: Mapping[str, str],
    caplog: pytest.LogCaptureFixture,
    *,
    dry_run: bool,
    serializer: str,
    envelope: str,
    warned: bool,
) -> None:
    """They are imported all the same: the setting may be a mistake of this run alone."""
    old.with_(data_serializer=serializer).begin_session(user="ann")

    done = run_import(kind, options, new, dry_run=dry_run, more={"envelope": envelope})

    assert summarize(done) == ["imported"]
    assert ("are pickles" in caplog.text) is warned


@pytest.mark.parametrize("kind", ["file", "ext:redis"])
def test_unreadable_entries_and_other_data_are_skipped_with_the_reason(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Cache entries, garbage and deleted keys among the sessions."""
    user = old.begin_session(user="ann")
    entries = {
        "c" * 32: pickle.dumps(("a", "cache's", "value")),
        "d" * 32: b"garbage",
        "e" * 32: pickle.dumps(Bomb()),
    }
    if kind == "file":
        for name, content in entries.items():
            folder = Path(options["data_dir"]) / "container_file" / name[0] / name[:2]
            folder.mkdir(parents=True, exist_ok=True)
            # A session that was deleted by its key leaves an empty dict.
            empty: dict[str, str] = {}
            written = pickle.dumps(empty) if name[0] == "c" else content
            (folder / f"{name}.cache").write_bytes(written)
            (folder / "notes.txt").write_text("not Beaker's")
    else:
        client = redis.Redis.from_url(options["url"])
        for name, content in entries.items():
            client.set(f"beaker_cache:{name}:session", content)
        client.set("beaker_cache:another:key", b"")
        client.close()

    done = run_import(kind, options, new)

    assert new.read_session(user) == {"user": "ann"}
    told = {one.session: getattr(one, "reason", "imported") for one in done}
    assert told[digest("c" * 32)] == "no session"
    assert told[digest("d" * 32)] == "unreadable"
    assert len(done) == 4


@pytest.mark.parametrize("kind", ["dbm"])
@pytest.mark.parametrize("damaged", [b"'session', (0, ", b"'session', 5", b"\xff\x00"])
def test_a_dbm_that_is_damaged_is_told_and_passed_over(
    kind: str, options: Mapping[str, str], old: Site, new: Site, damaged: bytes
) -> None:
    """Python's own kind of dbm has an index in text, which it parses."""
    user = old.begin_session(user="ann")
    folder = Path(options["data_dir"]) / "container_dbm" / "d" / "dd"
    folder.mkdir(parents=True, exist_ok=True)  # an id may begin so, too
    (folder / f"{'d' * 32}.dbm.dat").write_bytes(b"")
    (folder / f"{'d' * 32}.dbm.dir").write_bytes(damaged)

    done = run_import(kind, options, new)

    assert summarize(done) == ["imported", "unreadable"]
    assert new.read_session(user) == {"user": "ann"}


def test_a_session_over_the_limit_is_skipped(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """It is not truncated, and the import continues."""
    old.begin_session(text="x" * 3000)
    small = old.begin_session(text="y")

    for dry_run in (True, False):
        done = run_import(kind, options, new, dry_run=dry_run, more={"max_value_size": 2000})
        assert summarize(done) == ["imported", "too large"]
    assert new.read_session(small) == {"text": "y"}


def test_a_run_that_is_stopped_can_be_continued(
    kind: str, options: Mapping[str, str], old: Site, new: Site
) -> None:
    """Yielded sessions are stored; other writes are complete or were never started."""
    users = [old.begin_session(user=n) for n in range(12)]
    run = import_sessions(create_reader(kind, options), where(new), workers=2)
    first = next(iter(run))
    run.close()  # type: ignore[attr-defined]  # a generator's

    assert digest_of_rows(new) >= {first.session}
    assert set(summarize(run_import(kind, options, new))) == {"already there", "imported"}
    assert [new.read_session(user) for user in users] == [{"user": n} for n in range(12)]


def digest_of_rows(new: Site) -> set[str]:
    """Return the digests of the sessions in the table."""
    return {digest(row["id"]["S"].removeprefix("sess:")) for row in session_rows(new)}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("file", {}, "data_dir"),
        ("file", {"data_dir": ""}, "data_dir"),
        ("dbm", {"dbm_dir": ""}, "dbm_dir"),
        ("dbm", {"file_dir": "x"}, "has no option 'file_dir'"),
        ("ext:redis", {}, "url"),
        ("ext:redis", {"url": "nowhere"}, "redis://"),
        ("ext:database", {}, "url"),
        ("ext:database", {"url": "nowhere"}, "does not name a database"),
        ("ext:database", {"url": "postgresql://u:p@host:port/x"}, "does not name a database"),
        ("ext:database", {"url": "mysql+nobody://u:p@h/x"}, "does not name a database"),
        ("ext:memcached", {}, "file, dbm"),
        ("connect-dynamodb", {"tabel": "x"}, "'table'"),
        ("connect-dynamodb", {"something": "x"}, "'something'"),
        ("connect-dynamodb", {"serializer": "xml"}, "json or pickle"),
    ],
)
def test_a_mistake_in_the_options_is_named(kind: str, options: dict[str, str], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(OptionError, match=words):
        create_reader(kind, options)


def test_a_missing_driver_of_a_database_is_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The url is right, and is not doubted."""
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(OptionError, match=r"ext:database needs the Python module 'pymysql'$"):
        create_reader("ext:database", {"url": "mysql+pymysql://u:hunter2@h/x"})


@pytest.mark.parametrize(
    ("kind", "url", "module"),
    [
        ("ext:redis", "redis://127.0.0.1:6379/0", "redis"),
        ("ext:database", "sqlite:////tmp/sessions.db", "sqlalchemy"),
    ],
)
def test_a_library_that_is_missing_is_named(
    kind: str, url: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(OptionError, match=r"pip install 'beaker-dynamodb\[migration\]'"):
        create_reader(kind, {"url": url})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("file", {"data_dir": "/nowhere/at/all"}),
        ("ext:redis", {"url": f"redis://127.0.0.1:{free_port()}/0"}),
        ("ext:database", {"url": "sqlite:////nowhere/at/all.db"}),
    ],
)
def test_an_origin_that_cannot_be_read_is_no_empty_one(
    kind: str, options: dict[str, str], new: Site
) -> None:
    """It raises, and so does its count."""
    for ask in (
        lambda: create_reader(kind, options).count(),
        lambda: run_import(kind, options, new),
    ):
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize(
    "form",
    [
        "sqlite:///{}?timeout=1",
        "sqlite+pysqlite:///{}",
        "sqlite:///file:{}?uri=true",
        "sqlite:///file://{}?mode=rwc&uri=true",
    ],
)
def test_a_missing_database_is_not_created(form: str, new: Site, tmp_path: Path) -> None:
    """SQLite would create an empty file; the import raises."""
    options = {"url": form.format(tmp_path / "misspelled.db")}

    for ask in (
        lambda: create_reader("ext:database", options).count(),
        lambda: run_import("ext:database", options, new, dry_run=True),
    ):
        with pytest.raises(Unavailable, match=r"there is no database .*misspelled\.db'"):
            ask()
    assert not list(tmp_path.iterdir())


def test_a_database_whose_name_is_a_url_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No warning says that the file of `migrate_from` does not exist."""
    (tmp_path / "old sessions.db").touch()
    url = f"sqlite:///file:{tmp_path}/old%20sessions.db?mode=ro&uri=true"

    validate_source("ext:database", {"url": url})

    assert not caplog.records


def test_a_database_in_memory_is_read(new: Site) -> None:
    """A name that is no path is passed to SQLite."""
    for url in ("sqlite:///:memory:", "sqlite://", "sqlite:///file::memory:?uri=true"):
        with pytest.raises(OptionError, match="no table 'beaker_cache' in the database; is"):
            run_import("ext:database", {"url": url}, new, dry_run=True)


def test_the_count_is_that_of_the_sessions(
    kind: str, options: Mapping[str, str], old: Site
) -> None:
    """It is for a progress bar."""
    for n in range(3):
        old.begin_session(n=n)

    assert create_reader(kind, options).count() == 3


@pytest.mark.parametrize("kind", ["ext:redis", "ext:database"])
def test_every_page_is_read(
    kind: str,
    options: Mapping[str, str],
    old: Site,
    new: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cursor that is forgotten after its first page is the classic defect."""
    for module in ("redis_keys", "database"):
        monkeypatch.setattr(f"beaker_dynamodb.migration.readers.{module}._PAGE", 5)
    for n in range(40):
        old.begin_session(n=n)

    assert summarize(run_import(kind, options, new, dry_run=True)) == ["imported"] * 40


def test_every_type_is_tried() -> None:
    """The types that there are have tests here or beside."""
    assert json.dumps([*TYPES]) == json.dumps(
        ["file", "dbm", "ext:redis", "ext:database", "connect-dynamodb"]
    )


@pytest.mark.parametrize("option", ["data_dir", "file_dir"])
def test_a_folder_that_does_not_exist_is_blamed_on_its_option(tmp_path: Path, option: str) -> None:
    """`data_dir` names the parent of the folder in the message, which nobody has written."""
    reader = create_reader("file", {option: str(tmp_path / "no")})

    with pytest.raises(Unavailable, match=f"No such file or directory; is {option} correct"):
        next(iter(reader.sessions(lambda: 0)))
