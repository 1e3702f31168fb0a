"""Which section of an ini file is the application's, and the errors if there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from paste.deploy.loadwsgi import FILTER, loadcontext

from beaker_dynamodb.errors import OptionError
from beaker_dynamodb.settings.ini import read_section, read_settings

WANTED = ("session.type", "beaker.session.type")
PIPELINE = """
[server:main]
use = egg:waitress

[pipeline:main]
pipeline = session site

[filter:session]
use = egg:beaker-dynamodb
session.type = ext:dynamodb

[app:site]
use = egg:site
"""


def read(config: object, wanted: tuple[str, ...] = WANTED) -> dict[str, str]:
    """Read settings, without what every file says of itself."""
    found = read_settings(str(config), wanted)
    return {name: found[name] for name in found if name not in {"here", "__file__"}}


@pytest.fixture(name="ini")
def ini_(tmp_path: Path) -> Path:
    """Write a file whose sessions are in a filter, as docs/frameworks/wsgi.md shows it."""
    path = tmp_path / "app.ini"
    path.write_text(PIPELINE)
    return path


def test_the_section_that_sets_it_is_found_without_its_name(ini: Path) -> None:
    """A pipeline's main section holds the order of its parts alone."""
    assert read(ini) == {"session.type": "ext:dynamodb"}
    assert read_section(str(ini)).local["pipeline"] == "session site"


def test_without_a_main_section_the_one_that_sets_it_is_enough(ini: Path) -> None:
    """A server's main section is no application's."""
    ini.write_text(PIPELINE.replace("[pipeline:main]", "[pipeline:all]"))
    assert read(ini) == {"session.type": "ext:dynamodb"}

    with pytest.raises(OptionError, match="no section 'main'; it has server:main, pipeline:all"):
        read_settings(str(ini), ("cache.type",))


def test_where_two_sections_set_it_one_must_be_named(ini: Path) -> None:
    """They are two applications, with two tables perhaps."""
    ini.write_text(PIPELINE + "beaker.session.type = file\n")

    with pytest.raises(OptionError, match=r"in filter:session, app:site; name one: .*#filter:ses"):
        read_settings(str(ini), WANTED)
    assert read(f"{ini}#site") == {"beaker.session.type": "file"}


def test_where_none_sets_it_main_is_what_there_is(ini: Path) -> None:
    """So -o type=ext:dynamodb works before the file is changed."""
    assert read(ini, ("cache.type",)) == {"pipeline": "session site"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"table = x\n", r"it is not an ini file \(line 1\)"),
        (b"[app:main]\n  = x\n", "it is not an ini file"),
        (b"[app:main]\nname = \xff\n", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """No traceback of the parser's, and no name of its classes."""
    path = tmp_path / "bad.ini"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(OptionError, match=rf"bad\.ini' cannot be read: {words}"):
        read_section(str(path))


def test_in_a_folder_that_is_gone_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell may still be in the folder of a release that was removed."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    with pytest.raises(OptionError, match=r"'production\.ini' cannot be read: No such file"):
        read_section("production.ini")


BASE = """
[DEFAULT]
place = %(here)s/x
who = base

[filter:session]
use = egg:beaker-dynamodb
session.table = base-table
session.secret = %(place)s
session.key = base
"""
TOP = """
[DEFAULT]
who = top
session.region = everywhere

[filter:main]
use = config:base.ini#session
session.table = top-table
set session.timeout = 5
session.prefix = %(who)s 100%%:

[filter:second]
use = main
session.table = second-table
session.data_dir = %(here)s
"""


MIXED = """
[DEFAULT]
session.type = ext:dynamodb
session.table = everywhere
old = ext:memory

[filter:main]
use = egg:beaker-dynamodb
session.table = mine
session.key = k
set session.prefix = p:
get session.lock = old

[filter:second]
use = main
session.secret = s
set session.key = dropped
session.type = ext:dynamodb
"""


@pytest.mark.parametrize("name", ["main", "second"])
def test_what_is_global_is_told_from_a_sections_own_as_pastedeploy_does(
    tmp_path: Path, name: str
) -> None:
    """Pyramid's settings are the section's own alone; a line that [DEFAULT] has too is dropped."""
    (tmp_path / "top.ini").write_text(MIXED)
    theirs = loadcontext(FILTER, "config:top.ini", name=name, relative_to=str(tmp_path))
    ours = read_section(f"{tmp_path / 'top.ini'}#{name}")

    assert sessions(ours.local) == sessions(theirs.local_conf)
    assert sessions(ours.shared) == sessions(theirs.global_conf)
    assert sessions(ours.settings) == sessions(theirs.config())
    assert ours.lost == {"session.table"}


@pytest.mark.parametrize("name", ["main", "second"])
def test_a_file_says_what_pastedeploy_reads(tmp_path: Path, name: str) -> None:
    """Defaults, files and sections that build upon each other, `set`, and per cent signs."""
    (tmp_path / "base.ini").write_text(BASE)
    (tmp_path / "top.ini").write_text(TOP)
    theirs = loadcontext(FILTER, "config:top.ini", name=name, relative_to=str(tmp_path)).config()
    ours = read_section(f"{tmp_path / 'top.ini'}#{name}").settings

    assert sessions(ours) == sessions(theirs)
    assert len(sessions(ours)) >= 6


def sessions(settings: Mapping[str, str]) -> dict[str, str]:
    """Keep what is for Beaker."""
    return {name: settings[name] for name in settings if name.startswith("session.")}


def test_files_that_build_upon_each_other_end(tmp_path: Path) -> None:
    """A circle of `use` is read a few times, not for ever."""
    path = tmp_path / "round.ini"
    path.write_text("[app:main]\nuse = config:round.ini\nsession.table = t\n")

    assert read_section(str(path)).local["session.table"] == "t"


def test_a_null_character_in_the_name_of_another_file_is_said(ini: Path) -> None:
    """No system opens such a name, and Python has an error of its own for it."""
    ini.write_text("[app:main]\nuse = config:other\0.ini\n")

    with pytest.raises(OptionError, match=r"other.x00.ini' cannot be read: this is not a valid"):
        read_settings(str(ini), WANTED)
