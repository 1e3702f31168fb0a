"""`beaker-dynamodb import` as an operator meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beaker_dynamodb.__main__ import main
from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.migration.readers import create_reader
from tests.migration.runs import session_rows
from tests.servers import REGION, free_port
from tests.sessions.overlap import Site

Run = Callable[..., int]
Log = pytest.LogCaptureFixture


@pytest.fixture
def site(dynamodb_local: str, table_name: str) -> Site:
    """Give the application as it is after the move."""
    return Site.create(dynamodb_local, table_name)


@pytest.fixture
def old(site: Site, tmp_path: Path) -> Site:
    """Give the application as it is before the move."""
    return site.with_(type="file", data_dir=str(tmp_path / "old"), timeout=3600)


def words(site: Site, tmp_path: Path) -> list[str]:
    """Write the command for this application."""
    lines = f"""[app:main]
session.type = ext:dynamodb
session.table = {site.table}
session.endpoint_url = {site.url}
session.region = {REGION}
session.timeout = 3600
session.read_timeout = 30
"""
    (tmp_path / "app.ini").write_text(lines)
    source = ["--from", "file", "--from-option", f"data_dir={tmp_path / 'old'}"]
    return ["import", "-c", str(tmp_path / "app.ini"), *source]


def test_a_dry_run_says_that_there_is_no_table(
    site: Site, old: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Log
) -> None:
    """A misspelled name would else look like a table in which no session is yet."""
    for _ in range(10):
        old.begin_session(user="ann")

    options = ["-o", "table=misspelled", "-o", "transport=wire"]
    assert main([*words(site, tmp_path), "--dry-run", *options]) == 0
    assert capsys.readouterr().out == "10 would be imported\n"
    (line,) = caplog.messages
    assert line.startswith("table 'misspelled' does not exist in this region and account; check")


def test_a_table_that_is_created_is_the_only_line_before_the_count(
    site: Site, old: Site, tmp_path: Path, caplog: Log, table_name: str
) -> None:
    """If each of eight workers met the missing table, the log would blame the wire."""
    for _ in range(10):
        old.begin_session(user="ann")
    site.raw.delete_table(TableName=table_name)

    assert main([*words(site, tmp_path), "-o", "transport=wire"]) == 0
    (line,) = caplog.messages
    assert line.startswith("a missing table was created")


def test_an_old_backend_without_any_session_is_reported(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong folder looks like an import that has nothing to do."""
    (tmp_path / "old" / "container_file").mkdir(parents=True)

    assert main(words(site, tmp_path)) == 0
    out, err = capsys.readouterr()
    assert out == "0 imported\n"
    place = repr(str(tmp_path / "old" / "container_file"))
    assert f"there is no session in {place}: is it that of the old application?" in err


@pytest.mark.parametrize("prefix", ["express:", None])
def test_an_old_table_without_any_session_is_reported(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], prefix: str | None
) -> None:
    """The prefix may be wrong, also if it is the one by default."""
    names = {"table": site.table, "endpoint_url": site.url, "region": REGION}
    if prefix:
        names["prefix"] = prefix
    pairs = [word for pair in names.items() for word in ("--from-option", "=".join(pair))]
    command = [*words(site, tmp_path)[:3], "--from", "connect-dynamodb", *pairs]

    assert main([*command, "-o", "prefix=new:"]) == 0
    place = f"table {site.table!r}, under the prefix {prefix or 'sess:'!r}"
    assert f"there is no session in {place}: is it" in capsys.readouterr().err


def test_a_relative_folder_that_is_missing_is_named_whole(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is relative to the folder of the command, and not to that of the ini file."""
    command = words(site, tmp_path)[:-1]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert main([*command, "data_dir=old"]) == 3
    place = repr(str(tmp_path / "here" / "old" / "container_file"))
    assert f"the folder {place} cannot be read" in capsys.readouterr().err


def test_sessions_are_moved_and_counted(
    site: Site, old: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table and the lifetime of a session come from the application's own ini file."""
    users = [old.begin_session(user=n) for n in range(3)]
    command = words(site, tmp_path)

    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out == "3 would be imported\n"
    assert site.rows() == []
    assert main(command) == 0
    assert capsys.readouterr().out == "3 imported\n"
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert told == {"dry_run": False, "imported": 0, "skipped": {"already there": 3}}
    assert [site.with_(timeout=3600).read_session(user) for user in users] == [
        {"user": n} for n in range(3)
    ]
    (row, *_) = session_rows(site)
    assert int(row["expires"]["N"]) <= time.time() + 3721


def test_the_old_backend_is_that_of_migrate_from(
    site: Site, old: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of the ini file need not be typed again; one that is typed replaces it."""
    old.begin_session(user="ann")
    command = words(site, tmp_path)[:3]
    ini = tmp_path / "app.ini"
    source = f"session.migrate_from = file\nsession.migrate_from.data_dir = {tmp_path / 'old'}\n"
    ini.write_text(ini.read_text() + source)

    assert main([*command, "--from-option", f"data_dir={tmp_path / 'elsewhere'}"]) == 3
    assert "elsewhere" in capsys.readouterr().err
    assert main(command) == 0
    assert capsys.readouterr().out == "1 imported\n"


def test_who_would_be_logged_out_is_an_answer_of_no(
    site: Site, old: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unreadable session is named by a digest on stderr, and the exit code is 1."""
    user = old.begin_session(user="ann")
    (file,) = (tmp_path / "old").rglob("*.cache")
    file.write_bytes(b"garbage")

    assert main(words(site, tmp_path)) == 1
    out, err = capsys.readouterr()

    assert out == "0 imported\n1 skipped: unreadable\n"
    assert err.endswith(": unreadable: it is not a pickled dict\n")
    assert user.id not in err


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ([], 2),
        (["-o", "migrate_from=ext:memcached", "-o", "migrate_from.url=127.0.0.1:1"], 2),
        (["--from", "ext:memcached"], 2),
        (["--from", "file"], 2),
        (["--from", "file", "--from-option", "data_dir=/nowhere/at/all"], 3),
        (["--from", "file", "--from-option", "data_dri=/tmp"], 2),
        (["--from", "file", "--from-option", "data_dir=/tmp", "-o", "timeout=soon"], 2),
        (["--from", "file", "--from-option", "data_dir=/tmp", "--cache", "default"], 2),
    ],
)
def test_what_goes_wrong_has_its_code(
    more: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong call is 2, a backend that cannot be read is 3; one line says why."""
    assert main(["import", *more]) == code
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "meant"), [("redis", "ext:redis"), ("ext:file", "file"), ("files", "file")]
)
def test_a_misspelled_backend_is_answered_by_the_right_one(
    name: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ext:` belongs to some of Beaker's names, and not to others."""
    assert main(["import", "--from", name]) == 2
    assert f"did you mean {meant!r}?" in capsys.readouterr().err
    with pytest.raises(OptionError, match=f"did you mean {meant!r}"):
        create_reader(name, {})


CONNECT = ("connect-dynamodb", "--from-option")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (["file", "--from-option", "data_dir=/tmp"], "no AWS region is set; give option 'region'"),
        ([*CONNECT, "table=express", "-o", "region=eu-west-1"], "give its own option 'region'"),
        ([*CONNECT, "table=sessions", "-o", "region=eu-west-1"], "give its own option 'region'"),
        ([*CONNECT, "table=sessions"], "give its own option 'region'"),
    ],
)
def test_a_region_that_is_missing_is_a_wrong_call(
    source: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The remedy is said, wherever the sessions come from; a repetition would not help."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert main(["import", "--from", *source, "-o", "table=sessions"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "stopped after" not in err


@pytest.mark.parametrize("region", [REGION, "eu-west-1"])
def test_a_missing_old_table_is_not_to_be_created(
    site: Site, region: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even one that has the name of the new table in another region."""
    name = "misspelled" if region == REGION else site.table
    source = {"table": name, "region": region, "endpoint_url": site.url}
    command = [*words(site, tmp_path)[:3], "--from", "connect-dynamodb"]
    for option, value in source.items():
        command += ["--from-option", f"{option}={value}"]

    assert main(command) == 3
    err = capsys.readouterr().err
    assert "the table to read from does not exist" in err
    assert "table create" not in err


def test_a_table_that_cannot_be_reached_is_3(
    site: Site, old: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing was moved, so there is nothing to continue."""
    old.begin_session(user="ann")
    away = ["-o", f"endpoint_url=http://127.0.0.1:{free_port()}", "-o", "connect_timeout=1"]

    assert main([*words(site, tmp_path), *away]) == 3
    err = capsys.readouterr().err
    assert "stopped after" not in err
    assert "did not answer" in err


def test_stopped_by_hand_it_says_how_far_it_came_and_can_go_on(
    site: Site, old: Site, tmp_path: Path
) -> None:
    """After Ctrl-C each written session is complete, and the next run imports the rest."""
    first = old.begin_session(user="ann")
    for n in range(1500):  # the same file under other names: Beaker would take a while
        source = next((tmp_path / "old" / "container_file").rglob("*.cache"))
        name = f"{n:032x}"
        folder = tmp_path / "old" / "container_file" / name[0] / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.cache").write_bytes(source.read_bytes())
    command = words(site, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "beaker_dynamodb", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    deadline = time.monotonic() + 30
    while len(session_rows(site)) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    stood = len(session_rows(site))

    assert process.returncode == 130
    assert "interrupted: sessions from file" in err
    assert " of them imported; run it again to continue" in err
    assert 5 <= stood < 1501
    assert main([*command, "--quiet"]) == 0
    assert len(session_rows(site)) == 1501
    assert len(site.rows()) == 2 * 1501  # each with its marker
    assert site.with_(timeout=3600).read_session(first) == {"user": "ann"}
